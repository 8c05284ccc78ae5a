/**
 * Lists, tracking, memory and starts of three real peers that hold many pins, in processes of their own on loopback.
 *
 *     node bench/size.bench.ts [--pins 100000] [--large 1000000] [--idle 60]
 *
 * The peers begin with a pinset made by `state import`; their IPFS nodes, in one further process, pin at once. `--pins` are
 * tracked from nothing and then listed; when `GO_CLUSTER_BIN` names a folder with the Go program, three Go peers do the same
 * beside, and ratios are of them. `--large` are pins that the IPFS nodes hold already, each allocated to two of the three
 * peers; no comparison, for Go peers take minutes. 0 leaves a part out.
 *
 * How long the event loops of our peers stood still is told next to a tenth of the time in which a leader must hear of its followers.
 * On a busy machine they stand still because others run.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cid, type Pin, pinJson } from '../src/model/index.ts';
import { type BenchCluster, type BenchPeer, ourProgram, type PeerKind, sleep, startCluster } from './clusters.ts';
import { type KuboStandIns, startKuboStandIns } from './kubo-stand-in.ts';
import { loopDelayFlag, takeLoopDelay } from './loop-delay.ts';
import { anonymousMb, residentMb } from './processes.ts';
import { type Figure, report } from './report.ts';

const { values: options } = parseArgs({
  options: {
    pins: { type: 'string', default: '100000' },
    large: { type: 'string', default: '1000000' },
    idle: { type: 'string', default: '60' },
    'node-flag': { type: 'string', multiple: true, default: [] },
  },
});
const goBin = process.env.GO_CLUSTER_BIN;
/** A tenth of the time in which a Raft leader must hear of its followers; what stands still for longer is told as more than 1. */
const loopDelayMaxMs = 50;
const lists: readonly (readonly [name: string, path: string])[] = [
  ['all allocations', '/allocations'],
  ['local status', '/pins?local=true'],
  ['status of all', '/pins'],
];

const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
const stops: (() => void | Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  if (Number(options.pins) > 0) await compare(Number(options.pins));
  if (Number(options.large) > 0) await large(Number(options.large));
} finally {
  for (const stop of stops.reverse()) await stop();
}

// ---------------------------------------------------------------------------------------------------- with Go beside

async function compare(count: number): Promise<void> {
  const names: PeerKind[] = goBin === undefined ? ['ours'] : ['ours', 'go'];
  if (goBin === undefined) console.error('GO_CLUSTER_BIN is not set: nothing is compared with the Go program');
  const file = await writePinset(count, () => []);
  await alone(names, count, file);
  const clusters = new Map<PeerKind, BenchCluster>();
  const seconds = new Map<PeerKind, number>();
  const processor = new Map<PeerKind, number>();
  for (const kind of names) {
    const standIns = await startKuboStandIns(3);
    stops.push(() => standIns.stop());
    const cluster = await start(kind, standIns, async () => file);
    clusters.set(kind, cluster);
    await allPinned(standIns, count);
    seconds.set(kind, (performance.now() - cluster.beganMs) / 1000);
    processor.set(kind, await cluster.cpu());
    await cluster.quiet();
  }
  const figure = (kind: PeerKind, value: Omit<Figure, 'ratio' | 'of'>, ofGo: number | undefined): void =>
    report({ ...value, ...(kind === 'ours' && ofGo !== undefined ? { ratio: value.value / ofGo, of: 'Go' } : {}) });
  for (const kind of names) {
    const name = `${kind}: ${count} pins from starting three peers to pinned on all`;
    figure(kind, { name, value: seconds.get(kind) ?? 0, unit: 's' }, seconds.get('go'));
    figure(kind, { name: `${name}, CPU`, value: processor.get(kind) ?? 0, unit: 's' }, processor.get('go'));
    await reportResident(`${kind}: ${count} pins, tracked`, clusters.get(kind));
    for (const p of clusters.get(kind)?.peers ?? []) process.kill(p.pid ?? 0, 'SIGUSR2');
    await sleep(4000);
    if (kind === 'ours') await reportLoopDelay(`${kind}: ${count} pins, start and tracking`, clusters.get(kind));
  }
  for (const [name, path] of lists) {
    for (const round of ['first', 'second']) {
      const results = new Map<PeerKind, ListResult>();
      for (const [kind, cluster] of clusters) results.set(kind, await list(cluster, path, count));
      for (const [kind, result] of results) {
        const title = `${kind}: ${count} pins, ${name}, ${round} time`;
        reportList(title, result, kind === 'ours' ? results.get('go') : undefined);
        if (kind === 'ours') await reportLoopDelay(title, clusters.get(kind));
      }
    }
  }
  for (const [kind, cluster] of clusters) {
    await reportResident(`${kind}: ${count} pins, listed`, cluster);
    for (const p of cluster.peers) process.kill(p.pid ?? 0, 'SIGUSR2');
    await sleep(4000);
    await cluster.stop();
  }
}

