/**
 * The HTTP API of a peer that holds many pins: small requests beside an empty handler of `node:http`, lists beside the same bytes from a
 * server that has nothing to do for them, and five lists at once beside one. Peer, server and client are processes of their own. When
 * `GO_CLUSTER_BIN` names a folder with the Go program, one peer of it does the same beside.
 *
 *     node bench/http.bench.ts [--pins 100000] [--requests 20000]
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Cid, pinJson } from '../src/model/index.ts';
import { pinOf } from '../test/support/pins.ts';
import { type BenchCluster, ourProgram, type PeerKind, startCluster } from './clusters.ts';
import { startKuboStandIns } from './kubo-stand-in.ts';
import { cpuSeconds } from './processes.ts';
import { report } from './report.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { pins: { type: 'string', default: '100000' }, requests: { type: 'string', default: '20000' } },
});
const goBin = process.env.GO_CLUSTER_BIN;
const inFlight = 16;
/** All by turns, so that what else the machine does meets them alike; the best counts. */
const rounds = 5;
const callers = 5;
const chunk = Buffer.alloc(64 * 1024, 'a pin in a line of JSON\n');

if (positionals[0] === 'bare') runBare();
else await measure();

/** `GET /bytes?<n>` answers with so many, anything else with an empty object. Ends with the parent. */
function runBare(): void {
  const server = createServer(async (incoming, response) => {
    const bytes = Number(/^\/bytes\?(\d+)$/.exec(incoming.url ?? '')?.[1] ?? -1);
    if (bytes < 0) {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
      return;
    }
    for (let left = bytes; left > 0; left -= chunk.length) {
      const hasRoom = response.write(left < chunk.length ? chunk.subarray(0, left) : chunk);
      if (!hasRoom) await once(response, 'drain');
    }
    response.end();
  });
  server.listen(0, '127.0.0.1', () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  process.once('disconnect', () => process.exit());
}

async function measure(): Promise<void> {
  const count = Number(options.pins);
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
  const stops: (() => void | Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const file = join(folder, 'pins.json');
    const held = join(folder, 'held');
    const pins = Array.from({ length: count }, (_, n) => pinNumber(n));
    await writeFile(file, pins.map((pin) => `${pinJson.print(pin)}\n`).join(''));
    await writeFile(held, pins.map(({ cid }) => `${cid}\n`).join(''));
    const bare = fork(fileURLToPath(import.meta.url), ['bare']);
    stops.push(() => bare.disconnect());
    const [bareUrl] = (await once(bare, 'message')) as [string];
    const kinds: readonly PeerKind[] = goBin === undefined ? ['ours'] : ['ours', 'go'];
    const clusters = new Map<PeerKind, BenchCluster>();
    for (const kind of kinds) {
      const standIns = await startKuboStandIns(1, held);
      stops.push(() => standIns.stop());
      const cluster = await startCluster({
        name: kind,
        folder: await mkdtemp(join(folder, 'peers-')),
        kinds: [kind],
        ipfs: standIns.multiaddresses,
        goBin,
        program: [ourProgram],
        pinset: async () => file,
      });
      stops.push(() => cluster.stop());
      await cluster.quiet();
      clusters.set(kind, cluster);
    }
    const subjects: Subject[] = [...clusters].map(([name, { peers }]) => ({
      name,
      url: peers[0]?.apiUrl ?? '',
      pid: peers[0]?.pid,
    }));
    await compareRequests({ name: 'empty', url: bareUrl, pid: bare.pid }, subjects);
    await compareLists(bareUrl, subjects, count);
    for (const subject of subjects) await compareCallers(subject, count);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

interface Subject {
  readonly name: string;
  readonly url: string;
  readonly pid: number | undefined;
}

// ---------------------------------------------------------------------------------------------------- small requests

async function compareRequests(empty: Subject, subjects: readonly Subject[]): Promise<void> {
  for (const path of ['/version', '/id']) {
    const all = [empty, ...subjects];
    const best = new Map(all.map((subject) => [subject, { perSecond: 0, cpu: Number.POSITIVE_INFINITY }]));
    for (let round = 0; round < rounds; round++) {
      for (const subject of all) {
        const result = await manyRequests(subject, path);
        const so = best.get(subject) ?? result;
        best.set(subject, { perSecond: Math.max(so.perSecond, result.perSecond), cpu: Math.min(so.cpu, result.cpu) });
      }
    }
    const base = best.get(empty);
    for (const [{ name }, { perSecond, cpu }] of best) {
      const of = 'an empty handler';
      report({
        name: `${name}: GET ${path}`,
        value: perSecond,
        unit: '1/s',
        ratio: perSecond / (base?.perSecond ?? 0),
        of,
      });
      report({ name: `${name}: GET ${path}, CPU`, value: cpu * 1e6, unit: 'µs', ratio: cpu / (base?.cpu ?? 0), of });
    }
  }
}

async function manyRequests({ url, pid }: Subject, path: string): Promise<{ perSecond: number; cpu: number }> {
  const each = Math.ceil(Number(options.requests) / rounds / inFlight);
  const before = await cpuSeconds(pid);
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, () => oneByOne(new URL(path, url), each)));
  const seconds = (performance.now() - began) / 1000;
  const total = each * inFlight;
  return { perSecond: total / seconds, cpu: ((await cpuSeconds(pid)) - before) / total };
}

/** One connection, one request at a time. The answers are as long as the first one, which spares the client most of its work. */
async function oneByOne({ hostname, port, host, pathname }: URL, count: number): Promise<void> {
  const asked = Buffer.from(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let [left, length, got] = [count, 0, 0];
  let first = '';
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`${pathname}: the connection was closed`)));
  socket.on('data', (data) => {
    got += data.length;
    if (length === 0) {
      first += data.toString('latin1');
      length = lengthOf(first);
    }
    if (length === 0 || got < length) return;
    got -= length;
    left -= 1;
    if (left > 0) socket.write(asked);
    else resolve();
  });
  socket.write(asked);
  await promise;
  socket.removeAllListeners().destroy();
}

