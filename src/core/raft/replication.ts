/**
 * Sending the log to followers.
 *
 * Per follower: either *probing* (one empty append at a time, to find where the logs agree, or whether anyone is there) or
 * sending, with a few appends under way. Heartbeats have their own form and are not held up by either.
 */
import { assert } from '../../base/index.ts';
import type { PeerId } from '../../model/index.ts';
import type { CallContext, Leader, Progress, State } from './state.ts';
import type { AppendResponse, Entry, LogIndex } from './types.ts';

type AppendContext = Extract<CallContext, { type: 'append' }>;
type SnapshotContext = Extract<CallContext, { type: 'snapshot' }>;

/** In election timeouts of heartbeats: they end after one by their own deadline, this only bounds a shell that is late. */
const heartbeatsInFlightTimeouts = 2;

/** The longest wait to the next snapshot is 64 election timeouts. */
const snapshotDoublingsMax = 6;

export function newProgress(next: LogIndex, tick: number): Progress {
  return {
    match: 0,
    next,
    isProbing: false,
    isPaused: false,
    appendsInFlight: 0,
    heartbeatsInFlight: 0,
    installing: undefined,
    snapshotFrom: 0,
    snapshotRefusals: 0,
    storedQuickly: undefined,
    acknowledged: 0,
    catchUp: undefined,
    toldCommit: 0,
    contact: tick,
    round: 0,
    removedAt: undefined,
  };
}

/** Sends what may be sent now. */
export function sendAppends(state: State, role: Leader, peer: PeerId, follower: Progress): void {
  if (needsSnapshot(state, follower)) {
    sendSnapshot(state, role, peer, follower);
    return;
  }
  const { entriesPerAppendMax, bytesPerAppendMax, appendsInFlightMax } = state.options;
  if (follower.isProbing) {
    if (follower.appendsInFlight === 0 && !follower.isPaused) sendAppend(state, role, peer, follower, []);
    return;
  }
  const end = follower.removedAt?.index ?? state.journal.lastIndex;
  while (follower.appendsInFlight < appendsInFlightMax && follower.next <= end) {
    const countMax = Math.min(entriesPerAppendMax, end - follower.next + 1);
    // Behind another append goes only what is no smaller, as in Nagle's algorithm (RFC 896): fewer and larger messages when the
    // follower is the slower one, and with a long round trip the second leaves as early as the first.
    const unanswered = follower.next - 1 - follower.match;
    if (follower.appendsInFlight > 0 && countMax < Math.min(entriesPerAppendMax, unanswered)) break;
    const entries = state.journal.slice(follower.next, countMax, bytesPerAppendMax);
    sendAppend(state, role, peer, follower, entries);
  }
  // The commit index travels with the next entries; alone only when there are none to wait for.
  if (follower.appendsInFlight === 0 && follower.toldCommit < Math.min(state.commit, end)) {
    sendAppend(state, role, peer, follower, []);
  }
}

/**
 * Once every heartbeat interval. An append that carries nothing new tells all that a heartbeat does, and what was lost on the
 * way; but when appends are under way the follower may be waiting for its disk, and only the heartbeat form is answered.
 */
export function heartbeat(state: State, role: Leader, peer: PeerId, follower: Progress): void {
  follower.isPaused = false;
  if (follower.appendsInFlight > 0 || needsSnapshot(state, follower)) {
    sendHeartbeat(state, role, peer, follower);
    if (needsSnapshot(state, follower)) sendSnapshot(state, role, peer, follower);
    return;
  }
  sendAppends(state, role, peer, follower);
  if (follower.appendsInFlight === 0) sendAppend(state, role, peer, follower, []);
}

/** What it needs next was compacted away, or a snapshot is on its way already. */
function needsSnapshot({ journal }: State, follower: Progress): boolean {
  return follower.installing !== undefined || follower.next <= journal.base.index;
}

/** Not to a peer that was removed: all it could learn is that it was. */
function sendSnapshot(state: State, role: Leader, to: PeerId, follower: Progress): void {
  const { snapshot, term, self } = state;
  if (follower.installing !== undefined || follower.removedAt !== undefined) return;
  if (role.ticks < follower.snapshotFrom) return;
  if (snapshot === undefined || snapshot.index < state.journal.base.index) {
    state.outbox.needsSnapshot = true;
    return;
  }
  follower.installing = snapshot.index;
  state.call(
    { type: 'snapshot', term, leader: self, base: snapshot },
    { type: 'snapshot', to, term, follower, round: role.round, lastIndex: snapshot.index },
  );
}