/** From start to pinned of a peer that has the machine for itself. */
async function alone(kinds: readonly PeerKind[], count: number, file: string): Promise<void> {
  const seconds = new Map<PeerKind, number>();
  for (const kind of kinds) {
    const standIns = await startKuboStandIns(1);
    stops.push(() => standIns.stop());
    const cluster = await start(kind, standIns, async () => file, 1);
    await allPinned(standIns, count);
    seconds.set(kind, (performance.now() - cluster.beganMs) / 1000);
    report({ name: `${kind}: ${count} pins, one peer alone, CPU`, value: await cluster.cpu(), unit: 's' });
    await cluster.stop();
  }
  for (const [kind, value] of seconds) {
    const go = kind === 'ours' ? seconds.get('go') : undefined;
    const name = `${kind}: ${count} pins, one peer alone, from start to pinned`;
    report({ name, value, unit: 's', ...(go === undefined ? {} : { ratio: value / go, of: 'Go' }) });
  }
}

async function allPinned(standIns: KuboStandIns, count: number): Promise<void> {
  for (;;) {
    if ((await standIns.pinCounts()).every((pinned) => pinned >= count)) return;
    await sleep(50);
  }
}

// ---------------------------------------------------------------------------------------------------- many pins

async function large(count: number): Promise<void> {
  const empty = await startEmpty();
  const held = join(folder, 'held');
  await writeLines(held, count, (n) => pinNumber(n, []).cid.toString());
  const standIns = await startKuboStandIns(3, held);
  stops.push(() => standIns.stop());
  const cluster = await start('ours', standIns, async (ids) => {
    const pairs = [0, 1, 2].map((i) => [ids[i] ?? '', ids[(i + 1) % 3] ?? ''].sort());
    return await writePinset(count, (i) => pairs[i % 3] ?? []);
  });
  await cluster.quiet();
  await reportResident(`${count} pins, started`, cluster);
  await reportLoopDelay(`${count} pins, start`, cluster);
  const [peer, , other] = cluster.peers as readonly [BenchPeer, BenchPeer, BenchPeer];
  for (const [name, path] of lists) {
    const before = await anonymousMb(peer.pid);
    const watch = watchMemory(peer);
    const result = await list(cluster, path, count);
    reportList(`${count} pins, ${name}`, result);
    report({ name: `${count} pins, ${name}, memory rise while listed`, value: (await watch()) - before, unit: 'MB' });
    await reportLoopDelay(`${count} pins, ${name}`, cluster);
  }
  await hang(cluster, other, count);
  await restart(cluster, peer, count);
  await idle(cluster, empty, count);
  await vanish(cluster, peer, count);
  await together(cluster, count);
}

/** Lists for several callers at once. */
async function together(cluster: BenchCluster, count: number): Promise<void> {
  const alone = await list(cluster, '/allocations', count);
  const began = performance.now();
  await Promise.all(Array.from({ length: 5 }, () => list(cluster, '/allocations', count)));
  const five = (performance.now() - began) / 1000;
  const ratio = five / (5 * alone.seconds);
  report({
    name: `${count} pins, all allocations, five callers at once`,
    value: five,
    unit: 's',
    ratio,
    of: 'five times one',
  });
}

/** For the comparison of what peers use that have nothing to do. */
async function startEmpty(): Promise<BenchCluster> {
  const standIns = await startKuboStandIns(3);
  stops.push(() => standIns.stop());
  return await start('ours', standIns);
}

/** Clients that go away after the first bytes; then the peer has to come to rest. */
async function vanish(cluster: BenchCluster, peer: BenchPeer, count: number): Promise<void> {
  const before = await cluster.cpu();
  for (let i = 0; i < 10; i++) {
    const [response] = (await once(request(`${peer.apiUrl}/pins`).end(), 'response')) as [IncomingMessage];
    await once(response, 'data');
    response.destroy();
  }
  await cluster.quiet();
  const value = (await cluster.cpu()) - before;
  report({ name: `${count} pins, CPU of ten status lists whose clients vanish`, value, unit: 's' });
}

