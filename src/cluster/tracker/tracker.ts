/**
 * Keeps this peer's IPFS node in line with the pinset.
 *
 * `track` and `untrack` are called while the log is applied: they only note what is to be done. `Workers` carry it out, retry what
 * fails with a growing delay, and rest while IPFS is away. What did not fit into their bounded window, was lost in a crash or
 * changed behind our back is found by `Reconciliation`. `Statuses` say how far it is.
 *
 * Memory: objects only for operations (bounded, see `Workers`), and some 20-40 bytes for each pin held (`HeldPins`).
 */
import {
  type Cancel,
  type Clock,
  errorMessage,
  type Logger,
  LogLimit,
  OperatingError,
  type Random,
} from '../../base/index.ts';
import {
  type Cid,
  type OperationInfo,
  type PeerLabel,
  type Pin,
  type PinInfo,
  type StatusFilter,
  type StatusRow,
  stateKey,
} from '../../model/index.ts';
import type {
  CallOptions,
  Datastore,
  IpfsConnector,
  Pinset,
  PinTracker,
  StatusListOptions,
  StatusObserver,
} from '../ports.ts';
import { HeldPins } from './held-pins.ts';
import { OwnedPins } from './owned-pins.ts';
import { Reconciliation } from './reconciliation.ts';
import { isHere, type TrackerIdentity } from './row.ts';
import { Statuses } from './statuses.ts';
import { Workers } from './workers.ts';

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
  /** Of the first request; default 1. Grows and shrinks as the node is quick. */
  readonly pinsPerRequest?: number;
  /** Delay after a first failure; default 5 s. Doubles up to `reconcileIntervalMs`. */
  readonly retryDelayMinMs?: number;
  /** Least time between two writes of what is pinned here; default 100 ms. A pin alone does not wait. */
  readonly recordGroupMs?: number;
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
  readonly statusObserver?: StatusObserver;
}

const stopLimitMs = 2000;

/** Makes a tracker. Before `start` it only collects work. */
export function createPinTracker(options: TrackerOptions, deps: TrackerDeps): PinTracker {
  return new Tracker(options, deps);
}

class Tracker implements PinTracker {
  readonly #deps: TrackerDeps;
  readonly #owned: OwnedPins;
  readonly #workers: Workers;
  readonly #reconciliation: Reconciliation;
  readonly #statuses: Statuses;
  readonly #stopping = new AbortController();

  constructor(options: TrackerOptions, deps: TrackerDeps) {
    this.#deps = deps;
    const logLimit = new LogLimit(deps.clock);
    const owned = new OwnedPins({
      store: deps.store,
      clock: deps.clock,
      groupMs: options.recordGroupMs,
      onError: (error, unrecorded) => {
        this.#workers.unrecorded(unrecorded);
        if (!logLimit.allows('owned')) return;
        deps.logger.error('cannot record what is pinned here', { error: errorMessage(error) });
      },
    });
    const held = new HeldPins(deps.random);
    const { ipfs, clock, random, logger, pinset, identity } = deps;
    const workers = new Workers(options, {
      ipfs,
      clock,
      random,
      logger,
      owned,
      held,
      onRefused: (kind, key) => this.#reconciliation.refused(kind, key),
      onEnded: () => this.#reconciliation.roomMade(),
      onChanged: (key, pin) => this.#changed(key, pin),
    });
    const parts = { ipfs, clock, logger, pinset, identity, owned, held, workers };
    const reconciliation = new Reconciliation(options.reconcileIntervalMs, parts);
    this.#owned = owned;
    this.#workers = workers;
    this.#reconciliation = reconciliation;
    this.#statuses = new Statuses({ ...parts, reconciliation });
  }

  async start(): Promise<void> {
    this.#workers.start();
    this.#reconciliation.start();
    // The node may have lost pins while it was away, or be another one.
    this.#deps.ipfs.onUp(() => this.#compareAll());
  }

  pinsetReplaced(): void {
    this.#compareAll();
  }

