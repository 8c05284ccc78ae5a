/**
 * The file system as the log and the snapshots need it: few acts, and for each what a crash can still undo. Tests put a file
 * system of their own in its place, which fails and forgets where they want.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, OperatingError } from '../../base/index.ts';

/** `create`: must not be there before. `update`: must be there. */
export type OpenMode = 'read' | 'create' | 'update';

/** What this room does to the disk. Rejections are the system's errors, with its codes. */
export interface Files {
  /** Names in the folder; none when it is absent. */
  list(folder: string): Promise<readonly string[]>;
  /** Makes the folder and those above it, private to the user; present is success. A crash keeps what it has made. */
  makeFolder(folder: string): Promise<void>;
  /** `isDurable`: each `write` is as if followed by `sync`. A new file may be lost in a crash until its folder is synced. */
  open(path: string, mode: OpenMode, options?: { readonly isDurable: boolean }): Promise<OpenFile>;
  /** A crash leaves the old name or the new one; the new one once its folder is synced. */
  rename(from: string, to: string): Promise<void>;
  /** Whatever it is, with all in it; absent is success. A crash may bring it back until its folder is synced. */
  remove(path: string): Promise<void>;
  /** Bytes that the user may still write there; infinite when the file system does not tell. */
  freeBytes(folder: string): Promise<number>;
  /** Makes what was made, renamed and removed in the folder durable. */
  syncFolder(folder: string): Promise<void>;
}

/** An open file. One act at a time. */
export interface OpenFile {
  size(): Promise<number>;
  /** Less than `length` at the end of the file only. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** All of them, one behind the other. A crash before a sync keeps any part of it; so does a rejection. */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>;
  /** Makes the content durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * One system call that writes and waits for the disk, instead of two with two turns of the thread pool: about 10 % more writes
 * per second and 15 % less CPU a write (`bench/raft-log.bench.ts`). Elsewhere the flag is absent, or does not flush the disk's cache.
 */
const hasSyncedWrites = process.platform === 'linux';

/** The real file system. */
export const systemFiles: Files = {
  async list(folder) {
    try {
      return await readdir(folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  },

  async makeFolder(folder) {
    // One that is there may have been made by a process that ended before it could sync the folder above.
    const first = (await mkdir(folder, { recursive: true, mode: 0o700 })) ?? folder;
    for (let made = folder; ; made = dirname(made)) {
      await systemFiles.syncFolder(dirname(made));
      if (made === first || made === dirname(made)) return;
    }
  },

  async open(path, mode, { isDurable } = { isDurable: false }) {
    const create = mode === 'create' ? constants.O_CREAT | constants.O_EXCL : 0;
    const synced = isDurable && hasSyncedWrites ? constants.O_DSYNC : 0;
    const flags = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | create | synced;
    return new SystemFile(await open(path, flags, 0o600), isDurable && !hasSyncedWrites);
  },

  rename,

  async remove(path) {
    await rm(path, { recursive: true, force: true });
  },

  async freeBytes(folder) {
    const { blocks, bavail, bsize } = await statfs(folder);
    return blocks === 0 ? Infinity : bavail * bsize;
  },

  async syncFolder(folder) {
    // Windows cannot open folders; it journals their changes.
    if (process.platform === 'win32') return;
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

class SystemFile implements OpenFile {
  readonly #handle: FileHandle;
  readonly #syncsAfterWrite: boolean;

  constructor(handle: FileHandle, syncsAfterWrite: boolean) {
    this.#handle = handle;
    this.#syncsAfterWrite = syncsAfterWrite;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    let at = position;
    for (let left = chunks; left.length > 0; ) {
      // A disk that is almost full takes a part.
      const { bytesWritten } = await this.#handle.writev([...left], at);
      // Never for bytes on a regular file; it would be tried for ever.
      if (bytesWritten === 0 && left.some(({ length }) => length > 0)) throw nothingWritten();
      at += bytesWritten;
      left = without(left, bytesWritten);
    }
    if (this.#syncsAfterWrite) await this.#handle.datasync();
  }

  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

function nothingWritten(): OperatingError {
  return new OperatingError('store/io', 'the system wrote none of the bytes', { outcome: 'unknown' });
}

/** What is left of the chunks without so many bytes at the start. */
function without(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (const [i, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(i + 1)];
    left -= chunk.length;
  }
  return [];
}
