/**
 * Where the state lies in the store:
 *
 * | key | value |
 * |---|---|
 * | `/applied` | the progress record, below |
 * | `/r/<state key>`, `/r2/<state key>` | a pin as `encodePin` makes it, in the namespace that is in use; what is in the other one is left over from a restore |
 * | `/restored` | the tag of the last restore |
 * | `/synced` | index (u64, big-endian) of a log entry up to which everything is on disk |
 * | `/x/<seconds><state key>`, `/x2/<seconds><state key>` | nothing: a pin of that namespace that expires then (u64, big-endian) |
 * | `/xv` | version (u8, 1) of these keys; a state without it is of before there were any |
 *
 * The progress record, integers big-endian: its version (u8, 1), the namespace in use (u8, 0 or 1), index of the last log entry
 * that is applied (u64), number of pins (u64). It sorts before the pins, so that one scan sees what they are of.
 */
import { concatBytes, utf8Decode, utf8Encode } from '../base/index.ts';
import { type Cid, cidOfStateKey, stateKey } from '../model/index.ts';
import type { KeyRange } from './ports.ts';

/** Two, of which a restore fills the one that is not in use. */
export type Namespace = 0 | 1;

/** The first is Go's: `consensus/raft/config.go` `DefaultDatastoreNamespace`. */
const prefixes = ['/r/', '/r2/'] as const;

const prefixBytes = [utf8Encode(prefixes[0]), utf8Encode(prefixes[1])] as const;

/** Every key of a pin in one namespace, and nothing else. */
export const pinKeys: readonly [KeyRange, KeyRange] = [
  { start: utf8Encode('/r/'), end: utf8Encode('/r0') },
  { start: utf8Encode('/r2/'), end: utf8Encode('/r20') },
];

const expiryPrefixes = [utf8Encode('/x/'), utf8Encode('/x2/')] as const;

/** Every pin of one namespace that expires, soonest first. They sort after the pins, so that no snapshot passes over them. */
export const expiryKeys: readonly [KeyRange, KeyRange] = [
  { start: expiryPrefixes[0], end: utf8Encode('/x0') },
  { start: expiryPrefixes[1], end: utf8Encode('/x20') },
];

export const expiryVersionKey: Uint8Array = utf8Encode('/xv');

export const expiryVersion = 1;

export const progressKey: Uint8Array = utf8Encode('/applied');

export const restoredKey: Uint8Array = utf8Encode('/restored');

export const syncedKey: Uint8Array = utf8Encode('/synced');

/** The progress record and the pins of both namespaces. */
export const stateKeys: KeyRange = { start: progressKey, end: pinKeys[1].end };

/** The key of a pin's record. */
export function pinKey(namespace: Namespace, cid: Cid): Uint8Array {
  return utf8Encode(prefixes[namespace] + stateKey(cid));
}

/** The same from the bytes of the state key. */
export function pinKeyOfStateKey(namespace: Namespace, key: Uint8Array): Uint8Array {
  return concatBytes([prefixBytes[namespace], key]);
}

/** The pins of one namespace behind a state key, of a pin or of none; without it all. */
export function pinKeysBehind(namespace: Namespace, after: string | undefined): KeyRange {
  const all = pinKeys[namespace];
  // The key right behind is the same with a zero.
  return after === undefined ? all : { start: utf8Encode(`${prefixes[namespace]}${after}\0`), end: all.end };
}

/** Throws `OperatingError` `model/bad-cid`. */
export function cidOfPinKey(namespace: Namespace, key: Uint8Array): Cid {
  return cidOfStateKey(utf8Decode(stateKeyOfPinKey(namespace, key)));
}

/** Of the text of a pin's key. */
export function stateKeyOfText(namespace: Namespace, key: string): string {
  return key.slice(prefixes[namespace].length);
}

/** A view. */
export function stateKeyOfPinKey(namespace: Namespace, key: Uint8Array): Uint8Array {
  return key.subarray(prefixes[namespace].length);
}

/** Of the pin with that key, which expires at that time, in seconds since the epoch. */
export function expiryKey(namespace: Namespace, seconds: number, key: Uint8Array): Uint8Array {
  return concatBytes([expiryPrefixes[namespace], encodeIndex(seconds), stateKeyOfPinKey(namespace, key)]);
}

/** The pin's key, and when it expires. */
export function readExpiryKey(
  namespace: Namespace,
  key: Uint8Array,
): { readonly key: Uint8Array; readonly seconds: number } {
  const start = expiryPrefixes[namespace].length;
  const seconds = decodeIndex(key.subarray(start, start + indexSizeBytes)) ?? 0;
  return { key: pinKeyOfStateKey(namespace, key.subarray(start + indexSizeBytes)), seconds };
}

/** How far the state is. */
export interface Progress {
  readonly namespace: Namespace;
  /** Index of the last log entry whose effects are in the state. */
  readonly applied: number;
  /** Number of pins. */
  readonly count: number;
}

/** Of a store that holds nothing. */
export const noProgress: Progress = { namespace: 0, applied: 0, count: 0 };

const recordVersion = 1;
export const progressSizeBytes = 18;

export function encodeProgress({ namespace, applied, count }: Progress): Uint8Array {
  const bytes = new Uint8Array(progressSizeBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, recordVersion);
  view.setUint8(1, namespace);
  view.setBigUint64(2, BigInt(applied));
  view.setBigUint64(10, BigInt(count));
  return bytes;
}

const indexSizeBytes = 8;

/** The value of `/synced`. */
export function encodeIndex(index: number): Uint8Array {
  const bytes = new Uint8Array(indexSizeBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(index));
  return bytes;
}

/** `undefined` for what `encodeIndex` has not made. */
export function decodeIndex(bytes: Uint8Array): number | undefined {
  if (bytes.length !== indexSizeBytes) return undefined;
  return Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0));
}

/** `undefined` for what `encodeProgress` has not made. */
export function decodeProgress(bytes: Uint8Array): Progress | undefined {
  if (bytes.length !== progressSizeBytes || bytes[0] !== recordVersion) return undefined;
  const namespace = bytes[1];
  if (namespace !== 0 && namespace !== 1) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { namespace, applied: Number(view.getBigUint64(2)), count: Number(view.getBigUint64(10)) };
}
