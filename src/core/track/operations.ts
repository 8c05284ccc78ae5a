/**
 * What has to be done on this peer's IPFS node: at most one operation per pin, bounded in number, retried for ever.
 *
 * Pure: time and randomness are arguments; the tracker carries out what `take` hands out and reports back.
 * Source of the rules: Go `pintracker/optracker`; unlike there a failed operation is tried again by itself, with a
 * growing delay, and an operation that replaces a running one waits until that one has ended.
 *
 * Life of an operation: queued → running → gone (done) or error → queued again after its delay.
 */
import type { Random } from '../../base/index.ts';
import type { OperationCause, OperationPhase, OperationQueue, OperationType, Pin } from '../../model/index.ts';

/** What is to happen in IPFS. */
export type OperationKind = Exclude<OperationType, 'unknown'>;

/** A read-only look at one operation. */
export interface Operation {
  readonly key: string;
  readonly kind: OperationKind;
  readonly pin: Pin;
  readonly phase: Exclude<OperationPhase, 'unknown'>;
  /** Times it was started. */
  readonly attempts: number;
  readonly isPriority: boolean;
  /** Why the last attempt failed; `none` before, and when it was asked for anew since. */
  readonly cause: OperationCause;
  /** The same in words; empty with `none`. */
  readonly error: string;
  /** Wall clock of when this was first wanted, nanoseconds. */
  readonly wantedNanos: bigint;
  /** Wall clock of the last change of phase, nanoseconds. */
  readonly sinceNanos: bigint;
  /** Of a failed one: when it goes back into its queue, by the monotonic clock. */
  readonly retryAtMs: number;
}

/** An operation with its place. */
export interface ListedOperation {
  readonly operation: Operation;
  readonly queue: OperationQueue;
  /** Counted from 1 within its queue; 0 unless it is queued. */
  readonly position: number;
}

/** Why an attempt did not succeed. */
export interface Failure {
  readonly cause: OperationCause;
  readonly error: string;
}

/** The right to report the end of one attempt. */
export interface Ticket {
  readonly operation: Operation;
  readonly kind: OperationKind;
  readonly pin: Pin;
  readonly generation: number;
}

/** Now, by both clocks. */
export interface Instant {
  /** Monotonic milliseconds. */
  readonly ms: number;
  readonly wallNanos: bigint;
}

/** Bounds of a table. */
export interface OperationTableOptions {
  /** Operations that are queued or running; a pin more is refused and found again from the state. */
  readonly windowMax: number;
  /** Failed operations remembered; the oldest is forgotten (and found again from the state) when there are more. */
  readonly errorsMax: number;
  /** Pins younger than this go first. */
  readonly priorityAgeSeconds: number;
  /** Attempts after which a young pin loses its priority. */
  readonly priorityAttemptsMax: number;
  /** Delay after the first failure; doubles with each further one. */
  readonly retryDelayMinMs: number;
  readonly retryDelayMaxMs: number;
}

/** What became of an intent. */
export interface WantResult {
  /** `false`: the window is full and nothing was kept. */
  readonly isAccepted: boolean;
  /** A running attempt of the same pin must be aborted: it does what is no longer wanted. */
  readonly mustAbort: boolean;
}

interface Slot {
  key: string;
  kind: OperationKind;
  pin: Pin;
  phase: Operation['phase'];
  attempts: number;
  isPriority: boolean;
  cause: OperationCause;
  error: string;
  wantedNanos: bigint;
  sinceNanos: bigint;
  /** Attempts cut off in a row by the loss of IPFS. */
  cutOffCount: number;
  /** A request that it shared with others was not carried out whole. */
  isAlone: boolean;
  /** Changes when a running attempt stops being the wanted one. */
  generation: number;
  /** An attempt is running, be it the wanted one or one that was replaced. */
  isBusy: boolean;
  retryAtMs: number;
}

