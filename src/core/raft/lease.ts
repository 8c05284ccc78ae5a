/** Who was heard lately. A leader that does not hear a quorum steps down: it would only promise what it cannot keep. */
import type { PeerId } from '../../model/index.ts';
import { votersOf } from './quorum.ts';
import type { Leader, State } from './state.ts';
import type { Configuration } from './types.ts';

/** Whether a follower has answered something within the lease, a "no" included. */
export function isHeard(state: State, role: Leader, peer: PeerId): boolean {
  const contact = role.followers.get(peer)?.contact;
  return contact !== undefined && role.ticks - contact <= state.options.leaseTicks;
}

/** Whether the voters that were heard are enough without this peer. */
export function isSpare(state: State, role: Leader): boolean {
  const voters = votersOf(state.journal.configuration);
  const others = voters.filter((voter) => voter !== state.self && isHeard(state, role, voter));
  return others.length >= state.rules.quorum(voters.length, 'elect');
}

/** Whether enough voters of `configuration` were heard. */
export function hearsQuorum(state: State, role: Leader, configuration: Configuration): boolean {
  const voters = votersOf(configuration);
  const heard = voters.filter((voter) => voter === state.self || isHeard(state, role, voter));
  return heard.length >= state.rules.quorum(voters.length, 'lead');
}
