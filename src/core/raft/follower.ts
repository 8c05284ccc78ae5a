/** Answers the leader. */
import { assert } from '../../base/index.ts';
import { requireSameHistory } from './history.ts';
import type { State } from './state.ts';
import type { AppendRequest, AppendResponse, Entry, LogIndex } from './types.ts';

/** AppendEntries, receiver's side (Raft paper, figure 2). */
export function onAppend(state: State, request: AppendRequest, token: number): void {
  const { journal } = state;
  const isOfRival = request.term === state.term && state.role.kind === 'leader';
  if (request.term < state.term || isOfRival || !isWellFormed(request)) {
    state.reply(token, response(state, false, journal.lastIndex), journal.election);
    return;
  }
  state.follow(request.term, request.leader);

  const known = withoutCompacted(state, request);
  if (journal.termAt(known.prevIndex) !== known.prevTerm) {
    requireSameHistory(state, known.prevIndex, known.prevTerm);
    state.reply(token, response(state, false, mayAgreeUpTo(state, known.prevIndex)), journal.election);
    return;
  }
  const lastBefore = journal.lastIndex;
  const hasStored = store(state, known.prevIndex, known.entries);
  const proven = known.prevIndex + known.entries.length;
  const commit = state.rules.followerCommit(request.commit, proven, journal.lastIndex);
  state.commit = Math.max(state.commit, Math.min(commit, journal.lastIndex));

  if (needsNewTerm(state, request)) {
    state.follow(state.term + 1, undefined);
    state.reply(token, response(state, false, journal.lastIndex), journal.election);
    return;
  }
  // Even when nothing was stored now, an earlier copy of the entries may still be on its way to the disk. A heartbeat
  // promises nothing about the log, and must not wait for a slow disk.
  const isHeartbeat = request.prevIndex === 0 && request.entries.length === 0;
  const isBound = !isHeartbeat && (hasStored || state.rules.repeatsWaitForDisk);
  state.reply(token, response(state, true, lastBefore), isBound ? journal.everything : journal.election);
}

/**
 * This peer has all that the leader has committed, in the same term in which its previous log ended further on. That was the log of
 * another cluster, or its end was never agreed on. The first entry of the next term is behind it, and only with that can this peer vote
 * for the members of this cluster, and stand. It costs an election, now, while everybody is there.
 */
function needsNewTerm({ missesPreviousLog, previousLog, journal }: State, { term, commit }: AppendRequest): boolean {
  return missesPreviousLog && previousLog?.term === term && commit > 0 && commit <= journal.lastIndex;
}

/** What a leader that follows the rules sends; anything else is answered like a log that does not match. */
function isWellFormed({ prevIndex, prevTerm, term, entries }: AppendRequest): boolean {
  if (prevTerm > term || (prevIndex === 0 && prevTerm !== 0)) return false;
  let index = prevIndex;
  let last = prevTerm;
  for (const entry of entries) {
    if (entry.index !== ++index || entry.term < last || entry.term > term) return false;
    last = entry.term;
  }
  return true;
}

/** Entries up to the base are committed, hence the same everywhere: they count as stored. */
function withoutCompacted(
  state: State,
  request: AppendRequest,
): { prevIndex: LogIndex; prevTerm: number; entries: readonly Entry[] } {
  const { base } = state.journal;
  if (request.prevIndex >= base.index) return request;
  const atBase = request.entries[base.index - request.prevIndex - 1];
  if (atBase !== undefined) requireSameHistory(state, base.index, atBase.term);
  const entries = request.entries.slice(base.index - request.prevIndex);
  return { prevIndex: base.index, prevTerm: base.term, entries };
}

/** A term is one leader's run of entries: if the entry at `prevIndex` is of another term, none of that term may agree. */
function mayAgreeUpTo(state: State, prevIndex: LogIndex): LogIndex {
  const { journal } = state;
  if (prevIndex > journal.lastIndex) return journal.lastIndex;
  return Math.max(state.commit, journal.indexBeforeTermOf(prevIndex));
}

/** Cuts only at a conflict: an old message must not take away what a newer one has brought. Returns whether anything was new. */
function store(state: State, prevIndex: LogIndex, entries: readonly Entry[]): boolean {
  const { journal, rules } = state;
  let have = 0;
  if (rules.cutsOnlyConflicts) {
    while (have < entries.length && journal.termAt(prevIndex + have + 1) === entries[have]?.term) have++;
    if (have === entries.length) return false;
  }
  const from = prevIndex + have + 1;
  if (from <= journal.lastIndex) {
    const conflict = entries[have];
    if (conflict !== undefined) requireSameHistory(state, from, conflict.term);
    assert(from > state.commit, 'committed entries are never cut off');
    journal.cut(from, rules);
  }
  journal.append(entries.slice(have));
  return true;
}

function response(state: State, success: boolean, lastLog: LogIndex): AppendResponse {
  return { type: 'append', term: state.term, lastLog, success, noRetryBackoff: !success };
}
