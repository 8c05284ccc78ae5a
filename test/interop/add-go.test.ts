/**
 * Adding in a Raft cluster of a Go peer and ours: blocks go over the Go peer's RPC both ways, and both make the same CIDs and the same
 * shards of the same upload. Needs `GO_CLUSTER_BIN`, a folder with the Go programs.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { freePorts } from '../../src/cmd/service/demo/ports.ts';
import { createIpfsNode, createRpcServer } from '../../src/ipfs-node/index.ts';
import { noise, send } from '../conformance/kubo-rpc/client.ts';
import { createMembers, goPrograms, type Member } from '../support/members.ts';

const skip = goPrograms === undefined ? 'GO_CLUSTER_BIN is not set: adding with Go peers is NOT tested' : false;
if (skip !== false) console.warn(skip);

const limitMs = 60_000;
const kinds = ['go', 'ours'] as const;

interface Line {
  readonly name: string;
  readonly cid: string;
  readonly size: number;
  readonly allocations?: readonly string[];
}

async function add(member: Member, query: string, name: string, content: Uint8Array): Promise<Line[]> {
  const form = new FormData();
  form.append('file', new Blob([Buffer.from(content)]), name);
  const response = await fetch(`${member.apiUrl}/add?${query}`, { method: 'POST', body: form });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

test('what a Go peer adds is stored by ours, and what ours adds by a Go peer', { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'add-go-'));
  const ports = await freePorts(kinds.length);
  const nodes = kinds.map((kind, i) =>
    createIpfsNode({
      folder: join(folder, `ipfs-${kind}`),
      rpcListen: `/ip4/127.0.0.1/tcp/${ports[i]}`,
      swarmListen: ['/ip4/127.0.0.1/tcp/0'],
      createRpc: createRpcServer,
    }),
  );
  for (const node of nodes) await node.start();
  const ipfsUrls = ports.map((port) => `http://127.0.0.1:${port}`);
  const plans = kinds.map((kind, i) => ({ kind, ipfsAddress: `/ip4/127.0.0.1/tcp/${ports[i]}`, isJoining: i > 0 }));
  const members = await createMembers(folder, plans);
  try {
    const [go, ours] = members as [Member, Member];
    await go.start();
    await ours.start({ bootstrap: go.address });
    for (const member of members) {
      for (const metric of ['ping', 'freespace']) {
        await waitFor(
          async () => (await (await fetch(`${member.apiUrl}/monitor/metrics/${metric}`)).json()) as unknown[],
          (metrics) => metrics.length === 2,
          (metrics) => `${member.name} has ${metric} of ${metrics.length} peers`,
          limitMs,
        );
      }
    }
    const isStored = async (cid: string): Promise<boolean[]> =>
      await Promise.all(
        ipfsUrls.map(async (url) => (await send(url, `block/stat?arg=${cid}&offline=true`)).status === 200),
      );
    for (const [i, [adder, other]] of [
      [go, ours],
      [ours, go],
    ].entries() as Iterable<[number, [Member, Member]]>) {
      for (const query of ['', 'cid-version=1', 'cid-version=1&hash=blake2b-256&chunker=size-50000']) {
        const lines = await add(adder, query, 'f', noise(3_000_000 + i).subarray(i));
        const { cid, allocations = [] } = lines.at(-1) as Line;
        assert.deepEqual(allocations.toSorted(), [go.id, ours.id].sort());
        // Told when all is stored: nothing is fetched by pinning.
        assert.deepEqual(await isStored(cid), [true, true], `${adder.kind} ${query}`);
        const read = await send(ipfsUrls[kinds.indexOf(other.kind)] ?? '', `cat?arg=${cid}&offline=true`);
        assert.ok(read.body.equals(noise(3_000_000 + i).subarray(i)), `${adder.kind} ${query}`);
      }
    }
    // The same upload gives the same lines, shards and all, with the other peer's allocations aside.
    for (const query of [
      '',
      'wrap-with-directory=true',
      'layout=trickle&chunker=size-1000',
      'chunker=rabin',
      'chunker=buzhash',
    ]) {
      const content = noise(1_200_000);
      const [a, b] = [
        await add(go, `no-pin=true&${query}`, 'f', content),
        await add(ours, `no-pin=true&${query}`, 'f', content),
      ];
      assert.deepEqual(
        a.map(({ name, cid, size }) => ({ name, cid, size })),
        b.map(({ name, cid, size }) => ({ name, cid, size })),
        query,
      );
    }
    const shards = 'shard=true&shard-size=400000&chunker=size-100000&replication=1&name=s';
    const sharded = await Promise.all([
      add(go, `${shards}&user-allocations=${ours.id}`, 'f', noise(1_500_000)),
      waitFor(
        () => add(ours, `${shards}&user-allocations=${go.id}`, 'f', noise(1_500_000)),
        () => true,
        () => '',
        limitMs,
      ),
    ]);
    assert.deepEqual(
      ...(sharded.map((lines) => lines.map(({ name, cid, size }) => ({ name, cid, size }))) as [Line[], Line[]]),
    );
  } finally {
    for (const member of members.toReversed()) await member.stop();
    for (const node of nodes) await node.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
