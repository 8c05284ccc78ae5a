import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseAt } from '../../../test/conformance/snapshot-store.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { errorMessage, OperatingError, SeededRandom, silentLogger } from '../../base/index.ts';
import { createMemoryDatastore, openPinset } from '../../cluster/index.ts';
import type { SnapshotStore } from '../../core/raft/index.ts';
import { VirtualSnapshots } from '../../sim/world/snapshots.ts';
import { Snapshots } from './snapshots.ts';

const observer = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };

/** Over a store that has room or not, and the room that was asked for. */
async function make() {
  const clock = new FakeClock();
  const rooms: (number | undefined)[] = [];
  const damages: string[] = [];
  const disk = { isFull: true };
  const kept = new VirtualSnapshots([], async (act) => act());
  const store: SnapshotStore = {
    list: () => kept.list(),
    read: (snapshot) => kept.read(snapshot),
    delete: (snapshot) => kept.delete(snapshot),
    create: async (base, roomBytes) => {
      rooms.push(roomBytes);
      if (disk.isFull) throw new OperatingError('store/full', 'no room');
      return kept.create(base);
    },
  };
  const state = openPinset(createMemoryDatastore(), { log: silentLogger, observer });
  await state.apply([{ type: 'pin', pin: pinOf(cidNumber(1)) }], 1);
  const snapshots = new Snapshots(
    { intervalMs: 1000, threshold: 1, stallMs: 1000 },
    {
      store,
      state,
      clock,
      random: new SeededRandom('snapshots'),
      logger: silentLogger,
      baseAt: async (index) => baseAt(index, 1),
      onTaken: () => {},
      onLost: () => {},
      onDamaged: (error) => damages.push(errorMessage(error)),
    },
  );
  const take = async (): Promise<void> => {
    snapshots.take();
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, damages, disk, rooms, snapshots, state, store, take };
}

test('Snapshots tries less and less often to take one that fails, however often it is asked', async () => {
  const { clock, disk, rooms, snapshots, state, store, take } = await make();
  const tries: number[] = [];
  for (let second = 0; second < 200; second++) {
    const before = rooms.length;
    await take();
    await take();
    if (rooms.length > before) tries.push(second);
    assert.ok(rooms.length <= before + 1);
    await clock.advance(1000);
  }
  assert.deepEqual(tries, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
  disk.isFull = false;
  await clock.advance(60_000);
  await take();
  assert.equal(store.list().length, 1);
  await state.apply([], 2);
  await take();
  assert.deepEqual([store.list().length, rooms.at(-1)], [2, store.list()[0]?.sizeBytes], 'at once, after a success');
  await snapshots.stop();
});

test('Snapshots asks for room in the file and in the state before it receives one, and says no without it', async () => {
  const { disk, rooms, snapshots, store } = await make();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(100);
  }
  const receive = (): Promise<boolean> =>
    snapshots.receive(baseAt(9, 1), { sizeBytes: 100, chunks: chunks() }, new AbortController().signal);
  assert.equal(await receive(), false);
  disk.isFull = false;
  assert.equal(await receive(), true);
  assert.deepEqual([rooms, store.list().length], [[200, 200], 1]);
  await snapshots.stop();
});

test('Snapshots deletes one that cannot be restored, and keeps it when it is the state that is damaged', async () => {
  const { disk, snapshots, state, store, take } = await make();
  disk.isFull = false;
  await take();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(100).fill(0xff);
  }
  const base = baseAt(9, 1);
  const receive = (): Promise<boolean> =>
    snapshots.receive(base, { sizeBytes: 100, chunks: chunks() }, new AbortController().signal);
  const indexes = (): readonly number[] => store.list().map((one) => one.base.index);
  assert.deepEqual([await receive(), await receive()], [true, true]);
  assert.deepEqual(indexes(), [9, 9, 1]);
  assert.equal(await snapshots.restore(base), false);
  assert.deepEqual([indexes(), snapshots.newest?.index, state.count()], [[1], 1, 1]);

  assert.ok(await receive());
  state.restore = async () => {
    throw new OperatingError('store/damaged', 'rot');
  };
  await assert.rejects(snapshots.restore(base), { code: 'store/damaged' });
  assert.deepEqual(indexes(), [9, 1]);
  await snapshots.stop();
});

test('Snapshots tells of damage that it finds in the state, at once, and leaves nothing of the snapshot', async () => {
  const { damages, disk, snapshots, state, store, take } = await make();
  disk.isFull = false;
  state.snapshot = async () => ({
    applied: 1,
    // biome-ignore lint/correctness/useYield: it fails before the first chunk
    chunks: (async function* () {
      throw new OperatingError('store/damaged', 'rot');
    })(),
  });
  await take();
  assert.deepEqual([damages, store.list()], [['rot'], []]);
  await snapshots.stop();
});
