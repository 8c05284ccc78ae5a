/** What every implementation of the `Datastore` port must do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesEqual, utf8Decode, utf8Encode } from '../../src/base/index.ts';
import type { Datastore, DatastoreEntry, DatastoreOp, KeyRange } from '../../src/cluster/ports.ts';

const everything: KeyRange = { start: new Uint8Array(0), end: new Uint8Array([0xff, 0xff]) };

/** Declares the suite; `open` gives an empty store, and the suite closes it. */
export function datastoreConformance(name: string, open: () => Promise<Datastore>): void {
  const withStore = (title: string, body: (store: Datastore) => Promise<void>): void => {
    test(title, async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });
  };

  describe(`Datastore contract: ${name}`, () => {
    withStore('get answers undefined for an absent key and the bytes of a present one', async (store) => {
      assert.equal(store.get(utf8Encode('a')), undefined);
      await store.batch([put('a', '1'), put('b', '')], { durable: true });
      assert.equal(text(store.get(utf8Encode('a'))), '1');
      assert.equal(text(store.get(utf8Encode('b'))), '');
    });

    withStore('batch applies its ops in order: the last on a key wins', async (store) => {
      await store.batch([put('a', '1'), del('a'), put('b', '1'), put('b', '2'), put('c', '1'), del('c')], {
        durable: false,
      });
      assert.deepEqual(await all(store), ['b=2']);
      await store.batch([del('b'), put('b', '3'), del('absent')], { durable: false });
      assert.deepEqual(await all(store), ['b=3']);
    });

    withStore('batch of nothing is allowed', async (store) => {
      await store.batch([], { durable: true });
      assert.deepEqual(await all(store), []);
    });

    withStore('a second batch before the first resolved is refused as a bug, and the first is kept', async (store) => {
      const first = store.batch([put('a', '1')], { durable: false });
      await assert.rejects(store.batch([put('a', '2')], { durable: false }), { code: 'base/assertion' });
      await first;
      assert.deepEqual(await all(store), ['a=1']);
      await store.batch([put('a', '3')], { durable: false });
      assert.deepEqual(await all(store), ['a=3']);
    });

    withStore('batch keeps its own copy of keys and values', async (store) => {
      // A Buffer is a Uint8Array whose `slice` is no copy.
      const [key, value] = [utf8Encode('a'), Buffer.from('1')];
      await store.batch([{ type: 'put', key, value }], { durable: false });
      key.fill(0);
      value.fill(0);
      assert.deepEqual(await all(store), ['a=1']);
    });

    withStore('scan yields the range in byte order: start included, end excluded', async (store) => {
      await store.batch([put('c', '3'), put('a', '1'), put('b', '2'), put('bb', '4'), put('d', '5')], {
        durable: false,
      });
      const keys = await all(store, { start: utf8Encode('b'), end: utf8Encode('d') });
      assert.deepEqual(keys, ['b=2', 'bb=4', 'c=3']);
    });

    withStore('scan orders keys as unsigned bytes', async (store) => {
      const keys = [[0x80], [0x7f], [0xff], [0x00], [0x7f, 0x00]].map((key) => new Uint8Array(key));
      const ops = keys.map((key): DatastoreOp => ({ type: 'put', key, value: key }));
      await store.batch(ops, { durable: false });
      const seen: number[][] = [];
      for await (const page of store.scan(everything)) for (const [key] of page) seen.push([...key]);
      assert.deepEqual(seen, [[0x00], [0x7f], [0x7f, 0x00], [0x80], [0xff]]);
    });

    withStore('scan yields no empty page and none above pageSize, and misses nothing', async (store) => {
      const count = 257;
      const ops = Array.from({ length: count }, (_, i) => put(String(i).padStart(5, '0'), 'x'.repeat(300)));
      await store.batch(ops, { durable: false });
      const seen: string[] = [];
      for await (const page of store.scan(everything, { pageSize: 10 })) {
        assert.ok(page.length >= 1 && page.length <= 10, `page of ${page.length}`);
        for (const [key] of page) seen.push(utf8Decode(key));
      }
      assert.deepEqual(
        seen,
        ops.map((op) => utf8Decode(op.key)),
      );
    });

    withStore('scan reads from one snapshot while batches go on', async (store) => {
      await store.batch([put('a', '1'), put('b', '1'), put('c', '1')], { durable: false });
      const seen: string[] = [];
      for await (const page of store.scan(everything, { pageSize: 1 })) {
        for (const [key, value] of page) seen.push(`${utf8Decode(key)}=${utf8Decode(value)}`);
        await store.batch([put('b', '2'), del('c'), put('d', '1')], { durable: false });
      }
      assert.deepEqual(seen, ['a=1', 'b=1', 'c=1']);
    });

    withStore('scan for keys alone gives the same keys', async (store) => {
      const keys = ['a', 'b', 'c'].map(utf8Encode);
      await store.batch(
        keys.map((key) => ({ type: 'put', key, value: key })),
        { durable: false },
      );
      const seen: Uint8Array[] = [];
      for await (const page of store.scan(everything, { pageSize: 2, keysOnly: true })) {
        seen.push(...page.map(([key]) => key));
      }
      assert.deepEqual(seen.map(utf8Decode), ['a', 'b', 'c']);
    });

    withStore('scanText gives what scan gives, with keys as text, in pages as large', async (store) => {
      const count = 257;
      const ops = Array.from({ length: count }, (_, i) => put(`/r/${String(i).padStart(5, '0')}`, 'x'.repeat(i)));
      await store.batch([...ops, put('/q', ''), put('/r0', '')], { durable: false });
      for (const [start, end] of [
        ['', '\x7f'],
        ['/r/', '/r0'],
        ['/r/00007\0', '/r/00250'],
        ['/r/x', '/r0'],
      ] as const) {
        const range = { start: utf8Encode(start), end: utf8Encode(end) };
        const pages: (readonly string[])[] = [];
        for await (const page of store.scan(range, { pageSize: 10 })) pages.push(page.map(entryText));
        const texts: (readonly string[])[] = [];
        for await (const page of store.scanText(range, { pageSize: 10 })) {
          texts.push(page.map(([key, value]) => `${key}=${utf8Decode(value)}`));
        }
        assert.deepEqual(texts, pages);
      }
    });

    withStore('scanText reads from one snapshot, and rejects with the reason of its signal', async (store) => {
      await store.batch([put('a', '1'), put('b', '1')], { durable: false });
      const range = { start: utf8Encode('a'), end: utf8Encode('z') };
      const seen: string[] = [];
      for await (const page of store.scanText(range, { pageSize: 1 })) {
        seen.push(...page.map(([key]) => key));
        await store.batch([del('b'), put('c', '1')], { durable: false });
      }
      assert.deepEqual(seen, ['a', 'b']);
      const stop = new AbortController();
      const reason = new Error('enough');
      await assert.rejects(async () => {
        for await (const _ of store.scanText(range, { pageSize: 1, signal: stop.signal })) stop.abort(reason);
      }, reason);
    });

    withStore('scan ends early when the reader leaves, and rejects with the reason of its signal', async (store) => {
      await store.batch([put('a', '1'), put('b', '1'), put('c', '1')], { durable: false });
      for await (const _ of store.scan(everything, { pageSize: 1 })) break;
      const stop = new AbortController();
      const reason = new Error('enough');
      let pages = 0;
      await assert.rejects(async () => {
        for await (const _ of store.scan(everything, { pageSize: 1, signal: stop.signal })) {
          pages++;
          stop.abort(reason);
        }
      }, reason);
      assert.equal(pages, 1);
    });
  });
}

async function all(store: Datastore, range: KeyRange = everything): Promise<string[]> {
  const entries: string[] = [];
  for await (const page of store.scan(range)) {
    for (const [key, value] of page) {
      entries.push(entryText([key, value]));
      assert.ok(bytesEqual(store.get(key) ?? new Uint8Array([0]), value), 'get and scan agree');
    }
  }
  return entries;
}

function entryText([key, value]: DatastoreEntry): string {
  return `${utf8Decode(key)}=${utf8Decode(value)}`;
}

function put(key: string, value: string): DatastoreOp {
  return { type: 'put', key: utf8Encode(key), value: utf8Encode(value) };
}

function del(key: string): DatastoreOp {
  return { type: 'del', key: utf8Encode(key) };
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : utf8Decode(bytes);
}
