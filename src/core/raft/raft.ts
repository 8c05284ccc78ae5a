/** The engine: takes inputs, gives each to the role it concerns, and hands out what is to be done. */
import { assert } from '../../base/index.ts';
import type { PeerId } from '../../model/index.ts';
import { campaign, onPreVoteResponse, onVoteResponse, openElection, standForElection } from './election.ts';
import { stateAhead, stateBehind } from './errors.ts';
import { onAppend } from './follower.ts';
import { isInstalling, nextRestore, onReceived, onRestored, onSnapshot } from './install.ts';
import { Journal } from './journal.ts';
import { advanceCommit, changeConfiguration, continueStaging, propose, tickLeader } from './leader.ts';
import { isHeard } from './lease.ts';
import { beginRead, confirmReads } from './reads.ts';
import { isFarewellDone, onAppendFailed, onAppendResponse, onSnapshotAnswer, sendAppends } from './replication.ts';
import { rules } from './rules.ts';
import { type CallContext, type Leader, State } from './state.ts';
import { beginTransfer, continueTransfer, onTransferFailed } from './transfer.ts';
import type {
  Base,
  Entry,
  Input,
  LogIndex,
  Output,
  Raft,
  RaftDeps,
  RaftOptions,
  Request,
  Response,
  Status,
} from './types.ts';
import { onPreVote, onVote } from './voting.ts';
import { Waiting } from './waiting.ts';

/** For ticks of 100 ms; the election timeouts are the reference's. */
export const raftDefaults: RaftOptions = {
  electionTicks: 10,
  electionSpreadTicks: 10,
  candidateTicks: 10,
  leaseTicks: 10,
  hangingTicks: 20,
  heartbeatTicks: 1,
  appendTimeoutTicks: 100,
  snapshotTimeoutTicks: 36_000,
  entriesPerAppendMax: 64,
  bytesPerAppendMax: 1 << 20,
  appendsInFlightMax: 2,
  waitingMax: 8192,
  uncommittedBytesMax: 64 << 20,
  keptBytesMax: 128 << 20,
  applyMax: 1024,
};

/** Entries after a snapshot that is being sent. A follower for which that is not enough needs another one. */
const keptWhileInstalling = 65_536;

/**
 * Makes an engine from what is on disk. It starts as a follower.
 * Errors: `raft/state-ahead`, `raft/state-behind` when log and state cannot be of one peer.
 */
export function createRaft(deps: RaftDeps, options: Partial<RaftOptions> = {}): Raft {
  return new Engine(deps, { ...raftDefaults, ...options });
}

class Engine implements Raft {
  readonly #state: State;
  #lastStatus: Status;

