/**
 * Unsigned varints: seven bits a byte, lowest first (LEB128), as multiformats and protobuf use them.
 */
import { OperatingError } from './errors.ts';

/** A decoded varint and the offset behind it. */
export interface Varint {
  readonly value: number;
  readonly end: number;
}

/** Bytes that the varint of `value` takes; `0 <= value <= Number.MAX_SAFE_INTEGER`. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes the varint of `value` at `offset`. @returns the offset behind it. */
export function varintWrite(target: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  for (; rest >= 0x80000000; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 128;
  for (; rest >= 128; rest >>>= 7) target[at++] = (rest & 127) | 128;
  target[at++] = rest;
  return at;
}

/** The varint of `value` alone. */
export function varintEncode(value: number): Uint8Array {
  const bytes = new Uint8Array(varintSize(value));
  varintWrite(bytes, 0, value);
  return bytes;
}

/**
 * The varint at `offset`, or `undefined` when the bytes end before it does.
 * Throws `OperatingError` `base/bad-varint` above `Number.MAX_SAFE_INTEGER`.
 */
export function varintRead(bytes: Uint8Array, offset: number): Varint | undefined {
  let value = 0;
  let factor = 1;
  for (let at = offset; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 127) * factor;
    if (value > Number.MAX_SAFE_INTEGER || at - offset > 9) {
      throw new OperatingError('base/bad-varint', 'Cannot decode varint: above 2^53 - 1 or longer than 10 bytes');
    }
    if (byte < 128) return { value, end: at + 1 };
    factor *= 128;
  }
  return undefined;
}
