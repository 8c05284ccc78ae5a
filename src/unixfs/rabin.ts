/**
 * Cuts where the Rabin fingerprint of the last 16 bytes ends in zero bits, about every `average` bytes.
 *
 * A fingerprint is the remainder of the bytes, read as a polynomial over GF(2), by a fixed polynomial of degree 53; here it is
 * kept as two numbers of 32 bits. Source: whyrusleeping/chunker `chunker.go`, boxo `chunker/rabin.go`, whose polynomial and window
 * are part of every CID that they make.
 */
import type { Cut } from './chunker.ts';

const windowSize = 16;
/** boxo `IpfsRabinPoly`. */
const polynomial = 17_437_180_132_763_653n;
const degree = 53n;
/** Bits of a fingerprint above the lower 32, less the 8 that the next byte shifts out. */
const indexShift = 53 - 8 - 32;

interface Tables {
  readonly high: Int32Array;
  readonly low: Int32Array;
}

/** What takes the byte that leaves the window out of the fingerprint. */
const leaving: Tables = tables((byte) => remainder(BigInt(byte) << BigInt(8 * (windowSize - 1))));
/** What brings a fingerprint that a byte was appended to back below the degree. */
const reducing: Tables = tables((byte) => {
  const above = BigInt(byte) << degree;
  return remainder(above) | above;
});

/** Throws nothing: sizes are checked by `parseChunker`; `sizeMin >= 16`. */
export function rabin(sizeMin: number, average: number, sizeMax: number): Cut {
  const mask = 2 ** Math.floor(Math.log2(average)) - 1;
  const window = new Uint8Array(windowSize);
  return {
    sizeMax,
    lengthOf(bytes) {
      window.fill(0);
      let high = 0;
      let low = 0;
      // The reference begins each chunk with this byte in the window.
      window[0] = 1;
      let place = 1;
      low = 1;
      for (let i = sizeMin - windowSize; i < bytes.length; i++) {
        const byte = bytes[i] ?? 0;
        const out = window[place] ?? 0;
        window[place] = byte;
        place = (place + 1) % windowSize;
        high ^= leaving.high[out] ?? 0;
        low ^= leaving.low[out] ?? 0;
        const index = high >>> indexShift;
        high = (high << 8) | (low >>> 24);
        low = (low << 8) | byte;
        high ^= reducing.high[index] ?? 0;
        low ^= reducing.low[index] ?? 0;
        const length = i + 1;
        if (length >= sizeMin && ((low & mask) === 0 || length >= sizeMax)) return length;
      }
      return bytes.length;
    },
  };
}

function tables(make: (byte: number) => bigint): Tables {
  const values = Array.from({ length: 256 }, (_, byte) => make(byte));
  return {
    high: Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value >> 32n))),
    low: Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value))),
  };
}

function remainder(value: bigint): bigint {
  let rest = value;
  for (let bit = BigInt(rest.toString(2).length - 1); bit >= degree; bit--) {
    if (((rest >> bit) & 1n) === 1n) rest ^= polynomial << (bit - degree);
  }
  return rest;
}
