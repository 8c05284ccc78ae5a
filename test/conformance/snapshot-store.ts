/** What every implementation of the Raft peer's `SnapshotStore` port must do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatBytes, utf8Encode } from '../../src/base/index.ts';
import type { Base, SnapshotStore, StoredSnapshot } from '../../src/core/raft/index.ts';
import { collect } from '../support/collect.ts';

/** A place that outlives the stores opened on it. */
export interface SnapshotPlace {
  /** A store that keeps the newest five, on what the last one left. */
  open(): Promise<SnapshotStore>;
}

/** A base with members. */
export function baseAt(index: number, term: number): Base {
  const servers = [{ id: '12D3KooWexample', suffrage: 'voter' as const }];
  return { index, term, configuration: { servers }, configurationIndex: 1 };
}

/** Writes a snapshot of these chunks. */
export async function writeSnapshot(
  store: SnapshotStore,
  base: Base,
  chunks: readonly Uint8Array[] = [utf8Encode(`state ${base.index}`)],
): Promise<StoredSnapshot> {
  const writer = await store.create(base);
  for (const chunk of chunks) await writer.write(chunk);
  return writer.finish();
}

/** All of its bytes. */
export async function readSnapshot(store: SnapshotStore, snapshot: StoredSnapshot): Promise<Uint8Array> {
  return concatBytes(await collect(store.read(snapshot)));
}

/** Declares the suite; `place` gives an empty one. */
export function snapshotStoreConformance(name: string, place: () => Promise<SnapshotPlace>): void {
  const indexesOf = (store: SnapshotStore): number[] => store.list().map(({ base }) => base.index);

  describe(`SnapshotStore contract: ${name}`, () => {
    test('an empty store has no snapshots', async () => {
      assert.deepEqual((await (await place()).open()).list(), []);
    });

    test('a snapshot comes back as it was written, after the store is opened again too', async () => {
      const at = await place();
      const store = await at.open();
      const large = new Uint8Array(700_000).map((_, i) => i % 251);
      const chunks = [utf8Encode('a'), large, new Uint8Array(0), utf8Encode('z')];
      const written = await writeSnapshot(store, baseAt(7, 3), chunks);
      assert.equal(written.sizeBytes, 700_002);
      assert.equal(store.list()[0], written);
      assert.deepEqual(await readSnapshot(store, written), concatBytes(chunks));
      const again = await at.open();
      const [snapshot] = again.list();
      assert.ok(snapshot !== undefined);
      assert.deepEqual(snapshot.base, baseAt(7, 3));
      assert.equal(snapshot.sizeBytes, 700_002);
      assert.deepEqual(await readSnapshot(again, snapshot), concatBytes(chunks));
    });

    test('a snapshot of nothing has no bytes', async () => {
      const at = await place();
      await writeSnapshot(await at.open(), baseAt(1, 1), []);
      const store = await at.open();
      const [snapshot] = store.list();
      assert.ok(snapshot !== undefined);
      assert.equal((await readSnapshot(store, snapshot)).length, 0);
    });

    test('the writer does not keep the bytes that it was given', async () => {
      const at = await place();
      const store = await at.open();
      const writer = await store.create(baseAt(1, 1));
      const bytes = utf8Encode('one');
      await writer.write(bytes);
      bytes.fill(0);
      const snapshot = await writer.finish();
      assert.deepEqual(await readSnapshot(store, snapshot), utf8Encode('one'));
    });

    test('the newest five are listed, the newest first', async () => {
      const at = await place();
      const store = await at.open();
      for (const index of [10, 20, 30, 40, 50, 60, 70]) await writeSnapshot(store, baseAt(index, 1));
      assert.deepEqual(indexesOf(store), [70, 60, 50, 40, 30]);
      assert.deepEqual(indexesOf(await at.open()), [70, 60, 50, 40, 30]);
    });

    test('a list is not changed by what comes later', async () => {
      const store = await (await place()).open();
      await writeSnapshot(store, baseAt(1, 1));
      const before = store.list();
      await writeSnapshot(store, baseAt(2, 1));
      assert.deepEqual(
        before.map(({ base }) => base.index),
        [1],
      );
    });

    test('two snapshots of the same entry are two', async () => {
      const at = await place();
      const store = await at.open();
      await writeSnapshot(store, baseAt(4, 2));
      await writeSnapshot(store, baseAt(4, 2));
      assert.deepEqual(indexesOf(await at.open()), [4, 4]);
    });

    test('what is not finished is not listed, and what is discarded leaves nothing', async () => {
      const at = await place();
      const store = await at.open();
      await writeSnapshot(store, baseAt(1, 1));
      const discarded = await store.create(baseAt(2, 1));
      await discarded.write(utf8Encode('half'));
      assert.deepEqual(indexesOf(store), [1]);
      await discarded.discard();
      const left = await store.create(baseAt(3, 1));
      await left.write(utf8Encode('half'));
      // The peer ends here.
      assert.deepEqual(indexesOf(await at.open()), [1]);
      await left.discard();
    });

    test('a second writer before the first is done is refused as a bug', async () => {
      const store = await (await place()).open();
      const first = await store.create(baseAt(1, 1));
      await assert.rejects(store.create(baseAt(2, 1)), { code: 'base/assertion' });
      await first.discard();
      await writeSnapshot(store, baseAt(2, 1));
    });

    test('a snapshot that was deleted is not read', async () => {
      const store = await (await place()).open();
      const first = await writeSnapshot(store, baseAt(1, 1));
      for (const index of [2, 3, 4, 5, 6]) await writeSnapshot(store, baseAt(index, 1));
      await assert.rejects(readSnapshot(store, first), { code: 'store/io', message: /it was deleted/ });
    });

    test('a snapshot that is deleted is gone, after the store is opened again too; one that is being read is read to its end', async () => {
      const at = await place();
      const store = await at.open();
      const bytes = new Uint8Array(1_000_000).fill(7);
      await writeSnapshot(store, baseAt(1, 1));
      const refused = await writeSnapshot(store, baseAt(2, 1), [bytes]);
      const reading = store.read(refused)[Symbol.asyncIterator]();
      const first = await reading.next();
      assert.ok(first.done !== true);
      await store.delete(refused);
      await store.delete(refused);
      assert.deepEqual(indexesOf(store), [1]);
      await assert.rejects(readSnapshot(store, refused), { code: 'store/io', message: /it was deleted/ });
      let size = first.value.length;
      for (let next = await reading.next(); next.done !== true; next = await reading.next()) size += next.value.length;
      assert.equal(size, 1_000_000);
      assert.deepEqual(indexesOf(await at.open()), [1]);
    });

    test('a snapshot that is being read is read to its end, whatever is written meanwhile', async () => {
      const store = await (await place()).open();
      const bytes = new Uint8Array(1_000_000).fill(7);
      const reading = store.read(await writeSnapshot(store, baseAt(1, 1), [bytes]))[Symbol.asyncIterator]();
      const first = await reading.next();
      assert.ok(first.done !== true);
      for (const index of [2, 3, 4, 5, 6, 7]) await writeSnapshot(store, baseAt(index, 1));
      let size = first.value.length;
      for (let next = await reading.next(); next.done !== true; next = await reading.next()) size += next.value.length;
      assert.equal(size, 1_000_000);
      assert.ok(!store.list().some(({ base }) => base.index === 1), 'afterwards it is gone');
    });
  });
}
