import type { Random } from '../../base/index.ts';

/** Choices within one step, from the number of the step: quick to begin, and good enough for a few draws. */
export class StepRandom implements Random {
  #state = 0;

  begin(number: number): void {
    this.#state = number;
  }

  integer(limit: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    return ((word ^ (word >>> 16)) >>> 0) % limit;
  }
}
