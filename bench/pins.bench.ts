/**
 * Pins through the HTTP APIs of three real peers, in processes of their own on loopback.
 *
 *     node bench/pins.bench.ts [--first 4000] [--more 16000] [--embedded] [--node-flag=--cpu-prof …]
 *
 * Over IPFS nodes that pin at once, in one further process (with `--embedded` over the peers' own nodes). When
 * `GO_CLUSTER_BIN` names a folder with the Go program, a cluster of three Go peers and one of a Go peer and two of ours run
 * beside, each part of the load going to one cluster after the other, and ratios are of the Go cluster; else of the syncs
 * that the disk does, measured in the same run.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BenchCluster, makeLead, ourProgram, type PeerKind, sleep, startCluster } from './clusters.ts';
import { syncsPerSecond } from './disk.ts';
import { startKuboStandIns } from './kubo-stand-in.ts';
import { type Client, createClient, type LoadResult, percentile } from './load.ts';
import { residentMb } from './processes.ts';
import { type Figure, report } from './report.ts';

const inFlightMost = 256;
const { values: options } = parseArgs({
  options: {
    first: { type: 'string', default: '4000' },
    more: { type: 'string', default: '16000' },
    embedded: { type: 'boolean', default: false },
    'node-flag': { type: 'string', multiple: true, default: [] },
  },
});
const goBin = process.env.GO_CLUSTER_BIN;
if (goBin === undefined) console.error('GO_CLUSTER_BIN is not set: nothing is compared with the Go program');

interface Runner {
  readonly cluster: BenchCluster;
  readonly client: Client;
  /** Before the load. */
  readonly elections: number;
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
  { name: '256 in flight', count: 6000, inFlight: inFlightMost },
];

const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
const runners: Runner[] = [];
const stops: (() => void | Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const syncs = await syncsPerSecond();
  report({ name: 'disk syncs', value: syncs, unit: '1/s' });
  await addCluster('ours', ['ours', 'ours', 'ours']);
  if (goBin !== undefined) {
    await addCluster('Go', ['go', 'go', 'go']);
    await addCluster('mixed, ours leads', ['ours', 'ours', 'go']);
    await addCluster('mixed, Go leads', ['ours', 'ours', 'go'], 'go');
  }
  for (const part of parts) await compare(part, syncs);
  for (const { cluster, elections } of runners) {
    report({
      name: `${cluster.name}: elections while under load`,
      value: (await cluster.elections()) - elections,
      unit: 'count',
    });
  }
  for (const { cluster } of runners) {
    report({
      name: `${cluster.name}: writes resume after kill -9 of the leader`,
      value: await failOver(cluster),
      unit: 's',
    });
  }
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function addCluster(name: string, kinds: readonly PeerKind[], leader: PeerKind = 'ours'): Promise<void> {
  const standIns = options.embedded ? undefined : await startKuboStandIns(kinds.length);
  if (standIns !== undefined) stops.push(() => standIns.stop());
  const cluster = await startCluster({
    name,
    folder: join(folder, String(runners.length)),
    kinds,
    ipfs: standIns?.multiaddresses,
    goBin,
    program: [...options['node-flag'], ourProgram],
  });
  stops.push(() => cluster.stop());
  const client = createClient(
    cluster.peers.map(({ apiUrl }) => apiUrl),
    inFlightMost,
  );
  stops.push(() => client.close());
  if (kinds.includes('ours') && kinds.includes('go') && !(await makeLead(cluster, leader))) {
    console.error(`${name}: left out, the other kind of peer wins every election`);
    return;
  }
  runners.push({ cluster, client, elections: await cluster.elections() });
}

/** One part of the load, on one cluster after the other. */
async function compare(part: Part, syncs: number): Promise<void> {
  const results = new Map<string, { readonly load: LoadResult; readonly cpu: number }>();
  for (const { cluster, client } of runners) {
    const before = await cluster.cpu();
    const load = await client.run(part.count, part.inFlight);
    await cluster.quiet();
    results.set(cluster.name, { load, cpu: (((await cluster.cpu()) - before) / part.count) * 1000 });
  }
  const go = results.get('Go');
  for (const { cluster } of runners) {
    const result = results.get(cluster.name);
    if (result === undefined) continue;
    const of = (value: number, goValue: number | undefined): Partial<Figure> =>
      goValue === undefined || cluster.name === 'Go' ? {} : { ratio: value / goValue, of: 'Go' };
    const { load, cpu } = result;
    const name = `${cluster.name}: ${part.name}`;
    const limit =
      go === undefined
        ? { ratio: load.pinsPerSecond / syncs, of: 'disk syncs/s' }
        : of(load.pinsPerSecond, go.load.pinsPerSecond);
    report({ name, value: load.pinsPerSecond, unit: 'pins/s', ...limit });
    for (const [label, at] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      const value = percentile(load.latencies, at);
      const goValue = go && percentile(go.load.latencies, at);
      report({ name: `${name}, ${label}`, value, unit: 'ms', ...of(value, goValue) });
    }
    report({ name: `${name}, CPU of all peers`, value: cpu, unit: 's per 1,000 pins', ...of(cpu, go?.cpu) });
    if (part.count < 1000) continue;
    const residents = await Promise.all(cluster.peers.map(({ pid }) => residentMb(pid)));
    report({ name: `${name}, RSS of the largest peer`, value: Math.max(...residents), unit: 'MB' });
  }
}

/** Seconds without any acknowledged write after the leader was killed, with 16 clients that ask the two others. */
async function failOver(cluster: BenchCluster): Promise<number> {
  const leader = await cluster.leader();
  const survivors = cluster.peers.filter((peer) => peer !== leader);
  const client = createClient(
    survivors.map(({ apiUrl }) => apiUrl),
    inFlightMost,
  );
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
  await client.close();
  return longestMs / 1000;
}
