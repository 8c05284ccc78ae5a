/**
 * One block inside a segment file: `u32 crc32, u32 data length, u8 key length, key, data`, little-endian.
 * The key is the block's multihash. The checksum covers everything behind it, so that a scan can tell a record from
 * what a crash left, whatever the hash function of the block is.
 */
import { crc32 } from 'node:zlib';

/** Bytes before the key. */
export const recordPrefixBytes = 9;
/** A multihash of 64 digest bytes takes 67; Go's CIDs allow no more than this. */
export const keyBytesMax = 160;
/** Far above every block that any peer accepts; a larger length in a file is damage. */
export const dataBytesMax: number = 64 * 1024 * 1024;

/** Bytes of a record on disk. */
export function recordSize(keyBytes: number, dataBytes: number): number {
  return recordPrefixBytes + keyBytes + dataBytes;
}

/** Writes prefix and key at `offset` of `target`; the data follows. @returns the offset behind the key. */
export function writeRecordHead(target: Buffer, offset: number, key: Uint8Array, data: Uint8Array): number {
  target.writeUInt32LE(data.length, offset + 4);
  target[offset + 8] = key.length;
  target.set(key, offset + recordPrefixBytes);
  const end = offset + recordPrefixBytes + key.length;
  target.writeUInt32LE(crc32(data, crc32(target.subarray(offset + 4, end))), offset);
  return end;
}

export interface RecordHead {
  readonly key: Uint8Array;
  readonly dataOffset: number;
  readonly dataBytes: number;
  readonly checksum: number;
}

/** The head at `offset`; `undefined` when the bytes end before it does, `null` when it cannot be one. */
export function readRecordHead(bytes: Buffer, offset: number): RecordHead | undefined | null {
  if (offset + recordPrefixBytes > bytes.length) return undefined;
  const dataBytes = bytes.readUInt32LE(offset + 4);
  const keyBytes = bytes[offset + 8] ?? 0;
  if (keyBytes < 2 || keyBytes > keyBytesMax || dataBytes > dataBytesMax) return null;
  const dataOffset = offset + recordPrefixBytes + keyBytes;
  if (dataOffset > bytes.length) return undefined;
  const key = bytes.subarray(offset + recordPrefixBytes, dataOffset);
  return { key, dataOffset, dataBytes, checksum: bytes.readUInt32LE(offset) };
}

/** Whether the record at `offset` is whole; its data must be in `bytes`. */
export function isRecordSound(bytes: Buffer, offset: number, head: RecordHead): boolean {
  return crc32(bytes.subarray(offset + 4, head.dataOffset + head.dataBytes)) === head.checksum;
}
