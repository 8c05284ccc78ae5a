/** A `Datastore` in memory that remembers its batches, to be opened again as a crash would have left it. */
import type { SeededRandom } from '../../src/base/index.ts';
import { createMemoryDatastore } from '../../src/cluster/index.ts';
import type {
  Datastore,
  DatastoreEntry,
  DatastoreOp,
  KeyRange,
  ScanOptions,
  TextEntry,
} from '../../src/cluster/ports.ts';

interface Batch {
  readonly ops: readonly DatastoreOp[];
  readonly durable: boolean;
}

export class RecordedStore implements Datastore {
  readonly batches: Batch[] = [];
  /** The batch of this number and all after it fail, as on a full disk. */
  failsFrom: number = Number.POSITIVE_INFINITY;
  readonly #store = createMemoryDatastore();

  /** What the end of the process leaves: the first `count` batches. */
  after(count: number): Promise<RecordedStore> {
    return this.#with(this.batches.slice(0, count));
  }

  /** What a power cut leaves: all up to the last durable batch, and of the others any. */
  afterPowerCut(random: SeededRandom): Promise<RecordedStore> {
    const synced = this.batches.findLastIndex(({ durable }) => durable);
    return this.#with(this.batches.filter((_, number) => number <= synced || random.integer(2) === 0));
  }

  async #with(batches: readonly Batch[]): Promise<RecordedStore> {
    const store = new RecordedStore();
    for (const { ops, durable } of batches) await store.batch(ops, { durable });
    return store;
  }

  /** Everything that is in it. */
  async entries(): Promise<DatastoreEntry[]> {
    const all: DatastoreEntry[] = [];
    for await (const page of this.scan({ start: new Uint8Array(0), end: new Uint8Array([0xff]) })) all.push(...page);
    return all;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#store.get(key);
  }

  async batch(ops: readonly DatastoreOp[], options: { readonly durable: boolean }): Promise<void> {
    if (this.batches.length >= this.failsFrom) throw new Error('no space left on device');
    this.batches.push({ ops: structuredClone(ops), durable: options.durable });
    await this.#store.batch(ops, options);
  }

  scan(range: KeyRange, options?: ScanOptions): AsyncIterable<DatastoreEntry[]> {
    return this.#store.scan(range, options);
  }

  scanText(range: KeyRange, options?: ScanOptions): AsyncIterable<TextEntry[]> {
    return this.#store.scanText(range, options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
