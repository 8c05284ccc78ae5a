/** The embedded IPFS node: its code is loaded only by a peer that is configured to have one. */
import { errorCode, errorMessage, type Logger } from '../../base/index.ts';
import { formatSocketAddress } from '../../http/kit/index.ts';
import type { IpfsNode } from '../../ipfs-node/index.ts';
import type { EmbeddedIpfsConfig } from '../../model/config/index.ts';
import { type Multiaddr, peerIdOfMultiaddr } from '../../model/index.ts';
import { systemClock } from './clock.ts';

/** Between looks at the node's neighbours and at its size. */
const careIntervalMs = 60_000;

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
  const stopping = new AbortController();
  void takeCare(node, config, log.scope('ipfs-node'), stopping.signal);
  const url = new URL(node.rpcUrl() ?? '');
  return {
    rpcAddress: formatSocketAddress({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) }),
    stop: () => {
      stopping.abort();
      return node.stop();
    },
  };
}

/** Keeps the configured neighbours connected, and collects garbage when the repo is nearly full. Until stopped. */
async function takeCare(node: IpfsNode, config: EmbeddedIpfsConfig, log: Logger, signal: AbortSignal): Promise<void> {
  const told = new Set<string>();
  /** Of each cause, whatever its text says this time. */
  const warnOnce = (what: string, error: unknown): void => {
    const cause = `${what} ${errorCode(error)}`;
    if (!told.has(cause) && !signal.aborted) log.warn(`${what}: ${errorMessage(error)}`);
    told.add(cause);
  };
  while (!signal.aborted) {
    const connected = new Set(node.swarm.peers().map(({ peerId }) => peerId));
    for (const address of config.swarmPeers) {
      if (connected.has(peerIdOfMultiaddr(address) ?? '')) continue;
      await node.swarm.connect(address, { signal }).catch((error: unknown) => {
        warnOnce(`cannot connect to the IPFS node at ${address}`, error);
      });
    }
    const { repoSizeBytes, storageMaxBytes } = node.repoStat();
    if (config.gcWatermark > 0 && repoSizeBytes > storageMaxBytes * config.gcWatermark) {
      await collectGarbage(node, log, signal).catch((error: unknown) => {
        warnOnce('garbage collection failed', error);
      });
    }
    await pause(careIntervalMs, signal);
  }
}

async function collectGarbage(node: IpfsNode, log: Logger, signal: AbortSignal): Promise<void> {
  let blocks = 0;
  for await (const page of node.gc.run({ signal })) blocks += page.length;
  log.info('the repo is nearly full: garbage collected', { blocks });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = systemClock.after(ms, resolve);
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}