/** A peer that is alive and answers nothing. */
async function hang(cluster: BenchCluster, hung: BenchPeer, count: number): Promise<void> {
  const { id } = JSON.parse(await readFile(join(hung.folder, 'identity.json'), 'utf8')) as { id: string };
  process.kill(hung.pid ?? 0, 'SIGSTOP');
  try {
    let errors = 0;
    let wrong = 0;
    const result = await list(cluster, '/pins', count, (line) => {
      const has = line.includes('"status":"cluster_error"');
      errors += has ? 1 : 0;
      const allocated = /"allocations":\[([^\]]*)\]/.exec(line)?.[1]?.includes(id) ?? false;
      wrong += has === allocated ? 0 : 1;
    });
    reportList(`${count} pins, status of all, one of three peers hangs`, result);
    report({ name: `${count} pins, of these with cluster_error`, value: errors, unit: 'count' });
    report({ name: `${count} pins, of these where that is wrong`, value: wrong, unit: 'count' });
  } finally {
    process.kill(hung.pid ?? 0, 'SIGCONT');
  }
  await cluster.quiet();
}

async function idle(cluster: BenchCluster, empty: BenchCluster, count: number): Promise<void> {
  const before = [await cluster.cpu(), await empty.cpu()];
  await sleep(Number(options.idle) * 1000);
  const [full = 0, none = 0] = [await cluster.cpu(), await empty.cpu()].map((now, i) => now - (before[i] ?? 0));
  const part = full / (3 * Number(options.idle));
  report({
    name: `${count} pins, CPU of an idle peer`,
    value: part * 100,
    unit: '%',
    ratio: full / none,
    of: 'an empty one',
  });
  await empty.stop();
}

/** A peer starts again while the others go on; a client asks all the time how it is. */
async function restart(cluster: BenchCluster, peer: BenchPeer, count: number): Promise<void> {
  const began = performance.now();
  await peer.stop();
  report({ name: `${count} pins, stop`, value: (performance.now() - began) / 1000, unit: 's' });
  report({ name: `${count} pins, from start to ready`, value: (await peer.start()) / 1000, unit: 's' });
  await takeLoopDelay(peer);
  const asking = askOften(peer);
  await cluster.quiet();
  await reportLoopDelay(`${count} pins, recovery after a start`, cluster);
  const waits = (await asking()).sort((a, b) => a - b);
  const name = `${count} pins, answer to GET /version while recovery runs`;
  report({ name: `${name}, p99`, value: waits[Math.floor(waits.length * 0.99)] ?? 0, unit: 'ms' });
  report({ name: `${name}, longest`, value: waits.at(-1) ?? 0, unit: 'ms' });
  report({ name: `${count} pins, from start to rest`, value: (performance.now() - began) / 1000, unit: 's' });
}

function askOften(peer: BenchPeer): () => Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const waits: number[] = [];
  let isOver = false;
  const ask = async (): Promise<void> => {
    while (!isOver) {
      const began = performance.now();
      const [response] = (await once(request(`${peer.apiUrl}/version`, { agent }).end(), 'response')) as [
        IncomingMessage,
      ];
      response.resume();
      await once(response, 'end');
      waits.push(performance.now() - began);
      await sleep(5);
    }
    agent.destroy();
  };
  const asking = ask();
  return async () => {
    isOver = true;
    await asking;
    return waits;
  };
}

// ---------------------------------------------------------------------------------------------------- lists

interface ListResult {
  readonly seconds: number;
  /** Until the first bytes of the body. */
  readonly firstMs: number;
  readonly bytes: number;
  /** Of all peers. */
  readonly cpu: number;
}

/** Lists through the first peer, and counts the lines. */
async function list(
  cluster: BenchCluster,
  path: string,
  count: number,
  onLine?: (line: string) => void,
): Promise<ListResult> {
  const before = await cluster.cpu();
  const began = performance.now();
  const [response] = (await once(request(`${cluster.peers[0]?.apiUrl}${path}`).end(), 'response')) as [IncomingMessage];
  let firstMs = 0;
  let bytes = 0;
  let lines = 0;
  let rest = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (bytes === 0) firstMs = performance.now() - began;
    bytes += chunk.length;
    if (onLine === undefined) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
      continue;
    }
    const parts = (rest + chunk.toString('latin1')).split('\n');
    rest = parts.pop() ?? '';
    lines += parts.length;
    parts.forEach(onLine);
  }
  const seconds = (performance.now() - began) / 1000;
  const error = response.trailers['x-stream-error'];
  if (lines !== count || error !== '') throw new Error(`GET ${path}: ${lines} lines of ${count}, error "${error}"`);
  return { seconds, firstMs, bytes, cpu: (await cluster.cpu()) - before };
}

