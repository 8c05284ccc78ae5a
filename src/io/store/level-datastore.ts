/** The `Datastore` port over LevelDB. */
import { join } from 'node:path';
import { assert, errorCode, OperatingError, utf8Decode } from '../../base/index.ts';
import type { Datastore, DatastoreEntry, DatastoreOp, KeyRange, ScanOptions, TextEntry } from '../../cluster/ports.ts';
import { attempt } from './errors.ts';
import { type Files, type OpenFile, systemFiles } from './files.ts';
import { type Level, levelError, openLevel } from './level.ts';

const pageSizeDefault = 1000;
/** The first page is shorter: what reads it can begin at once. */
const firstPageSize = 64;
/**
 * Bytes that one page may hold; a page of pins is far below. LevelDB's own default of 16 KiB would cut pages short. Pages of a scan
 * need not stay in its cache of hot blocks.
 */
const scanOptions = { highWaterMarkBytes: 1 << 20, fillCache: false } as const;

/** The names of LevelDB's write-ahead logs. Source: LevelDB `db/filename.cc` `LogFileName`. */
const writeAheadLog = /^\d+\.log$/;

/**
 * Opens, or makes, the store in `folder`. `files` syncs what LevelDB does not.
 * Errors: `store/locked`, `store/damaged`, `store/full`, `store/io`; from `batch` and `scan` the last three.
 */
export async function openDatastore(folder: string, files: Files = systemFiles): Promise<Datastore> {
  return new LevelDatastore(folder, await openLevel(folder), files);
}

/** What a scan needs of LevelDB's iterator. */
interface Pages<Key> {
  nextv(size: number): Promise<[Key, Uint8Array][]>;
  close(): Promise<void>;
}

class LevelDatastore implements Datastore {
  readonly #folder: string;
  readonly #level: Level;
  readonly #files: Files;
  #isWriting = false;

  constructor(folder: string, level: Level, files: Files) {
    this.#folder = folder;
    this.#level = level;
    this.#files = files;
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
      if (options.durable) await this.#syncLogs();
      const batch = this.#level.batch();
      for (const op of ops) {
        if (op.type === 'put') batch.put(op.key, op.value);
        else batch.del(op.key);
      }
      await batch.write({ sync: options.durable });
      // It may have begun a new log.
      if (options.durable) await this.#syncFolder();
    } catch (error) {
      if (error instanceof OperatingError) throw error;
      throw levelError(`Cannot write to "${this.#folder}"`, error);
    } finally {
      this.#isWriting = false;
    }
  }

  /**
   * LevelDB syncs the log that a batch goes to, and never the ones before: it closes them without a sync (`DBImpl::MakeRoomForWrite`)
   * and reads them at the next open until a table has what is in them.
   */
  async #syncLogs(): Promise<void> {
    await attempt(`Cannot write to "${this.#folder}"`, async () => {
      for (const name of await this.#files.list(this.#folder)) {
        if (writeAheadLog.test(name)) await this.#syncLog(join(this.#folder, name));
      }
    });
    await this.#syncFolder();
  }

  async #syncLog(path: string): Promise<void> {
    let file: OpenFile;
    try {
      file = await this.#files.open(path, 'update');
    } catch (error) {
      // Deleted meanwhile: a table, which LevelDB syncs, has it all.
      if (errorCode(error) === 'ENOENT') return;
      throw error;
    }
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  #syncFolder(): Promise<void> {
    return attempt(`Cannot write to "${this.#folder}"`, () => this.#files.syncFolder(this.#folder));
  }

  scan(range: KeyRange, options?: ScanOptions): AsyncIterable<DatastoreEntry[]> {
    const { start: gte, end: lt } = range;
    return this.#scan(() => this.#level.iterator({ ...scanOptions, gte, lt }), options);
  }

  scanText(range: KeyRange, options?: ScanOptions): AsyncIterable<TextEntry[]> {
    const [gte, lt] = [utf8Decode(range.start), utf8Decode(range.end)];
    const keys = { ...scanOptions, gte, lt, keyEncoding: 'utf8' } as const;
    return this.#scan(() => this.#level.iterator<string, Uint8Array>(keys), options);
  }

  #scan<Key>(
    open: () => Pages<Key>,
    { pageSize = pageSizeDefault, signal }: ScanOptions = {},
  ): AsyncIterable<[Key, Uint8Array][]> {
    assert(Number.isInteger(pageSize) && pageSize >= 1, 'pageSize >= 1');
    return { [Symbol.asyncIterator]: () => this.#pages(open, pageSize, signal) };
  }

  async *#pages<Key>(
    open: () => Pages<Key>,
    pageSize: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<[Key, Uint8Array][], void, undefined> {
    signal?.throwIfAborted();
    // LevelDB takes the snapshot when the iterator is made.
    const iterator = open();
    try {
      let next = iterator.nextv(Math.min(firstPageSize, pageSize));
      for (;;) {
        const page = await next;
        if (page.length === 0) return;
        signal?.throwIfAborted();
        // Read while the page is worked on. Its failure is that of the next turn, if there is one.
        next = iterator.nextv(pageSize);
        next.catch(() => {});
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
