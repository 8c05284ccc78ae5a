/**
 * Carries out what is to be done on the IPFS node: the operations of the table, as many at once as the configuration says.
 *
 * What fails comes back by itself after a growing delay. While IPFS is away nothing starts. A pin is recorded as owned before it
 * is begun, and forgotten after its unpin. One that cannot be recorded has failed: nobody would know that it is to go again.
 *
 * Pins share requests while the node is quick (`RequestSize`). What a shared request has not brought to an end goes alone, without
 * counting as an attempt: the cause, the attempts and the time are those of each pin. The node is asked again then for what it
 * has pinned already, which costs it nothing.
 */
import { type Cancel, errorCode, errorMessage, LogLimit } from '../../base/index.ts';
import {
  causeOf,
  type Instant,
  type OperationKind,
  OperationTable,
  RequestSize,
  type Ticket,
} from '../../core/track/index.ts';
import type { Cid, Pin } from '../../model/index.ts';
import { notRecorded } from '../errors.ts';
import type { HeldPins } from './held-pins.ts';
import type { OwnedPins } from './owned-pins.ts';
import type { TrackerDeps, TrackerOptions } from './tracker.ts';

/** Enough to keep the workers busy, little enough to be objects. Source: measured, see `bench`. */
const windowMax = 2000;
const errorsMax = 10_000;
const retryTickMs = 1000;
/** After this long, the pins of a shared request go alone. Their unpins wait for no more than that. */
const sharedLimitMs = 1000;

export interface WorkersDeps extends Pick<TrackerDeps, 'ipfs' | 'clock' | 'random' | 'logger'> {
  readonly owned: OwnedPins;
  readonly held: HeldPins;
  /** The window is full: something was not kept and has to be found again. */
  readonly onRefused: (kind: OperationKind, key: string) => void;
  /** An attempt has ended. */
  readonly onEnded: () => void;
  /** The operation of a pin has begun, changed or ended. */
  readonly onChanged: (key: string, pin: Pin) => void;
}

export class Workers {
  readonly operations: OperationTable;
  /** Operations that are queued or running, at most. */
  readonly windowMax: number;
  readonly #options: TrackerOptions;
  readonly #deps: WorkersDeps;
  readonly #logLimit: LogLimit;
  readonly #running = new Map<string, AbortController>();
  readonly #shared = new Set<AbortController>();
  /** Requests. */
  readonly #runningCount = { pin: 0, unpin: 0 };
  readonly #requestSize: RequestSize;
  #isWaitingForRecord = false;
  /** Pins that are recorded as owned but were not begun yet; each has an operation. */
  readonly #recordedAhead = new Set<string>();
  #state: 'waiting' | 'started' | 'stopped' = 'waiting';
  #retryTimer: Cancel | undefined;
  #roomWaiters: (() => void)[] = [];

  constructor(options: TrackerOptions, deps: WorkersDeps) {
    this.#options = options;
    this.#deps = deps;
    this.windowMax = Math.min(windowMax, options.maxPinQueueSize);
    this.operations = new OperationTable(
      {
        windowMax: this.windowMax,
        errorsMax,
        priorityAgeSeconds: options.priorityPinMaxAgeMs / 1000,
        priorityAttemptsMax: options.priorityPinMaxRetries,
        retryDelayMinMs: options.retryDelayMinMs ?? 5000,
        retryDelayMaxMs: options.reconcileIntervalMs,
      },
      deps.random,
    );
    this.#requestSize = new RequestSize(options.pinsPerRequest);
    this.#logLimit = new LogLimit(deps.clock);
  }

  start(): void {
    this.#state = 'started';
  }