/** A restart of IPFS cuts off what runs; nothing is cut off by more of them in a row than this. */
const cutOffsMax = 3;
/** Longer CIDs go alone: a request names all of its CIDs in one line, for which servers have limits. */
const sharedCidLengthMax = 64;

/** All operations of a peer; `queued + running <= windowMax`, `failed <= errorsMax`. */
export class OperationTable {
  readonly #options: OperationTableOptions;
  readonly #random: Random;
  readonly #slots = new Map<string, Slot>();
  // Maps serve as queues from which any entry can be taken out: they keep the order of insertion.
  readonly #priorityPins = new Map<string, Slot>();
  readonly #pins = new Map<string, Slot>();
  readonly #unpins = new Map<string, Slot>();
  readonly #failed = new Map<string, Slot>();

  constructor(options: OperationTableOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Operations queued or running. */
  get activeCount(): number {
    return this.#slots.size - this.#failed.size;
  }

  get hasRoom(): boolean {
    return this.activeCount < this.#options.windowMax;
  }

  get isEmpty(): boolean {
    return this.#slots.size === 0;
  }

  get failedCount(): number {
    return this.#failed.size;
  }

  /** Operations of a kind that wait for a worker. */
  queuedCount(kind: OperationKind): number {
    return kind === 'unpin' ? this.#unpins.size : this.#priorityPins.size + this.#pins.size;
  }

  get(key: string): Operation | undefined {
    return this.#slots.get(key);
  }

  /** All operations, in no particular order. */
  all(): IterableIterator<Operation> {
    return this.#slots.values();
  }

  /** Operations that failed and wait for their next attempt. */
  failed(): IterableIterator<Operation> {
    return this.#failed.values();
  }

  /** Records that the pin is to be pinned or unpinned. The last intent counts. */
  want(kind: OperationKind, key: string, pin: Pin, now: Instant): WantResult {
    const slot = this.#slots.get(key);
    if (slot === undefined) {
      if (!this.hasRoom) return { isAccepted: false, mustAbort: false };
      const fresh: Slot = {
        key,
        kind,
        pin,
        phase: 'queued',
        attempts: 0,
        isPriority: false,
        cause: 'none',
        error: '',
        wantedNanos: now.wallNanos,
        cutOffCount: 0,
        isAlone: false,
        sinceNanos: now.wallNanos,
        generation: 0,
        isBusy: false,
        retryAtMs: 0,
      };
      this.#slots.set(key, fresh);
      this.#enqueue(fresh, now);
      return { isAccepted: true, mustAbort: false };
    }
    const isSameAct = slot.kind === kind && (kind === 'unpin' || slot.pin.maxDepth === pin.maxDepth);
    slot.pin = pin;
    // The running or waiting attempt already does what is wanted.
    if (isSameAct && slot.phase !== 'error') return { isAccepted: true, mustAbort: false };
    const mustAbort = slot.isBusy && !isSameAct;
    if (!isSameAct) {
      slot.kind = kind;
      slot.attempts = 0;
      slot.cutOffCount = 0;
      slot.isAlone = false;
      slot.wantedNanos = now.wallNanos;
      slot.generation += 1;
    }
    this.#enqueueAnew(slot, now);
    return { isAccepted: true, mustAbort };
  }

  /** Forgets what was wanted of a pin, unless an attempt is running. */
  drop(key: string): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined || slot.isBusy) return false;
    this.#remove(slot);
    return true;
  }

  /** The operation of a kind that starts next; `undefined` when none is ready. */
  next(kind: OperationKind): Operation | undefined {
    return kind === 'unpin' ? firstIdle(this.#unpins) : (firstIdle(this.#priorityPins) ?? firstIdle(this.#pins));
  }

  /** The next unpin to start, now running; `undefined` when none is ready. */
  takeUnpin(now: Instant): Ticket | undefined {
    const slot = firstIdle(this.#unpins);
    return slot && this.#begin(slot, now);
  }

  /**
   * The next pins to start, now running, in order: one, or up to `most` that may share a request. Those are whole trees with nothing
   * special about them that were never begun; what has failed before must not hold up others. Empty when none is ready.
   */
  takePins(most: number, now: Instant): Ticket[] {
    const tickets: Ticket[] = [];
    for (const queue of [this.#priorityPins, this.#pins]) {
      for (const slot of queue.values()) {
        if (slot.isBusy) continue;
        const isShared = mayShare(slot);
        if (!isShared && tickets.length > 0) return tickets;
        tickets.push(this.#begin(slot, now));
        if (!isShared || tickets.length >= most) return tickets;
      }
    }
    return tickets;
  }

  #begin(slot: Slot, now: Instant): Ticket {
    this.#dequeue(slot);
    slot.phase = 'running';
    slot.isBusy = true;
    slot.attempts += 1;
    slot.sinceNanos = now.wallNanos;
    return { operation: slot, kind: slot.kind, pin: slot.pin, generation: slot.generation };
  }

  /**
   * A request of several was not carried out whole, and which of them are to blame is not known: they go alone, uncounted, before all
   * others of their queues. With `failure`, as when IPFS was lost, that is what is shown of them meanwhile.
   */
  putBack(tickets: readonly Ticket[], failure: Failure | undefined, now: Instant): void {
    const slots = tickets.flatMap((ticket) => this.#ended(ticket) ?? []);
    const queues = new Set<Map<string, Slot>>();
    const waiting = [...this.#priorityPins.values(), ...this.#pins.values()];
    for (const slot of slots) {
      slot.attempts -= 1;
      slot.isAlone = true;
      if (failure !== undefined) {
        slot.cause = failure.cause;
        slot.error = failure.error;
      }
      this.#enqueue(slot, now);
      queues.add(this.#queueOf(slot));
    }
    // A map has no front to insert at.
    for (const slot of waiting) {
      const queue = this.#queueOf(slot);
      if (queues.has(queue) && queue.delete(slot.key)) queue.set(slot.key, slot);
    }
  }

  /** The attempt has ended well. `false`: it was replaced meanwhile, and its result says nothing about what is wanted. */
  succeeded(ticket: Ticket): boolean {
    const slot = this.#ended(ticket);
    if (slot === undefined) return false;
    this.#remove(slot);
    return true;
  }

  /** The attempt has failed. Returns the delay until the next one, or `undefined` when it was replaced meanwhile. */
  failedWith(ticket: Ticket, failure: Failure, now: Instant): number | undefined {
    const slot = this.#ended(ticket);
    if (slot === undefined) return undefined;
    slot.cutOffCount = 0;
    return this.#fail(slot, failure, now);
  }

  #fail(slot: Slot, { cause, error }: Failure, now: Instant): number {
    const delayMs = this.#retryDelayMs(slot.attempts);
    slot.phase = 'error';
    slot.cause = cause;
    slot.error = error;
    slot.sinceNanos = now.wallNanos;
    slot.retryAtMs = now.ms + delayMs;
    this.#failed.set(slot.key, slot);
    if (this.#failed.size > this.#options.errorsMax) {
      const oldest = this.#failed.values().next().value;
      if (oldest !== undefined) this.#remove(oldest);
    }
    return delayMs;
  }

  /**
   * The attempt was cut off by the loss of IPFS: it waits in the queue, uncounted, with the cause to show. One that is cut off again and
   * again may be what IPFS dies of: it has failed then, with a delay, as by `failedWith`.
   */
  cutOff(ticket: Ticket, failure: Failure, now: Instant): number | undefined {
    const slot = this.#ended(ticket);
    if (slot === undefined) return undefined;
    slot.cutOffCount += 1;
    if (slot.cutOffCount > cutOffsMax) return this.#fail(slot, failure, now);
    slot.attempts -= 1;
    slot.cause = failure.cause;
    slot.error = failure.error;
    this.#enqueue(slot, now);
    return undefined;
  }

  /** Puts failed operations whose delay is over back into their queues, as many as there is room for. */
  retryDue(now: Instant): void {
    for (const slot of this.#failed.values()) {
      if (!this.hasRoom) return;
      if (slot.retryAtMs <= now.ms) this.#enqueue(slot, now);
    }
  }

  /** Puts one failed operation back into its queue at once. */
  retry(key: string, now: Instant): boolean {
    const slot = this.#failed.get(key);
    if (slot === undefined) return false;
    this.#enqueueAnew(slot, now);
    return true;
  }

  /** All operations: running ones, then the queues in the order in which they start, then failed ones. */
  listed(): ListedOperation[] {
    const listed: ListedOperation[] = [];
    const queues = { priority: this.#priorityPins, normal: this.#pins, unpin: this.#unpins } as const;
    for (const slot of this.#slots.values()) {
      if (slot.phase === 'running') listed.push({ operation: slot, queue: 'none', position: 0 });
    }
    for (const queue of ['priority', 'normal', 'unpin'] as const) {
      let position = 0;
      for (const slot of queues[queue].values()) listed.push({ operation: slot, queue, position: ++position });
    }
    for (const slot of this.#failed.values()) listed.push({ operation: slot, queue: 'none', position: 0 });
    return listed;
  }

  /** Common end of an attempt; `undefined` when the attempt was not the wanted one any more. */
  #ended(ticket: Ticket): Slot | undefined {
    const slot = this.#slots.get(ticket.operation.key);
    if (slot === undefined) return undefined;
    slot.isBusy = false;
    return slot.generation === ticket.generation ? slot : undefined;
  }

  /** Somebody asks for it now: what failed before is no longer the cause of anything. */
  #enqueueAnew(slot: Slot, now: Instant): void {
    slot.cause = 'none';
    slot.error = '';
    this.#enqueue(slot, now);
  }

  #enqueue(slot: Slot, now: Instant): void {
    this.#dequeue(slot);
    slot.phase = 'queued';
    slot.sinceNanos = now.wallNanos;
    slot.isPriority = slot.kind === 'pin' && this.#hasPriority(slot, now);
    this.#queueOf(slot).set(slot.key, slot);
  }

  #dequeue(slot: Slot): void {
    this.#failed.delete(slot.key);
    this.#priorityPins.delete(slot.key);
    this.#pins.delete(slot.key);
    this.#unpins.delete(slot.key);
  }

  #remove(slot: Slot): void {
    this.#dequeue(slot);
    this.#slots.delete(slot.key);
  }

  #queueOf(slot: Slot): Map<string, Slot> {
    if (slot.kind === 'unpin') return this.#unpins;
    return slot.isPriority ? this.#priorityPins : this.#pins;
  }

  #hasPriority(slot: Slot, now: Instant): boolean {
    if (slot.attempts > this.#options.priorityAttemptsMax || slot.pin.timestamp === null) return false;
    const nowSeconds = Number(now.wallNanos / 1_000_000_000n);
    return nowSeconds - slot.pin.timestamp.seconds < this.#options.priorityAgeSeconds;
  }

  #retryDelayMs(attempts: number): number {
    const { retryDelayMinMs: min, retryDelayMaxMs: max } = this.#options;
    const delayMs = Math.min(max, min * 2 ** Math.min(attempts - 1, 30));
    // Half of it is random, so that many pins that failed together do not come back together.
    return delayMs / 2 + (delayMs / 2) * (this.#random.integer(1024) / 1024);
  }
}

function mayShare({ pin, attempts, isAlone }: Slot): boolean {
  if (isAlone || attempts > 0 || pin.maxDepth >= 0 || pin.pinUpdate !== null) return false;
  return (pin.origins === null || pin.origins.length === 0) && pin.cid.bytes.length <= sharedCidLengthMax;
}

/** The oldest entry whose pin has no attempt running. Busy ones are few: each was replaced while it ran. */
function firstIdle(queue: ReadonlyMap<string, Slot>): Slot | undefined {
  for (const slot of queue.values()) if (!slot.isBusy) return slot;
  return undefined;
}
