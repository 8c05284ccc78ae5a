import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as dagCbor from '@ipld/dag-cbor';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { errorCode, SeededRandom } from '../base/index.ts';
import { createIpfsNode, type IpfsNodeOptions } from './node.ts';
import type { Block, IpfsNode } from './ports.ts';

async function withNodes(count: number, act: (...nodes: IpfsNode[]) => Promise<void>): Promise<void> {
  const folders = await Promise.all(Array.from({ length: count }, () => mkdtemp(join(tmpdir(), 'ipfs-node-'))));
  const nodes = folders.map((folder) => createIpfsNode(optionsFor(folder)));
  try {
    await Promise.all(nodes.map((node) => node.start()));
    await act(...nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  }
}

const optionsFor = (folder: string): IpfsNodeOptions => ({ folder, swarmListen: ['/ip4/127.0.0.1/tcp/0'] });

function blockOf(code: number, bytes: Uint8Array): Block {
  return { cid: CID.createV1(code, create(0x12, hash('sha256', bytes, 'buffer'))), bytes };
}

function leaf(random: SeededRandom, sizeBytes: number): Block {
  return blockOf(
    0x55,
    Uint8Array.from({ length: sizeBytes }, () => random.integer(256)),
  );
}

function parent(children: readonly Block[]): Block {
  return blockOf(dagPb.code, dagPb.encode(dagPb.prepare({ Links: children.map(({ cid }) => cid) })));
}

async function put(node: IpfsNode, blocks: readonly Block[]): Promise<void> {
  const operation = node.begin();
  try {
    await operation.putMany(blocks);
  } finally {
    operation.end();
  }
}

async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function runGc(node: IpfsNode): Promise<string[]> {
  const removed: string[] = [];
  for await (const page of node.gc.run()) removed.push(...page.map(String));
  return removed;
}

test('a started node has nothing left of its self-check, and keeps its identity and pins over a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-node-'));
  const block = leaf(new SeededRandom(1), 100);
  const first = createIpfsNode(optionsFor(folder));
  await first.start();
  assert.equal(first.repoStat().blockCount, 0);
  assert.equal((await gather(first.pins.pages())).length, 0);
  await put(first, [block]);
  await first.pins.add(block.cid, { name: 'one' });
  const { peerId } = first.swarm;
  await first.config.set('Datastore.StorageMax', '5GB');
  const second = createIpfsNode(optionsFor(folder));
  await assert.rejects(second.start(), (error) => errorCode(error) === 'ipfs-node/locked');
  await first.stop();
  const third = createIpfsNode(optionsFor(folder));
  await third.start();
  assert.equal(third.swarm.peerId, peerId);
  assert.deepEqual(third.pins.get(block.cid)?.name, 'one');
  assert.equal(third.repoStat().storageMaxBytes, 5_000_000_000);
  assert.equal(JSON.stringify(third.config.show()).includes('PrivKey'), false);
  assert.throws(() => third.config.get('Identity.PrivKey'), { code: 'ipfs-node/config-key' });
  await assert.rejects(third.config.set('Datastore.StorageMax', 'much'), { code: 'ipfs-node/config-value' });
  assert.deepEqual(await runGc(third), []);
  await third.stop();
  await rm(folder, { recursive: true, force: true });
});

test('removeBlock leaves a block that is pinned while the pins are being looked through', () =>
  withNodes(1, async (node) => {
    const child = leaf(new SeededRandom(3), 100);
    const root = parent([child]);
    await put(node, [child, root]);
    const { pins } = node;
    const indirectRoots = pins.indirectRoots.bind(pins);
    pins.indirectRoots = async (cids, options) => {
      const roots = await indirectRoots(cids, options);
      await pins.add(root.cid, { offline: true });
      return roots;
    };
    await assert.rejects(node.removeBlock(child.cid), { code: 'ipfs-node/block-pinned' });
    assert.equal(await node.blocks.has(child.cid), true);
  }));

test('a list with more items than a call can have arguments is pinned', () =>
  withNodes(1, async (node) => {
    const block = blockOf(dagCbor.code, dagCbor.encode(Array.from({ length: 300_000 }, () => 1)));
    await put(node, [block]);
    await node.pins.add(block.cid, { offline: true });
    assert.deepEqual(await runGc(node), []);
  }));

