import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  bytesOf,
  contentOf,
  hashOf,
  pieces,
  pin,
  pinsetConformance,
  recordOf,
  unpin,
} from '../../test/conformance/pinset.ts';
import { RecordedStore } from '../../test/support/recorded-store.ts';
import { concatBytes, hexDecode, hexEncode, silentLogger, utf8Decode, utf8Encode } from '../base/index.ts';
import { snapshotRecordCodec } from '../model/index.ts';
import { createMemoryDatastore } from './memory-datastore.ts';
import { openPinset, type PinsetState } from './pinset.ts';
import type { Datastore } from './ports.ts';

pinsetConformance('memory', async () => createMemoryDatastore());

const quiet = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };
const open = (store: Datastore): PinsetState => openPinset(store, { log: silentLogger, observer: quiet });
const tag = utf8Encode('tag');

test('recorded snapshots of the Go peer are restored and written again to the same bytes', async () => {
  const file = new URL('../../test/vectors/wire/state.json', import.meta.url);
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: { type: string; hex: string }[] };
  const snapshots = vectors.filter(({ type }) => type === 'dsstate.Marshal');
  assert.equal(snapshots.length, 3);
  for (const { hex } of snapshots) {
    for (const sizeBytes of [1, 7, 1000]) {
      const pinset = open(createMemoryDatastore());
      await pinset.restore(pieces(hexDecode(hex), sizeBytes), { applied: 3, tag });
      assert.equal(hexEncode(await bytesOf(pinset)), hex);
    }
  }
});

/** A state of three pins, with a tag, that a restore to four others replaces. */
async function replaced(failsFrom = Number.POSITIVE_INFINITY): Promise<{
  readonly store: RecordedStore;
  readonly old: readonly string[];
  readonly restored: Promise<void>;
  readonly pinset: PinsetState;
  /** Number of batches before the restore, all of them durable. */
  readonly synced: number;
}> {
  const store = new RecordedStore();
  const pinset = open(store);
  await pinset.restore(pieces(concatBytes([recordOf(1, 'one'), recordOf(2)])), { applied: 5, tag: utf8Encode('old') });
  await pinset.apply([pin(3), pin(1, 'uno')], 6);
  await pinset.sync();
  const old = await contentOf(pinset);
  const synced = store.batches.length;
  store.failsFrom = synced + failsFrom;
  // Each of these pins fills a batch.
  const records = [1, 7, 8, 9].map((n) => recordOf(n, 'x'.repeat(1_100_000) + n));
  const restored = pinset.restore(pieces(concatBytes(records), 100_000), { applied: 20, tag });
  return { store, old, restored, pinset, synced };
}

test('a crash at any write of a restore leaves the old state or the new one, and the next restore removes the rest', async () => {
  const { store, old, restored, pinset, synced } = await replaced();
  await restored;
  const fresh = await contentOf(pinset);
  const isFlip = ({ ops }: (typeof store.batches)[number]): boolean =>
    ops.some(({ key }) => utf8Decode(key) === '/restored');
  const flip = store.batches.findLastIndex(isFlip);
  assert.equal(store.batches[flip]?.durable, true);
  assert.ok(flip - synced >= 4 && store.batches.length > flip + 1, 'there are writes before and after');
  const hashes = [hashOf(await bytesOf(open(await store.after(synced)))), hashOf(await bytesOf(pinset))];
  for (let count = synced; count <= store.batches.length; count++) {
    const left = await store.after(count);
    const found = open(left);
    const isNew = count > flip;
    assert.deepEqual(await contentOf(found), isNew ? fresh : old, `after ${count} of ${store.batches.length}`);
    assert.equal(found.applied, isNew ? 20 : 6);
    assert.deepEqual(found.restoredTag, isNew ? tag : utf8Encode('old'));
    assert.equal(hashOf(await bytesOf(found)), hashes[Number(isNew)]);
    assert.equal(found.synced, found.applied);
    await found.apply([pin(30)], 21);
    await found.restore(pieces(recordOf(40)), { applied: 30, tag });
    assert.deepEqual(
      (await left.entries()).length,
      5,
      'progress, tag, last sync, version of the keys of expiry and one pin',
    );
    assert.equal(found.count(), 1);
  }
});

test('a disk that takes no more during a restore leaves the old state or the new one to readers', async () => {
  for (let failsFrom = 0; failsFrom < 8; failsFrom++) {
    const { store, old, restored, pinset } = await replaced(failsFrom);
    const isRestored = await restored.then(
      () => true,
      (error: Error) => {
        assert.match(error.message, /no space left/);
        return false;
      },
    );
    const content = await contentOf(pinset);
    if (!isRestored) assert.deepEqual(content, old);
    else assert.equal(content.length, 4);
    store.failsFrom = Number.POSITIVE_INFINITY;
    await pinset.apply([pin(50)], 40);
    assert.equal(open(store).applied, 40);
    assert.equal((await contentOf(open(store))).length, content.length + 1);
  }
});

