/**
 * The records of the Raft log, as bytes. `README.md` beside this file has the tables.
 *
 * A record is one write: whole or not there. Each checksum is seeded by the one before it, so that a record that is lost,
 * repeated or in another's place is found out as well as one whose bits have changed.
 */
import { crc32 } from 'node:zlib';
import { assert, bytesEqual, copyBytes, noBytes, utf8Decode, utf8Encode } from '../../base/index.ts';
import type { Base, Entry, HardState, LogOp, Server } from '../../core/raft/index.ts';
import type { LogBounds } from './log-bounds.ts';

/** Of the layout below; a segment says it. */
const logFormat = 1;
/** Length of the mark that begins each record: random, one for the whole log, so that no entry's data can look like it. */
export const markSize = 8;
const checksumAt = markSize;
/** The checksum is over everything from here on. */
const lengthAt = checksumAt + 4;
const frameSize = lengthAt + 4;

/** Where everything starts that a segment holds: what the log was before its first write. */
export interface SegmentStart {
  /** Of the first segment 1, then one more each. */
  readonly sequence: number;
  /** Where the segment before this one ends: its size and its last checksum. 0 and 0 in the first. */
  readonly previous: { readonly size: number; readonly checksum: number };
  readonly bounds: LogBounds;
}

/** `sealed` ends a segment that another one follows; `closed` says that the store was closed, and writes may follow. */
export type LogRecord =
  | { readonly kind: 'segment'; readonly start: SegmentStart }
  | { readonly kind: 'write'; readonly ops: readonly LogOp[] }
  | { readonly kind: 'sealed' }
  | { readonly kind: 'closed' };

/** A record in its frame, in pieces that lie behind one another. */
export interface FramedRecord {
  readonly chunks: readonly Uint8Array[];
  readonly size: number;
  readonly checksum: number;
}

/** Position is the value on disk; so in the lists below. */
const kinds = ['segment', 'write', 'sealed', 'closed'] as const;
const opTypes = ['hard', 'cut', 'put', 'compact', 'reset'] as const;
const entryTypes = ['command', 'noop', 'barrier', 'configuration'] as const;

/** Makes records, all in the same memory: the chunks are good until the next call. */
export class RecordEncoder {
  readonly #writer = new Writer();

  /** `seed`: the checksum of the record before; 0 for the first of a segment. */
  encode(record: LogRecord, mark: Uint8Array, seed: number): FramedRecord {
    const writer = this.#writer;
    const head = writer.start(frameSize);
    writer.u8(kinds.indexOf(record.kind));
    if (record.kind === 'segment') writeStart(writer, record.start);
    else if (record.kind === 'write') for (const op of record.ops) writeOp(writer, op);
    const { chunks, size } = writer.end();
    assert(size < u32Range, 'a write of the log is below 4 GiB');
    head.set(mark, 0);
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    view.setUint32(lengthAt, size - frameSize);
    const checksum = checksumOf(chunks, seed);
    view.setUint32(checksumAt, checksum);
    return { chunks, size, checksum };
  }
}

function checksumOf(chunks: readonly Uint8Array[], seed: number): number {
  let checksum = seed;
  for (const [i, chunk] of chunks.entries()) checksum = crc32(i === 0 ? chunk.subarray(lengthAt) : chunk, checksum);
  return checksum;
}

/** The whole record that begins there, or what is wrong with it. */
export type FoundRecord = { readonly end: number; readonly checksum: number; readonly body: Uint8Array } | string;

/** Looks for a record at a place of a segment's bytes. The body is a view. */
export function findRecord(bytes: Uint8Array, at: number, mark: Uint8Array, seed: number): FoundRecord {
  if (bytes.length < at + frameSize) return 'the file ends in the head of a record';
  if (!bytesEqual(bytes.subarray(at, at + markSize), mark)) return 'there is no record';
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, frameSize);
  const end = at + frameSize + view.getUint32(lengthAt);
  if (end > bytes.length) return 'the file ends in a record';
  const checksum = view.getUint32(checksumAt);
  if (crc32(bytes.subarray(at + lengthAt, end), seed) !== checksum) return 'a checksum does not match';
  return { end, checksum, body: bytes.subarray(at + frameSize, end) };
}

/**
 * Reads a body whose checksum held. Entries' data are views of a copy of it: nothing holds on to the rest of the segment. A string
 * is what is wrong with it: it was written by another program, or another version.
 */
export function decodeRecord(body: Uint8Array): LogRecord | string {
  const reader = new Reader(copyBytes(body));
  try {
    const kind = kinds[reader.u8()];
    if (kind === undefined) return `records of kind ${body[0]} are unknown`;
    if (kind === 'segment') return readStart(reader);
    if (kind !== 'write') return { kind };
    const ops: LogOp[] = [];
    while (!reader.isAtEnd) ops.push(readOp(reader));
    return { kind, ops };
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) return 'a record has an unknown form';
    throw error;
  }
}

function writeStart(writer: Writer, { sequence, previous, bounds }: SegmentStart): void {
  writer.u32(logFormat);
  writer.u64(sequence);
  writer.u64(previous.size);
  writer.u32(previous.checksum);
  writeHard(writer, bounds.hard);
  writeBase(writer, bounds.base);
  writer.u64(bounds.last);
}

function readStart(reader: Reader): LogRecord | string {
  const format = reader.u32();
  if (format !== logFormat) return `log format ${format} is unknown, expected ${logFormat}`;
  const sequence = reader.u64();
  const previous = { size: reader.u64(), checksum: reader.u32() };
  const bounds = { hard: readHard(reader), base: readBase(reader), last: reader.u64() };
  return { kind: 'segment', start: { sequence, previous, bounds } };
}

