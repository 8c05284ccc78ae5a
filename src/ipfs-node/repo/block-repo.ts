/**
 * The block store: packed segment files and an index of multihashes.
 *
 * Everything that changes a file or the index is done by one writer, in order, in groups:
 *   blocks of a group → one `writev` at a known offset → one index batch → the promises of the group.
 * So nothing is in the index before its bytes are in the file, and a process that is killed leaves at most an unfinished
 * tail. `flush` adds one fdatasync and one synced index write for everything before it, and notes how far the files are
 * known to be good; what lies behind that note is checked when the repo is opened after a crash.
 */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../base/index.ts';
import { nodeError } from '../errors.ts';
import { BlockIndex, type IndexEntry, type Location } from './block-index.ts';
import { diskError } from './level.ts';
import { dataBytesMax, keyBytesMax, recordSize, writeRecordHead } from './record.ts';
import { recoverIndex } from './recover.ts';
import { scanSegment } from './scan.ts';
import { SegmentFiles } from './segment-files.ts';

/** Blocks of one group, so that a waiting put is not late and a flush has little to sync. */
const groupBytesMax = 8 * 1024 * 1024;
const groupBlocksMax = 1024;
/** Data up to this size is copied beside its head; larger data is handed to the kernel as it is. */
const copyBytesMax = 8 * 1024;
/** Space that is left to the index and to compaction; puts are refused before the disk is really full. */
const reserveBytes = 64 * 1024 * 1024;
/** Bytes written between two looks at the free space. */
const freeCheckBytes = 4 * 1024 * 1024;
/** A segment is rewritten when at least this part of it is dead. */
const deadShareMin = 0.25;
/** Small segments are rewritten for any dead byte: it costs nothing and the repo is seen to shrink. */
const smallSegmentBytes = 16 * 1024 * 1024;
/** Blocks moved by one writer job; short enough for puts in between. */
const moveBlocksMax = 256;

/** Where the blocks are kept. */
export interface BlockRepoOptions {
  /** Made when absent; holds `blocks/` and `blocks/index`. */
  readonly folder: string;
  readonly logger: Logger;
  /** Free bytes of the disk; default asks the system. */
  readonly freeBytes?: () => Promise<number>;
}

/** Kept up to date; no scan. */
export interface RepoCounters {
  readonly blockCount: number;
  /** Bytes that the files take, dead ones included. */
  readonly diskBytes: number;
}

interface Settle {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface PutJob extends Settle {
  readonly type: 'put';
  readonly key: Uint8Array;
  readonly data: Uint8Array;
}

type Job =
  | PutJob
  | (Settle & { readonly type: 'flush' })
  | (Settle & { readonly type: 'seal' })
  | (Settle & { readonly type: 'remove'; readonly keys: readonly Uint8Array[] })
  | (Settle & { readonly type: 'move'; readonly blocks: readonly { entry: IndexEntry; data: Uint8Array }[] });

/** A key of maps and sets: one character a byte. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}

/** Blocks by multihash. One process at a time; all methods may be called at any time before `close`. */
export class BlockRepo {
  readonly #index: BlockIndex;
  readonly #files: SegmentFiles;
  readonly #logger: Logger;
  readonly #freeBytes: () => Promise<number>;
  /** Bytes of live records by segment. */
  readonly #liveBytes: Map<number, number>;
  #blockCount: number;

  #jobs: Job[] = [];
  #writing: Promise<void> | undefined;
  /** Puts on their way, so that two of one block are one. */
  readonly #pending = new Map<string, Promise<void>>();
  /** Keys of removals on their way. */
  readonly #deleting = new Map<string, Promise<void>>();
  /** Segments appended to, and whether the index changed, since the last flush. */
  readonly #dirtySegments = new Set<number>();
  #isDirty = false;
  #bytesSinceFreeCheck = freeCheckBytes;
  #lastFreeBytes = 0;
  #failure: Error | undefined;
  #isClosed = false;
  #compacting: Promise<void> = Promise.resolve();

  private constructor(parts: {
    index: BlockIndex;
    files: SegmentFiles;
    options: BlockRepoOptions;
    counters: { blockCount: number; liveBytes: Map<number, number> };
  }) {
    this.#index = parts.index;
    this.#files = parts.files;
    this.#logger = parts.options.logger;
    this.#blockCount = parts.counters.blockCount;
    this.#liveBytes = parts.counters.liveBytes;
    const folder = parts.options.folder;
    this.#freeBytes =
      parts.options.freeBytes ??
      (async () => {
        const { bavail, bsize } = await statfs(folder);
        return bavail * bsize;
      });
  }