test('pins: recursive, direct, update, rm and indirect ones, with the texts of Kubo', () =>
  withNodes(1, async (node) => {
    const random = new SeededRandom(2);
    const leaves = Array.from({ length: 5 }, () => leaf(random, 2000));
    const [root, other] = [parent(leaves), parent(leaves.slice(0, 2))];
    const garbage = leaf(random, 10);
    await put(node, [...leaves, root, other, garbage]);
    await node.pins.add(other.cid, { recursive: false });
    await node.pins.add(root.cid);
    await assert.rejects(node.pins.add(root.cid, { recursive: false }), {
      message: `pin: ${root.cid} already pinned recursively`,
    });
    await assert.rejects(node.pins.rm(root.cid, { recursive: false }), {
      message: `${root.cid} is pinned recursively`,
    });
    await assert.rejects(node.pins.rm(garbage.cid), { message: 'not pinned or pinned indirectly' });
    const indirect = (await gather(node.pins.indirectPages())).flat().map(String);
    assert.deepEqual(indirect.sort(), leaves.map(({ cid }) => cid.toString()).sort());
    const child = leaves[0]?.cid ?? root.cid;
    assert.equal(
      (await node.pins.indirectRoots([child, garbage.cid])).get(child.toString())?.toString(),
      root.cid.toString(),
    );
    await assert.rejects(node.removeBlock(child), { message: `pinned via ${root.cid}` });
    assert.deepEqual(await runGc(node), [garbage.cid.toString()]);
    await node.pins.update(root.cid, other.cid);
    assert.equal(node.pins.get(root.cid), undefined);
    assert.equal(node.pins.get(other.cid)?.type, 'recursive');
    assert.equal((await runGc(node)).length, 4);
    await node.pins.rm(other.cid);
    await runGc(node);
    assert.equal(node.repoStat().blockCount, 0);
    assert.equal(node.repoStat().repoSizeBytes, 0);
    await assert.rejects(node.pins.add(root.cid, { offline: true }), { code: 'ipfs-node/block-not-found' });
    assert.equal(node.pins.get(root.cid), undefined);
  }));

test('a pin fetches its blocks from another node, and waits for those that appear later', () =>
  withNodes(2, async (a, b) => {
    const random = new SeededRandom(3);
    const leaves = [0, 10, 1024, 1025, 262_144, 1_500_000].map((size) => leaf(random, size));
    const root = parent(leaves);
    await put(a, [...leaves, root]);
    await b.swarm.connect(a.swarm.addresses()[0] ?? '');
    const seen: number[] = [];
    await b.pins.add(root.cid, { onProgress: ({ blocks }) => seen.push(blocks) });
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7]);
    for (const { cid, bytes } of leaves) {
      assert.deepEqual(Buffer.from((await b.blocks.get(cid)) ?? []), Buffer.from(bytes));
    }
    const late = leaf(random, 5000);
    const pinned = b.pins.add(late.cid);
    await put(a, [late]);
    await pinned;
    const never = new AbortController();
    const waiting = b.pins.add(leaf(random, 50).cid, { signal: never.signal });
    never.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    assert.deepEqual(b.bitswapStat().wantlist, []);
  }));

test('stop ends a pin that waits, within its bound', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-node-'));
  const node = createIpfsNode(optionsFor(folder));
  await node.start();
  const waiting = node.pins.add(leaf(new SeededRandom(4), 50).cid);
  const failed = assert.rejects(waiting);
  const start = performance.now();
  await node.stop();
  assert.ok(performance.now() - start < 5000);
  await failed;
  await rm(folder, { recursive: true, force: true });
});

test('gc keeps what lies below a pin although a running operation holds only the node above it', () =>
  withNodes(1, async (node) => {
    const random = new SeededRandom(5);
    const leaves = [leaf(random, 100), leaf(random, 100)];
    const inner = parent(leaves);
    const root = parent([inner]);
    await put(node, [...leaves, inner, root]);
    await node.pins.add(root.cid);
    const operation = node.begin();
    assert.equal(await operation.touch(inner.cid), true);
    assert.deepEqual(await runGc(node), []);
    operation.end();
  }));

