/** Peers that a program has started end with it, however it ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorCode } from '../../src/base/index.ts';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { lockFolder, peerFolder } from '../../src/io/config/index.ts';
import { serviceProgram } from '../support/peers.ts';

const limitMs = 60_000;
const soakProgram = fileURLToPath(new URL('../../tools/soak.ts', import.meta.url));

/** In the arguments: the folder of the test. */
const here = 'HERE';

let folder = '';
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Run {
  readonly lines: readonly string[];
  readonly end: number | string | null;
}

/** Runs the program to its end, with `act` at the first line that matches. Everything it makes is below `folder`. */
async function run(
  args: readonly string[],
  pattern: RegExp,
  act: (child: ChildProcess) => Promise<unknown>,
): Promise<Run> {
  folder = await mkdtemp(join(tmpdir(), 'abandoned-'));
  const words = args.map((word) => (word === here ? folder : word));
  const env = { ...process.env, TMPDIR: folder, TEMP: folder, NODE_DISABLE_COMPILE_CACHE: '1' };
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const ended = once(child, 'close');
  const lines: string[] = [];
  let acting: Promise<unknown> | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (pattern.test(line)) acting ??= act(child);
  }
  const [code, signal] = await ended;
  await acting;
  return { lines, end: signal ?? code };
}

/** Whether a process runs on the folder: its lock is dropped by the system when it ends. */
async function isRunning(name: string): Promise<boolean> {
  try {
    const lock = await lockFolder(peerFolder(join(folder, name)));
    await lock.release();
    return false;
  } catch (error) {
    assert.equal(errorCode(error), 'config/locked');
    return true;
  }
}

async function areGone(names: readonly string[]): Promise<void> {
  for (const name of names) {
    await waitFor(
      () => isRunning(name),
      (is) => !is,
      () => `${name} runs`,
      limitMs,
    );
  }
}

test('peers of a demo that is killed stop', { timeout: 120_000 }, async () => {
  const { end } = await run([serviceProgram, 'demo', '--dir', here], /Starting the peers/, async (demo) => {
    assert.equal(await isRunning('peer1'), true);
    demo.kill('SIGKILL');
  });
  assert.equal(end, 'SIGKILL');
  await areGone(['peer1', 'peer2', 'peer3']);
});

async function isEmpty(): Promise<void> {
  await waitFor(
    () => readdir(folder),
    (names) => names.length === 0,
    (names) => names.join(', '),
    limitMs,
  );
}

test('a demo that is killed leaves no folder', { timeout: 120_000 }, async () => {
  const { end } = await run([serviceProgram, 'demo'], /Starting the peers/, async (demo) => demo.kill('SIGKILL'));
  assert.equal(end, 'SIGKILL');
  await isEmpty();
});

test('a demo that is interrupted while its peers start stops them and leaves no folder', {
  timeout: 120_000,
}, async () => {
  const { lines, end } = await run([serviceProgram, 'demo'], /three peers/, async (demo) => demo.kill('SIGINT'));
  assert.match(lines.at(-1) ?? '', /✓ Stopping the peers/);
  assert.equal(end, 0);
  await isEmpty();
});

test('a soak that is interrupted says so and leaves no peer', { timeout: 120_000 }, async () => {
  const { lines, end } = await run([soakProgram, '--peers', '3', '--dir', here], /^round 1\//, async (soak) =>
    soak.kill('SIGINT'),
  );
  assert.match(lines.at(-1) ?? '', /^INTERRUPTED after .* logs: /);
  assert.equal(end, 1);
  await areGone(['ours1', 'ours2', 'ours3']);
});
