/** What is left of the Raft log after SIGKILL and a file that takes no more. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { utf8Decode } from '../../src/base/index.ts';
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
  const args = [writer, folder, '1000', String(32 << 10)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
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
  const { hard, base, entries } = image;
  assert.equal(hard.votedFor, hard.term === 0 ? undefined : `peer ${hard.term}`);
  const last = entries.slice(-3);
  if (hard.term > 0)
    assert.deepEqual(
      last.map((entry) => entry.term),
      [hard.term, hard.term, hard.term],
    );
  for (const [i, entry] of entries.entries()) {
    assert.ok(entry.type === 'command');
    assert.equal(entry.index, base.index + 1 + i);
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
  assert.ok((await readdir(folder)).length <= 6, 'what was forgotten is not on disk any more');
});

test('when a file takes no more, the write fails, later ones too, and what was promised stays', async () => {
  const folder = join(root, 'full');
  // The limit is on the size of a file, 512 KiB: reached sooner than the log begins another.
  const script = 'ulimit -f 512; exec "$0" "$@"';
  const child = spawn('/bin/bash', ['-c', script, process.execPath, writer, folder, '20000', String(8 << 20)], {
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
