/**
 * Statuses of one peer as our own peers list them to each other: who the peer is, and compact rows, joined.
 *
 * A row is: which of the optional parts it has (bits), its status (position in the list of statuses), length and letters of the
 * state key; then these parts, each behind its length: the time (text, empty for Go's zero time), the error, the number of
 * attempts (text), the pin as it is stored. Lengths are varints.
 */
import {
  asciiDecode,
  asciiWrite,
  base32UpperDecodeBytes,
  copyBytes,
  noBytes,
  OperatingError,
  utf8Decode,
  utf8Encode,
  varintRead,
  varintSize,
  varintWrite,
} from '../base/index.ts';
import { Cid } from './cid.ts';
import { defaultPinOptions } from './pin-options-query.ts';
import { encodePin } from './pin-protobuf.ts';
import {
  type RemoteStatusRow,
  type StatusFilter,
  type StatusRow,
  type TrackerStatus,
  trackerStatusBits,
} from './status.ts';
import type { PeerLabel } from './status-lines.ts';
import { type PinHeader, StoredPin } from './stored-pin.ts';
import { formatTime, parseTime } from './time.ts';

/** A part of a peer's list. */
export interface StatusBlock extends Omit<PeerLabel, 'peer'> {
  /** See `StatusRowWriter`; `null` for none. */
  readonly rows: Uint8Array | null;
}

/** Which rows are asked for: those behind the state key; all when it is `null`. */
export interface StatusPlace {
  readonly filter: StatusFilter;
  readonly after: Uint8Array | null;
}

const has = { time: 1, error: 2, attempts: 4, pin: 8, priority: 16 } as const;
// Object.keys forgets the type of the keys.
const statuses = Object.keys(trackerStatusBits) as readonly TrackerStatus[];
const numberOfStatus = new Map(statuses.map((status, number) => [status, number]));
/** Bits, status and length of the key, which has one byte for every key of a real CID. */
const headBytesMax = 2 + 4;

/** ASCII codes. */
const letters = {
  two: 0x32,
  seven: 0x37,
  A: 0x41,
  B: 0x42,
  C: 0x43,
  E: 0x45,
  F: 0x46,
  H: 0x48,
  I: 0x49,
  P: 0x50,
  Q: 0x51,
  R: 0x52,
  Z: 0x5a,
} as const;

/** Gathers rows. */
export class StatusRowWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  get sizeBytes(): number {
    return this.#length;
  }

  /** The rows added since the last time. */
  take(): Uint8Array {
    const rows = copyBytes(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return rows;
  }

  /** With the pin unless it is one of the pinset, which others know. */
  add({ key, status, timestamp, error, attemptCount, priorityPin, pin: header }: StatusRow): void {
    const pin = header instanceof StoredPin ? undefined : encodeHeader(header);
    const time = timestamp === undefined ? undefined : timestamp === null ? noBytes : utf8Encode(formatTime(timestamp));
    const text = error === '' ? undefined : utf8Encode(error);
    const attempts = attemptCount === 0 ? undefined : utf8Encode(String(attemptCount));
    let bits = priorityPin ? has.priority : 0;
    if (time !== undefined) bits |= has.time;
    if (text !== undefined) bits |= has.error;
    if (attempts !== undefined) bits |= has.attempts;
    if (pin !== undefined) bits |= has.pin;
    this.#reserve(headBytesMax);
    this.#bytes[this.#length++] = bits;
    this.#bytes[this.#length++] = numberOfStatus.get(status) ?? 0;
    this.#key(key);
    if (time !== undefined) this.#part(time);
    if (text !== undefined) this.#part(text);
    if (attempts !== undefined) this.#part(attempts);
    if (pin !== undefined) this.#part(pin);
  }

  #key(key: string): void {
    this.#reserve(varintSize(key.length) + key.length);
    this.#length = varintWrite(this.#bytes, this.#length, key.length);
    this.#length = asciiWrite(this.#bytes, this.#length, key);
  }

  #part(bytes: Uint8Array): void {
    this.#reserve(varintSize(bytes.length) + bytes.length);
    this.#length = varintWrite(this.#bytes, this.#length, bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/**
 * The rows; each key names a CID. Throws `OperatingError` `model/bad-encoding`, `model/bad-cid`, `base/bad-base32`,
 * `model/bad-time`, and what `StoredPin` does.
 */
