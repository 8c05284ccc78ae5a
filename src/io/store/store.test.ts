import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { datastoreConformance } from '../../../test/conformance/datastore.ts';
import { logStoreConformance } from '../../../test/conformance/log-store.ts';
import { snapshotStoreConformance } from '../../../test/conformance/snapshot-store.ts';
import { collect } from '../../../test/support/collect.ts';
import { makeHistory } from '../../../test/support/log-history.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { SeededRandom, silentLogger, utf8Encode } from '../../base/index.ts';
import { createMemoryDatastore, openPinset } from '../../cluster/index.ts';
import { checkedDatastore } from './checked-datastore.ts';
import { type Files, systemFiles } from './files.ts';
import { createRaftFolder, openDatastore } from './index.ts';
import { openLogStore } from './log-store.ts';
import { openSnapshotStore } from './snapshot-store.ts';

const root = await mkdtemp(join(tmpdir(), 'store-test-'));
after(() => rm(root, { recursive: true, force: true }));
const newFolder = (): string => join(root, randomUUID());

datastoreConformance('LevelDB', () => openDatastore(newFolder()));
datastoreConformance('LevelDB with checksums', async () => checkedDatastore(await openDatastore(newFolder()), 'x'));
logStoreConformance('segments', async () => {
  const folder = newFolder();
  return { open: () => openLogStore(folder) };
});
logStoreConformance('segments of one write each', async () => {
  const folder = newFolder();
  return { open: () => openLogStore(folder, { segmentBytes: 1 }) };
});
snapshotStoreConformance('folders', async () => {
  const folder = newFolder();
  const deps = { files: systemFiles, logger: silentLogger, wallMs: () => 1_700_000_000_000 };
  return { open: () => openSnapshotStore(folder, { snapshotsRetained: 5 }, deps) };
});

test('a checked datastore gives out no value that has changed, or stands under another key, in one line', async () => {
  const inner = createMemoryDatastore();
  const store = checkedDatastore(inner, '/raft/state');
  const [a, b] = [utf8Encode('/r/A'), utf8Encode('/r/B')];
  await store.batch([{ type: 'put', key: a, value: utf8Encode('pin') }], { durable: true });
  const stored = inner.get(a) ?? new Uint8Array(0);
  assert.equal(stored.length, 7);
  const changes = Array.from(stored, (_, at) => stored.map((byte, i) => (i === at ? byte ^ 1 : byte)));
  for (const [key, value] of [...changes, stored.subarray(0, 3), new Uint8Array(0)].map(
    (value) => [a, value] as const,
  )) {
    await inner.batch([{ type: 'put', key, value }], { durable: true });
    assert.throws(() => store.get(key), {
      code: 'store/damaged',
      message:
        /^The state in "\/raft\/state" is damaged, or of an early version .*: the value of "\/r\/A" does not match its checksum; restore/,
    });
    await assert.rejects(collect(store.scan({ start: a, end: b })), { code: 'store/damaged' });
    await assert.rejects(collect(store.scanText({ start: a, end: b })), { code: 'store/damaged' });
  }
  await inner.batch([{ type: 'put', key: b, value: stored }], { durable: true });
  assert.throws(() => store.get(b), { code: 'store/damaged' });
  const [page = []] = await collect(store.scan({ start: a, end: utf8Encode('/r/C') }, { keysOnly: true }));
  assert.deepEqual(
    page.map(([key]) => key),
    [a, b],
  );
});

test('a state with a damaged pin is replaced by a snapshot, again and again, and then has no damage', async () => {
  const deps = { log: silentLogger, observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} } };
  const source = openPinset(createMemoryDatastore(), deps);
  await source.apply([{ type: 'pin', pin: pinOf(cidNumber(2)) }], 5);
  const bytes = await collect((await source.snapshot()).chunks);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield* bytes;
  }
  const inner = createMemoryDatastore();
  const pinset = openPinset(checkedDatastore(inner, '/raft/state'), deps);
  await pinset.apply([{ type: 'pin', pin: pinOf(cidNumber(1)) }], 1);
  const [[[key, value] = []] = []] = await collect(inner.scan({ start: utf8Encode('/r/'), end: utf8Encode('/s') }));
  assert.ok(key !== undefined && value !== undefined);
  const rotten = value.map((byte, at) => (at === 7 ? byte ^ 1 : byte));
  await inner.batch([{ type: 'put', key, value: rotten }], { durable: true });
  await assert.rejects(collect(pinset.pages()), { code: 'store/damaged' });
  for (const applied of [6, 7, 8]) await pinset.restore(chunks(), { applied, tag: new Uint8Array([1]) });
  const pins = (await collect(pinset.pages())).flat();
  assert.deepEqual([pins.length, pinset.count(), pinset.has(cidNumber(2))], [1, 1, true]);
});

test('openDatastore refuses a folder that another instance holds, in one line', async () => {
  const folder = newFolder();
  const first = await openDatastore(folder);
  const refusal = { code: 'store/locked', message: `Cannot open "${folder}": another instance is running` };
  await assert.rejects(openDatastore(folder), refusal);
  await first.close();
  await (await openDatastore(folder)).close();
});

test('openDatastore names the folder when it cannot be made', async () => {
  const file = newFolder();
  await writeFile(file, 'not a folder');
  await assert.rejects(openDatastore(join(file, 'x')), { code: 'store/io', message: /^Cannot open ".*": .*ENOTDIR/ });
});

