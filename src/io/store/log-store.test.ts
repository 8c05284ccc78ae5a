/** The log on a file system that fails and forgets. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { command, logStoreConformance } from '../../../test/conformance/log-store.ts';
import { CrashFiles, Ended } from '../../../test/support/crash-files.ts';
import { type LogHistory, makeHistory } from '../../../test/support/log-history.ts';
import { errorCode, hexEncode, SeededRandom } from '../../base/index.ts';
import { type LogImage, type LogOp, originBase } from '../../core/raft/index.ts';
import { type ClosableLogStore, openLogStore } from './log-store.ts';

const folder = '/raft/log';
/** Segments and files are small, so that every kind of act comes often. */
const sizes = { segmentBytes: 600, growthBytes: 128 };

logStoreConformance('segments in memory', async () => {
  const files = new CrashFiles(new SeededRandom('conformance'));
  return { open: () => openLogStore(folder, { files }) };
});

function open(files: CrashFiles): Promise<ClosableLogStore> {
  return openLogStore(folder, { files, ...sizes });
}

/** Writes the whole history; the log is closed, or left as by a process that was killed. */
async function writeAll(history: LogHistory, files: CrashFiles, { isClosed }: { isClosed: boolean }): Promise<void> {
  const store = await open(files);
  await store.load();
  for (const ops of history.writes) await store.write(ops);
  if (isClosed) await store.close();
}

async function load(files: CrashFiles): Promise<LogImage> {
  return (await open(files)).load();
}

/** The errors that a file system of the tests leads to. */
function isFault(error: unknown): boolean {
  return error instanceof Ended || /^store\/(full|io)$/.test(errorCode(error));
}

/** Goes on where `from` says, until a write is not done. @returns how many are. */
async function writeOn(store: ClosableLogStore, { writes }: LogHistory, from: number): Promise<number> {
  let done = from;
  try {
    for (const ops of writes.slice(from)) {
      await store.write(ops);
      done++;
    }
    await store.close();
  } catch (error) {
    if (!isFault(error)) throw error;
    if (done < writes.length && !(error instanceof Ended)) {
      await assert.rejects(store.write(writes[done] ?? []), error as Error, 'a failure is final');
    }
  }
  return done;
}

/** The image is that of the acknowledged writes, or of the next one too. @returns how many there are. */
function assertLegal(image: LogImage, { images }: LogHistory, acknowledged: number, hint: string): number {
  const count = [acknowledged, acknowledged + 1].find((one) => isDeepStrictEqual(image, images[one]));
  if (count === undefined)
    assert.deepEqual(image, images[acknowledged], `${hint}: neither so many writes nor one more`);
  return count ?? acknowledged;
}

for (const how of ['crash', 'kill', 'ENOSPC', 'EIO'] as const) {
  const isEnd = how === 'crash' || how === 'kill';
  test(`LogStore after ${how} at every act of a history holds what was acknowledged, and goes on`, async () => {
    for (const seed of ['a', 'b']) {
      const history = makeHistory(new SeededRandom(seed), 60);
      const whole = new CrashFiles(new SeededRandom(seed));
      await writeAll(history, whole, { isClosed: true });
      for (let at = 1; at <= whole.trace.length; at++) {
        const random = new SeededRandom(`${seed} ${how} ${at}`);
        const files = new CrashFiles(random);
        const hint = `seed ${seed}, ${how} at act ${at}`;
        let acknowledged = 0;
        // The later lives end too, soon after they began; the last one does not.
        for (const end of [at, 1 + random.integer(20), 1 + random.integer(20), Number.POSITIVE_INFINITY]) {
          files.fateOf = (number) => (number < end ? undefined : isEnd ? 'end' : { code: how });
          try {
            const store = await open(files);
            acknowledged = assertLegal(await store.load(), history, acknowledged, hint);
            acknowledged = await writeOn(store, history, acknowledged);
          } catch (error) {
            if (!isFault(error)) throw error;
          }
          // A process that has ended may be followed by a machine that does.
          if (how === 'crash' || random.integer(2) === 0) files.crash();
          else files.restart();
        }
        assert.equal(acknowledged, history.writes.length, `${hint}: the last life was not disturbed`);
        assertLegal(await load(files), history, acknowledged, hint);
      }
    }
  });
}

