/**
 * XSalsa20 as a running stream: each call goes on where the last one ended.
 *
 * The libraries at hand do not fit: one shares a WASM memory among all ciphers of the process and dies when it has grown,
 * the other works on whole messages, deriving its key anew for each and unable to go on within a block.
 * Source: D. J. Bernstein, "Extending the Salsa20 nonce", and "Salsa20 specification".
 */

const blockBytes = 64;
/** "expand 32-byte k" as four little-endian words. */
const sigma = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

export const xsalsa20KeyBytes = 32;
export const xsalsa20NonceBytes = 24;

export class XSalsa20 {
  /** Words 0-15 of the Salsa20 state; 8 and 9 are the block counter. */
  readonly #state: Uint32Array;
  readonly #blockWords = new Uint32Array(blockBytes / 4);
  readonly #block = new Uint8Array(this.#blockWords.buffer);
  /** Bytes of `#block` that are used up. */
  #used = blockBytes;

  /** @param key 32 bytes @param nonce 24 bytes */
  constructor(key: Uint8Array, nonce: Uint8Array) {
    const keyWords = wordsOf(key, xsalsa20KeyBytes);
    const nonceWords = wordsOf(nonce, xsalsa20NonceBytes);
    const derived = new Uint32Array(16);
    rounds(salsaState(keyWords, nonceWords.subarray(0, 4)), derived);
    // HSalsa20: the diagonal and the nonce words of the permuted state, without the final addition.
    const subkey = Uint32Array.of(
      at(derived, 0),
      at(derived, 5),
      at(derived, 10),
      at(derived, 15),
      at(derived, 6),
      at(derived, 7),
      at(derived, 8),
      at(derived, 9),
    );
    this.#state = salsaState(subkey, Uint32Array.of(at(nonceWords, 4), at(nonceWords, 5), 0, 0));
  }

  /** Writes `input` XOR keystream to `output` from `offset` on; both may be the same memory. */
  update(input: Uint8Array, output: Uint8Array, offset: number): void {
    const length = input.length;
    const block = this.#block;
    let used = this.#used;
    let done = 0;
    while (done < length) {
      if (used === blockBytes) {
        this.#nextBlock();
        used = 0;
      }
      const count = Math.min(blockBytes - used, length - done);
      for (let i = 0; i < count; i++) {
        // Both indexes are below the lengths, by `count` and by the caller's promise for `output`.
        output[offset + done + i] = (input[done + i] as number) ^ (block[used + i] as number);
      }
      used += count;
      done += count;
    }
    this.#used = used;
  }

  #nextBlock(): void {
    const state = this.#state;
    const words = this.#blockWords;
    rounds(state, words);
    for (let i = 0; i < 16; i++) words[i] = (at(words, i) + at(state, i)) >>> 0;
    if (!littleEndian) swapWords(this.#block);
    state[8] = (at(state, 8) + 1) >>> 0;
    if (state[8] === 0) state[9] = (at(state, 9) + 1) >>> 0;
  }
}

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Index within a typed array of fixed size: never undefined. */
function at(words: Uint32Array, index: number): number {
  return words[index] as number;
}

function wordsOf(bytes: Uint8Array, length: number): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  return Uint32Array.from({ length: length / 4 }, (_, i) => view.getUint32(i * 4, true));
}

function swapWords(block: Uint8Array): void {
  for (let i = 0; i < block.length; i += 4) block.subarray(i, i + 4).reverse();
}

function salsaState(key: Uint32Array, input: Uint32Array): Uint32Array {
  const state = new Uint32Array(16);
  state.set([sigma[0], ...key.subarray(0, 4), sigma[1]], 0);
  state.set([...input, sigma[2]], 6);
  state.set([...key.subarray(4, 8), sigma[3]], 11);
  return state;
}

/** The twenty rounds of the Salsa20 core, without the final addition. */
function rounds(input: Uint32Array, output: Uint32Array): void {
  let x0 = at(input, 0) | 0;
  let x1 = at(input, 1) | 0;
  let x2 = at(input, 2) | 0;
  let x3 = at(input, 3) | 0;
  let x4 = at(input, 4) | 0;
  let x5 = at(input, 5) | 0;
  let x6 = at(input, 6) | 0;
  let x7 = at(input, 7) | 0;
  let x8 = at(input, 8) | 0;
  let x9 = at(input, 9) | 0;
  let x10 = at(input, 10) | 0;
  let x11 = at(input, 11) | 0;
  let x12 = at(input, 12) | 0;
  let x13 = at(input, 13) | 0;
  let x14 = at(input, 14) | 0;
  let x15 = at(input, 15) | 0;
  for (let round = 0; round < 20; round += 2) {
    x4 ^= rotate(x0 + x12, 7);
    x8 ^= rotate(x4 + x0, 9);
    x12 ^= rotate(x8 + x4, 13);
    x0 ^= rotate(x12 + x8, 18);
    x9 ^= rotate(x5 + x1, 7);
    x13 ^= rotate(x9 + x5, 9);
    x1 ^= rotate(x13 + x9, 13);
    x5 ^= rotate(x1 + x13, 18);
    x14 ^= rotate(x10 + x6, 7);
    x2 ^= rotate(x14 + x10, 9);
    x6 ^= rotate(x2 + x14, 13);
    x10 ^= rotate(x6 + x2, 18);
    x3 ^= rotate(x15 + x11, 7);
    x7 ^= rotate(x3 + x15, 9);
    x11 ^= rotate(x7 + x3, 13);
    x15 ^= rotate(x11 + x7, 18);
    x1 ^= rotate(x0 + x3, 7);
    x2 ^= rotate(x1 + x0, 9);
    x3 ^= rotate(x2 + x1, 13);
    x0 ^= rotate(x3 + x2, 18);
    x6 ^= rotate(x5 + x4, 7);
    x7 ^= rotate(x6 + x5, 9);
    x4 ^= rotate(x7 + x6, 13);
    x5 ^= rotate(x4 + x7, 18);
    x11 ^= rotate(x10 + x9, 7);
    x8 ^= rotate(x11 + x10, 9);
    x9 ^= rotate(x8 + x11, 13);
    x10 ^= rotate(x9 + x8, 18);
    x12 ^= rotate(x15 + x14, 7);
    x13 ^= rotate(x12 + x15, 9);
    x14 ^= rotate(x13 + x12, 13);
    x15 ^= rotate(x14 + x13, 18);
  }
  output[0] = x0;
  output[1] = x1;
  output[2] = x2;
  output[3] = x3;
  output[4] = x4;
  output[5] = x5;
  output[6] = x6;
  output[7] = x7;
  output[8] = x8;
  output[9] = x9;
  output[10] = x10;
  output[11] = x11;
  output[12] = x12;
  output[13] = x13;
  output[14] = x14;
  output[15] = x15;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
