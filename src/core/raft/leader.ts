/** Leading: opening a term, taking proposals and changes of members, committing, stepping down. */
import { assert } from '../../base/index.ts';
import type { PeerId } from '../../model/index.ts';
import { snapshotAhead } from './errors.ts';
import { entryBytes } from './journal.ts';
import { hearsQuorum, isSpare } from './lease.ts';
import { changed, isVoter, reachedBy, serverOf, votersOf } from './quorum.ts';
import { confirmReads } from './reads.ts';
import { heartbeat, newProgress, sendAppends } from './replication.ts';
import { awaitStaged, countRounds, nextStagingChange, takeStaged } from './staging.ts';
import type { Leader, State } from './state.ts';
import { continueTransfer } from './transfer.ts';
import type { ConfigurationChange, Entry, Input, RefusalReason } from './types.ts';

type Change = Extract<Input, { type: 'change' }>;
type Propose = Extract<Input, { type: 'propose' }>;

/** How long a removed peer is still sent what tells it so, in election timeouts. */
const farewellTimeouts = 2;

/**
 * The election is won. The first entry of the term goes out at once: until an entry of its own term is committed, a
 * leader does not know what is committed, and entries of earlier terms, reads and changes of members wait for it.
 */
export function lead(state: State): void {
  const { journal, snapshot } = state;
  // What a snapshot is of is committed, and whoever wins an election has it. As a follower, a peer may have a snapshot that came just
  // before a crash.
  if (snapshot !== undefined && snapshot.index > journal.lastIndex)
    throw snapshotAhead(snapshot.index, journal.lastIndex);
  const role: Leader = {
    kind: 'leader',
    followers: new Map(),
    firstIndex: journal.lastIndex + 1,
    ticks: 0,
    uncommittedBytes: 0,
    round: 0,
    reads: [],
    staged: new Map(),
    transfer: undefined,
    appendedAt: 0,
  };
  state.role = role;
  for (let index = state.commit + 1; index <= journal.lastIndex; index++) {
    const entry = journal.entry(index);
    if (entry !== undefined) role.uncommittedBytes += entryBytes(entry);
  }
  if (state.rules.opensTerm) append(state, role, [{ index: role.firstIndex, term: state.term, type: 'noop' }]);
  updateFollowers(state, role);
  for (const [peer, follower] of role.followers) sendAppends(state, role, peer, follower);
}

export function propose(state: State, { proposals }: Propose): void {
  const { role, journal, waiting } = state;
  const entries: Entry[] = [];
  for (const { id, data, appendedAt } of proposals) {
    if (role.kind !== 'leader' || role.transfer !== undefined) state.refuse(id, 'not-leader');
    else if (isFull(state, role)) state.refuse(id, 'busy');
    else {
      const index = journal.lastIndex + entries.length + 1;
      entries.push({ index, term: state.term, type: 'command', data, ...(appendedAt !== undefined && { appendedAt }) });
      waiting.place(id, index, state.term);
      role.uncommittedBytes += data.length;
    }
  }
  if (role.kind !== 'leader' || entries.length === 0) return;
  journal.append(entries);
  replicate(state, role);
}

/**
 * Adds or removes one member: quorums of configurations that differ by one voter always overlap (thesis 4.1). A new voter is
 * staged first, see `staging.ts`.
 */
export function changeConfiguration(state: State, { id, change, appendedAt }: Change): void {
  const { role, journal } = state;
  if (role.kind !== 'leader') {
    state.refuse(id, 'not-leader');
    return;
  }
  const wanted = change.type === 'add' ? change.server : undefined;
  const isStaged = wanted?.suffrage === 'voter' && state.rules.stagesVoters;
  const isStagedAlready = isStaged && serverOf(journal.configuration, wanted.id)?.suffrage === 'staging';
  const refusal = isFull(state, role) ? 'busy' : isStagedAlready ? undefined : refusalOfChange(state, role, change);
  if (refusal !== undefined) {
    state.refuse(id, refusal);
    return;
  }
  if (!isStaged) {
    state.waiting.place(id, journal.lastIndex + 1, state.term);
    appendChange(state, role, change, appendedAt);
    return;
  }
  awaitStaged(role, wanted.id, id);
  if (isStagedAlready) continueStaging(state, role);
  else appendChange(state, role, { type: 'add', server: { id: wanted.id, suffrage: 'staging' } }, appendedAt);
}

/** Makes a staged peer a voter, or stages one that has lost its log, as soon as that is possible. */
export function continueStaging(state: State, role: Leader): void {
  if (state.role !== role) return;
  countRounds(state, role);
  if (role.transfer !== undefined || !mayChange(state)) return;
  const change = nextStagingChange(state, role);
  if (change === undefined) return;
  if (change.server.suffrage === 'voter') {
    const index = state.journal.lastIndex + 1;
    for (const id of takeStaged(role, change.server.id)) state.waiting.place(id, index, state.term);
  }
  appendChange(state, role, change, undefined);
}

function appendChange(state: State, role: Leader, change: ConfigurationChange, appendedAt: bigint | undefined): void {
  const { journal } = state;
  if (change.type === 'remove') for (const id of takeStaged(role, change.peer)) state.refuse(id, 'superseded');
  append(state, role, [
    {
      index: journal.lastIndex + 1,
      term: state.term,
      type: 'configuration',
      configuration: changed(journal.configuration, change),
      ...(appendedAt !== undefined && { appendedAt }),
    },
  ]);
  updateFollowers(state, role);
  replicate(state, role);
}

