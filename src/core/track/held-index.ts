/**
 * Which CIDs the IPFS node holds, in about 20 bytes each: a hash table in typed arrays.
 *
 * It keeps 64 bits of a keyed hash per CID instead of the CID, so that a million pins cost 20-40 MB and no objects.
 * The key is random, because whoever chooses CIDs could otherwise aim at collisions. Two CIDs of a set of a million
 * collide with a chance of 3e-8; the answer is then wrong for one of them until the next listing of the node.
 *
 * A listing of the node takes time, and pins come and go meanwhile. What an operation has reported since the listing
 * began (`set`) therefore wins over what the listing says (`setListed`).
 */
import type { Random } from '../../base/index.ts';

/** How IPFS holds a CID. */
export type Held = 'none' | 'direct' | 'recursive';

const heldByCode: readonly Held[] = ['none', 'direct', 'recursive'];
const codeByHeld: Readonly<Record<Held, number>> = { none: 0, direct: 1, recursive: 2 };
const USED = 0x10;
const REPORTED = 0x20;
const HELD_MASK = 0x03;

const CAPACITY_MIN = 1024;
const FILL_MAX = 0.7;

/** A map from CID bytes to how the node holds them. */
export class HeldIndex {
  readonly #seedLow: number;
  readonly #seedHigh: number;
  #low = new Uint32Array(CAPACITY_MIN);
  #high = new Uint32Array(CAPACITY_MIN);
  #flags = new Uint8Array(CAPACITY_MIN);
  #used = 0;
  #held = 0;
  // The last hash; fields instead of a returned pair keep look-ups free of garbage.
  #hashLow = 0;
  #hashHigh = 0;

  constructor(random: Random) {
    this.#seedLow = random.integer(2 ** 32);
    this.#seedHigh = random.integer(2 ** 32);
  }

  /** CIDs held, of either kind. */
  get heldCount(): number {
    return this.#held;
  }

  get(cid: Uint8Array): Held {
    this.#hash(cid);
    const flags = this.#flags[this.#find(this.#hashLow, this.#hashHigh)] ?? 0;
    return heldByCode[flags & HELD_MASK] ?? 'none';
  }

  /** What an operation has just done. */
  set(cid: Uint8Array, held: Held): void {
    this.#hash(cid);
    this.#put(codeByHeld[held] | REPORTED);
  }

  /** What the listing says. `recursive` wins over `direct` when the node lists both. */
  setListed(cid: Uint8Array, held: Held): void {
    this.#hash(cid);
    const flags = this.#flags[this.#find(this.#hashLow, this.#hashHigh)] ?? 0;
    if ((flags & REPORTED) !== 0 || (flags & HELD_MASK) >= codeByHeld[held]) return;
    this.#put(codeByHeld[held]);
  }

  #put(code: number): void {
    if (this.#used + 1 > this.#flags.length * FILL_MAX) this.#grow();
    const at = this.#find(this.#hashLow, this.#hashHigh);
    const before = this.#flags[at] ?? 0;
    if ((before & USED) === 0) {
      this.#used += 1;
      this.#low[at] = this.#hashLow;
      this.#high[at] = this.#hashHigh;
    }
    this.#held += ((code & HELD_MASK) > 0 ? 1 : 0) - ((before & HELD_MASK) > 0 ? 1 : 0);
    this.#flags[at] = code | USED;
  }

  /** The slot of this hash, or the free one where it belongs. The table is never full. */
  #find(low: number, high: number): number {
    const mask = this.#flags.length - 1;
    let at = low & mask;
    while (((this.#flags[at] ?? 0) & USED) !== 0) {
      if (this.#low[at] === low && this.#high[at] === high) return at;
      at = (at + 1) & mask;
    }
    return at;
  }

  #grow(): void {
    const [low, high, flags] = [this.#low, this.#high, this.#flags];
    const capacity = flags.length * 2;
    this.#low = new Uint32Array(capacity);
    this.#high = new Uint32Array(capacity);
    this.#flags = new Uint8Array(capacity);
    for (let i = 0; i < flags.length; i += 1) {
      if (((flags[i] ?? 0) & USED) === 0) continue;
      const at = this.#find(low[i] ?? 0, high[i] ?? 0);
      this.#low[at] = low[i] ?? 0;
      this.#high[at] = high[i] ?? 0;
      this.#flags[at] = flags[i] ?? 0;
    }
  }

  /** Two 32-bit multiplicative hashes with different seeds and factors, finished as MurmurHash3 does. */
  #hash(bytes: Uint8Array): void {
    let low = this.#seedLow | 0;
    let high = this.#seedHigh | 0;
    for (let i = 0; i < bytes.length; i += 1) {
      const byte = bytes[i] ?? 0;
      low = Math.imul(low ^ byte, 0x01000193) + (low >>> 15);
      high = Math.imul(high + byte + 1, 0x85ebca6b) ^ (high >>> 13);
    }
    // Unsigned: compared with elements of Uint32Array.
    this.#hashLow = finish(low ^ bytes.length);
    this.#hashHigh = finish(high ^ low);
  }
}

function finish(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
