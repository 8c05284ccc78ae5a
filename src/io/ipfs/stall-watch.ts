/** Ends a pin that makes no progress. Progress is a growing count of blocks; a repeated count is none. */
import type { Cancel, Clock } from '../../base/index.ts';
import { formatGoDuration } from '../../model/index.ts';

export class StallWatch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #outer: AbortSignal;
  readonly #controller = new AbortController();
  readonly #abort = (): void => this.#controller.abort(this.#outer.reason);
  #blocks = 0;
  #lastMs: number;
  #cancel: Cancel | undefined;
  isStalled = false;

  constructor(clock: Clock, limitMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#outer = outer;
    this.#lastMs = clock.now();
    if (outer.aborted) this.#abort();
    outer.addEventListener('abort', this.#abort, { once: true });
    this.#arm(limitMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  progress(blocks: number): void {
    if (blocks <= this.#blocks) return;
    this.#blocks = blocks;
    this.#lastMs = this.#clock.now();
  }

  end(): void {
    this.#cancel?.();
    this.#outer.removeEventListener('abort', this.#abort);
  }

  /** How far it came. */
  report(): string {
    return `no new block in ${formatGoDuration(this.#limitMs)}, ${this.#blocks} fetched so far`;
  }

  #arm(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      const restMs = this.#lastMs + this.#limitMs - this.#clock.now();
      if (restMs > 0) return this.#arm(restMs);
      this.isStalled = true;
      this.#controller.abort();
    });
  }
}
