/** Snapshots on a file system that fails and forgets. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  baseAt,
  readSnapshot,
  snapshotStoreConformance,
  writeSnapshot,
} from '../../../test/conformance/snapshot-store.ts';
import { CrashFiles, Ended } from '../../../test/support/crash-files.ts';
import { errorCode, type Logger, SeededRandom, silentLogger, utf8Encode } from '../../base/index.ts';
import type { SnapshotStore } from '../../core/raft/index.ts';
import { openSnapshotStore } from './snapshot-store.ts';

const folder = '/raft/snapshots';
const snapshotsRetained = 2;

snapshotStoreConformance('folders in memory', async () => {
  const files = new CrashFiles(new SeededRandom('conformance'));
  return { open: () => openSnapshotStore(folder, { snapshotsRetained: 5 }, depsOn(files)) };
});

function depsOn(files: CrashFiles, warnings: string[] = []) {
  const logger: Logger = { ...silentLogger, warn: (message, fields) => warnings.push(`${message}: ${fields?.error}`) };
  return { files, logger, wallMs: () => 1000 };
}

function open(files: CrashFiles, warnings: string[] = []): Promise<SnapshotStore> {
  return openSnapshotStore(folder, { snapshotsRetained }, depsOn(files, warnings));
}

const bytesAt = (index: number): Uint8Array => utf8Encode(`state as of ${index} `.repeat(index));

/** Writes snapshots 1 to 6, the fifth of which is discarded. @returns the index of the last that was finished. */
async function live(store: SnapshotStore, from: number): Promise<number> {
  let finished = from;
  try {
    for (let index = from + 1; index <= 6; index++) {
      const writer = await store.create(baseAt(index, 1));
      try {
        for (const chunk of [bytesAt(index).subarray(0, 5), bytesAt(index).subarray(5)]) await writer.write(chunk);
        if (index !== 5) {
          await writer.finish();
          finished = index;
          continue;
        }
      } catch (error) {
        await writer.discard();
        throw error;
      }
      await writer.discard();
    }
  } catch (error) {
    if (!isFault(error)) throw error;
  }
  return finished;
}

function isFault(error: unknown): boolean {
  return error instanceof Ended || /^store\/(full|io)$/.test(errorCode(error));
}

async function assertWhole(store: SnapshotStore, finished: number, hint: string): Promise<void> {
  const indexes = store.list().map(({ base }) => base.index);
  assert.ok(finished === 0 || (indexes[0] ?? 0) >= finished, `${hint}: ${indexes} has what was finished, ${finished}`);
  for (const snapshot of store.list()) {
    assert.deepEqual(snapshot.base, baseAt(snapshot.base.index, 1), hint);
    assert.deepEqual(await readSnapshot(store, snapshot), bytesAt(snapshot.base.index), hint);
  }
}

for (const how of ['crash', 'kill', 'ENOSPC', 'EIO'] as const) {
  test(`SnapshotStore after ${how} at every act holds whole snapshots, the newest that was finished, and no rest`, async () => {
    const whole = new CrashFiles(new SeededRandom('whole'));
    assert.equal(await live(await open(whole), 0), 6);
    for (let at = 1; at <= whole.trace.length; at++) {
      const random = new SeededRandom(`${how} ${at}`);
      const files = new CrashFiles(random);
      const hint = `${how} at act ${at}`;
      let finished = 0;
      for (const end of [at, 1 + random.integer(20), Number.POSITIVE_INFINITY]) {
        files.fateOf = (number) =>
          number < end ? undefined : how === 'crash' || how === 'kill' ? 'end' : { code: how };
        const warnings: string[] = [];
        try {
          const store = await open(files, warnings);
          await assertWhole(store, finished, hint);
          assert.ok(store.list().length <= snapshotsRetained);
          finished = await live(store, Math.max(finished, store.list()[0]?.base.index ?? 0));
        } catch (error) {
          if (!isFault(error)) throw error;
        }
        assert.ok(!warnings.join().includes('cannot be read'), `${hint}: ${warnings}`);
        if (how === 'crash' || random.integer(2) === 0) files.crash();
        else files.restart();
      }
      assert.equal(finished, 6, hint);
      await assertWhole(await open(files), finished, hint);
      assert.deepEqual((await files.list(folder)).toSorted(), ['1-4-1000', '1-6-1000'], hint);
    }
  });
}

