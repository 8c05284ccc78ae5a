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

/**
 * Whether the others can elect a leader without this peer. A vote needs the voter's disk within an election timeout, so only those count
 * that have stored entries as quickly, sent at tick `since` or later: disks that are all slow would leave the peers without a leader.
 */
export function isSpare(state: State, role: Leader, since: number): boolean {
  const voters = votersOf(state.journal.configuration);
  const others = voters.filter((voter) => voter !== state.self && isQuick(state, role, voter, since));
  return others.length >= state.rules.quorum(voters.length, 'elect');
}

function isQuick(state: State, role: Leader, voter: PeerId, since: number): boolean {
  const storedQuickly = role.followers.get(voter)?.storedQuickly;
  if (storedQuickly === undefined || storedQuickly < since || !isHeard(state, role, voter)) return false;
  for (const call of state.calls.values()) {
    if (call.type !== 'append' || call.to !== voter || call.lastIndex === call.prevIndex) continue;
    if (role.ticks - call.tick > state.options.electionTicks) return false;
  }
  return true;
}

/** Whether enough voters of `configuration` were heard. */
export function hearsQuorum(state: State, role: Leader, configuration: Configuration): boolean {
  const voters = votersOf(configuration);
  const heard = voters.filter((voter) => voter === state.self || isHeard(state, role, voter));
  return heard.length >= state.rules.quorum(voters.length, 'lead');
}