  constructor({ self, random, image, applied, snapshot, previousLog, rules: planted }: RaftDeps, options: RaftOptions) {
    assert(options.electionSpreadTicks >= 3, 'election timeouts spread over at least 3 ticks, or peers tie for ever');
    assert(
      options.heartbeatTicks >= 1 && options.heartbeatTicks < options.electionTicks,
      'heartbeats come within an election timeout',
    );
    assert(options.leaseTicks <= options.electionTicks, 'a leader steps down before another one is elected');
    const journal = new Journal(image);
    if (applied > journal.lastIndex) throw stateAhead(applied, journal.lastIndex);
    if (applied < journal.base.index) throw stateBehind(applied, journal.base.index);
    this.#state = new State({
      self,
      random,
      options,
      rules: { ...rules, ...planted },
      journal,
      waiting: new Waiting(),
      applied,
      snapshot,
      previousLog,
    });
    this.#lastStatus = this.status();
  }

  step(input: Input): void {
    const state = this.#state;
    switch (input.type) {
      case 'tick':
        tick(state);
        break;
      case 'request':
        onRequest(state, input.from, input.request, input.token);
        break;
      case 'response':
        onAnswer(state, input.callId, input.response);
        break;
      case 'failed':
        onAnswer(state, input.callId, undefined);
        break;
      case 'propose':
        propose(state, input);
        break;
      case 'change':
        changeConfiguration(state, input);
        break;
      case 'read':
        beginRead(state, input.id);
        break;
      case 'written':
        onWritten(state);
        break;
      case 'applied':
        onApplied(state, input.index);
        break;
      case 'transfer':
        beginTransfer(state, input.id, input.to);
        break;
      case 'snapshotted':
        onSnapshotted(state, input.base);
        break;
      case 'snapshot-lost':
        onSnapshotLost(state, input.base);
        break;
      case 'compact':
        compact(state, input.index, input.trailing);
        break;
      case 'received':
        onReceived(state, input.token, input.isWhole);
        break;
      case 'restored':
        onRestored(state, input.isDone);
        break;
    }
  }

  take(): Output {
    const state = this.#state;
    const write = state.journal.startWrite();
    const restore = nextRestore(state);
    state.releaseReplies();
    state.waiting.settleReads(state.applied, state.term, state.outbox.results);
    return { write, apply: nextToApply(state), restore, ...state.emptyOutbox(), status: this.#changedStatus() };
  }

  status(): Status {
    const { journal, role, term, leader, commit, applied, isEstablished } = this.#state;
    const { configuration, configurationIndex, configurationBefore, lastIndex, durable, base } = journal;
    return {
      role: role.kind,
      term,
      leader,
      configuration,
      configurationIndex,
      configurationBefore,
      baseIndex: base.index,
      commit,
      applied,
      lastIndex,
      durable,
      isEstablished,
    };
  }

  matches(): ReadonlyMap<PeerId, LogIndex> {
    const { role } = this.#state;
    if (role.kind !== 'leader') return new Map();
    return new Map([...role.followers].map(([peer, { match }]) => [peer, match]));
  }

  entry(index: LogIndex): Entry | undefined {
    return this.#state.journal.entry(index);
  }

  baseAt(index: LogIndex): Base {
    assert(index <= this.#state.applied, 'a snapshot is of an applied index');
    return this.#state.journal.baseAt(index);
  }

  #changedStatus(): Status | undefined {
    const { role, term, leader, journal, isEstablished } = this.#state;
    const last = this.#lastStatus;
    if (
      last.role === role.kind &&
      last.term === term &&
      last.leader === leader &&
      last.configuration === journal.configuration &&
      last.isEstablished === isEstablished
    ) {
      return undefined;
    }
    this.#lastStatus = this.status();
    return this.#lastStatus;
  }
}

function tick(state: State): void {
  const { role, journal } = state;
  state.writingTicks = journal.isWriting ? state.writingTicks + 1 : 0;
  state.applyingTicks = state.applying > state.applied ? state.applyingTicks + 1 : 0;
  if (role.kind === 'leader') {
    tickLeader(state, role);
    return;
  }
  // Until its own vote is on disk an election has not begun. Were it to begin again meanwhile, a slow disk would never elect anybody.
  if (role.kind === 'candidate' && !role.isOpen) return;
  if (++role.timer.elapsed < role.timer.timeout || isInstalling(state)) return;
  if (state.isElectable) campaign(state);
  else state.follow(state.term, undefined);
}

function onRequest(state: State, from: PeerId, request: Request, token: number): void {
  switch (request.type) {
    case 'append':
      onAppend(state, request, token);
      break;
    case 'vote':
      onVote(state, request, token);
      break;
    case 'preVote':
      onPreVote(state, from, request, token);
      break;
    case 'snapshot':
      onSnapshot(state, request, token);
      break;
    case 'timeoutNow':
      state.reply(token, { type: 'timeoutNow' }, 0);
      if (mayStandNow(state, from)) standForElection(state, true);
  }
}

function mayStandNow(state: State, from: PeerId): boolean {
  const { role, isElectable } = state;
  return role.kind === 'follower' && role.leader === from && isElectable && !isInstalling(state);
}

/** Gives an answer to the request it belongs to; `undefined`, or an answer of another kind: none came. */
function onAnswer(state: State, callId: number, response: Response | undefined): void {
  const context = state.calls.get(callId);
  assert(context !== undefined, 'each call is answered once');
  state.calls.delete(callId);
  switch (context.type) {
    case 'vote':
      if (response?.type === 'vote') onVoteResponse(state, context.to, context.term, response);
      break;
    case 'preVote':
      if (response?.type === 'preVote') onPreVoteResponse(state, context.to, context.term, response);
      break;
    case 'timeoutNow':
      if (response?.type !== 'timeoutNow') onTransferFailed(state, context.to);
      break;
    default:
      onFollowerAnswer(state, context, response);
      break;
  }
}

