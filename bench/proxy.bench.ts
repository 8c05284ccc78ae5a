/**
 * The IPFS proxy beside its node, asked directly in the same run: a large `cat`, a large `add` that is not pinned, and small
 * requests. Node, proxy and client are processes of their own. The node is a Kubo when `KUBO_BIN` names the program.
 *
 *     npm run bench -- proxy
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { OperatingError, silentLogger } from '../src/base/index.ts';
import { parseSocketAddress } from '../src/http/kit/index.ts';
import { bindProxy } from '../src/http/proxy/index.ts';
import { createIpfsNode, createRpcServer } from '../src/ipfs-node/index.ts';
import { initialService } from '../src/model/config/index.ts';
import { startKubo } from '../test/conformance/kubo-daemon.ts';
import { PinsetStandIn } from '../test/support/pinset-stand-in.ts';
import { cpuSeconds } from './processes.ts';
import { report } from './report.ts';

const largeBytes = 200 * 1024 * 1024;
const pieceBytes = 1024 * 1024;
/** Direct and through the proxy by turns, so that what else the machine does meets both. */
const rounds = 5;
const smallCount = 4_000;
const smallInFlight = 16;

const [role, argument = ''] = process.argv.slice(2);
if (role === 'node') await runNode(argument);
else if (role === 'proxy') await runProxy(argument);
else await measure();

/** Tells its URL to the parent, and ends with it. */
async function runNode(folder: string): Promise<void> {
  const node = createIpfsNode({
    folder,
    rpcListen: '/ip4/127.0.0.1/tcp/0',
    swarmListen: ['/ip4/127.0.0.1/tcp/0'],
    createRpc: createRpcServer,
  });
  await node.start();
  process.once('disconnect', () => void node.stop().then(() => process.exit()));
  process.send?.(node.rpcUrl());
}

/** Blocks go nowhere. */
async function drainBlocks(blocks: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of blocks);
}

async function runProxy(nodeUrl: string): Promise<void> {
  const { hostname, port } = new URL(nodeUrl);
  const initial = initialService({ hostname: '', secret: '' }).ipfsproxy;
  if (initial === undefined) throw new OperatingError('bench/no-proxy', 'no default configuration of the proxy');
  const proxy = await bindProxy({
    ...initial,
    listenMultiaddress: ['/ip4/127.0.0.1/tcp/0'],
    nodeMultiaddress: `/ip4/${hostname}/tcp/${port}`,
  });
  proxy.serve({ cluster: new PinsetStandIn({ blockStream: drainBlocks }), log: silentLogger });
  const address = parseSocketAddress(proxy.addresses()[0] ?? '');
  process.once('disconnect', () => process.exit());
  if ('port' in address) process.send?.(`http://${address.host}:${address.port}`);
}

interface Part {
  readonly url: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

async function start(as: string, given: string): Promise<Part> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [as, given]);
  const [url] = await once(child, 'message');
  const stop = async (): Promise<void> => {
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
  };
  return { url: String(url), pid: child.pid, stop };
}

async function measure(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
  const program = process.env.KUBO_BIN ?? '';
  const node = program === '' ? await start('node', folder) : { ...(await startKubo(program)), pid: undefined };
  const proxy = await start('proxy', node.url);
  const direct = new Pool(node.url, { connections: smallInFlight });
  const through = new Pool(proxy.url, { connections: smallInFlight });
  const name = program === '' ? 'embedded node' : 'Kubo';
  try {
    const cid = await add(direct);
    const cpuBefore = await cpuSeconds(proxy.pid);
    await compare(`cat of 200 MiB, ${name}`, 'MB/s', largeBytes / 1e6, direct, through, (pool) => cat(pool, cid));
    const cpuCat = ((await cpuSeconds(proxy.pid)) - cpuBefore) / ((rounds * largeBytes) / 1e9);
    report({ name: `CPU of the proxy for cat, ${name}`, value: cpuCat, unit: 's/GB' });
    await compare(`add of 200 MiB without pin, ${name}`, 'MB/s', largeBytes / 1e6, direct, through, add);
    const cpuMiddle = await cpuSeconds(proxy.pid);
    await compare(`version, ${name}`, 'requests/s', smallCount, direct, through, versions);
    const cpuSmall = (((await cpuSeconds(proxy.pid)) - cpuMiddle) / (rounds * smallCount)) * 1e6;
    report({ name: `CPU of the proxy for version, ${name}`, value: cpuSmall, unit: 'µs' });
  } finally {
    await Promise.all([direct.destroy(), through.destroy()]);
    await proxy.stop();
    await node.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Reports the best of all rounds each, and their ratio: what disturbs a round makes it slower, never faster. */
async function compare(
  name: string,
  unit: string,
  amount: number,
  direct: Pool,
  through: Pool,
  act: (pool: Pool) => Promise<unknown>,
): Promise<void> {
  const best = { direct: 0, through: 0 };
  for (let round = 0; round < rounds; round += 1) {
    best.direct = Math.max(best.direct, await rate(amount, () => act(direct)));
    best.through = Math.max(best.through, await rate(amount, () => act(through)));
  }
  report({ name: `${name}, direct`, value: best.direct, unit });
  const ratio = best.through / best.direct;
  report({ name: `${name}, through the proxy`, value: best.through, unit, ratio, of: 'direct' });
}

async function rate(amount: number, act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return (amount / (performance.now() - startedAt)) * 1000;
}

async function cat(pool: Pool, cid: string): Promise<void> {
  const { body } = await pool.request({ method: 'POST', path: `/api/v0/cat?arg=${cid}` });
  let size = 0;
  for await (const piece of body) size += (piece as Uint8Array).length;
  if (size !== largeBytes) throw new OperatingError('bench/cut', `cat: ${size} bytes, ${largeBytes} expected`);
}

async function versions(pool: Pool): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next++ < smallCount) {
      const { body } = await pool.request({ method: 'POST', path: '/api/v0/version' });
      await body.dump();
    }
  };
  await Promise.all(Array.from({ length: smallInFlight }, worker));
}

async function add(pool: Pool): Promise<string> {
  const head =
    '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\nContent-Type: application/octet-stream\r\n\r\n';
  const piece = randomFillSync(new Uint8Array(pieceBytes));
  async function* form(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(head);
    for (let sent = 0; sent < largeBytes; sent += pieceBytes) {
      piece[0] = sent / pieceBytes;
      yield Buffer.from(piece);
    }
    yield Buffer.from('\r\n--b--\r\n');
  }
  const answer = await pool.request({
    method: 'POST',
    path: '/api/v0/add?pin=false&raw-leaves=true&chunker=size-1048576',
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    body: Readable.from(form()),
  });
  const lines = (await answer.body.text()).trim().split('\n');
  return (JSON.parse(lines.at(-1) ?? '') as { Hash: string }).Hash;
}
