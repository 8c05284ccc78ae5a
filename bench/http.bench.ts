/**
 * What HTTP itself costs: small answers of a real peer next to an empty handler of the same server, its lists next to a bare
 * response of as many bytes, and several full lists at once next to one. Peer, bare server and client are processes of their own.
 *
 *     node bench/http.bench.ts [--pins 100000] [--requests 20000]
 *
 * All take turns, and the best round of each counts: what disturbs a round makes it slower, never faster.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { OperatingError, silentLogger } from '../src/base/index.ts';
import { type ApiRoute, bindApi, parseSocketAddress, sendJson } from '../src/http/kit/index.ts';
import { initialService } from '../src/model/config/index.ts';
import { Cid, pinJson, timeFromNanos } from '../src/model/index.ts';
import { pinOf } from '../test/support/pins.ts';
import { type BenchCluster, ourProgram, startCluster } from './clusters.ts';
import { startKuboStandIns } from './kubo-stand-in.ts';
import { residentMb } from './processes.ts';
import { report } from './report.ts';

const rounds = 5;
const inFlight = 16;
/** Lists asked for at once. */
const callers = 5;
const chunkBytes = 64 * 1024;

const { values: options, positionals } = parseArgs({
  options: { pins: { type: 'string', default: '100000' }, requests: { type: 'string', default: '20000' } },
  allowPositionals: true,
});
if (positionals[0] === 'bare') await runBare();
else await measure();

// ---------------------------------------------------------------------------------------------------- the bare server

/** Tells its two URLs to the parent, and ends with it. */
async function runBare(): Promise<void> {
  process.once('disconnect', () => process.exit());
  const initial = initialService({ hostname: '', secret: '' }).restapi;
  if (initial === undefined) throw new OperatingError('bench/no-api', 'no default configuration of the API');
  const routes: readonly ApiRoute[] = [{ id: 'empty', method: 'GET', path: '/empty', access: 'read' }];
  const cors = {
    allowedOrigins: initial.corsAllowedOrigins,
    allowedMethods: initial.corsAllowedMethods,
    allowedHeaders: initial.corsAllowedHeaders,
    exposedHeaders: initial.corsExposedHeaders,
    allowCredentials: initial.corsAllowCredentials,
    maxAgeSeconds: initial.corsMaxAgeMs / 1000,
  };
  const { headers } = initial;
  const api = await bindApi({ listen: ['/ip4/127.0.0.1/tcp/0'], limits: initial, headers, cors });
  api.serve(
    { routes, handle: async (_, call) => sendJson(call, '{}'), printError: (_, message) => `${message}\n` },
    { log: silentLogger, now: () => timeFromNanos(BigInt(Date.now()) * 1_000_000n) },
  );
  const address = parseSocketAddress(api.addresses()[0] ?? '');
  const chunk = new Uint8Array(chunkBytes).fill(0x20);
  const bare = createServer(async (request, response) => {
    let left = Number(request.url?.slice(1));
    for (; left > 0; left -= chunkBytes) {
      if (!response.write(left < chunkBytes ? chunk.subarray(0, left) : chunk)) await once(response, 'drain');
    }
    response.end();
  });
  await once(bare.listen(0, '127.0.0.1'), 'listening');
  if (!('port' in address)) return;
  process.send?.([
    `http://${address.host}:${address.port}`,
    `http://127.0.0.1:${(bare.address() as AddressInfo).port}`,
  ]);
}

// ---------------------------------------------------------------------------------------------------- the client

async function measure(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
  const stops: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const cluster = await startPeer(folder, Number(options.pins), stops);
    const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['bare']);
    stops.push(() => child.disconnect());
    const failed = once(child, 'exit').then(([code]) => {
      throw new OperatingError('bench/ended', `the bare server ended with ${code}`);
    });
    const [[serverUrl, bareUrl]] = (await Promise.race([once(child, 'message'), failed])) as [[string, string]];
    failed.catch(() => {});
    const pools = new Map([cluster.peers[0]?.apiUrl ?? '', serverUrl, bareUrl].map((url) => [url, poolOf(url)]));
    stops.push(() => Promise.all([...pools.values()].map((pool) => pool.destroy())));
    const [peer, server, bare] = [...pools.values()] as [Pool, Pool, Pool];
    await smallAnswers(peer, server);
    for (const path of ['/allocations', '/pins?local=true']) await lists(path, peer, bare);
    const pid = cluster.peers[0]?.pid;
    report({ name: `${options.pins} pins, RSS after the lists`, value: await residentMb(pid), unit: 'MB' });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function poolOf(url: string): Pool {
  return new Pool(url, { connections: inFlight });
}

