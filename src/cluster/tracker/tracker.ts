/**
 * Keeps this peer's IPFS node in line with the pinset.
 *
 * `track` and `untrack` are called while the log is applied: they only note what is to be done. Workers carry it out,
 * retry what fails with a growing delay, and rest while IPFS is away. What did not fit into the bounded window, was
 * lost in a crash or changed behind our back is found by reconciliation: one listing of the node, merged with the
 * pinset and with the record of what the cluster has pinned here (`OwnedPins`). It runs when IPFS comes up, at an
 * interval, and when the window has emptied after something had to be refused.
 *
 * Memory: objects only for operations (`windowMax` at most, and as many failed ones as `errorsMax`), and some 20-40
 * bytes for each pin held (`HeldIndex`).
 * Source of statuses and their texts: Go `pintracker/stateless/stateless.go`.
 */
import {
  type Cancel,
  type Clock,
  errorCode,
  errorMessage,
  type Logger,
  LogLimit,
  type Random,
} from '../../base/index.ts';
import { HeldIndex, type Instant, type Operation, OperationTable, type Ticket } from '../../core/track/index.ts';
import {
  type Cid,
  cidOfStateKey,
  type PeerLabel,
  type Pin,
  type PinInfo,
  type PinPlacement,
  type StatusFilter,
  type StatusRow,
  stateKey,
  timeFromNanos,
} from '../../model/index.ts';
import type { CallOptions, Datastore, IpfsConnector, Pinset, PinTracker } from '../ports.ts';
import { KeyCursor } from './key-cursor.ts';
import { OwnedPins } from './owned-pins.ts';
import {
  barePin,
  infoOf,
  isHere,
  isOfOperations,
  matchesFilter,
  operationState,
  type RowState,
  rowOf,
  statusOfOperation,
  type TrackerIdentity,
  unexpectedlyUnpinnedText,
} from './row.ts';
import { statusPages } from './status-pages.ts';

/** Limits and intervals of a tracker. */
export interface TrackerOptions {
  /** Pins at once; `concurrent_pins`, 10 by default. */
  readonly concurrentPins: number;
  /** Unpins at once. Default 2: one slow removal must not hold up all others. */
  readonly concurrentUnpins?: number;
  /** `max_pin_queue_size`; operations held as objects are `windowMax` at most whatever it says. */
  readonly maxPinQueueSize: number;
  readonly priorityPinMaxAgeMs: number;
  readonly priorityPinMaxRetries: number;
  /** Between reconciliations; `pin_recover_interval`, 12 minutes by default. */
  readonly reconcileIntervalMs: number;
  /** Delay after a first failure; default 5 s. Doubles up to `reconcileIntervalMs`. */
  readonly retryDelayMinMs?: number;
}

/** What the tracker works on. */
export interface TrackerDeps {
  readonly ipfs: IpfsConnector;
  readonly pinset: Pinset;
  /** For the tracker alone. */
  readonly store: Datastore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly identity: () => TrackerIdentity;
}

/** Enough to keep the workers busy, little enough to be objects. Source: measured, see `bench`. */
const windowMax = 2000;
const errorsMax = 10_000;
const retryTickMs = 1000;
const reconcileRetryMinMs = 2000;
const reconcileRetryMaxMs = 60_000;
const stopLimitMs = 2000;
/** Records written together when a reconciliation finds pins made before there were records. */
const adoptedPerFlush = 1000;

const ipfsDownText = 'the IPFS node does not answer; work goes on when it is back';
/** Makes a tracker. Before `start` it only collects work. */
export function createPinTracker(options: TrackerOptions, deps: TrackerDeps): PinTracker {
  return new Tracker(options, deps);
}

/** What the state of a pin depends on. */
type StatusPin = PinPlacement & Pick<Pin, 'timestamp'>;

