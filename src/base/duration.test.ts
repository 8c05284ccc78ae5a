import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from './duration.ts';
import { errorCode } from './errors.ts';

const cases: readonly (readonly [string, number, string])[] = [
  ['0', 0, '0s'],
  ['0s', 0, '0s'],
  ['1h30m', 5_400_000, '1h30m0s'],
  ['1.5s', 1500, '1.5s'],
  ['.5h', 1_800_000, '30m0s'],
  ['200ms', 200, '200ms'],
  ['50us', 0.05, '50µs'],
  ['1500µs', 1.5, '1.5ms'],
  ['7ns', 0.000007, '7ns'],
  ['-1s', -1000, '-1s'],
  ['+2m', 120_000, '2m0s'],
  ['24h', 86_400_000, '24h0m0s'],
  ['61s', 61_000, '1m1s'],
  ['3m2.25s', 182_250, '3m2.25s'],
];

for (const [text, milliseconds, printed] of cases) {
  test(`parseDuration reads ${text}, formatDuration prints ${printed}`, () => {
    assert.equal(parseDuration(text), milliseconds);
    assert.equal(formatDuration(milliseconds), printed);
  });
}

for (const text of ['', '5', 'x', '1', '1d', 's', '1s ', '1s2', '--1s', '3000000h', '1e3s', '.s']) {
  test(`parseDuration refuses ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseDuration(text),
      (error) => errorCode(error) === 'base/bad-duration',
    );
  });
}

test('formatDuration is undone by parseDuration', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 52 }), (nanos) => {
      const read = Math.round(parseDuration(formatDuration(nanos / 1e6)) * 1e6);
      assert.ok(Math.abs(read - nanos) <= nanos * 1e-15 + 1, `${nanos} became ${read}`);
    }),
  );
});
