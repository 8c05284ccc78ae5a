/** A few rounds of the soak (`npm run soak` has more): nothing acknowledged is lost when real processes are killed. */
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runSoak, type SoakOptions, type SoakReport } from './soak/soak.ts';

const seed = process.env.SEED ?? '1';

/** Quiet; a failure comes with what had happened before. */
async function soak(changes: Pick<SoakOptions, 'rounds' | 'peerCount' | 'ipfs'>): Promise<SoakReport> {
  const folder = await mkdtemp(join(tmpdir(), 'soak-'));
  const lines = [`SEED=${seed}, logs: ${folder}/*/daemon.log`];
  const print = (line: string): number => lines.push(line);
  const load = { writerCount: 4, pauseMs: 5 };
  try {
    return await runSoak({ seed, goCount: 0, roundsBetweenChecks: 10, folder, print, ...load, ...changes });
  } catch (cause) {
    throw new Error([...lines, String(cause)].join('\n'), { cause });
  }
}

describe('a cluster under load whose peers are killed at random', () => {
  it('of five keeps what it has acknowledged', { timeout: 150_000 }, async () => {
    const { pins, unpins, held } = await soak({ rounds: 4, peerCount: 5, ipfs: 'stand-in' });
    assert.ok(pins > 100 && unpins > 0 && held > 0);
  });

  it('of three, with an IPFS node in each, keeps it on the nodes as well', { timeout: 150_000 }, async () => {
    const { pins, unpins, held } = await soak({ rounds: 2, peerCount: 3, ipfs: 'embedded' });
    assert.ok(pins > 50 && unpins > 0 && held > 0);
  });
});
