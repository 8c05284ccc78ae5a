/**
 * Taking a snapshot from the leader, in three steps that the shell carries out: the bytes come to disk (`receive`), the state is
 * replaced (`restore`), the log begins anew. The state is durable before the log is touched, so that a crash between the two
 * leaves a state that is ahead of its log, and knows it (see `io/consensus`, which then finishes the work at the next start).
 *
 * Until the state is replaced nothing has changed: votes and appends are answered as ever. Once the bytes are there this peer
 * does not stand for election, for a leader's state is nobody's to replace; while it is being replaced nothing is applied.
 *
 * Source: Raft paper, section 7; hashicorp/raft `raft.go` `installSnapshot`.
 */
import { assert } from '../../base/index.ts';
import { requireSameHistory } from './history.ts';
import type { State } from './state.ts';
import type { Base, SnapshotRequest } from './types.ts';

/** A snapshot on its way into this peer. */
export interface Install {
  readonly token: number;
  readonly base: Base;
  /** `received`: on disk, but a batch of entries is still being applied. */
  phase: 'receiving' | 'received' | 'restoring';
}

export function onSnapshot(state: State, { term, leader, base }: SnapshotRequest, token: number): void {
  const isOfRival = term === state.term && state.role.kind === 'leader';
  if (term < state.term || isOfRival || base.term > term || base.configurationIndex > base.index) {
    answer(state, token, false);
    return;
  }
  state.follow(term, leader);
  requireSameHistory(state, base.index, base.term);
  if (base.index <= state.commit) {
    answer(state, token, true);
    return;
  }
  if (isInstalling(state)) {
    answer(state, token, false);
    return;
  }
  const { install } = state;
  // The leader has given up the earlier one, or is another leader.
  if (install !== undefined) answer(state, install.token, false);
  state.install = { token, base, phase: 'receiving' };
  state.outbox.receive = { token, base };
}

/** The state is about to be replaced, or is being: until that is done this peer stays the follower that it is. */
export function isInstalling({ install }: State): boolean {
  return install !== undefined && install.phase !== 'receiving';
}

/** The bytes are on disk, or will not come. */
export function onReceived(state: State, token: number, isWhole: boolean): void {
  const { install } = state;
  if (install?.token !== token || install.phase !== 'receiving') return;
  if (isWhole && state.role.kind === 'follower') {
    install.phase = 'received';
    return;
  }
  state.install = undefined;
  answer(state, token, false);
}

/**
 * The snapshot to replace the state by, as soon as nothing else is being applied and the term it came in is on disk: a crash
 * would leave a state of a later term than the peer knows.
 */
export function nextRestore(state: State): Base | undefined {
  const { install, journal } = state;
  if (install?.phase !== 'received' || state.applying > state.applied || journal.election > journal.written)
    return undefined;
  // Another leader may have committed more since it began.
  requireSameHistory(state, install.base.index, install.base.term);
  if (install.base.index <= state.applied) {
    state.install = undefined;
    answer(state, install.token, true);
    return undefined;
  }
  install.phase = 'restoring';
  return install.base;
}

/** The state is that of the snapshot, durably; or, when not `isDone`, as before. */
export function onRestored(state: State, isDone: boolean): void {
  const { install, journal } = state;
  assert(install?.phase === 'restoring', 'a state is restored when it was asked for');
  const { base, token } = install;
  const isConflict = journal.termAt(base.index) !== base.term;
  assert(!isConflict || base.index > state.commit, 'a snapshot never cuts committed entries off');
  state.install = undefined;
  if (!isDone) {
    answer(state, token, false);
    return;
  }
  state.waiting.skipTo(base, state.outbox.results);
  // What follows an entry that the leader has too may be part of a majority already: it is kept.
  if (state.rules.keepsMatchingSuffix && !isConflict) journal.compact(base);
  else journal.reset(base);
  state.commit = Math.max(state.commit, base.index);
  state.applied = base.index;
  state.applying = base.index;
  state.snapshot = base;
  answer(state, token, true);
}

/** A "yes" stands for the whole log up to the snapshot, so it waits for the disk. */
function answer(state: State, token: number, success: boolean): void {
  const { journal, term } = state;
  state.reply(token, { type: 'snapshot', term, success }, success ? journal.everything : journal.election);
}
