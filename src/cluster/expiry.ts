/**
 * Removes pins when they expire: each by the living member that is nearest to it, so that one does. Pins that are due next are known,
 * as all pins are looked at once at the start, and changes are told from then on; nothing is looked through while nothing is due.
 * Source: Go `cluster.go` `StateSync`; unlike there, a pin goes when it is due and not up to `state_sync_interval` later, and a pin that
 * its user writes again at that moment stays.
 */
import { type Clock, errorCode, errorMessage, type Logger, LogLimit } from '../base/index.ts';
import { compareTimes, type PeerId, type Pin, type Time, timeFromNanos, timeToNanos } from '../model/index.ts';
import type { ClosestPeer } from './closest.ts';
import { DuePins } from './due-pins.ts';
import { InFlight } from './in-flight.ts';
import { Loop } from './loop.ts';
import type { MemberWatch } from './member-watch.ts';
import type { Pinner } from './pinner.ts';
import type { Consensus, PinsetObserver } from './ports.ts';

export interface ExpiryOptions {
  /** After this time a pin is looked at again that should be gone. */
  readonly stateSyncIntervalMs: number;
}

export interface ExpiryDeps {
  readonly self: PeerId;
  readonly consensus: Consensus;
  readonly pinner: Pinner;
  readonly watch: MemberWatch;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Removals at work at once. */
const inFlightMax = 16;
/** Rounds come no closer: pins that are due within it go together. */
const roundMsMin = 200;
/** Between rounds at most: a wall clock that was set is noticed. */
const roundMsMax = 300_000;
const retryMs = 5000;
/** Whoever is nearest may not act, as a follower does not: when a pin was put off as often, every peer removes it. */
const delaysMax = 2;

type ExpiringPin = Pin & { readonly expireAt: Time };

export class Expiry implements PinsetObserver {
  readonly #options: ExpiryOptions;
  readonly #deps: ExpiryDeps;
  readonly #loop: Loop;
  readonly #logLimit: LogLimit;
  readonly #due: DuePins;
  /** All pins were looked at since the state was replaced. */
  #isKnown = false;
  /** When the next round begins, by the wall clock; before all times while one runs, which looks itself. */
  #roundMs = Number.NEGATIVE_INFINITY;

  constructor(options: ExpiryOptions, deps: ExpiryDeps, due: DuePins = new DuePins()) {
    this.#options = options;
    this.#deps = deps;
    this.#due = due;
    this.#logLimit = new LogLimit(deps.clock);
    this.#loop = new Loop('expiry of pins', retryMs, deps, (signal) => this.#round(signal));
  }

  start(): void {
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  onPin(pin: Pin): void {
    if (!expires(pin)) {
      this.#due.delete(pin.cid);
      return;
    }
    const atMs = expiryMs(pin);
    this.#due.set(pin.cid, atMs);
    if (atMs >= this.#roundMs) return;
    this.#roundMs = atMs;
    this.#loop.startIn(Math.max(roundMsMin, atMs - this.#nowMs()));
  }

  onUnpin(pin: Pin): void {
    this.#due.delete(pin.cid);
  }

  onReplaced(): void {
    this.#isKnown = false;
    if (this.#roundMs === Number.NEGATIVE_INFINITY) return;
    this.#roundMs = Number.NEGATIVE_INFINITY;
    this.#loop.wake();
  }

  async #round(signal: AbortSignal): Promise<number> {
    this.#roundMs = Number.NEGATIVE_INFINITY;
    const { actors } = await this.#deps.watch.look();
    const tasks = new InFlight(inFlightMax);
    try {
      if (this.#isKnown && this.#nowMs() < this.#due.horizonMs) await this.#removeDue(actors, tasks, signal);
      else await this.#lookAtAll(actors, tasks, signal);
    } finally {
      await tasks.ended();
    }
    const nowMs = this.#nowMs();
    const nextMs = this.#isKnown ? Math.max(nowMs + roundMsMin, this.#due.nextMs()) : nowMs + roundMsMin;
    this.#roundMs = Math.min(nextMs, nowMs + roundMsMax);
    return this.#roundMs - nowMs;
  }

  async #removeDue(actors: ClosestPeer, tasks: InFlight, signal: AbortSignal): Promise<void> {
    for (const { cid, delays } of this.#due.dueBy(this.#nowMs())) {
      signal.throwIfAborted();
      const pin = this.#deps.consensus.pinset().get(cid);
      if (pin === undefined || !expires(pin)) this.#due.delete(cid);
      else if (!this.#isExpired(pin)) this.#due.set(cid, expiryMs(pin));
      else await this.#maybeRemove(pin, delays > delaysMax, actors, tasks, signal);
    }
  }

  /** Removes what is due, and knows then what is due next. */
  async #lookAtAll(actors: ClosestPeer, tasks: InFlight, signal: AbortSignal): Promise<void> {
    this.#due.clear();
    // What changes from here on is told, and newer than what is found.
    this.#isKnown = true;
    try {
      for await (const page of this.#deps.consensus.pinset().pages({ signal })) {
        for (const pin of page) {
          if (!expires(pin)) continue;
          if (this.#isExpired(pin)) await this.#maybeRemove(pin, false, actors, tasks, signal);
          else this.#due.suggest(pin.cid, expiryMs(pin));
        }
      }
    } catch (error) {
      this.#isKnown = false;
      throw error;
    }
  }

  async #maybeRemove(
    pin: ExpiringPin,
    isAnybodys: boolean,
    actors: ClosestPeer,
    tasks: InFlight,
    signal: AbortSignal,
  ): Promise<void> {
    if (isAnybodys || actors.to(pin.cid) === this.#deps.self) await tasks.begin(() => this.#remove(pin, signal));
    else this.#putOff(pin);
  }

  async #remove(pin: ExpiringPin, signal: AbortSignal): Promise<void> {
    try {
      await this.#deps.pinner.unpinExactly(pin, { signal });
    } catch (error) {
      // Otherwise somebody has decided otherwise meanwhile.
      const isFailure = errorCode(error) !== 'consensus/changed' && !signal.aborted;
      if (isFailure && this.#logLimit.allows('remove')) {
        const { cid } = pin;
        this.#deps.logger.warn('could not unpin an expired pin', { cid: cid.toString(), error: errorMessage(error) });
      }
    }
    this.#putOff(pin);
  }

  /** Unless it is gone, or another one. */
  #putOff({ cid, expireAt }: ExpiringPin): void {
    const pin = this.#deps.consensus.pinset().get(cid);
    if (pin === undefined || !expires(pin)) this.#due.delete(cid);
    else if (compareTimes(pin.expireAt, expireAt) !== 0) this.#due.set(cid, expiryMs(pin));
    else this.#due.putOff(cid, this.#nowMs() + this.#options.stateSyncIntervalMs);
  }

  #isExpired({ expireAt }: ExpiringPin): boolean {
    return compareTimes(expireAt, timeFromNanos(this.#deps.clock.wallNanos())) <= 0;
  }

  #nowMs(): number {
    return Number(this.#deps.clock.wallNanos() / 1_000_000n);
  }
}

/** Shards go with the pin that refers to them. */
function expires(pin: Pin): pin is ExpiringPin {
  return pin.expireAt !== null && pin.type !== 'shard-pin' && pin.type !== 'clusterdag-pin';
}

/** Not before it. */
function expiryMs({ expireAt }: ExpiringPin): number {
  return Number((timeToNanos(expireAt) + 999_999n) / 1_000_000n);
}
