/** Three Raft peers killed together, again and again: what was acknowledged is there, on all of them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const writer = fileURLToPath(new URL('raft-writer.ts', import.meta.url));

interface Life {
  /** What each peer held at the start. */
  readonly held: readonly ReadonlySet<string>[];
  readonly acknowledged: readonly string[];
}

/** Runs the peers until so many pins are acknowledged. */
async function live(folder: string, first: number, pins: number): Promise<Life> {
  const child = spawn(process.execPath, [writer, folder, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const held: ReadonlySet<string>[] = [];
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, ...rest] = line.split(' ');
    if (word === 'holds') held.push(new Set(rest.filter((name) => name !== '')));
    else acknowledged.push(...rest);
    if (held.length === 3 && acknowledged.length === pins) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL', 'it ended by the kill only');
  return { held, acknowledged };
}

test('pins that were acknowledged before SIGKILL are there after it, on every peer', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'raft-crash-'));
  try {
    const all: string[] = [];
    for (const [round, pins] of [1, 150, 37, 400, 0].entries()) {
      const { held, acknowledged } = await live(folder, round * 10_000, pins);
      assert.equal(held.length, 3);
      for (const names of held) {
        const missing = all.filter((name) => !names.has(name));
        assert.deepEqual(missing, [], `acknowledged and lost in round ${round}`);
        assert.deepEqual([...names].sort(), [...(held[0] ?? [])].sort(), 'all peers hold the same');
      }
      all.push(...acknowledged);
    }
    assert.ok(all.length >= 588);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
