/** Work that repeats until it is stopped: one round after the other, never two at once. */
import { type Cancel, type Clock, errorMessage, type Logger, LogLimit } from '../base/index.ts';

export interface LoopDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Rounds of work. A round returns the milliseconds until the next one begins, counted from its end. A round that fails
 * is reported (once a minute) and followed by the next one after `retryMs`.
 */
export class Loop {
  readonly #name: string;
  readonly #deps: LoopDeps;
  readonly #round: (signal: AbortSignal) => Promise<number>;
  readonly #retryMs: number;
  readonly #stopping = new AbortController();
  readonly #logLimit: LogLimit;
  #cancel: Cancel | undefined;
  #current: Promise<void> | undefined;
  #isWanted = false;
  /** When the round after the running one is to begin, in place of when it will say. */
  #plannedMs: number | undefined;

  constructor(name: string, retryMs: number, deps: LoopDeps, round: (signal: AbortSignal) => Promise<number>) {
    this.#name = name;
    this.#retryMs = retryMs;
    this.#deps = deps;
    this.#round = round;
    this.#logLimit = new LogLimit(deps.clock);
  }

  /** Begins a round at once, or right after the running one. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    this.#isWanted = true;
    if (this.#current !== undefined) return;
    this.#cancel?.();
    this.#isWanted = false;
    this.#current = this.#runRound().then((delayMs) => {
      this.#current = undefined;
      const plannedMs = this.#plannedMs;
      this.#plannedMs = undefined;
      if (this.#isWanted) this.wake();
      else this.startIn(plannedMs === undefined ? delayMs : Math.max(0, plannedMs - this.#deps.clock.now()));
    });
  }

  /** Begins the next round after a while, in place of when it was due; never before the running one has ended. */
  startIn(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#current !== undefined) {
      this.#plannedMs = this.#deps.clock.now() + delayMs;
      return;
    }
    this.#cancel?.();
    this.#cancel = this.#deps.clock.after(delayMs, () => this.wake());
  }

  /** Resolves when the running round has ended; it is told through its signal. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancel?.();
    await this.#current;
  }

  async #runRound(): Promise<number> {
    try {
      return await this.#round(this.#stopping.signal);
    } catch (error) {
      if (!this.#stopping.signal.aborted && this.#logLimit.allows(this.#name)) {
        this.#deps.logger.warn(`${this.#name} failed, trying again`, { error: errorMessage(error) });
      }
      return this.#retryMs;
    }
  }
}
