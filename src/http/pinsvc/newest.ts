/** The newest of any number of items, of which no more are held than asked for. */
import { byCreated, compareTimes, type Time } from '../../model/index.ts';

export class Newest<T extends { readonly created: Time }> {
  readonly #max: number;
  #items: T[] = [];
  /** The oldest that may still be among the newest. */
  #threshold: Time | undefined;

  /** @param max how many; twice as many are held at times */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether an item of this second can be among the newest: what cannot need not be made. */
  mayTake(seconds: number): boolean {
    return this.#threshold === undefined || seconds >= this.#threshold.seconds;
  }

  add(item: T): void {
    if (this.#threshold !== undefined && compareTimes(item.created, this.#threshold) < 0) return;
    this.#items.push(item);
    if (this.#items.length >= 2 * this.#max) this.#cut();
  }

  /** Newest first. */
  take(): readonly T[] {
    this.#cut();
    return this.#items;
  }

  #cut(): void {
    this.#items.sort(byCreated);
    if (this.#items.length > this.#max) this.#items.length = this.#max;
    if (this.#items.length === this.#max) this.#threshold = this.#items.at(-1)?.created;
  }
}
