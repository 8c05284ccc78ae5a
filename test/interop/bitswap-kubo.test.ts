/** Blocks between the embedded node and a real Kubo over bitswap, both ways. Kubo is the program that `KUBO_BIN` names. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createIpfsNode, createRpcServer, type IpfsNode } from '../../src/ipfs-node/index.ts';
import { startKubo } from '../conformance/kubo-daemon.ts';
import { type RpcResponse, noise as sameNoise, send } from '../conformance/kubo-rpc/client.ts';
import type { RpcTarget } from '../conformance/kubo-rpc.ts';

const program = process.env.KUBO_BIN;
const skip = program === undefined ? 'KUBO_BIN is not set: NOT TESTED against a real Kubo' : false;
if (skip !== false) console.error(`bitswap with Kubo: ${skip}`);

/** Bytes that no other case has; of no bytes there is only one kind. */
const noise = (size: number, salt: number): Buffer => Buffer.concat([sameNoise(size), Buffer.of(salt)]).subarray(1);

describe('bitswap with Kubo', { skip }, () => {
  let kubo: RpcTarget;
  let node: IpfsNode;
  let folder: string;
  const onKubo = (path: string, options = {}): Promise<RpcResponse> => send(kubo.url, path, options);
  const onNode = (path: string, options = {}): Promise<RpcResponse> => send(node.rpcUrl() ?? '', path, options);
  const cidOf = (response: RpcResponse): string => String((response.lines().at(-1) as { Hash?: string }).Hash);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ipfs-node-'));
    node = createIpfsNode({
      folder,
      rpcListen: '/ip4/127.0.0.1/tcp/0',
      swarmListen: ['/ip4/127.0.0.1/tcp/0'],
      createRpc: createRpcServer,
    });
    [kubo] = await Promise.all([startKubo(program ?? ''), node.start()]);
    const { Addresses } = (await onKubo('id')).json() as { Addresses: string[] };
    const address = Addresses.find((text) => text.includes('/tcp/') && !text.includes('/ws')) ?? '';
    assert.equal((await onNode(`swarm/connect?arg=${encodeURIComponent(address)}`)).status, 200);
  });
  after(async () => {
    await Promise.all([kubo?.stop(), node?.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  for (const sizeBytes of [0, 100, 1024, 262_144, 20_000_000]) {
    it(`a file of ${sizeBytes} bytes comes over from Kubo and is pinned`, async () => {
      const content = noise(sizeBytes, 1);
      const cid = cidOf(await onKubo('add?cid-version=1', { parts: [{ path: 'f', content }] }));
      assert.equal((await onNode(`pin/add?arg=${cid}&timeout=20s`)).status, 200);
      const read = await onNode(`cat?arg=${cid}&offline=true`);
      assert.ok(read.body.equals(content));
    });
    it(`a file of ${sizeBytes} bytes goes over to Kubo and is pinned`, async () => {
      const content = noise(sizeBytes, 2);
      const cid = cidOf(await onNode('add', { parts: [{ path: 'f', content }] }));
      assert.equal((await onKubo(`pin/add?arg=${cid}&timeout=20s`)).status, 200);
      const read = await onKubo(`cat?arg=${cid}&offline=true`);
      assert.ok(read.body.equals(content));
    });
  }

  it('large blocks go both ways', async () => {
    for (const [from, to] of [
      [onKubo, onNode],
      [onNode, onKubo],
    ] as const) {
      const content = noise(2_000_000, from === onKubo ? 3 : 4);
      const put = await from('block/put?allow-big-block=true', { parts: [{ path: 'b', content }] });
      const { Key } = put.lines().at(-1) as { Key: string };
      assert.ok((await to(`block/get?arg=${Key}&timeout=20s`)).body.equals(content));
    }
  });

  it('a block that is wanted before it exists arrives when it is added, both ways', async () => {
    for (const [from, to] of [
      [onKubo, onNode],
      [onNode, onKubo],
    ] as const) {
      const content = noise(5000, from === onKubo ? 5 : 6);
      const only = await from('add?only-hash=true&cid-version=1', { parts: [{ path: 'f', content }] });
      const waiting = to(`cat?arg=${cidOf(only)}&timeout=20s`);
      // The want has to be out before the block is there: the other side's ledger tells.
      const wants = async (): Promise<boolean> => {
        const list = (await to('bitswap/wantlist')).text();
        return list.includes(cidOf(only));
      };
      while (to === onKubo && !(await wants())) await new Promise((resolve) => setImmediate(resolve));
      await from('add?cid-version=1', { parts: [{ path: 'f', content }] });
      assert.ok((await waiting).body.equals(content));
    }
  });

  it('nothing stays wanted, and Kubo keeps no wants of ours in its ledger', async () => {
    assert.deepEqual(node.bitswapStat().wantlist, []);
    const { Keys } = (await onKubo(`bitswap/wantlist?peer=${node.swarm.peerId}`)).json() as { Keys: unknown[] | null };
    assert.deepEqual(Keys ?? [], []);
  });
});
