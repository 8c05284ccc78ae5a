/**
 * Snapshots of the state, each in a folder `<term>-<index>-<unix ms>` with `meta.json` and `state.bin`. `README.md` beside this file
 * has the fields. Source of the layout: hashicorp/raft `file_snapshot.go`; the form of `meta.json` is our own.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  assert,
  errorCode,
  errorMessage,
  type Logger,
  OperatingError,
  utf8Decode,
  utf8Encode,
} from '../../base/index.ts';
import type { Base, SnapshotStore, SnapshotWriter, StoredSnapshot } from '../../core/raft/index.ts';
import { attempt } from './errors.ts';
import type { Files, OpenFile } from './files.ts';
import { encodeMeta, readMeta, type SnapshotMeta } from './snapshot-meta.ts';

/** `snapshotsRetained`: at least 1. */
export interface SnapshotStoreOptions {
  readonly snapshotsRetained: number;
}

/** What the snapshots are kept with. */
export interface SnapshotStoreDeps {
  readonly files: Files;
  readonly logger: Logger;
  readonly wallMs: () => number;
}

const temporary = '.tmp';
const metaName = 'meta.json';
const stateName = 'state.bin';
const namePattern = /^(\d+)-(\d+)-(\d+)$/;
const chunkBytes = 256 << 10;
/**
 * Bytes that the disk may still have to write. Without a bound the sync at the end makes a write of the log that comes meanwhile
 * wait for all of them: 30 to 50 ms for a snapshot of 100 MB on a disk that writes 1.4 GB in a second, at most 4 ms with it.
 */
const unsyncedBytesMax = 1 << 20;
/** Left for the log, for LevelDB's logs and tables, and for `RaftFolder.probe`: a snapshot must not be what stops the peer. */
const reservedBytes = 20 << 20;
/** A configuration of thousands of members. */
const metaBytesMax = 1 << 20;

/**
 * Opens, or makes, the snapshots in `folder`, and removes what a crash has left unfinished. A snapshot that cannot be read is told to
 * the logger and left where it is. Errors: `store/full`, `store/io`.
 */
export async function openSnapshotStore(
  folder: string,
  options: SnapshotStoreOptions,
  deps: SnapshotStoreDeps,
): Promise<SnapshotStore> {
  const store = new FolderSnapshotStore(folder, options, deps);
  await attempt(`Cannot open "${folder}"`, () => store.open());
  return store;
}

/** A snapshot, with what only this file knows of it. */
interface Kept extends SnapshotMeta {
  readonly name: string;
}

class FolderSnapshotStore implements SnapshotStore {
  readonly #folder: string;
  readonly #options: SnapshotStoreOptions;
  readonly #deps: SnapshotStoreDeps;
  /** The newest first. */
  #kept: readonly Kept[] = [];
  /** To be deleted when nobody reads them any more; not in `#kept`. */
  readonly #rejected = new Set<Kept>();
  /** How many iterations read each. */
  readonly #readers = new Map<Kept, number>();
  #isWriting = false;

  constructor(folder: string, options: SnapshotStoreOptions, deps: SnapshotStoreDeps) {
    assert(options.snapshotsRetained >= 1, 'snapshotsRetained >= 1');
    this.#folder = folder;
    this.#options = options;
    this.#deps = deps;
  }

