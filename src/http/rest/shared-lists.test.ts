import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from '../../../test/support/collect.ts';
import { settle } from '../../../test/support/fake-clock.ts';
import { utf8Encode } from '../../base/index.ts';
import { type ListPart, type ListPlace, type ListSource, SharedLists } from './shared-lists.ts';

const signal = new AbortController().signal;
const name = 'all';

/** Numbers as a list of parts of one number each, made anew for every walk; what was asked for is noted. */
class Numbers {
  readonly walks: string[] = [];
  made = 0;
  ended = 0;
  count: number;

  constructor(count: number) {
    this.count = count;
  }

  readonly source: ListSource = async function* (this: Numbers, { after, signal: end }: ListPlace) {
    const start = after === undefined ? 0 : Number(after) + 1;
    this.walks.push(`from ${start}`);
    try {
      for (let n = start; n < this.count; n++) {
        await settle();
        end.throwIfAborted();
        this.made += 1;
        yield partOf(n);
      }
    } finally {
      this.ended += 1;
    }
  }.bind(this);
}

function partOf(n: number): ListPart {
  return { bytes: utf8Encode(`line ${n}\n`.padEnd(10)), items: 1, last: String(n) };
}

const numbersOf = (parts: readonly ListPart[]): number[] => parts.map(({ last }) => Number(last));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test('who asks while nothing changes shares one walk, from the beginning', async () => {
  const numbers = new Numbers(20);
  const lists = new SharedLists();
  const revision = {};
  const first = lists.read(name, revision, numbers.source, signal)[Symbol.asyncIterator]();
  for (let n = 0; n < 5; n++) assert.deepEqual(numbersOf([(await first.next()).value]), [n]);
  const others = await Promise.all([1, 2, 3].map(() => collect(lists.read(name, revision, numbers.source, signal))));
  for (const other of others) assert.deepEqual(numbersOf(other), upTo(20));
  assert.deepEqual(numbersOf(await collect({ [Symbol.asyncIterator]: () => first })), upTo(20).slice(5));
  assert.deepEqual(numbersOf(await collect(lists.read(name, revision, numbers.source, signal))), upTo(20));
  assert.deepEqual([numbers.walks, numbers.made], [['from 0'], 20]);
});

test('another revision, or another list, is another walk; readers of the old one end theirs', async () => {
  const [old, changed, other] = [new Numbers(10), new Numbers(11), new Numbers(3)];
  const lists = new SharedLists();
  const first = lists.read(name, old, old.source, signal)[Symbol.asyncIterator]();
  await first.next();
  assert.deepEqual(numbersOf(await collect(lists.read(name, changed, changed.source, signal))), upTo(11));
  assert.deepEqual(numbersOf(await collect(lists.read('other', changed, other.source, signal))), upTo(3));
  assert.deepEqual(numbersOf(await collect({ [Symbol.asyncIterator]: () => first })), upTo(10).slice(1));
  assert.deepEqual([old.walks, changed.walks, other.walks], [['from 0'], ['from 0'], ['from 0']]);
});

test('a list that nobody reads any more ends its walk, and is begun anew', async () => {
  const numbers = new Numbers(10);
  const lists = new SharedLists();
  for await (const part of lists.read(name, numbers, numbers.source, signal)) if (numbersOf([part])[0] === 2) break;
  await settle();
  assert.deepEqual([numbers.made <= 4, numbers.ended], [true, 1]);
  assert.deepEqual(numbersOf(await collect(lists.read(name, numbers, numbers.source, signal))), upTo(10));
  assert.deepEqual(numbers.walks, ['from 0', 'from 0']);
});

test('a failure reaches everyone who reads, and nobody who comes later', async () => {
  const lists = new SharedLists();
  const failing: ListSource = async function* () {
    yield partOf(0);
    throw new TypeError('the disk is gone');
  };
  const readings = [1, 2].map(() => collect(lists.read(name, lists, failing, signal)));
  for (const reading of readings) await assert.rejects(reading, /the disk is gone/);
  const numbers = new Numbers(2);
  assert.deepEqual(numbersOf(await collect(lists.read(name, lists, numbers.source, signal))), upTo(2));
});

test('a whole list is kept for a while after its last reader', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const numbers = new Numbers(3);
  const lists = new SharedLists({ idleMs: 1000 });
  const read = async (): Promise<number[]> =>
    numbersOf(await collect(lists.read(name, numbers, numbers.source, signal)));
  await read();
  t.mock.timers.tick(999);
  assert.deepEqual(await read(), upTo(3));
  t.mock.timers.tick(999);
  assert.equal(numbers.walks.length, 1);
  t.mock.timers.tick(1);
  assert.deepEqual(await read(), upTo(3));
  assert.equal(numbers.walks.length, 2);
});

test('a long list is kept in part: a slow reader goes on by itself, and misses nothing', async () => {
  const numbers = new Numbers(100);
  const lists = new SharedLists({ keptBytesMax: 200, apartBytesMax: 100 });
  const slow = lists.read(name, numbers, numbers.source, signal)[Symbol.asyncIterator]();
  const begun = [(await slow.next()).value, (await slow.next()).value];
  assert.deepEqual(numbersOf(await collect(lists.read(name, numbers, numbers.source, signal))), upTo(100));
  const rest = await collect({ [Symbol.asyncIterator]: () => slow });
  assert.deepEqual(numbersOf([...begun, ...rest]), upTo(100));
  assert.deepEqual(numbers.walks, ['from 0', 'from 2']);
});

