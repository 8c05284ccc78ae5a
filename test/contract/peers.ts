/**
 * The scene in which the exchanges were recorded: two peers, an IPFS node behind each. The peers are processes; the
 * IPFS nodes, real ones too, run here, so that a test can stop one while its peer goes on.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { createIpfsNode, createRpcServer, type IpfsNode } from '../../src/ipfs-node/index.ts';
import { startPeers, type TestPeer } from '../support/peers.ts';

/** Content that nobody has fails to be pinned after this time. Long enough to see it being pinned before. */
const pinTimeoutMs = 6_000;
export const waitLimitMs = 60_000;

export interface ScenePeer extends TestPeer {
  readonly id: string;
  readonly ipfsId: string;
  stopIpfs(): Promise<void>;
  startIpfs(): Promise<void>;
}

export interface Scene {
  /** The peer that answers. */
  readonly first: ScenePeer;
  readonly second: ScenePeer;
  end(): Promise<void>;
}

export async function startScene(): Promise<Scene> {
  const ipfsFolder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-contract-'));
  const { peers, end } = await startPeers({
    count: 2,
    isStarted: false,
    change: (config) => ({
      ...config,
      embedded: undefined,
      ipfshttp: { ...config.ipfshttp, pinTimeoutMs },
    }),
  });
  const stops: (() => Promise<void>)[] = [];
  const finish = async (): Promise<void> => {
    for (const stop of stops) await stop();
    await end();
    await rm(ipfsFolder, { recursive: true, force: true });
  };
  try {
    const started = await Promise.all(
      peers.map(async (peer) => {
        let node: IpfsNode | undefined;
        const stopIpfs = async (): Promise<void> => {
          await node?.stop();
          node = undefined;
        };
        const startIpfs = async (): Promise<void> => {
          node = createIpfsNode({
            folder: join(ipfsFolder, peer.name),
            rpcListen: peer.ipfsAddress,
            swarmListen: ['/ip4/127.0.0.1/tcp/0'],
            createRpc: createRpcServer,
          });
          await node.start();
        };
        await startIpfs();
        stops.push(stopIpfs);
        await peer.process.start();
        return { ...peer, stopIpfs, startIpfs };
      }),
    );
    const [first, second] = await Promise.all(started.map(withIds));
    if (first === undefined || second === undefined) throw new Error('two peers are started');
    await linked(first, second);
    return { first, second, end: finish };
  } catch (error) {
    await finish();
    throw error;
  }
}

async function withIds<T extends TestPeer>(peer: T): Promise<T & { readonly id: string; readonly ipfsId: string }> {
  const ids = await waitFor(
    async () => {
      const response = await fetch(`${peer.apiUrl}/id`);
      return (await response.json()) as { readonly id: string; readonly ipfs: { readonly id?: string } };
    },
    ({ ipfs }) => ipfs.id !== undefined,
    () => `${peer.name} has no IPFS node yet`,
    waitLimitMs,
  );
  return { ...peer, id: ids.id, ipfsId: ids.ipfs.id ?? '' };
}

/** Until both peers know each other's metrics, and their IPFS nodes are connected, as when it was recorded. */
async function linked(...peers: readonly ScenePeer[]): Promise<void> {
  for (const peer of peers) {
    for (const name of ['ping', 'freespace', 'tag:group', 'pinqueue']) {
      await waitFor(
        async () => (await (await fetch(`${peer.apiUrl}/monitor/metrics/${name}`)).json()) as unknown[],
        (metrics) => metrics.length === 2,
        (metrics) => `${peer.name} has ${name} of ${metrics.length} peers`,
        waitLimitMs,
      );
    }
    await waitFor(
      async () =>
        ((await (await fetch(`${peer.apiUrl}/health/graph`)).json()) as { ipfs_links: Record<string, string[]> })
          .ipfs_links,
      (links) => Object.values(links).filter((ends) => ends.length === 1).length === 2,
      (links) => `IPFS nodes are linked as ${JSON.stringify(links)}`,
      waitLimitMs,
    );
  }
}
