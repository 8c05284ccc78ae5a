import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockFolder, makeTemporaryFolder, peerFolder } from './index.ts';

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

test('what killed processes have left behind is removed at the next start, and nothing else', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'ipfs-cluster-leftovers-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  const kept = ['peerstore', 'peerstore.old.tmp', 'notes.tmp', 'service.json.0123456789.tmp', '0123456789ab.tmp'];
  const left = ['peerstore.0123456789ab.tmp', 'service.json.ffffffffffff.tmp', 'cordon.json.00000000000a.tmp'];
  for (const name of [...kept, ...left]) await writeFile(join(path, name), '');
  const ended = spawnSync(process.execPath, ['--version']).pid;
  const own = await makeTemporaryFolder('state');
  t.after(() => rm(own, { recursive: true, force: true }));
  const orphan = own.replace(/(?<=\.)[0-9]+-.*/, `${ended}-AbCd12`);
  await mkdir(orphan);
  await writeFile(join(orphan, 'CURRENT'), '');
  // An earlier process of the same number.
  const before = orphan.replace(`.${ended}-`, `.${process.pid}-`);
  await mkdir(before);
  // Of processes that are numbered elsewhere it is not known whether they run.
  const foreign = orphan.replace(/-[0-9]+\./, '-1.');
  await mkdir(foreign);
  t.after(() => rm(foreign, { recursive: true, force: true }));

  const lock = await lockFolder(peerFolder(path));
  const found = (await readdir(path)).sort();
  assert.deepEqual(found, [...kept, 'cluster.lock', 'lock'].sort());
  assert.deepEqual(await Promise.all([own, orphan, before, foreign].map(isThere)), [true, false, false, true]);
  await lock.release();
});
