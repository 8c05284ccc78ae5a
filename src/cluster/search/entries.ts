/**
 * Where pins are found by what they are called, what they carry and when they were made: the keys of the index.
 *
 * | key | value |
 * |---|---|
 * | `n` name, end, state key | nothing |
 * | `m` metadata key, end, value, end, state key | nothing |
 * | `t` seconds since 2^40 before the epoch (u64, big-endian), state key | nothing |
 * | `p` state key | the beginnings of the keys above that this pin has, each behind its length (u16, big-endian) |
 * | `v` | version of all this |
 *
 * Texts are cut to `textBytesMax`: a key is a hint, and what is found is compared with the pin itself. So that they can have any bytes
 * and still sort as they should, a zero in them is followed by 255, and their end is a zero and a one.
 */
import { bytesEqual, concatBytes, copyBytes, utf8Decode, utf8Encode } from '../../base/index.ts';
import type { Pin, PinSearch, StoredPin, Time } from '../../model/index.ts';
import type { KeyRange } from '../ports.ts';

/** Longer names and values are told apart by looking at the pins. */
export const textBytesMax = 128;
/** Times before the epoch sort before those after it. */
const secondsOffset = 2 ** 40;
const secondsBytes = 8;

/** Where the version of what is written here is. */
export const versionKey: Uint8Array = utf8Encode('v');
/** Of the keys above; an index with another one is made anew. */
export const version: Uint8Array = Uint8Array.of(1);
/** All keys of an index. */
export const allKeys: KeyRange = { start: utf8Encode('a'), end: utf8Encode('z') };

const tags = { name: 0x6e, metadata: 0x6d, time: 0x74, pin: 0x70 } as const;
const pinTag = String.fromCharCode(tags.pin);
const textEnd = Uint8Array.of(0, 1);

/** The part of a pin that is looked for. */
export type SearchedPin = Pick<Pin, 'name' | 'metadata' | 'timestamp'>;

/** The key of what is known of a pin. */
export function pinEntryKey(stateKey: string): Uint8Array {
  return utf8Encode(pinTag + stateKey);
}

/** The pin whose key that is. */
export function stateKeyOfEntry(key: string): string {
  return key.slice(pinTag.length);
}

/** The pins behind `after`; without it all. */
export function pinEntryRange(after: string | undefined): KeyRange {
  return {
    start: after === undefined ? Uint8Array.of(tags.pin) : behind(pinEntryKey(after)),
    end: Uint8Array.of(tags.pin + 1),
  };
}

/** The first key behind this one. */
export function behind(key: Uint8Array): Uint8Array {
  return concatBytes([key, Uint8Array.of(0)]);
}

/**
 * What the index has of a pin: the beginnings of the keys that it is found by. Two may be equal: of metadata whose keys are, as far as they
 * are kept.
 */
export function entryOf({ name, metadata, timestamp }: SearchedPin): Uint8Array {
  writer.clear();
  writer.begin(tags.name);
  writer.text(name);
  writer.end();
  if (metadata !== null) {
    for (const key of Object.keys(metadata)) {
      writer.begin(tags.metadata);
      writer.text(key);
      // An own key.
      writer.text(metadata[key] as string);
      writer.end();
    }
  }
  if (timestamp !== null) {
    writer.begin(tags.time);
    writer.seconds(timestamp.seconds);
    writer.end();
  }
  return writer.bytes();
}

/** The beginnings in an entry; of anything else whatever it may be. */
export function beginningsOf(value: Uint8Array): Uint8Array[] {
  const beginnings: Uint8Array[] = [];
  for (let at = 0; at + 1 < value.length; ) {
    const end = at + 2 + (((value[at] ?? 0) << 8) | (value[at + 1] ?? 0));
    beginnings.push(value.subarray(at + 2, end));
    at = end;
  }
  return beginnings;
}

/** The one range of the index in which all that is looked for is, and how to see that a key of it is not left over. */
export interface SearchPlan {
  readonly range: KeyRange;
  stateKeyOf(key: Uint8Array): string;
  /** Whether the pin is to be found by this key still. */
  isOf(key: Uint8Array, pin: StoredPin): boolean;
}

