/**
 * Answers candidates.
 *
 * Whether the candidate is a member is not asked. hashicorp/raft refuses those outside the voter's own configuration, and so can
 * lock up: a peer that lags behind two changes may know none of the present members, and yet its vote be needed. Removed
 * peers are harmless without that rule: their logs are older, others hear a leader, and asking changes nothing.
 *
 * Source: Raft paper 5.2, 5.4.1; Raft thesis 4.2.2 (voters outside the configuration), 4.2.3 (disruptive servers), 9.6
 * (pre-vote); hashicorp/raft `raft.go` `requestVote`, `requestPreVote`.
 */
import type { PeerId } from '../../model/index.ts';
import type { State } from './state.ts';
import type { PreVoteRequest, VoteRequest } from './types.ts';

export function onVote(state: State, request: VoteRequest, token: number): void {
  const isGranted = mayListen(state, request) && decideVote(state, request);
  const { journal } = state;
  // A vote that a crash could undo would be given twice.
  state.reply(token, { type: 'vote', term: state.term, granted: isGranted }, journal.election);
}

/** Changes nothing: neither term nor vote nor timer. A peer whose disk hangs could not keep what it promises. */
export function onPreVote(state: State, from: PeerId, request: PreVoteRequest, token: number): void {
  const { journal } = state;
  const mayGrant = !hearsLeader(state, from) && !state.isDiskHanging;
  const isGranted = mayGrant && request.term >= state.term && isUpToDate(state, request);
  const term = isGranted ? request.term : state.term;
  state.reply(token, { type: 'preVote', term, granted: isGranted }, journal.election);
}

/** Whether the request is looked at, or answered as if it had not come. */
function mayListen(state: State, request: VoteRequest): boolean {
  return (request.leadershipTransfer || !hearsLeader(state, request.candidate)) && request.term >= state.term;
}

function decideVote(state: State, request: VoteRequest): boolean {
  if (request.term > state.term) state.follow(request.term, undefined);
  const { hard } = state.journal;
  const { candidate } = request;
  if (!state.rules.mayVote(hard.votedFor, candidate)) return false;
  if (!isUpToDate(state, request)) return false;
  if (hard.votedFor !== candidate) state.journal.setHard({ term: state.term, votedFor: candidate });
  if (state.role.kind !== 'leader') state.role.timer.elapsed = 0;
  return true;
}

/** As long as a leader is heard, others have no reason to stand: it protects it from peers that were cut off or removed. */
function hearsLeader(state: State, candidate: PeerId): boolean {
  if (state.leader === undefined || state.leader === candidate) return false;
  return state.role.kind === 'leader' || state.role.timer.elapsed < state.options.electionTicks;
}

function isUpToDate(state: State, { lastIndex, lastTerm }: { lastIndex: number; lastTerm: number }): boolean {
  const { journal, rules, previousLog, missesPreviousLog } = state;
  const own = { index: journal.lastIndex, term: journal.lastTerm };
  return rules.isUpToDate({ index: lastIndex, term: lastTerm }, missesPreviousLog ? (previousLog ?? own) : own);
}
