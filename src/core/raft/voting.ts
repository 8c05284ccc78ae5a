/**
 * Answers candidates. The order of the checks is the reference's.
 * Source: hashicorp/raft `raft.go` `requestVote`, `requestPreVote`; Raft thesis 9.6 (pre-vote), 4.2.3 (disruptive servers).
 */
import type { PeerId } from '../../model/peer.ts';
import { isVoter, serverOf } from './quorum.ts';
import type { State } from './state.ts';
import type { PreVoteRequest, VoteRequest } from './types.ts';

export function onVote(state: State, request: VoteRequest, token: number): void {
  const isGranted = mayListen(state, request) && decideVote(state, request);
  const { journal } = state;
  // A vote that a crash could undo would be given twice.
  state.reply(token, { type: 'vote', term: state.term, granted: isGranted }, journal.election);
}

/** Changes nothing: neither term nor vote nor timer. */
export function onPreVote(state: State, from: PeerId, request: PreVoteRequest, token: number): void {
  const { journal } = state;
  const isGranted =
    isMember(state, from) &&
    !hearsLeader(state, from) &&
    request.term >= state.term &&
    mayStand(state, from) &&
    isUpToDate(state, request);
  const term = isGranted ? request.term : state.term;
  state.reply(token, { type: 'preVote', term, granted: isGranted }, journal.election);
}

/** Whether the request is looked at, or answered as if it had not come. */
function mayListen(state: State, request: VoteRequest): boolean {
  return (
    isMember(state, request.candidate) &&
    (request.leadershipTransfer || !hearsLeader(state, request.candidate)) &&
    request.term >= state.term
  );
}

function decideVote(state: State, request: VoteRequest): boolean {
  if (request.term > state.term) state.follow(request.term, undefined);
  const { hard } = state.journal;
  const { candidate } = request;
  if (!mayStand(state, candidate)) return false;
  if (!state.rules.mayVote(hard.votedFor, candidate)) return false;
  if (!isUpToDate(state, request)) return false;
  if (hard.votedFor !== candidate) state.journal.setHard({ term: state.term, votedFor: candidate });
  if (state.role.kind !== 'leader') state.role.timer.elapsed = 0;
  return true;
}

/** A peer that has no configuration yet knows no better than to listen to everyone. */
function isMember(state: State, peer: PeerId): boolean {
  const { configuration } = state.journal;
  return configuration.servers.length === 0 || serverOf(configuration, peer) !== undefined;
}

function mayStand(state: State, peer: PeerId): boolean {
  const { configuration } = state.journal;
  return configuration.servers.length === 0 || isVoter(configuration, peer);
}

/** As long as a leader is heard, others have no reason to stand: it protects it from peers that were cut off or removed. */
function hearsLeader(state: State, candidate: PeerId): boolean {
  if (state.leader === undefined || state.leader === candidate) return false;
  return state.role.kind === 'leader' || state.role.timer.elapsed < state.options.electionTicks;
}

function isUpToDate(state: State, { lastIndex, lastTerm }: { lastIndex: number; lastTerm: number }): boolean {
  const { journal } = state;
  return state.rules.isUpToDate(
    { index: lastIndex, term: lastTerm },
    { index: journal.lastIndex, term: journal.lastTerm },
  );
}