test('LogStore says whether the disk is full or broken', async () => {
  for (const [code, expected] of Object.entries({ ENOSPC: 'store/full', EDQUOT: 'store/full', EIO: 'store/io' })) {
    const files = new CrashFiles(new SeededRandom(code));
    const store = await open(files);
    await store.load();
    files.fateOf = () => ({ code });
    await assert.rejects(store.write([{ type: 'hard', state: { term: 1, votedFor: undefined } }]), {
      code: expected,
      message: new RegExp(`^Cannot write the raft log in "${folder}": ${code}`),
      outcome: 'unknown',
    });
    await store.close();
  }
});

test('LogStore is closed when the end cannot be marked', async () => {
  const files = new CrashFiles(new SeededRandom('mark'));
  const store = await open(files);
  await store.load();
  await store.write([{ type: 'hard', state: { term: 1, votedFor: undefined } }]);
  files.fateOf = () => ({ code: 'ENOSPC' });
  await store.close();
  await store.close();
  files.restart();
  assert.equal((await load(files)).hard.term, 1);
});

// -------------------------------------------------------------------------------------------------- damage

/** A history of which all segments are needed. */
async function recorded(seed: string, options: { isClosed: boolean }) {
  const history = makeHistory(new SeededRandom(seed), 30, { forgets: false });
  const files = new CrashFiles(new SeededRandom(seed));
  await writeAll(history, files, options);
  const names = [...(await files.list(folder))].sort();
  const contents = new Map(names.map((name) => [name, files.bytesOf(join(folder, name))]));
  return { history, files, names, contents };
}

/** Where the last record of a segment begins, by the mark that its name tells. */
function lastRecordIn(name: string, bytes: Uint8Array): number {
  return Buffer.from(bytes).lastIndexOf(Buffer.from(name.slice(11, 27), 'hex'));
}

async function loadChanged(
  { files, contents }: { readonly files: CrashFiles; readonly contents: ReadonlyMap<string, Uint8Array> },
  name: string,
  bytes: Uint8Array | undefined,
): Promise<LogImage | string> {
  files.restart();
  for (const present of await files.list(folder)) files.replace(join(folder, present), undefined);
  for (const [one, original] of contents) files.replace(join(folder, one), original);
  files.replace(join(folder, name), bytes);
  try {
    return await load(files);
  } catch (error) {
    assert.ok(['store/damaged', 'store/foreign'].includes(errorCode(error)), String(error));
    return (error as Error).message;
  }
}

test('LogStore.load refuses a log of which any byte has changed, but for the last write after a crash', async () => {
  for (const isClosed of [true, false]) {
    const log = await recorded('flips', { isClosed });
    const { history, names, contents } = log;
    assert.ok(names.length >= 4, 'there are several segments');
    const whole = history.images.at(-1);
    const counts = { refused: 0, shorter: 0, whole: 0 };
    for (const name of names) {
      const bytes = contents.get(name) ?? new Uint8Array(0);
      const last = lastRecordIn(name, bytes);
      for (let at = 0; at < bytes.length; at++) {
        const flipped = Uint8Array.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ (at % 2 === 0 ? 0x01 : 0xff);
        const found = await loadChanged(log, name, flipped);
        const hint = `${name}, byte ${at} of ${bytes.length}, ${isClosed ? 'closed' : 'not closed'}`;
        if (typeof found === 'string') {
          counts.refused++;
          assert.ok(found.includes(name), `${found} names the file: ${hint}`);
        } else if (isDeepStrictEqual(found, whole)) {
          counts.whole++;
          assert.ok(at >= last, `only seals, end marks and what is behind them do not matter: ${hint}`);
        } else {
          counts.shorter++;
          assert.deepEqual(found, history.images.at(-2), hint);
          assert.ok(!isClosed && name === names.at(-1) && at >= last, hint);
        }
      }
    }
    assert.ok(counts.refused > 1000 && counts.whole > 0, JSON.stringify(counts));
    assert.equal(counts.shorter > 0, !isClosed);
  }
});

