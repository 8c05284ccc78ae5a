/** Ends a pin that makes no progress. Progress is a growing count of blocks; a repeated count is none. */
import type { Cancel, Clock } from '../../base/index.ts';
import { formatGoDuration } from '../../model/index.ts';
import type { Cut } from './kubo-http.ts';

/** Cuts when the signal aborts, or nothing came for too long. A pin has no second `AbortController` for the latter. */
export class StallWatch implements Cut {
  onCut: (() => void) | undefined;
  isCut = false;
  isStalled = false;
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #outer: AbortSignal;
  readonly #cut = (): void => {
    this.isCut = true;
    this.onCut?.();
  };
  #blocks = 0;
  #lastMs: number;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, limitMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#outer = outer;
    this.#lastMs = clock.now();
    this.isCut = outer.aborted;
    outer.addEventListener('abort', this.#cut, { once: true });
    this.#arm(limitMs);
  }

  get reason(): unknown {
    return this.#outer.reason;
  }

  progress(blocks: number): void {
    if (blocks <= this.#blocks) return;
    this.#blocks = blocks;
    this.#lastMs = this.#clock.now();
  }

  end(): void {
    this.#cancel?.();
    this.#outer.removeEventListener('abort', this.#cut);
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
      this.#cut();
    });
  }
}