class Tracker implements PinTracker {
  readonly #options: TrackerOptions;
  readonly #deps: TrackerDeps;
  readonly #operations: OperationTable;
  readonly #owned: OwnedPins;
  readonly #logLimit: LogLimit;
  readonly #stopping = new AbortController();
  readonly #windowMax: number;
  readonly #running = new Map<string, AbortController>();
  readonly #runningCount = { pin: 0, unpin: 0 };
  /** Pins that are recorded as owned but were not begun yet; each has an operation. */
  readonly #recordedAhead = new Set<string>();
  /** What IPFS holds; `undefined` until it was listed once. */
  #held: HeldIndex | undefined;
  /** Under construction by a listing. */
  #heldNext: HeldIndex | undefined;
  /** Something may be undone that no operation stands for; only reconciliation finds it. */
  #isDirty = true;
  /** A reconciliation that started for this reason has not passed all pins yet. */
  #isCatchingUp = false;
  /** The last reconciliation failed: the next one waits for its delay, or for IPFS to come up again. */
  #isBackingOff = false;
  /** The interval has passed while a reconciliation could not run. */
  #isDue = false;
  /** Pins refused since the last reconciliation began. */
  #refusedCount = 0;
  #isStarted = false;
  #pass: Promise<void> | undefined;
  #passLock: Promise<void> = Promise.resolve();
  #reconcileRetryMs = reconcileRetryMinMs;
  #reconcileTimer: Cancel | undefined;
  #retryTimer: Cancel | undefined;
  #roomWaiters: (() => void)[] = [];

