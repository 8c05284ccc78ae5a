/**
 * A power cut and the state: pages of LevelDB's write-ahead logs that nobody has synced are gone, the last ones or any others.
 * LevelDB passes over such a hole in silence and goes on behind it.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { SeededRandom, silentLogger } from '../../src/base/index.ts';
import { createMemoryDatastore, openPinset, type PinsetState } from '../../src/cluster/index.ts';
import { systemFiles } from '../../src/io/store/files.ts';
import { openDatastore } from '../../src/io/store/index.ts';
import type { RaftCommand } from '../../src/model/index.ts';
import { contentOf, pin, unpin } from '../conformance/pinset.ts';
import { cidNumber, pinOf } from '../support/pins.ts';
import { peerIds, RaftCluster } from '../support/raft-cluster.ts';

const root = await mkdtemp(join(tmpdir(), 'lost-pages-'));
after(() => rm(root, { recursive: true, force: true }));
const deps = { log: silentLogger, observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} } };
const pageBytes = 4096;

/** Sizes of write-ahead logs, by name, as far as they are on disk for sure. */
type Synced = Map<string, number>;

const isLog = (name: string): boolean => name.endsWith('.log');
const sizeOf = async (path: string): Promise<number> => (await stat(path)).size;

/** A store of which it is known what LevelDB and `openDatastore` have synced. */
async function openWatched(folder: string, synced: Synced): ReturnType<typeof openDatastore> {
  const store = await openDatastore(folder, {
    ...systemFiles,
    open: async (path, mode) => {
      const file = await systemFiles.open(path, mode);
      return {
        size: () => file.size(),
        read: (position, length) => file.read(position, length),
        write: (chunks, position) => file.write(chunks, position),
        sync: async () => {
          await file.sync();
          synced.set(basename(path), await file.size());
        },
        close: () => file.close(),
      };
    },
  });
  return {
    get: (key) => store.get(key),
    scan: (range, options) => store.scan(range, options),
    scanText: (range, options) => store.scanText(range, options),
    close: () => store.close(),
    batch: async (ops, options) => {
      await store.batch(ops, options);
      // LevelDB syncs the log that it writes to.
      const newest = (await readdir(folder)).filter(isLog).sort().at(-1);
      if (options.durable && newest !== undefined) synced.set(newest, await sizeOf(join(folder, newest)));
    },
  };
}

/** Of what was not synced each page is kept or not, and at times a log is cut off within it. */
async function cutPower(folder: string, synced: Synced, random: SeededRandom): Promise<void> {
  for (const name of (await readdir(folder)).filter(isLog)) {
    const path = join(folder, name);
    const bytes = await readFile(path);
    const from = synced.get(name) ?? 0;
    const percent = [10, 50, 90][random.integer(3)] ?? 50;
    for (let at = from; at < bytes.length; ) {
      const end = Math.min((Math.floor(at / pageBytes) + 1) * pageBytes, bytes.length);
      if (random.integer(100) < percent) bytes.fill(0, at, end);
      at = end;
    }
    const length = random.integer(3) === 0 ? from + random.integer(bytes.length - from + 1) : bytes.length;
    await writeFile(path, bytes.subarray(0, length));
  }
}

test('a pinset over LevelDB has lost nothing when the log was replayed, whichever pages are gone', async () => {
  const random = new SeededRandom(`lost pages ${process.env.SEED ?? 1}`);
  let holes = 0;
  let logs = 0;
  for (let round = 0; round < 18; round++) {
    const folder = join(root, String(round));
    const synced: Synced = new Map();
    let store = await openWatched(folder, synced);
    let state = openPinset(store, deps);
    const log: RaftCommand[] = [];
    // In every third round so much that LevelDB begins new logs.
    const nameBytes = round % 3 === 0 ? 60_000 : 300;
    for (let batch = 0; batch < 60; batch++) {
      const commands = Array.from({ length: 1 + random.integer(5) }, () => {
        const n = random.integer(80);
        return random.integer(4) === 0 ? unpin(n) : pin(n, `${batch} `.repeat(random.integer(nameBytes / 2)));
      });
      log.push(...commands);
      await state.apply(commands, log.length);
      if (random.integer(25) === 0) await state.sync();
    }
    const before = state.synced;
    await store.close();
    logs += (await readdir(folder)).filter(isLog).length;
    await cutPower(folder, synced, random);

    store = await openDatastore(folder);
    state = openPinset(store, deps);
    assert.equal(state.synced, before, `seed ${random.seed}, round ${round}: what was synced is there`);
    const expected = openPinset(createMemoryDatastore(), deps);
    if (state.applied > 0) await expected.apply(log.slice(0, state.applied), state.applied);
    holes += Number((await pinsOf(state)) !== (await pinsOf(expected)));
    if (state.synced < state.applied) await state.replay(log.slice(state.synced, state.applied));
    assert.deepEqual(await contentOf(state), await contentOf(expected), `seed ${random.seed}, round ${round}`);
    await store.close();
  }
  assert.ok(holes >= 1, `${holes} of the states had lost something before what they had kept`);
  assert.ok(logs >= 18);
});

async function pinsOf(state: PinsetState): Promise<string> {
  const names: string[] = [];
  for await (const pins of state.pages()) names.push(...pins.map(({ cid, name }) => `${cid} ${name}`));
  return names.join();
}

test('a peer has every pin that it acknowledged after a power cut that kept later pages of its state, and not an earlier one', async () => {
  const [id = ''] = peerIds(1);
  const cluster = await RaftCluster.make();
  const peer = await cluster.start(id);
  await cluster.leader();
  const count = 1500;
  for (let n = 0; n < count; n += 50) {
    const pins = Array.from({ length: 50 }, (_, i) => peer.consensus.logPin(pinOf(cidNumber(n + i))));
    await cluster.until(Promise.all(pins));
  }
  // As it is at this moment, without what a proper end would sync.
  const folder = join(root, 'peer');
  await cp(cluster.folder, folder, { recursive: true });
  await cluster.end();
  const state = join(folder, id, 'raft', 'state');
  const [name = ''] = (await readdir(state)).filter(isLog);
  const bytes = await readFile(join(state, name));
  assert.ok(bytes.length > 30 * pageBytes);
  await writeFile(join(state, name), bytes.fill(0, 16 * pageBytes, 17 * pageBytes));

  const again = await RaftCluster.make({ folder });
  const { consensus } = await again.start(id);
  const missing = Array.from({ length: count }, (_, n) => n).filter((n) => !consensus.pinset().has(cidNumber(n)));
  assert.deepEqual([missing, consensus.pinset().count()], [[], count]);
  await again.end();
});
