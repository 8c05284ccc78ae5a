import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ObjectSplitter } from './object-splitter.ts';

function split(pieces: readonly string[]): string[] {
  const splitter = new ObjectSplitter();
  const objects = pieces.flatMap((piece) => splitter.push(piece));
  splitter.end();
  return objects;
}

const object = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.dictionary(fc.string(), fc.string()), fc.integer()));
const gap = fc.constantFrom('', '\n', ' ', '\r\n\t');

test('objects are found whole, however they are printed and cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(object, gap, fc.nat(4))),
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      (items, sizes) => {
        const texts = items.map(([value, , indent]) => JSON.stringify(value, null, indent));
        const whole = items.map(([, space], i) => `${texts[i]}${space}`).join('');
        const pieces: string[] = [];
        for (let at = 0; at < whole.length; ) {
          const size = sizes.next().value ?? 1;
          pieces.push(whole.slice(at, at + size));
          at += size;
        }
        assert.deepEqual(split(pieces), texts);
        assert.deepEqual(split([whole]), texts);
      },
    ),
  );
});

test('a byte order mark before the first object is no part of it', () => {
  assert.deepEqual(split(['\uFEFF{}\n']), ['{}']);
});

for (const { pieces, expected } of [
  { pieces: ['garbage'], expected: /^pin 1: expected a JSON object, found "garbage"$/ },
  { pieces: ['{"a":1}\n', '[{}]'], expected: /^pin 2: expected a JSON object, found "\[\{\}\]"$/ },
  { pieces: ['{}}'], expected: /^pin 2: expected a JSON object, found "\}"$/ },
  { pieces: ['{}{"a":"}'], expected: /^pin 2: the input ends before it does$/ },
  { pieces: ['{"a":"\\'], expected: /^pin 1: the input ends before it does$/ },
]) {
  test(`${JSON.stringify(pieces)} is refused`, () => {
    assert.throws(() => split(pieces), { name: 'RangeError', message: expected });
  });
}

test('an object without an end is refused before it fills the memory', () => {
  const splitter = new ObjectSplitter();
  const piece = 'x'.repeat(1 << 20);
  splitter.push('{"name":"');
  assert.throws(
    () => {
      for (let i = 0; i < 64; i++) splitter.push(piece);
    },
    { message: /^pin 1: it is longer than 33554432 letters$/ },
  );
});
