/**
 * A first-in first-out queue with a fixed limit. What to do when it is full (refuse, drop, wait) is the caller's choice.
 */
import { assert } from './errors.ts';

/** Ring buffer; `0 <= size <= capacity`. All operations take constant time. */
export class BoundedQueue<T> {
  readonly capacity: number;
  #items: (T | undefined)[];
  #head = 0;
  #size = 0;

  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && capacity >= 1, 'a queue has room for at least one item');
    this.capacity = capacity;
    this.#items = new Array(Math.min(capacity, 16));
  }

  get size(): number {
    return this.#size;
  }

  /** @returns false, without keeping the item, when the queue is full. */
  push(item: T): boolean {
    if (this.#size === this.capacity) return false;
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) % this.#items.length] = item;
    this.#size++;
    return true;
  }

  /** The oldest item, taken out; `undefined` when the queue is empty. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#items.length;
    this.#size--;
    return item;
  }

  /** The oldest item, left in. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head];
  }

  clear(): void {
    this.#items = new Array(Math.min(this.capacity, 16));
    this.#head = 0;
    this.#size = 0;
  }

  #grow(): void {
    const larger: (T | undefined)[] = new Array(Math.min(this.capacity, this.#items.length * 2));
    for (let i = 0; i < this.#size; i++) larger[i] = this.#items[(this.#head + i) % this.#items.length];
    this.#items = larger;
    this.#head = 0;
  }
}
