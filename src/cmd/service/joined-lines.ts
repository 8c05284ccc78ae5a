/**
 * Joins lines that come shortly after one another into one write. A write for each would be a part of the cost of a request that is
 * told of by one.
 */
import type { Cancel, Clock } from '../../base/index.ts';

/** A line that comes so long after the last write, in milliseconds, does not wait; others wait no longer. */
const groupMs = 50;
/** Characters that are written without waiting for more. */
const lengthMax = 16 * 1024;

export class JoinedLines {
  readonly #output: (text: string) => void;
  readonly #clock: Clock;
  #waiting = '';
  #cancel: Cancel | undefined;
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(output: (text: string) => void, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  /** Line ends included. */
  write(line: string): void {
    this.#waiting += line;
    if (this.#cancel === undefined) {
      const leftMs = this.#writtenMs + groupMs - this.#clock.now();
      if (leftMs > 0) this.#cancel = this.#clock.after(leftMs, () => this.flush());
      else this.flush();
    } else if (this.#waiting.length >= lengthMax) {
      this.flush();
    }
  }

  /** Writes what waits. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    this.#writtenMs = this.#clock.now();
    this.#output(text);
  }
}
