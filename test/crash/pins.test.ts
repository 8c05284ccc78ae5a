/** What is left of an IPFS node's pins after SIGKILL, ten being made and removed at any time. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createIpfsNode } from '../../src/ipfs-node/index.ts';
import { pinnedBlock } from './pin-writer.ts';

const writer = fileURLToPath(new URL('pin-writer.ts', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'pins-crash-'));
after(() => rm(folder, { recursive: true, force: true }));

/** Lines of a child that is killed after so many; its pins have the numbers above `before`. */
async function killAfter(count: number, before: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, folder, String(before)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    // Lines that were on their way when the signal fell are read too: they too were promised.
    if (lines.push(line) === count) child.kill('SIGKILL');
  }
  await exited;
  return lines;
}

test('after SIGKILL every pin that was acknowledged is there with its block, and every removal is done', async () => {
  const promised = new Map<number, boolean>();
  for (const [round, count] of [1, 40, 300].entries()) {
    for (const line of await killAfter(count, round * 10_000)) {
      const [act, n] = line.split(' ');
      promised.set(Number(n), act === 'pinned');
    }
    const node = createIpfsNode({ folder, swarmListen: ['/ip4/127.0.0.1/tcp/0'] });
    await node.start();
    try {
      for (const [n, isPinned] of promised) {
        const { cid, bytes } = pinnedBlock(n);
        // The removal of a third of them may have been on its way.
        if (isPinned && n % 3 !== 0) assert.equal(node.pins.get(cid)?.type, 'recursive', `pin ${n}`);
        if (!isPinned) assert.equal(node.pins.get(cid), undefined, `pin ${n}`);
        if (node.pins.get(cid) === undefined) continue;
        const reader = node.reader({ offline: true });
        assert.deepEqual(Uint8Array.from(await reader.get(cid)), bytes);
        reader.close();
      }
    } finally {
      await node.stop();
    }
  }
  assert.ok(promised.size > 100);
});
