import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from '../../../test/support/collect.ts';
import { createMemoryDatastore } from '../memory-datastore.ts';
import type { Datastore } from '../ports.ts';
import { OwnedPins } from './owned-pins.ts';

const never = new AbortController().signal;
const unexpected = (error: unknown): void => assert.ifError(error);

test('OwnedPins equals a set, now and after being opened again', async () => {
  const act = fc.record({ key: fc.constantFrom('A', 'B', 'C', 'D'), isAdd: fc.boolean(), waits: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const store = createMemoryDatastore();
      const owned = new OwnedPins(store, unexpected);
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
      const again = new OwnedPins(store, unexpected);
      assert.deepEqual((await collect(again.pages(never))).flat(), [...naive].sort());
    }),
  );
});

test('OwnedPins joins what comes while it writes', async () => {
  const memory = createMemoryDatastore();
  const sizes: number[] = [];
  const store: Datastore = {
    ...memory,
    get: (key) => memory.get(key),
    scan: (range, options) => memory.scan(range, options),
    close: () => memory.close(),
    batch: (ops, options) => {
      sizes.push(ops.length);
      return memory.batch(ops, options);
    },
  };
  const owned = new OwnedPins(store, unexpected);
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

test('OwnedPins reports a failing store and goes on', async () => {
  const memory = createMemoryDatastore();
  let failures = 0;
  const store: Datastore = {
    get: (key) => memory.get(key),
    scan: (range, options) => memory.scan(range, options),
    close: () => memory.close(),
    batch: () => Promise.reject(new TypeError('disk full')),
  };
  const owned = new OwnedPins(store, () => {
    failures += 1;
  });
  await owned.add('A');
  await owned.add('B');
  assert.equal(failures, 2);
});
