/**
 * The hash functions of the multihash table that blocks may be addressed with.
 *
 * The list is what IPFS nodes accept (boxo `verifcid/allowlist.go`) as far as the platform's crypto and `@noble/hashes` have it;
 * names are those of the table (go-multihash `Names`). The platform's are some fifty times as fast, so it is asked first.
 */
import { createHash, hash } from 'node:crypto';
import { blake2b } from '@noble/hashes/blake2.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { keccak_224, keccak_256, keccak_384, keccak_512 } from '@noble/hashes/sha3.js';

type Digest = (data: Uint8Array) => Uint8Array;

interface HashFunction {
  readonly name: string;
  readonly code: number;
  readonly digest: Digest;
}

/** Shortest digest that counts as an address (boxo `verifcid.DefaultMinDigestSize`). */
export const digestSizeMin = 20;

const sha256Code = 0x12;
const sha256: Digest = (data) => hash('sha256', data, 'buffer');
const platform =
  (algorithm: string): Digest =>
  (data) =>
    createHash(algorithm).update(data).digest();

/** `blake2b-8` to `blake2b-512`: a code for each length. Those too short are left out. */
const blake2bs: readonly HashFunction[] = Array.from({ length: 64 - digestSizeMin + 1 }, (_, i) => {
  const size = digestSizeMin + i;
  return {
    name: `blake2b-${size * 8}`,
    code: 0xb200 + size,
    digest: size === 64 ? platform('blake2b512') : (data) => blake2b(data, { dkLen: size }),
  };
});

const functions: readonly HashFunction[] = [
  { name: 'sha1', code: 0x11, digest: platform('sha1') },
  { name: 'sha2-256', code: sha256Code, digest: sha256 },
  { name: 'sha2-512', code: 0x13, digest: platform('sha512') },
  { name: 'sha3-512', code: 0x14, digest: platform('sha3-512') },
  { name: 'sha3-384', code: 0x15, digest: platform('sha3-384') },
  { name: 'sha3-256', code: 0x16, digest: platform('sha3-256') },
  { name: 'sha3-224', code: 0x17, digest: platform('sha3-224') },
  { name: 'keccak-224', code: 0x1a, digest: keccak_224 },
  { name: 'keccak-256', code: 0x1b, digest: keccak_256 },
  { name: 'keccak-384', code: 0x1c, digest: keccak_384 },
  { name: 'keccak-512', code: 0x1d, digest: keccak_512 },
  { name: 'blake3', code: 0x1e, digest: (data) => blake3(data) },
  { name: 'sha2-384', code: 0x20, digest: platform('sha384') },
  { name: 'dbl-sha2-256', code: 0x56, digest: (data) => sha256(sha256(data)) },
  ...blake2bs,
  // The only one of its kind that IPFS nodes have.
  { name: 'blake2s-256', code: 0xb260, digest: platform('blake2s256') },
];

const byCode: ReadonlyMap<number, HashFunction> = new Map(functions.map((one) => [one.code, one]));
const byName: ReadonlyMap<string, HashFunction> = new Map([
  ...functions.map((one) => [one.name, one] as const),
  // A second name of the table.
  ...functions.filter(({ code }) => code === 0x14).map((one) => ['sha3', one] as const),
]);

/** The whole digest of the data, or `undefined` for a function that is not known here. Code 0, identity, gives the data. */
export function digestOf(code: number, data: Uint8Array): Uint8Array | undefined {
  if (code === sha256Code) return sha256(data);
  if (code === 0) return data;
  return byCode.get(code)?.digest(data);
}

/** Whether digests of the function can be made here and are safe to address blocks with; not so identity. */
export function isStrong(code: number): boolean {
  return byCode.has(code);
}

/** The code of a function by its name in the multihash table, in lower case; `undefined` when it is not known here. */
export function hashCodeOf(name: string): number | undefined {
  return byName.get(name)?.code;
}

/** The name of a function by its code. */
export function hashNameOf(code: number): string | undefined {
  return byCode.get(code)?.name;
}
