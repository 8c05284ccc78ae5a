/** The `Pinset` port over a map. */
import type { Pinset } from '../../src/cluster/ports.ts';
import { type Cid, type Pin, stateKey } from '../../src/model/index.ts';

export class MemoryPinset implements Pinset {
  readonly #pins = new Map<string, Pin>();

  add(...pins: readonly Pin[]): void {
    for (const pin of pins) this.#pins.set(stateKey(pin.cid), pin);
  }

  remove(cid: Cid): void {
    this.#pins.delete(stateKey(cid));
  }

  get(cid: Cid): Pin | undefined {
    return this.#pins.get(stateKey(cid));
  }

  has(cid: Cid): boolean {
    return this.#pins.has(stateKey(cid));
  }

  count(): number {
    return this.#pins.size;
  }

  async kinds(): Promise<undefined> {
    return undefined;
  }

  async *pages(
    options: { readonly signal?: AbortSignal; readonly pageSize?: number } = {},
  ): AsyncGenerator<Pin[], void> {
    const { pageSize = 1000, signal } = options;
    const sorted = [...this.#pins].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pin]) => pin);
    for (let at = 0; at < sorted.length; at += pageSize) {
      signal?.throwIfAborted();
      await null;
      yield sorted.slice(at, at + pageSize);
    }
  }
}