/** One tick as leader. */
export function tickLeader(state: State, role: Leader): void {
  role.ticks++;
  if (hearsQuorum(state, role, state.journal.configuration)) leaveWhenHanging(state, role);
  else state.follow(state.term, undefined);
  if (state.role !== role) return;
  for (const [peer, { removedAt }] of role.followers) {
    if (removedAt !== undefined && role.ticks - removedAt.tick > farewellTimeouts * state.options.electionTicks) {
      role.followers.delete(peer);
    }
  }
  if (role.ticks % state.options.heartbeatTicks === 0) {
    role.round++;
    for (const [peer, follower] of role.followers) heartbeat(state, role, peer, follower);
  }
  continueTransfer(state, role);
  continueStaging(state, role);
}

/**
 * Steps down when its disk hangs and the others' do not. What hangs here they may have stored just before, and whoever waits for it
 * proposes nothing more: then a noop asks for their disks, unless the last they have stored took long.
 */
function leaveWhenHanging(state: State, role: Leader): void {
  if (!state.isDiskHanging) return;
  const hangingFrom = role.ticks - state.diskTicks;
  if (isSpare(state, role, hangingFrom)) state.follow(state.term, undefined);
  else if (role.appendedAt < hangingFrom && state.countWaiting() > 0 && isSpare(state, role, 0)) {
    append(state, role, [{ index: state.journal.lastIndex + 1, term: state.term, type: 'noop' }]);
    replicate(state, role);
  }
}

/** Commits what a quorum has on disk, and goes on from there. Called whenever a `match` or the own disk has advanced. */
export function advanceCommit(state: State, role: Leader): void {
  const { journal, rules } = state;
  const matches = votersOf(journal.configuration).map((voter) =>
    voter === state.self ? rules.ownMatch(journal.durable, journal.lastIndex) : (role.followers.get(voter)?.match ?? 0),
  );
  const reached = reachedBy(matches, state.quorum('commit'));
  if (reached <= state.commit || !rules.mayCommit(journal.termAt(reached) ?? 0, state.term)) return;
  for (let index = state.commit + 1; index <= reached; index++) {
    const entry = journal.entry(index);
    assert(entry !== undefined, 'the leader has what it commits');
    role.uncommittedBytes -= entryBytes(entry);
  }
  state.commit = reached;
  for (const [peer, follower] of role.followers) sendAppends(state, role, peer, follower);
  confirmReads(state, role);
  // Removed, or no voter any more.
  if (!isVoter(journal.configuration, state.self) && state.commit >= journal.configurationIndex)
    state.follow(state.term, undefined);
}

/** Its own disk counts for the leader too, and a leader alone has nobody else to wait for. */
function replicate(state: State, role: Leader): void {
  role.appendedAt = role.ticks;
  for (const [peer, follower] of role.followers) sendAppends(state, role, peer, follower);
  advanceCommit(state, role);
}

function append(state: State, role: Leader, entries: readonly Entry[]): void {
  for (const entry of entries) role.uncommittedBytes += entryBytes(entry);
  state.journal.append(entries);
}

function isFull(state: State, role: Leader): boolean {
  const { waitingMax, uncommittedBytesMax } = state.options;
  return state.countWaiting() >= waitingMax || role.uncommittedBytes >= uncommittedBytesMax;
}

/** One change at a time, and none before the term has committed anything (thesis 4.1, and its later correction). */
function mayChange({ rules, journal, commit, isEstablished }: State): boolean {
  return (
    (isEstablished || !rules.changesWaitForFirstCommit) &&
    !(rules.oneChangeAtATime && journal.configurationIndex > commit)
  );
}

function refusalOfChange(state: State, role: Leader, change: ConfigurationChange): RefusalReason | undefined {
  const { configuration } = state.journal;
  if (!mayChange(state) || role.transfer !== undefined) return 'change-pending';
  const peer = change.type === 'add' ? change.server.id : change.peer;
  const present = serverOf(configuration, peer);
  const wanted = change.type === 'add' ? change.server.suffrage : undefined;
  if (present?.suffrage === wanted) return 'unchanged';
  return votersOf(changed(configuration, change)).length === 0 ? 'last-voter' : undefined;
}

/** Follows the configuration in the log: new members are sent the log, removed ones only what tells them. */
function updateFollowers(state: State, role: Leader): void {
  const { configuration, configurationIndex, lastIndex } = state.journal;
  const followers = new Map(role.followers);
  role.followers.clear();
  const peers = new Set<PeerId>([...followers.keys(), ...configuration.servers.map(({ id }) => id)]);
  peers.delete(state.self);
  for (const peer of [...peers].sort()) {
    const isMember = serverOf(configuration, peer) !== undefined;
    const known = followers.get(peer);
    // One that was removed and comes back may have thrown its log away meanwhile.
    const isNew = known === undefined || (isMember && known.removedAt !== undefined);
    const follower = isNew ? newProgress(lastIndex, role.ticks) : known;
    if (!isMember) follower.removedAt ??= { index: configurationIndex, tick: role.ticks };
    role.followers.set(peer, follower);
  }
  countRounds(state, role);
}
