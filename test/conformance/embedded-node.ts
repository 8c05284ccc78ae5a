/** Embedded IPFS nodes for tests, each in a temporary folder and at free loopback ports. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIpfsNode, createRpcServer } from '../../src/ipfs-node/index.ts';
import type { RpcTarget } from './kubo-rpc.ts';

export async function startEmbeddedNode(): Promise<RpcTarget> {
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-node-'));
  const node = createIpfsNode({
    folder,
    rpcListen: '/ip4/127.0.0.1/tcp/0',
    swarmListen: ['/ip4/127.0.0.1/tcp/0'],
    createRpc: createRpcServer,
  });
  await node.start();
  return {
    url: node.rpcUrl() ?? '',
    stop: async () => {
      await node.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