  /** Throws `ipfs-node/locked`, `ipfs-node/damaged`, `ipfs-node/disk`. */
  static async open(options: BlockRepoOptions): Promise<BlockRepo> {
    const folder = join(options.folder, 'blocks');
    let files: SegmentFiles | undefined;
    let index: BlockIndex | undefined;
    try {
      files = await SegmentFiles.open(folder);
      index = await BlockIndex.open(join(folder, 'index'));
      const counters = await recoverIndex(index, files, options.logger);
      files.resumeLast();
      return new BlockRepo({ index, files, options, counters });
    } catch (error) {
      await index?.close();
      await files?.close();
      throw diskError(`open the blocks in "${folder}"`, error);
    }
  }

  /** Synchronous: a few microseconds. False for a block that is being removed. */
  has(key: Uint8Array): boolean {
    return this.#locate(key) !== undefined;
  }

  size(key: Uint8Array): number | undefined {
    return this.#locate(key)?.length;
  }

  /** The block in memory of its own, or `undefined`. */
  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    // Compaction may take the file away between the look and the read; the index then has the new place.
    for (let attempt = 0; attempt < 4; attempt++) {
      // Absent and unreadable must not look the same: a walk would take what lies below for garbage.
      if (this.#isClosed) throw stopped();
      const location = this.#locate(key);
      if (location === undefined) return undefined;
      const data = await this.#files.read(location);
      if (data !== undefined) return data;
    }
    throw nodeError('ipfs-node/damaged', `Cannot read block ${keyHex(key)}: its segment file is missing or too short`);
  }