/**
 * `isTaken` is what it has answered, if anything. It goes on with the entries after the snapshot, or the next one is sent after an
 * election timeout; to one that says "no" again and again after twice as long each time, for all of the bytes travel before a
 * follower without room for them can say so. Returns whether `match` advanced.
 */
export function onSnapshotAnswer(
  state: State,
  role: Leader,
  { follower, lastIndex }: SnapshotContext,
  isTaken: boolean | undefined,
): boolean {
  follower.installing = undefined;
  const refusalsBefore = follower.snapshotRefusals;
  follower.snapshotRefusals = isTaken === false ? refusalsBefore + 1 : 0;
  if (isTaken !== true) {
    const doublings = isTaken === false ? Math.min(refusalsBefore, snapshotDoublingsMax) : 0;
    follower.snapshotFrom = role.ticks + state.options.electionTicks * 2 ** doublings;
    return false;
  }
  follower.isProbing = false;
  follower.toldCommit = 0;
  return advance(follower, lastIndex);
}

export function sendHeartbeat(state: State, role: Leader, peer: PeerId, follower: Progress): void {
  if (follower.heartbeatsInFlight >= heartbeatsInFlightTimeouts * state.options.electionTicks) return;
  follower.heartbeatsInFlight++;
  const { term, self } = state;
  state.call(
    { type: 'append', term, leader: self, prevIndex: 0, prevTerm: 0, entries: [], commit: 0 },
    { type: 'heartbeat', to: peer, term, follower, round: role.round },
  );
}

function sendAppend(state: State, role: Leader, to: PeerId, follower: Progress, entries: readonly Entry[]): void {
  const { term, self, commit, journal } = state;
  const prevIndex = follower.next - 1;
  const prevTerm = journal.termAt(prevIndex);
  assert(prevTerm !== undefined, 'the entry before those sent is known');
  const lastIndex = prevIndex + entries.length;
  follower.appendsInFlight++;
  if (!follower.isProbing) {
    follower.next = lastIndex + 1;
    follower.toldCommit = Math.min(commit, lastIndex);
  }
  state.call(
    { type: 'append', term, leader: self, prevIndex, prevTerm, entries, commit },
    {
      type: 'append',
      to,
      term,
      follower,
      round: role.round,
      prevIndex,
      lastIndex,
      match: follower.match,
      tick: role.ticks,
    },
  );
}

/** What an answer of this term tells about where the logs agree. Returns whether `match` advanced. */
export function onAppendResponse(
  state: State,
  role: Leader,
  context: AppendContext,
  response: AppendResponse,
): boolean {
  const { follower, prevIndex } = context;
  if (response.success) {
    follower.isProbing = false;
    // `lastLog` is what it had before: only what is new needs its disk.
    if (response.lastLog < context.lastIndex) {
      const isQuick = role.ticks - context.tick <= state.options.electionTicks;
      follower.storedQuickly = isQuick ? context.tick : undefined;
    }
    return advance(follower, context.lastIndex);
  }
  if (prevIndex <= follower.match) {
    // An old "no" about what was agreed since then tells nothing.
    if (prevIndex > context.match) return false;
    // It has what goes before, and yet it says "no": a Go peer that cannot write.
    if (response.lastLog >= prevIndex) {
      onAppendFailed(follower, context);
      return false;
    }
    // It had what goes before, and has it no more: it has lost its log.
    follower.match = 0;
  }
  const next = Math.max(follower.match + 1, Math.min(prevIndex, response.lastLog + 1));
  follower.next = Math.min(follower.next, next);
  follower.isProbing = true;
  follower.toldCommit = 0;
  return false;
}

function advance(follower: Progress, index: LogIndex): boolean {
  const hasAdvanced = index > follower.match;
  follower.match = Math.max(follower.match, index);
  follower.acknowledged = Math.max(follower.acknowledged, follower.match);
  follower.next = Math.max(follower.next, follower.match + 1);
  return hasAdvanced;
}

/** The append may have arrived or not: send it again, from the next tick on. */
export function onAppendFailed(follower: Progress, context: AppendContext): void {
  follower.next = Math.max(follower.match + 1, Math.min(follower.next, context.prevIndex + 1));
  follower.isProbing = true;
  follower.isPaused = true;
  follower.toldCommit = 0;
}

/** A removed peer has all up to its removal, and was told that it is committed. */
export function isFarewellDone({ removedAt, match, toldCommit, appendsInFlight }: Progress): boolean {
  return removedAt !== undefined && match >= removedAt.index && toldCommit >= removedAt.index && appendsInFlight === 0;
}
