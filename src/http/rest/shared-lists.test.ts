/** Lists that are read together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OperatingError, utf8Decode, utf8Encode } from '../../base/index.ts';
import { type ListChunk, SharedLists } from './shared-lists.ts';

/** A set of keys, each walk over which is of the moment in which it begins. */
class Keys {
  readonly all: Set<string>;
  version = 0;
  walks = 0;
  openWalks = 0;
  failure: Error | undefined;

  constructor(keys: Iterable<string>) {
    this.all = new Set(keys);
  }

  change(act: (keys: Set<string>) => void): void {
    act(this.all);
    this.version += 1;
  }

  async *walk(after: Uint8Array | undefined): AsyncGenerator<ListChunk, void> {
    const start = after === undefined ? '' : utf8Decode(after);
    const keys = [...this.all].filter((key) => key > start).sort();
    this.walks += 1;
    this.openWalks += 1;
    try {
      for (let at = 0; at < keys.length; at += 2) {
        await null;
        const part = keys.slice(at, at + 2);
        yield { bytes: utf8Encode(part.join('')), items: part.length, last: utf8Encode(part.at(-1) ?? '') };
      }
      if (this.failure !== undefined) throw this.failure;
    } finally {
      this.openWalks -= 1;
    }
  }
}

const keyLength = 3;
const chunkBytes = 2 * keyLength;

function keyOf(n: number): string {
  return String(n).padStart(keyLength, '0');
}

function keysUpTo(count: number): Keys {
  return new Keys(Array.from({ length: count }, (_, n) => keyOf(n)));
}

function read(lists: SharedLists, keys: Keys, name: string = 'all'): AsyncGenerator<ListChunk, void> {
  return lists.read({ name, version: () => keys.version, walk: (after) => keys.walk(after) });
}

function keysIn({ bytes, items }: ListChunk): string[] {
  const found = utf8Decode(bytes).match(/\d{3}/g) ?? [];
  assert.equal(found.length, items);
  return found;
}

async function rest(list: AsyncGenerator<ListChunk, void>): Promise<string[]> {
  const found: string[] = [];
  for await (const chunk of list) found.push(...keysIn(chunk));
  return found;
}

test('lists asked for at once are one walk, and each is whole', async () => {
  const keys = keysUpTo(101);
  const lists = new SharedLists();
  const found = await Promise.all(Array.from({ length: 5 }, () => rest(read(lists, keys))));
  for (const list of found) assert.deepEqual(list, [...keys.all]);
  assert.equal(keys.walks, 1);
  assert.equal(keys.openWalks, 0);
  // Nothing is kept for those who come later.
  await rest(read(lists, keys));
  assert.equal(keys.walks, 2);
});

test('a list is not joined after a change, nor one of another name', async () => {
  const keys = keysUpTo(20);
  const lists = new SharedLists();
  const first = read(lists, keys);
  await first.next();
  keys.change((all) => all.delete(keyOf(7)));
  const second = read(lists, keys);
  await second.next();
  const third = read(lists, keys, 'others');
  await third.next();
  assert.equal(keys.walks, 3);
  await Promise.all([first, second, third].map(rest));
  assert.equal(keys.openWalks, 0);
});

test('whoever stands still is left behind, and goes on behind his last line', async () => {
  const keys = keysUpTo(100);
  const lists = new SharedLists({ keptBytesMax: 10 * chunkBytes });
  const slow = read(lists, keys);
  const begun = await slow.next();
  assert.deepEqual(await rest(read(lists, keys)), [...keys.all]);
  assert.equal(keys.walks, 1);
  assert.deepEqual([...(begun.done ? [] : keysIn(begun.value)), ...(await rest(slow))], [...keys.all]);
  assert.equal(keys.walks, 2);
  assert.equal(keys.openWalks, 0);
});

test('whoever comes when the beginning is gone walks for himself', async () => {
  const keys = keysUpTo(100);
  const lists = new SharedLists({ keptBytesMax: 3 * chunkBytes });
  const early = read(lists, keys);
  for (let i = 0; i < 10; i++) await early.next();
  assert.deepEqual(await rest(read(lists, keys)), [...keys.all]);
  assert.equal(keys.walks, 2);
  await early.return();
  assert.equal(keys.openWalks, 0);
});

