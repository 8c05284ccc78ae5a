/**
 * Finds what no operation stands for: one listing of the node, merged with the pinset and with the record of what the cluster has
 * pinned here (`OwnedPins`).
 *
 * It runs when IPFS comes up, when the state was replaced, at an interval, when the window of operations has emptied after
 * something had to be refused, and when asked. Pins that IPFS lacks are queued; so is the removal of what the cluster has put
 * here and wants here no more. What others have pinned is never touched.
 */
import { type Cancel, errorMessage, LogLimit } from '../../base/index.ts';
import type { Operation, OperationKind } from '../../core/track/index.ts';
import { type Cid, cidOfStateKey } from '../../model/index.ts';
import { type HeldPins, isSatisfied } from './held-pins.ts';
import { KeyCursor } from './key-cursor.ts';
import type { OwnedPins } from './owned-pins.ts';
import { barePin, isHere } from './row.ts';
import type { TrackerDeps } from './tracker.ts';
import type { Workers } from './workers.ts';

const retryMinMs = 2000;
const retryMaxMs = 60_000;
/** Records written together when a reconciliation finds pins made before there were records. */
const adoptedPerFlush = 1000;
/** Of refused pins told apart: one that is agreed on again and again counts once. */
const refusedKeysMax = 10_000;

export interface ReconciliationDeps extends Pick<TrackerDeps, 'ipfs' | 'pinset' | 'clock' | 'logger' | 'identity'> {
  readonly owned: OwnedPins;
  readonly held: HeldPins;
  readonly workers: Workers;
}

export class Reconciliation {
  readonly #intervalMs: number;
  readonly #deps: ReconciliationDeps;
  readonly #logLimit: LogLimit;
  readonly #stopping = new AbortController();
  /** Something may be undone that no operation stands for. */
  #isDirty = true;
  /** The number of the last one that began for this reason, until it or a later one has passed all pins; 0: there is none. */
  #behindNumber = 0;
  #startedCount = 0;
  /** The last one failed: the next one waits for its delay, or for IPFS to come up again. */
  #isBackingOff = false;
  /** The interval has passed while none could run. */
  #isDue = false;
  /** Pins refused since the last one began, as far as they are told apart; `#refusedMore` are all others. */
  readonly #refused = new Set<string>();
  #refusedMore = 0;
  #isStarted = false;
  #pass: Promise<void> | undefined;
  #listing: Promise<void> = Promise.resolve();
  #retryMs = retryMinMs;
  #cancelTimer: Cancel | undefined;

  constructor(intervalMs: number, deps: ReconciliationDeps) {
    this.#intervalMs = intervalMs;
    this.#deps = deps;
    this.#logLimit = new LogLimit(deps.clock);
  }

  /** There may be work that no operation stands for. */
  get isBehind(): boolean {
    return this.#isDirty || this.#behindNumber > 0;
  }

  /** Pins that wait to be found because the window was full. */
  get refusedCount(): number {
    return this.#refused.size + this.#refusedMore;
  }

  /** Before this it only takes notes. */
  start(): void {
    this.#isStarted = true;
  }

