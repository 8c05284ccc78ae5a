/**
 * Pins through the HTTP APIs of three real peers, in processes of their own on loopback.
 *
 *     node bench/pins.bench.ts [--rounds 1] [--first 4000] [--more 16000] [--embedded] [--node-flag=--cpu-prof …]
 *
 * Over IPFS nodes that pin at once, in one further process (with `--embedded` over the peers' own nodes). When
 * `GO_CLUSTER_BIN` names a folder with the Go program, a cluster of three Go peers and two of a Go peer and two of ours take
 * the same load in the same run, and ratios are of the Go cluster; else of the syncs that the disk does. Each cluster is alone
 * on the machine: those that only wait beside it cost it a fifth of its speed. With several rounds, figures are medians.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BenchCluster, makeLead, ourProgram, type PeerKind, sleep, startCluster } from './clusters.ts';
import { syncsPerSecond } from './disk.ts';
import { startKuboStandIns } from './kubo-stand-in.ts';
import { type Client, createClient, percentile } from './load.ts';
import { residentMb } from './processes.ts';
import { type Figure, report } from './report.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1' },
    first: { type: 'string', default: '4000' },
    more: { type: 'string', default: '16000' },
    embedded: { type: 'boolean', default: false },
    'node-flag': { type: 'string', multiple: true, default: [] },
  },
});
const goBin = process.env.GO_CLUSTER_BIN;
if (goBin === undefined) console.error('GO_CLUSTER_BIN is not set: nothing is compared with the Go program');

interface Kind {
  readonly name: string;
  readonly kinds: readonly PeerKind[];
  readonly leader: PeerKind;
}

/** A figure of each round. */
type Rounds = number[];

interface PartRounds {
  readonly pinsPerSecond: Rounds;
  readonly p50: Rounds;
  readonly p99: Rounds;
  /** Seconds of all peers for 1,000 pins. */
  readonly cpu: Rounds;
  /** Of the largest peer, MB. */
  readonly resident: Rounds;
}

interface ClusterRounds {
  readonly parts: ReadonlyMap<Part, PartRounds>;
  readonly elections: Rounds;
  /** Seconds until writes resume. */
  readonly failOver: Rounds;
}

interface Part {
  readonly name: string;
  readonly count: number;
  readonly inFlight: number;
}

const parts: readonly Part[] = [
  { name: 'one client, cold', count: 50, inFlight: 1 },
  { name: `64 in flight, the first ${options.first}`, count: Number(options.first), inFlight: 64 },
  { name: 'one client, warm', count: 500, inFlight: 1 },
  { name: `64 in flight, ${options.more} more`, count: Number(options.more), inFlight: 64 },
  { name: '16 in flight', count: 3000, inFlight: 16 },
  { name: '256 in flight', count: 6000, inFlight: 256 },
];

const clusters: readonly Kind[] = [
  { name: 'ours', kinds: ['ours', 'ours', 'ours'], leader: 'ours' },
  ...(goBin === undefined
    ? []
    : ([
        { name: 'Go', kinds: ['go', 'go', 'go'], leader: 'go' },
        { name: 'mixed, ours leads', kinds: ['ours', 'ours', 'go'], leader: 'ours' },
        { name: 'mixed, Go leads', kinds: ['ours', 'ours', 'go'], leader: 'go' },
      ] as const)),
];

const syncs = await syncsPerSecond();
report({ name: 'disk syncs', value: syncs, unit: '1/s' });
const measured = new Map(clusters.map(({ name }) => [name, noRounds()]));
for (let round = 0; round < Number(options.rounds); round++) {
  for (const kind of clusters) await runAlone(kind, measured.get(kind.name) as ClusterRounds);
}
for (const [name, rounds] of measured) tell(name, rounds, measured.get('Go'));

function noRounds(): ClusterRounds {
  const none = (): PartRounds => ({ pinsPerSecond: [], p50: [], p99: [], cpu: [], resident: [] });
  return { parts: new Map(parts.map((part) => [part, none()])), elections: [], failOver: [] };
}

