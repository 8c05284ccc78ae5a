import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base32 } from 'multiformats/bases/base32';
import { base58btc } from 'multiformats/bases/base58';
import {
  asciiDecode,
  asciiWrite,
  BoundedQueue,
  base32Decode,
  base32Encode,
  base32UpperDecode,
  base32UpperEncode,
  base58Decode,
  base58Encode,
  compareBytes,
  copyBytes,
  errorCode,
  hexDecode,
  hexEncode,
  SeededRandom,
  varintEncode,
  varintRead,
} from './index.ts';

const bytes = fc.uint8Array({ maxLength: 80 });

test('base32 equals the reference implementation and round trips', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      const text = base32Encode(value);
      assert.equal(`b${text}`, base32.encode(value));
      assert.deepEqual(base32Decode(text), value);
      assert.deepEqual(base32UpperDecode(base32UpperEncode(value)), value);
    }),
  );
});

test('base58 equals the reference implementation and round trips', () => {
  fc.assert(
    fc.property(bytes, fc.integer({ min: 0, max: 3 }), (value, zeros) => {
      const padded = Uint8Array.from([...new Uint8Array(zeros), ...value]);
      const text = base58Encode(padded);
      assert.equal(`z${text}`, base58btc.encode(padded));
      assert.deepEqual(base58Decode(text), padded);
    }),
  );
});

test('hex round trips and refuses what is no hex', () => {
  fc.assert(fc.property(bytes, (value) => assert.deepEqual(hexDecode(hexEncode(value)), value)));
  assert.throws(() => hexDecode('0g'), { code: 'base/bad-hex' });
  assert.throws(() => hexDecode('012'), { code: 'base/bad-hex' });
});

test('asciiWrite writes at its place and tells where it ends', () => {
  const bytes = new Uint8Array(6).fill(1);
  assert.equal(asciiWrite(bytes, 2, 'ab'), 4);
  assert.deepEqual([...bytes], [1, 1, 97, 98, 1, 1]);
});

test('asciiDecode gives a letter for each byte', () => {
  const text = asciiDecode(Uint8Array.from({ length: 256 }, (_, byte) => byte));
  assert.equal(text.length, 256);
  for (let byte = 0; byte < 128; byte++) assert.equal(text.charCodeAt(byte), byte);
});

test('texts outside the alphabet are refused', () => {
  assert.throws(() => base32Decode('a1'), { code: 'base/bad-base32' });
  for (const text of ['Aa', 'a', 'A1', 'Aé', 'é', 'A€', `${'A'.repeat(600)}é`, 'A\0'])
    assert.throws(() => base32UpperDecode(text), { code: 'base/bad-base32' });
  assert.throws(() => base58Decode('0'), { code: 'base/bad-base58' });
  assert.throws(() => base58Decode('2'.repeat(10_000)), { code: 'base/bad-base58' });
  assert.throws(() => base58Decode('é'), { code: 'base/bad-base58' });
});

test('varint round trips over its range and tells an end from an overflow', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const encoded = varintEncode(value);
      assert.deepEqual(varintRead(encoded, 0), { value, end: encoded.length });
      assert.equal(varintRead(encoded.subarray(0, -1), 0), undefined);
    }),
  );
  assert.throws(() => varintRead(new Uint8Array(11).fill(0xff), 0), { code: 'base/bad-varint' });
});

test('compareBytes orders as numbers and puts a prefix first', () => {
  assert.ok(compareBytes(Uint8Array.of(1, 200), Uint8Array.of(2)) < 0);
  assert.ok(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0)) < 0);
  assert.equal(compareBytes(Uint8Array.of(7), Uint8Array.of(7)), 0);
});

test('SeededRandom repeats itself, stays in range and derives independent streams', () => {
  const draw = (random: SeededRandom) => Array.from({ length: 20 }, () => random.integer(1000));
  const first = new SeededRandom(42);
  const other = first.derive('network');
  assert.deepEqual(draw(first), draw(new SeededRandom('42')));
  assert.deepEqual(draw(other), draw(new SeededRandom(42).derive('network')));
  assert.notDeepEqual(draw(first), draw(new SeededRandom(43)));
  assert.equal(new SeededRandom(1).integer(1), 0);
  const counts = new Array(10).fill(0);
  for (let i = 0; i < 10_000; i++) counts[first.integer(10)]++;
  for (const count of counts) assert.ok(count > 850 && count < 1150, `uneven: ${counts}`);
});

test('BoundedQueue keeps order, refuses when full, behaves like an array', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.option(fc.integer()), { maxLength: 200 }),
      (size, acts) => {
        const queue = new BoundedQueue<number>(size);
        const model: number[] = [];
        for (const act of acts) {
          if (act === null) assert.equal(queue.shift(), model.shift());
          else if (queue.push(act)) model.push(act);
          else assert.equal(model.length, size);
          assert.equal(queue.size, model.length);
          assert.equal(queue.peek(), model[0]);
        }
      },
    ),
  );
});

test('copyBytes of a Buffer does not share its memory', () => {
  const buffer = Buffer.from([1, 2]);
  const copy = copyBytes(buffer);
  buffer[0] = 9;
  assert.deepEqual(copy, Uint8Array.of(1, 2));
});

test('errorCode reads the code of anything', () => {
  assert.equal(errorCode({ code: 'a/b' }), 'a/b');
  assert.equal(errorCode(null), '');
});
