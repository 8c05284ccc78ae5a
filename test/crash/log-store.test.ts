/** What is left of the Raft log after SIGKILL, a cut file and a disk that takes no more. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorCode, utf8Decode } from '../../src/base/index.ts';
import type { LogImage } from '../../src/core/raft/index.ts';
import { openLogStore } from '../../src/io/store/log-store.ts';

const writer = fileURLToPath(new URL('log-writer.ts', import.meta.url));
const root = await mkdtemp(join(tmpdir(), 'log-crash-'));
after(() => rm(root, { recursive: true, force: true }));

/** What the child had said when it was killed. */
interface Said {
  readonly last: number;
  readonly term: number;
}

async function killAfter(folder: string, groups: number): Promise<Said> {
  const child = spawn(process.execPath, [writer, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = readLines(child);
  let said: Said = { last: 0, term: 0 };
  let count = 0;
  for await (const line of lines) {
    const [last = 0, term = 0] = line.split(' ').map(Number);
    said = { last, term };
    // Lines that were on their way when the signal fell are read too: they too were promised.
    if (++count === groups) child.kill('SIGKILL');
  }
  await exited(child);
  return said;
}

function readLines(child: ChildProcess): AsyncIterable<string> {
  assert.ok(child.stdout !== null);
  return createInterface({ input: child.stdout });
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function load(folder: string): Promise<LogImage> {
  const store = await openLogStore(folder);
  try {
    return await store.load();
  } finally {
    await store.close();
  }
}

/** The image is that of a whole number of groups: nothing half written. Written by `log-writer.ts`. */
function assertWhole(image: LogImage): void {
  const { hard, entries } = image;
  assert.equal(hard.votedFor, hard.term === 0 ? undefined : `peer ${hard.term}`);
  const last = entries.slice(-3);
  if (hard.term > 0)
    assert.deepEqual(
      last.map((entry) => entry.term),
      [hard.term, hard.term, hard.term],
    );
  for (const entry of entries) {
    assert.ok(entry.type === 'command');
    assert.ok(utf8Decode(entry.data).startsWith(`${entry.term}.${entry.index}.`));
  }
}

test('after SIGKILL in the middle of writes the log holds every promised group, wholly', async () => {
  const folder = join(root, 'killed');
  let before = 0;
  for (const groups of [1, 7, 30, 100, 3]) {
    const said = await killAfter(folder, groups);
    const image = await load(folder);
    assertWhole(image);
    assert.ok(said.term >= before + groups, 'the child went on from where the last one was killed');
    assert.ok(image.hard.term >= said.term, `promised term ${said.term}, found ${image.hard.term}`);
    assert.ok(image.hard.term <= said.term + 1, 'at most the write in flight came on top');
    before = image.hard.term;
  }
});

test('a log whose newest file was cut or damaged loads as an earlier state, or is refused', async () => {
  const folder = join(root, 'cut');
  const said = await killAfter(folder, 40);
  const newest = (await readdir(folder))
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1);
  assert.ok(newest !== undefined);
  const { length } = await readFile(join(folder, newest));
  let loaded = 0;
  for (let step = 0; step <= 10; step++) {
    for (const damage of ['cut', 'flip'] as const) {
      const copy = join(root, `cut-${step}-${damage}`);
      await cp(folder, copy, { recursive: true });
      const file = join(copy, newest);
      const at = Math.floor((length * step) / 10);
      if (damage === 'cut') await truncate(file, at);
      else await flip(file, Math.min(at, length - 1));
      try {
        const image = await load(copy);
        assertWhole(image);
        assert.ok(image.hard.term <= said.term + 1);
        loaded++;
      } catch (error) {
        assert.equal(errorCode(error), 'store/damaged', String(error));
      }
    }
  }
  assert.ok(loaded >= 11, 'a cut at the end is what a power cut leaves, and loads');
});

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  await writeFile(file, bytes);
}

test('when the disk takes no more, the write fails, later ones too, and what was promised stays', async () => {
  const folder = join(root, 'full');
  // The limit is on the size of a file, 512 KiB: reached sooner than LevelDB changes files, and an error like a full disk.
  const script = 'ulimit -f 512; exec "$0" "$@"';
  const child = spawn('/bin/bash', ['-c', script, process.execPath, writer, folder, '20000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = { last: 0, term: 0 };
  let end = '';
  for await (const line of readLines(child)) {
    const [last = 0, term = 0] = line.split(' ').map(Number);
    if (line.startsWith('failed')) end = line;
    else said = { last, term };
  }
  await exited(child);
  assert.equal(end, 'failed store/io same error');
  const image = await load(folder);
  assertWhole(image);
  assert.equal(image.hard.term, said.term);
});
