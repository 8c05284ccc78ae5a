/** Expected failures of consensus. Texts that name the leader or its absence are the reference's, for its clients read them. */
import { errorCode, errorMessage, OperatingError, type Outcome } from '../../base/index.ts';
import type { LogIndex, RefusalReason } from '../../core/raft/index.ts';
import type { PeerId, Pin, RaftCommand } from '../../model/index.ts';

const mayHappen = 'the operation may still take effect';

/**
 * The same failure of something that may yet happen. Its text says so, for over HTTP there is nothing but the text; a time-out says
 * it by itself, in the words of the reference.
 */
export function asUnknown(error: unknown): OperatingError {
  const text = errorMessage(error);
  const isSaid = text.includes(mayHappen) || text.includes('deadline exceeded');
  return new OperatingError(errorCode(error), isSaid ? text : `${text}; ${mayHappen}`, {
    cause: error,
    outcome: 'unknown',
  });
}

/** Go `consensus/raft/consensus.go` `redirectToLeader`. */
export function noLeaderInTime(outcome: Outcome): OperatingError {
  return new OperatingError('consensus/no-leader', 'timed out waiting for leader: context deadline exceeded', {
    outcome,
  });
}

/** Go go-libp2p-raft `Actor.Leader`. */
export function noLeader(): OperatingError {
  return new OperatingError('consensus/no-leader', 'leader unknown');
}

/** There is a leader, but no majority has it on disk in time. */
export function notCommittedInTime(outcome: Outcome): OperatingError {
  return new OperatingError('consensus/timeout', 'timed out waiting for commit: context deadline exceeded', {
    outcome,
  });
}

export function givenUp(action: string, signal: AbortSignal | undefined, outcome: Outcome): OperatingError {
  const text = `${action} was given up`;
  return new OperatingError('consensus/cancelled', outcome === 'unknown' ? `${text}; ${mayHappen}` : text, {
    cause: signal?.reason,
    outcome,
  });
}

/** Text of Go `consensus/raft/consensus.go` `Peers`. */
export function stopped(outcome: Outcome = 'refused'): OperatingError {
  const text = 'consensus is shutdown';
  return new OperatingError('consensus/stopped', outcome === 'unknown' ? `${text}; ${mayHappen}` : text, { outcome });
}

/** What is committed has not come here, or not through. */
export function notAppliedInTime(index: LogIndex, applied: LogIndex): OperatingError {
  return new OperatingError(
    'consensus/timeout',
    `timed out waiting for updates: entry ${applied} of ${index} is applied`,
  );
}

/** Reads go on, but whether they show everything that was acknowledged nobody can tell. */
export function unconfirmedRead(cause: unknown): OperatingError {
  const text = `Cannot confirm that this peer has everything that was acknowledged: ${errorMessage(cause)}`;
  const code = errorCode(cause);
  // The leader is asked again until the time is over: a failed call is the last of them.
  return new OperatingError(code.startsWith('consensus/') ? code : 'consensus/timeout', text, { cause });
}

/** Go peers offer no read index. */
export function noReadIndex(leader: PeerId | undefined): OperatingError {
  return new OperatingError(
    'consensus/no-read-index',
    `the leader "${leader ?? ''}" is a Go peer, which has no read index`,
  );
}

/** The state is being opened anew after its disk had failed. */
export function reopening(): OperatingError {
  return new OperatingError('consensus/reopening', 'Cannot read the pinset: it is being opened anew, try again');
}

/** A snapshot has gone over the entry that was waited for: it may be in it, or not. */
export function overtaken(): OperatingError {
  const text = 'Cannot tell what became of the operation: a snapshot of the leader has replaced the state';
  return new OperatingError('consensus/overtaken', text, { outcome: 'unknown' });
}

/** A conditional write, and what the pinset has in place of what was expected. */
export function changed({ type, pin }: RaftCommand, present: Pin | undefined): OperatingError {
  const now = present === undefined ? 'it is not pinned any more' : 'its pin is another one by now';
  return new OperatingError('consensus/changed', `Cannot ${type} "${pin.cid}": ${now}`);
}

/** The disk of this peer hangs, and others go on asking. */
export function overwhelmed(): OperatingError {
  return new OperatingError('consensus/overwhelmed', 'Cannot take a Raft message: too many wait for the disk already');
}

/** The disk, or an invariant, failed: reads go on, nothing is written any more. */
export function readOnly(cause: unknown): OperatingError {
  const text = `This peer is read-only since its raft log or state failed: ${errorMessage(cause)}`;
  return new OperatingError('consensus/read-only', text, { cause });
}

/** Whether it says that this peer's state is not what was written: trying again is of no use. */
export function isStateDamage(error: unknown): boolean {
  return ['store/damaged', 'cluster/damaged-state'].includes(errorCode(error));
}

/** What the engine's refusal means for one who asked over the network. */
export function refusal(reason: RefusalReason | 'changed', leader: PeerId | undefined): OperatingError {
  if (reason === 'last-voter') {
    // Go `consensus/raft/raft.go` `RemovePeer`.
    return new OperatingError('consensus/last-voter', 'cannot remove ourselves from a 1-peer cluster');
  }
  const texts: Record<Exclude<RefusalReason, 'last-voter'> | 'changed', string> = {
    'not-leader': leader === undefined ? 'node is not the leader' : `node is not the leader, "${leader}" is`,
    busy: 'Cannot log the operation: too many operations wait to be committed',
    superseded: 'leadership lost while committing log',
    'change-pending': 'Cannot change the peerset: another change is under way',
    'no-successor': 'Cannot hand the leadership over: no other voter took it in time',
    unchanged: 'The peerset is as asked for already',
    changed: 'The pin is another one than expected',
  };
  return new OperatingError(`consensus/${reason}`, texts[reason]);
}