test('LogStore.load takes a log whose end was cut off at any byte as one that ended there', async () => {
  const log = await recorded('cuts', { isClosed: false });
  const { history, names, contents } = log;
  const name = names.at(-1) ?? '';
  const bytes = contents.get(name) ?? new Uint8Array(0);
  let count = 0;
  for (let size = 0; size <= bytes.length; size++) {
    const found = await loadChanged(log, name, bytes.slice(0, size));
    if (typeof found === 'string') {
      // The segment before it is sealed, so that this one was on disk.
      assert.match(found, /byte 0: (the file ends|there is no record)|segment that follows is missing/);
      continue;
    }
    const now = history.images.findIndex((image) => isDeepStrictEqual(image, found));
    assert.ok(now >= count, `${size} bytes: ${now} writes, ${count} with fewer bytes`);
    count = now;
  }
  assert.equal(count, history.writes.length);
});

test('LogStore.load refuses a log of which a segment is missing, short, or in the place of another', async () => {
  const log = await recorded('missing', { isClosed: true });
  const { names, contents } = log;
  for (const [i, name] of names.entries()) {
    const missing = await loadChanged(log, name, undefined);
    assert.ok(typeof missing === 'string', `without ${name}`);
    assert.match(missing, /the segment (before it|that follows) is missing; restore the folder from a backup, or move/);
    const bytes = contents.get(name) ?? new Uint8Array(0);
    if (i === names.length - 1) continue;
    for (const size of [0, 10, lastRecordIn(name, bytes) - 1]) {
      assert.equal(typeof (await loadChanged(log, name, bytes.slice(0, size))), 'string', `${size} bytes of ${name}`);
    }
    const next = contents.get(names[i + 1] ?? '');
    assert.equal(typeof (await loadChanged(log, name, next)), 'string', `${name} holds the next one`);
  }
  const other = await recorded('other', { isClosed: true });
  const [theirs] = other.names;
  log.files.replace(join(folder, theirs ?? ''), other.contents.get(theirs ?? '') ?? new Uint8Array(0));
  await assert.rejects(load(log.files), { code: 'store/damaged', message: /is of another log than/ });
});

test('LogStore.load finds two records exchanged, one repeated and one left out', async () => {
  const files = new CrashFiles(new SeededRandom('order'));
  const store = await openLogStore(folder, { files, growthBytes: 1 });
  await store.load();
  // Writes that mean the same wherever they are.
  for (let i = 0; i < 4; i++) await store.write([{ type: 'hard', state: { term: 1, votedFor: 'me' } }]);
  const [name = ''] = await files.list(folder);
  const bytes = files.bytesOf(join(folder, name));
  const mark = Buffer.from(name.slice(11, 27), 'hex');
  const starts: number[] = [];
  for (let at = 0; at >= 0; at = Buffer.from(bytes).indexOf(mark, at + 1)) starts.push(at);
  const records = starts.map((start, i) => bytes.slice(start, starts[i + 1]));
  const [head, one, two, three, four] = records;
  assert.ok(head && one && two && three && four);
  for (const order of [
    [head, two, one, three, four],
    [head, one, one, two, three, four],
    [head, one, three, four],
  ]) {
    files.restart();
    files.replace(join(folder, name), Uint8Array.from(Buffer.concat(order)));
    await assert.rejects(load(files), { code: 'store/damaged', message: /byte \d+: a checksum does not match;/ });
  }
});

test('LogStore.load refuses damage within the last whole segment when another one was begun behind it', async () => {
  const files = new CrashFiles(new SeededRandom('begun'));
  const store = await openLogStore(folder, { files });
  await store.load();
  await store.write([{ type: 'hard', state: { term: 1, votedFor: undefined } }]);
  for (let index = 1; index <= 10; index++)
    await store.write([{ type: 'put', entries: [command(index, 1, `pin ${index}`)] }]);
  await store.close();
  const [name = ''] = await files.list(folder);
  const next = name.replace(/^0+1/, '0000000002');
  const bytes = files.bytesOf(join(folder, name));
  const changed = Uint8Array.from(bytes);
  const at = Buffer.from(bytes).indexOf('pin 5');
  changed[at] = (changed[at] ?? 0) ^ 1;
  for (const begun of [new Uint8Array(0), bytes.subarray(0, 20), new Uint8Array(1000)]) {
    files.restart();
    files.replace(join(folder, next), begun);
    files.replace(join(folder, name), changed);
    await assert.rejects(load(files), { code: 'store/damaged', message: new RegExp(`${name}, byte \\d+: a checksum`) });
    files.replace(join(folder, name), bytes);
    assert.equal((await load(files)).entries.length, 10, 'the rest of it alone is what a crash leaves');
    assert.deepEqual(await files.list(folder), [name]);
  }
});

