/** Why an engine cannot start from what is on disk, or go on with it. */
import { OperatingError } from '../../base/index.ts';

/** The state was applied up to an entry the log does not reach: the log lost what it had acknowledged. Code `raft/state-ahead`. */
export function stateAhead(applied: number, last: number): OperatingError {
  return new OperatingError(
    'raft/state-ahead',
    `Cannot start from this log: it ends at ${last}, and the state was applied up to ${applied}; ` +
      'restore the folder from a backup, or move it away and let this peer join again with --bootstrap',
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
