import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CrashFiles, Ended } from '../../../test/support/crash-files.ts';
import { SeededRandom } from '../../base/index.ts';
import { bootstrapOps, type LogImage, type LogOp } from '../../core/raft/index.ts';
import { rotateBackups } from './backups.ts';
import { createRaftFolder } from './index.ts';
import { openLogStore } from './log-store.ts';
import { beginAnew, readPreviousLog } from './previous-log.ts';
import { finishAdoption } from './replacement.ts';

const folder = '/cluster/raft';
const previous = { index: 8, term: 5, members: ['a', 'b'] };
const ops: readonly LogOp[] = [{ type: 'hard', state: { term: 5, votedFor: 'b' } }];

async function imageIn(path: string, files: CrashFiles): Promise<LogImage> {
  const log = await openLogStore(join(path, 'log'), { files });
  const image = await log.load();
  await log.close();
  return image;
}

/** A log with one entry. */
async function withData(seed: string): Promise<CrashFiles> {
  const files = new CrashFiles(new SeededRandom(seed));
  const log = await openLogStore(join(folder, 'log'), { files });
  await log.load();
  await log.write(bootstrapOps(['a']));
  await log.close();
  return files;
}

test('beginAnew: a crash at any act leaves the log that was there, or the new one with what is remembered', async () => {
  const begin = (files: CrashFiles): Promise<void> =>
    beginAnew(folder, ops, previous, () => rotateBackups(folder, 3, files), files);
  const whole = await withData('whole');
  const before = whole.trace.length;
  await begin(whole);
  const acts = whole.trace.length - before;
  assert.ok(acts > 10);
  const seen = new Set<string>();
  for (let at = 1; at <= acts + 1; at++) {
    for (const seed of ['x', 'y', 'z']) {
      const files = await withData(`${seed} ${at}`);
      files.restart();
      files.fateOf = (number) => (number < at ? undefined : 'end');
      const isDone = await begin(files).then(
        () => true,
        (error: unknown) => {
          // What the log throws has it as its cause.
          assert.ok(error instanceof Ended || (error instanceof Error && error.cause instanceof Ended), String(error));
          return false;
        },
      );
      files.crash();
      await finishAdoption(folder, () => rotateBackups(folder, 3, files), files);
      const remembered = await readPreviousLog(folder, files);
      const { hard, entries } = await imageIn(folder, files);
      seen.add(remembered === undefined ? 'old' : 'new');
      if (remembered === undefined) {
        assert.equal(isDone, false);
        assert.deepEqual([hard.term, entries.length], [1, 1], `ended at ${at}`);
        await begin(files);
      }
      assert.deepEqual(await readPreviousLog(folder, files), previous);
      assert.deepEqual(await imageIn(folder, files).then((image) => [image.hard, image.entries]), [
        { term: 5, votedFor: 'b' },
        [],
      ]);
      assert.equal((await imageIn(`${folder}.old.0`, files)).entries.length, 1, 'the backup is whole');
    }
  }
  assert.deepEqual([...seen], ['old', 'new']);
});

test('RaftFolder.beginAnew: the next opening tells what is remembered, until it is forgotten; damage is refused', async () => {
  const root = await mkdtemp(join(tmpdir(), 'previous-log-'));
  try {
    const raft = createRaftFolder(join(root, 'raft'), { backupsRotate: 2 });
    await mkdir(join(raft.path, 'log'), { recursive: true });
    const remembered = async (): Promise<unknown> => {
      const data = await raft.open();
      await data.state.close();
      return data.previousLog;
    };
    assert.equal(await remembered(), undefined);
    await raft.beginAnew(ops, undefined);
    assert.equal(await remembered(), undefined);
    await raft.beginAnew(ops, previous);
    assert.deepEqual(await remembered(), previous);
    const path = join(raft.path, 'previous-log.json');
    const text = await readFile(path, 'utf8');
    for (const wrong of [text.replace('8', '7'), text.slice(0, 20), '5', text.replace('"version":1', '"version":2')]) {
      await writeFile(path, wrong);
      await assert.rejects(raft.open(), { code: 'store/damaged', message: /previous-log\.json" is damaged: / });
    }
    await writeFile(path, text);
    await raft.forgetPreviousLog();
    assert.equal(await remembered(), undefined);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
