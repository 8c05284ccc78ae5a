/** A disk that is really full: a small file system of its own, which only root may make. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { utf8Decode, utf8Encode } from '../../src/base/index.ts';
import type { LogOp } from '../../src/core/raft/index.ts';
import { createRaftFolder, type RaftFolder } from '../../src/io/store/index.ts';
import { command } from '../conformance/log-store.ts';
import { baseAt, readSnapshot, writeSnapshot } from '../conformance/snapshot-store.ts';

const mountPoint = await mkdtemp(join(tmpdir(), 'full-disk-'));
const sizeBytes = 32 << 20;

function mounted(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', mountPoint], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isMounted = mounted();
const skip = isMounted ? false : 'a file system cannot be mounted here: a full disk is NOT tested';
after(async () => {
  if (isMounted) execFileSync('umount', ['-l', mountPoint]);
  await rm(mountPoint, { recursive: true, force: true });
});

let folder: RaftFolder;
let filler: string;
before(async () => {
  const place = join(mountPoint, 'peer');
  await mkdir(place);
  folder = createRaftFolder(join(place, 'raft'), { backupsRotate: 2 });
  filler = join(place, 'filler');
});

/** Takes all room but so much. */
async function fill(): Promise<void> {
  const piece = new Uint8Array(64 << 10);
  for (let i = 0; i < sizeBytes / piece.length; i++) {
    try {
      await writeFile(filler, piece, { flag: 'a' });
    } catch {
      return;
    }
  }
}

test('on a full disk every store says store/full, and with room again all that was acknowledged is there', {
  skip,
}, async () => {
  const { log, state, snapshots } = await folder.open();
  await log.load();
  await log.write([{ type: 'hard', state: { term: 1, votedFor: 'me' } }]);
  await writeSnapshot(snapshots, baseAt(1, 1));
  await state.batch([{ type: 'put', key: utf8Encode('a'), value: utf8Encode('1') }], { durable: true });
  await folder.probe();

  await fill();
  const full = { code: 'store/full' };
  await assert.rejects(folder.probe(), {
    ...full,
    message: /^Cannot write to ".*raft": ENOSPC: no space left on device/,
  });
  let last = 0;
  const next = (): LogOp[] => [
    { type: 'put', entries: [1, 2, 3].map((i) => command(last + i, 1, `${last + i}`.padEnd(9_000, '.'))) },
  ];
  const writeUntilFull = async (): Promise<never> => {
    for (;;) {
      await log.write(next());
      last += 3;
    }
  };
  let failure: unknown;
  await assert.rejects(writeUntilFull(), (error: Error) => {
    failure = error;
    return true;
  });
  assert.equal((failure as { code?: string }).code, 'store/full', String(failure));
  await assert.rejects(log.write(next()), (error) => error === failure, 'the failure is final');

  await assert.rejects(async () => {
    for (let i = 0; ; i++) {
      const value = new Uint8Array(100_000).fill(i);
      await state.batch([{ type: 'put', key: utf8Encode(`k${i}`), value }], { durable: true });
    }
  }, full);
  await assert.rejects(async () => {
    const writer = await snapshots.create(baseAt(2, 1));
    try {
      for (;;) await writer.write(new Uint8Array(100_000));
    } finally {
      await writer.discard();
    }
  }, full);
  assert.equal(snapshots.list().length, 1);
  await state.close();

  const other = createRaftFolder(join(mountPoint, 'peer', 'other'), { backupsRotate: 1 });
  await fill();
  await assert.rejects(other.open(), full);

  await rm(filler);
  await folder.probe();
  assert.deepEqual((await readdir(folder.path)).sort(), ['log', 'snapshots', 'state']);
  const again = await folder.open();
  const image = await again.log.load();
  assert.ok(image.entries.length === last || image.entries.length === last + 3, `${image.entries.length}, ${last}`);
  for (const entry of image.entries) {
    assert.deepEqual(entry, command(entry.index, 1, `${entry.index}`.padEnd(9_000, '.')));
  }
  last = image.entries.length;
  await again.log.write(next());
  assert.equal(utf8Decode(again.state.get(utf8Encode('a')) ?? new Uint8Array(0)), '1');
  const [snapshot] = again.snapshots.list();
  assert.ok(snapshot !== undefined);
  assert.deepEqual(await readSnapshot(again.snapshots, snapshot), utf8Encode('state 1'));
  await writeSnapshot(again.snapshots, baseAt(2, 1));
  await again.state.close();
});
