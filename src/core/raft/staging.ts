/**
 * Staging a voter: it receives the log as a nonvoter and becomes a voter once it has all that is committed. Were it a voter at
 * once, an empty peer would count for quorums and hold up commitment until it has caught up, or for ever if it never came.
 *
 * A voter that has lost what it had acknowledged (its disk was replaced) is staged again: until it has the log, its vote could
 * elect a leader that lacks committed entries.
 *
 * Source: Raft thesis 4.2.1. hashicorp/raft `AddVoter` does without; its followers and leaders know nonvoters.
 */
import type { PeerId } from '../../model/index.ts';
import { isVoter, serverOf } from './quorum.ts';
import type { Leader, State } from './state.ts';
import type { ConfigurationChange } from './types.ts';

type Add = Extract<ConfigurationChange, { type: 'add' }>;

/** A nonvoter that shall become a voter. */
export interface Staging {
  readonly peer: PeerId;
  /** The changes that are answered when it is one. */
  readonly ids: number[];
  readonly appendedAt: bigint | undefined;
}

/** What staging has to do next, if anything. Its peer may have been removed meanwhile. */
export function nextStagingChange(state: State, role: Leader): Add | undefined {
  const { configuration } = state.journal;
  if (role.staging !== undefined && serverOf(configuration, role.staging.peer) === undefined) endStaging(state, role);
  const { staging } = role;
  if (staging !== undefined) {
    const follower = role.followers.get(staging.peer);
    const isReady = follower !== undefined && follower.match >= state.commit;
    return isReady ? { type: 'add', server: { id: staging.peer, suffrage: 'voter' } } : undefined;
  }
  for (const [peer, { hasForgotten }] of role.followers) {
    if (hasForgotten && isVoter(configuration, peer))
      return { type: 'add', server: { id: peer, suffrage: 'nonvoter' } };
  }
  return undefined;
}

/** Refuses those who wait for it. */
export function endStaging(state: State, role: Leader): void {
  for (const id of role.staging?.ids ?? []) state.refuse(id, 'superseded');
  role.staging = undefined;
}
