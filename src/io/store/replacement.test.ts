import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { rotateBackups } from './backups.ts';
import { type Files, systemFiles } from './files.ts';
import { createRaftFolder } from './index.ts';
import { adoptStage, finishAdoption } from './replacement.ts';

const root = await mkdtemp(join(tmpdir(), 'replacement-'));
after(() => rm(root, { recursive: true, force: true }));

/** The process dies before the act of this number. */
function dyingFiles(actsLeft: number): Files {
  let left = actsLeft;
  const alive = (): void => {
    if (left-- <= 0) throw new Error('dead');
  };
  return {
    ...systemFiles,
    rename: async (from, to) => {
      alive();
      await systemFiles.rename(from, to);
    },
    remove: async (path) => {
      alive();
      await systemFiles.remove(path);
    },
    syncFolder: async (path) => {
      alive();
      await systemFiles.syncFolder(path);
    },
  };
}

async function fill(folder: string, content: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'content'), content);
}

const contentOf = (folder: string): Promise<string> => readFile(join(folder, 'content'), 'utf8');

test('a crash at any act of a replacement leaves the old data or the new, and the next use finishes it', async () => {
  for (const hasOld of [true, false]) {
    const seen = new Set<string>();
    for (let acts = 0; acts < 9; acts++) {
      const parent = join(root, `${hasOld} ${acts}`);
      const folder = join(parent, 'raft');
      if (hasOld) await fill(folder, 'old');
      await fill(`${folder}.old.0`, 'older');
      await fill(`${folder}.import`, 'new');
      const files = dyingFiles(acts);
      const isDone = await adoptStage(folder, () => rotateBackups(folder, 6, files), files).then(
        () => true,
        () => false,
      );
      await finishAdoption(folder, () => rotateBackups(folder, 6, systemFiles), systemFiles);
      const names = await readdir(parent);
      const content = names.includes('raft') ? await contentOf(folder) : 'none';
      seen.add(content);
      if (isDone) assert.equal(content, 'new');
      if (content === 'new') {
        assert.equal(await contentOf(`${folder}.old.${hasOld ? 1 : 0}`), 'older');
        if (hasOld) assert.equal(await contentOf(`${folder}.old.0`), 'old');
        assert.deepEqual(
          names.filter((name) => /next|import/.test(name)),
          [],
        );
      } else {
        assert.equal(content, hasOld ? 'old' : 'none');
        assert.equal(isDone, false);
      }
    }
    assert.deepEqual([...seen], [hasOld ? 'old' : 'none', 'new']);
  }
});

test('RaftFolder.stage is empty, and its data takes the place of the folder when it is adopted', async () => {
  const folder = createRaftFolder(join(root, 'whole', 'raft'), { backupsRotate: 2 });
  await fill(`${folder.path}.import/rest`, 'of an attempt before');
  const stage = await folder.stage();
  assert.equal(await folder.hasData(), false);
  assert.deepEqual(await readdir(join(root, 'whole')), []);
  const { state } = await stage.open();
  await state.batch([{ type: 'put', key: Uint8Array.of(1), value: Uint8Array.of(2) }], { durable: true });
  await state.close();
  // As after a crash in the middle.
  await cp(stage.path, `${folder.path}.next`, { recursive: true });
  assert.equal(await folder.hasData(), true);
  const data = await folder.open();
  assert.deepEqual([...(data.state.get(Uint8Array.of(1)) ?? [])], [2]);
  await data.state.close();
  await folder.adopt();
  assert.deepEqual((await readdir(join(root, 'whole'))).sort(), ['raft', 'raft.old.0']);
});
