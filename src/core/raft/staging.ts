/**
 * Staging a voter: it receives the log without counting, and becomes a voter once it keeps up. Were it a voter at once, an empty
 * peer would count for quorums and hold up commitment until it has caught up, or for ever if it never came.
 *
 * Whether it keeps up is measured in *rounds*: a round ends when the peer has what was in the leader's log when the round began. A
 * peer whose last round took at most an election timeout holds up nobody for longer than that. To ask for all that is committed
 * would ask for too much: under uninterrupted writes a peer is always a round trip behind.
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
import type { ConfigurationChange, LogIndex, Server } from './types.ts';

type Add = Extract<ConfigurationChange, { type: 'add' }>;

/** How a staged peer catches up. */
export interface CatchUp {
  /** The round ends when the peer has the log up to here. */
  readonly end: LogIndex;
  /** The leader's `ticks` when it began. */
  readonly began: number;
  /** Whether the round before took at most an election timeout. */
  readonly wasShort: boolean;
}

/** Called when members have changed, with every tick, and whenever a follower has got further: no end of a round is seen late. */
export function countRounds(state: State, role: Leader): void {
  for (const { id, suffrage } of state.journal.configuration.servers) {
    const follower = role.followers.get(id);
    if (follower === undefined) continue;
    const { catchUp, match } = follower;
    if (suffrage !== 'staging') follower.catchUp = undefined;
    else if (catchUp === undefined) follower.catchUp = beginRound(state, role, false);
    else if (match >= catchUp.end) follower.catchUp = beginRound(state, role, isShort(state, role, catchUp));
  }
}

function beginRound({ journal }: State, role: Leader, wasShort: boolean): CatchUp {
  return { end: journal.lastIndex, began: role.ticks, wasShort };
}

/** Up to now. */
function isShort({ options }: State, role: Leader, { began }: CatchUp): boolean {
  return role.ticks - began <= options.electionTicks;
}

/** What staging has to do next, if anything. */
export function nextStagingChange(state: State, role: Leader): Add | undefined {
  for (const { id, suffrage } of state.journal.configuration.servers) {
    const follower = role.followers.get(id);
    if (follower === undefined) continue;
    if (suffrage === 'staging' && keepsUp(state, role, follower) && isHeard(state, role, id))
      return become(id, 'voter');
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

/** The present round may have begun long ago, when a change could not be made at the end of the one before. */
function keepsUp(state: State, role: Leader, follower: Progress): boolean {
  const { catchUp } = follower;
  return catchUp?.wasShort === true && isShort(state, role, catchUp) && !hasForgotten(follower);
}

function hasForgotten({ match, acknowledged }: Progress): boolean {
  return match < acknowledged;
}