  constructor(options: TrackerOptions, deps: TrackerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#windowMax = Math.min(windowMax, options.maxPinQueueSize);
    this.#operations = new OperationTable(
      {
        windowMax: this.#windowMax,
        errorsMax,
        priorityAgeSeconds: options.priorityPinMaxAgeMs / 1000,
        priorityAttemptsMax: options.priorityPinMaxRetries,
        retryDelayMinMs: options.retryDelayMinMs ?? 5000,
        retryDelayMaxMs: options.reconcileIntervalMs,
      },
      deps.random,
    );
    this.#logLimit = new LogLimit(deps.clock);
    this.#owned = new OwnedPins(deps.store, (error) => {
      if (this.#logLimit.allows('owned')) {
        deps.logger.error('cannot record what is pinned here', { error: errorMessage(error) });
      }
    });
  }

  async start(): Promise<void> {
    this.#isStarted = true;
    // The node may have lost pins while it was away, or be another one.
    this.#deps.ipfs.onUp(() => this.#compareAll());
  }

  pinsetReplaced(): void {
    if (this.#isStarted) this.#compareAll();
  }

  #compareAll(): void {
    this.#isDirty = true;
    this.#isBackingOff = false;
    this.#pump();
    this.#reconcile();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#reconcileTimer?.();
    this.#retryTimer?.();
    for (const abort of this.#running.values()) abort.abort();
    this.#wakeRoomWaiters();
    let cancelLimit: Cancel = () => {};
    const limit = new Promise<void>((resolve) => {
      cancelLimit = this.#deps.clock.after(stopLimitMs, resolve);
    });
    const ended = async (): Promise<void> => {
      await this.#pass;
      while (this.#running.size > 0) await this.#room();
      await this.#owned.flushed();
    };
    await Promise.race([ended(), limit]);
    cancelLimit();
  }

  track(pin: Pin): void {
    if (pin.type === 'meta-pin') return;
    const key = stateKey(pin.cid);
    if (isHere(pin, this.#self)) {
      // As the pinset gives it back: a status reads the same while the operation runs and after it.
      const timestamp = pin.timestamp && { ...pin.timestamp, nanos: 0 };
      this.#want('pin', key, { ...pin, origins: pin.origins ?? [], timestamp });
      return;
    }
    // Held elsewhere. Only what the cluster has put here goes away; a pin made by others under this CID stays.
    if (this.#recordedAhead.has(key) && this.#operations.drop(key)) this.#disown(key);
    else if (this.#owned.has(key)) this.#want('unpin', key, pin);
    else this.#operations.drop(key);
  }

  untrack(pin: Pin): void {
    if (pin.type === 'meta-pin') return;
    const key = stateKey(pin.cid);
    const isOwned = this.#owned.has(key);
    if (!isOwned && !isHere(pin, this.#self)) return;
    // Recorded first: should the peer end before the unpin has, the next reconciliation finds it.
    if (!isOwned) void this.#owned.add(key);
    this.#want('unpin', key, pin);
  }

  async status(cid: Cid, options?: CallOptions): Promise<PinInfo> {
    const key = stateKey(cid);
    const operation = this.#operations.get(key);
    if (operation !== undefined) return this.#row(operation.pin, operationState(operation, this.#pauseText));
    const pin = this.#deps.pinset.get(cid);
    if (pin === undefined) return this.#row(barePin(cid), { status: 'unpinned', timestamp: this.#nowTime() });
    return this.#row(pin, this.#stateElsewhere(pin) ?? (await this.#stateByAsking(pin, options)));
  }

  async *statusAll(filter: StatusFilter, options: CallOptions = {}): AsyncGenerator<PinInfo, void> {
    for await (const page of this.statusPages(filter, options)) {
      for (const row of page) yield infoOf(this.#deps.identity(), row);
    }
  }

  statusPages(filter: StatusFilter, { signal }: CallOptions = {}): AsyncIterable<readonly StatusRow[]> {
    const isOperationsOnly = isOfOperations(filter) && !this.#isBehind;
    return statusPages(filter, {
      pages: isOperationsOnly ? undefined : this.#deps.pinset.storedPages(signal === undefined ? {} : { signal }),
      operations: this.#operations,
      pauseText: () => this.#pauseText,
      // The time of the pin, which the row has.
      stateOf: (pin) => {
        const { status, error = '' } = this.#stateByIndex(pin);
        return { status, error };
      },
    });
  }

  label(): PeerLabel {
    const { peer, peername, ipfsId: ipfsPeerId, ipfsAddresses } = this.#deps.identity();
    return { peer, peername, ipfsPeerId, ipfsAddresses };
  }

  async recover(cid: Cid, options?: CallOptions): Promise<PinInfo> {
    const key = stateKey(cid);
    if (this.#operations.retry(key, this.#now())) this.#pump();
    else {
      const info = await this.status(cid, options);
      const pin = this.#deps.pinset.get(cid);
      if (info.status !== 'unexpectedly_unpinned' || pin === undefined) return info;
      this.#want('pin', key, pin);
    }
    return await this.status(cid, options);
  }

  async *recoverAll(options: CallOptions = {}): AsyncGenerator<PinInfo, void> {
    const signal = this.#signalWith(options.signal);
    signal.addEventListener('abort', () => this.#wakeRoomWaiters(), { once: true });
    for (const { key } of [...this.#operations.failed()]) {
      while (!this.#operations.hasRoom && !signal.aborted) await this.#room();
      if (signal.aborted) return;
      if (!this.#operations.retry(key, this.#now())) continue;
      const info = this.#operationRow(key, 0);
      this.#pump();
      if (info !== undefined) yield info;
    }
    yield* this.#reconciliation(signal);
  }

  pinQueueSize(): number {
    return this.#operations.queuedCount('pin') + this.#refusedCount;
  }

  // ------------------------------------------------------------------------------------------------ operations

  #want(kind: 'pin' | 'unpin', key: string, pin: Pin): boolean {
    const isFirst = this.#operations.get(key) === undefined;
    const { isAccepted, mustAbort } = this.#operations.want(kind, key, pin, this.#now());
    if (!isAccepted) {
      this.#isDirty = true;
      if (kind === 'pin') this.#refusedCount += 1;
    } else if (kind === 'pin' && isFirst) this.#recordAhead(key, pin.cid);
    if (mustAbort) this.#running.get(key)?.abort();
    this.#pump();
    return isAccepted;
  }

  /**
   * Already when a pin is queued: pins that are agreed on together are then recorded by one write. Not for one that has an operation:
   * an attempt of it may have been made.
   */
  #recordAhead(key: string, cid: Cid): void {
    // For what IPFS does not hold, the look into the store costs more than a record that was there already.
    if (this.#held?.get(cid.bytes) !== 'none' && this.#owned.has(key)) return;
    this.#recordedAhead.add(key);
    void this.#owned.add(key);
  }

  #disown(key: string): void {
    this.#recordedAhead.delete(key);
    this.#owned.remove(key);
  }

  /** Starts what can be started. */
  #pump(): void {
    if (!this.#isStarted || this.#stopping.signal.aborted || !this.#deps.ipfs.isUp()) return;
    const { concurrentPins, concurrentUnpins = 2 } = this.#options;
    this.#startUpTo('pin', concurrentPins);
    this.#startUpTo('unpin', concurrentUnpins);
  }

  #startUpTo(kind: 'pin' | 'unpin', limit: number): void {
    while (this.#runningCount[kind] < limit && this.#operations.queuedCount(kind) > 0) {
      const ticket = this.#operations.take(kind, this.#now());
      if (ticket === undefined) return;
      void this.#run(ticket);
    }
  }

  /** One attempt. Never rejects. */
  async #run(ticket: Ticket): Promise<void> {
    const { key } = ticket.operation;
    const abort = new AbortController();
    this.#running.set(key, abort);
    this.#runningCount[ticket.kind] += 1;
    try {
      await this.#act(ticket, abort.signal);
      if (this.#operations.succeeded(ticket) && ticket.kind === 'unpin') this.#disown(key);
    } catch (error) {
      this.#failed(ticket, error);
    }
    this.#running.delete(key);
    this.#runningCount[ticket.kind] -= 1;
    if (this.#operations.hasRoom || this.#stopping.signal.aborted) this.#wakeRoomWaiters();
    this.#pump();
    if ((this.#isDirty || this.#isDue) && !this.#isBackingOff) this.#reconcile();
  }

  async #act({ kind, pin, operation }: Ticket, signal: AbortSignal): Promise<void> {
    const { cid } = pin;
    if (kind === 'unpin') {
      await this.#deps.ipfs.unpin(cid, { signal });
      this.#noteHeld(cid, 'none');
      return;
    }
    const { key } = operation;
    if (this.#recordedAhead.delete(key) || this.#owned.has(key)) await this.#owned.flushed();
    else await this.#owned.add(key);
    await this.#deps.ipfs.pin(pin, { signal });
    this.#noteHeld(cid, pin.maxDepth === 0 ? 'direct' : 'recursive');
  }

  #failed(ticket: Ticket, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const text = errorMessage(error);
    if (errorCode(error) === 'ipfs/unreachable' && !this.#deps.ipfs.isUp()) {
      this.#operations.postponed(ticket, text, this.#now());
      return;
    }
    if (this.#operations.failedWith(ticket, text, this.#now()) === undefined) return;
    if (this.#logLimit.allows(`${ticket.kind}-failed`)) {
      const fields = { cid: ticket.pin.cid.toString(), error: text, attempts: ticket.operation.attempts };
      this.#deps.logger.warn(`${ticket.kind} failed, it will be tried again`, fields);
    }
    this.#armRetry();
  }

  #armRetry(): void {
    this.#retryTimer ??= this.#deps.clock.after(retryTickMs, () => {
      this.#retryTimer = undefined;
      this.#operations.retryDue(this.#now());
      this.#pump();
      if (this.#operations.failedCount > 0 && !this.#stopping.signal.aborted) this.#armRetry();
    });
  }

  #noteHeld(cid: Cid, held: 'none' | 'direct' | 'recursive'): void {
    this.#held?.set(cid.bytes, held);
    this.#heldNext?.set(cid.bytes, held);
  }

  // ------------------------------------------------------------------------------------------------ reconciliation

  /** Runs a reconciliation in the background, unless one is running or there is no use in one now. */
  #reconcile(): void {
    if (this.#pass !== undefined || !this.#isStarted || this.#stopping.signal.aborted) return;
    // After a refusal it waits until the window has emptied, or it would find what is queued already.
    if (!this.#deps.ipfs.isUp() || this.#operations.activeCount > this.#windowMax / 2) return;
    this.#reconcileTimer?.();
    this.#pass = this.#runReconciliation().finally(() => {
      this.#pass = undefined;
      if (!this.#stopping.signal.aborted) this.#armReconciliation();
    });
  }

  async #runReconciliation(): Promise<void> {
    try {
      for await (const _ of this.#reconciliation(this.#stopping.signal)) {
        // What was queued needs no further care here.
      }
      this.#reconcileRetryMs = reconcileRetryMinMs;
    } catch (error) {
      this.#isDirty = true;
      this.#isBackingOff = true;
      this.#reconcileRetryMs = Math.min(reconcileRetryMaxMs, this.#reconcileRetryMs * 2);
      if (!this.#stopping.signal.aborted && this.#logLimit.allows('reconcile')) {
        this.#deps.logger.warn('cannot compare the pinset with IPFS, trying again', { error: errorMessage(error) });
      }
    }
  }

  #armReconciliation(): void {
    const delayMs = this.#isDirty ? this.#reconcileRetryMs : this.#options.reconcileIntervalMs;
    this.#reconcileTimer = this.#deps.clock.after(delayMs, () => {
      this.#isDue = true;
      this.#isBackingOff = false;
      this.#reconcile();
    });
  }

  /** One reconciliation at a time; yields what it queued. */
  async *#reconciliation(signal: AbortSignal): AsyncGenerator<PinInfo, void> {
    const before = this.#passLock;
    let release: () => void = () => {};
    this.#passLock = new Promise((resolve) => {
      release = resolve;
    });
    try {
      await before;
      yield* this.#compare(signal);
    } finally {
      release();
    }
  }

  async *#compare(signal: AbortSignal): AsyncGenerator<PinInfo, void> {
    this.#refusedCount = 0;
    this.#isCatchingUp ||= this.#isDirty;
    this.#isDirty = false;
    this.#isDue = false;
    let isComplete = false;
    try {
      yield* this.#walk(await this.#list(signal), signal);
      isComplete = true;
      this.#isCatchingUp = false;
    } finally {
      if (!isComplete) this.#isDirty = true;
    }
  }

  /** Merges the pinset with the record of own pins, both in key order. */
  async *#walk(held: HeldIndex, signal: AbortSignal): AsyncGenerator<PinInfo, void> {
    const owned = new KeyCursor(this.#owned.pages(signal));
    let adoptedCount = 0;
    try {
      await owned.load();
      for await (const page of this.#deps.pinset.pages({ signal })) {
        for (const pin of page) {
          const key = stateKey(pin.cid);
          while (owned.key !== undefined && owned.key < key) {
            yield* this.#settleOwned(owned.key, held, signal);
            owned.advance();
            if (owned.mustLoad) await owned.load();
          }
          const isOwned = owned.key === key;
          if (isOwned && !isHere(pin, this.#self)) yield* this.#settleOwned(key, held, signal);
          if (isOwned) owned.advance();
          if (owned.mustLoad) await owned.load();
          if (!isHere(pin, this.#self)) continue;
          if (this.#operations.get(key)?.kind === 'unpin') this.#keep(pin.cid, key);
          else if (!isSatisfied(pin, held)) yield* this.#settleMissing(pin.cid, key, held, signal);
          else if (!isOwned && this.#deps.pinset.has(pin.cid)) {
            void this.#owned.add(key);
            adoptedCount += 1;
            if (adoptedCount % adoptedPerFlush === 0) await this.#owned.flushed();
          }
        }
      }
      while (owned.key !== undefined) {
        yield* this.#settleOwned(owned.key, held, signal);
        owned.advance();
        if (owned.mustLoad) await owned.load();
      }
    } finally {
      await owned.close();
    }
  }

  async #list(signal: AbortSignal): Promise<HeldIndex> {
    const next = new HeldIndex(this.#deps.random);
    this.#heldNext = next;
    try {
      for await (const page of this.#deps.ipfs.pinLs(['recursive', 'direct'], { signal })) {
        for (const { cid, status } of page) {
          if (status === 'recursive' || status === 'direct') next.setListed(cid.bytes, status);
        }
      }
    } finally {
      this.#heldNext = undefined;
    }
    this.#held = next;
    return next;
  }

  /** Queues a pin that IPFS lacks, unless it is being worked on or has left the pinset meanwhile. */
  async *#settleMissing(cid: Cid, key: string, held: HeldIndex, signal: AbortSignal): AsyncGenerator<PinInfo, void> {
    if (this.#operations.get(key) !== undefined) return;
    await this.#waitForRoom(signal);
    const pin = this.#deps.pinset.get(cid);
    if (pin === undefined || !isHere(pin, this.#self) || isSatisfied(pin, held)) return;
    if (this.#operations.get(key) === undefined && this.#want('pin', key, pin)) {
      const info = this.#operationRow(key, 0);
      if (info !== undefined) yield info;
    }
  }

  /** The state was replaced under the removal of a pin that it has. */
  #keep(cid: Cid, key: string): void {
    const pin = this.#deps.pinset.get(cid);
    if (pin !== undefined && isHere(pin, this.#self)) this.#want('pin', key, pin);
  }

  /** The state was replaced under the making of a pin that it has not, or not here. */
  #giveUp(key: string, { kind, pin }: Operation): void {
    const present = this.#deps.pinset.get(pin.cid);
    if (kind === 'unpin' || (present !== undefined && isHere(present, this.#self))) return;
    if (this.#recordedAhead.has(key) && this.#operations.drop(key)) this.#disown(key);
    else this.#want('unpin', key, present ?? pin);
  }

  /** Queues the removal of what the cluster has put here and wants here no more. */
  async *#settleOwned(key: string, held: HeldIndex, signal: AbortSignal): AsyncGenerator<PinInfo, void> {
    const operation = this.#operations.get(key);
    if (operation !== undefined) {
      this.#giveUp(key, operation);
      return;
    }
    await this.#waitForRoom(signal);
    const cid = cidOfStateKey(key);
    const pin = this.#deps.pinset.get(cid);
    if ((pin !== undefined && isHere(pin, this.#self)) || this.#operations.get(key) !== undefined) return;
    if (held.get(cid.bytes) === 'none') {
      this.#owned.remove(key);
      return;
    }
    if (this.#want('unpin', key, pin ?? barePin(cid))) {
      const info = this.#operationRow(key, 0);
      if (info !== undefined) yield info;
    }
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    while (!this.#operations.hasRoom) {
      signal.throwIfAborted();
      await this.#room();
    }
    signal.throwIfAborted();
  }

  /** Resolves when an operation has ended. Whoever aborts a wait calls `#wakeRoomWaiters`. */
  #room(): Promise<void> {
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  #wakeRoomWaiters(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const wake of waiters) wake();
  }

  // ------------------------------------------------------------------------------------------------ rows

  get #self(): string {
    return this.#deps.identity().peer;
  }

  /** There may be work that no operation stands for. */
  get #isBehind(): boolean {
    return this.#isDirty || this.#isCatchingUp;
  }

  get #pauseText(): string {
    return this.#deps.ipfs.isUp() ? '' : ipfsDownText;
  }

  #row(pin: Pin, state: RowState): PinInfo {
    return rowOf(this.#deps.identity(), pin, state);
  }

  #operationRow(key: string, filter: StatusFilter): PinInfo | undefined {
    const operation = this.#operations.get(key);
    if (operation === undefined || !matchesFilter(statusOfOperation(operation), filter)) return undefined;
    return this.#row(operation.pin, operationState(operation, this.#pauseText));
  }

  /** The state of a pin that IPFS has nothing to do with here. */
  #stateElsewhere(pin: StatusPin): RowState | undefined {
    if (pin.type === 'meta-pin') return { status: 'sharded', timestamp: pin.timestamp };
    return isHere(pin, this.#self) ? undefined : { status: 'remote', timestamp: pin.timestamp };
  }

  /** From what is known, without asking IPFS. */
  #stateByIndex(pin: StatusPin): RowState {
    const elsewhere = this.#stateElsewhere(pin);
    if (elsewhere !== undefined) return elsewhere;
    if (!this.#deps.ipfs.isUp()) return { status: 'cluster_error', timestamp: pin.timestamp, error: ipfsDownText };
    if (this.#held !== undefined && isSatisfied(pin, this.#held)) return { status: 'pinned', timestamp: pin.timestamp };
    return this.#missingState(pin);
  }

  async #stateByAsking(pin: Pin, options?: CallOptions): Promise<RowState> {
    try {
      const held = await this.#deps.ipfs.pinLsCid(pin, options);
      const isPinned = held === 'recursive' || (held === 'direct' && pin.maxDepth === 0);
      this.#noteHeld(pin.cid, isPinned ? held : 'none');
      return isPinned ? { status: 'pinned', timestamp: pin.timestamp } : this.#missingState(pin);
    } catch (error) {
      return { status: 'cluster_error', timestamp: pin.timestamp, error: errorMessage(error) };
    }
  }

  /** Queued when reconciliation is going to find it, else an unexpected loss. */
  #missingState(pin: StatusPin): RowState {
    if (this.#isBehind) return { status: 'pin_queued', timestamp: pin.timestamp };
    return { status: 'unexpectedly_unpinned', timestamp: pin.timestamp, error: unexpectedlyUnpinnedText };
  }

  #now(): Instant {
    return { ms: this.#deps.clock.now(), wallNanos: this.#deps.clock.wallNanos() };
  }

  #nowTime(): ReturnType<typeof timeFromNanos> {
    return timeFromNanos(this.#deps.clock.wallNanos());
  }

  #signalWith(signal: AbortSignal | undefined): AbortSignal {
    return AbortSignal.any(signal === undefined ? [this.#stopping.signal] : [signal, this.#stopping.signal]);
  }
}

function isSatisfied(pin: PinPlacement, index: HeldIndex): boolean {
  const held = index.get(pin.cid.bytes);
  return held === 'recursive' || (held === 'direct' && pin.maxDepth === 0);
}
