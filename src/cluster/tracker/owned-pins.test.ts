import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from '../../../test/support/collect.ts';
import { FakeClock, settle } from '../../../test/support/fake-clock.ts';
import { createMemoryDatastore } from '../memory-datastore.ts';
import type { Datastore } from '../ports.ts';
import { OwnedPins } from './owned-pins.ts';

const never = new AbortController().signal;
const unexpected = (error: unknown): void => assert.ifError(error);

function ownedPins(store: Datastore, clock: FakeClock = new FakeClock(), groupMs: number = 0): OwnedPins {
  return new OwnedPins({ store, clock, onError: unexpected, groupMs });
}

test('OwnedPins equals a set, now and after being opened again', async () => {
  const act = fc.record({ key: fc.constantFrom('A', 'B', 'C', 'D'), isAdd: fc.boolean(), waits: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const store = createMemoryDatastore();
      const owned = ownedPins(store);
      const naive = new Set<string>();
      for (const { key, isAdd, waits } of acts) {
        if (isAdd) void owned.add(key);
        else owned.remove(key);
        if (isAdd) naive.add(key);
        else naive.delete(key);
        if (waits) await owned.flushed();
        for (const known of ['A', 'B', 'C', 'D']) assert.equal(owned.has(known), naive.has(known));
      }
      await owned.flushed();
      const again = ownedPins(store);
      assert.deepEqual((await collect(again.pages(never))).flat(), [...naive].sort());
    }),
  );
});

test('OwnedPins joins what comes shortly after a write, unless somebody waits for all of it', async () => {
  const clock = new FakeClock();
  const store = createMemoryDatastore();
  const sizes: number[] = [];
  const { batch } = store;
  store.batch = (ops, options) => {
    sizes.push(ops.length);
    return Reflect.apply(batch, store, [ops, options]);
  };
  const owned = ownedPins(store, clock, 20);
  await owned.add('A');
  assert.deepEqual(sizes, [1], 'alone it does not wait');
  let written = 0;
  for (const key of ['B', 'C']) {
    void owned.add(key);
    void owned.written(key)?.then(() => {
      written += 1;
    });
  }
  await owned.written('A');
  await settle();
  assert.deepEqual([sizes, written], [[1], 0]);
  await clock.advance(20);
  assert.deepEqual([sizes, written], [[1, 2], 2]);
  void owned.add('D');
  await owned.flushed();
  assert.deepEqual(sizes, [1, 2, 1]);
  for (let n = 0; n < 1000; n += 1) void owned.add(`${n}`);
  await settle();
  assert.deepEqual(sizes, [1, 2, 1, 1000], 'many do not wait');
  assert.equal(clock.pendingCount, 0);
});

test('OwnedPins joins what comes while it writes', async () => {
  const memory = createMemoryDatastore();
  const sizes: number[] = [];
  const store: Datastore = {
    ...memory,
    get: (key) => memory.get(key),
    scan: (range, options) => memory.scan(range, options),
    scanText: (range, options) => memory.scanText(range, options),
    close: () => memory.close(),
    batch: (ops, options) => {
      sizes.push(ops.length);
      return memory.batch(ops, options);
    },
  };
  const owned = ownedPins(store);
  const first = owned.add('A');
  await null;
  await null;
  await Promise.all([first, ...['B', 'C', 'D'].map((key) => owned.add(key))]);
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    4,
  );
  assert.ok(sizes.length <= 2, `${sizes}`);
});

test('OwnedPins reports a failing store, says what is not recorded, and goes on', async () => {
  const memory = createMemoryDatastore();
  const unrecorded: (readonly string[])[] = [];
  const store: Datastore = {
    get: (key) => memory.get(key),
    scan: (range, options) => memory.scan(range, options),
    scanText: (range, options) => memory.scanText(range, options),
    close: () => memory.close(),
    batch: () => Promise.reject(new TypeError('disk full')),
  };
  const owned = new OwnedPins({
    store,
    clock: new FakeClock(),
    onError: (_, keys) => void unrecorded.push(keys),
    groupMs: 0,
  });
  const first = owned.add('A');
  assert.equal(owned.has('A'), true);
  assert.equal(await first, 'disk full');
  owned.remove('A');
  assert.equal(await owned.add('B'), 'disk full');
  assert.deepEqual(unrecorded, [['A'], ['B']]);
  assert.deepEqual([owned.has('A'), owned.has('B')], [false, false]);
});
