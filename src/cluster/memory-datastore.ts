/** The `Datastore` port in memory, for simulations, tests and peers that shall leave no trace. */
import { assert, compareBytes, copyBytes, utf8Decode } from '../base/index.ts';
import type { Datastore, DatastoreEntry, DatastoreOp, KeyRange, ScanOptions, TextEntry } from './ports.ts';

const pageSizeDefault = 1000;

/** An empty store; what it held is gone when nobody refers to it any more. */
export function createMemoryDatastore(): Datastore {
  return new MemoryDatastore();
}

class MemoryDatastore implements Datastore {
  /** Sorted and never changed: each batch makes a new array, so a scan that holds an old one reads from its snapshot. */
  #entries: readonly DatastoreEntry[] = [];
  #isWriting = false;

  get(key: Uint8Array): Uint8Array | undefined {
    const entry = this.#entries[position(this.#entries, key)];
    return entry !== undefined && compareBytes(entry[0], key) === 0 ? entry[1] : undefined;
  }

  async batch(ops: readonly DatastoreOp[], _options: { readonly durable: boolean }): Promise<void> {
    assert(!this.#isWriting, 'one batch is in flight at a time');
    this.#isWriting = true;
    const entries = merge(this.#entries, ops);
    // As in a store on disk, readers see the batch later, not while the call is made.
    await null;
    this.#entries = entries;
    this.#isWriting = false;
  }

  scan(range: KeyRange, options?: ScanOptions): AsyncGenerator<DatastoreEntry[], void, undefined> {
    return this.#pages(range, (page) => page, options);
  }

  scanText(range: KeyRange, options?: ScanOptions): AsyncGenerator<TextEntry[], void, undefined> {
    const withText = ([key, value]: DatastoreEntry): TextEntry => [utf8Decode(key), value];
    return this.#pages(range, (page) => page.map(withText), options);
  }

  async *#pages<Entry>(
    range: KeyRange,
    entriesOf: (page: DatastoreEntry[]) => Entry[],
    { pageSize = pageSizeDefault, signal }: ScanOptions = {},
  ): AsyncGenerator<Entry[], void, undefined> {
    assert(Number.isInteger(pageSize) && pageSize >= 1, 'pageSize >= 1');
    signal?.throwIfAborted();
    const entries = this.#entries;
    const end = position(entries, range.end);
    for (let at = position(entries, range.start); at < end; at += pageSize) {
      await null;
      signal?.throwIfAborted();
      yield entriesOf(entries.slice(at, Math.min(at + pageSize, end)));
      signal?.throwIfAborted();
    }
  }

  async close(): Promise<void> {}
}

/** Index of the first entry whose key is not below `key`. */
function position(entries: readonly DatastoreEntry[], key: Uint8Array): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && compareBytes(entry[0], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function merge(entries: readonly DatastoreEntry[], ops: readonly DatastoreOp[]): DatastoreEntry[] {
  // Stable sort: of several ops on one key the last of the batch stays last, and wins.
  const sorted = [...ops].sort((a, b) => compareBytes(a.key, b.key));
  const merged: DatastoreEntry[] = [];
  let from = 0;
  for (const [index, op] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next !== undefined && compareBytes(next.key, op.key) === 0) continue;
    const at = position(entries, op.key);
    for (; from < at; from++) merged.push(entries[from] as DatastoreEntry); // from < at <= entries.length
    const old = entries[at];
    if (old !== undefined && compareBytes(old[0], op.key) === 0) from++;
    // Copies: the caller may use its arrays again.
    if (op.type === 'put') merged.push([copyBytes(op.key), copyBytes(op.value)]);
  }
  for (; from < entries.length; from++) merged.push(entries[from] as DatastoreEntry); // from < entries.length
  return merged;
}
