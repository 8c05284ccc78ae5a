import type { PeerId } from '../../model/index.ts';
import type { HardState, LogOp } from './types.ts';

/**
 * What the first peer of a cluster writes into its empty log: entry 1 of term 1 is the configuration, all voters.
 * A peer that joins a running cluster writes no entry; it is told.
 *
 * Source: hashicorp/raft `api.go` `BootstrapCluster`; the same bytes of the same peers on each of them agree.
 */
export function bootstrapOps(voters: readonly PeerId[]): readonly LogOp[] {
  const servers = [...new Set(voters)].map((id) => ({ id, suffrage: 'voter' as const }));
  return [
    { type: 'hard', state: { term: 1, votedFor: undefined } },
    { type: 'put', entries: [{ index: 1, term: 1, type: 'configuration', configuration: { servers } }] },
  ];
}

/**
 * What a peer that joins writes into its empty log: a term, so that the log is not taken for that of a first peer after a
 * restart. A peer that may be a member already must not make a cluster of its own. `before`: of a log that it puts away, so that it
 * neither votes twice in a term nor takes entries from a leader that it had left for another one.
 */
export function joinOps(before?: HardState): readonly LogOp[] {
  return [{ type: 'hard', state: before === undefined || before.term === 0 ? firstTerm : before }];
}

const firstTerm: HardState = { term: 1, votedFor: undefined };