  async open(): Promise<void> {
    const { files, logger } = this.#deps;
    await files.makeFolder(this.#folder);
    const kept: Kept[] = [];
    for (const name of await files.list(this.#folder)) {
      const path = join(this.#folder, name);
      if (name.endsWith(temporary)) await files.remove(path);
      if (!namePattern.test(name)) continue;
      try {
        kept.push(await this.#recall(name));
      } catch (error) {
        logger.warn('a snapshot cannot be read and is left alone', { path, error: errorMessage(error) });
      }
    }
    this.#kept = kept.sort(newestFirst);
    await this.#drop();
  }

  list(): readonly StoredSnapshot[] {
    return this.#kept;
  }

  async create(base: Base, roomBytes: number = 0): Promise<SnapshotWriter> {
    assert(!this.#isWriting, 'one snapshot is written at a time');
    this.#isWriting = true;
    try {
      return await attempt(`Cannot write a snapshot in "${this.#folder}"`, () => this.#begin(base, roomBytes));
    } catch (error) {
      this.#isWriting = false;
      throw error;
    }
  }

  async *read(snapshot: StoredSnapshot): AsyncGenerator<Uint8Array, void, undefined> {
    const kept = this.#kept.find((one) => one === snapshot);
    const action = `Cannot read the snapshot of entry ${snapshot.base.index} in "${this.#folder}"`;
    if (kept === undefined) throw new OperatingError('store/io', `${action}: it was deleted`);
    this.#readers.set(kept, (this.#readers.get(kept) ?? 0) + 1);
    try {
      const file = await attempt(action, () => this.#deps.files.open(this.#pathOf(kept.name, stateName), 'read'));
      try {
        yield* this.#chunks(kept, file, action);
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#kept = this.#kept.filter((one) => one !== kept);
      if (errorCode(error) === 'store/damaged-snapshot') this.#rejected.add(kept);
      throw error;
    } finally {
      const count = this.#readers.get(kept) ?? 0;
      if (count > 1) this.#readers.set(kept, count - 1);
      else this.#readers.delete(kept);
      await this.#drop();
    }
  }

  async delete(snapshot: StoredSnapshot): Promise<void> {
    const kept = this.#kept.find((one) => one === snapshot);
    if (kept === undefined) return;
    this.#kept = this.#kept.filter((one) => one !== kept);
    this.#rejected.add(kept);
    await this.#drop();
  }

  async #begin(base: Base, roomBytes: number): Promise<SnapshotWriter> {
    const { files, wallMs } = this.#deps;
    const freeBytes = await files.freeBytes(this.#folder);
    if (freeBytes < roomBytes + reservedBytes) {
      const text = `${freeBytes} bytes are free, expected at least ${roomBytes} and ${reservedBytes} for log and state`;
      throw new OperatingError('store/full', `Cannot write a snapshot in "${this.#folder}": ${text}`);
    }
    const names = new Set(await files.list(this.#folder));
    let ms = wallMs();
    while (names.has(nameOf(base, ms))) ms++;
    const name = nameOf(base, ms);
    const folder = this.#pathOf(name + temporary);
    await files.remove(folder);
    try {
      await files.makeFolder(folder);
      const file = await files.open(join(folder, stateName), 'create');
      return new FolderSnapshotWriter(base, file, {
        keep: (meta) => this.#keep({ ...meta, name }),
        remove: () => this.#remove(name),
      });
    } catch (error) {
      // A disk that fails would otherwise get one more folder with each try; the first error is the one to tell.
      await files.remove(folder).catch(() => {});
      throw error;
    }
  }

  /** The bytes are on disk. */
  async #keep(kept: Kept): Promise<StoredSnapshot> {
    const { files } = this.#deps;
    const path = this.#pathOf(kept.name);
    const meta = await files.open(join(path + temporary, metaName), 'create');
    try {
      await meta.write([utf8Encode(encodeMeta(kept))], 0);
      await meta.sync();
    } finally {
      await meta.close();
    }
    await files.syncFolder(path + temporary);
    await files.rename(path + temporary, path);
    await files.syncFolder(this.#folder);
    this.#isWriting = false;
    this.#kept = [kept, ...this.#kept].sort(newestFirst);
    await this.#drop();
    return kept;
  }

  /** Whatever there is of a snapshot that was not finished. */
  async #remove(name: string): Promise<void> {
    try {
      await this.#deps.files.remove(this.#pathOf(name + temporary));
      // When only the last sync of `finish` has failed.
      await this.#deps.files.remove(this.#pathOf(name));
    } finally {
      // What is left is removed by the next open.
      this.#isWriting = false;
    }
  }

  async *#chunks(kept: Kept, file: OpenFile, action: string): AsyncGenerator<Uint8Array, void, undefined> {
    let position = 0;
    let checksum = 0;
    /** Not given out yet. */
    let last: Uint8Array | undefined;
    for (;;) {
      const chunk = await attempt(action, () => file.read(position, chunkBytes));
      if (chunk.length === 0) break;
      position += chunk.length;
      checksum = crc32(chunk, checksum);
      if (last !== undefined) yield last;
      last = chunk;
    }
    if (position !== kept.sizeBytes) throw damaged(action, `it has ${position} bytes, expected ${kept.sizeBytes}`);
    if (checksum !== kept.checksum) throw damaged(action, 'its checksum does not match');
    if (last !== undefined) yield last;
  }

  async #recall(name: string): Promise<Kept> {
    const { files } = this.#deps;
    const meta = await readWhole(files, this.#pathOf(name, metaName));
    const { base, sizeBytes, checksum } = readMeta(utf8Decode(meta));
    const file = await files.open(this.#pathOf(name, stateName), 'read');
    try {
      const size = await file.size();
      if (size !== sizeBytes) throw damaged(stateName, `it has ${size} bytes, expected ${sizeBytes}`);
    } finally {
      await file.close();
    }
    return { name, base, sizeBytes, checksum };
  }

  /** Deletes those beyond the number that is kept, and rejected ones. What the disk does not delete is left for the next open. */
  async #drop(): Promise<void> {
    const { files, logger } = this.#deps;
    const unwanted = [...this.#kept.slice(this.#options.snapshotsRetained), ...this.#rejected];
    const old = unwanted.filter((kept) => !this.#readers.has(kept));
    this.#kept = this.#kept.filter((kept) => !old.includes(kept));
    for (const kept of old) this.#rejected.delete(kept);
    for (const kept of old) {
      const path = this.#pathOf(kept.name);
      try {
        // Under this name, which a crash cannot take back, the next open knows what is left of it as unfinished.
        await files.rename(path, path + temporary);
        await files.syncFolder(this.#folder);
        await files.remove(path + temporary);
      } catch (error) {
        logger.warn('an old snapshot cannot be deleted', { path, error: errorMessage(error) });
      }
    }
  }

  #pathOf(...names: readonly string[]): string {
    return join(this.#folder, ...names);
  }
}

/** What the store does for its writer. */
interface WriterDeps {
  readonly keep: (meta: SnapshotMeta) => Promise<StoredSnapshot>;
  readonly remove: () => Promise<void>;
}

class FolderSnapshotWriter implements SnapshotWriter {
  readonly #base: Base;
  readonly #file: OpenFile;
  readonly #deps: WriterDeps;
  #size = 0;
  #unsyncedBytes = 0;
  #checksum = 0;
  #life: 'open' | 'failed' | 'done' = 'open';

  constructor(base: Base, file: OpenFile, deps: WriterDeps) {
    this.#base = base;
    this.#file = file;
    this.#deps = deps;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#act(async () => {
      await this.#file.write([bytes], this.#size);
      this.#size += bytes.length;
      this.#unsyncedBytes += bytes.length;
      if (this.#unsyncedBytes >= unsyncedBytesMax) {
        await this.#file.sync();
        this.#unsyncedBytes = 0;
      }
      this.#checksum = crc32(bytes, this.#checksum);
    });
  }

  async finish(): Promise<StoredSnapshot> {
    const kept = await this.#act(async () => {
      await this.#file.sync();
      await this.#file.close();
      return this.#deps.keep({ base: this.#base, sizeBytes: this.#size, checksum: this.#checksum });
    });
    this.#life = 'done';
    return kept;
  }

  async discard(): Promise<void> {
    assert(this.#life !== 'done', 'a snapshot is finished or discarded once');
    this.#life = 'done';
    await attempt(`Cannot discard the snapshot of entry ${this.#base.index}`, async () => {
      await this.#file.close();
      await this.#deps.remove();
    });
  }

  async #act<T>(act: () => Promise<T>): Promise<T> {
    assert(this.#life === 'open', 'a snapshot that is done, or has failed, is not written');
    // Until the act has succeeded.
    this.#life = 'failed';
    const done = await attempt(`Cannot write the snapshot of entry ${this.#base.index}`, act);
    this.#life = 'open';
    return done;
  }
}

function damaged(what: string, text: string): OperatingError {
  return new OperatingError('store/damaged-snapshot', `${what}: ${text}`);
}

function nameOf(base: Base, wallMs: number): string {
  return `${base.term}-${base.index}-${wallMs}`;
}

/** Of equal ones, the one that was finished later. */
function newestFirst(a: Kept, b: Kept): number {
  return b.base.index - a.base.index || b.base.term - a.base.term || wallMsOf(b) - wallMsOf(a);
}

function wallMsOf({ name }: Kept): number {
  return Number(name.split('-')[2]);
}

async function readWhole(files: Files, path: string): Promise<Uint8Array> {
  const file = await files.open(path, 'read');
  try {
    return await file.read(0, Math.min(await file.size(), metaBytesMax));
  } finally {
    await file.close();
  }
}
