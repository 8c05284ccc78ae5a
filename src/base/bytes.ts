/**
 * Bytes: comparing, joining, and the two text forms that need no table of alphabets.
 */
import { OperatingError } from './errors.ts';

/** No bytes at all. */
export const noBytes: Uint8Array = new Uint8Array(0);

/**
 * The same bytes in memory of their own. Never copy with `slice`: on a Node `Buffer`, which is a `Uint8Array` too, it
 * makes a view that changes with the original.
 */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const latin1 = new TextDecoder('latin1');

/** Whether both hold the same bytes. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order, a shorter prefix first: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** One array with the bytes of all parts; always a copy. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** UTF-8 bytes of a text. Lone surrogates become U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
  // Short ASCII, which nearly all texts are, without the call of an encoder.
  if (text.length > 80) return encoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return encoder.encode(text);
    bytes[i] = code;
  }
  return bytes;
}

/** Writes ASCII text at that place, where there is room for it. @returns where it ends */
export function asciiWrite(target: Uint8Array, at: number, text: string): number {
  encoder.encodeInto(text, target.subarray(at));
  return at + text.length;
}

/** A letter for each byte: where the bytes are ASCII, what they mean, elsewhere anything. */
export function asciiDecode(bytes: Uint8Array): string {
  return latin1.decode(bytes);
}

/** Text of UTF-8 bytes. Invalid sequences become U+FFFD; a byte order mark is kept. */
export function utf8Decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const hexDigits = '0123456789abcdef';

/** Lower-case hexadecimal text, two digits a byte. */
export function hexEncode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += `${hexDigits[byte >> 4]}${hexDigits[byte & 15]}`;
  return text;
}

/**
 * Bytes of hexadecimal text in either case. Throws `OperatingError` `base/bad-hex` with the text of Go's
 * `encoding/hex`, which the errors of CIDs and secrets hand on.
 */
export function hexDecode(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < text.length; i++) {
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0) {
      const code = text.codePointAt(i) ?? 0;
      const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
      throw badHex(`invalid byte: ${name} '${String.fromCodePoint(code)}'`);
    }
    if (i >> 1 < bytes.length) bytes[i >> 1] = ((bytes[i >> 1] ?? 0) << 4) | digit;
  }
  if (text.length % 2 !== 0) throw badHex('odd length hex string');
  return bytes;
}

function badHex(problem: string): OperatingError {
  return new OperatingError('base/bad-hex', `encoding/hex: ${problem}`);
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  if (code >= 65 && code <= 70) return code - 55;
  return -1;
}