test('LogStore.load refuses a damaged head of the only segment, unless it was never finished', async () => {
  const files = new CrashFiles(new SeededRandom('head'));
  const store = await open(files);
  await store.load();
  const ops: LogOp[] = [{ type: 'hard', state: { term: 1, votedFor: undefined } }];
  await store.write(ops);
  const [name = ''] = await files.list(folder);
  const path = join(folder, name);
  const bytes = files.bytesOf(path);
  const head = lastRecordIn(name, bytes);
  for (let at = 0; at < head; at++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    files.replace(path, flipped);
    await assert.rejects(load(files), { code: 'store/damaged', message: new RegExp(`${name}, byte 0: `) });
    // Without the record behind it, it is what a crash leaves while the log is made.
    files.replace(path, flipped.slice(0, head));
    assert.deepEqual(await load(files), { hard: { term: 0, votedFor: undefined }, base: originBase, entries: [] });
    assert.deepEqual(await files.list(folder), []);
  }
  const renamed = name.replace(/^0+1/, '0000000005');
  files.replace(join(folder, renamed), bytes);
  await assert.rejects(load(files), {
    code: 'store/damaged',
    message: new RegExp(`${renamed}, byte 0: it holds segment 1`),
  });
  files.replace(join(folder, renamed), bytes.slice(0, 10));
  await assert.rejects(load(files), {
    code: 'store/damaged',
    message: /byte 0: the file ends in the head of a record/,
  });
});

test('LogStore.load refuses segments of one log that were never one after the other', async () => {
  const files = new CrashFiles(new SeededRandom('branches'));
  const store = await open(files);
  await store.load();
  await store.write([{ type: 'hard', state: { term: 1, votedFor: undefined } }]);
  const [first = ''] = await files.list(folder);
  const path = join(folder, first);
  const common = files.bytesOf(path);
  // Two lives go on from the same copy, with writes of equal sizes.
  const goOn = async (letter: string): Promise<ReadonlyMap<string, Uint8Array>> => {
    files.restart();
    for (const name of await files.list(folder)) files.replace(join(folder, name), undefined);
    files.replace(path, common);
    const life = await open(files);
    await life.load();
    for (let index = 1; index <= 8; index++) {
      await life.write([{ type: 'put', entries: [command(index, 1, letter.repeat(100))] }]);
    }
    return new Map((await files.list(folder)).map((name) => [name, files.bytesOf(join(folder, name))]));
  };
  const [a, b] = [await goOn('a'), await goOn('b')];
  assert.ok(b.size > 1);
  files.restart();
  files.replace(path, a.get(first));
  await assert.rejects(load(files), { code: 'store/damaged', message: new RegExp(`${first}, byte \\d+: `) });
});

test('LogStore.load refuses what other programs have written', async () => {
  const files = new CrashFiles(new SeededRandom('foreign'));
  await files.makeFolder(folder);
  files.replace(join(folder, 'CURRENT'), new Uint8Array(0));
  await assert.rejects(load(files), { code: 'store/foreign', message: /is a LevelDB database/ });
  files.replace(join(folder, 'CURRENT'), undefined);

  const mark = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const body = Uint8Array.of(0, 0, 0, 0, 2);
  const head = Buffer.alloc(16);
  head.set(mark);
  head.writeUInt32BE(body.length, 12);
  head.writeUInt32BE(crc32(body, crc32(head.subarray(12))), 8);
  const name = `0000000001-${hexEncode(mark)}.log`;
  files.replace(join(folder, name), Uint8Array.from(Buffer.concat([head, body])));
  await assert.rejects(load(files), {
    code: 'store/foreign',
    message: `Cannot read the raft log in "${folder}": ${name}, byte 0: log format 2 is unknown, expected 1; it was written by another version of this program`,
  });
});

