/** Names of the multicodec table, as options and content types of blocks use them. */
import * as dagCbor from '@ipld/dag-cbor';
import * as dagJson from '@ipld/dag-json';
import * as dagPb from '@ipld/dag-pb';
import * as json from 'multiformats/codecs/json';
import * as raw from 'multiformats/codecs/raw';
import * as digest from 'multiformats/hashes/digest';
import type { MultihashDigest } from 'multiformats/hashes/interface';
import { digestOf, digestSizeMin, hashCodeOf } from '../../multihash/index.ts';
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
  const code = hashCodeOf(name);
  const size = code === undefined ? undefined : digestOf(code, new Uint8Array())?.length;
  if (code === undefined || size === undefined) {
    throw rpcError('ipfs-rpc/bad-option', `unrecognized multihash function: ${name}`);
  }
  if (length > size) {
    throw rpcError('ipfs-rpc/bad-option', `requested length was too large for digest of type: ${name}`);
  }
  if (length >= 0 && length < digestSizeMin) {
    throw rpcError(
      'ipfs-rpc/bad-option',
      `digest too small: ${name} digest got ${length} bytes, minimum ${digestSizeMin}`,
    );
  }
  return (bytes) => {
    const whole = digestOf(code, bytes) ?? new Uint8Array();
    return digest.create(code, length < 0 ? whole : whole.subarray(0, length));
  };
}
