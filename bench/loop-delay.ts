/**
 * How long a peer's event loop stands still. Loaded into the peer (`node --import`): on SIGUSR2 it leaves the longest delay since the last
 * time in its folder. The other half, `takeLoopDelay`, is for the benchmark.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import type { BenchPeer } from './clusters.ts';

/** What Node has to be told for a peer to be measured. */
export const loopDelayFlag: string = `--import=${fileURLToPath(import.meta.url)}`;

const resolutionMs = 5;
const pollMs = 10;
const answerLimitMs = 10_000;
const at = process.argv.indexOf('--config');

if (isMainThread && at > 0 && process.argv.includes('daemon')) {
  const file = fileIn(process.argv[at + 1] ?? '');
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  process.on('SIGUSR2', () => {
    writeFileSync(`${file}.new`, String(Math.max(0, delays.max / 1e6 - resolutionMs)));
    renameSync(`${file}.new`, file);
    delays.reset();
  });
}

function fileIn(folder: string): string {
  return join(folder, 'loop-delay');
}

/** Longest delay since the last call, or the start, in milliseconds. */
export async function takeLoopDelay({ pid, folder }: Pick<BenchPeer, 'pid' | 'folder'>): Promise<number> {
  const file = fileIn(folder);
  await rm(file, { force: true });
  process.kill(pid ?? 0, 'SIGUSR2');
  for (const began = performance.now(); performance.now() < began + answerLimitMs; await sleep(pollMs)) {
    try {
      return Number(await readFile(file, 'utf8'));
    } catch {
      // It has not come to it yet.
    }
  }
  throw new Error(`peer in ${folder} does not tell its loop delay`);
}