function onFollowerAnswer(
  state: State,
  context: Extract<CallContext, { type: 'append' | 'heartbeat' | 'snapshot' }>,
  answer: Response | undefined,
): void {
  const { to, follower } = context;
  const response = answer?.type === 'append' || answer?.type === 'snapshot' ? answer : undefined;
  if (context.type === 'append') follower.appendsInFlight--;
  else if (context.type === 'heartbeat') follower.heartbeatsInFlight--;
  if (response !== undefined && state.followIfNewer(response.term)) return;

  // What was sent in an earlier term, or to an earlier membership of the peer, tells nothing about the present one.
  const { role } = state;
  if (
    role.kind !== 'leader' ||
    !state.rules.countsAnswer(context.term, state.term) ||
    role.followers.get(to) !== follower
  )
    return;
  if (response !== undefined) {
    follower.contact = role.ticks;
    if (response.term === state.term) follower.round = Math.max(follower.round, context.round);
  }
  let hasAdvanced = false;
  if (context.type === 'append') {
    if (response?.type === 'append') hasAdvanced = onAppendResponse(state, role, context, response);
    else onAppendFailed(follower, context);
  } else if (context.type === 'snapshot') {
    hasAdvanced = onSnapshotAnswer(state, role, context, response?.type === 'snapshot' ? response.success : undefined);
  }
  if (context.type !== 'heartbeat' && response !== undefined) {
    if (isFarewellDone(follower)) role.followers.delete(to);
    else sendAppends(state, role, to, follower);
  }
  if (hasAdvanced) onAdvanced(state, role);
  if (state.role === role) confirmReads(state, role);
}

/** A follower has more of the log than before. */
function onAdvanced(state: State, role: Leader): void {
  advanceCommit(state, role);
  // It may have led up to the commit of its own removal.
  if (state.role !== role) return;
  continueTransfer(state, role);
  continueStaging(state, role);
}

function onWritten(state: State): void {
  state.journal.finishWrite();
  state.writingTicks = 0;
  openElection(state);
  if (state.role.kind === 'leader') advanceCommit(state, state.role);
}

function onSnapshotted(state: State, base: Base): void {
  assert(base.index <= state.applied, 'a snapshot is of an applied index');
  if (state.snapshot === undefined || base.index > state.snapshot.index) state.snapshot = base;
}

function onSnapshotLost(state: State, { index, term }: Base): void {
  if (state.snapshot?.index === index && state.snapshot.term === term) state.snapshot = undefined;
}

/** The log lets go of what the state on disk stands for. A follower that needs what the bound on bytes takes gets a snapshot. */
function compact(state: State, index: LogIndex, trailing: number): void {
  assert(index <= state.applied, 'what is compacted is applied');
  const { journal, role } = state;
  let end = Math.min(index, journal.lastIndex - trailing);
  if (role.kind === 'leader') {
    for (const [peer, { installing, match }] of role.followers) {
      const wanted = installing ?? (isHeard(state, role, peer) ? match : undefined);
      if (wanted === undefined) continue;
      const keptMax = installing === undefined ? 2 * trailing : Math.max(2 * trailing, keptWhileInstalling);
      if (wanted >= journal.lastIndex - keptMax) end = Math.min(end, wanted);
    }
  }
  end = Math.max(end, Math.min(index, journal.indexBeforeLast(state.options.keptBytesMax)));
  if (end > journal.base.index) journal.compact(journal.baseAt(end));
}

/** Only what is on the own disk too: else a crash would leave a state that is ahead of the log. */
function nextToApply(state: State): readonly Entry[] {
  if (state.install?.phase === 'restoring') return [];
  const end = state.rules.mayApply(state.commit, state.journal.durable);
  if (state.applying > state.applied || end <= state.applied) return [];
  const entries = state.journal.slice(
    state.applied + 1,
    Math.min(end - state.applied, state.options.applyMax),
    Infinity,
  );
  state.applying = state.applied + entries.length;
  return entries;
}

function onApplied(state: State, index: LogIndex): void {
  assert(index === state.applying && index > state.applied, 'what was handed out is applied, once');
  for (let at = state.applied + 1; at <= index; at++) {
    const entry = state.journal.entry(at);
    assert(entry !== undefined, 'applied entries are in the log');
    state.waiting.settle(entry, state.outbox.results);
  }
  state.applied = index;
  state.applyingTicks = 0;
}
