import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { encodePin, stateKey } from './pin-protobuf.ts';
import { byCreated, createdAt, createdOf, endOfPage, secondsOf } from './pinsvc-created.ts';
import { StoredPin } from './stored-pin.ts';
import { formatTime, parseTime } from './time.ts';

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
const at = (millisecond: number, nanos = 0) => ({ created: { seconds: 9, nanos: millisecond * 1_000_000 + nanos } });

test('createdOf is the same of a pin in every form, and that which its writer was told', () => {
  for (const n of numbers(20)) {
    const timestamp = { seconds: 1_700_000_000 + n, nanos: 123 };
    const cid = cidNumber(n);
    for (const metadata of [null, { a: 'b' }]) {
      const pin = pinOf(cid, { timestamp, metadata });
      const stored = new StoredPin(stateKey(cid), encodePin(pin));
      assert.equal(stored.isPlain, metadata === null);
      const created = createdOf(stored);
      assert.deepEqual(created, createdOf(pin));
      assert.deepEqual(created, createdAt(cid, timestamp));
      assert.equal(created.seconds, timestamp.seconds);
      assert.deepEqual(parseTime(formatTime(created)), created);
    }
  }
});

test('createdOf: a pin without a time comes last', () => {
  const untimed = pinOf(cidNumber(1), { timestamp: null });
  assert.equal(secondsOf(untimed), secondsOf(new StoredPin(stateKey(cidNumber(1)), encodePin(untimed))));
  assert.match(formatTime(createdOf(untimed)), /^0001-01-01T00:00:00\.\d+Z$/);
});

test('created times of one second are spread over it evenly, and hardly ever equal', () => {
  const times = numbers(10_000).map((n) => createdAt(cidNumber(n), { seconds: 1, nanos: 0 }).nanos);
  assert.ok(new Set(times).size > 9_990);
  const tenths = new Array<number>(10).fill(0);
  for (const nanos of times) tenths[Math.floor(nanos / 1e8)] = (tenths[Math.floor(nanos / 1e8)] ?? 0) + 1;
  for (const count of tenths) assert.ok(count > 900 && count < 1100, tenths.join(' '));
});

test('endOfPage does not part items of one millisecond, unless they are more than a page', () => {
  const items = [at(9), at(8), at(7, 5), at(7, 4), at(6)];
  assert.equal(endOfPage(items, 5), 5);
  assert.equal(endOfPage(items, 4), 4);
  assert.equal(endOfPage(items, 3), 2);
  assert.equal(endOfPage(items, 2), 2);
  assert.equal(endOfPage([at(7, 5), at(7, 4), at(7, 3)], 2), 2);
  assert.equal(endOfPage([], 2), 0);
});

test('pages by the time of the oldest pin neither repeat nor lose a pin, also when times are cut to milliseconds', () => {
  const all = numbers(2_000)
    .map((n) => ({ n, created: createdAt(cidNumber(n), { seconds: Math.floor(n / 300), nanos: 0 }) }))
    .sort(byCreated);
  for (const isCut of [false, true]) {
    for (const limit of [1, 10, 100]) {
      // One to a page can only be told apart by all digits.
      if (isCut && limit === 1) continue;
      const seen: number[] = [];
      let before: { seconds: number; nanos: number } | undefined;
      for (;;) {
        const rest = all.filter(
          ({ created }) => before === undefined || byCreated({ created: before }, { created }) < 0,
        );
        if (rest.length === 0) break;
        const page = rest.slice(0, endOfPage(rest.slice(0, limit + 1), limit));
        seen.push(...page.map(({ n }) => n));
        const oldest = page.at(-1)?.created ?? { seconds: 0, nanos: 0 };
        before = isCut ? { ...oldest, nanos: Math.floor(oldest.nanos / 1e6) * 1e6 } : oldest;
      }
      assert.deepEqual(
        seen,
        all.map(({ n }) => n),
        `${limit} a page`,
      );
    }
  }
});
