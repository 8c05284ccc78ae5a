/** The embedded IPFS node: its code is loaded only by a peer that is configured to have one. */
import type { Logger } from '../../base/index.ts';
import { formatSocketAddress } from '../../http/kit/index.ts';
import type { EmbeddedIpfsConfig } from '../../model/config/index.ts';
import type { Multiaddr } from '../../model/index.ts';

export interface EmbeddedNode {
  /** Where it serves the Kubo RPC, with the real port. */
  readonly rpcAddress: Multiaddr;
  stop(): Promise<void>;
}

/** Starts the node. Throws what its `start` throws. */
export async function startEmbeddedNode(
  config: EmbeddedIpfsConfig,
  folder: string,
  log: Logger,
): Promise<EmbeddedNode> {
  const [{ createIpfsNode }, { createRpcServer }] = await Promise.all([
    import('../../ipfs-node/index.ts'),
    import('../../ipfs-node/rpc/index.ts'),
  ]);
  const node = createIpfsNode({
    folder,
    rpcListen: config.rpcListenMultiaddress,
    swarmListen: config.swarmListenMultiaddress,
    storageMax: `${config.storageMaxBytes}B`,
    logger: log,
    createRpc: (ipfs, { listen }) => createRpcServer(ipfs, { listen, logger: log }),
  });
  await node.start();
  const url = new URL(node.rpcUrl() ?? '');
  return {
    rpcAddress: formatSocketAddress({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) }),
    stop: () => node.stop(),
  };
}
