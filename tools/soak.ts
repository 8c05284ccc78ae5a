/**
 * `npm run soak -- [--rounds 50] [--peers 5] [--go 0] [--seed N] [--writers 8] [--pause 5] [--embedded] [--dir FOLDER]`:
 * real processes under load, killed and restarted; ends with one line, SURVIVED or FAILED. See `docs/soak.md`.
 */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runSoak, type SoakReport, seconds } from '../test/e2e/soak/soak.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    peers: { type: 'string', default: '5' },
    go: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    writers: { type: 'string' },
    pause: { type: 'string' },
    embedded: { type: 'boolean', default: false },
    dir: { type: 'string' },
  },
});

function count(name: string, text: string, min: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min) return value;
  console.error(`--${name}: found "${text}", expected a whole number of at least ${min}`);
  process.exit(2);
}

function summary(ms: readonly number[]): string {
  if (ms.length === 0) return 'not measured';
  const at = (share: number): number => ms[Math.min(ms.length - 1, Math.floor(share * ms.length))] ?? 0;
  return `p50 ${seconds(at(0.5))}, p90 ${seconds(at(0.9))}, max ${seconds(at(1))} (${ms.length} times)`;
}

const rounds = count('rounds', values.rounds, 1);
// A Go peer that starts waits for a moment in which it has applied all that it has: under full load there is none.
const goCount = count('go', values.go, 0);
const folder = values.dir ?? join(tmpdir(), `soak-${process.pid}`);
console.log(`soak: seed ${values.seed}, ${rounds} rounds, ${values.peers} peers, folder ${folder}`);
const began = performance.now();
try {
  const report: SoakReport = await runSoak({
    seed: values.seed,
    rounds,
    peerCount: count('peers', values.peers, 3),
    goCount,
    ipfs: values.embedded ? 'embedded' : 'stand-in',
    writerCount: count('writers', values.writers ?? (goCount > 0 ? '2' : '8'), 1),
    pauseMs: count('pause', values.pause ?? (goCount > 0 ? '40' : '5'), 0),
    roundsBetweenChecks: 10,
    folder,
    print: (line) => console.log(line),
  });
  console.log(`writes again after the death of a leader: ${summary(report.failoverMs)}`);
  console.log(`writes sent when it died, the slowest: ${summary(report.waitedMs)}`);
  console.log(`start of a peer until READY: ${summary(report.startMs)}`);
  const { pins, unpins, open, held, snapshots } = report;
  console.log(
    `SURVIVED ${rounds} rounds in ${seconds(performance.now() - began)}, seed ${values.seed}: ` +
      `${pins} pins and ${unpins} unpins acknowledged, none lost, ${open} open; ${held} pins on all peers; ` +
      `${snapshots.taken} snapshots taken, ${snapshots.installed} installed`,
  );
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
  console.log(`FAILED after ${seconds(performance.now() - began)}, seed ${values.seed}; logs: ${folder}/*/daemon.log`);
  process.exitCode = 1;
}
