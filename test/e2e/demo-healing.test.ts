/** The demo of healing, as a user runs it: five real peers with real IPFS nodes, and its own verdict. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { serviceProgram } from '../support/peers.ts';

const limitMs = 30_000;

test('a peer lost for good, one that flaps, one drained, one cordoned: every pin ends within its bounds', {
  timeout: 170_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'healing-'));
  const env = { ...process.env, TMPDIR: folder, TEMP: folder, NODE_DISABLE_COMPILE_CACHE: '1' };
  const child = spawn(process.execPath, [serviceProgram, 'demo', '--healing'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  });
  t.after(() => child.kill());
  const closed = once(child, 'close');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  const [code] = await closed;
  const text = lines.join('\n');
  assert.equal(code, 0, text);
  assert.match(text, /HEALED: all of 15 pins are within their bounds, by the word of 4 IPFS nodes/);
  // At least the pins that need all of their holders move, each told when it is seen.
  assert.match(text, / moves from peer\d to peer\d/);
  assert.doesNotMatch(text, /✗/);
  await waitFor(
    () => readdir(folder),
    (names) => names.length === 0,
    (names) => `left behind: ${names.join(', ')}`,
    limitMs,
  );
  await rm(folder, { recursive: true, force: true });
});