  /** Resolves when the running one has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer?.();
    await this.#pass;
  }

  /** The window was full. */
  refused(kind: OperationKind, key: string): void {
    this.#isDirty = true;
    if (kind === 'unpin') this.#refused.delete(key);
    else if (this.#refused.size < refusedKeysMax) this.#refused.add(key);
    else if (!this.#refused.has(key)) this.#refusedMore += 1;
  }

  /** The node or the pinset may be another one than before: all is compared as soon as that can be done. */
  compareAll(): void {
    this.#isDirty = true;
    this.#isBackingOff = false;
    // What is known of the node is old, and statuses tell it: that must not wait for pins that may take hours.
    this.#begin(true);
  }

  /** An operation has ended: there may be room for what is overdue. */
  roomMade(): void {
    if ((this.#isDirty || this.#isDue) && !this.#isBackingOff) this.#begin();
  }

  /**
   * Yields the keys of what it queued. Several may go at once, so that a reader who stops reading holds up nobody else; only their listings
   * wait for each other.
   */
  async *run(signal: AbortSignal): AsyncGenerator<string, void> {
    const before = this.#listing;
    let release: () => void = () => {};
    this.#listing = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    const number = ++this.#startedCount;
    this.#refused.clear();
    this.#refusedMore = 0;
    if (this.#isDirty) this.#behindNumber = number;
    this.#isDirty = false;
    this.#isDue = false;
    let isComplete = false;
    try {
      await this.#deps.held.list(this.#deps.ipfs, signal).finally(release);
      yield* this.#walk(signal);
      isComplete = true;
      if (number >= this.#behindNumber) this.#behindNumber = 0;
    } finally {
      if (!isComplete) this.#isDirty = true;
    }
  }

  /** In the background, unless one is running or there is no use in one now. */
  #begin(isUrgent = false): void {
    if (this.#pass !== undefined || !this.#isStarted || this.#stopping.signal.aborted) return;
    const { ipfs, workers } = this.#deps;
    // After a refusal it waits until the window has emptied, or it would find what is queued already.
    if (!ipfs.isUp() || (!isUrgent && workers.operations.activeCount > workers.windowMax / 2)) return;
    this.#cancelTimer?.();
    this.#pass = this.#runInBackground().finally(() => {
      this.#pass = undefined;
      if (!this.#stopping.signal.aborted) this.#arm();
    });
  }

  async #runInBackground(): Promise<void> {
    try {
      for await (const _ of this.run(this.#stopping.signal)) {
        // What was queued needs no further care here.
      }
      this.#retryMs = retryMinMs;
    } catch (error) {
      this.#isDirty = true;
      this.#isBackingOff = true;
      this.#retryMs = Math.min(retryMaxMs, this.#retryMs * 2);
      if (!this.#stopping.signal.aborted && this.#logLimit.allows('reconcile')) {
        this.#deps.logger.warn('cannot compare the pinset with IPFS, trying again', { error: errorMessage(error) });
      }
    }
  }

  #arm(): void {
    const delayMs = this.#isDirty ? this.#retryMs : this.#intervalMs;
    this.#cancelTimer = this.#deps.clock.after(delayMs, () => {
      this.#isDue = true;
      this.#isBackingOff = false;
      this.#begin();
    });
  }

  /**
   * Merges the pinset with the record of own pins, both in key order. Both may be old by the time they are read: what is done about a
   * pin is decided by what is known then.
   */
  async *#walk(signal: AbortSignal): AsyncGenerator<string, void> {
    const owned = new KeyCursor(this.#deps.owned.pages(signal));
    const { held } = this.#deps;
    let adoptedCount = 0;
    try {
      await owned.load();
      for await (const page of this.#deps.pinset.storedPages({ signal })) {
        for (const pin of page) {
          const { key } = pin;
          while (owned.key !== undefined && owned.key < key) {
            yield* this.#settleOwned(owned.key, signal);
            owned.advance();
            if (owned.mustLoad) await owned.load();
          }
          const isOwned = owned.key === key;
          if (isOwned && !isHere(pin, this.#self)) yield* this.#settleOwned(key, signal);
          if (isOwned) owned.advance();
          if (owned.mustLoad) await owned.load();
          if (!isHere(pin, this.#self)) continue;
          if (this.#deps.workers.operations.get(key)?.kind === 'unpin') this.#keep(pin.cid, key);
          else if (!isSatisfied(pin, held.get(pin.cid))) yield* this.#settleMissing(pin.cid, key, signal);
          else if (!isOwned && this.#isStillHere(pin.cid)) {
            void this.#deps.owned.add(key);
            adoptedCount += 1;
            if (adoptedCount % adoptedPerFlush === 0) await this.#deps.owned.flushed();
          }
        }
      }
      while (owned.key !== undefined) {
        yield* this.#settleOwned(owned.key, signal);
        owned.advance();
        if (owned.mustLoad) await owned.load();
      }
    } finally {
      await owned.close();
    }
  }

  /** The page that it is known from may be old. */
  #isStillHere(cid: Cid): boolean {
    const pin = this.#deps.pinset.get(cid);
    return pin !== undefined && isHere(pin, this.#self);
  }

  /** Queues a pin that IPFS lacks, unless it is being worked on or has left the pinset meanwhile. */
  async *#settleMissing(cid: Cid, key: string, signal: AbortSignal): AsyncGenerator<string, void> {
    const { workers, pinset, held } = this.#deps;
    const operation = workers.operations.get(key);
    if (operation !== undefined) {
      this.#renew(key, operation);
      return;
    }
    await workers.waitForRoom(signal);
    const pin = pinset.get(cid);
    if (pin === undefined || !isHere(pin, this.#self) || isSatisfied(pin, held.get(pin.cid))) return;
    if (workers.operations.get(key) === undefined && workers.want('pin', key, pin)) yield key;
  }

  /** The state was replaced under the making of a pin of which it has another version. */
  #renew(key: string, { pin }: Operation): void {
    const present = this.#deps.pinset.get(pin.cid);
    if (present?.maxDepth !== pin.maxDepth) this.#keep(pin.cid, key);
  }

  /** The state was replaced under the removal of a pin that it has. */
  #keep(cid: Cid, key: string): void {
    const pin = this.#deps.pinset.get(cid);
    if (pin !== undefined && isHere(pin, this.#self)) this.#deps.workers.want('pin', key, pin);
  }

  /** The state was replaced under the making of a pin that it has not, or not here. */
  #giveUp(key: string, { kind, pin }: Operation): void {
    const present = this.#deps.pinset.get(pin.cid);
    if (kind === 'unpin' || (present !== undefined && isHere(present, this.#self))) return;
    if (!this.#deps.workers.takeBack(key)) this.#deps.workers.want('unpin', key, present ?? pin);
  }

  /** Queues the removal of what the cluster has put here and wants here no more. */
  async *#settleOwned(key: string, signal: AbortSignal): AsyncGenerator<string, void> {
    const { workers, pinset, owned, held } = this.#deps;
    const operation = workers.operations.get(key);
    if (operation !== undefined) {
      this.#giveUp(key, operation);
      return;
    }
    await workers.waitForRoom(signal);
    const cid = cidOfStateKey(key);
    const pin = pinset.get(cid);
    if ((pin !== undefined && isHere(pin, this.#self)) || workers.operations.get(key) !== undefined) return;
    if (held.get(cid) === 'none') owned.remove(key);
    else if (workers.want('unpin', key, pin ?? barePin(cid))) yield key;
  }

  get #self(): string {
    return this.#deps.identity().peer;
  }
}
