/**
 * Writes msgpack in the old form that the Go codecs speak: text and bytes alike are "raw", there is no bin and no str8.
 * Source: ugorji/go/codec `msgpackEncDriver` with all options zero.
 */
import { utf8Encode } from '../../base/index.ts';

const initialSizeBytes = 4096;
/** A buffer that one large value made grow is not kept beyond this. */
const keptSizeBytesMax = 1_048_576;

/** One growing buffer. Not reentrant: `reset`, write one value, `finish`. */
export class MsgpackWriter {
  /** Write every field of every struct, zero or not; empty maps as nil. For Raft commands (see `raft-command.ts`). */
  explicit = false;
  #bytes: Uint8Array = new Uint8Array(initialSizeBytes);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  reset(explicit: boolean): void {
    this.explicit = explicit;
    this.#length = 0;
    if (this.#bytes.length > keptSizeBytesMax) this.#replace(new Uint8Array(initialSizeBytes));
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  nil(): void {
    this.#byte(0xc0);
  }

  boolean(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  /** A value of a signed Go type: positive values above 127 take the signed forms too. */
  int(value: number): void {
    if (value >= -32 && value <= 127) this.#byte(value & 0xff);
    else if (value >= -0x80 && value <= 0x7f) this.#number(0xd0, value, 1);
    else if (value >= -0x8000 && value <= 0x7fff) this.#number(0xd1, value, 2);
    else if (value >= -0x80000000 && value <= 0x7fffffff) this.#number(0xd2, value, 4);
    else this.#bigint(0xd3, BigInt(value));
  }

  int64(value: bigint): void {
    if (value >= -0x80000000n && value <= 0x7fffffffn) this.int(Number(value));
    else this.#bigint(0xd3, value);
  }

  /** A value of an unsigned Go type; `0 <= value <= Number.MAX_SAFE_INTEGER`. */
  uint(value: number): void {
    if (value <= 0x7f) this.#byte(value);
    else if (value <= 0xff) this.#number(0xcc, value, 1);
    else if (value <= 0xffff) this.#number(0xcd, value, 2);
    else if (value <= 0xffffffff) this.#number(0xce, value, 4);
    else this.#bigint(0xcf, BigInt(value));
  }

  float64(value: number): void {
    this.#reserve(9);
    this.#byte(0xcb);
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  raw(bytes: Uint8Array): void {
    this.#rawHeader(bytes.length);
    this.encoded(bytes);
  }

  /** Bytes that are encoded already. */
  encoded(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    const start = this.#length;
    // Of what is short a loop copies more in the time that the call takes.
    if (bytes.length > 64) this.#bytes.set(bytes, start);
    else for (let i = 0; i < bytes.length; i++) this.#bytes[start + i] = bytes[i] as number; // below the length
    this.#length = start + bytes.length;
  }

  string(text: string): void {
    // Short ASCII, which nearly all text is, without going through an encoder.
    if (text.length < 32) {
      this.#reserve(32);
      const start = this.#length;
      this.#bytes[start] = 0xa0 | text.length;
      let i = 0;
      for (; i < text.length; i++) {
        const code = text.charCodeAt(i);
        if (code > 127) break;
        this.#bytes[start + 1 + i] = code;
      }
      if (i === text.length) {
        this.#length = start + 1 + i;
        return;
      }
    }
    this.raw(utf8Encode(text));
  }

  arrayHeader(count: number): void {
    if (count < 16) this.#byte(0x90 | count);
    else if (count <= 0xffff) this.#number(0xdc, count, 2);
    else this.#number(0xdd, count, 4);
  }

  mapHeader(count: number): void {
    if (count < 16) this.#byte(0x80 | count);
    else if (count <= 0xffff) this.#number(0xde, count, 2);
    else this.#number(0xdf, count, 4);
  }

  #rawHeader(length: number): void {
    if (length < 32) this.#byte(0xa0 | length);
    else if (length <= 0xffff) this.#number(0xda, length, 2);
    else this.#number(0xdb, length, 4);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #number(tag: number, value: number, size: 1 | 2 | 4): void {
    this.#reserve(5);
    this.#bytes[this.#length++] = tag;
    if (size === 1) this.#bytes[this.#length] = value;
    else if (size === 2) this.#view.setUint16(this.#length, value & 0xffff);
    else this.#view.setUint32(this.#length, value >>> 0);
    this.#length += size;
  }

  #bigint(tag: number, value: bigint): void {
    this.#reserve(9);
    this.#bytes[this.#length++] = tag;
    this.#view.setBigUint64(this.#length, BigInt.asUintN(64, value));
    this.#length += 8;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#replace(larger);
  }

  #replace(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
