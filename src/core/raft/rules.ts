/**
 * The decisions that make Raft safe, one function each.
 *
 * They are apart so that a test can plant a bug: `{ ...rules, quorum: (voters) => voters / 2 }`, and demand that a checker of
 * the simulator sees it. Production code always runs with `rules`.
 */
import type { LogIndex, Term } from './types.ts';

/** The last entry of a log. */
export interface LogEnd {
  readonly index: LogIndex;
  readonly term: Term;
}

/** The decisions that make Raft safe, each by itself. */
export interface Rules {
  /** How many of `voters` decide. */
  quorum(voters: number): number;
  /** Whether a leader of `term` may commit an entry by counting its copies (Raft paper 5.4.2, figure 8). */
  mayCommit(entryTerm: Term, term: Term): boolean;
  /** Whether a candidate's log is at least as new as our own (5.4.1). */
  isUpToDate(candidate: LogEnd, own: LogEnd): boolean;
  /** Whether a peer that voted for `votedFor` in this term may vote for `candidate`. */
  mayVote(votedFor: string | undefined, candidate: string): boolean;
  /** Whether a vote that was asked for in `asked` counts in `term`. */
  countsVote(asked: Term, term: Term): boolean;
  /** Up to where a follower may commit: an append speaks only for the entries up to `proven`. */
  followerCommit(leaderCommit: LogIndex, proven: LogIndex, last: LogIndex): LogIndex;
  /** Up to where a leader counts its own log: `durable`, not `last`. */
  ownMatch(durable: LogIndex, last: LogIndex): LogIndex;
  /** Whether a read that began in round `began` is confirmed by an answer to a message of round `sent`. */
  confirmsRead(sent: number, began: number): boolean;
  /** Whether reads and changes wait for the term's first commit. */
  waitsForFirstCommit: boolean;
  /** Whether a change waits for the one before it to be committed. */
  oneChangeAtATime: boolean;
  /** Whether a leader opens its term with a noop. */
  opensTerm: boolean;
  /** Whether the configuration goes back when its entry is cut off. */
  rollsBackConfiguration: boolean;
  /** Whether replies and the own vote wait for the disk. */
  waitsForDisk: boolean;
  /** Whether an append cuts the log only where it conflicts. */
  cutsOnlyConflicts: boolean;
  /** Whether an election is preceded by a pre-vote. */
  preVotes: boolean;
  /** Whether a new voter receives the log before it counts. */
  stagesVoters: boolean;
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
  followerCommit: (leaderCommit, proven) => Math.min(leaderCommit, proven),
  ownMatch: (durable) => durable,
  confirmsRead: (sent, began) => sent >= began,
  waitsForFirstCommit: true,
  oneChangeAtATime: true,
  opensTerm: true,
  rollsBackConfiguration: true,
  waitsForDisk: true,
  cutsOnlyConflicts: true,
  preVotes: true,
  stagesVoters: true,
  keepsMatchingSuffix: true,
};
