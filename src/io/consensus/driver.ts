/**
 * Runs the Raft engine: feeds it what happens, carries out what it wants.
 *
 * One log write is under way at a time and carries everything that came meanwhile: group commit without a timer. Messages go
 * out without waiting for it; the engine holds back what must wait. A failure of disk or engine is final for this driver: from
 * then on it answers nobody, writes nothing, and the state can still be read.
 *
 * The state is durable by itself, so the log is compacted whenever the state was synced, once for many batches. Snapshots, which
 * only followers need, go their own way (`snapshots.ts`).
 */
import {
  assert,
  type Cancel,
  type Clock,
  errorMessage,
  type Logger,
  type OperatingError,
  type Random,
} from '../../base/index.ts';
import {
  type Base,
  type Call,
  type ConfigurationChange,
  createRaft,
  type Entry,
  type Input,
  type LogEnd,
  type LogImage,
  type LogIndex,
  type LogStore,
  type Proposal,
  type Raft,
  type RaftOptions,
  type RefusalReason,
  type Reply,
  type Request,
  type Response,
  type Result,
  type SnapshotStore,
  type Status,
  type Term,
} from '../../core/raft/index.ts';
import type { PeerId, Pin } from '../../model/index.ts';
import { overtaken, overwhelmed, readOnly, stopped } from './errors.ts';
import { PinsAtLogEnd } from './pins-at-log-end.ts';
import type { RaftTransport, ReplicatedPinset, SnapshotBody } from './ports.ts';
import { commandsOf } from './replay.ts';
import { Snapshots } from './snapshots.ts';
import { Watch } from './watch.ts';

export interface DriverDeps {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: LogStore;
  /** What `log.load` has returned. */
  readonly image: LogImage;
  readonly previousLog?: LogEnd;
  readonly state: ReplicatedPinset;
  readonly snapshots: SnapshotStore;
  readonly transport: RaftTransport;
  readonly logger: Logger;
  /** Makes the engine; default `createRaft` of the engine. The simulator looks on through it. */
  readonly createEngine?: typeof createRaft;
  /** Called once, when this peer has become read-only. */
  readonly onFailure: (error: OperatingError) => void;
  readonly onStatus?: (status: Status) => void;
}

export interface DriverOptions {
  /** One tick of the engine, milliseconds. */
  readonly tickMs: number;
  /** The spread of the election timeout is at most the timeout itself. */
  readonly engine: Partial<RaftOptions> & Pick<RaftOptions, 'electionTicks'>;
  readonly snapshots: SnapshotSettings;
}

export interface SnapshotSettings {
  /** Milliseconds between two looks whether a snapshot is due. */
  readonly intervalMs: number;
  /** Entries since the last snapshot that make the next one due; and about as many are compacted at a time. */
  readonly threshold: number;
  /** Entries that stay in the log for followers that are a little behind. */
  readonly trailing: number;
  /** A snapshot that is sent may take this long for every `networkBytes`; a sender that is silent this long has given up. */
  readonly networkTimeoutMs: number;
}

/** Go hashicorp/raft `DefaultTimeoutScale`. */
const networkBytes = 256 * 1024;

/** The state is synced at most once in so many entries, but for settings below. */
const entriesPerSyncMax = 8192;

/** And at least once in so many bytes of commands: they stay in memory until then. */
const bytesPerSyncMax = 32 << 20;

/** Conditional proposals whose refusal waits; more are refused as `busy`. */
const contestedMax = 1024;

/** Without the engine's id. */
export type Answer = { readonly outcome: 'applied'; readonly index: LogIndex; readonly term: Term } | Refused;

export interface Refused extends Omit<Extract<Result, { outcome: 'refused' }>, 'id' | 'reason'> {
  /**
   * `changed`: this peer has applied something else than the pin that the proposal is for. Unless it still leads, which a read tells, that
   * may be an old state.
   */
  readonly reason: RefusalReason | 'changed';
}

export interface ProposeOptions {
  /** Only the leader of this term takes it. */
  readonly fence?: Term;
  /** It gets into the log only if its pinset is then to have exactly this pin. */
  readonly onlyIf?: Pin;
}

interface Waiter {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

interface PendingProposal extends Proposal, ProposeOptions {}

/** The bytes of a snapshot, and whether all of them were read. */
class CountedBody implements SnapshotBody {
  readonly sizeBytes: number;
  readonly chunks: AsyncIterable<Uint8Array>;
  #readBytes = 0;

