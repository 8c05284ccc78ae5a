/**
 * Hashing for CIDs: which functions can be checked, and CIDs from a block and its prefix.
 * The list is what Kubo accepts (boxo `verifcid/allowlist.go`) as far as the platform's crypto has it.
 */
import { createHash, hash } from 'node:crypto';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { bytesEqual, varintRead } from '../base/index.ts';

/** Multihash code → name of the hash in the platform's crypto. */
const algorithms: ReadonlyMap<number, string> = new Map([
  [0x11, 'sha1'],
  [0x12, 'sha256'],
  [0x13, 'sha512'],
  [0x14, 'sha3-512'],
  [0x15, 'sha3-384'],
  [0x16, 'sha3-256'],
  [0x17, 'sha3-224'],
  [0x20, 'sha384'],
  [0xb240, 'blake2b512'],
  [0xb260, 'blake2s256'],
]);
const doubleSha256 = 0x56;
const identity = 0;
/** Kubo refuses shorter digests and longer identities. */
const digestBytesMin = 20;
const identityBytesMax = 128;

/** The full digest of `data`, or `undefined` for a function that is not known here. */
export function digestOf(code: number, data: Uint8Array): Uint8Array | undefined {
  if (code === 0x12) return hash('sha256', data, 'buffer');
  if (code === identity) return data;
  if (code === doubleSha256) return hash('sha256', hash('sha256', data, 'buffer'), 'buffer');
  const algorithm = algorithms.get(code);
  return algorithm === undefined ? undefined : createHash(algorithm).update(data).digest();
}

/** Whether the hash of a CID can be checked here and is strong enough. */
export function isCheckable(cid: CID): boolean {
  const { code, digest } = cid.multihash;
  if (code === identity) return digest.length <= identityBytesMax;
  return digest.length >= digestBytesMin && (algorithms.has(code) || code === doubleSha256);
}

/** Whether `data` is the block of `cid`; false too for hash functions that are not known here. */
export function isBlockOf(cid: CID, data: Uint8Array): boolean {
  const { code, digest } = cid.multihash;
  const full = digestOf(code, data);
  return full !== undefined && bytesEqual(full.length > digest.length ? full.subarray(0, digest.length) : full, digest);
}

const emptySha256 = hash('sha256', new Uint8Array(0), 'buffer');

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
