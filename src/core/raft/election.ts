/**
 * Standing for election: ask first (pre-vote), then raise the term, save the own vote, and ask in earnest.
 * A peer that is cut off thus asks for ever and never raises its term.
 */
import type { PeerId } from '../../model/index.ts';
import { lead } from './leader.ts';
import { countVoters, votersOf } from './quorum.ts';
import type { State } from './state.ts';
import type { PreVoteResponse, Request, VoteResponse } from './types.ts';

/** The leader was not heard for an election timeout. */
export function campaign(state: State): void {
  if (!state.rules.preVotes) {
    standForElection(state, false);
    return;
  }
  const { lastIndex, lastTerm } = state.journal;
  const role = {
    kind: 'preCandidate' as const,
    timer: state.newTimer(state.options.candidateTicks),
    grants: new Set([state.self]),
    votes: 'votes' in state.role ? state.role.votes : new Set<PeerId>(),
  };
  state.role = role;
  if (isWon(state, role.grants)) {
    standForElection(state, false);
    return;
  }
  askVoters(state, 'preVote', { type: 'preVote', term: state.term + 1, lastIndex, lastTerm });
}

/** `isTransfer`: the leader asked for it, so peers that still hear it should not mind. */
export function standForElection(state: State, isTransfer: boolean): void {
  const { candidateTicks } = state.options;
  state.journal.setHard({ term: state.term + 1, votedFor: state.self });
  state.role = {
    kind: 'candidate',
    timer: state.newTimer(candidateTicks),
    votes: new Set(),
    isTransfer,
    isOpen: false,
  };
  if (!state.rules.waitsForDisk) openElection(state);
}

/** Called whenever a write is done: an election opens when the own vote is on disk. */
export function openElection(state: State): void {
  const { role, journal, rules } = state;
  if (role.kind !== 'candidate' || role.isOpen) return;
  if (journal.election > journal.written && rules.waitsForDisk) return;
  role.isOpen = true;
  role.votes.add(state.self);
  if (isWon(state, role.votes)) {
    lead(state);
    return;
  }
  askVoters(state, 'vote', {
    type: 'vote',
    term: state.term,
    candidate: state.self,
    lastIndex: journal.lastIndex,
    lastTerm: journal.lastTerm,
    leadershipTransfer: role.isTransfer,
  });
}

export function onPreVoteResponse(state: State, from: PeerId, asked: number, response: PreVoteResponse): void {
  // A "yes" carries the term that was asked for, and Go peers say a "no" with it too: it is newer than ours, but nobody's.
  if (response.term > asked) {
    state.followIfNewer(response.term);
    return;
  }
  const { role } = state;
  if (role.kind !== 'preCandidate' || asked !== state.term + 1 || !response.granted) return;
  role.grants.add(from);
  if (isWon(state, role.grants)) standForElection(state, false);
}

export function onVoteResponse(state: State, from: PeerId, asked: number, response: VoteResponse): void {
  if (state.followIfNewer(response.term)) return;
  const { role } = state;
  if (!('votes' in role) || !response.granted || !state.rules.countsVote(asked, state.term)) return;
  role.votes.add(from);
  if (role.votes.has(state.self) && isWon(state, role.votes)) lead(state);
}

function isWon(state: State, grants: ReadonlySet<PeerId>): boolean {
  return countVoters(state.journal.configuration, grants) >= state.quorum('elect');
}

function askVoters(state: State, type: 'vote' | 'preVote', request: Request): void {
  const term = type === 'vote' ? state.term : state.term + 1;
  for (const to of [...votersOf(state.journal.configuration)].sort()) {
    if (to !== state.self) state.call(request, { type, to, term });
  }
}
