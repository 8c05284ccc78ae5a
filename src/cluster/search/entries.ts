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
import { bytesEqual, concatBytes, utf8Encode } from '../../base/index.ts';
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
const textEnd = Uint8Array.of(0, 1);

/** The part of a pin that is looked for. */
export type SearchedPin = Pick<Pin, 'name' | 'metadata' | 'timestamp'>;

/** The key of what is known of a pin. */
export function pinEntryKey(stateKey: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(tags.pin), stateKey]);
}

/** The pins behind `after` up to `last`; without them from the first, and to the last of all. */
export function pinEntryRange(after: Uint8Array | undefined, last: Uint8Array | undefined): KeyRange {
  return {
    start: after === undefined ? Uint8Array.of(tags.pin) : behind(pinEntryKey(after)),
    end: last === undefined ? Uint8Array.of(tags.pin + 1) : behind(pinEntryKey(last)),
  };
}

/** The first key behind this one. */
export function behind(key: Uint8Array): Uint8Array {
  return concatBytes([key, Uint8Array.of(0)]);
}

/** The beginnings of the keys that a pin is found by. Two may be equal: of metadata whose keys are, as far as they are kept. */
export function beginningsOf({ name, metadata, timestamp }: SearchedPin): Uint8Array[] {
  const beginnings = [nameBeginning(name)];
  for (const [key, value] of Object.entries(metadata ?? {})) beginnings.push(metadataBeginning(key, value));
  if (timestamp !== null) beginnings.push(timeBeginning(timestamp.seconds));
  return beginnings;
}

/** Joins beginnings to a value. */
export function encodeBeginnings(beginnings: readonly Uint8Array[]): Uint8Array {
  return concatBytes(beginnings.flatMap((bytes) => [Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes]));
}

/** Of what `encodeBeginnings` has made; of anything else whatever it may be. */
export function decodeBeginnings(value: Uint8Array): Uint8Array[] {
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
  stateKeyOf(key: Uint8Array): Uint8Array;
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
    // A cut name must be found by all that it begins with.
    const start = concatBytes([Uint8Array.of(tags.name), escaped(cut(utf8Encode(namePrefix)))]);
    return textPlan(rangeBehind(start), (key, pin) => startsWith(key, nameBeginning(pin.name)));
  }
  return timePlan(createdAfter, createdBefore);
}

function textPlan(range: KeyRange, isOf: SearchPlan['isOf']): SearchPlan {
  return {
    range,
    // State keys have no zeros.
    stateKeyOf: (key) => key.subarray(key.lastIndexOf(0) + textEnd.length),
    isOf,
  };
}

function timePlan(after: Time | undefined, before: Time | undefined): SearchPlan {
  const end = before === undefined ? Uint8Array.of(tags.time + 1) : timeBeginning(before.seconds + 1);
  return {
    range: { start: after === undefined ? Uint8Array.of(tags.time) : timeBeginning(after.seconds), end },
    stateKeyOf: (key) => key.subarray(1 + secondsBytes),
    isOf: (key, { timestamp }) => timestamp !== null && startsWith(key, timeBeginning(timestamp.seconds)),
  };
}

function nameBeginning(name: string): Uint8Array {
  return concatBytes([Uint8Array.of(tags.name), escaped(cut(utf8Encode(name))), textEnd]);
}

function metadataBeginning(key: string, value: string): Uint8Array {
  const [keyBytes, valueBytes] = [key, value].map((text) => escaped(cut(utf8Encode(text))));
  return concatBytes([Uint8Array.of(tags.metadata), keyBytes ?? textEnd, textEnd, valueBytes ?? textEnd, textEnd]);
}

function timeBeginning(seconds: number): Uint8Array {
  const bytes = new Uint8Array(1 + secondsBytes);
  bytes[0] = tags.time;
  const sorted = Math.min(Math.max(0, seconds + secondsOffset), Number.MAX_SAFE_INTEGER);
  new DataView(bytes.buffer).setBigUint64(1, BigInt(sorted));
  return bytes;
}

function cut(bytes: Uint8Array): Uint8Array {
  return bytes.length <= textBytesMax ? bytes : bytes.subarray(0, textBytesMax);
}

function escaped(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0)) return bytes;
  return Uint8Array.from([...bytes].flatMap((byte) => (byte === 0 ? [0, 255] : [byte])));
}

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
