/**
 * The decisions that make Raft safe, one function each.
 *
 * They are apart so that a test can plant a bug: `{ ...rules, quorum: (voters) => voters / 2 }`, and demand that a checker of
 * the simulator sees it. Production code always runs with `rules`.
 */
import type { LogEnd, LogIndex, Term } from './types.ts';

/** What a majority is needed for: an election, a commitment, a read, or to go on leading. */
export type QuorumPurpose = 'elect' | 'commit' | 'read' | 'lead';

/** The decisions that make Raft safe, each by itself. */
export interface Rules {
  /** How many of `voters` decide on something. */
  quorum(voters: number, purpose: QuorumPurpose): number;
  /** Whether a leader of `term` may commit an entry by counting its copies (Raft paper 5.4.2, figure 8). */
  mayCommit(entryTerm: Term, term: Term): boolean;
  /** Whether a candidate's log is at least as new as our own (5.4.1). */
  isUpToDate(candidate: LogEnd, own: LogEnd): boolean;
  /** Whether a peer that voted for `votedFor` in this term may vote for `candidate`. */
  mayVote(votedFor: string | undefined, candidate: string): boolean;
  /** Whether a vote that was asked for in `asked` counts in `term`. */
  countsVote(asked: Term, term: Term): boolean;
  /** Whether an answer to what was sent in `asked` tells a leader of `term` about a follower's log. */
  countsAnswer(asked: Term, term: Term): boolean;
  /** Up to where a follower may commit: an append speaks only for the entries up to `proven`. */
  followerCommit(leaderCommit: LogIndex, proven: LogIndex, last: LogIndex): LogIndex;
  /** Up to where a leader counts its own log: `durable`, not `last`. */
  ownMatch(durable: LogIndex, last: LogIndex): LogIndex;
  /** Up to where the state may follow the log: else a crash leaves a state that is ahead of it. */
  mayApply(commit: LogIndex, durable: LogIndex): LogIndex;
  /** Whether a read that began in round `began` is confirmed by an answer to a message of round `sent`. */
  confirmsRead(sent: number, began: number): boolean;
  /** Whether reads wait for the term's first commit. */
  readsWaitForFirstCommit: boolean;
  /** Whether changes of members do. */
  changesWaitForFirstCommit: boolean;
  /** Whether a change waits for the one before it to be committed. */
  oneChangeAtATime: boolean;
  /** Whether a leader opens its term with a noop. */
  opensTerm: boolean;
  /** Whether the configuration goes back when its entry is cut off. */
  rollsBackConfiguration: boolean;
  /** Whether the index of what is on disk goes back when the log is cut. */
  lowersDurable: boolean;
  /** Whether an append that brings nothing new waits for what is on its way to the disk. */
  repeatsWaitForDisk: boolean;
  /** Whether replies and the own vote wait for the disk. */
  waitsForDisk: boolean;
  /** Whether an append cuts the log only where it conflicts. */
  cutsOnlyConflicts: boolean;
  /** Whether an election is preceded by a pre-vote. */
  preVotes: boolean;
  /** Whether a new voter receives the log before it counts. */
  stagesVoters: boolean;
  /** Whether a peer whose disk hangs leaves leading to others. */
  mindsDisk: boolean;
  /** Whether a peer that has put its log away still votes as if it had it. */
  remembersPreviousLog: boolean;
  /** Whether a snapshot leaves the entries after it where the log agrees with it. */
  keepsMatchingSuffix: boolean;
}

/** Raft's own. */
export const rules: Rules = {
  quorum: (voters) => Math.floor(voters / 2) + 1,
  mayCommit: (entryTerm, term) => entryTerm === term,
  isUpToDate: (candidate, own) =>
    candidate.term > own.term || (candidate.term === own.term && candidate.index >= own.index),
  mayVote: (votedFor, candidate) => votedFor === undefined || votedFor === candidate,
  countsVote: (asked, term) => asked === term,
  countsAnswer: (asked, term) => asked === term,
  followerCommit: (leaderCommit, proven) => Math.min(leaderCommit, proven),
  ownMatch: (durable) => durable,
  mayApply: (commit, durable) => Math.min(commit, durable),
  confirmsRead: (sent, began) => sent >= began,
  readsWaitForFirstCommit: true,
  changesWaitForFirstCommit: true,
  oneChangeAtATime: true,
  opensTerm: true,
  rollsBackConfiguration: true,
  lowersDurable: true,
  repeatsWaitForDisk: true,
  waitsForDisk: true,
  cutsOnlyConflicts: true,
  preVotes: true,
  stagesVoters: true,
  mindsDisk: true,
  remembersPreviousLog: true,
  keepsMatchingSuffix: true,
};
