/**
 * Which peer of several acts on a CID, so that only one does: the one nearest to it.
 * Source: Go `util.go` `distanceChecker`: XOR of the BLAKE2b-256 of both, compared as big-endian numbers.
 */
import { blake2b } from '@noble/hashes/blake2.js';
import { type Cid, type PeerId, peerIdToBytes } from '../model/index.ts';

const digestBytes = 32;

/** Hashes of peers are made once for many CIDs. */
export class ClosestPeer {
  readonly #peers: { readonly peer: PeerId; readonly hash: Uint8Array }[];

  constructor(peers: Iterable<PeerId>) {
    this.#peers = [...new Set(peers)].map((peer) => ({ peer, hash: hashOf(peerIdToBytes(peer)) }));
  }

  get count(): number {
    return this.#peers.length;
  }

  /** How many of them are nearer to the CID than this one: 0 for the nearest. */
  countNearer(peer: PeerId, cid: Cid): number {
    const target = hashOf(cid.bytes);
    const hash = hashOf(peerIdToBytes(peer));
    return this.#peers.filter((candidate) => isNearer(candidate.hash, hash, target)).length;
  }

  /** `undefined` only when there are no peers. */
  to(cid: Cid): PeerId | undefined {
    const target = hashOf(cid.bytes);
    let best = this.#peers[0];
    for (const candidate of this.#peers) {
      if (best !== undefined && isNearer(candidate.hash, best.hash, target)) best = candidate;
    }
    return best?.peer;
  }
}

function hashOf(bytes: Uint8Array): Uint8Array {
  return blake2b(bytes, { dkLen: digestBytes });
}

function isNearer(a: Uint8Array, b: Uint8Array, target: Uint8Array): boolean {
  for (let i = 0; i < digestBytes; i += 1) {
    const distanceA = (a[i] ?? 0) ^ (target[i] ?? 0);
    const distanceB = (b[i] ?? 0) ^ (target[i] ?? 0);
    if (distanceA !== distanceB) return distanceA < distanceB;
  }
  return false;
}