for (const { title, bytes, expected } of [
  { title: 'text', bytes: utf8Encode('{"cid": "x"}'), expected: /the record at byte 0: .*expected a map, got tag 7b/ },
  {
    title: 'a cut record',
    bytes: concatBytes([recordOf(1), recordOf(2).subarray(0, 30)]),
    expected: new RegExp(`it ends within the record at byte ${recordOf(1).length}`),
  },
  {
    title: 'bytes behind the last record',
    bytes: concatBytes([recordOf(1), Uint8Array.of(0x81)]),
    expected: /it ends within the record at byte/,
  },
  {
    title: 'a record that says it is longer than any',
    bytes: concatBytes([recordOf(1), hexDecode('82a16ba141a176dbffffffff')]),
    expected: /4294967295 bytes, at most 16777216/,
  },
]) {
  test(`restore refuses ${title} and changes nothing`, async () => {
    const store = new RecordedStore();
    const pinset = open(store);
    await pinset.apply([pin(1, 'old'), pin(2)], 3);
    const before = [await contentOf(pinset), await store.entries()];
    for (const sizeBytes of [3, 5000]) {
      await assert.rejects(pinset.restore(pieces(bytes, sizeBytes), { applied: 9, tag }), {
        code: 'cluster/bad-snapshot',
        message: expected,
      });
      assert.deepEqual([await contentOf(pinset), await store.entries()], before);
      assert.equal(pinset.restoredTag, undefined);
    }
  });
}

test('restore hands on what its source throws, and changes nothing', async () => {
  const store = new RecordedStore();
  const pinset = open(store);
  const lost = new Error('connection lost');
  async function* source(): AsyncGenerator<Uint8Array, void> {
    yield recordOf(1);
    throw lost;
  }
  await assert.rejects(pinset.restore(source(), { applied: 9, tag }), lost);
  assert.deepEqual(await store.entries(), []);
  assert.equal(pinset.applied, 0);
});

test('restore counts a pin once that comes twice, and keeps the last', async () => {
  const pinset = open(createMemoryDatastore());
  const bytes = concatBytes([recordOf(2), recordOf(1, 'first'), recordOf(3), recordOf(1, 'last')]);
  await pinset.restore(pieces(bytes), { applied: 9, tag });
  assert.equal(pinset.count(), 3);
  assert.equal((await contentOf(pinset)).length, 3);
  assert.equal(pinset.get(pin(1).pin.cid)?.name, 'last');
  await pinset.apply([unpin(1)], 10);
  assert.equal(pinset.count(), 2);
});

test('restore leaves out keys that name no CID, and keeps a pin that nobody can read', async () => {
  const record = (key: string, value = '') =>
    snapshotRecordCodec.encode({ key: utf8Encode(key), value: utf8Encode(value) });
  const { key } = snapshotRecordCodec.decode(recordOf(1));
  const bytes = concatBytes([
    record(''),
    record('NO-CID'),
    record(utf8Decode(key).toLowerCase()),
    record(utf8Decode(key), 'no pin'),
    recordOf(2),
  ]);
  const pinset = open(createMemoryDatastore());
  await pinset.restore(pieces(bytes), { applied: 9, tag });
  assert.equal(pinset.count(), 2);
  assert.equal(pinset.has(pin(1).pin.cid), true);
  assert.equal(pinset.get(pin(1).pin.cid), undefined);
  assert.equal((await bytesOf(pinset)).length, record(utf8Decode(key), 'no pin').length + recordOf(2).length);
});

test('restore tells the observer once, when readers see the new state', async () => {
  const seen: string[] = [];
  const pinset: PinsetState = openPinset(createMemoryDatastore(), {
    log: silentLogger,
    observer: {
      ...quiet,
      onReplaced: () => seen.push(`${pinset.applied} ${pinset.count()} ${pinset.has(pin(1).pin.cid)}`),
    },
  });
  await pinset.restore(pieces(recordOf(1)), { applied: 9, tag });
  assert.deepEqual(seen, ['9 1 true']);
});

test('a pin of many pieces is read in time that grows with its size only', async () => {
  const pinset = open(createMemoryDatastore());
  await pinset.restore(pieces(recordOf(1, 'x'.repeat(2_000_000)), 50), { applied: 9, tag });
  assert.equal(pinset.get(pin(1).pin.cid)?.name.length, 2_000_000);
});