test('those who read on are not held up by one who leaves, and the walk ends with the last one', async () => {
  const keys = keysUpTo(40);
  const lists = new SharedLists();
  const one = read(lists, keys);
  const other = read(lists, keys);
  await Promise.all([one.next(), other.next()]);
  await one.return();
  assert.equal(keys.openWalks, 1);
  await other.next();
  await other.return();
  assert.equal(keys.openWalks, 0);
  assert.equal(keys.walks, 1);
});

test('all who walk together are told of a failure, and the next list begins anew', async () => {
  const keys = keysUpTo(9);
  keys.failure = new OperatingError('store/io', 'disk is gone');
  const lists = new SharedLists();
  const ends = await Promise.allSettled(Array.from({ length: 3 }, () => rest(read(lists, keys))));
  for (const end of ends) assert.equal(end.status === 'rejected' && end.reason, keys.failure);
  assert.equal(keys.walks, 1);
  keys.failure = undefined;
  assert.deepEqual(await rest(read(lists, keys)), [...keys.all]);
});

test('with more walks than are kept, every list is whole nevertheless', async () => {
  const keys = keysUpTo(30);
  const lists = new SharedLists();
  const begun = Array.from({ length: 20 }, (_, i) => read(lists, keys, `list ${i >> 1}`));
  const firsts = await Promise.all(begun.map((list) => list.next()));
  const found = await Promise.all(begun.map(rest));
  for (const [i, list] of found.entries()) {
    const first = firsts[i];
    assert.deepEqual([...(first?.done === false ? keysIn(first.value) : []), ...list], [...keys.all]);
  }
  assert.equal(keys.openWalks, 0);
});

test('under any order of reads, writes and departures, a list has each key once, in order, and all that stayed', async () => {
  const step = fc.oneof(
    fc.record({ act: fc.constant('begin' as const) }),
    fc.record({ act: fc.constant('read' as const), reader: fc.nat(7), chunks: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ act: fc.constant('leave' as const), reader: fc.nat(7) }),
    fc.record({ act: fc.constant('write' as const), key: fc.nat(59), isThere: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 12 }), async (steps, kept) => {
      const keys = keysUpTo(40);
      const lists = new SharedLists({ keptBytesMax: kept * chunkBytes });
      interface Begun {
        readonly list: AsyncGenerator<ListChunk, void>;
        readonly found: string[];
        /** There since the list was asked for, and there at any time since. */
        readonly stayed: Set<string>;
        readonly seen: Set<string>;
        isOver: boolean;
      }
      const begun: Begun[] = [];
      const readOn = async (reader: Begun): Promise<void> => {
        const { done, value } = await reader.list.next();
        if (done === true) reader.isOver = true;
        else reader.found.push(...keysIn(value));
      };
      for (const one of steps) {
        if (one.act === 'begin') {
          const reader = {
            list: read(lists, keys),
            found: [],
            stayed: new Set(keys.all),
            seen: new Set(keys.all),
            isOver: false,
          };
          begun.push(reader);
          await readOn(reader);
        } else if (one.act === 'write') {
          const key = keyOf(one.key);
          keys.change((all) => (one.isThere ? all.add(key) : all.delete(key)));
          for (const { stayed, seen } of begun) {
            if (one.isThere) seen.add(key);
            else stayed.delete(key);
          }
        } else {
          const reader = begun[one.reader];
          if (reader === undefined || reader.isOver) continue;
          if (one.act === 'leave') {
            begun.splice(one.reader, 1);
            await reader.list.return();
          } else for (let i = 0; i < one.chunks && !reader.isOver; i++) await readOn(reader);
        }
      }
      await Promise.all(
        begun.map(async (reader) => {
          while (!reader.isOver) await readOn(reader);
        }),
      );
      for (const { found, stayed, seen } of begun) {
        assert.deepEqual(found, [...new Set(found)].sort());
        for (const key of stayed) assert.ok(found.includes(key), `${key} was there all the time`);
        for (const key of found) assert.ok(seen.has(key), `${key} was never there`);
      }
      assert.equal(keys.openWalks, 0);
    }),
    { numRuns: 300, seed: 1 },
  );
});