test('readers at any speed, with changes and departures in between, get each line once and in order', async () => {
  const step = fc.record({
    kind: fc.constantFrom('read', 'read', 'read', 'open', 'change', 'leave'),
    which: fc.nat(5),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.integer({ min: 0, max: 300 }), async (steps, kept) => {
      const lists = new SharedLists({ keptBytesMax: kept, apartBytesMax: kept / 3 });
      let numbers = new Numbers(25);
      const readers: { walk: AsyncIterator<ListPart>; seen: number[]; total: number; isOver: boolean }[] = [];
      for (const { kind, which } of steps) {
        const reader = readers[which % Math.max(1, readers.length)];
        if (kind === 'open') {
          const walk = lists.read(name, numbers, numbers.source, signal)[Symbol.asyncIterator]();
          readers.push({ walk, seen: [], total: numbers.count, isOver: false });
        } else if (kind === 'change') numbers = new Numbers(numbers.count + 1);
        else if (reader !== undefined && kind === 'leave') {
          reader.isOver = true;
          await reader.walk.return?.();
        } else if (reader !== undefined && !reader.isOver) {
          const { done, value } = await reader.walk.next();
          if (done !== true) reader.seen.push(...numbersOf([value]));
          else reader.isOver = true;
        }
      }
      for (const { walk, seen, total, isOver } of readers) {
        if (!isOver) seen.push(...numbersOf(await collect({ [Symbol.asyncIterator]: () => walk })));
        assert.deepEqual(seen, upTo(seen.length));
        if (!isOver) assert.equal(seen.length, total);
      }
    }),
    { numRuns: 60 },
  );
});

test('of many lists of old revisions, of which somebody reads nothing, all together keep no more than one may', async () => {
  const kept = 400;
  const lists = new SharedLists({ keptBytesMax: 10_000, apartBytesMax: kept });
  const stalled: { readonly numbers: Numbers; readonly walk: AsyncIterator<ListPart> }[] = [];
  for (let n = 0; n < 20; n++) {
    const numbers = new Numbers(40);
    const walk = lists.read(name, numbers, numbers.source, signal)[Symbol.asyncIterator]();
    await walk.next();
    assert.deepEqual(numbersOf(await collect(lists.read(name, numbers, numbers.source, signal))), upTo(40));
    stalled.push({ numbers, walk });
  }
  for (const { walk } of stalled) {
    assert.deepEqual(numbersOf(await collect({ [Symbol.asyncIterator]: () => walk })), upTo(40).slice(1));
  }
  // All but the last one, which may be joined, had to go on by themselves: a twentieth of the room is less than they had missed.
  assert.deepEqual(
    stalled.map(({ numbers }) => numbers.walks.length),
    upTo(20).map((n) => (n < 19 ? 2 : 1)),
  );
});

test('under reads, writes and departures in any order, a list has each key once, in order, and all that stayed', async () => {
  const step = fc.oneof(
    fc.record({ act: fc.constant('begin' as const) }),
    fc.record({ act: fc.constant('read' as const), reader: fc.nat(7), parts: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ act: fc.constant('leave' as const), reader: fc.nat(7) }),
    fc.record({ act: fc.constant('write' as const), key: fc.nat(59), isThere: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 300 }), async (steps, kept) => {
      const lists = new SharedLists({ keptBytesMax: kept, apartBytesMax: kept / 3 });
      const keys = new Set(upTo(40));
      let revision = {};
      /** Of the moment in which it begins, as the store's. */
      const source: ListSource = async function* ({ after }) {
        const start = after === undefined ? -1 : Number(after);
        for (const key of [...keys].filter((one) => one > start).sort((a, b) => a - b)) yield partOf(key);
      };
      interface Begun {
        readonly walk: AsyncIterator<ListPart>;
        readonly found: number[];
        /** There since the list was asked for, and there at any time since. */
        readonly stayed: Set<number>;
        readonly seen: Set<number>;
        isOver: boolean;
      }
      const begun: Begun[] = [];
      const readOn = async (reader: Begun): Promise<void> => {
        const { done, value } = await reader.walk.next();
        if (done === true) reader.isOver = true;
        else reader.found.push(...numbersOf([value]));
      };
      for (const one of steps) {
        if (one.act === 'begin') {
          const walk = lists.read(name, revision, source, signal)[Symbol.asyncIterator]();
          const reader = { walk, found: [], stayed: new Set(keys), seen: new Set(keys), isOver: false };
          begun.push(reader);
          await readOn(reader);
        } else if (one.act === 'write') {
          if (one.isThere) keys.add(one.key);
          else keys.delete(one.key);
          revision = {};
          for (const { stayed, seen } of begun) {
            if (one.isThere) seen.add(one.key);
            else stayed.delete(one.key);
          }
        } else {
          const reader = begun[one.reader];
          if (reader === undefined || reader.isOver) continue;
          if (one.act === 'leave') {
            begun.splice(one.reader, 1);
            await reader.walk.return?.();
          } else for (let i = 0; i < one.parts && !reader.isOver; i++) await readOn(reader);
        }
      }
      await Promise.all(
        begun.map(async (reader) => {
          while (!reader.isOver) await readOn(reader);
        }),
      );
      for (const { found, stayed, seen } of begun) {
        assert.deepEqual(
          found,
          [...new Set(found)].sort((a, b) => a - b),
        );
        for (const key of stayed) assert.ok(found.includes(key), `${key} was there all the time`);
        for (const key of found) assert.ok(seen.has(key), `${key} was never there`);
      }
    }),
    { numRuns: 200 },
  );
});
