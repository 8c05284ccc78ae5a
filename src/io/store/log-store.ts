/**
 * The durable Raft log in segments: files that are appended to, and deleted as a whole. `README.md` beside this file has what
 * lies on disk and why it is found whole after a crash.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { AssertionFailure, assert, bytesEqual, OperatingError } from '../../base/index.ts';
import type { LogImage, LogIndex, LogOp, LogStore } from '../../core/raft/index.ts';
import { attempt, storeError } from './errors.ts';
import { type Files, type OpenFile, systemFiles } from './files.ts';
import { boundsAfter, type LogBounds } from './log-bounds.ts';
import {
  accountFor,
  damagedLog,
  LogReader,
  nameOfSegment,
  type Place,
  type ReadLog,
  readSegmentName,
  type Segment,
} from './log-reader.ts';
import { type FramedRecord, type LogRecord, markSize, RecordEncoder } from './log-record.ts';

/** A log that gives its files back. */
export interface ClosableLogStore extends LogStore {
  /**
   * Idempotent, never rejects. A write in flight is finished first. When nothing has failed, the end of the log is marked, so that
   * damage to the last write is not taken for a write that a crash has cut short.
   */
  close(): Promise<void>;
}

/** For tests. */
export interface LogStoreOptions {
  /** A segment of this size gets no further write. Default 8 MiB. */
  readonly segmentBytes?: number;
  /** Files grow by so much at a time. Default 256 KiB. */
  readonly growthBytes?: number;
  readonly files?: Files;
}

const segmentBytesDefault = 8 << 20;
/**
 * Files grow by this much at a time, in zeros that the next writes overwrite: a sync then has no new file size to write down,
 * which makes 1.5 times as many in a second on ext4 (`bench/raft-log.bench.ts`).
 */
const growthBytesDefault = 256 << 10;
/** A write this large pays more for the zeros than it gains. */
const paddedBytesMax = 32 << 10;

/** What LevelDB calls its first file: logs were kept there during development. */
const levelName = 'CURRENT';

/**
 * Opens, or makes, the log in `folder`; who calls keeps others from it. Nothing is read before `load`.
 *
 * Errors: `store/full` when the disk has no room, `store/io` for its other failures. `load`: `store/damaged` for what no crash
 * leaves (a bad checksum, a gap, a missing file, entries of a later term than the hard state), `store/foreign` for files of
 * another program. An end that is missing as a whole because it was never written, or whose last write was damaged after a
 * crash, cannot be seen here; whoever holds the state compares its applied index with the end of the log.
 */
export async function openLogStore(folder: string, options: LogStoreOptions = {}): Promise<ClosableLogStore> {
  const { files = systemFiles, segmentBytes = segmentBytesDefault, growthBytes = growthBytesDefault } = options;
  await attempt(`Cannot make "${folder}"`, () => files.makeFolder(folder));
  return new SegmentedLogStore(folder, files, { segmentBytes, growthBytes });
}

class SegmentedLogStore implements ClosableLogStore {
  readonly #folder: string;
  readonly #files: Files;
  readonly #segmentBytes: number;
  readonly #zeros: Uint8Array;
  readonly #encoder = new RecordEncoder();
  /** Of an empty log, that of its first segment to come. */
  #mark: Uint8Array = randomBytes(markSize);
  /** Contiguous in `sequence`; the last is written. Empty in a new log. */
  #segments: Segment[] = [];
  #file: OpenFile | undefined;
  #end: Place = { position: 0, checksum: 0 };
  /** Up to here the file has zeros or records. */
  #filled = 0;
  /** `undefined` until loaded. */
  #bounds: LogBounds | undefined;
  #isClosedMarked = true;
  #busy: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;
  #failure: OperatingError | undefined;

  constructor(folder: string, files: Files, sizes: { readonly segmentBytes: number; readonly growthBytes: number }) {
    this.#folder = folder;
    this.#files = files;
    this.#segmentBytes = sizes.segmentBytes;
    this.#zeros = new Uint8Array(sizes.growthBytes);
  }

