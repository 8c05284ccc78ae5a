/** Names of the multicodec table, as options and content types of blocks use them. */
import { hash as cryptoHash } from 'node:crypto';
import * as dagCbor from '@ipld/dag-cbor';
import * as dagJson from '@ipld/dag-json';
import * as dagPb from '@ipld/dag-pb';
import * as json from 'multiformats/codecs/json';
import * as raw from 'multiformats/codecs/raw';
import * as digest from 'multiformats/hashes/digest';
import type { MultihashDigest } from 'multiformats/hashes/interface';
import { rpcError } from './errors.ts';

/** Codecs that a block may be stored under; more than this node can decode, since blocks are opaque. */
const codecCodes: Readonly<Record<string, number>> = {
  raw: 0x55,
  'dag-pb': 0x70,
  'dag-cbor': 0x71,
  'libp2p-key': 0x72,
  'git-raw': 0x78,
  cbor: 0x51,
  'dag-jose': 0x85,
  'dag-json': 0x0129,
  json: 0x0200,
};

interface HashFunction {
  readonly code: number;
  /** Name in `node:crypto`. */
  readonly algorithm: string;
  readonly sizeBytes: number;
}

const hashFunctions: Readonly<Record<string, HashFunction>> = {
  sha1: { code: 0x11, algorithm: 'sha1', sizeBytes: 20 },
  'sha2-256': { code: 0x12, algorithm: 'sha256', sizeBytes: 32 },
  'sha2-512': { code: 0x13, algorithm: 'sha512', sizeBytes: 64 },
  'sha3-512': { code: 0x14, algorithm: 'sha3-512', sizeBytes: 64 },
  'sha3-384': { code: 0x15, algorithm: 'sha3-384', sizeBytes: 48 },
  'sha3-256': { code: 0x16, algorithm: 'sha3-256', sizeBytes: 32 },
  'sha3-224': { code: 0x17, algorithm: 'sha3-224', sizeBytes: 28 },
  'blake2b-512': { code: 0xb240, algorithm: 'blake2b512', sizeBytes: 64 },
  'blake2s-256': { code: 0xb260, algorithm: 'blake2s256', sizeBytes: 32 },
};

/** Shortest digest that Kubo takes (boxo `verifcid`). */
const digestSizeMin = 20;

/** What encodes and decodes values. */
export interface ValueCodec {
  readonly name: string;
  readonly code: number;
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

// Each takes its own type of value; one that does not fit fails with the codec's own error, which is reported.
const valueCodecs: readonly ValueCodec[] = [dagPb, dagCbor, dagJson, json, raw].map((codec) => codec as ValueCodec);

/** Throws `ipfs-rpc/bad-option`. */
export function codecCode(name: string): number {
  const code = Object.hasOwn(codecCodes, name) ? codecCodes[name] : undefined;
  if (code === undefined) throw rpcError('ipfs-rpc/bad-option', `unknown multicodec: ${JSON.stringify(name)}`);
  return code;
}

/** The codec by name, to change values from one form to another. Throws `ipfs-rpc/bad-option`. */
export function valueCodec(name: string): ValueCodec {
  return valueCodecOf(codecCode(name));
}

/** The codec by code. Throws `ipfs-rpc/bad-option`. */
export function valueCodecOf(code: number): ValueCodec {
  const codec = valueCodecs.find((candidate) => candidate.code === code);
  if (codec !== undefined) return codec;
  throw rpcError(
    'ipfs-rpc/bad-option',
    `no encoder or decoder registered for multicodec code ${code} (0x${code.toString(16)})`,
  );
}

/** What hashes blocks: the name of the function and the length of digests, -1 for its own. Throws `ipfs-rpc/bad-option`. */
export function hasher(name: string, length: number): (bytes: Uint8Array) => MultihashDigest {
  const found = Object.hasOwn(hashFunctions, name) ? hashFunctions[name] : undefined;
  if (found === undefined) throw rpcError('ipfs-rpc/bad-option', `unrecognized multihash function: ${name}`);
  if (length > found.sizeBytes) {
    throw rpcError('ipfs-rpc/bad-option', `requested length was too large for digest of type: ${name}`);
  }
  if (length >= 0 && length < digestSizeMin) {
    throw rpcError(
      'ipfs-rpc/bad-option',
      `digest too small: ${name} digest got ${length} bytes, minimum ${digestSizeMin}`,
    );
  }
  const size = length < 0 ? found.sizeBytes : length;
  return (bytes) => digest.create(found.code, cryptoHash(found.algorithm, bytes, 'buffer').subarray(0, size));
}

/** Whether bytes are what the multihash says; `undefined` when the function is not known here. */
export function matchesMultihash(multihash: MultihashDigest, bytes: Uint8Array): boolean | undefined {
  if (multihash.code === 0) return Buffer.compare(multihash.digest, bytes) === 0;
  const found = Object.values(hashFunctions).find((candidate) => candidate.code === multihash.code);
  if (found === undefined) return undefined;
  const whole = cryptoHash(found.algorithm, bytes, 'buffer');
  return Buffer.compare(whole.subarray(0, multihash.size), multihash.digest) === 0 && multihash.size >= digestSizeMin;
}