function reportList(name: string, result: ListResult, go?: ListResult): void {
  const of = (value: number, goValue: number | undefined): Partial<Figure> =>
    goValue === undefined ? {} : { ratio: value / goValue, of: 'Go' };
  report({ name: `${name}, time`, value: result.seconds, unit: 's', ...of(result.seconds, go?.seconds) });
  report({ name: `${name}, first byte`, value: result.firstMs, unit: 'ms', ...of(result.firstMs, go?.firstMs) });
  report({ name: `${name}, CPU of all peers`, value: result.cpu, unit: 's', ...of(result.cpu, go?.cpu) });
}

async function reportResident(name: string, cluster: BenchCluster | undefined): Promise<void> {
  const residents = await Promise.all((cluster?.peers ?? []).map(({ pid }) => residentMb(pid)));
  report({ name: `${name}, RSS of the largest peer`, value: Math.max(...residents), unit: 'MB' });
  const anonymous = await Promise.all((cluster?.peers ?? []).map(({ pid }) => anonymousMb(pid)));
  report({ name: `${name}, of these without mapped files`, value: Math.max(...anonymous), unit: 'MB' });
}

/** Of all peers, since the last time. */
async function reportLoopDelay(name: string, cluster: BenchCluster | undefined): Promise<void> {
  const delays = await Promise.all((cluster?.peers ?? []).map(takeLoopDelay));
  const value = Math.max(...delays);
  const ratio = value / loopDelayMaxMs;
  report({ name: `${name}, event loop stood still`, value, unit: 'ms', ratio, of: `${loopDelayMaxMs} ms` });
}

/** @returns what ends the watch and tells the most. */
function watchMemory(peer: BenchPeer): () => Promise<number> {
  let most = 0;
  const look = async (): Promise<void> => {
    most = Math.max(most, await anonymousMb(peer.pid));
  };
  const timer = setInterval(look, 100);
  return async () => {
    clearInterval(timer);
    await look();
    return most;
  };
}

// ---------------------------------------------------------------------------------------------------- peers and pins

async function start(
  kind: PeerKind,
  standIns: KuboStandIns,
  pinset?: (ids: readonly string[]) => Promise<string>,
  peers: number = 3,
): Promise<BenchCluster> {
  const cluster = await startCluster({
    name: kind,
    folder: await mkdtemp(join(folder, 'peers-')),
    kinds: Array.from({ length: peers }, () => kind),
    ipfs: standIns.multiaddresses,
    goBin,
    program: [...options['node-flag'], loopDelayFlag, ourProgram],
    ...(pinset === undefined
      ? {}
      : {
          pinset: async (peers) => {
            const texts = await Promise.all(peers.map((peer) => readFile(join(peer.folder, 'identity.json'), 'utf8')));
            return await pinset(texts.map((text) => (JSON.parse(text) as { id: string }).id));
          },
        }),
  });
  stops.push(() => cluster.stop());
  return cluster;
}

/** A file of so many pins, everywhere or allocated. @returns its path */
async function writePinset(count: number, allocationsOf: (i: number) => readonly string[]): Promise<string> {
  const path = join(folder, `${count}.json`);
  await writeLines(path, count, (n) => pinJson.print(pinNumber(n, allocationsOf(n))));
  return path;
}

async function writeLines(path: string, count: number, lineOf: (n: number) => string): Promise<void> {
  const output = createWriteStream(path);
  for (let at = 0; at < count; at += 1000) {
    const lines = Array.from({ length: Math.min(1000, count - at) }, (_, i) => `${lineOf(at + i)}\n`);
    if (!output.write(lines.join(''))) await once(output, 'drain');
  }
  output.end();
  await once(output, 'close');
}

function pinNumber(n: number, allocations: readonly string[]): Pin {
  const digest = createHash('sha256').update(`pin ${n}`).digest();
  const factor = allocations.length === 0 ? -1 : allocations.length;
  return {
    cid: Cid.decode(Buffer.concat([Uint8Array.of(1, 0x55, 0x12, 32), digest])),
    type: 'pin',
    allocations,
    maxDepth: -1,
    reference: null,
    timestamp: { seconds: 1_700_000_000 + Math.floor(n / 100), nanos: 0 },
    replicationFactorMin: factor,
    replicationFactorMax: factor,
    name: `pin number ${n}`,
    mode: 'recursive',
    shardSize: 0,
    userAllocations: null,
    expireAt: null,
    metadata: null,
    pinUpdate: null,
    origins: [],
  };
}
