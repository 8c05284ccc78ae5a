import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ClassicLevel } from 'classic-level';
import { datastoreConformance } from '../../../test/conformance/datastore.ts';
import { command, logStoreConformance } from '../../../test/conformance/log-store.ts';
import { createRaftFolder, openDatastore, openLogStore } from './index.ts';

const root = await mkdtemp(join(tmpdir(), 'store-test-'));
after(() => rm(root, { recursive: true, force: true }));
const newFolder = (): string => join(root, randomUUID());

datastoreConformance('LevelDB', () => openDatastore(newFolder()));
logStoreConformance('LevelDB', async () => {
  const folder = newFolder();
  return { open: () => openLogStore(folder) };
});

test('openDatastore and openLogStore refuse a folder that another instance holds, in one line', async () => {
  const folder = newFolder();
  const first = await openDatastore(folder);
  const refusal = { code: 'store/locked', message: `Cannot open "${folder}": another instance is running` };
  await assert.rejects(openDatastore(folder), refusal);
  await assert.rejects(openLogStore(folder), refusal);
  await first.close();
  await (await openDatastore(folder)).close();
});

test('openDatastore names the folder when it cannot be made', async () => {
  const file = newFolder();
  await writeFile(file, 'not a folder');
  await assert.rejects(openDatastore(join(file, 'x')), { code: 'store/io', message: /^Cannot open ".*": .*ENOTDIR/ });
});

/** A log of five entries whose records the body may change, then loaded. */
async function loadDamaged(damage: (level: ClassicLevel<Uint8Array, Uint8Array>) => Promise<void>): Promise<unknown> {
  const folder = newFolder();
  const store = await openLogStore(folder);
  await store.load();
  await store.write([
    { type: 'hard', state: { term: 2, votedFor: 'me' } },
    { type: 'put', entries: [1, 2, 3, 4, 5].map((index) => command(index, 2)) },
  ]);
  await store.close();
  const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' });
  await level.open();
  await damage(level);
  await level.close();
  const again = await openLogStore(folder);
  try {
    return await again.load();
  } finally {
    await again.close();
  }
}

const keyOf = (index: number): Uint8Array => new Uint8Array([0x65, 0, 0, 0, 0, 0, 0, 0, index]);

for (const { title, damage, expected } of [
  {
    title: 'a gap',
    damage: { del: [3] },
    expected: /is damaged: entry 3 is missing, found 4 in its place; .*--bootstrap/,
  },
  { title: 'a missing start', damage: { del: [1, 2] }, expected: /entry 1 is missing, found 3 in its place/ },
  { title: 'a flipped bit', damage: { flip: 4 }, expected: /entry 4 is unreadable: its checksum does not match/ },
  { title: 'a short record', damage: { cut: 2 }, expected: /entry 2 is unreadable: the record has 6 bytes only/ },
  { title: 'an entry under the wrong key', damage: { copy: [1, 5] }, expected: /entry 5 holds entry 1/ },
  {
    title: 'a lost hard state',
    damage: { hard: undefined },
    expected: /entry 5 has term 2, later than the saved term 0/,
  },
  {
    title: 'a damaged hard state',
    damage: { hard: new Uint8Array(20) },
    expected: /term and vote are unreadable: record format 0/,
  },
] as const) {
  test(`LogStore.load refuses ${title}, naming the folder and the index`, async () => {
    const loading = loadDamaged(async (level) => {
      const at = (index: number): Uint8Array => level.getSync(keyOf(index)) ?? new Uint8Array(0);
      if ('del' in damage) for (const index of damage.del) await level.del(keyOf(index));
      else if ('cut' in damage) await level.put(keyOf(damage.cut), at(damage.cut).subarray(0, 6));
      else if ('copy' in damage) await level.put(keyOf(damage.copy[1]), at(damage.copy[0]));
      else if ('flip' in damage) {
        const record = at(damage.flip);
        record[record.length - 1] = (record[record.length - 1] ?? 0) ^ 1;
        await level.put(keyOf(damage.flip), record);
      } else if (damage.hard === undefined) await level.del(new Uint8Array([0x68]));
      else await level.put(new Uint8Array([0x68]), damage.hard);
    });
    await assert.rejects(loading, (error: Error & { code: string }) => {
      assert.equal(error.code, 'store/damaged');
      assert.match(error.message, /^The raft log in "\/.*" is damaged: /);
      assert.match(error.message, expected);
      return true;
    });
  });
}

test('openLogStore refuses damaged LevelDB files in one line', async () => {
  const folder = newFolder();
  const store = await openLogStore(folder);
  await store.load();
  await store.write([{ type: 'hard', state: { term: 2, votedFor: 'me' } }]);
  await store.close();
  for (const name of await readdir(folder)) {
    if (name.startsWith('MANIFEST')) await writeFile(join(folder, name), 'junk'.repeat(10));
  }
  await assert.rejects(openLogStore(folder), {
    code: 'store/damaged',
    message: /^Cannot open "[^\n]+"[^\n]+damaged[^\n]+$/,
  });
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

test('RaftFolder.open makes both databases, private to the user, and refuses data of the Go program', async () => {
  const path = newFolder();
  const folder = createRaftFolder(path, { backupsRotate: 1 });
  const data = await folder.open();
  await assert.rejects(folder.open(), { code: 'store/locked' });
  await Promise.all([data.log.close(), data.state.close()]);
  assert.deepEqual((await readdir(path)).sort(), ['log', 'state']);
  await folder.moveAway();
  assert.equal(existsSync(path), false);
  await mkdir(path);
  await writeFile(join(path, 'raft.db'), '');
  await assert.rejects(folder.open(), { code: 'store/foreign', message: /holds raft.db of the Go program/ });
});
