/** A few rounds of the soak (`npm run soak` has more): nothing acknowledged is lost when real processes are killed. */
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runSoak, type SoakOptions } from './soak/soak.ts';

const seed = process.env.SEED ?? '1';

function options(changes: Pick<SoakOptions, 'rounds' | 'peerCount' | 'ipfs' | 'folder'>): SoakOptions {
  return {
    seed,
    goCount: 0,
    writerCount: 4,
    pauseMs: 5,
    roundsBetweenChecks: 10,
    print: (line) => console.log(`# soak, seed ${seed}: ${line}`),
    ...changes,
  };
}

describe('a cluster under load whose peers are killed at random', () => {
  it('of five keeps what it has acknowledged', { timeout: 150_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soak-'));
    const { pins, unpins, held } = await runSoak(options({ rounds: 4, peerCount: 5, ipfs: 'stand-in', folder }));
    assert.ok(pins > 100 && unpins > 0 && held > 0);
  });

  it('of three, with an IPFS node in each, keeps it on the nodes as well', { timeout: 150_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soak-'));
    const { pins, unpins, held } = await runSoak(options({ rounds: 2, peerCount: 3, ipfs: 'embedded', folder }));
    assert.ok(pins > 50 && unpins > 0 && held > 0);
  });
});
