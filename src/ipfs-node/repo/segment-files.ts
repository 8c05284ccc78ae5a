/**
 * The append-only files that hold the blocks: `<n>.pack`, numbered upwards. Only the writer appends and seals; anybody
 * reads. A retired file is unlinked at once and closed when its last reader is done.
 */
import { close, fdatasync, ftruncate, open, read, writev } from 'node:fs';
import { mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nodeError } from '../errors.ts';
import type { Location } from './block-index.ts';

const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fdatasync);
const truncateFile = promisify(ftruncate);

/** A new file begins when the present one is this large; an offset always fits 32 bits. */
const segmentBytesMax: number = 256 * 1024 * 1024;

interface Segment {
  readonly number: number;
  readonly fd: number;
  sizeBytes: number;
  readers: number;
  isRetired: boolean;
}

/** The files of one folder. Not safe for two processes: the index beside it holds the lock. */
export class SegmentFiles {
  readonly #folder: string;
  readonly #segments = new Map<number, Segment>();
  #active: Segment | undefined;
  #nextNumber = 1;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<SegmentFiles> {
    const files = new SegmentFiles(folder);
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder)) {
      const digits = /^(\d{1,9})\.pack$/.exec(name)?.[1];
      if (digits === undefined) continue;
      const number = Number(digits);
      const { size } = await stat(join(folder, name));
      files.#nextNumber = Math.max(files.#nextNumber, number + 1);
      const fd = await openFile(join(folder, name), 'r+');
      files.#segments.set(number, { number, fd, sizeBytes: size, readers: 0, isRetired: false });
    }
    return files;
  }

  /** All numbers in ascending order. */
  numbers(): number[] {
    return [...this.#segments.keys()].sort((a, b) => a - b);
  }

  sizeOf(number: number): number {
    return this.#segments.get(number)?.sizeBytes ?? 0;
  }

  totalBytes(): number {
    let total = 0;
    for (const segment of this.#segments.values()) total += segment.sizeBytes;
    return total;
  }

  /** Where the next record goes, at the earliest. */
  position(): { readonly segment: number; readonly offset: number } {
    return { segment: this.#active?.number ?? this.#nextNumber, offset: this.#active?.sizeBytes ?? 0 };
  }

  /** Numbers below this one are not given to new files, so that positions never go back. */
  skipNumbers(below: number): void {
    this.#nextNumber = Math.max(this.#nextNumber, below);
  }

  /** Goes on appending to the last file. */
  resumeLast(): void {
    const segment = this.#segments.get(this.#nextNumber - 1);
    if (segment !== undefined && segment.sizeBytes < segmentBytesMax) this.#active = segment;
  }

  /** The next append begins a new file. Writer only. */
  seal(): void {
    this.#active = undefined;
  }

  /**
   * Appends the pieces; on any failure nothing of them stays in the file. Writer only.
   * @returns where they begin.
   */
  async append(pieces: readonly Uint8Array[], totalBytes: number): Promise<{ segment: number; offset: number }> {
    if (this.#active !== undefined && this.#active.sizeBytes + totalBytes > segmentBytesMax) this.#active = undefined;
    this.#active ??= await this.#create();
    const segment = this.#active;
    const offset = segment.sizeBytes;
    try {
      await writeAll(segment.fd, pieces, offset);
    } catch (error) {
      // What was written lies behind the end that we go by; cutting it off gives a full disk its space back.
      await truncateFile(segment.fd, offset).catch(() => this.seal());
      throw error;
    }
    segment.sizeBytes += totalBytes;
    return { segment: segment.number, offset };
  }

  /** Everything appended to these files is on disk when it resolves. */
  async sync(numbers: Iterable<number>): Promise<void> {
    for (const number of numbers) {
      const segment = this.#segments.get(number);
      if (segment !== undefined) await syncFile(segment.fd);
    }
  }

  /** The bytes, in memory of their own; `undefined` when the file is gone or too short. */
  async read(location: Location): Promise<Uint8Array | undefined> {
    const segment = this.#segments.get(location.segment);
    if (segment === undefined || segment.isRetired) return undefined;
    segment.readers += 1;
    try {
      return await readAt(segment.fd, location.offset, location.length);
    } finally {
      segment.readers -= 1;
      if (segment.isRetired && segment.readers === 0) await closeFile(segment.fd);
    }
  }

  /** Cuts a file that ends in something unfinished. */
  async truncate(number: number, sizeBytes: number): Promise<void> {
    const segment = this.#segments.get(number);
    if (segment === undefined || segment.sizeBytes <= sizeBytes) return;
    await truncateFile(segment.fd, sizeBytes);
    segment.sizeBytes = sizeBytes;
  }

  /** Removes a file that nothing in the index points to any more. */
  async retire(number: number): Promise<void> {
    const segment = this.#segments.get(number);
    if (segment === undefined) return;
    this.#segments.delete(number);
    if (this.#active === segment) this.#active = undefined;
    segment.isRetired = true;
    await unlink(this.#path(number));
    if (segment.readers === 0) await closeFile(segment.fd);
  }

  async close(): Promise<void> {
    const segments = [...this.#segments.values()];
    this.#segments.clear();
    this.#active = undefined;
    for (const segment of segments) {
      segment.isRetired = true;
      if (segment.readers === 0) await closeFile(segment.fd);
    }
  }

  async #create(): Promise<Segment> {
    const number = this.#nextNumber++;
    const fd = await openFile(this.#path(number), 'wx+', 0o600);
    const segment = { number, fd, sizeBytes: 0, readers: 0, isRetired: false };
    this.#segments.set(number, segment);
    // The name must survive a power cut too, else synced data would have no file.
    await syncFolder(this.#folder);
    return segment;
  }

  #path(number: number): string {
    return join(this.#folder, `${number}.pack`);
  }
}

/** Makes names created in or removed from a folder durable; systems that cannot sync folders are left as they are. */
export async function syncFolder(folder: string): Promise<void> {
  let fd: number;
  try {
    fd = await openFile(folder, 'r');
  } catch {
    return; // Windows refuses to open folders, and needs no such sync.
  }
  try {
    await syncFile(fd);
  } finally {
    await closeFile(fd);
  }
}

function readAt(fd: number, offset: number, length: number): Promise<Uint8Array | undefined> {
  // Not from the pool: a slice of it would keep its neighbours alive.
  const target = Buffer.allocUnsafeSlow(length);
  return new Promise((resolve, reject) => {
    const step = (done: number): void => {
      if (done === length) {
        resolve(target);
        return;
      }
      read(fd, target, done, length - done, offset + done, (error, count) => {
        if (error !== null) reject(error);
        else if (count === 0) resolve(undefined);
        else step(done + count);
      });
    };
    step(0);
  });
}

async function writeAll(fd: number, pieces: readonly Uint8Array[], offset: number): Promise<void> {
  let rest: readonly Uint8Array[] = pieces;
  let at = offset;
  while (rest.length > 0) {
    const count = await writeOnce(fd, rest, at);
    if (count === 0) throw nodeError('ipfs-node/disk', 'Cannot write blocks: the disk took no bytes');
    at += count;
    rest = dropBytes(rest, count);
  }
}

function writeOnce(fd: number, pieces: readonly Uint8Array[], offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, [...pieces], offset, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

function dropBytes(pieces: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i];
    if (piece === undefined) break;
    if (left < piece.length) return [piece.subarray(left), ...pieces.slice(i + 1)];
    left -= piece.length;
  }
  return [];
}
