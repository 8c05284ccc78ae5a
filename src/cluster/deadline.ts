/** A limit of time on something that takes an `AbortSignal`, by the peer's clock. */
import type { Clock } from '../base/index.ts';

export class Deadline {
  readonly #controller = new AbortController();
  readonly #cancel: () => void;
  readonly #outer: AbortSignal | undefined;
  readonly #abort = (): void => this.#controller.abort();
  isExpired = false;

  constructor(clock: Clock, limitMs: number, outer: AbortSignal | undefined) {
    this.#outer = outer;
    outer?.addEventListener('abort', this.#abort, { once: true });
    if (outer?.aborted === true) this.#abort();
    this.#cancel = clock.after(limitMs, () => {
      this.isExpired = true;
      this.#controller.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** To be called when the act has ended; gives the timer back. */
  end(): void {
    this.#cancel();
    this.#outer?.removeEventListener('abort', this.#abort);
  }
}
