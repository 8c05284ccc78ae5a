/** Writes new holders of pins, not faster than allowed, and never over what somebody else has written meanwhile. */
import { type Clock, errorCode, pause } from '../base/index.ts';
import { type PeerId, type Pin, timeFromNanos } from '../model/index.ts';
import type { CallOptions, Consensus } from './ports.ts';

export interface AllocationWriterDeps {
  readonly consensus: Consensus;
  readonly clock: Clock;
}

export class AllocationWriter {
  readonly #deps: AllocationWriterDeps;
  readonly #intervalMs: number;
  #nextMs = 0;

  /** `maxPerSecond`: over all writes that take their turn. */
  constructor(maxPerSecond: number, deps: AllocationWriterDeps) {
    this.#deps = deps;
    this.#intervalMs = 1000 / maxPerSecond;
  }

  /** Resolves when the next write may leave. Those that wait leave one after the other. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = this.#deps.clock.now();
    const atMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = atMs + this.#intervalMs;
    if (atMs > nowMs) await pause(this.#deps.clock, atMs - nowMs, signal);
    signal.throwIfAborted();
  }

  /** `false`: the pin has changed since `pin` was read, and nothing was written. Fails as a write does. */
  async write(pin: Pin, allocations: readonly PeerId[], call: CallOptions): Promise<boolean> {
    const timestamp = timeFromNanos(this.#deps.clock.wallNanos());
    try {
      await this.#deps.consensus.logPin({ ...pin, allocations, timestamp }, { ...call, onlyIf: pin });
      return true;
    } catch (error) {
      if (errorCode(error) === 'consensus/changed') return false;
      throw error;
    }
  }
}
