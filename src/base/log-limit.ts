/** At most one line per cause and minute, however often the cause returns. */
import type { Clock } from './clock.ts';

const periodMsDefault = 60_000;
/** Causes remembered; all are forgotten when more come. */
const causesMax = 1000;

/** Says whether a cause may be logged now. */
export class LogLimit {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #lastMs = new Map<string, number>();

  constructor(clock: Clock, periodMs: number = periodMsDefault) {
    this.#clock = clock;
    this.#periodMs = periodMs;
  }

  /** True at most once per cause and period. */
  allows(cause: string): boolean {
    const nowMs = this.#clock.now();
    const lastMs = this.#lastMs.get(cause);
    if (lastMs !== undefined && nowMs - lastMs < this.#periodMs) return false;
    if (this.#lastMs.size >= causesMax) this.#lastMs.clear();
    this.#lastMs.set(cause, nowMs);
    return true;
  }
}
