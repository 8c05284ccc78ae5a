/**
 * Content identifiers, kept as their bytes; text is made late and only once.
 *
 * Two CIDs are the same pin only when their bytes are equal: version and codec count (Go compares `cid.Cid` values).
 * Never compare with `===`; use `equals`, or `key` as a map key.
 * Error texts are those of go-cid and go-multibase, which the REST API hands on.
 */

import { base2 } from 'multiformats/bases/base2';
import { base8 } from 'multiformats/bases/base8';
import { base10 } from 'multiformats/bases/base10';
import {
  base32hex,
  base32hexpad,
  base32hexpadupper,
  base32hexupper,
  base32pad,
  base32padupper,
  base32z,
} from 'multiformats/bases/base32';
import { base36, base36upper } from 'multiformats/bases/base36';
import { base58flickr } from 'multiformats/bases/base58';
import { base64, base64pad, base64url, base64urlpad } from 'multiformats/bases/base64';
import {
  base32Decode,
  base32Encode,
  base58Decode,
  base58Encode,
  bytesEqual,
  copyBytes,
  errorMessage,
  hexDecode,
  noBytes,
  OperatingError,
  varintRead,
} from '../base/index.ts';

/** Longer texts are refused before they are decoded; a 64 byte digest in base 2 takes 550 letters. */
const textLengthMax = 1024;
/** Codec of `version: 0`, and of most directories and files. */
const dagPbCodec = 0x70;

/** A content identifier. */
export class Cid {
  readonly bytes: Uint8Array;
  #text: string | undefined;

  private constructor(bytes: Uint8Array, text?: string) {
    this.bytes = bytes;
    this.#text = text;
  }

  /** Go's `cid.Undef`: no bytes, prints as the empty text, is `null` in JSON. Only zero values of the wire carry it. */
  static readonly undefined: Cid = new Cid(noBytes, '');

  /** From binary form, validated and copied. Throws `OperatingError` `model/bad-cid`. */
  static decode(bytes: Uint8Array): Cid {
    return new Cid(copyBytes(validated(bytes)));
  }

  /** From text in any multibase, or base58 for version 0. Throws `OperatingError` `model/bad-cid`. */
  static parse(text: string): Cid {
    if (text.length < 2) throw bad('cid too short');
    if (text.length > textLengthMax) throw bad(`text of ${text.length} letters is longer than ${textLengthMax}`);
    if (text.length === 46 && text.startsWith('Qm')) return new Cid(versionZero(fromBase58(text)), text);
    const bytes = validated(fromMultibase(text));
    // The text is kept only where it is the canonical one.
    return new Cid(bytes);
  }

  /** False for `Cid.undefined` only. */
  get isDefined(): boolean {
    return this.bytes.length > 0;
  }

  get version(): 0 | 1 {
    return this.bytes[0] === 0x12 && this.bytes[1] === 0x20 && this.bytes.length === 34 ? 0 : 1;
  }

  /** The multicodec of the content, such as 0x70 (dag-pb) and 0x55 (raw). */
  get codec(): number {
    return this.version === 0 ? dagPbCodec : (varintRead(this.bytes, 1)?.value ?? 0);
  }

  /** The multihash: code, length and digest. */
  get multihash(): Uint8Array {
    return this.version === 0 ? this.bytes : this.bytes.subarray(varintRead(this.bytes, 1)?.end ?? 0);
  }

  equals(other: Cid): boolean {
    return bytesEqual(this.bytes, other.bytes);
  }

  /** A map key: equal for equal bytes. */
  get key(): string {
    return this.toString();
  }

  /** Canonical text: base58 for version 0, lower-case base32 for version 1. */
  toString(): string {
    this.#text ??= this.version === 0 ? base58Encode(this.bytes) : `b${base32Encode(this.bytes)}`;
    return this.#text;
  }

  /** The form of JSON APIs: the text, or `null`. */
  toJSON(): string | null {
    return this.isDefined ? this.toString() : null;
  }
}

function bad(reason: string, cause?: unknown): OperatingError {
  return new OperatingError('model/bad-cid', `invalid cid: ${reason}`, { cause });
}

function fromBase58(text: string): Uint8Array {
  try {
    return base58Decode(text);
  } catch (error) {
    throw bad('invalid base58 digit', error);
  }
}

function fromMultibase(text: string): Uint8Array {
  try {
    switch (text[0]) {
      case 'b':
        return base32Decode(text, 1);
      case 'B':
        return base32Decode(text.toLowerCase(), 1);
      case 'z':
        return base58Decode(text.slice(1));
      case 'f':
      case 'F':
        return hexDecode(text.slice(1));
      default:
        return fromRareBase(text);
    }
  } catch (error) {
    if (error instanceof OperatingError && error.code === 'model/bad-cid') throw error;
    throw bad(errorMessage(error), error);
  }
}

const rareBases = [
  base2,
  base8,
  base10,
  base32hex,
  base32hexpad,
  base32hexpadupper,
  base32hexupper,
  base32pad,
  base32padupper,
  base32z,
  base36,
  base36upper,
  base58flickr,
  base64,
  base64pad,
  base64url,
  base64urlpad,
];

function fromRareBase(text: string): Uint8Array {
  const base = rareBases.find((candidate) => candidate.prefix === text[0]);
  if (base === undefined) throw bad('selected encoding not supported');
  return base.decode(text);
}

function versionZero(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 34 || bytes[0] !== 0x12 || bytes[1] !== 0x20) {
    throw bad(`invalid hash for cidv0 ${bytes[0] ?? 0}-${bytes[1] ?? 0}`);
  }
  return bytes;
}

/** The bytes themselves when they are one whole CID. go-cid wraps the reasons of this part twice. */
function validated(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 2 && bytes[0] === 0x12 && bytes[1] === 0x20) {
    if (bytes.length < 34) throw bad('invalid cid: not enough bytes for cid v0');
    if (bytes.length > 34) throw bad('trailing bytes in data buffer passed to cid Cast');
    return bytes;
  }
  const version = field(bytes, 0);
  if (version.value !== 1) throw bad(`invalid cid: expected 1 as the cid version number, got: ${version.value}`);
  const codec = field(bytes, version.end);
  const end = multihashEnd(bytes, codec.end);
  if (end < bytes.length) throw bad('trailing bytes in data buffer passed to cid Cast');
  return bytes;
}

function multihashEnd(bytes: Uint8Array, offset: number): number {
  if (bytes.length - offset < 2) throw bad('invalid cid: multihash too short. must be >= 2 bytes');
  const code = field(bytes, offset);
  const length = field(bytes, code.end);
  const end = length.end + length.value;
  if (end > bytes.length) throw bad('invalid cid: length greater than remaining number of bytes in buffer');
  return end;
}

function field(bytes: Uint8Array, offset: number): { readonly value: number; readonly end: number } {
  let varint: ReturnType<typeof varintRead>;
  try {
    varint = varintRead(bytes, offset);
  } catch (error) {
    throw bad('invalid cid: varints larger than uint63 not supported', error);
  }
  if (varint === undefined) throw bad('invalid cid: varints malformed, could not reach the end');
  if (varint.end - offset > 1 && bytes[varint.end - 1] === 0) throw bad('invalid cid: varint not minimally encoded');
  return varint;
}
