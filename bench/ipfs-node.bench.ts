/**
 * The embedded IPFS node: blocks in and out, gc, and bitswap between two nodes, beside what SHA-256 and the disk allow.
 *
 *     npm run bench -- ipfs-node [--blocks 50000]
 */
import { hash, randomFillSync } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { type Block, createIpfsNode, type IpfsNode } from '../src/ipfs-node/index.ts';
import { report } from './report.ts';

const { values } = parseArgs({ options: { blocks: { type: 'string', default: '50000' } } });
const smallCount = Number(values.blocks);
const smallBytes = 1024;
const largeCount = 400;
const largeBytes = 256 * 1024;
const inFlight = 64;

const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
const nodes = ['a', 'b'].map((name) =>
  createIpfsNode({ folder: join(folder, name), swarmListen: ['/ip4/127.0.0.1/tcp/0'] }),
);
try {
  await Promise.all(nodes.map((node) => node.start()));
  const [a, b] = nodes;
  if (a !== undefined && b !== undefined) await run(a, b);
} finally {
  await Promise.all(nodes.map((node) => node.stop()));
  await rm(folder, { recursive: true, force: true });
}

async function run(a: IpfsNode, b: IpfsNode): Promise<void> {
  const small = makeBlocks(smallCount, smallBytes);
  const large = makeBlocks(largeCount, largeBytes);
  const hashRate = measureHash(large);
  const diskRate = await measureDisk(large);
  report({ name: 'sha256', value: hashRate / 1e6, unit: 'MB/s' });
  report({ name: 'disk, written and synced', value: diskRate / 1e6, unit: 'MB/s' });

  await timed('put 1 KiB, 64 in flight, one flush', smallCount, 'blocks/s', () => putAll(a, small));
  const largeRate = await rate(largeCount * largeBytes, () => putAll(a, large));
  report({
    name: 'put 256 KiB, one flush',
    value: largeRate / 1e6,
    unit: 'MB/s',
    ratio: largeRate / diskRate,
    of: 'disk',
  });
  await timed('get 1 KiB, 64 in flight', smallCount, 'blocks/s', () => eachOf(small, ({ cid }) => a.blocks.get(cid)));

  const roots = [treeOf(small), treeOf(large)];
  for (const root of roots) await putAll(a, root.inner);
  await b.swarm.connect(a.swarm.addresses()[0] ?? '');
  await timed('bitswap 1 KiB, node to node', smallCount, 'blocks/s', () => pin(b, roots[0]?.root));
  await timed('bitswap 256 KiB, node to node', (largeCount * largeBytes) / 1e6, 'MB/s', () => pin(b, roots[1]?.root));

  await pin(a, roots[1]?.root);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let removed = 0;
  const gcRate = await rate(smallCount, async () => {
    for await (const page of a.gc.run()) removed += page.length;
  });
  delay.disable();
  report({ name: `gc, ${removed} blocks of 1 KiB removed`, value: gcRate, unit: 'blocks/s' });
  report({ name: 'event loop delay in gc, p99', value: delay.percentile(99) / 1e6, unit: 'ms' });
  report({ name: 'event loop delay in gc, worst', value: delay.max / 1e6, unit: 'ms' });
  report({ name: 'RSS of the two nodes and the data', value: process.memoryUsage().rss / 1e6, unit: 'MB' });
}

async function pin(node: IpfsNode, root: Block | undefined): Promise<void> {
  if (root !== undefined) await node.pins.add(root.cid);
}

async function putAll(node: IpfsNode, blocks: readonly Block[]): Promise<void> {
  const operation = node.begin();
  try {
    await eachOf(blocks, ({ cid, bytes }) => operation.put(cid, bytes));
    await operation.flush();
  } finally {
    operation.end();
  }
}

async function eachOf(blocks: readonly Block[], act: (block: Block) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let block = blocks[next++]; block !== undefined; block = blocks[next++]) await act(block);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

async function rate(amount: number, act: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return (amount / (performance.now() - startedAt)) * 1000;
}

async function timed(name: string, amount: number, unit: string, act: () => Promise<void>): Promise<void> {
  report({ name, value: await rate(amount, act), unit });
}

function makeBlocks(count: number, sizeBytes: number): Block[] {
  return Array.from({ length: count }, () => blockOf(0x55, randomFillSync(new Uint8Array(sizeBytes))));
}

function blockOf(code: number, bytes: Uint8Array): Block {
  return { cid: CID.createV1(code, create(0x12, hash('sha256', bytes, 'buffer'))), bytes };
}

/** The blocks under nodes of 174 links, as in a file. */
function treeOf(leaves: readonly Block[]): { root: Block; inner: Block[] } {
  const inner: Block[] = [];
  let level = leaves;
  do {
    const parents: Block[] = [];
    for (let at = 0; at < level.length; at += 174) {
      const links = level.slice(at, at + 174).map(({ cid }) => cid);
      parents.push(blockOf(dagPb.code, dagPb.encode(dagPb.prepare({ Links: links }))));
    }
    inner.push(...parents);
    level = parents;
  } while (level.length > 1);
  const [root = blockOf(0x55, new Uint8Array())] = level;
  return { root, inner };
}

function measureHash(blocks: readonly Block[]): number {
  const startedAt = performance.now();
  for (const { bytes } of blocks) hash('sha256', bytes, 'buffer');
  return ((largeCount * largeBytes) / (performance.now() - startedAt)) * 1000;
}

async function measureDisk(blocks: readonly Block[]): Promise<number> {
  const file = await open(join(folder, 'limit'), 'w');
  try {
    return await rate(largeCount * largeBytes, async () => {
      for (let at = 0; at < blocks.length; at += 32)
        await file.writev(blocks.slice(at, at + 32).map(({ bytes }) => bytes));
      await file.datasync();
    });
  } finally {
    await file.close();
  }
}
