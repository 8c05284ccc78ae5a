/**
 * RPC calls per second between two processes, over gorpc (a stream per call) and over our own long-lived stream, with 1, 16
 * and 64 calls in flight. The limit is a raw TCP echo of short messages between the same two processes.
 *
 * `node bench/rpc.bench.ts`; `BENCH_CALLS` scales the work (default 20000 calls at 64 in flight). One JSON line each.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { silentLogger } from '../src/base/index.ts';
import type { Host } from '../src/cluster/ports.ts';
import { createHost } from '../src/io/p2p/index.ts';
import { createRpc, type RpcNode } from '../src/io/rpc/index.ts';
import { methods, nothing } from '../src/model/index.ts';
import { systemClock } from '../test/support/system-clock.ts';
import { report } from './report.ts';

const callsAtMost = Number(process.env.BENCH_CALLS ?? 20_000);
const echoBytes = 100;

interface Addresses {
  readonly peer: string;
  readonly libp2p: readonly string[];
  readonly echoPort: number;
}

async function startNode(isMultiplexed: boolean): Promise<{ host: Host; rpc: RpcNode }> {
  const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
  const host = await createHost(
    { privateKey, secret: new Uint8Array(32).fill(9), listen: ['/ip4/127.0.0.1/tcp/0'] },
    { logger: silentLogger },
  );
  const rpc = createRpc(
    { isMultiplexed },
    { streams: host.streams, clock: systemClock, logger: silentLogger, isTrusted: () => true },
  );
  await host.start();
  return { host, rpc };
}

async function serve(): Promise<void> {
  const { host, rpc } = await startNode(true);
  const { Version } = methods.Cluster;
  rpc.register({ Version }, { Version: () => ({ version: '1.1.6' }) });
  await rpc.start();
  const echo = createServer((socket) => socket.setNoDelay(true).pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const { port } = echo.address() as AddressInfo;
  process.send?.({ peer: host.self, libp2p: host.addresses(), echoPort: port } satisfies Addresses);
  process.once('disconnect', () => process.exit(0));
}

/** @returns calls per second */
async function measure(inFlight: number, calls: number, call: () => Promise<unknown>): Promise<number> {
  let left = calls;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (calls / (performance.now() - start)) * 1000;
}

/** Echoes short messages in order; the simplest thing that two processes can do. */
function echoCalls(socket: Socket): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let received = 0;
  socket.on('data', (bytes) => {
    received += bytes.length;
    for (; received >= echoBytes; received -= echoBytes) waiting.shift()?.();
  });
  const message = Buffer.alloc(echoBytes);
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      socket.write(message);
    });
}

async function main(): Promise<void> {
  const server = fork(fileURLToPath(import.meta.url), ['serve'], { stdio: 'inherit' });
  const [addresses] = (await once(server, 'message')) as [Addresses];
  const ways: [string, () => Promise<unknown>][] = [];
  const stops: (() => Promise<void>)[] = [];
  for (const isMultiplexed of [false, true]) {
    const { host, rpc } = await startNode(isMultiplexed);
    stops.push(
      () => rpc.stop(),
      () => host.stop(),
    );
    await host.addAddresses(addresses.libp2p);
    await host.connect(addresses.peer);
    while (host.streams.protocolsOf(addresses.peer) === undefined) await new Promise((r) => setTimeout(r, 5));
    ways.push([
      isMultiplexed ? 'rpc-multiplexed' : 'rpc-gorpc',
      () => rpc.call(addresses.peer, methods.Cluster.Version, nothing),
    ]);
  }
  const socket = connect(addresses.echoPort, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  const echo = echoCalls(socket);
  for (const inFlight of [1, 16, 64]) {
    const calls = Math.max(2000, Math.round((callsAtMost * inFlight) / 64));
    for (const [name, call] of ways) {
      await measure(inFlight, Math.round(calls / 4), call);
      const cpu = process.cpuUsage();
      const value = await measure(inFlight, calls, call);
      const { user, system } = process.cpuUsage(cpu);
      const limit = await measure(inFlight, calls, echo);
      const name1 = `${name}-${inFlight}`;
      report({ name: name1, value, unit: 'calls/s', ratio: value / limit, of: 'echoes over bare TCP' });
      report({ name: `${name1}-client-cpu`, value: (user + system) / calls, unit: 'µs/call' });
    }
  }
  socket.destroy();
  for (const stop of stops) await stop();
  server.disconnect();
}

await (process.argv[2] === 'serve' ? serve() : main());
