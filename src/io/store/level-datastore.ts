/** The `Datastore` port over LevelDB. */
import { assert } from '../../base/index.ts';
import type { Datastore, DatastoreEntry, DatastoreOp, KeyRange } from '../../cluster/ports.ts';
import { type Level, levelError, openLevel } from './level.ts';

const pageSizeDefault = 1000;
/** Bytes that one page may hold; a page of pins is far below. LevelDB's own default of 16 KiB would cut pages short. */
const pageBytesMax = 1 << 20;

/**
 * Opens, or makes, the store in `folder`.
 * Errors: `store/locked`, `store/damaged`, `store/full`, `store/io`; from `batch` and `scan` the last three.
 */
export async function openDatastore(folder: string): Promise<Datastore> {
  return new LevelDatastore(folder, await openLevel(folder));
}

class LevelDatastore implements Datastore {
  readonly #folder: string;
  readonly #level: Level;
  #isWriting = false;

  constructor(folder: string, level: Level) {
    this.#folder = folder;
    this.#level = level;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#level.getSync(key);
    } catch (error) {
      throw levelError(`Cannot read from "${this.#folder}"`, error);
    }
  }

  async batch(ops: readonly DatastoreOp[], options: { readonly durable: boolean }): Promise<void> {
    // LevelDB does not keep the order of concurrent batches.
    assert(!this.#isWriting, 'one batch is in flight at a time');
    this.#isWriting = true;
    try {
      const batch = this.#level.batch();
      for (const op of ops) {
        if (op.type === 'put') batch.put(op.key, op.value);
        else batch.del(op.key);
      }
      await batch.write({ sync: options.durable });
    } catch (error) {
      throw levelError(`Cannot write to "${this.#folder}"`, error);
    } finally {
      this.#isWriting = false;
    }
  }

  scan(
    range: KeyRange,
    options: { readonly pageSize?: number; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<DatastoreEntry[]> {
    const { pageSize = pageSizeDefault, signal } = options;
    assert(Number.isInteger(pageSize) && pageSize >= 1, 'pageSize >= 1');
    return { [Symbol.asyncIterator]: () => this.#pages(range, pageSize, signal) };
  }

  async *#pages(
    range: KeyRange,
    pageSize: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<DatastoreEntry[], void, undefined> {
    signal?.throwIfAborted();
    // LevelDB takes the snapshot when the iterator is made. Pages of a scan need not stay in its cache of hot blocks.
    const iterator = this.#level.iterator({
      gte: range.start,
      lt: range.end,
      fillCache: false,
      highWaterMarkBytes: pageBytesMax,
    });
    try {
      for (;;) {
        const page = await iterator.nextv(pageSize);
        if (page.length === 0) return;
        signal?.throwIfAborted();
        yield page;
        signal?.throwIfAborted();
      }
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : levelError(`Cannot read from "${this.#folder}"`, error);
    } finally {
      await iterator.close();
    }
  }

  async close(): Promise<void> {
    await this.#level.close();
  }
}
