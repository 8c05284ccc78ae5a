/**
 * Seeded randomness: equal seeds give equal sequences on every machine.
 * The generator is xoshiro128** (Blackman, Vigna: "Scrambled linear pseudorandom number generators"); not for secrets.
 */
import { assert } from './errors.ts';
import type { Random } from './random.ts';

/** A generator whose sequence depends on nothing but its seed. */
export class SeededRandom implements Random {
  readonly seed: string;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: string | number) {
    this.seed = String(seed);
    const next = hashStream(this.seed);
    this.#a = next();
    this.#b = next();
    this.#c = next();
    // Never all zero, whatever the seed.
    this.#d = next() | 1;
  }

  integer(limit: number): number {
    assert(Number.isInteger(limit) && limit >= 1 && limit <= 0x1_0000_0000, '1 <= limit <= 2^32');
    // The part of the range above the largest multiple of `limit` would make small results more likely: draw again.
    const fair = 0x1_0000_0000 - (0x1_0000_0000 % limit);
    for (;;) {
      const draw = this.#next();
      if (draw < fair) return draw % limit;
    }
  }

  /**
   * An own generator for the concern of that name: what one concern draws never shifts what another gets.
   * It depends on this generator's seed and the name only, not on what was drawn before.
   */
  derive(name: string): SeededRandom {
    return new SeededRandom(`${this.seed}/${name}`);
  }

  #next(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = rotate(this.#d, 11);
    return result;
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Turns text into a stream of 32 bit words: FNV-1a over the text, then the finisher of MurmurHash3 for each word. */
function hashStream(text: string): () => number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return () => {
    hash = (hash + 0x9e3779b9) | 0;
    let word = hash;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    return word ^ (word >>> 16);
  };
}