  /** Resolves when the block is written and in the index; durable after `flush`. Present blocks are left as they are. */
  async put(key: Uint8Array, data: Uint8Array): Promise<void> {
    const text = keyText(key);
    for (;;) {
      if (this.#isClosed) throw stopped();
      const deleting = this.#deleting.get(text);
      if (deleting === undefined) break;
      // The removal has been decided and may be done already in part; afterwards the block is written anew.
      await deleting;
    }
    const pending = this.#pending.get(text);
    if (pending !== undefined) return pending;
    if (this.#index.get(key) !== undefined) return;
    if (key.length > keyBytesMax || data.length > dataBytesMax) {
      throw nodeError('ipfs-node/bad-block', `Cannot store a block of ${data.length} bytes: at most ${dataBytesMax}`);
    }
    const put = new Promise<void>((resolve, reject) => this.#queue({ type: 'put', key, data, resolve, reject }));
    this.#pending.set(text, put);
    try {
      await put;
    } finally {
      this.#pending.delete(text);
    }
  }

  /** Everything that was put before survives a power cut. Calls that come together share one sync. */
  flush(): Promise<void> {
    if (this.#isClosed) return Promise.reject(stopped());
    return new Promise((resolve, reject) => this.#queue({ type: 'flush', resolve, reject }));
  }

  /**
   * Removes blocks. From this call on `has` says no to them, in the same turn; puts of them wait for the end.
   * The space comes back with `compact`.
   */
  remove(keys: readonly Uint8Array[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(stopped());
    const texts = keys.map(keyText);
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const text of texts) this.#deleting.set(text, promise);
    const done = (): void => {
      for (const text of texts) this.#deleting.delete(text);
      resolve();
    };
    const removed = new Promise<void>((settle, reject) =>
      this.#queue({ type: 'remove', keys, resolve: settle, reject }),
    );
    return removed.finally(done);
  }

  /** All keys in pages of at most 1,000, from one snapshot. */
  async *keyPages(): AsyncIterable<Uint8Array[]> {
    for await (const page of this.#index.pages()) yield page.map((entry) => entry.key);
  }

  counters(): RepoCounters {
    return { blockCount: this.#blockCount, diskBytes: this.#files.totalBytes() };
  }

  /** Rewrites segments with many dead bytes and gives their space back. One at a time; stops early when closed. */
  compact(signal?: AbortSignal): Promise<void> {
    const next = this.#compacting.then(() => this.#compact(signal));
    this.#compacting = next.catch(() => {});
    return next;
  }

  /** Finishes what is queued, flushes, notes that all is well. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#compacting;
    await this.#writing;
    try {
      if (this.#failure === undefined) {
        await this.#flushNow();
        await this.#index.sync('clean', this.#cleanNote());
      }
    } catch (error) {
      // The next start checks what this one could not finish.
      this.#logger.error('Cannot close the block store cleanly', { cause: diskError('flush blocks', error).message });
    }
    await this.#index.close();
    await this.#files.close();
  }

  #locate(key: Uint8Array): Location | undefined {
    if (this.#deleting.size > 0 && this.#deleting.has(keyText(key))) return undefined;
    return this.#isClosed ? undefined : this.#index.get(key);
  }

  // ------------------------------------------------------------------------------------------------ the writer

  #queue(job: Job): void {
    this.#jobs.push(job);
    this.#writing ??= this.#work();
  }

  async #work(): Promise<void> {
    // Puts of the same turn shall be one group.
    await undefined;
    while (this.#jobs.length > 0) {
      const group = this.#takeGroup();
      if (group.puts.length > 0) await this.#writeGroup(group.puts);
      for (const job of group.others) await this.#do(job);
    }
    // In the same turn as the last look at the queue, so that no job is left behind.
    this.#writing = undefined;
  }

  /** Puts in a row, with the flushes among them; or one other job. */
  #takeGroup(): { puts: PutJob[]; others: Exclude<Job, PutJob>[] } {
    const puts: PutJob[] = [];
    const others: Exclude<Job, PutJob>[] = [];
    let bytes = 0;
    let count = 0;
    for (const job of this.#jobs) {
      if (job.type === 'put') {
        bytes += job.data.length;
        if (puts.length > 0 && (bytes > groupBytesMax || puts.length >= groupBlocksMax)) break;
        puts.push(job);
      } else if (job.type === 'flush') {
        others.push(job);
      } else {
        if (count > 0) break;
        others.push(job);
        count = 1;
        break;
      }
      count += 1;
    }
    this.#jobs.splice(0, count);
    return { puts, others };
  }

  async #do(job: Exclude<Job, PutJob>): Promise<void> {
    try {
      if (job.type === 'flush') await this.#flushNow();
      else if (job.type === 'seal') this.#files.seal();
      else if (job.type === 'remove') await this.#removeNow(job.keys);
      else await this.#moveNow(job.blocks);
      job.resolve();
    } catch (error) {
      job.reject(diskError('write blocks', error));
    }
  }

  async #writeGroup(puts: readonly PutJob[]): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const bytes = puts.reduce((sum, put) => sum + recordSize(put.key.length, put.data.length), 0);
      await this.#checkFreeSpace(bytes);
      const entries = await this.#append(puts);
      await this.#index.write(entries, []);
      this.#blockCount += entries.length;
      for (const { key, location } of entries) this.#addLive(location, key.length, 1);
      for (const put of puts) put.resolve();
    } catch (error) {
      const failure = diskError('write blocks', error);
      for (const put of puts) put.reject(failure);
    }
  }

  /** Writes records behind the last one. @returns their index entries. */
  async #append(blocks: readonly { key: Uint8Array; data: Uint8Array }[]): Promise<IndexEntry[]> {
    let arenaBytes = 0;
    let totalBytes = 0;
    for (const { key, data } of blocks) {
      arenaBytes += recordSize(key.length, data.length <= copyBytesMax ? data.length : 0);
      totalBytes += recordSize(key.length, data.length);
    }
    const arena = Buffer.allocUnsafe(arenaBytes);
    const pieces: Uint8Array[] = [];
    let pieceStart = 0;
    let at = 0;
    for (const { key, data } of blocks) {
      at = writeRecordHead(arena, at, key, data);
      if (data.length <= copyBytesMax) {
        arena.set(data, at);
        at += data.length;
      } else {
        pieces.push(arena.subarray(pieceStart, at), data);
        pieceStart = at;
      }
    }
    if (at > pieceStart) pieces.push(arena.subarray(pieceStart, at));
    const { segment, offset } = await this.#files.append(pieces, totalBytes);
    this.#dirtySegments.add(segment);
    this.#isDirty = true;
    this.#bytesSinceFreeCheck += totalBytes;
    let recordOffset = offset;
    return blocks.map(({ key, data }) => {
      const dataOffset = recordOffset + recordSize(key.length, 0);
      recordOffset = dataOffset + data.length;
      return { key, location: { segment, offset: dataOffset, length: data.length } };
    });
  }

  async #checkFreeSpace(bytes: number): Promise<void> {
    if (
      this.#bytesSinceFreeCheck >= freeCheckBytes ||
      this.#lastFreeBytes < reserveBytes + 2 * freeCheckBytes + bytes
    ) {
      this.#lastFreeBytes = await this.#freeBytes();
      this.#bytesSinceFreeCheck = 0;
    }
    const free = this.#lastFreeBytes - this.#bytesSinceFreeCheck;
    if (free - bytes < reserveBytes) {
      const needed = reserveBytes + bytes;
      throw nodeError(
        'ipfs-node/disk-full',
        `Cannot write blocks: the disk is too full (${free} bytes left, ${needed} needed)`,
      );
    }
  }

  async #flushNow(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isDirty) return;
    const checkpoint = this.#files.position();
    try {
      await this.#files.sync(this.#dirtySegments);
      await this.#index.sync('checkpoint', checkpoint);
    } catch (error) {
      // After a failed sync nobody can tell what is on disk: no more promises until a restart has looked.
      this.#failure = diskError('flush blocks', error);
      throw this.#failure;
    }
    this.#dirtySegments.clear();
    this.#isDirty = false;
  }