/** The narrowest range, as far as one can tell without looking: a name, then metadata, then names that begin so, then times. */
export function planOf(search: PinSearch): SearchPlan {
  const { name, namePrefix, metadata, createdAfter, createdBefore } = search;
  if (name !== undefined) return textPlan(rangeBehind(nameBeginning(name)), () => true);
  const [first] = Object.entries(metadata);
  if (first !== undefined) return textPlan(rangeBehind(metadataBeginning(...first)), () => true);
  if (namePrefix !== undefined) {
    const start = beginning(() => {
      writer.begin(tags.name);
      writer.prefix(namePrefix);
    });
    return textPlan(rangeBehind(start), (key, pin) => startsWith(key, nameBeginning(pin.name)));
  }
  return timePlan(createdAfter, createdBefore);
}

function textPlan(range: KeyRange, isOf: SearchPlan['isOf']): SearchPlan {
  return {
    range,
    // State keys have no zeros.
    stateKeyOf: (key) => utf8Decode(key.subarray(key.lastIndexOf(0) + textEnd.length)),
    isOf,
  };
}

function timePlan(after: Time | undefined, before: Time | undefined): SearchPlan {
  const end = before === undefined ? Uint8Array.of(tags.time + 1) : timeBeginning(before.seconds + 1);
  return {
    range: { start: after === undefined ? Uint8Array.of(tags.time) : timeBeginning(after.seconds), end },
    stateKeyOf: (key) => utf8Decode(key.subarray(1 + secondsBytes)),
    isOf: (key, { timestamp }) => timestamp !== null && startsWith(key, timeBeginning(timestamp.seconds)),
  };
}

function nameBeginning(name: string): Uint8Array {
  return beginning(() => {
    writer.begin(tags.name);
    writer.text(name);
  });
}

function metadataBeginning(key: string, value: string): Uint8Array {
  return beginning(() => {
    writer.begin(tags.metadata);
    writer.text(key);
    writer.text(value);
  });
}

function timeBeginning(seconds: number): Uint8Array {
  return beginning(() => {
    writer.begin(tags.time);
    writer.seconds(seconds);
  });
}

/** As it is in an entry, without its length. */
function beginning(write: () => void): Uint8Array {
  writer.clear();
  write();
  writer.end();
  return writer.bytes().subarray(lengthBytes);
}

const lengthBytes = 2;
/** Of one text: each of its bytes may be a zero. */
const writtenBytesMax = 2 * textBytesMax + textEnd.length;

/** Writes beginnings, each behind its length, into memory that is used again and again. */
class EntryWriter {
  #bytes = new Uint8Array(4096);
  #length = 0;
  #start = 0;

  clear(): void {
    this.#length = 0;
  }

  /** What was written, as a copy. */
  bytes(): Uint8Array {
    return copyBytes(this.#bytes.subarray(0, this.#length));
  }

  begin(tag: number): void {
    this.#reserve(lengthBytes + 1);
    this.#start = this.#length;
    this.#length += lengthBytes;
    this.#bytes[this.#length++] = tag;
  }

  end(): void {
    const length = this.#length - this.#start - lengthBytes;
    this.#bytes[this.#start] = length >> 8;
    this.#bytes[this.#start + 1] = length & 255;
  }

  /** Cut, escaped, and with its end. */
  text(text: string): void {
    this.prefix(text);
    this.#bytes.set(textEnd, this.#length);
    this.#length += textEnd.length;
  }

  /** The same without an end. */
  prefix(text: string): void {
    this.#reserve(writtenBytesMax);
    const source = utf8Encode(text);
    const size = Math.min(source.length, textBytesMax);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < size; i++) {
      const byte = source[i] as number; // i < size <= length
      bytes[at++] = byte;
      if (byte === 0) bytes[at++] = 255;
    }
    this.#length = at;
  }

  /** So that they sort as they should. */
  seconds(seconds: number): void {
    this.#reserve(secondsBytes);
    const sorted = Math.min(Math.max(0, seconds + secondsOffset), Number.MAX_SAFE_INTEGER);
    const high = Math.floor(sorted / 2 ** 32);
    for (let shift = 24; shift >= 0; shift -= 8) this.#bytes[this.#length++] = (high >>> shift) & 255;
    for (let shift = 24; shift >= 0; shift -= 8) this.#bytes[this.#length++] = ((sorted >>> 0) >>> shift) & 255;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

const writer = new EntryWriter();

/** All keys with that beginning. */
function rangeBehind(start: Uint8Array): KeyRange {
  const end = new Uint8Array(start);
  let at = end.length - 1;
  while (at > 0 && end[at] === 255) at--;
  end[at] = (end[at] ?? 0) + 1;
  return { start, end: end.subarray(0, at + 1) };
}

function startsWith(key: Uint8Array, beginning: Uint8Array): boolean {
  return bytesEqual(key.subarray(0, beginning.length), beginning);
}