  #compareAll(): void {
    this.#workers.pump();
    this.#reconciliation.compareAll();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const reconciled = this.#reconciliation.stop();
    this.#workers.stop();
    let cancelLimit: Cancel = () => {};
    const limit = new Promise<void>((resolve) => {
      cancelLimit = this.#deps.clock.after(stopLimitMs, resolve);
    });
    const ended = async (): Promise<void> => {
      await reconciled;
      await this.#workers.ended();
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
      this.#workers.want('pin', key, { ...pin, origins: pin.origins ?? [], timestamp });
      return;
    }
    // Held elsewhere. Only what the cluster has put here goes away; a pin made by others under this CID stays.
    if (this.#workers.takeBack(key)) this.#changed(key, pin);
    else if (this.#owned.has(key)) this.#workers.want('unpin', key, pin);
    else if (this.#workers.drop(key)) this.#changed(key, pin);
  }

  untrack(pin: Pin): void {
    if (pin.type === 'meta-pin') return;
    const key = stateKey(pin.cid);
    const isOwned = this.#owned.has(key);
    if (!isOwned && !isHere(pin, this.#self)) return;
    // Recorded first: should the peer end before the unpin has, the next reconciliation finds it.
    if (!isOwned) void this.#owned.add(key);
    this.#workers.want('unpin', key, pin);
  }

  async status(cid: Cid, options?: CallOptions): Promise<PinInfo> {
    return await this.#statuses.one(cid, options);
  }

  statusAll(filter: StatusFilter, options?: CallOptions): AsyncIterable<PinInfo> {
    return this.#statuses.all(filter, options);
  }

  statusPages(filter: StatusFilter, options?: StatusListOptions): AsyncIterable<readonly StatusRow[]> {
    return this.#statuses.pages(filter, options);
  }

  label(): PeerLabel {
    const { peer, peername, ipfsId: ipfsPeerId, ipfsAddresses } = this.#deps.identity();
    return { peer, peername, ipfsPeerId, ipfsAddresses };
  }

  async recover(cid: Cid, options?: CallOptions): Promise<PinInfo> {
    const key = stateKey(cid);
    if (this.#workers.retry(key)) this.#workers.pump();
    else {
      const info = await this.status(cid, options);
      const pin = this.#deps.pinset.get(cid);
      if (info.status !== 'unexpectedly_unpinned' || pin === undefined) return info;
      this.#workers.want('pin', key, pin);
    }
    return await this.status(cid, options);
  }

  async *recoverAll({ signal: outer }: CallOptions = {}): AsyncGenerator<PinInfo, void> {
    const { signal: stopping } = this.#stopping;
    const signal = outer === undefined ? stopping : AbortSignal.any([outer, stopping]);
    for (const { key } of [...this.#workers.operations.failed()]) {
      await this.#workers.waitForRoom(signal);
      if (!this.#workers.retry(key)) continue;
      const info = this.#statuses.ofOperation(key, 0);
      this.#workers.pump();
      if (info !== undefined) yield info;
    }
    try {
      for await (const key of this.#reconciliation.run(signal)) {
        const info = this.#statuses.ofOperation(key, 0);
        if (info !== undefined) yield info;
      }
    } catch (error) {
      // As Go's stateless `Tracker.RecoverAll`, which logs it and ends; here the comparison follows when IPFS is up again.
      if (signal.aborted || !(error instanceof OperatingError)) throw error;
      this.#deps.logger.warn('cannot compare the pinset with IPFS now: recovered is what had failed', {
        error: errorMessage(error),
      });
    }
  }

  operations(cid?: Cid): readonly OperationInfo[] {
    return this.#statuses.operations(cid);
  }

  pinQueueSize(): number {
    return this.#workers.operations.queuedCount('pin') + this.#reconciliation.refusedCount;
  }

  #changed(key: string, { cid }: Pin): void {
    const { statusObserver } = this.#deps;
    if (statusObserver?.isWanted() === true) statusObserver.onStatus(this.#statuses.now(key, cid));
  }

  get #self(): string {
    return this.#deps.identity().peer;
  }
}
