/**
 * Handing leadership over: the leader takes no more proposals, waits until one voter has its whole log, and tells it to stand for
 * election at once. When that takes longer than an election timeout, the leader goes on as before.
 *
 * Source: Raft thesis 3.10; hashicorp/raft `raft.go` `leadershipTransfer`.
 */
import type { PeerId } from '../../model/index.ts';
import { isHeard } from './lease.ts';
import { isVoter, votersOf } from './quorum.ts';
import type { Leader, State } from './state.ts';

/** Under way at the leader. */
export interface Transfer {
  readonly id: number;
  readonly to: PeerId;
  /** The leader's `ticks` when it began. */
  readonly began: number;
  isAsked: boolean;
}

export function beginTransfer(state: State, id: number, wanted: PeerId | undefined): void {
  const { role } = state;
  if (role.kind !== 'leader') {
    state.refuse(id, 'not-leader');
    return;
  }
  if (role.transfer !== undefined) {
    state.refuse(id, 'change-pending');
    return;
  }
  const to = wanted ?? furthestVoter(state, role);
  if (to === undefined || to === state.self || !isVoter(state.journal.configuration, to)) {
    state.refuse(id, 'no-successor');
    return;
  }
  role.transfer = { id, to, began: role.ticks, isAsked: false };
  continueTransfer(state, role);
}

/** Called whenever a follower has got further, and with every tick. */
export function continueTransfer(state: State, role: Leader): void {
  const { transfer } = role;
  if (transfer === undefined) return;
  const follower = role.followers.get(transfer.to);
  if (follower === undefined || role.ticks - transfer.began > state.options.electionTicks) {
    endTransfer(state, role);
    return;
  }
  if (transfer.isAsked || follower.match < state.journal.lastIndex) return;
  transfer.isAsked = true;
  state.call({ type: 'timeoutNow' }, { type: 'timeoutNow', to: transfer.to, term: state.term });
}

/** The successor could not be asked; what it does after an answer shows by itself. */
export function onTransferFailed(state: State, to: PeerId): void {
  if (state.role.kind === 'leader' && state.role.transfer?.to === to) endTransfer(state, state.role);
}

function endTransfer(state: State, role: Leader): void {
  if (role.transfer !== undefined) state.refuse(role.transfer.id, 'no-successor');
  role.transfer = undefined;
}

/** Of those that were heard lately. */
function furthestVoter(state: State, role: Leader): PeerId | undefined {
  let furthest: PeerId | undefined;
  let match = -1;
  for (const voter of votersOf(state.journal.configuration)) {
    const follower = role.followers.get(voter);
    if (follower === undefined || !isHeard(state, role, voter)) continue;
    if (follower.match > match) [furthest, match] = [voter, follower.match];
  }
  return furthest;
}
