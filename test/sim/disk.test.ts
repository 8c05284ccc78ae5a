/** The virtual disk keeps the contracts of the real ones. */
import assert from 'node:assert/strict';
import { SeededRandom } from '../../src/base/index.ts';
import type { RaftData } from '../../src/io/consensus/index.ts';
import { VirtualDisk } from '../../src/sim/world/disk.ts';
import { Scheduler } from '../../src/sim/world/scheduler.ts';
import { datastoreConformance } from '../conformance/datastore.ts';
import { logStoreConformance } from '../conformance/log-store.ts';
import { snapshotStoreConformance } from '../conformance/snapshot-store.ts';

/** A disk whose time passes whenever something is under way. */
function newDisk(): { readonly open: () => Promise<RaftData> } {
  const scheduler = new Scheduler();
  const disk = new VirtualDisk(
    'disk',
    { syncMs: 1, stateMs: 1 },
    {
      scheduler,
      random: new SeededRandom('disk'),
      onWrite: () => {},
      onMisuse: assert.fail,
      onDone: () => {},
      onFailure: () => {},
    },
  );
  const timed = async (act: () => Promise<void>): Promise<void> => {
    const acted = act();
    await Promise.all([acted, scheduler.run(() => false)]);
  };
  return {
    open: async () => {
      const { log, state, snapshots, previousLog } = await disk.open();
      return {
        previousLog,
        log: { load: () => log.load(), write: (ops) => timed(() => log.write(ops)), close: () => log.close() },
        state: {
          get: (key) => state.get(key),
          batch: (ops, options) => timed(() => state.batch(ops, options)),
          scan: (range, options) => state.scan(range, options),
          scanText: (range, options) => state.scanText(range, options),
          close: () => state.close(),
        },
        snapshots: {
          list: () => snapshots.list(),
          read: (snapshot) => snapshots.read(snapshot),
          delete: (snapshot) => timed(() => snapshots.delete(snapshot)),
          create: async (base) => {
            const writer = await snapshots.create(base);
            return {
              write: (bytes) => writer.write(bytes),
              finish: async () => (await Promise.all([writer.finish(), scheduler.run(() => false)]))[0],
              discard: () => writer.discard(),
            };
          },
        },
      };
    },
  };
}

logStoreConformance('the virtual disk of the simulator', async () => {
  const disk = newDisk();
  return { open: async () => (await disk.open()).log };
});

datastoreConformance('the virtual disk of the simulator', async () => (await newDisk().open()).state);

snapshotStoreConformance('the virtual disk of the simulator', async () => {
  const disk = newDisk();
  return { open: async () => (await disk.open()).snapshots };
});
