/** Peers that a program has started end with it, however it ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
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

let folder = '';
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs the program to its end, with `act` at the first line that matches. Gives its lines and how it ended. */
async function run(
  args: readonly string[],
  pattern: RegExp,
  act: (child: ChildProcess) => Promise<unknown>,
): Promise<{ readonly lines: readonly string[]; readonly end: number | string | null }> {
  folder = await mkdtemp(join(tmpdir(), 'abandoned-'));
  const child = spawn(process.execPath, [...args, '--dir', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
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
  const { end } = await run([serviceProgram, 'demo'], /Starting the peers/, async (demo) => {
    assert.equal(await isRunning('peer1'), true);
    demo.kill('SIGKILL');
  });
  assert.equal(end, 'SIGKILL');
  await areGone(['peer1', 'peer2', 'peer3']);
});

test('a soak that is interrupted says so and leaves no peer', { timeout: 120_000 }, async () => {
  const { lines, end } = await run([soakProgram, '--peers', '3'], /^round 1\//, async (soak) => soak.kill('SIGINT'));
  assert.match(lines.at(-1) ?? '', /^INTERRUPTED after .* logs: /);
  assert.equal(end, 1);
  await areGone(['ours1', 'ours2', 'ours3']);
});
