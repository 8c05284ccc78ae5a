/** Why an engine cannot start from what is on disk, or go on with it. */
import { OperatingError } from '../../base/index.ts';

const lostLog = 'restore the folder from a backup, or move it away and let this peer join again with --bootstrap';

/** The state was applied up to an entry the log does not reach: the log lost what it had acknowledged. Code `raft/state-ahead`. */
export function stateAhead(applied: number, last: number): OperatingError {
  return new OperatingError(
    'raft/state-ahead',
    `Cannot start from this log: it ends at ${last}, and the state was applied up to ${applied}; ${lostLog}`,
  );
}

/**
 * The log has not heard of the term that the state's snapshot came in, which was on disk before the state was: term, vote and entries
 * are gone. Code `raft/state-ahead`.
 */
export function termBehind(term: number, snapshotTerm: number): OperatingError {
  return new OperatingError(
    'raft/state-ahead',
    `Cannot start from this log: it knows terms up to ${term}, and the state is that of a snapshot of term ${snapshotTerm}; ` +
      lostLog,
  );
}

/** A peer was elected whose log does not reach one of its snapshots: a quorum has lost what is committed. Code `raft/state-ahead`. */
export function snapshotAhead(snapshot: number, last: number): OperatingError {
  return new OperatingError(
    'raft/state-ahead',
    `Cannot lead with this log: it ends at ${last}, and there is a snapshot up to ${snapshot}; ${lostLog}`,
  );
}

/** The log begins after what the state needs next. Code `raft/state-behind`. */
export function stateBehind(applied: number, base: number): OperatingError {
  return new OperatingError(
    'raft/state-behind',
    `Cannot start from this log: it begins after ${base}, and the state was applied only up to ${applied}`,
  );
}

/** The leader's log has another entry where this peer has a committed one. Code `raft/diverged`. */
export function diverged(index: number, own: number, leaders: number): OperatingError {
  return new OperatingError(
    'raft/diverged',
    `The state of this peer is not of this cluster's log: at entry ${index} it has term ${own}, the leader ${leaders}; ` +
      'move the folder away and let this peer join again with --bootstrap, or import the state on all members',
  );
}
