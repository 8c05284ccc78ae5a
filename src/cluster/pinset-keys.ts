/** Where pins lie in the store: the reference's keys under the reference's namespace, and one record of our own beside them. */
import { utf8Decode, utf8Encode } from '../base/index.ts';
import { type Cid, cidOfStateKey, stateKey } from '../model/index.ts';
import type { KeyRange } from './ports.ts';

/** Go `consensus/raft/config.go` `DefaultDatastoreNamespace`. */
const namespace = '/r/';

/** Every key of a pin, and nothing else. */
export const pinKeys: KeyRange = { start: utf8Encode(namespace), end: utf8Encode('/r0') };

/** Outside of `pinKeys`. */
export const progressKey: Uint8Array = utf8Encode('/applied');

/** The key of a pin's record. */
export function pinKey(cid: Cid): Uint8Array {
  return utf8Encode(namespace + stateKey(cid));
}

/** Throws `OperatingError` `model/bad-cid`. */
export function cidOfPinKey(key: Uint8Array): Cid {
  return cidOfStateKey(utf8Decode(key.subarray(namespace.length)));
}

/** How far the state is. */
export interface Progress {
  /** Index of the last log entry whose effects are in the state. */
  readonly applied: number;
  /** Number of pins. */
  readonly count: number;
}

/** Both as u64 big-endian. */
export function encodeProgress({ applied, count }: Progress): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(applied));
  view.setBigUint64(8, BigInt(count));
  return bytes;
}

/** `undefined` for what `encodeProgress` has not made. */
export function decodeProgress(bytes: Uint8Array): Progress | undefined {
  if (bytes.length !== 16) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { applied: Number(view.getBigUint64(0)), count: Number(view.getBigUint64(8)) };
}