  constructor({ sizeBytes, chunks }: SnapshotBody) {
    this.sizeBytes = sizeBytes;
    this.chunks = this.#counted(chunks);
  }

  get isRead(): boolean {
    return this.#readBytes === this.sizeBytes;
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const bytes of chunks) {
      this.#readBytes += bytes.length;
      yield bytes;
    }
  }
}

/** Messages that wait for this peer's disk; more are not taken, and their senders get no answer. */
const requestsMax = 1024;

/** A timer this late means that the process was not running: what arrived meanwhile is still in the sockets. */
const lateTicks = 0.5;

export class RaftDriver {
  /** Notified after every change of status and every applied batch. */
  readonly changes: Watch;
  readonly #deps: DriverDeps;
  readonly #tickMs: number;
  readonly #electionTicks: number;
  readonly #raft: Raft;
  readonly #pinsAtLogEnd: PinsAtLogEnd;
  readonly #waiters = new Map<number, Waiter>();
  readonly #requests = new Map<number, { resolve(response: Response): void; reject(error: Error): void }>();
  /** Under way, each with what cancels its time limit. */
  readonly #calls = new Map<AbortController, Cancel>();
  readonly #background = new Set<Promise<void>>();
  readonly #appliers = new Set<(entry: Entry) => void>();
  readonly #snapshots: Snapshots;
  readonly #snapshotSettings: SnapshotSettings;
  /** Of snapshots that leaders are sending, by the token of their request. */
  readonly #bodies = new Map<number, SnapshotBody>();
  /** Ends the one that is being received. */
  #receiving = new AbortController();
  /** Until this driver ends. */
  readonly #life = new AbortController();
  #restores = 0;
  #proposals: PendingProposal[] = [];
  /** Conditional ones, and the entries that stand in their way. */
  #contested: { readonly id: number; readonly index: LogIndex; readonly term: Term }[] = [];
  #lastId = 0;
  #isPumpPlanned = false;
  #cancelTick: Cancel = () => {};
  #ended: Error | undefined;
  /** Of commands that were applied since the state was synced. */
  #unsyncedBytes = 0;
  /** What failed is not written to any more. */
  #hasFailed = false;
  #lastAppliedTerm: Term = 0;