test('SnapshotStore goes on after a full disk: what was discarded leaves room for the next', async () => {
  const files = new CrashFiles(new SeededRandom('full'));
  const store = await open(files);
  const writer = await store.create(baseAt(1, 1));
  files.fateOf = () => ({ code: 'ENOSPC' });
  await assert.rejects(writer.write(bytesAt(1)), {
    code: 'store/full',
    message: /^Cannot write the snapshot of entry 1: ENOSPC/,
  });
  await assert.rejects(writer.finish(), { code: 'base/assertion' });
  files.fateOf = () => undefined;
  await writer.discard();
  assert.deepEqual(await files.list(folder), []);
  files.fateOf = (_, act) => (act.startsWith('create') ? { code: 'ENOSPC' } : undefined);
  await assert.rejects(store.create(baseAt(1, 1)), {
    code: 'store/full',
    message: /^Cannot write a snapshot in ".*": ENOSPC/,
  });
  assert.deepEqual(await files.list(folder), []);
  files.fateOf = () => undefined;
  await writeSnapshot(store, baseAt(1, 1));
});

test('SnapshotStore begins no snapshot that the disk has no room for beside what log and state need', async () => {
  const files = new CrashFiles(new SeededRandom('room'));
  const store = await open(files);
  const reserved = 20 << 20;
  files.free = reserved + 999;
  await assert.rejects(store.create(baseAt(1, 1), 1000), {
    code: 'store/full',
    message: `Cannot write a snapshot in "${folder}": ${reserved + 999} bytes are free, expected at least 1000 and ${reserved} for log and state`,
  });
  assert.deepEqual(await files.list(folder), []);
  await (await store.create(baseAt(1, 1), 999)).discard();
  files.free = reserved - 1;
  await assert.rejects(store.create(baseAt(1, 1)), { code: 'store/full' });
  files.free = reserved;
  await writeSnapshot(store, baseAt(1, 1));
});

test('SnapshotStore leaves nothing of a snapshot that was discarded when its name could not be made durable', async () => {
  const files = new CrashFiles(new SeededRandom('name'));
  const store = await open(files);
  const writer = await store.create(baseAt(1, 1));
  files.fateOf = (_, act) => (act === `syncFolder ${folder}` ? { code: 'EIO' } : undefined);
  await assert.rejects(writer.finish(), { code: 'store/io' });
  assert.deepEqual(await files.list(folder), ['1-1-1000']);
  await writer.discard();
  assert.deepEqual(await files.list(folder), []);
  assert.deepEqual(store.list(), []);
});

test('SnapshotStore makes bytes, description and names durable before a snapshot counts', async () => {
  const files = new CrashFiles(new SeededRandom('trace'));
  const store = await open(files);
  const from = files.trace.length;
  await writeSnapshot(store, baseAt(7, 3), [utf8Encode('ab'), utf8Encode('c')]);
  assert.deepEqual(
    files.trace.slice(from).map((line) => line.replaceAll(`${folder}/`, '').replace(/\+\d{3}$/, '+…')),
    [
      'makeFolder 3-7-1000.tmp',
      'create 3-7-1000.tmp/state.bin',
      'write 3-7-1000.tmp/state.bin 0+2',
      'write 3-7-1000.tmp/state.bin 2+1',
      'sync 3-7-1000.tmp/state.bin',
      'create 3-7-1000.tmp/meta.json',
      'write 3-7-1000.tmp/meta.json 0+…',
      'sync 3-7-1000.tmp/meta.json',
      'syncFolder 3-7-1000.tmp',
      'rename 3-7-1000.tmp 3-7-1000',
      `syncFolder ${folder}`,
    ],
  );
});

