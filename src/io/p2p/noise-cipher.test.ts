import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto';
import { noiseCrypto } from './noise-cipher.ts';

const sizes = [0, 1, 499, 500, 501, 1199, 1200, 65_519];
const ways = [
  ['this one', noiseCrypto],
  ['the stock one', defaultCrypto],
] as const;

test('noiseCrypto and the stock cipher read each other, at any size, with and without extra data', () => {
  const key = randomBytes(32);
  for (const size of sizes) {
    for (const extra of [new Uint8Array(0), randomBytes(32)]) {
      const plain = randomBytes(size);
      const nonce = randomBytes(12);
      for (const [writer, from] of ways) {
        for (const [reader, to] of ways) {
          const sealed = from.chaCha20Poly1305Encrypt(plain, nonce, extra, key);
          assert.equal(sealed.byteLength, size + 16);
          const opened = to.chaCha20Poly1305Decrypt(sealed.subarray(), nonce, extra, key);
          assert.deepEqual(Buffer.from(opened.subarray()), plain, `${size} bytes, ${writer} to ${reader}`);
        }
      }
    }
  }
});

test('noiseCrypto refuses what was changed, and what was meant for another key, nonce or place', () => {
  for (const size of sizes) {
    const [key, nonce, extra] = [randomBytes(32), randomBytes(12), randomBytes(8)];
    const sealed = noiseCrypto.chaCha20Poly1305Encrypt(randomBytes(size), nonce, extra, key).subarray();
    const changed = Uint8Array.from(sealed);
    changed[size >> 1] = (changed[size >> 1] ?? 0) ^ 1;
    const open = (bytes: Uint8Array, n = nonce, e = extra, k = key) =>
      noiseCrypto.chaCha20Poly1305Decrypt(bytes, n, e, k);
    assert.throws(() => open(changed));
    assert.throws(() => open(sealed.subarray(0, -1)));
    assert.throws(() => open(sealed, randomBytes(12)));
    assert.throws(() => open(sealed, nonce, randomBytes(8)));
    assert.throws(() => open(sealed, nonce, extra, randomBytes(32)));
  }
});
