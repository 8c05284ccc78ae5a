/**
 * What the peer refuses. Where the reference refuses too, the texts are its: clients and scripts match them.
 * Source: Go `cluster.go`.
 */
import { errorCode, errorMessage, OperatingError } from '../base/index.ts';
import type { Cid, PeerId } from '../model/index.ts';

export function followerMode(): OperatingError {
  const text = 'this peer is configured to be in follower mode. Write operations are disabled';
  return new OperatingError('cluster/follower-mode', text);
}

export function notPinned(): OperatingError {
  return new OperatingError('cluster/not-pinned', 'pin is not part of the pinset');
}

/** A pin request that can never be accepted as it is. */
export function badPin(text: string): OperatingError {
  return new OperatingError('cluster/bad-pin', text);
}

/** A request that the present state of the pinset forbids. */
export function refusedPin(text: string, cause?: unknown): OperatingError {
  return new OperatingError('cluster/refused-pin', text, { cause });
}

/** As consensus says it of a conditional write. */
export function changedPin(cid: Cid): OperatingError {
  return new OperatingError('consensus/changed', `Cannot unpin "${cid}": its pin is another one by now`);
}

/** Of an informer that has been asked and has not answered; it is asked again when it has. */
export function informerLate(seconds: number): OperatingError {
  return new OperatingError('cluster/informer-late', `no answer for ${seconds} s, and no other question meanwhile`);
}

/** Of a pin that would stay on the IPFS node when it is removed. */
export function notRecorded(trouble: string): OperatingError {
  const text = `Cannot record on this peer that the pin is the cluster's, and so does not begin it: ${trouble}`;
  return new OperatingError('cluster/not-recorded', text);
}

/** Of a second rebalance on this peer. */
export function rebalanceRunning(): OperatingError {
  const text =
    'cannot rebalance: this peer is at it already, for somebody else; or moves of an earlier one are still under way';
  return new OperatingError('cluster/rebalancing', text);
}

/** Of a peer that sees less than a majority alive. */
export function tooFewAnswer(): OperatingError {
  const text = 'cannot rebalance while most members do not answer: it may be this peer that is lost';
  return new OperatingError('cluster/minority', text);
}

/** Of a peer with data that was to join `peer`. */
export function otherCluster(peer: PeerId): OperatingError {
  const text =
    `the cluster of ${peer} does not know this peer, whose data is of another one, or of a time before its removal: ` +
    `they are not mixed. Start this peer again while ${peer} runs, and its data is moved away before it joins; ` +
    'with createCluster, take another folder';
  return new OperatingError('cluster/other-cluster', text);
}

/** Of a command about a member. */
export function noMember(peer: PeerId): OperatingError {
  return new OperatingError('cluster/no-member', `${peer} is no member of this cluster`);
}

/** Of a member that did not take it: it may be of another program. */
export function cannotCordon(peer: PeerId, cause: unknown): OperatingError {
  const isUnknown = ['rpc/authorization', 'rpc/server'].includes(errorCode(cause));
  const why = isUnknown ? `its program knows nothing of it, or does not trust this peer` : errorMessage(cause);
  const outcome = isUnknown ? 'refused' : 'unknown';
  return new OperatingError('cluster/cannot-cordon', `${peer} cannot be cordoned: ${why}`, { cause, outcome });
}

/** Of a peer that was put together without an adder. */
export function noAdder(): OperatingError {
  return new OperatingError('cluster/no-adder', 'content cannot be added through this peer');
}