/** Of a whole answer; 0 while it is not whole. */
function lengthOf(text: string): number {
  const head = text.indexOf('\r\n\r\n') + 4;
  if (head < 4) return 0;
  if (!text.startsWith('HTTP/1.1 200')) throw new Error(text);
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  if (length !== undefined) return text.length < head + Number(length) ? 0 : head + Number(length);
  return text.endsWith('0\r\n\r\n') ? text.length : 0;
}

// ---------------------------------------------------------------------------------------------------- lists

async function compareLists(bareUrl: string, subjects: readonly Subject[], count: number): Promise<void> {
  for (const path of ['/allocations', '/pins?local=true']) {
    for (const { name, url } of subjects) {
      let [best, bareBest] = [0, 0];
      let bytes = 0;
      for (let round = 0; round < rounds; round++) {
        await change(url, 2 * round);
        const result = await list(`${url}${path}`);
        bytes = result.bytes;
        best = Math.max(best, result.bytes / result.seconds);
        const bare = await list(`${bareUrl}/bytes?${bytes}`);
        bareBest = Math.max(bareBest, bare.bytes / bare.seconds);
      }
      const title = `${name}: ${count} pins, GET ${path}`;
      report({ name: title, value: best / 1e6, unit: 'MB/s', ratio: best / bareBest, of: 'the same bytes alone' });
      report({ name: `${title}, time`, value: bytes / best, unit: 's' });
    }
  }
}

/** After a change, as the first one who asks finds it; and once more as it is. */
async function compareCallers({ name, url }: Subject, count: number): Promise<void> {
  const path = `${url}/allocations`;
  let [one, again, many] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < rounds; round++) {
    await change(url, 100 + 2 * round);
    one = Math.min(one, (await list(path)).seconds);
    again = Math.min(again, (await list(path)).seconds);
    await change(url, 101 + 2 * round);
    const began = performance.now();
    await Promise.all(Array.from({ length: callers }, () => list(path)));
    many = Math.min(many, (performance.now() - began) / 1000);
  }
  const title = `${name}: ${count} pins, all allocations`;
  report({ name: `${title}, one caller`, value: one, unit: 's' });
  report({ name: `${title}, unchanged since the last`, value: again, unit: 's', ratio: again / one, of: 'one caller' });
  report({ name: `${title}, ${callers} callers`, value: many, unit: 's', ratio: many / one, of: 'one caller' });
}

/** A pin more, and none more. */
async function change(url: string, n: number): Promise<void> {
  const { cid } = pinNumber(-1 - n);
  for (const method of ['POST', 'DELETE']) {
    const response = await fetch(`${url}/pins/${cid}`, { method });
    if (!response.ok) throw new Error(`${method} /pins: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  }
}

async function list(url: string): Promise<{ readonly seconds: number; readonly bytes: number }> {
  const began = performance.now();
  const [response] = (await once(request(url, { agent: false }).end(), 'response')) as [IncomingMessage];
  let bytes = 0;
  response.on('data', (data: Buffer) => {
    bytes += data.length;
  });
  await once(response, 'end');
  const error = response.trailers['x-stream-error'] ?? '';
  if (response.statusCode !== 200 || error !== '') throw new Error(`GET ${url}: ${response.statusCode} ${error}`);
  return { seconds: (performance.now() - began) / 1000, bytes };
}

function pinNumber(n: number) {
  const digest = createHash('sha256').update(`pin ${n}`).digest();
  return pinOf(Cid.decode(Buffer.concat([Uint8Array.of(1, 0x55, 0x12, 32), digest])), {
    name: `pin ${n}`,
    timestamp: { seconds: 1_700_000_000, nanos: 0 },
  });
}