  load(): Promise<LogImage> {
    return this.#alone(async () => {
      const found = await attempt(`Cannot read the raft log in "${this.#folder}"`, () => this.#read());
      if (this.#bounds === undefined) {
        await this.#act(() => this.#takeUp(found));
        this.#bounds = found.bounds;
      }
      return found.image;
    });
  }

  write(ops: readonly LogOp[]): Promise<void> {
    return this.#alone(async () => {
      assert(this.#bounds !== undefined, 'the log is loaded before it is written');
      const bounds = boundsAfter(this.#bounds, ops, broken);
      await this.#act(async () => {
        if (this.#file === undefined || this.#end.position >= this.#segmentBytes) await this.#begin();
        await this.#append({ kind: 'write', ops });
      });
      this.#bounds = bounds;
      for (const op of ops) accountFor(this.#segments, op);
      // The write is done whatever happens now; a disk that does not delete shows itself at the next one.
      if (bounds.base.index > 0) await this.#act(() => this.#drop(bounds.base.index)).catch(keptAsFailure);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#busy?.catch(keptAsFailure);
    const file = this.#file;
    if (file === undefined) return;
    // Nothing that was acknowledged depends on the mark.
    if (this.#failure === undefined && !this.#isClosedMarked) {
      await this.#act(() => this.#append({ kind: 'closed' })).catch(keptAsFailure);
    }
    await this.#act(() => file.close()).catch(keptAsFailure);
  }

  /** One act at a time, none after close. */
  async #alone<T>(act: () => Promise<T>): Promise<T> {
    // A later sync that succeeds would say nothing about the bytes of the one that failed.
    if (this.#failure !== undefined) throw this.#failure;
    assert(this.#busy === undefined, 'one log write is in flight at a time');
    assert(this.#closing === undefined, 'a closed log is not used');
    const acting = act();
    this.#busy = acting;
    try {
      return await acting;
    } finally {
      this.#busy = undefined;
    }
  }

  /** An act on the disk, whose failure is final. */
  async #act(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      this.#failure = storeError(`Cannot write the raft log in "${this.#folder}"`, error);
      throw this.#failure;
    }
  }

  // ---------------------------------------------------------------------------------------------- writing

  async #append(record: LogRecord): Promise<void> {
    const file = this.#file;
    assert(file !== undefined, 'a segment is open');
    const framed = this.#encoder.encode(record, this.#mark, this.#end.checksum);
    await this.#put(file, framed, this.#end.position);
    this.#end = { position: this.#end.position + framed.size, checksum: framed.checksum };
    this.#isClosedMarked = record.kind === 'closed';
  }

  async #put(file: OpenFile, { chunks, size }: FramedRecord, position: number): Promise<void> {
    const end = position + size;
    if (end <= this.#filled || size > paddedBytesMax) {
      await file.write(chunks, position);
      this.#filled = Math.max(this.#filled, end);
    } else {
      const filled = Math.ceil(end / this.#zeros.length) * this.#zeros.length;
      await file.write([...chunks, this.#zeros.subarray(0, filled - end)], position);
      this.#filled = filled;
    }
  }

  /** Begins the next segment. It is on disk, with its name, before the one before it is sealed. */
  async #begin(): Promise<void> {
    assert(this.#bounds !== undefined, 'the log is loaded before it is written');
    const old = this.#file;
    const previous = { size: this.#end.position, checksum: this.#end.checksum };
    const sequence = (this.#segments.at(-1)?.sequence ?? 0) + 1;
    const name = nameOfSegment(sequence, this.#mark);
    const head: LogRecord = { kind: 'segment', start: { sequence, previous, bounds: this.#bounds } };
    const framed = this.#encoder.encode(head, this.#mark, 0);
    const end = { position: framed.size, checksum: framed.checksum };
    const file = await this.#files.open(join(this.#folder, name), 'create', { isDurable: true });
    try {
      this.#filled = 0;
      await this.#put(file, framed, 0);
      await this.#files.syncFolder(this.#folder);
      if (old !== undefined) {
        const seal = this.#encoder.encode({ kind: 'sealed' }, this.#mark, previous.checksum);
        await old.write(seal.chunks, previous.size);
        await old.close();
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
    this.#end = end;
    this.#segments.push({ name, sequence, last: 0 });
  }

  /** Deletes the segments that hold no entry after the base, the oldest first. */
  async #drop(base: LogIndex): Promise<void> {
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || oldest.last > base) return;
      await this.#files.remove(join(this.#folder, oldest.name));
      this.#segments.shift();
    }
  }

  // ---------------------------------------------------------------------------------------------- reading

  /**
   * Makes the end that was found the end on disk. The last record is written once more: after a failed sync, or when the process
   * was killed, it may be in the system's memory only.
   */
  async #takeUp(found: ReadLog): Promise<void> {
    for (const name of found.leftovers) await this.#files.remove(join(this.#folder, name));
    this.#segments = found.segments;
    this.#end = found.end;
    this.#isClosedMarked = found.isClosed;
    const current = found.segments.at(-1);
    if (current !== undefined) {
      const { position } = found.end;
      const file = await this.#files.open(join(this.#folder, current.name), 'update', { isDurable: true });
      this.#file = file;
      await file.write([await file.read(found.lastRecordAt, position - found.lastRecordAt)], found.lastRecordAt);
      this.#filled = position;
    }
    await this.#files.syncFolder(this.#folder);
  }

  async #read(): Promise<ReadLog> {
    const names = (await this.#files.list(this.#folder)).toSorted();
    if (names.includes(levelName)) {
      const text = `The raft log in "${this.#folder}" is a LevelDB database of an early version; move the folder away`;
      throw new OperatingError('store/foreign', text);
    }
    const present = names.map(readSegmentName).filter((name) => name !== undefined);
    const [oldest] = present;
    if (oldest !== undefined) this.#mark = oldest.mark;
    const other = present.find(({ mark }) => !bytesEqual(mark, this.#mark));
    if (other !== undefined) throw damagedLog(this.#folder, `${other.name} is of another log than ${oldest?.name}`);
    // A crash can bring deleted segments back, not always all of them. Whether those that follow are enough shows at the end.
    const first = present.findLastIndex(({ sequence }, i) => sequence !== (present[i - 1]?.sequence ?? sequence) + 1);
    const leftovers = present.slice(0, first).map(({ name }) => name);
    const reader = new LogReader(this.#folder);
    for (const file of present.slice(first)) {
      if (!reader.add(file, await this.#bytesOf(file.name), file === present.at(-1))) leftovers.push(file.name);
    }
    return { ...reader.finish(), leftovers };
  }

  async #bytesOf(name: string): Promise<Uint8Array> {
    const file = await this.#files.open(join(this.#folder, name), 'read');
    try {
      return await file.read(0, await file.size());
    } finally {
      await file.close();
    }
  }
}

function broken(text: string): never {
  throw new AssertionFailure(text);
}

/** The error is `#failure`, which whoever comes next is told. */
function keptAsFailure(): void {}
