import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { datastoreConformance } from '../../../test/conformance/datastore.ts';
import { logStoreConformance } from '../../../test/conformance/log-store.ts';
import { snapshotStoreConformance } from '../../../test/conformance/snapshot-store.ts';
import { silentLogger } from '../../base/index.ts';
import { systemFiles } from './files.ts';
import { createRaftFolder, openDatastore } from './index.ts';
import { openLogStore } from './log-store.ts';
import { openSnapshotStore } from './snapshot-store.ts';

const root = await mkdtemp(join(tmpdir(), 'store-test-'));
after(() => rm(root, { recursive: true, force: true }));
const newFolder = (): string => join(root, randomUUID());

datastoreConformance('LevelDB', () => openDatastore(newFolder()));
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
