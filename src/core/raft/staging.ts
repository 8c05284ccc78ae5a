/**
 * Staging a voter: it receives the log without counting, and becomes a voter once it has all that is committed. Were it a
 * voter at once, an empty peer would count for quorums and hold up commitment until it has caught up, or for ever if it
 * never came.
 *
 * That a peer is staged is written in the configuration, so any later leader goes on with it; a peer that never comes
 * holds up nobody. What is not in the log is only who waits for it here.
 *
 * A voter that has lost what it had acknowledged (its disk was replaced) is staged again: until it has the log, its vote could
 * elect a leader that lacks committed entries. Only a leader that has heard the acknowledgement can notice, and it leaves
 * the peer a voter as long as the other voters alone would be no quorum: then it brings it up to date as it is.
 *
 * Source: Raft thesis 4.2.1. hashicorp/raft `AddVoter` does without; its leaders and followers know the suffrage
 * (`configuration.go` `Staging`), send the log to such a peer, and do not count it.
 */
import type { PeerId } from '../../model/index.ts';
import { hearsQuorum, isHeard } from './lease.ts';
import { changed } from './quorum.ts';
import type { Leader, Progress, State } from './state.ts';
import type { ConfigurationChange, Server } from './types.ts';

type Add = Extract<ConfigurationChange, { type: 'add' }>;

/** What staging has to do next, if anything. */
export function nextStagingChange(state: State, role: Leader): Add | undefined {
  for (const { id, suffrage } of state.journal.configuration.servers) {
    const follower = role.followers.get(id);
    if (follower === undefined) continue;
    if (suffrage === 'staging' && hasCaughtUp(state, follower) && isHeard(state, role, id)) return become(id, 'voter');
    if (suffrage === 'voter' && hasForgotten(follower)) {
      const demotion = become(id, 'staging');
      if (hearsQuorum(state, role, changed(state.journal.configuration, demotion))) return demotion;
    }
  }
  return undefined;
}

/** Answer `id` when `peer` is a voter. */
export function awaitStaged(role: Leader, peer: PeerId, id: number): void {
  const waiting = role.staged.get(peer);
  if (waiting === undefined) role.staged.set(peer, [id]);
  else waiting.push(id);
}

/** Those who wait for `peer` wait no longer. */
export function takeStaged(role: Leader, peer: PeerId): readonly number[] {
  const waiting = role.staged.get(peer) ?? [];
  role.staged.delete(peer);
  return waiting;
}

function become(id: PeerId, suffrage: Server['suffrage']): Add {
  return { type: 'add', server: { id, suffrage } };
}

function hasCaughtUp(state: State, { match, acknowledged }: Progress): boolean {
  return match >= Math.max(state.commit, acknowledged);
}

function hasForgotten({ match, acknowledged }: Progress): boolean {
  return match < acknowledged;
}