function writeOp(writer: Writer, op: LogOp): void {
  writer.u8(opTypes.indexOf(op.type));
  switch (op.type) {
    case 'hard':
      writeHard(writer, op.state);
      break;
    case 'cut':
      writer.u64(op.from);
      break;
    case 'put':
      writer.u32(op.entries.length);
      for (const entry of op.entries) writeEntry(writer, entry);
      break;
    case 'compact':
    case 'reset':
      writeBase(writer, op.base);
      break;
  }
}

function readOp(reader: Reader): LogOp {
  const type = opTypes[reader.u8()];
  switch (type) {
    case 'hard':
      return { type, state: readHard(reader) };
    case 'cut':
      return { type, from: reader.u64() };
    case 'put': {
      const count = reader.u32();
      const entries: Entry[] = [];
      for (let i = 0; i < count; i++) entries.push(readEntry(reader));
      return { type, entries };
    }
    case 'compact':
    case 'reset':
      return { type, base: readBase(reader) };
    default:
      throw new RangeError('unknown op');
  }
}

function writeEntry(writer: Writer, entry: Entry): void {
  writer.u64(entry.index);
  writer.u64(entry.term);
  writer.u8(entryTypes.indexOf(entry.type));
  writer.bigU64(entry.appendedAt === undefined ? 0n : entry.appendedAt + 1n);
  if (entry.type === 'command') writer.sized(entry.data);
  else if (entry.type === 'configuration') writer.sized(utf8Encode(JSON.stringify(entry.configuration.servers)));
  else writer.sized(noBytes);
}

function readEntry(reader: Reader): Entry {
  const index = reader.u64();
  const term = reader.u64();
  const type = entryTypes[reader.u8()];
  const appendedAt = reader.bigU64();
  const data = reader.sized();
  const base = appendedAt === 0n ? { index, term } : { index, term, appendedAt: appendedAt - 1n };
  switch (type) {
    case 'command':
      return { type, ...base, data };
    case 'noop':
    case 'barrier':
      return { type, ...base };
    case 'configuration':
      return { type, ...base, configuration: { servers: serversOf(data) } };
    default:
      throw new RangeError('unknown entry');
  }
}

function writeHard(writer: Writer, { term, votedFor }: HardState): void {
  writer.u64(term);
  writer.sized(utf8Encode(votedFor ?? ''));
}

function readHard(reader: Reader): HardState {
  const term = reader.u64();
  const votedFor = utf8Decode(reader.sized());
  return { term, votedFor: votedFor === '' ? undefined : votedFor };
}

function writeBase(writer: Writer, { index, term, configuration, configurationIndex }: Base): void {
  writer.u64(index);
  writer.u64(term);
  writer.u64(configurationIndex);
  writer.sized(utf8Encode(JSON.stringify(configuration.servers)));
}

function readBase(reader: Reader): Base {
  const index = reader.u64();
  const term = reader.u64();
  const configurationIndex = reader.u64();
  return { index, term, configuration: { servers: serversOf(reader.sized()) }, configurationIndex };
}

function serversOf(data: Uint8Array): readonly Server[] {
  // Proof: the checksum held, so these are the bytes of `JSON.stringify(servers)`.
  return JSON.parse(utf8Decode(data)) as Server[];
}

const u32Range = 2 ** 32;
const bufferBytes = 64 << 10;
/** Data from here on is not copied. */
const referredBytesMin = 4 << 10;

/** Makes chunks out of values. Big-endian. */
class Writer {
  /** Used again for every record; large ones need more. */
  readonly #own: Buffer = Buffer.allocUnsafe(bufferBytes);
  #buffer: Buffer = this.#own;
  /** What is in the buffer and not yet in the chunks. */
  #from = 0;
  #to = 0;
  #chunks: Uint8Array[] = [];
  #size = 0;

  /** @returns the first bytes, to be filled in at the end. */
  start(headSize: number): Uint8Array {
    this.#buffer = this.#own;
    this.#from = 0;
    this.#to = headSize;
    this.#chunks = [];
    this.#size = 0;
    return this.#own.subarray(0, headSize);
  }

  end(): { readonly chunks: readonly Uint8Array[]; readonly size: number } {
    this.#flush();
    return { chunks: this.#chunks, size: this.#size };
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#to = this.#buffer.writeUInt8(value, this.#to);
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#to = this.#buffer.writeUInt32BE(value, this.#to);
  }

  u64(value: number): void {
    this.u32(Math.floor(value / u32Range));
    this.u32(value % u32Range);
  }

  bigU64(value: bigint): void {
    this.#reserve(8);
    this.#to = this.#buffer.writeBigUInt64BE(value, this.#to);
  }

  /** u32 length and the bytes. */
  sized(bytes: Uint8Array): void {
    this.u32(bytes.length);
    if (bytes.length >= referredBytesMin) {
      this.#flush();
      this.#add(bytes);
      return;
    }
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#to);
    this.#to += bytes.length;
  }

  /** At most `referredBytesMin`. */
  #reserve(count: number): void {
    if (this.#to + count <= this.#buffer.length) return;
    this.#flush();
    this.#buffer = Buffer.allocUnsafe(bufferBytes);
    this.#from = 0;
    this.#to = 0;
  }

  #flush(): void {
    if (this.#to > this.#from) this.#add(this.#buffer.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  #add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }
}

/** Throws `RangeError` at the end of the bytes, and for integers that are not safe. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  u64(): number {
    const value = this.u32() * u32Range + this.u32();
    if (!Number.isSafeInteger(value)) throw new RangeError('not a safe integer');
    return value;
  }

  bigU64(): bigint {
    this.#at += 8;
    return this.#view.getBigUint64(this.#at - 8);
  }

  sized(): Uint8Array {
    const length = this.u32();
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('past the end');
    return this.#bytes.subarray(from, this.#at);
  }
}