  /** Throws when log and state are not of one peer, see `createRaft` of the engine. */
  constructor(deps: DriverDeps, options: DriverOptions) {
    const { self, random, image, previousLog, state, clock } = deps;
    this.#deps = deps;
    this.#tickMs = options.tickMs;
    this.#electionTicks = options.engine.electionTicks;
    this.#snapshotSettings = options.snapshots;
    const { intervalMs, threshold, networkTimeoutMs } = options.snapshots;
    this.#snapshots = new Snapshots(
      { intervalMs, threshold, stallMs: networkTimeoutMs },
      {
        store: deps.snapshots,
        state,
        clock,
        random,
        logger: deps.logger,
        baseAt: (index) => this.#baseAt(index),
        onTaken: (base) => this.#step({ type: 'snapshotted', base }),
        onLost: (base) => this.#step({ type: 'snapshot-lost', base }),
        onDamaged: (error) => this.fail(error),
      },
    );
    const create = deps.createEngine ?? createRaft;
    const { newest } = this.#snapshots;
    this.#raft = create(
      {
        self,
        random,
        image,
        applied: state.applied,
        ...(newest && { snapshot: newest }),
        ...(previousLog && { previousLog }),
      },
      options.engine,
    );
    this.#pinsAtLogEnd = new PinsAtLogEnd(this.#raft, state);
    this.#lastAppliedTerm = image.entries[state.applied - image.base.index - 1]?.term ?? image.base.term;
    this.changes = new Watch(clock);
  }

  /**
   * A peer that has just started has not heard a leader for long: it waits for the random part of the election timeout only, and
   * a single voter for nothing. If there is a leader, the pre-vote changes nothing.
   */
  start(): void {
    const { configuration } = this.#raft.status();
    const isAlone = configuration.servers.length === 1 && configuration.servers[0]?.id === this.#deps.self;
    const ticks = isAlone ? 2 * this.#electionTicks : this.#electionTicks - 1;
    for (let count = 0; count < ticks && this.#raft.status().role === 'follower'; count++) this.#step({ type: 'tick' });
    this.#planTick();
    this.#planPump();
    this.#snapshots.start();
  }

  /**
   * Resolves when no write is under way any more, and the state is synced, so that the next start replays nothing. Who waits for an
   * answer is rejected, outcome unknown.
   */
  async stop(): Promise<void> {
    this.#end(stopped());
    await Promise.all([...this.#background, this.#snapshots.stop()]);
    if (this.#hasFailed) return;
    const { state, logger } = this.#deps;
    await state.sync().catch((error: unknown) => {
      // Nothing is lost: the log has it.
      logger.warn('the state could not be synced at the end', { error: errorMessage(error) });
    });
  }

  /** Ends this driver for good: engine, log or state have failed, or somebody has found the state damaged. */
  fail(cause: unknown): void {
    this.#hasFailed = true;
    if (this.#ended !== undefined) return;
    const error = readOnly(cause);
    this.#end(error);
    this.#deps.onFailure(error);
  }

  get status(): Status {
    return this.#raft.status();
  }

  /** Reads of the state see the log up to here. */
  get applied(): LogIndex {
    return this.#deps.state.applied;
  }

  /** Why this peer does not take part any more; `undefined` while it does. */
  get ended(): Error | undefined {
    return this.#ended;
  }

  /** The term of the last applied entry: nothing of an earlier term can be applied any more. */
  get lastAppliedTerm(): Term {
    return this.#lastAppliedTerm;
  }

  /** How often the state was replaced by a snapshot: what was applied then nobody has seen. */
  get restores(): number {
    return this.#restores;
  }

  /** Proposals of one turn go into the log together. */
  propose(data: Uint8Array, options: ProposeOptions = {}): Promise<Answer> {
    return this.#ask((id) => {
      this.#proposals.push({ ...options, id, data, appendedAt: this.#deps.clock.wallNanos() });
    });
  }

  change(change: ConfigurationChange): Promise<Answer> {
    const appendedAt = this.#deps.clock.wallNanos();
    return this.#ask((id) => this.#step({ type: 'change', id, change, appendedAt }));
  }

  /** Hands the leadership to the voter that is furthest: `applied` when this peer leads no more. */
  transfer(): Promise<Answer> {
    return this.#ask((id) => this.#step({ type: 'transfer', id }));
  }

  /** Resolves when all that was committed before is applied here; refused unless this peer leads. */
  read(): Promise<Answer> {
    return this.#ask((id) => this.#step({ type: 'read', id }));
  }

  /** A message of another peer. Rejects, so that no answer is sent, when this peer has ended. */
  handle(from: PeerId, request: Request, body?: SnapshotBody): Promise<Response> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#requests.size >= requestsMax) return Promise.reject(overwhelmed());
    const token = ++this.#lastId;
    const counted = body && new CountedBody(body);
    if (counted !== undefined) this.#bodies.set(token, counted);
    const response = new Promise<Response>((resolve, reject) => {
      this.#requests.set(token, { resolve, reject });
      this.#step({ type: 'request', from, request, token });
    });
    return counted === undefined ? response : this.#afterBody(token, counted, response);
  }

  /** Whoever sends a snapshot listens only when all of it is sent: what nobody wanted is read and dropped. */
  async #afterBody(token: number, body: CountedBody, response: Promise<Response>): Promise<Response> {
    try {
      const answer = await response;
      for await (const _ of this.#snapshots.lively(body.chunks, this.#life.signal));
      // It was given up for another one.
      if (!body.isRead) throw overtaken();
      return answer;
    } finally {
      this.#bodies.delete(token);
    }
  }

  /** Calls back for every entry that is applied from now on. @returns what ends that. */
  onApplied(listener: (entry: Entry) => void): Cancel {
    this.#appliers.add(listener);
    return () => this.#appliers.delete(listener);
  }

  #ask(give: (id: number) => void): Promise<Answer> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      give(id);
      this.#planPump();
    });
  }

  #step(input: Input): void {
    if (this.#ended !== undefined) return;
    this.#guarded(() => this.#raft.step(input));
    this.#planPump();
  }

  /** Whatever is thrown in here leaves the engine in an unknown state. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.fail(error);
    }
  }

  #planPump(): void {
    if (this.#isPumpPlanned) return;
    this.#isPumpPlanned = true;
    queueMicrotask(() => {
      this.#isPumpPlanned = false;
      if (this.#ended === undefined) this.#guarded(() => this.#pump());
    });
  }

  #pump(): void {
    if (this.#proposals.length > 0) this.#giveProposals();
    const output = this.#raft.take();
    const { write, calls, replies, apply, results, status } = output;
    if (write !== undefined) {
      this.#track(this.#deps.log.write(write).then(() => this.#step({ type: 'written' })));
    }
    for (const call of calls) this.#send(call);
    for (const reply of replies) this.#reply(reply);
    if (output.receive !== undefined) this.#receive(output.receive.token, output.receive.base);
    if (output.restore !== undefined) this.#track(this.#restore(output.restore));
    if (output.needsSnapshot) this.#snapshots.take();
    if (apply.length > 0) this.#track(this.#apply(apply));
    for (const { id, ...answer } of results) this.#answer(id, answer);
    if (status === undefined) return;
    this.#settleContested();
    this.#logStatus(status);
    this.changes.notify();
    this.#deps.onStatus?.(status);
  }

  #giveProposals(): void {
    const { role, term, leader } = this.#raft.status();
    const refuse = (id: number, reason: Refused['reason']): void =>
      this.#answer(id, { outcome: 'refused', reason, leader });
    const proposals: Proposal[] = [];
    for (const { fence, onlyIf, ...proposal } of this.#proposals) {
      if (fence !== undefined && (fence !== term || role !== 'leader')) {
        refuse(proposal.id, 'not-leader');
        continue;
      }
      if (onlyIf !== undefined && role === 'leader') {
        // What came before it this turn goes into the log first: the engine may refuse some of that.
        this.#giveToEngine(proposals.splice(0));
        const index = this.#pinsAtLogEnd.conflictWith(onlyIf);
        if (index !== undefined) {
          if (this.#contested.length >= contestedMax) refuse(proposal.id, 'busy');
          else this.#contested.push({ id: proposal.id, index, term });
          continue;
        }
      }
      proposals.push(proposal);
    }
    this.#proposals = [];
    this.#giveToEngine(proposals);
    this.#settleContested();
  }

  /** What stands in the way of a proposal is applied, or may get lost with the leadership. */
  #settleContested(): void {
    if (this.#contested.length === 0) return;
    const { term, leader } = this.#raft.status();
    this.#contested = this.#contested.filter(({ id, index, term: asked }) => {
      const reason = index <= this.applied ? 'changed' : term === asked ? undefined : 'not-leader';
      if (reason !== undefined) this.#answer(id, { outcome: 'refused', reason, leader });
      return reason === undefined;
    });
  }

  #giveToEngine(proposals: readonly Proposal[]): void {
    if (proposals.length > 0) this.#raft.step({ type: 'propose', proposals });
  }

  /** Failures of what goes on in the background end this peer. */
  #track(act: Promise<void>): void {
    const tracked = act.then(
      () => {
        this.#background.delete(tracked);
      },
      (error: unknown) => {
        this.#background.delete(tracked);
        this.fail(error);
      },
    );
    this.#background.add(tracked);
  }

  async #apply(entries: readonly Entry[]): Promise<void> {
    const commands = [...commandsOf(entries, this.#deps.logger)];
    const last = entries.at(-1);
    if (last === undefined) return;
    await this.#deps.state.apply(commands, last.index);
    if (this.#ended !== undefined) return;
    for (const entry of entries) this.#unsyncedBytes += entry.type === 'command' ? entry.data.length : 0;
    const isSyncDue = this.#isSyncDue(last.index);
    if (isSyncDue) {
      await this.#deps.state.sync();
      this.#unsyncedBytes = 0;
    }
    if (this.#ended !== undefined) return;
    for (const listener of this.#appliers) for (const entry of entries) listener(entry);
    this.#lastAppliedTerm = last.term;
    this.#step({ type: 'applied', index: last.index });
    this.#settleContested();
    if (isSyncDue) this.#compact(last.index);
    this.changes.notify();
  }

  /** Whether so much was applied since the last sync that the log should be able to let go of it. */
  #isSyncDue(applied: LogIndex): boolean {
    const batch = Math.min(Math.max(this.#snapshotSettings.threshold, 1), entriesPerSyncMax);
    return applied - this.#deps.state.synced >= batch || this.#unsyncedBytes >= bytesPerSyncMax;
  }

  /** What follows a snapshot that is being taken stays: whoever needs the snapshot needs that next. */
  #compact(synced: LogIndex): void {
    const index = Math.min(synced, this.#snapshots.takingIndex ?? synced);
    this.#step({ type: 'compact', index, trailing: this.#snapshotSettings.trailing });
  }

  async #baseAt(index: LogIndex): Promise<Base> {
    // A batch is in the state a little before the engine knows.
    return await this.changes.until(
      () => (this.#raft.status().applied >= index ? this.#raft.baseAt(index) : undefined),
      {
        timeoutMs: this.#snapshotSettings.networkTimeoutMs,
        onTimeout: stopped,
        onAbort: stopped,
      },
    );
  }

  #receive(token: number, base: Base): void {
    const body = this.#bodies.get(token);
    assert(body !== undefined, 'a snapshot that is to be received has a body');
    this.#receiving.abort(stopped());
    this.#receiving = new AbortController();
    const { signal } = this.#receiving;
    this.#track(
      this.#snapshots.receive(base, body, signal).then((isWhole) => this.#step({ type: 'received', token, isWhole })),
    );
  }

  async #restore(base: Base): Promise<void> {
    const isDone = await this.#snapshots.restore(base);
    if (this.#ended !== undefined) return;
    if (isDone) {
      this.#restores++;
      this.#lastAppliedTerm = base.term;
    }
    this.#step({ type: 'restored', isDone });
    this.changes.notify();
  }

  #send({ callId, to, request, timeoutTicks }: Call): void {
    const body = request.type === 'snapshot' ? this.#snapshots.body(request.base) : undefined;
    const aborter = new AbortController();
    const end = (input: Input): void => {
      this.#calls.get(aborter)?.();
      if (this.#calls.delete(aborter)) this.#step(input);
    };
    const { networkTimeoutMs } = this.#snapshotSettings;
    const limitMs = body && networkTimeoutMs * Math.max(1, Math.ceil(body.sizeBytes / networkBytes));
    const cancel = this.#deps.clock.after(Math.min(timeoutTicks * this.#tickMs, limitMs ?? Infinity), () => {
      end({ type: 'failed', callId });
      aborter.abort(stopped());
    });
    this.#calls.set(aborter, cancel);
    this.#deps.transport.call(to, request, { signal: aborter.signal, ...(body && { body }) }).then(
      (response) => end({ type: 'response', callId, response }),
      (error: unknown) => {
        this.#deps.logger.debug('no answer to a raft message', { to, type: request.type, error: errorMessage(error) });
        end({ type: 'failed', callId });
      },
    );
  }

  #reply({ token, response }: Reply): void {
    this.#requests.get(token)?.resolve(response);
    this.#requests.delete(token);
  }

  #answer(id: number, answer: Answer | { readonly outcome: 'unknown' }): void {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    if (answer.outcome === 'unknown') waiter?.reject(overtaken());
    else waiter?.resolve(answer);
  }

  #planTick(): void {
    const dueMs = this.#deps.clock.now() + this.#tickMs;
    this.#cancelTick = this.#deps.clock.after(this.#tickMs, () => {
      if (this.#deps.clock.now() - dueMs < lateTicks * this.#tickMs) this.#tick();
      // Late: first let the sockets speak, for the leader may have been heard in time, by a process that was held up.
      else this.#cancelTick = this.#deps.clock.after(0, () => this.#tick());
    });
  }

  #tick(): void {
    if (this.#ended !== undefined) return;
    this.#step({ type: 'tick' });
    if (this.#ended === undefined) this.#planTick();
  }

  #logStatus({ role, term, leader, configuration }: Status): void {
    const peers = configuration.servers.length;
    this.#deps.logger.info('raft state', { role, term, leader: leader ?? 'unknown', peers });
  }

  #end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#cancelTick();
    this.#receiving.abort(error);
    this.#life.abort(error);
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const [aborter, cancel] of calls) {
      cancel();
      aborter.abort(error);
    }
    for (const { reject } of this.#requests.values()) reject(error);
    this.#requests.clear();
    // What was in flight may be committed yet.
    for (const { reject } of this.#waiters.values()) reject(stopped('unknown'));
    this.#waiters.clear();
    this.#proposals = [];
    this.#contested = [];
    this.changes.close(error);
  }
}
