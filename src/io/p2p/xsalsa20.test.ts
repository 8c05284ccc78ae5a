import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { xsalsa20 } from '@noble/ciphers/salsa.js';
import { XSalsa20 } from './xsalsa20.ts';

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly decoded: Readonly<Record<string, string>>;
}

const vectors = (
  JSON.parse(readFileSync(new URL('../../../test/vectors/wire/pnet.json', import.meta.url), 'utf8')) as {
    vectors: Vector[];
  }
).vectors;

function vector(name: string): Vector {
  const found = vectors.find((v) => v.name === name);
  assert.ok(found, name);
  return found;
}

test('XSalsa20 makes the recorded private network stream', () => {
  const key = Buffer.from(vector('PSK of secret').hex, 'hex');
  const { hex, decoded } = vector('protected stream, first bytes');
  const nonce = Buffer.from(decoded.nonce_hex ?? '', 'hex');
  const cipher = new XSalsa20(key, nonce);
  const plain = Buffer.from(decoded.plaintext_hex ?? '', 'hex');
  const output = new Uint8Array(plain.length);
  cipher.update(plain, output, 0);
  assert.equal(Buffer.concat([nonce, output]).toString('hex'), hex);
  const next = new Uint8Array(80);
  cipher.update(next, next, 0);
  assert.equal(Buffer.from(next).toString('hex'), decoded.next_80_keystream_bytes_hex);
});

test('XSalsa20 in pieces of any size equals the whole', () => {
  const key = randomBytes(32);
  const nonce = randomBytes(24);
  const plain = randomBytes(5000);
  const whole = xsalsa20(key, nonce, plain);
  for (const step of [1, 3, 63, 64, 65, 127, 1000, 5000]) {
    const cipher = new XSalsa20(key, nonce);
    const output = new Uint8Array(plain.length);
    for (let at = 0; at < plain.length; at += step) cipher.update(plain.subarray(at, at + step), output, at);
    assert.deepEqual(output, whole, `step ${step}`);
  }
});

test('XSalsa20 works in place and over one very large buffer', () => {
  const key = randomBytes(32);
  const nonce = randomBytes(24);
  const bytes = Buffer.alloc(20 * 1024 * 1024);
  new XSalsa20(key, nonce).update(bytes, bytes, 0);
  const tail = new Uint8Array(64);
  xsalsa20(key, nonce, tail, tail, bytes.length / 64 - 1);
  assert.deepEqual(new Uint8Array(bytes.subarray(-64)), tail);
});
