/** Puts a log together from the bytes of its segments, and tells what a crash leaves from what it cannot leave. */
import { hexDecode, hexEncode, OperatingError } from '../../base/index.ts';
import type { LogImage, LogIndex, LogOp } from '../../core/raft/index.ts';
import { emptyBounds, type LogBounds } from './log-bounds.ts';
import { decodeRecord, findRecord, type LogRecord, type SegmentStart } from './log-record.ts';
import { LogReplay } from './log-replay.ts';

const segmentName = /^(\d{10})-([0-9a-f]{16})\.log$/;

/** What the name of a segment says. */
export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  readonly mark: Uint8Array;
}

/** A segment of a log. */
export interface Segment {
  readonly name: string;
  readonly sequence: number;
  /** The highest index of an entry in it that was not cut away; 0 when there is none. */
  last: LogIndex;
}

/** A place between two records, and the checksum of the one before it. */
export interface Place {
  readonly position: number;
  readonly checksum: number;
}

/** A log as it was read. */
export interface ReadLog {
  readonly image: LogImage;
  readonly bounds: LogBounds;
  readonly segments: Segment[];
  /** Of the last segment: where its last record begins, and where the next one goes. */
  readonly lastRecordAt: number;
  readonly end: Place;
  /** The last record says so. */
  readonly isClosed: boolean;
  /** Names of segments that are not needed. */
  readonly leftovers: readonly string[];
}

/** The name of a segment's file. */
export function nameOfSegment(sequence: number, mark: Uint8Array): string {
  return `${String(sequence).padStart(10, '0')}-${hexEncode(mark)}.log`;
}

/** `undefined` for other files. */
export function readSegmentName(name: string): SegmentName | undefined {
  const [, sequence, mark] = segmentName.exec(name) ?? [];
  return sequence === undefined || mark === undefined
    ? undefined
    : { name, sequence: Number(sequence), mark: hexDecode(mark) };
}

/** Takes down what an op means for the entries in each segment; what it puts is in the last one. */
export function accountFor(segments: readonly Segment[], op: LogOp): void {
  if (op.type === 'cut') for (const segment of segments) segment.last = Math.min(segment.last, op.from - 1);
  if (op.type === 'reset') for (const segment of segments) segment.last = 0;
  const current = segments.at(-1);
  if (op.type === 'put' && current !== undefined) current.last = op.entries.at(-1)?.index ?? current.last;
}

/**
 * Takes the segments of one log in order. Throws `store/damaged`, and `store/foreign` for records of an unknown form.
 *
 * A crash can leave, at the very end, a record that is not whole: it was never acknowledged, and is dropped. Nothing is written
 * behind it before it is durable, so that any mark of a record after it shows that it is damaged instead.
 */
export class LogReader {
  readonly #folder: string;
  readonly #segments: Segment[] = [];
  #replay = new LogReplay(emptyBounds);
  #lastRecordAt = 0;
  #end: Place = { position: 0, checksum: 0 };
  /** What stands at the end in place of a record. */
  #problem = '';
  /** Behind that there is the mark of a record, in the same segment. */
  #hasMore = false;
  #lastKind: LogRecord['kind'] = 'write';

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @returns whether there is a segment. The last one may not have come to be. */
  add(file: SegmentName, bytes: Uint8Array, isLast: boolean): boolean {
    const found = findRecord(bytes, 0, file.mark, 0);
    if (typeof found === 'string') {
      // The segments before it are deleted only when there is a write in it.
      const hasAllBefore = this.#segments.length > 0 || file.sequence === 1;
      if (isLast && hasAllBefore && !hasMark(bytes, file.mark, 1)) return false;
      throw this.#damage(file.name, 0, found);
    }
    const record = this.#decode(file.name, 0, found.body);
    if (record.kind !== 'segment') throw this.#damage(file.name, 0, 'the head of the segment is missing');
    this.#follow(file, record.start);
    this.#segments.push({ name: file.name, sequence: file.sequence, last: 0 });
    this.#lastRecordAt = 0;
    this.#lastKind = 'segment';
    this.#end = { position: found.end, checksum: found.checksum };
    this.#readRecords(file, bytes);
    this.#hasMore = hasMark(bytes, file.mark, this.#end.position + 1);
    return true;
  }

  /** When all were added. */
  finish(): Omit<ReadLog, 'leftovers'> {
    const last = this.#segments.at(-1);
    if (last !== undefined && this.#lastKind === 'sealed') {
      throw this.#damage(last.name, this.#end.position, 'the segment that follows is missing');
    }
    // Also when a segment was begun behind it, and not finished.
    if (last !== undefined && this.#hasMore) throw this.#damage(last.name, this.#end.position, this.#problem);
    const image = this.#replay.image();
    const first = this.#segments[0];
    if (image === undefined) throw this.#damage(first?.name ?? '', 0, 'the segment before it is missing');
    return {
      image,
      bounds: this.#replay.bounds,
      segments: this.#segments,
      lastRecordAt: this.#lastRecordAt,
      end: this.#end,
      isClosed: this.#lastKind === 'closed',
    };
  }

  #follow(file: SegmentName, { sequence, previous, bounds }: SegmentStart): void {
    if (sequence !== file.sequence) throw this.#damage(file.name, 0, `it holds segment ${sequence}`);
    const before = this.#segments.at(-1);
    if (before === undefined) {
      this.#replay = new LogReplay(bounds);
    } else if (previous.size !== this.#end.position || previous.checksum !== this.#end.checksum) {
      throw this.#damage(before.name, this.#end.position, this.#problem);
    }
  }

  /** Up to the seal, or to what is not a record. */
  #readRecords({ name, mark }: SegmentName, bytes: Uint8Array): void {
    for (;;) {
      const { position, checksum } = this.#end;
      const found = findRecord(bytes, position, mark, checksum);
      if (typeof found === 'string') {
        this.#problem = found;
        return;
      }
      const record = this.#decode(name, position, found.body);
      this.#lastKind = record.kind;
      if (record.kind === 'sealed') return;
      if (record.kind === 'segment') throw this.#damage(name, position, 'a segment begins inside another');
      if (record.kind === 'write') this.#perform(name, position, record.ops);
      this.#lastRecordAt = position;
      this.#end = { position: found.end, checksum: found.checksum };
    }
  }

  #perform(name: string, position: number, ops: readonly LogOp[]): void {
    this.#replay.apply(ops, (text) => {
      throw this.#damage(name, position, text);
    });
    for (const op of ops) accountFor(this.#segments, op);
  }

  #decode(name: string, position: number, body: Uint8Array): LogRecord {
    const record = decodeRecord(body);
    if (typeof record !== 'string') return record;
    const text = `Cannot read the raft log in "${this.#folder}": ${name}, byte ${position}: ${record}`;
    throw new OperatingError('store/foreign', `${text}; it was written by another version of this program`);
  }

  #damage(name: string, position: number, text: string): OperatingError {
    return damagedLog(this.#folder, `${name}, byte ${position}: ${text}`);
  }
}

/** What to do goes with it: damage is never repaired here, for what is lost may have been acknowledged. */
export function damagedLog(folder: string, text: string): OperatingError {
  const hint = 'restore the folder from a backup, or move it away and let this peer join again with --bootstrap';
  return new OperatingError('store/damaged', `The raft log in "${folder}" is damaged: ${text}; ${hint}`);
}

function hasMark(bytes: Uint8Array, mark: Uint8Array, from: number): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(Buffer.from(mark), from);
}
