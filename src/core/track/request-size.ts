/** Quick requests in a row before any is of more than one pin. */
const quickInRowMin = 4;
/** A request that takes less is quick; one that takes more than twice as long halves the size. */
const quickMs = 100;
/** At this size, the request is a small part of the cost of a pin. */
const sizeMax = 32;

/**
 * How many pins go into one request to the IPFS node. It carries out the pins of a request one after the other, so one of a tree that
 * nobody has holds up all behind it, while the request itself is most of the cost of a pin whose blocks are there.
 *
 * One each, until the node has pinned some quickly in a row; then twice as many each time as long as it stays quick, and one each again
 * when a request was not carried out whole.
 */
export class RequestSize {
  #size: number;
  #quickInRow = 0;

  /** `size` is that of the first request. */
  constructor(size: number = 1) {
    this.#size = size;
  }

  /** For the next request. */
  get size(): number {
    return this.#size;
  }

  /** A request of so many pins was carried out. */
  done(count: number, ms: number): void {
    if (ms > 2 * quickMs) {
      this.#quickInRow = 0;
      this.#size = Math.max(1, this.#size >>> 1);
    } else if (ms <= quickMs) {
      this.#quickInRow += 1;
      // Few pins at a time say nothing about many.
      const isTried = count >= this.#size && this.#quickInRow >= quickInRowMin;
      if (isTried) this.#size = Math.min(sizeMax, this.#size * 2);
    }
  }

  /** A request of so many pins was not, or not whole. A single pin says little about others: it fails for reasons of its own. */
  failed(count: number): void {
    this.#quickInRow = 0;
    if (count > 1) this.#size = 1;
  }
}