/** A peer of its own whose pins its IPFS node holds already. */
async function startPeer(folder: string, count: number, stops: (() => unknown)[]): Promise<BenchCluster> {
  const pins = Array.from({ length: count }, (_, n) => pinNumber(n));
  const held = join(folder, 'held');
  await writeFile(held, pins.map(({ cid }) => `${cid}\n`).join(''));
  const pinset = join(folder, 'pins.json');
  await writeFile(pinset, pins.map((pin) => `${pinJson.print(pin)}\n`).join(''));
  const standIns = await startKuboStandIns(1, held);
  stops.push(() => standIns.stop());
  const cluster = await startCluster({
    name: 'ours',
    folder: join(folder, 'peers'),
    kinds: ['ours'],
    ipfs: standIns.multiaddresses,
    goBin: undefined,
    program: [ourProgram],
    pinset: async () => pinset,
  });
  stops.push(() => cluster.stop());
  await cluster.quiet();
  return cluster;
}

function pinNumber(n: number) {
  const digest = createHash('sha256').update(`pin ${n}`).digest();
  return pinOf(Cid.decode(Buffer.concat([Uint8Array.of(1, 0x55, 0x12, 32), digest])), {
    name: `pin number ${n}`,
    timestamp: { seconds: 1_700_000_000 + Math.floor(n / 100), nanos: 0 },
  });
}

async function smallAnswers(peer: Pool, server: Pool): Promise<void> {
  const subjects = [
    { name: 'an empty handler', pool: server, path: '/empty', best: 0 },
    { name: 'GET /version', pool: peer, path: '/version', best: 0 },
    { name: 'GET /id', pool: peer, path: '/id', best: 0 },
  ];
  const count = Number(options.requests);
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      const seconds = await secondsOf(() => ask(subject.pool, subject.path, count));
      subject.best = Math.max(subject.best, count / seconds);
    }
  }
  const empty = subjects[0]?.best ?? 0;
  for (const { name, best } of subjects) {
    report({ name: `HTTP, ${name}`, value: best, unit: 'requests/s', ratio: best / empty, of: 'an empty handler' });
  }
}

async function ask(pool: Pool, path: string, count: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next++ < count) {
      const { statusCode, body } = await pool.request({ method: 'GET', path });
      await body.dump();
      if (statusCode !== 200) throw new OperatingError('bench/refused', `GET ${path}: ${statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

async function lists(path: string, peer: Pool, bare: Pool): Promise<void> {
  const bytes = await read(peer, path);
  const read1 = async (pool: Pool, from: string): Promise<void> => {
    const got = await read(pool, from);
    if (got !== bytes) throw new OperatingError('bench/cut', `GET ${from}: ${got} bytes, ${bytes} expected`);
  };
  let one = Number.POSITIVE_INFINITY;
  let socket = Number.POSITIVE_INFINITY;
  let several = Number.POSITIVE_INFINITY;
  let several0 = Number.POSITIVE_INFINITY;
  const all = (pool: Pool, from: string): Promise<unknown> =>
    Promise.all(Array.from({ length: callers }, () => read1(pool, from)));
  for (let round = 0; round < rounds; round++) {
    socket = Math.min(socket, await secondsOf(() => read1(bare, `/${bytes}`)));
    one = Math.min(one, await secondsOf(() => read1(peer, path)));
    several0 = Math.min(several0, await secondsOf(() => all(bare, `/${bytes}`)));
    several = Math.min(several, await secondsOf(() => all(peer, path)));
  }
  const name = `${options.pins} pins, GET ${path}`;
  const megabytes = bytes / 1e6;
  report({ name: `${name}, a bare response of as many bytes`, value: megabytes / socket, unit: 'MB/s' });
  report({ name, value: megabytes / one, unit: 'MB/s', ratio: socket / one, of: 'a bare response' });
  const together = `${callers} at once`;
  report({ name: `${name}, ${together}, bare`, value: several0, unit: 's', ratio: several0 / socket, of: 'one' });
  report({ name: `${name}, ${together}`, value: several, unit: 's', ratio: several / one, of: 'one' });
}

async function read(pool: Pool, path: string): Promise<number> {
  const { body } = await pool.request({ method: 'GET', path });
  let bytes = 0;
  for await (const chunk of body) bytes += (chunk as Uint8Array).length;
  return bytes;
}

async function secondsOf(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return (performance.now() - began) / 1000;
}