test('SnapshotStore leaves a snapshot alone whose description has changed in any byte, and says so', async () => {
  const files = new CrashFiles(new SeededRandom('meta'));
  const first = await open(files);
  await writeSnapshot(first, baseAt(1, 1));
  await writeSnapshot(first, baseAt(2, 1));
  const path = join(folder, '1-2-1000', 'meta.json');
  const bytes = files.bytesOf(path);
  for (let at = 0; at < bytes.length - 1; at++) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    files.replace(path, changed);
    const warnings: string[] = [];
    const store = await open(files, warnings);
    assert.deepEqual(
      store.list().map(({ base }) => base.index),
      [1],
      `byte ${at}`,
    );
    assert.match(warnings.join(), /^a snapshot cannot be read and is left alone: meta\.json is damaged: /);
  }
  assert.deepEqual((await files.list(folder)).toSorted(), ['1-1-1000', '1-2-1000']);
});

test('SnapshotStore gives out nothing whole that is damaged, deletes it, and goes on with the one before', async () => {
  for (const sizeBytes of [7, 262_144, 300_000]) {
    for (const [change, message] of [
      [(bytes: Uint8Array) => bytes.map((byte, at) => (at === 2 ? byte ^ 1 : byte)), /its checksum does not match$/],
      [(bytes: Uint8Array) => bytes.subarray(1), new RegExp(`it has ${sizeBytes - 1} bytes, expected ${sizeBytes}$`)],
    ] as const) {
      const files = new CrashFiles(new SeededRandom('state'));
      const store = await open(files);
      await writeSnapshot(store, baseAt(2, 1));
      const snapshot = await writeSnapshot(store, baseAt(3, 1), [new Uint8Array(sizeBytes).fill(7)]);
      const path = join(folder, '1-3-1000', 'state.bin');
      files.replace(path, change(files.bytesOf(path)));
      const other = store.read(snapshot)[Symbol.asyncIterator]();
      const isGivenSome = sizeBytes > 262_144;
      if (isGivenSome) await other.next();
      let given = 0;
      const reading = (async () => {
        for await (const chunk of store.read(snapshot)) given += chunk.length;
      })();
      await assert.rejects(reading, { code: 'store/damaged-snapshot', message });
      assert.ok(given < sizeBytes - 1, `${given} of ${sizeBytes} bytes were given out`);
      const indexes = (): readonly number[] => store.list().map(({ base }) => base.index);
      assert.deepEqual(indexes(), [2]);
      assert.equal((await files.list(folder)).includes('1-3-1000'), isGivenSome, 'the other reader is not done');
      await other.return?.();
      assert.deepEqual(await files.list(folder), ['1-2-1000']);
      await writeSnapshot(store, baseAt(3, 1));
      assert.deepEqual(indexes(), [3, 2]);
    }
  }
});

test('SnapshotStore leaves a snapshot alone that is too short when it is opened, or cannot be read, and lists it no more', async () => {
  const files = new CrashFiles(new SeededRandom('short'));
  const store = await open(files);
  const snapshot = await writeSnapshot(store, baseAt(3, 1));
  const path = join(folder, '1-3-1000', 'state.bin');
  const bytes = files.bytesOf(path);
  files.replace(path, undefined);
  await assert.rejects(readSnapshot(store, snapshot), { code: 'store/io', message: /ENOENT/ });
  assert.deepEqual(store.list(), []);
  files.replace(path, bytes.subarray(1));
  const warnings: string[] = [];
  assert.deepEqual((await open(files, warnings)).list(), []);
  assert.match(warnings.join(), /state\.bin: it has 6 bytes, expected 7/);
  assert.deepEqual(await files.list(folder), ['1-3-1000']);
});

test('SnapshotStore deletes an old snapshot when the last of its readers is done, also one that gives up', async () => {
  const files = new CrashFiles(new SeededRandom('readers'));
  const store = await open(files);
  const old = await writeSnapshot(store, baseAt(1, 1));
  const readers = [store.read(old)[Symbol.asyncIterator](), store.read(old)[Symbol.asyncIterator]()];
  for (const reader of readers) await reader.next();
  for (const index of [2, 3, 4]) await writeSnapshot(store, baseAt(index, 1));
  await readers[0]?.return?.();
  assert.deepEqual((await files.list(folder)).toSorted(), ['1-1-1000', '1-3-1000', '1-4-1000']);
  await readers[1]?.next();
  assert.deepEqual((await files.list(folder)).toSorted(), ['1-3-1000', '1-4-1000']);
});
