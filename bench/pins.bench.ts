/**
 * Pins per second through the HTTP API of three real peers with embedded IPFS nodes, beside the syncs per second of the
 * disk they share; start, memory and the start of `ctl` in the same run.
 *
 *     npm run bench -- pins [--pins 4000]
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { Pool } from 'undici';
import { createChildPeer } from '../src/cmd/service/demo/child.ts';
import { prepareFolders } from '../src/cmd/service/demo/setup.ts';
import { syncsPerSecond } from './disk.ts';
import { report } from './report.ts';

const rawCodec = 0x55;
const identityCode = 0;
const peerCount = 3;
const sequentialCount = 300;
const concurrency = 64;

const { values } = parseArgs({ options: { pins: { type: 'string', default: '4000' } } });
const pinCount = Number(values.pins);
const binFolder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bin');

const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
const prepared = await prepareFolders(folder, peerCount);
const peers = prepared.map((peer) => ({
  ...peer,
  process: createChildPeer({
    name: peer.name,
    folder: peer.folder,
    program: [join(binFolder, 'ipfs-cluster-service.cjs')],
    onDeath: (name, tail) => {
      console.error(`peer ${name} ended:\n${tail.join('\n')}`);
      process.exitCode = 1;
    },
  }),
}));

try {
  const startedAt = performance.now();
  await Promise.all(peers.map((peer) => peer.process.start()));
  report({ name: 'start to ready, three peers at once', value: (performance.now() - startedAt) / 1000, unit: 's' });
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  for (const peer of peers)
    report({ name: `RSS idle, ${peer.name}`, value: await residentMb(peer.process.pid), unit: 'MB' });
  const host = prepared[0]?.apiAddress ?? '';
  const starts: number[] = [];
  for (let i = 0; i < 7; i++) {
    const began = performance.now();
    await promisify(execFile)(process.execPath, [join(binFolder, 'ipfs-cluster-ctl.cjs'), '--host', host, 'version']);
    starts.push(performance.now() - began);
  }
  report({ name: 'ctl version, median of 7', value: starts.sort((a, b) => a - b)[3] ?? 0, unit: 'ms' });

  const syncs = await syncsPerSecond();
  report({ name: 'disk syncs', value: syncs, unit: '1/s' });

  const pools = peers.map((peer) => new Pool(peer.apiUrl, { connections: concurrency, pipelining: 1 }));
  const post = async (i: number): Promise<number> => {
    const began = performance.now();
    const { statusCode, body } = await (pools[i % pools.length] as Pool).request({
      method: 'POST',
      path: `/pins/${randomCid()}?name=bench-${i}`,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`POST /pins answered ${statusCode}: ${text}`);
    return performance.now() - began;
  };

  await measure('pins, one client after the other', sequentialCount, 1, post, syncs);
  const cpuBefore = await Promise.all(peers.map((peer) => cpuSeconds(peer.process.pid)));
  await measure(`pins, ${concurrency} in flight`, pinCount, concurrency, post, syncs);
  const cpuAfter = await Promise.all(peers.map((peer) => cpuSeconds(peer.process.pid)));
  const cpu = cpuAfter.reduce((sum, after, i) => sum + after - (cpuBefore[i] ?? 0), 0);
  report({ name: 'CPU of the three peers', value: (cpu / pinCount) * 1000, unit: 's per 1,000 pins' });
  for (const peer of peers)
    report({ name: `RSS loaded, ${peer.name}`, value: await residentMb(peer.process.pid), unit: 'MB' });
  await Promise.all(pools.map((pool) => pool.close()));
} finally {
  await Promise.all(peers.map((peer) => peer.process.stop()));
  await rm(folder, { recursive: true, force: true });
}

async function measure(
  name: string,
  count: number,
  inFlight: number,
  act: (i: number) => Promise<number>,
  syncs: number,
): Promise<void> {
  const latencies: number[] = [];
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < count) latencies.push(await act(next++));
    }),
  );
  const perSecond = count / ((performance.now() - began) / 1000);
  latencies.sort((a, b) => a - b);
  report({ name, value: perSecond, unit: 'pins/s', ratio: perSecond / syncs, of: 'disk syncs/s' });
  report({ name: `${name}, p50`, value: latencies[Math.floor(count * 0.5)] ?? 0, unit: 'ms' });
  report({ name: `${name}, p99`, value: latencies[Math.floor(count * 0.99)] ?? 0, unit: 'ms' });
}

/** Of content that every node has, since the CID itself holds it: the cluster is measured, not the transfer of blocks. */
function randomCid(): string {
  return CID.createV1(rawCodec, createDigest(identityCode, randomBytes(16))).toString();
}

async function residentMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}

/** User and system time of a process (Linux counts in hundredths of a second). */
async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
