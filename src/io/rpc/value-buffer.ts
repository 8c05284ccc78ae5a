/**
 * Cuts a growing buffer of concatenated msgpack values into single values.
 *
 * Neither gorpc nor msgpack has lengths around values, so their ends are found by walking over the tags. The walk goes on
 * where it stopped when more bytes come: each byte is looked at once, whatever the sizes of the pieces.
 */
import { rpcError } from './errors.ts';

export class ValueBuffer {
  readonly #valueBytesMax: number;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Bytes of `#bytes` that hold received data. */
  #length = 0;
  /** Where the value under way begins. */
  #start = 0;
  /** How far the walk is; beyond `#length` when the rest of a text is still to come. */
  #at = 0;
  /** Whether `#bytes` is memory of this buffer, which may be appended to. */
  #isOwn = false;
  /** Values that belong to the one under way and were not walked over yet. */
  #pending = 1;

  constructor(valueBytesMax: number) {
    this.#valueBytesMax = valueBytesMax;
  }

  get isEmpty(): boolean {
    return this.#start === this.#length;
  }

  /** Takes a piece over; it must not be changed afterwards. */
  push(piece: Uint8Array): void {
    const rest = this.#length - this.#start;
    if (rest === 0) {
      this.#at -= this.#start;
      this.#bytes = piece;
      this.#length = piece.length;
      this.#start = 0;
      this.#isOwn = false;
      return;
    }
    if (!this.#isOwn || this.#length + piece.length > this.#bytes.length) {
      // Values given out are views of the old memory, so it is left alone; doubling keeps the copying linear.
      const grown = new Uint8Array(Math.max(2 * rest, 1024) + piece.length);
      grown.set(this.#bytes.subarray(this.#start, this.#length));
      this.#bytes = grown;
      this.#at -= this.#start;
      this.#start = 0;
      this.#length = rest;
      this.#isOwn = true;
    }
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
  }

  /**
   * The bytes of the next value, a view; `undefined` when it is not complete.
   * Throws `rpc/too-large` and `rpc/server` for what cannot become a value.
   */
  next(): Uint8Array | undefined {
    while (this.#pending > 0) {
      if (this.#at >= this.#length || !this.#step()) {
        this.#checkSize();
        return undefined;
      }
    }
    if (this.#at > this.#length) {
      this.#checkSize();
      return undefined;
    }
    const value = this.#bytes.subarray(this.#start, this.#at);
    this.#start = this.#at;
    this.#pending = 1;
    return value;
  }

  /** Up to `count` bytes that belong to no value, a view; `undefined` when there are none. Only between values. */
  raw(count: number): Uint8Array | undefined {
    const end = Math.min(this.#length, this.#start + count);
    if (end === this.#start) return undefined;
    const bytes = this.#bytes.subarray(this.#start, end);
    this.#start = end;
    this.#at = end;
    return bytes;
  }

  #checkSize(): void {
    // Every pending value has at least one byte.
    const least = this.#at - this.#start + this.#pending;
    if (least > this.#valueBytesMax + 1) {
      throw rpcError('too-large', `Cannot read a value of ${least} bytes or more: ${this.#valueBytesMax} allowed`);
    }
  }

  /** Walks over one tag, and the text behind it. @returns whether its length was there. */
  #step(): boolean {
    const tag = this.#bytes[this.#at] ?? 0xc1;
    let size = 1;
    let children = 0;
    if (tag < 0x80 || tag >= 0xe0) size = 1;
    else if (tag < 0x90) children = 2 * (tag & 0x0f);
    else if (tag < 0xa0) children = tag & 0x0f;
    else if (tag < 0xc0) size = 1 + (tag & 0x1f);
    else {
      const rule = rules[tag - 0xc0];
      if (rule === undefined) throw rpcError('server', 'Cannot read a value: the byte 0xc1 begins nothing');
      const [fixed, lengthBytes, unit] = rule;
      if (this.#length - this.#at < 1 + lengthBytes) return false;
      let length = 0;
      for (let i = 1; i <= lengthBytes; i++) length = length * 256 + (this.#bytes[this.#at + i] ?? 0);
      size = fixed;
      if (unit === 0) size += length;
      else children = length * unit;
    }
    this.#at += size;
    this.#pending += children - 1;
    return true;
  }
}

/** For tags from 0xc0: bytes with tag and length, bytes of the length, and what the length counts (0: bytes). */
const rules: readonly (readonly [fixed: number, lengthBytes: number, unit: number] | undefined)[] = [
  [1, 0, 0],
  undefined,
  [1, 0, 0],
  [1, 0, 0],
  [2, 1, 0],
  [3, 2, 0],
  [5, 4, 0],
  [3, 1, 0],
  [4, 2, 0],
  [6, 4, 0],
  [5, 0, 0],
  [9, 0, 0],
  [2, 0, 0],
  [3, 0, 0],
  [5, 0, 0],
  [9, 0, 0],
  [2, 0, 0],
  [3, 0, 0],
  [5, 0, 0],
  [9, 0, 0],
  [3, 0, 0],
  [4, 0, 0],
  [6, 0, 0],
  [10, 0, 0],
  [18, 0, 0],
  [2, 1, 0],
  [3, 2, 0],
  [5, 4, 0],
  [3, 2, 1],
  [5, 4, 1],
  [3, 2, 2],
  [5, 4, 2],
];
