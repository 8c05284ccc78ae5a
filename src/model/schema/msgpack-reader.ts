/**
 * Reads msgpack as leniently as the Go codecs do: every form of raw, str and bin; every form of integers in range;
 * integral floats; arrays instead of structs. Never trusts a length: each is checked against the limit of its field
 * and against what is there.
 * Source: ugorji/go/codec `msgpackDecDriver`; the recorded tolerances are in `test/vectors/wire/decode-tolerance.json`.
 */
import { OperatingError, utf8Decode } from '../../base/index.ts';

/** Thrown when the buffer ends before the value does; one object, for it is a normal event on a stream. */
export const truncated: OperatingError = new OperatingError(
  'model/bad-encoding',
  'Cannot decode msgpack: the bytes end before the value does',
);

/** The error of bytes that cannot become a value. */
export function badEncoding(problem: string, offset: number): OperatingError {
  return new OperatingError('model/bad-encoding', `Cannot decode msgpack at byte ${offset}: ${problem}`);
}

export class MsgpackReader {
  readonly bytes: Uint8Array;
  /** Unknown struct fields are errors, as Go's Raft commands want it. */
  readonly strict: boolean;
  offset: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, offset: number, strict: boolean) {
    this.bytes = bytes;
    this.offset = offset;
    this.strict = strict;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(problem: string): OperatingError {
    return badEncoding(problem, this.offset);
  }

  /** The tag byte of the next value, not consumed. */
  peek(): number {
    const tag = this.bytes[this.offset];
    if (tag === undefined) throw truncated;
    return tag;
  }

  /** Consumes a nil if one is next. */
  isNil(): boolean {
    if (this.peek() !== 0xc0) return false;
    this.offset++;
    return true;
  }

  boolean(): boolean {
    const tag = this.peek();
    if (tag > 1 && tag !== 0xc2 && tag !== 0xc3) throw this.#unexpected('a boolean');
    this.offset++;
    return tag === 0xc3 || tag === 1;
  }

  /** An integer that a double holds exactly, within `min <= value <= max`. */
  int(min: number, max: number): number {
    const tag = this.peek();
    if (tag < 0x80 || tag >= 0xe0) {
      this.offset++;
      return this.#inRange(tag < 0x80 ? tag : tag - 256, min, max);
    }
    switch (tag) {
      case 0xcc:
      case 0xd0:
        return this.#inRange(
          tag === 0xcc ? this.#view.getUint8(this.#take(1)) : this.#view.getInt8(this.#take(1)),
          min,
          max,
        );
      case 0xcd:
        return this.#inRange(this.#view.getUint16(this.#take(2)), min, max);
      case 0xd1:
        return this.#inRange(this.#view.getInt16(this.#take(2)), min, max);
      case 0xce:
        return this.#inRange(this.#view.getUint32(this.#take(4)), min, max);
      case 0xd2:
        return this.#inRange(this.#view.getInt32(this.#take(4)), min, max);
      case 0xcf:
        return this.#inRange(Number(this.#view.getBigUint64(this.#take(8))), min, max);
      case 0xd3:
        return this.#inRange(Number(this.#view.getBigInt64(this.#take(8))), min, max);
      case 0xca:
        return this.#inRange(this.#integral(this.#view.getFloat32(this.#take(4))), min, max);
      case 0xcb:
        return this.#inRange(this.#integral(this.#view.getFloat64(this.#take(8))), min, max);
      default:
        throw this.#unexpected('an integer');
    }
  }

  int64(): bigint {
    const tag = this.peek();
    if (tag === 0xd3) return this.#view.getBigInt64(this.#take(8));
    if (tag === 0xcf) {
      const value = this.#view.getBigUint64(this.#take(8));
      if (value > 0x7fff_ffff_ffff_ffffn) throw this.fail(`${value} is above the limit of int64`);
      return value;
    }
    return BigInt(this.int(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
  }

  float64(): number {
    const tag = this.peek();
    if (tag === 0xca) return this.#view.getFloat32(this.#take(4));
    if (tag === 0xcb) return this.#view.getFloat64(this.#take(8));
    return this.int(-Infinity, Infinity);
  }

  /** Any number: a double for the float forms, else an integer with all its digits. */
  float64OrInt64(): number | bigint {
    const tag = this.peek();
    return tag === 0xca || tag === 0xcb ? this.float64() : this.int64();
  }

  /** The bytes of a raw, str or bin value: a view into the buffer. */
  raw(lengthMax: number): Uint8Array {
    const length = this.#rawLength(lengthMax);
    const start = this.offset;
    if (start + length > this.bytes.length) throw truncated;
    this.offset = start + length;
    return this.bytes.subarray(start, this.offset);
  }

  /** Whether the next value is an array; lets bytes be read from one. */
  isArray(): boolean {
    const tag = this.peek();
    return (tag >= 0x90 && tag <= 0x9f) || tag === 0xdc || tag === 0xdd;
  }

  isMap(): boolean {
    const tag = this.peek();
    return (tag >= 0x80 && tag <= 0x8f) || tag === 0xde || tag === 0xdf;
  }

  /** Consumes the next value if it is encoded in exactly these bytes. Spares the text of a key that is expected. */
  consumes(encoded: Uint8Array): boolean {
    const { bytes, offset } = this;
    for (let i = 0; i < encoded.length; i++) if (bytes[offset + i] !== encoded[i]) return false;
    this.offset = offset + encoded.length;
    return true;
  }

  string(lengthMax: number): string {
    const bytes = this.raw(lengthMax);
    if (bytes.length > 24) return utf8Decode(bytes);
    let text = '';
    for (const byte of bytes) {
      if (byte > 127) return utf8Decode(bytes);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  arrayHeader(countMax: number): number {
    const tag = this.peek();
    if (tag >= 0x90 && tag <= 0x9f) {
      this.offset++;
      return this.#limited(tag & 15, countMax, 'items');
    }
    if (tag === 0xdc) return this.#limited(this.#view.getUint16(this.#take(2)), countMax, 'items');
    if (tag === 0xdd) return this.#limited(this.#view.getUint32(this.#take(4)), countMax, 'items');
    throw this.#unexpected('an array');
  }

  mapHeader(countMax: number): number {
    const tag = this.peek();
    if (tag >= 0x80 && tag <= 0x8f) {
      this.offset++;
      return this.#limited(tag & 15, countMax, 'entries');
    }
    if (tag === 0xde) return this.#limited(this.#view.getUint16(this.#take(2)), countMax, 'entries');
    if (tag === 0xdf) return this.#limited(this.#view.getUint32(this.#take(4)), countMax, 'entries');
    throw this.#unexpected('a map');
  }

  /**
   * Seconds and nanoseconds of a msgpack timestamp, as raw, bin or extension -1.
   * `undefined` when what is next is no timestamp in an extension and no raw.
   */
  timestamp(): { readonly seconds: number; readonly nanos: number } {
    const tag = this.peek();
    const size = tag === 0xd6 ? 4 : tag === 0xd7 ? 8 : undefined;
    if (size !== undefined) {
      const at = this.#take(1 + size);
      if (this.bytes[at] !== 0xff) throw this.fail('expected extension -1 for a time');
      return this.#time(at + 1, size);
    }
    if (tag === 0xc7) {
      const at = this.#take(2);
      const length = this.bytes[at] ?? 0;
      if (this.bytes[at + 1] !== 0xff) throw this.fail('expected extension -1 for a time');
      if (this.offset + length > this.bytes.length) throw truncated;
      this.offset += length;
      return this.#time(at + 2, length);
    }
    const start = this.raw(64);
    return this.#time(this.offset - start.length, start.length);
  }

  /** Skips one value of any kind and depth, without recursion. */
  skip(): void {
    for (let pending = 1; pending > 0; pending--) {
      const tag = this.peek();
      if (this.isMap()) pending += 2 * this.mapHeader(0xffffffff);
      else if (this.isArray()) pending += this.arrayHeader(0xffffffff);
      else if (tag < 0x80 || tag >= 0xe0) this.offset++;
      else this.#skipScalar(tag);
    }
  }

  #skipScalar(tag: number): void {
    const fixed = fixedSizes[tag];
    if (fixed !== undefined) this.#take(fixed);
    else if (tag === 0xc7) this.#take(this.#view.getUint8(this.#ahead(1)) + 2);
    else if (tag === 0xc8) this.#take(this.#view.getUint16(this.#ahead(2)) + 3);
    else if (tag === 0xc9) this.#take(this.#view.getUint32(this.#ahead(4)) + 5);
    else if (tag === 0xc1) throw this.fail('tag c1 is never used');
    else this.raw(0xffffffff);
  }

  #time(at: number, size: number): { readonly seconds: number; readonly nanos: number } {
    if (size === 4) return { seconds: this.#view.getUint32(at), nanos: 0 };
    if (size === 8) {
      const high = this.#view.getUint32(at);
      // The upper 30 bits are nanoseconds, the other 34 are seconds.
      const nanos = high >>> 2;
      if (nanos > 999_999_999) throw this.fail(`${nanos} nanoseconds are more than a second`);
      return { seconds: (high & 3) * 0x1_0000_0000 + this.#view.getUint32(at + 4), nanos };
    }
    if (size !== 12) throw this.fail(`expected 4, 8 or 12 bytes for a time, got ${size}`);
    const nanos = this.#view.getUint32(at);
    const seconds = Number(this.#view.getBigInt64(at + 4));
    if (nanos > 999_999_999 || !Number.isSafeInteger(seconds)) throw this.fail('time out of range');
    return { seconds, nanos };
  }

  #rawLength(lengthMax: number): number {
    const tag = this.peek();
    if (tag >= 0xa0 && tag <= 0xbf) {
      this.offset++;
      return this.#limited(tag & 31, lengthMax, 'bytes');
    }
    switch (tag) {
      case 0xd9:
      case 0xc4:
        return this.#limited(this.#view.getUint8(this.#take(1)), lengthMax, 'bytes');
      case 0xda:
      case 0xc5:
        return this.#limited(this.#view.getUint16(this.#take(2)), lengthMax, 'bytes');
      case 0xdb:
      case 0xc6:
        return this.#limited(this.#view.getUint32(this.#take(4)), lengthMax, 'bytes');
      default:
        throw this.#unexpected('text or bytes');
    }
  }

  /** Consumes the tag and `size` bytes behind it. @returns where those start. */
  #take(size: number): number {
    const at = this.#ahead(size);
    this.offset = at + size;
    return at;
  }

  #ahead(size: number): number {
    const at = this.offset + 1;
    if (at + size > this.bytes.length) throw truncated;
    return at;
  }

  #limited(count: number, max: number, unit: string): number {
    if (count > max) throw this.fail(`${count} ${unit}, at most ${max} are accepted here`);
    return count;
  }

  #inRange(value: number, min: number, max: number): number {
    if (value < min || value > max) throw this.fail(`${value} is outside ${min}..${max}`);
    return value;
  }

  #integral(value: number): number {
    if (!Number.isInteger(value)) throw this.fail(`${value} has a fraction, expected an integer`);
    return value;
  }

  #unexpected(expected: string): OperatingError {
    return this.fail(`expected ${expected}, got tag ${this.peek().toString(16).padStart(2, '0')}`);
  }
}

/** Bytes behind the tag, for the tags whose size is fixed. */
const fixedSizes: Readonly<Record<number, number>> = {
  192: 0,
  194: 0,
  195: 0,
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
  212: 2,
  213: 3,
  214: 5,
  215: 9,
  216: 17,
};
