/** CIDs and their blocks: which can be checked, and CIDs from a block and its prefix. */
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { bytesEqual, varintRead } from '../base/index.ts';
import { digestOf, digestSizeMin, isStrong } from '../multihash/index.ts';

const identity = 0;
/** Kubo refuses longer ones. */
const identityBytesMax = 128;

/** Whether the hash of a CID can be checked here and is strong enough. */
export function isCheckable(cid: CID): boolean {
  const { code, digest } = cid.multihash;
  if (code === identity) return digest.length <= identityBytesMax;
  return digest.length >= digestSizeMin && isStrong(code);
}

/** Whether `data` is the block of `cid`; false too for hash functions that are not known here. */
export function isBlockOf(cid: CID, data: Uint8Array): boolean {
  const { code, digest } = cid.multihash;
  const full = digestOf(code, data);
  return full !== undefined && bytesEqual(full.length > digest.length ? full.subarray(0, digest.length) : full, digest);
}

const emptySha256 = digestOf(0x12, new Uint8Array(0)) ?? new Uint8Array(0);

/** Whether the block of `cid` is the one without any bytes (under the usual hash function). */
export function isBlockEmpty(cid: CID): boolean {
  return cid.multihash.code === 0x12 && bytesEqual(cid.multihash.digest, emptySha256);
}

/** The prefix of a CID: version, codec, hash function and digest length as varints. */
export function cidPrefix(cid: CID): Uint8Array {
  return cid.version === 0 ? v0Prefix : cid.bytes.subarray(0, cid.bytes.length - cid.multihash.digest.length);
}

const v0Prefix = Uint8Array.of(0, 0x70, 0x12, 0x20);

/** The CID of `data` under a prefix; `undefined` when the prefix is malformed or names an unknown or weak hash. */
export function cidFromPrefix(prefix: Uint8Array, data: Uint8Array): CID | undefined {
  const numbers: number[] = [];
  let at = 0;
  for (let i = 0; i < 4; i++) {
    const read = varintRead(prefix, at);
    if (read === undefined) return undefined;
    numbers.push(read.value);
    at = read.end;
  }
  const [version = 1, codec = 0, code = 0, length = 0] = numbers;
  if (at !== prefix.length || version > 1 || (version === 0 && (codec !== 0x70 || code !== 0x12 || length !== 32))) {
    return undefined;
  }
  const full = digestOf(code, data);
  if (full === undefined || full.length < length) return undefined;
  const digest = createDigest(code, full.length > length ? full.subarray(0, length) : full);
  const cid = version === 0 ? CID.decode(digest.bytes) : CID.createV1(codec, digest);
  return isCheckable(cid) ? cid : undefined;
}

/** A map key of a block: equal for all CIDs of one content. */
export function blockKey(cid: CID): string {
  const { bytes } = cid.multihash;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