test('gc leaves what an operation puts while it runs, until the operation ends', () =>
  withNodes(1, async (node) => {
    const random = new SeededRandom(6);
    const garbage = Array.from({ length: 400 }, () => leaf(random, 100));
    await put(node, garbage);
    const operation = node.begin();
    const kept: Block[] = [];
    for await (const _ of node.gc.run()) {
      // One that is gone already and one that may be the next to go.
      for (const block of [garbage[kept.length], garbage.at(-1 - kept.length), leaf(random, 100)]) {
        if (block === undefined) continue;
        await operation.put(block.cid, block.bytes);
        kept.push(block);
      }
    }
    for (const { cid, bytes } of kept) {
      assert.deepEqual(Buffer.from((await node.blocks.get(cid)) ?? []), Buffer.from(bytes));
    }
    operation.end();
    await runGc(node);
    assert.equal(node.repoStat().blockCount, 0);
  }));

for (const seed of [1, 2, 3]) {
  test(`gc beside adds, pins and unpins loses nothing that is pinned (seed ${seed})`, () =>
    withNodes(1, async (node) => {
      const random = new SeededRandom(seed);
      // Few distinct leaves and inner nodes, so that pins share parts with each other and with garbage.
      const leaves = Array.from({ length: 60 }, () => leaf(random, 300));
      const inner = Array.from({ length: 20 }, () =>
        parent(Array.from({ length: 6 }, () => leaves[random.integer(leaves.length)] ?? leaf(random, 1))),
      );
      const roots: { root: Block; parts: readonly Block[] }[] = Array.from({ length: 30 }, () => {
        const parts = Array.from({ length: 4 }, () => inner[random.integer(inner.length)] ?? parent([]));
        return { root: parent(parts), parts };
      });
      const byCid = new Map([...leaves, ...inner].map((block) => [block.cid.toString(), block]));
      const linksOf = (block: Block): Block[] =>
        dagPb.decode(block.bytes).Links.flatMap((link) => byCid.get(link.Hash.toString()) ?? []);
      const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, random.integer(3)));
      const pinned = new Set<CID>();
      let running = true;
      let gcs = 0;
      const adder = async (): Promise<void> => {
        for (let round = 0; round < 60; round++) {
          const { root, parts } = roots[random.integer(roots.length)] ?? { root: parent([]), parts: [] };
          const operation = node.begin();
          try {
            for (const part of parts) {
              for (const block of linksOf(part)) await operation.put(block.cid, block.bytes);
              if (random.integer(3) === 0) await pause();
              await operation.put(part.cid, part.bytes);
            }
            if (random.integer(2) === 0) await pause();
            await operation.put(root.cid, root.bytes);
            await node.pins.add(root.cid, { operation, offline: true });
            pinned.add(root.cid);
          } finally {
            operation.end();
          }
        }
      };
      const unpinner = async (): Promise<void> => {
        while (running) {
          await pause();
          const [cid] = [...pinned].sort(() => random.integer(3) - 1);
          if (cid === undefined) continue;
          pinned.delete(cid);
          await node.pins.rm(cid).catch((error: unknown) => assert.equal(errorCode(error), 'ipfs-node/not-pinned'));
        }
      };
      const collector = async (): Promise<void> => {
        while (running) {
          await runGc(node);
          gcs += 1;
        }
      };
      const background = Promise.all([unpinner(), collector()]);
      await Promise.all([adder(), adder(), adder()]);
      running = false;
      await background;
      await runGc(node);
      const live = new Set<string>();
      for (const { cid } of (await gather(node.pins.pages())).flat()) {
        const reader = node.reader({ offline: true });
        for await (const visit of node.walk([cid], reader)) {
          assert.equal(blockOf(visit.cid.code, visit.bytes ?? new Uint8Array()).cid.toString(), visit.cid.toString());
          live.add(visit.cid.toString());
        }
        reader.close();
      }
      assert.equal(node.repoStat().blockCount, live.size, 'and everything else is gone');
      assert.ok(gcs > 2);
    }));
}
