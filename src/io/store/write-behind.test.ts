import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../../test/support/collect.ts';
import { utf8Decode, utf8Encode } from '../../base/index.ts';
import { createMemoryDatastore } from '../../cluster/index.ts';
import type { Datastore, DatastoreOp } from '../../cluster/ports.ts';
import { writeBehindDatastore } from './write-behind.ts';

const everything = { start: new Uint8Array(0), end: Uint8Array.of(0xff) };

/** A store whose batches are done when they are let go, and what it was given. */
class SlowStore {
  readonly batches: string[][] = [];
  readonly store: Datastore;
  readonly #gates: PromiseWithResolvers<void>[] = [];

  constructor() {
    const inner = createMemoryDatastore();
    this.store = {
      get: (key) => inner.get(key),
      batch: async (ops, options) => {
        this.batches.push(ops.map(({ key }) => utf8Decode(key)));
        const gate = Promise.withResolvers<void>();
        this.#gates.push(gate);
        await gate.promise;
        await inner.batch(ops, options);
      },
      scan: (range, options) => inner.scan(range, options),
      close: () => inner.close(),
    };
  }

  async letGo(error?: Error): Promise<void> {
    const gate = this.#gates.shift();
    assert(gate !== undefined, 'a batch is under way');
    if (error === undefined) gate.resolve();
    else gate.reject(error);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const put = (key: string, value: string | number): DatastoreOp => ({
  type: 'put',
  key: utf8Encode(key),
  value: typeof value === 'number' ? new Uint8Array(value) : utf8Encode(value),
});
const del = (key: string): DatastoreOp => ({ type: 'del', key: utf8Encode(key) });

function open(): {
  slow: SlowStore;
  store: Datastore;
  write: (...ops: DatastoreOp[]) => Promise<void>;
  at: (key: string) => string | undefined;
} {
  const slow = new SlowStore();
  const store = writeBehindDatastore(slow.store);
  return {
    slow,
    store,
    write: (...ops) => store.batch(ops, { durable: false }),
    at: (key) => {
      const value = store.get(utf8Encode(key));
      return value && utf8Decode(value);
    },
  };
}

test('batches are done at once, and what comes while one is written is the next one', async () => {
  const { slow, write, at } = open();
  await write(put('a', '1'), put('b', '1'));
  await write(put('a', '2'));
  await write(del('b'), put('c', '2'));
  assert.deepEqual(slow.batches, [['a', 'b']]);
  assert.deepEqual([at('a'), at('b'), at('c')], ['2', undefined, '2']);
  await slow.letGo();
  assert.deepEqual(slow.batches, [
    ['a', 'b'],
    ['a', 'b', 'c'],
  ]);
  assert.deepEqual([at('a'), at('b'), at('c')], ['2', undefined, '2']);
  await slow.letGo();
  assert.deepEqual([at('a'), at('b'), at('c')], ['2', undefined, '2']);
});

test('a scan, a durable batch and the end come after all that waits', async () => {
  for (const act of ['scan', 'durable', 'close'] as const) {
    const { slow, store, write } = open();
    await write(put('a', '1'));
    await write(put('b', '1'));
    let isDone = false;
    const acting = (
      act === 'scan'
        ? collect(store.scan(everything)).then((pages) => assert.equal(pages.flat().length, 2))
        : act === 'durable'
          ? store.batch([put('c', '1')], { durable: true })
          : store.close()
    ).then(() => {
      isDone = true;
    });
    await slow.letGo();
    assert.equal(isDone, false);
    await slow.letGo();
    if (act === 'durable') {
      assert.deepEqual(slow.batches, [['a'], ['b'], ['c']]);
      assert.equal(isDone, false);
      await slow.letGo();
    }
    await acting;
  }
});

test('more than 4 MiB does not wait in memory', async () => {
  const { slow, write } = open();
  await write(put('a', '1'));
  let isDone = false;
  const large = write(put('b', 5 << 20)).then(() => {
    isDone = true;
  });
  await slow.letGo();
  assert.equal(isDone, false);
  await slow.letGo();
  await large;
});

test('a write that has failed is told by all that follows; reads still see it', async () => {
  const { slow, store, write, at } = open();
  await write(put('a', '1'));
  await write(put('b', '1'));
  await slow.letGo(new Error('no room'));
  assert.deepEqual([at('a'), at('b')], ['1', '1']);
  await assert.rejects(write(put('c', '1')), /no room/);
  await assert.rejects(store.batch([put('c', '1')], { durable: true }), /no room/);
  await assert.rejects(collect(store.scan(everything)), /no room/);
  assert.equal(slow.batches.length, 1);
  await store.close();
});
