/**
 * CRC-32 as in zip and zlib, for values that are short and many: their checksum costs half of what a call of `node:zlib` does.
 * Each takes the checksum of what was before, 0 for nothing, and gives that of all.
 */
import { crc32 } from 'node:zlib';

/** From here on the call is worth its price. */
const shortBytesMax = 256;
const polynomial = 0xedb88320;

// Table `n` is of a byte that `n` more follow: four bytes in one step ("slicing by 4").
const [table0, table1, table2, table3] = makeTables();

/** Of the bytes from `start` on. `0 <= result < 2^32` */
export function crc32OfBytes(bytes: Uint8Array, start: number, before: number): number {
  const end = bytes.length;
  if (end - start > shortBytesMax) return crc32(bytes.subarray(start), before);
  let crc = ~before;
  let at = start;
  // Every index is below the length, and every number looked up below 256.
  for (; at + 3 < end; at += 4) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc = four(crc);
  }
  for (; at < end; at++) crc = one(crc, bytes[at] as number);
  return ~crc >>> 0;
}

/** Of ASCII text; of any other something else. `0 <= result < 2^32` */
export function crc32OfText(text: string, before: number): number {
  const end = text.length;
  let crc = ~before;
  let at = 0;
  for (; at + 3 < end; at += 4) {
    crc ^=
      text.charCodeAt(at) |
      (text.charCodeAt(at + 1) << 8) |
      (text.charCodeAt(at + 2) << 16) |
      (text.charCodeAt(at + 3) << 24);
    crc = four(crc);
  }
  for (; at < end; at++) crc = one(crc, text.charCodeAt(at));
  return ~crc >>> 0;
}

function four(crc: number): number {
  return (
    (table3[crc & 255] as number) ^
    (table2[(crc >>> 8) & 255] as number) ^
    (table1[(crc >>> 16) & 255] as number) ^
    (table0[crc >>> 24] as number)
  );
}

function one(crc: number, byte: number): number {
  return (crc >>> 8) ^ (table0[(crc ^ byte) & 255] as number);
}

function makeTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const tables = [new Int32Array(256), new Int32Array(256), new Int32Array(256), new Int32Array(256)] as const;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : polynomial);
    tables[0][byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = tables[0][byte] as number;
    for (const table of tables.slice(1)) {
      crc = (crc >>> 8) ^ (tables[0][crc & 255] as number);
      table[byte] = crc;
    }
  }
  return tables;
}