  /** Ends everything that runs, and every wait for room. */
  stop(): void {
    this.#state = 'stopped';
    this.#retryTimer?.();
    for (const abort of [...this.#running.values(), ...this.#shared]) abort.abort();
    this.#wakeRoomWaiters();
  }

  /** Resolves when nothing runs any more. */
  async ended(): Promise<void> {
    while (this.#running.size + this.#shared.size > 0) await this.#room();
  }

  /** Notes what is to be done, the last intent counting, and starts it if there is a free worker. `false`: the window is full. */
  want(kind: OperationKind, key: string, pin: Pin): boolean {
    const isFirst = this.operations.get(key) === undefined;
    const { isAccepted, mustAbort } = this.operations.want(kind, key, pin, this.now());
    if (!isAccepted) this.#deps.onRefused(kind, key);
    else if (kind === 'pin' && isFirst) this.#recordAhead(key, pin.cid);
    if (isAccepted) this.#deps.onChanged(key, pin);
    if (mustAbort) this.#running.get(key)?.abort();
    this.pump();
    return isAccepted;
  }

  /** Takes a pin back that was not begun, and its record: IPFS knows nothing of it from us. `false`: it may have been begun. */
  takeBack(key: string): boolean {
    if (!this.#recordedAhead.has(key) || !this.operations.drop(key)) return false;
    this.#disown(key);
    this.#freed();
    return true;
  }

  /** Forgets an operation that is not wanted any more. `false`: there is none. */
  drop(key: string): boolean {
    if (!this.operations.drop(key)) return false;
    this.#freed();
    return true;
  }

  /** Tries a failed operation at once. `false`: there is none. */
  retry(key: string): boolean {
    return this.operations.retry(key, this.now());
  }

  /** These are not recorded as owned after all. */
  unrecorded(keys: readonly string[]): void {
    for (const key of keys) this.#recordedAhead.delete(key);
  }

  /** Starts what can be started. */
  pump(): void {
    if (this.#state !== 'started' || !this.#deps.ipfs.isUp()) return;
    const { concurrentPins, concurrentUnpins = 2 } = this.#options;
    this.#startPins(concurrentPins);
    while (this.#runningCount.unpin < concurrentUnpins && this.operations.queuedCount('unpin') > 0) {
      const ticket = this.operations.takeUnpin(this.now());
      if (ticket === undefined) break;
      void this.#run(ticket);
    }
  }

  /** Resolves when one more operation would be kept; rejects when the signal aborts, or the workers stop. */
  async waitForRoom(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wakeRoomWaiters();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!this.operations.hasRoom) {
        signal.throwIfAborted();
        await this.#room();
      }
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  now(): Instant {
    return { ms: this.#deps.clock.now(), wallNanos: this.#deps.clock.wallNanos() };
  }

  /**
   * Already when a pin is queued: pins that are agreed on together are then recorded by one write. Not for one that has an operation:
   * an attempt of it may have been made.
   */
  #recordAhead(key: string, cid: Cid): void {
    const { held, owned } = this.#deps;
    // For what IPFS does not hold, the look into the store costs more than a record that was there already.
    if (held.listed?.get(cid.bytes) !== 'none' && owned.has(key)) return;
    this.#recordedAhead.add(key);
    void owned.add(key);
  }

  #disown(key: string): void {
    this.#recordedAhead.delete(key);
    this.#deps.owned.remove(key);
  }

  #startPins(limit: number): void {
    while (this.#runningCount.pin < limit && !this.#isWaitingForRecord) {
      const next = this.operations.next('pin');
      if (next === undefined) return;
      const written = this.#deps.owned.written(next.key);
      if (written !== undefined) {
        // What is queued meanwhile is recorded with it, and can share its request.
        this.#isWaitingForRecord = true;
        void written.then(() => {
          this.#isWaitingForRecord = false;
          this.pump();
        });
        return;
      }
      const [first, ...more] = this.operations.takePins(this.#requestSize.size, this.now());
      if (first === undefined) return;
      void (more.length === 0 ? this.#run(first) : this.#runShared([first, ...more]));
    }
  }

  /** One attempt of several pins. Never rejects. */
  async #runShared(tickets: readonly Ticket[]): Promise<void> {
    const abort = new AbortController();
    this.#shared.add(abort);
    this.#runningCount.pin += 1;
    this.#tell(tickets);
    try {
      await Promise.all(tickets.map((ticket) => this.#record(ticket)));
      const cids = tickets.map(({ pin }) => pin.cid);
      const beganMs = this.#deps.clock.now();
      await this.#deps.ipfs.pinAll(cids, { signal: abort.signal, timeoutMs: sharedLimitMs });
      this.#requestSize.done(tickets.length, this.#deps.clock.now() - beganMs);
      for (const ticket of tickets) {
        this.#deps.held.note(ticket.pin.cid, 'recursive');
        this.operations.succeeded(ticket);
      }
    } catch (error) {
      this.#requestSize.failed(tickets.length);
      const isCutOff = causeOf(errorCode(error)) === 'unreachable';
      const failure = isCutOff ? { cause: 'unreachable' as const, error: errorMessage(error) } : undefined;
      if (this.#state !== 'stopped') this.operations.putBack(tickets, failure, this.now());
    }
    this.#shared.delete(abort);
    this.#tell(tickets);
    this.#ended('pin');
  }

  /** One attempt. Never rejects. */
  async #run(ticket: Ticket): Promise<void> {
    const { key } = ticket.operation;
    const abort = new AbortController();
    this.#running.set(key, abort);
    this.#runningCount[ticket.kind] += 1;
    this.#tell([ticket]);
    try {
      await this.#act(ticket, abort.signal);
      if (this.operations.succeeded(ticket) && ticket.kind === 'unpin') this.#disown(key);
    } catch (error) {
      this.#failed(ticket, error);
    }
    this.#running.delete(key);
    this.#tell([ticket]);
    this.#ended(ticket.kind);
  }

  /** What a stop has broken off is as it was: nobody is told of it. */
  #tell(tickets: readonly Ticket[]): void {
    if (this.#state === 'stopped') return;
    for (const { operation, pin } of tickets) this.#deps.onChanged(operation.key, pin);
  }

  #ended(kind: OperationKind): void {
    this.#runningCount[kind] -= 1;
    this.pump();
    this.#freed();
  }

  /** An operation has left the window, however it did. */
  #freed(): void {
    if (this.operations.hasRoom || this.#state === 'stopped') this.#wakeRoomWaiters();
    this.#deps.onEnded();
  }

  async #act(ticket: Ticket, signal: AbortSignal): Promise<void> {
    const { ipfs, held, clock } = this.#deps;
    const { kind, pin } = ticket;
    const { cid } = pin;
    if (kind === 'unpin') {
      await ipfs.unpin(cid, { signal });
      held.note(cid, 'none');
      return;
    }
    await this.#record(ticket);
    const beganMs = clock.now();
    try {
      await ipfs.pin(pin, { signal });
    } catch (error) {
      this.#requestSize.failed(1);
      throw error;
    }
    this.#requestSize.done(1, clock.now() - beganMs);
    held.note(cid, pin.maxDepth === 0 ? 'direct' : 'recursive');
  }

  /** Resolves when the pin is recorded as owned; `undefined` when it is. Fails when it cannot be. */
  #record({ operation: { key } }: Ticket): Promise<void> | undefined {
    const { owned } = this.#deps;
    const isRecorded = this.#recordedAhead.delete(key) || owned.has(key);
    return (isRecorded ? owned.written(key) : owned.add(key))?.then((trouble) => {
      if (trouble !== '') throw notRecorded(trouble);
    });
  }

  #failed(ticket: Ticket, error: unknown): void {
    if (this.#state === 'stopped') return;
    const text = errorMessage(error);
    const failure = { cause: causeOf(errorCode(error)), error: text };
    const isCutOff = failure.cause === 'unreachable' && !this.#deps.ipfs.isUp();
    const delayMs = isCutOff
      ? this.operations.cutOff(ticket, failure, this.now())
      : this.operations.failedWith(ticket, failure, this.now());
    if (delayMs === undefined) return;
    if (this.#logLimit.allows(`${ticket.kind}-failed`)) {
      const { cause } = failure;
      const fields = { cid: ticket.pin.cid.toString(), cause, error: text, attempts: ticket.operation.attempts };
      this.#deps.logger.warn(`${ticket.kind} failed, it will be tried again`, fields);
    }
    this.#armRetry();
  }

  #armRetry(): void {
    this.#retryTimer ??= this.#deps.clock.after(retryTickMs, () => {
      this.#retryTimer = undefined;
      this.operations.retryDue(this.now());
      this.pump();
      if (this.operations.failedCount > 0 && this.#state !== 'stopped') this.#armRetry();
    });
  }

  /** Resolves when an operation has ended, or somebody gives up. */
  #room(): Promise<void> {
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  #wakeRoomWaiters(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const wake of waiters) wake();
  }
}
