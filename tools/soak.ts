/**
 * `npm run soak`: real processes under load, killed and restarted; ends with one line, SURVIVED, FAILED, or INTERRUPTED by a
 * signal. Exit code 2 for bad arguments. See `docs/soak.md`.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { errorMessage } from '../src/base/index.ts';
import { runSoak, type SoakReport, seconds } from '../test/e2e/soak/soak.ts';
import { goPrograms } from '../test/support/members.ts';

const usage = `usage: npm run soak -- [options]; docs/soak.md says what it does

  --rounds N    default 50
  --peers N     3 or more, default 5
  --go N        so many of the peers are Go peers, default 0; GO_CLUSTER_BIN names the folder of the programs
  --seed TEXT   chooses faults and victims
  --writers N   clients, each with one write at a time
  --pause MS    between two writes of a client
  --embedded    a real IPFS node inside each peer
  --dir FOLDER  where the peers live, default a temporary folder`;

function optionsOf(argv: string[]) {
  return parseArgs({
    args: argv,
    options: {
      rounds: { type: 'string', default: '50' },
      peers: { type: 'string', default: '5' },
      go: { type: 'string', default: '0' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      writers: { type: 'string' },
      pause: { type: 'string' },
      embedded: { type: 'boolean', default: false },
      dir: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;
}

/** One line, and the exit code of wrong arguments. */
function refuse(line: string): never {
  console.error(line);
  process.exit(2);
}

function parse(argv: string[]): ReturnType<typeof optionsOf> {
  try {
    return optionsOf(argv);
  } catch (error) {
    return refuse(`${errorMessage(error)}\n${usage}`);
  }
}

function count(name: string, text: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const bounds = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return refuse(`--${name}: found "${text}", expected a whole number ${bounds}`);
}

function summary(ms: readonly number[]): string {
  if (ms.length === 0) return 'not measured';
  const at = (share: number): number => ms[Math.min(ms.length - 1, Math.floor(share * ms.length))] ?? 0;
  return `p50 ${seconds(at(0.5))}, p90 ${seconds(at(0.9))}, max ${seconds(at(1))} (${ms.length} times)`;
}

const values = parse(process.argv.slice(2));
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const rounds = count('rounds', values.rounds, 1);
const peerCount = count('peers', values.peers, 3);
const goCount = count('go', values.go, 0, peerCount);
if (goCount > 0 && !existsSync(join(goPrograms ?? '', 'ipfs-cluster-service'))) {
  refuse(
    `--go: GO_CLUSTER_BIN: found "${goPrograms ?? ''}", expected the folder of the Go program ipfs-cluster-service`,
  );
}
// A Go peer that starts waits for a moment in which it has applied all that it has: under full load there is none.
const writerCount = count('writers', values.writers ?? (goCount > 0 ? '2' : '8'), 1);
const pauseMs = count('pause', values.pause ?? (goCount > 0 ? '40' : '5'), 0);
const folder = values.dir ?? join(tmpdir(), `soak-${process.pid}`);
const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => interrupt.abort(new Error(`Stopped by ${name}`)));
}
console.log(`soak: seed ${values.seed}, ${rounds} rounds, ${peerCount} peers, folder ${folder}`);
const began = performance.now();
try {
  const report: SoakReport = await runSoak({
    seed: values.seed,
    rounds,
    peerCount,
    goCount,
    ipfs: values.embedded ? 'embedded' : 'stand-in',
    writerCount,
    pauseMs,
    roundsBetweenChecks: 10,
    folder,
    print: (line) => console.log(line),
    signal: interrupt.signal,
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
  console.log(errorMessage(error));
  const how = interrupt.signal.aborted ? 'INTERRUPTED' : 'FAILED';
  console.log(`${how} after ${seconds(performance.now() - began)}, seed ${values.seed}; logs: ${folder}/*/daemon.log`);
  // What an interrupted run still waits for does not hold up the end.
  process.exit(1);
}
