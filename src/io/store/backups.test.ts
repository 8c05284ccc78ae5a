import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CrashFiles, Ended } from '../../../test/support/crash-files.ts';
import { SeededRandom, utf8Decode, utf8Encode } from '../../base/index.ts';
import { rotateBackups } from './backups.ts';

const parent = '/cluster';
const folder = '/cluster/raft';

async function make(files: CrashFiles, generation: number): Promise<void> {
  await files.makeFolder(folder);
  files.replace(join(folder, 'generation'), utf8Encode(String(generation)));
}

/** What is in the folder and its backups, whole or not. */
async function generations(files: CrashFiles): Promise<Record<string, number | 'nothing'>> {
  const found: Record<string, number | 'nothing'> = {};
  for (const name of (await files.list(parent)).toSorted()) {
    const hasContent = (await files.list(join(parent, name))).includes('generation');
    found[name] = hasContent ? Number(utf8Decode(files.bytesOf(join(parent, name, 'generation')))) : 'nothing';
  }
  return found;
}

/** Backups of generations 7, 6, 5 and the folder itself with 8. */
async function fourGenerations(seed: string): Promise<CrashFiles> {
  const files = new CrashFiles(new SeededRandom(seed));
  for (let generation = 1; generation <= 7; generation++) {
    await make(files, generation);
    await rotateBackups(folder, 3, files);
  }
  await make(files, 8);
  return files;
}

test('rotateBackups keeps the newest under ascending numbers', async () => {
  const files = await fourGenerations('plain');
  assert.deepEqual(await generations(files), { raft: 8, 'raft.old.0': 7, 'raft.old.1': 6, 'raft.old.2': 5 });
  await rotateBackups(folder, 3, files);
  assert.deepEqual(await generations(files), { 'raft.old.0': 8, 'raft.old.1': 7, 'raft.old.2': 6 });
  await rotateBackups(folder, 3, files);
  assert.deepEqual(await generations(files), { 'raft.old.0': 8, 'raft.old.1': 7, 'raft.old.2': 6 });
  await make(files, 9);
  await rotateBackups(folder, 1, files);
  assert.deepEqual(await generations(files), { 'raft.old.0': 9 }, 'fewer are wanted than there were');
});

test('rotateBackups does not touch the siblings of other names', async () => {
  const files = await fourGenerations('names');
  for (const name of ['raft.old.01', 'raft.old.x', 'raft.older.0', 'draft.old.1'])
    await files.makeFolder(join(parent, name));
  await rotateBackups(folder, 1, files);
  assert.deepEqual(Object.keys(await generations(files)), [
    'draft.old.1',
    'raft.old.0',
    'raft.old.01',
    'raft.old.x',
    'raft.older.0',
  ]);
});

test('rotateBackups loses nothing that is to be kept when it ends at any act, and is done when it is tried again', async () => {
  const whole = await fourGenerations('acts');
  const before = whole.trace.length;
  await rotateBackups(folder, 3, whole);
  const acts = whole.trace.length - before;
  assert.ok(acts >= 8);
  for (let first = 1; first <= acts; first++) {
    for (let second = 1; second <= acts; second++) {
      const files = await fourGenerations(`${first} ${second}`);
      files.restart();
      for (const end of [first, second]) {
        files.fateOf = (number) => (number < end ? undefined : 'end');
        await rotateBackups(folder, 3, files).catch((error: unknown) => assert.ok(error instanceof Ended));
        files.crash();
        const { raft, ...backups } = await generations(files);
        const kept = Object.entries(backups).filter(([name]) => /\.\d$/.test(name));
        const found = [...(raft === undefined ? [] : [raft]), ...kept.map(([, generation]) => generation)];
        assert.ok(!found.includes('nothing'), 'a backup is whole or gone');
        assert.deepEqual(
          found.slice(0, 3),
          [8, 7, 6],
          `ended at ${first} and ${second}: ${JSON.stringify({ raft, ...backups })}`,
        );
      }
      await rotateBackups(folder, 3, files);
      assert.deepEqual(await generations(files), { 'raft.old.0': 8, 'raft.old.1': 7, 'raft.old.2': 6 });
    }
  }
});
