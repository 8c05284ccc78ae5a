/** The `Pinset` port over a map. */
import type { Pinset, StoredPagesOptions } from '../../src/cluster/ports.ts';
import { type Cid, compareTimes, encodePin, type Pin, StoredPin, stateKey } from '../../src/model/index.ts';

export class MemoryPinset implements Pinset {
  readonly #pins = new Map<string, Pin>();

  #revision = {};

  add(...pins: readonly Pin[]): void {
    this.#revision = {};
    for (const pin of pins) this.#pins.set(stateKey(pin.cid), pin);
  }

  remove(cid: Cid): void {
    this.#revision = {};
    this.#pins.delete(stateKey(cid));
  }

  get(cid: Cid): Pin | undefined {
    return this.#pins.get(stateKey(cid));
  }

  has(cid: Cid): boolean {
    return this.#pins.has(stateKey(cid));
  }

  async *storedPages({ after, ...options }: StoredPagesOptions = {}): AsyncGenerator<StoredPin[], void> {
    for await (const page of this.pages(options)) {
      yield page.filter(({ cid }) => after === undefined || stateKey(cid) > after).map(storedOf);
    }
  }

  revision(): object {
    return this.#revision;
  }

  stored(key: string): StoredPin | undefined {
    const pin = this.#pins.get(key);
    return pin && storedOf(pin);
  }

  count(): number {
    return this.#pins.size;
  }

  async kinds(): Promise<undefined> {
    return undefined;
  }

  async *expiring(options: PageOptions = {}): AsyncGenerator<Pin[], void> {
    const pins = [...this.#pins.values()].filter(({ expireAt }) => expireAt !== null);
    yield* inPages(
      pins.sort((a, b) => compareTimes(a.expireAt, b.expireAt)),
      options,
    );
  }

  async *pages(options: PageOptions = {}): AsyncGenerator<Pin[], void> {
    yield* inPages(
      [...this.#pins].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pin]) => pin),
      options,
    );
  }
}

function storedOf(pin: Pin): StoredPin {
  return new StoredPin(stateKey(pin.cid), encodePin(pin));
}

interface PageOptions {
  readonly signal?: AbortSignal;
  readonly pageSize?: number;
}

async function* inPages(sorted: readonly Pin[], { pageSize = 1000, signal }: PageOptions): AsyncGenerator<Pin[], void> {
  for (let at = 0; at < sorted.length; at += pageSize) {
    signal?.throwIfAborted();
    await null;
    yield sorted.slice(at, at + pageSize);
  }
}