// -------------------------------------------------------------------------------------------------- files

test('LogStore that is compacted, cut and reset all the time stays small on disk', async () => {
  const files = new CrashFiles(new SeededRandom('bounded'));
  const store = await open(files);
  await store.load();
  await store.write([{ type: 'hard', state: { term: 1, votedFor: undefined } }]);
  let last = 0;
  let base = originBase;
  for (let round = 0; round < 500; round++) {
    const ops: LogOp[] = [{ type: 'put', entries: [1, 2, 3, 4].map((i) => command(last + i, 1)) }];
    last += 4;
    if (round % 5 === 1) {
      // More than the base will reach for a while, but gone.
      ops.push({ type: 'put', entries: Array.from({ length: 20 }, (_, i) => command(last + 1 + i, 1)) });
      ops.push({ type: 'cut', from: last + 1 });
    }
    if (round % 50 === 49) {
      base = { ...originBase, index: last + 7, term: 1 };
      ops.push({ type: 'reset', base });
      last = base.index;
    }
    await store.write(ops);
    if (last - base.index > 12) {
      base = { ...originBase, index: last - 8, term: 1 };
      await store.write([{ type: 'compact', base }]);
    }
    assert.ok((await files.list(folder)).length <= 4, `round ${round}: ${await files.list(folder)}`);
  }
  const image = await load(files);
  assert.deepEqual([image.base, image.entries.length], [base, last - base.index]);
});

test('LogStore deletes the segments of what was cut away or reset, though the base is far behind their entries', async () => {
  for (const type of ['reset', 'compact'] as const) {
    const files = new CrashFiles(new SeededRandom(type));
    const store = await open(files);
    await store.load();
    await store.write([{ type: 'hard', state: { term: 1, votedFor: undefined } }]);
    for (let index = 1; index <= 100; index++) await store.write([{ type: 'put', entries: [command(index, 1)] }]);
    assert.ok((await files.list(folder)).length > 5);
    const base = { ...originBase, index: 3, term: 1 };
    if (type === 'compact') await store.write([{ type: 'cut', from: 4 }]);
    await store.write([{ type, base }]);
    assert.equal((await files.list(folder)).length, 1);
  }
});

test('LogStore makes each file durable before anything in it counts, and deletes it when nothing in it does', async () => {
  const files = new CrashFiles(new SeededRandom('trace'));
  const store = await openLogStore(folder, { files, segmentBytes: 150, growthBytes: 64 });
  await store.load();
  const segment = /0*(\d+)-[0-9a-f]{16}\.log/;
  const traceOf = async (act: () => Promise<void>): Promise<readonly string[]> => {
    const from = files.trace.length;
    await act();
    return files.trace.slice(from).map((line) => line.replaceAll(`${folder}/`, '').replace(segment, 'segment $1'));
  };
  const put = (from: number): LogOp => ({ type: 'put', entries: [command(from, 1), command(from + 1, 1)] });
  const base = { ...originBase, index: 2, term: 1 };
  assert.deepEqual(files.trace, ['makeFolder /raft', `makeFolder ${folder}`, `syncFolder ${folder}`]);
  assert.deepEqual(await traceOf(() => store.write([{ type: 'hard', state: { term: 1, votedFor: 'me' } }, put(1)])), [
    'create segment 1',
    'write segment 1 0+128',
    'syncFolder /raft/log',
    'write segment 1 91+101',
  ]);
  assert.deepEqual(await traceOf(() => store.write([put(3)])), [
    'create segment 2',
    'write segment 2 0+128',
    'syncFolder /raft/log',
    'write segment 1 192+17',
    'write segment 2 93+99',
  ]);
  assert.deepEqual(await traceOf(() => store.write([{ type: 'compact', base }])), [
    'create segment 3',
    'write segment 3 0+128',
    'syncFolder /raft/log',
    'write segment 2 179+17',
    'write segment 3 93+99',
    'remove segment 1',
  ]);
  assert.deepEqual(await traceOf(() => store.close()), ['write segment 3 141+17']);
  assert.deepEqual(await traceOf(() => store.close()), []);
  assert.deepEqual(await traceOf(() => load(files).then(() => {})), ['write segment 3 141+17', `syncFolder ${folder}`]);
});
