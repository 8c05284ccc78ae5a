/**
 * Adding through the HTTP API of one of three real peers, which brings the blocks to all three: one large file, then many small ones. The
 * peers have embedded nodes; when `KUBO_BIN` names the `ipfs` program, a second cluster has a Kubo each, and when `GO_CLUSTER_BIN` names a
 * folder with the Go program too, three Go peers with a Kubo each do the same, and ratios are of them. Kubo alone adds the large file too.
 *
 *     node bench/add.bench.ts [--large 200] [--small 5000]
 */
import { randomFillSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startKubo } from '../test/conformance/kubo-daemon.ts';
import { type BenchCluster, ourProgram, type PeerKind, startCluster } from './clusters.ts';
import { anonymousMb } from './processes.ts';
import { report } from './report.ts';

const { values: options } = parseArgs({
  options: { large: { type: 'string', default: '200' }, small: { type: 'string', default: '5000' } },
});
const largeMiB = Number(options.large);
const smallCount = Number(options.small);
const smallBytes = 4096;
const rounds = 2;
const { KUBO_BIN: kubo, GO_CLUSTER_BIN: goBin } = process.env;
if (kubo === undefined) console.error('KUBO_BIN is not set: only embedded nodes are measured');
else if (goBin === undefined) console.error('GO_CLUSTER_BIN is not set: nothing is compared with the Go program');

/** Content that no node has had yet, in pieces of one MiB. */
const piece = randomFillSync(new Uint8Array(1_048_576));
let fresh = 0;
const freshPiece = (length: number): Buffer => {
  const bytes = Buffer.from(piece.subarray(0, length));
  bytes.writeUInt32BE(fresh++);
  bytes.writeUInt32BE(process.pid, 4);
  return bytes;
};

interface Subject {
  readonly name: string;
  readonly url: string;
  /** Of its HTTP API, or of Kubo's. */
  readonly path: string;
  readonly cluster?: BenchCluster;
}

const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
const stops: (() => void | Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const subjects: Subject[] = [await cluster('ours, embedded nodes', 'ours', undefined)];
  if (kubo !== undefined) {
    const alone = await startKubo(kubo);
    stops.push(() => alone.stop());
    subjects.push({ name: 'Kubo alone', url: alone.url, path: '/api/v0/add?raw-leaves=true&cid-version=1' });
    subjects.push(await cluster('ours, Kubo', 'ours', kubo));
    if (goBin !== undefined) subjects.push(await cluster('Go, Kubo', 'go', kubo));
  }
  await measure(`a file of ${largeMiB} MiB`, 'MB/s', (largeMiB * piece.length) / 1e6, subjects, largeParts);
  await measure(
    `${smallCount} files of ${smallBytes} bytes in a directory`,
    'files/s',
    smallCount,
    subjects,
    smallParts,
  );
} finally {
  for (const stop of stops.reverse()) await stop();
}

async function cluster(name: string, kind: PeerKind, program: string | undefined): Promise<Subject> {
  const daemons = program === undefined ? undefined : await Promise.all([1, 2, 3].map(() => startKubo(program)));
  stops.push(async () => {
    await Promise.all((daemons ?? []).map((daemon) => daemon.stop()));
  });
  const started = await startCluster({
    name,
    folder: await mkdtemp(join(folder, 'peers-')),
    kinds: [kind, kind, kind],
    ipfs: daemons?.map(({ url }) => `/ip4/127.0.0.1/tcp/${new URL(url).port}`),
    goBin,
    program: [ourProgram],
  });
  stops.push(() => started.stop());
  const path = '/add?raw-leaves=true&cid-version=1&stream-channels=false';
  return { name, url: started.peers[0]?.apiUrl ?? '', path, cluster: started };
}

type Parts = () => Iterable<{ readonly path: string; readonly pieces: Iterable<Uint8Array> }>;

/** By turns, so that what else the machine does meets them alike; the best counts. */
async function measure(what: string, unit: string, amount: number, subjects: readonly Subject[], parts: Parts) {
  const best = new Map<Subject, { rate: number; cpu: number; mb: number }>();
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      const cpuBefore = (await subject.cluster?.cpu()) ?? 0;
      const began = performance.now();
      await add(subject, parts);
      const rate = (amount / (performance.now() - began)) * 1000;
      await subject.cluster?.quiet();
      const cpu = ((await subject.cluster?.cpu()) ?? 0) - cpuBefore;
      const mb = subject.cluster === undefined ? 0 : await anonymousMb(subject.cluster.peers[0]?.pid);
      const before = best.get(subject) ?? { rate: 0, cpu, mb };
      best.set(subject, {
        rate: Math.max(before.rate, rate),
        cpu: Math.min(before.cpu, cpu),
        mb: Math.max(before.mb, mb),
      });
    }
  }
  const go = [...best].find(([{ name }]) => name.startsWith('Go'))?.[1];
  for (const [{ name, cluster: measured }, { rate, cpu, mb }] of best) {
    const title = `${name}: ${what}`;
    report({ name: title, value: rate, unit, ...(go === undefined ? {} : { ratio: rate / go.rate, of: 'Go' }) });
    if (measured === undefined) continue;
    const ofGo = go === undefined ? {} : { ratio: cpu / go.cpu, of: 'Go' };
    report({ name: `${title}, CPU of all peers`, value: cpu, unit: 's', ...ofGo });
    report({ name: `${title}, memory of the peer that adds, without mapped files`, value: mb, unit: 'MB' });
  }
}

function* largeParts(): ReturnType<Parts> {
  const pieces = function* (): Iterable<Uint8Array> {
    for (let i = 0; i < largeMiB; i++) yield freshPiece(piece.length);
  };
  yield { path: 'large', pieces: pieces() };
}

function* smallParts(): ReturnType<Parts> {
  for (let i = 0; i < smallCount; i++) yield { path: `small/${i % 50}/${i}`, pieces: [freshPiece(smallBytes)] };
}

async function add({ url, path }: Subject, parts: Parts): Promise<void> {
  const pool = new Pool(url, { headersTimeout: 0, bodyTimeout: 0 });
  const body = function* (): Iterable<Uint8Array> {
    for (const { path: at, pieces } of parts()) {
      const name = encodeURIComponent(at);
      const head = `Content-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: application/octet-stream`;
      yield Buffer.from(`--b\r\n${head}\r\n\r\n`);
      yield* pieces;
      yield Buffer.from('\r\n');
    }
    yield Buffer.from('--b--\r\n');
  };
  try {
    const answer = await pool.request({
      method: 'POST',
      path,
      headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
      body: Readable.from(body()),
    });
    const said = await text(answer.body);
    if (answer.statusCode !== 200 || said.length < 50) throw new Error(`${path}: ${answer.statusCode} ${said}`);
  } finally {
    await pool.destroy();
  }
}
