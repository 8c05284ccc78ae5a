import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { contentDirectory, packageFolder } from './stage.ts';

test('packageFolder: by the file itself, and by the link that npm makes for it', async (t) => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'stage-')));
  t.after(() => rm(folder, { recursive: true }));
  const root = join(folder, 'node_modules', 'ipfs-cluster');
  const program = join(root, 'bin', 'ipfs-cluster-service.cjs');
  const link = join(folder, 'node_modules', '.bin', 'ipfs-cluster-service');
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(folder, 'node_modules', '.bin'));
  await writeFile(program, '');
  await symlink(program, link);
  for (const started of [program, link]) assert.equal(packageFolder([started]), root);
  assert.equal(contentDirectory([link]), join(root, 'dist'));
  await mkdir(join(root, 'src'));
  assert.equal(contentDirectory([link]), join(root, 'src'));
});