export function readStatusRows(bytes: Uint8Array): RemoteStatusRow[] {
  const rows: RemoteStatusRow[] = [];
  const source = new Source(bytes);
  while (!source.isAtEnd) rows.push(readRow(source));
  return rows;
}

function encodeHeader({ cid, name, allocations, origins, metadata, timestamp }: PinHeader): Uint8Array {
  const header = { cid, name, allocations, origins, metadata, timestamp };
  return encodePin({ ...defaultPinOptions, type: 'pin', maxDepth: -1, reference: null, ...header });
}

function readRow(source: Source): RemoteStatusRow {
  const bits = source.byte();
  const number = source.byte();
  const status = statuses[number];
  if (status === undefined) throw bad(`status ${number}`);
  const key = source.key();
  return {
    key,
    status,
    timestamp: (bits & has.time) === 0 ? undefined : readTime(utf8Decode(source.part())),
    error: (bits & has.error) === 0 ? '' : utf8Decode(source.part()),
    attemptCount: (bits & has.attempts) === 0 ? 0 : readCount(utf8Decode(source.part())),
    pin: (bits & has.pin) === 0 ? undefined : new StoredPin(key, source.part()),
    priorityPin: (bits & has.priority) !== 0,
  };
}

/** Lines have the letters as they are, and pins are looked for by the CID. */
function checkKey(key: Uint8Array): void {
  if (!isUsualKey(key)) Cid.decode(base32UpperDecodeBytes(key));
}

/**
 * Whether it is a CID of version 0, or one of version 1 with a codec of one byte and a SHA-256 hash, as nearly all are. In letters of five
 * bits the bytes before the hash, 12 20 or 01 xx 12 20, reach into a letter.
 */
function isUsualKey(key: Uint8Array): boolean {
  const isHead =
    key.length === 58
      ? key[0] === letters.A &&
        (key[1] === letters.E || key[1] === letters.F) &&
        (key[3] === letters.B || key[3] === letters.R) &&
        key[4] === letters.E &&
        key[5] === letters.I &&
        (key[6] ?? 0) <= letters.H
      : key.length === 55 &&
        key[0] === letters.C &&
        key[1] === letters.I &&
        key[2] === letters.Q &&
        (key[3] ?? 0) <= letters.P;
  if (!isHead) return false;
  for (let i = 0; i < key.length; i++) {
    const code = key[i] ?? 0;
    const isLetter = (code >= letters.A && code <= letters.Z) || (code >= letters.two && code <= letters.seven);
    if (!isLetter) return false;
  }
  return true;
}

function readTime(text: string): RemoteStatusRow['timestamp'] {
  return text === '' ? null : parseTime(text);
}

function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0) throw bad(`${JSON.stringify(text.slice(0, 32))} attempts`);
  return count;
}

class Source {
  readonly #bytes: Uint8Array;
  /** The same as text, of which keys are cut: cheaper than a text of its own for each. */
  readonly #text: string;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#text = asciiDecode(bytes);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw bad('the bytes end within a row');
    return byte;
  }

  key(): string {
    const letters = this.part();
    checkKey(letters);
    return this.#text.slice(this.#at - letters.length, this.#at);
  }

  part(): Uint8Array {
    const length = varintRead(this.#bytes, this.#at);
    if (length === undefined || length.end + length.value > this.#bytes.length) throw bad('the bytes end within a row');
    this.#at = length.end + length.value;
    return this.#bytes.subarray(length.end, this.#at);
  }
}

function bad(problem: string): OperatingError {
  return new OperatingError('model/bad-encoding', `Cannot decode statuses: ${problem}`);
}