test('a durable batch syncs the logs that LevelDB has begun before, the folder before and after it, and one that is gone is no failure', async () => {
  const folder = newFolder();
  const acts: string[] = [];
  const files: Files = {
    ...systemFiles,
    list: async (path) => [...(await systemFiles.list(path)), '999998.log'],
    open: async (path, mode) => {
      const file = await systemFiles.open(path, mode);
      return {
        size: () => file.size(),
        read: (position, length) => file.read(position, length),
        write: (chunks, position) => file.write(chunks, position),
        sync: async () => {
          await file.sync();
          acts.push(basename(path));
        },
        close: () => file.close(),
      };
    },
    syncFolder: async (path) => {
      await systemFiles.syncFolder(path);
      acts.push(path === folder ? 'folder' : path);
    },
  };
  const store = await openDatastore(folder, files);
  const batch = (durable: boolean): Promise<void> =>
    store.batch([{ type: 'put', key: utf8Encode('a'), value: utf8Encode(String(durable)) }], { durable });
  await batch(false);
  assert.deepEqual(acts, []);
  // LevelDB's own log, and one as it would leave it behind while it makes a table of it.
  const [own] = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  await writeFile(join(folder, '999997.log'), '');
  await batch(true);
  assert.deepEqual(acts.slice(0, 2).sort(), [String(own), '999997.log'].sort());
  assert.deepEqual(acts.slice(2), ['folder', 'folder']);
  await store.close();

  const failing = { ...files, open: () => Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })) };
  const second = await openDatastore(newFolder(), failing);
  await assert.rejects(second.batch([], { durable: true }), {
    code: 'store/io',
    message: /^Cannot write to ".*": EIO/,
    outcome: 'unknown',
  });
  await second.close();
});

test('RaftFolder.moveAway keeps the newest backups under ascending numbers', async () => {
  const parent = newFolder();
  const path = join(parent, 'raft');
  const folder = createRaftFolder(path, { backupsRotate: 3 });
  await mkdir(parent);
  await folder.moveAway();
  assert.deepEqual(await readdir(parent), []);
  for (let generation = 0; generation < 5; generation++) {
    await mkdir(path);
    await writeFile(join(path, 'generation'), String(generation));
    await folder.moveAway();
  }
  assert.deepEqual((await readdir(parent)).sort(), ['raft.old.0', 'raft.old.1', 'raft.old.2']);
  for (const [number, generation] of [4, 3, 2].entries()) {
    assert.equal(await readFile(join(`${path}.old.${number}`, 'generation'), 'utf8'), String(generation));
  }
});

test('a log on this disk holds a random history, opened again and again', async () => {
  for (const seed of ['a', 'b', 'c']) {
    const { writes, images } = makeHistory(new SeededRandom(seed), 200);
    const folder = newFolder();
    const random = new SeededRandom(`reopen ${seed}`);
    let store = await openLogStore(folder, { segmentBytes: 2000 });
    for (const [i, ops] of writes.entries()) {
      if (i === 0 || random.integer(10) === 0) {
        await store.close();
        store = await openLogStore(folder, { segmentBytes: 2000 });
        assert.deepEqual(await store.load(), images[i], `seed ${seed}, after ${i} writes`);
      }
      await store.write(ops);
    }
    assert.deepEqual(await store.load(), images.at(-1), `seed ${seed}`);
    await store.close();
  }
});

test('RaftFolder.probe leaves nothing behind, and says what is wrong with the place', async () => {
  const path = newFolder();
  const folder = createRaftFolder(path, { backupsRotate: 1 });
  await folder.probe();
  assert.deepEqual(await readdir(path), []);
  await writeFile(join(path, 'probe.tmp'), 'of a process that was killed');
  await (await folder.open()).state.close();
  assert.ok(!existsSync(join(path, 'probe.tmp')));
  const file = newFolder();
  await writeFile(file, 'not a folder');
  const elsewhere = join(file, 'raft');
  await assert.rejects(createRaftFolder(elsewhere, { backupsRotate: 1 }).probe(), {
    code: 'store/io',
    message: new RegExp(`^Cannot write to "${elsewhere}": ENOTDIR`),
  });
});

test('RaftFolder is free for the next one when its state is closed, and the log is closed by then', async () => {
  const path = newFolder();
  const folder = createRaftFolder(path, { backupsRotate: 1 });
  const first = await folder.open();
  await first.log.load();
  await first.log.write([{ type: 'hard', state: { term: 1, votedFor: 'me' } }]);
  await first.log.close();
  await assert.rejects(folder.open(), { code: 'store/locked' });
  await first.state.close();
  const second = await folder.open();
  assert.equal((await second.log.load()).hard.votedFor, 'me');
  await second.log.write([{ type: 'hard', state: { term: 2, votedFor: 'you' } }]);
  await second.state.close();
  await assert.rejects(second.log.write([]), { code: 'base/assertion' });
  const third = await folder.open();
  assert.equal((await third.log.load()).hard.votedFor, 'you');
  await Promise.all([third.log.close(), third.state.close()]);
});

test('RaftFolder.open makes what is missing, private to the user, and refuses data of the Go program', async () => {
  const path = newFolder();
  const folder = createRaftFolder(path, { backupsRotate: 1 });
  const data = await folder.open();
  await assert.rejects(folder.open(), { code: 'store/locked' });
  await Promise.all([data.log.close(), data.state.close()]);
  assert.deepEqual((await readdir(path)).sort(), ['log', 'snapshots', 'state']);
  await folder.moveAway();
  assert.equal(existsSync(path), false);
  await mkdir(path);
  await writeFile(join(path, 'raft.db'), '');
  await assert.rejects(folder.open(), { code: 'store/foreign', message: /holds raft.db of the Go program/ });
});