  async #removeNow(keys: readonly Uint8Array[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const present: IndexEntry[] = [];
    for (const key of keys) {
      const location = this.#index.get(key);
      if (location !== undefined) present.push({ key, location });
    }
    if (present.length === 0) return;
    await this.#index.write(
      [],
      present.map((entry) => entry.key),
    );
    this.#isDirty = true;
    this.#blockCount -= present.length;
    for (const { key, location } of present) this.#addLive(location, key.length, -1);
  }

  /** Writes blocks anew whose entry is still the one that was read. */
  async #moveNow(blocks: readonly { entry: IndexEntry; data: Uint8Array }[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const live = blocks.filter(({ entry }) => isSamePlace(this.#index.get(entry.key), entry.location));
    if (live.length === 0) return;
    const moved = await this.#append(live.map(({ entry, data }) => ({ key: entry.key, data })));
    await this.#index.write(moved, []);
    for (const { entry } of live) this.#addLive(entry.location, entry.key.length, -1);
    for (const { key, location } of moved) this.#addLive(location, key.length, 1);
  }

  #addLive({ segment, length }: Location, keyBytes: number, sign: 1 | -1): void {
    this.#liveBytes.set(segment, (this.#liveBytes.get(segment) ?? 0) + sign * recordSize(keyBytes, length));
  }

  #cleanNote(): CleanNote {
    return {
      blockCount: this.#blockCount,
      segments: this.#files.numbers().map((number) => ({
        number,
        sizeBytes: this.#files.sizeOf(number),
        liveBytes: this.#liveBytes.get(number) ?? 0,
      })),
    };
  }

  // ------------------------------------------------------------------------------------------------ compaction

  async #compact(signal: AbortSignal | undefined): Promise<void> {
    const victims = this.#files
      .numbers()
      .filter((number) => this.#isWorthCompacting(number))
      // The emptiest first: each gives back more than it takes, which matters when the disk is full.
      .sort((a, b) => (this.#liveBytes.get(a) ?? 0) - (this.#liveBytes.get(b) ?? 0));
    if (victims.length === 0) return;
    // Only the writer may end the segment that it writes to.
    await new Promise<void>((resolve, reject) => this.#queue({ type: 'seal', resolve, reject }));
    for (const number of victims) {
      if (this.#isClosed || signal?.aborted === true) return;
      await this.#moveOut(number);
      if ((this.#liveBytes.get(number) ?? 0) !== 0) {
        if (this.#isClosed) return;
        this.#logger.error('A segment of blocks is damaged and left as it is', { segment: number });
        continue;
      }
      // The moved blocks and their entries first, then the file may go.
      await new Promise<void>((resolve, reject) => this.#queue({ type: 'flush', resolve, reject }));
      await this.#files.retire(number);
      this.#liveBytes.delete(number);
    }
  }

  async #moveOut(number: number): Promise<void> {
    if ((this.#liveBytes.get(number) ?? 0) === 0) return;
    for await (const page of scanSegment(this.#files, number, 0)) {
      for (let at = 0; at < page.records.length; at += moveBlocksMax) {
        if (this.#isClosed) return;
        const blocks = page.records
          .slice(at, at + moveBlocksMax)
          .map(({ key, location, data }) => ({ entry: { key, location }, data }));
        await new Promise<void>((resolve, reject) => this.#queue({ type: 'move', blocks, resolve, reject }));
      }
      if ((this.#liveBytes.get(number) ?? 0) === 0) return;
    }
  }

  #isWorthCompacting(number: number): boolean {
    const size = this.#files.sizeOf(number);
    const dead = size - (this.#liveBytes.get(number) ?? 0);
    return dead > 0 && (size <= smallSegmentBytes || dead >= size * deadShareMin);
  }
}

/** What a clean close leaves, so that the next start need not count. */
export interface CleanNote {
  readonly blockCount: number;
  readonly segments: readonly { readonly number: number; readonly sizeBytes: number; readonly liveBytes: number }[];
}

function isSamePlace(a: Location | undefined, b: Location): boolean {
  return a !== undefined && a.segment === b.segment && a.offset === b.offset;
}

function stopped(): Error {
  return nodeError('ipfs-node/stopped', 'Cannot use the block store: the node is stopped');
}

function keyHex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}