/** One round of one cluster, from its first start to its end. */
async function runAlone({ name, kinds, leader }: Kind, rounds: ClusterRounds): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const standIns = options.embedded ? undefined : await startKuboStandIns(kinds.length);
  stack.defer(() => standIns?.stop());
  const cluster = await startCluster({
    name,
    folder,
    kinds,
    ipfs: standIns?.multiaddresses,
    goBin,
    program: [...options['node-flag'], ourProgram],
  });
  stack.defer(() => cluster.stop());
  if (!(await makeLead(cluster, leader))) {
    console.error(`${name}: left out of this round, the other kind of peer wins every election`);
    return;
  }
  const client = createClient(cluster.peers.map(({ apiUrl }) => apiUrl));
  stack.defer(() => client.close());
  const elections = await cluster.elections();
  for (const [part, figures] of rounds.parts) await runPart(part, cluster, client, figures);
  rounds.elections.push((await cluster.elections()) - elections);
  rounds.failOver.push(await failOver(cluster));
}

async function runPart(part: Part, cluster: BenchCluster, client: Client, figures: PartRounds): Promise<void> {
  const before = await cluster.cpu();
  const { pinsPerSecond, latencies } = await client.run(part.count, part.inFlight);
  await cluster.quiet();
  figures.cpu.push((((await cluster.cpu()) - before) / part.count) * 1000);
  figures.pinsPerSecond.push(pinsPerSecond);
  figures.p50.push(percentile(latencies, 0.5));
  figures.p99.push(percentile(latencies, 0.99));
  figures.resident.push(Math.max(...(await Promise.all(cluster.peers.map(({ pid }) => residentMb(pid))))));
}

function tell(cluster: string, rounds: ClusterRounds, go: ClusterRounds | undefined): void {
  if (rounds.elections.length === 0) return;
  const compared = (value: number, goRounds: Rounds | undefined): Partial<Figure> =>
    goRounds === undefined || rounds === go ? {} : { ratio: value / median(goRounds), of: 'Go' };
  for (const [part, figures] of rounds.parts) {
    const goFigures = go?.parts.get(part);
    const name = `${cluster}: ${part.name}`;
    const speed = median(figures.pinsPerSecond);
    const limit =
      go === undefined ? { ratio: speed / syncs, of: 'disk syncs/s' } : compared(speed, goFigures?.pinsPerSecond);
    report({ name, value: speed, unit: 'pins/s', ...limit });
    for (const key of ['p50', 'p99'] as const) {
      const value = median(figures[key]);
      report({ name: `${name}, ${key}`, value, unit: 'ms', ...compared(value, goFigures?.[key]) });
    }
    const cpu = median(figures.cpu);
    const unit = 's per 1,000 pins';
    report({ name: `${name}, CPU of all peers`, value: cpu, unit, ...compared(cpu, goFigures?.cpu) });
    if (part.count < 1000) continue;
    report({ name: `${name}, RSS of the largest peer`, value: median(figures.resident), unit: 'MB' });
  }
  const elections = rounds.elections.reduce((sum, count) => sum + count, 0);
  report({ name: `${cluster}: elections while under load`, value: elections, unit: 'count' });
  const failOverSeconds = median(rounds.failOver);
  const name = `${cluster}: writes resume after kill -9 of the leader`;
  report({ name, value: failOverSeconds, unit: 's', ...compared(failOverSeconds, go?.failOver) });
}

function median(values: Rounds): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Seconds without any acknowledged write after the leader was killed, with 16 clients that ask the two others. */
async function failOver(cluster: BenchCluster): Promise<number> {
  const leader = await cluster.leader();
  const survivors = cluster.peers.filter((peer) => peer !== leader);
  const client = createClient(survivors.map(({ apiUrl }) => apiUrl));
  let lastMs = performance.now();
  let longestMs = 0;
  let isOver = false;
  const writer = async (): Promise<void> => {
    while (!isOver) {
      try {
        await client.pin();
        const now = performance.now();
        longestMs = Math.max(longestMs, now - lastMs);
        lastMs = now;
      } catch {
        // Refused while nobody leads.
        await sleep(20);
      }
    }
  };
  const writers = Array.from({ length: 16 }, writer);
  await sleep(1000);
  longestMs = 0;
  await leader.stop('SIGKILL');
  await sleep(8000);
  isOver = true;
  await Promise.all(writers);
  client.close();
  return longestMs / 1000;
}
