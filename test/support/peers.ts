/** Three real peers in processes of their own, each with a real IPFS node, for end-to-end tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ChildPeer, createChildPeer } from '../../src/cmd/service/demo/child.ts';
import { type DemoFolder, prepareFolders } from '../../src/cmd/service/demo/setup.ts';
import type { ServiceConfig } from '../../src/model/config/index.ts';
import { type KuboDaemon, startKubo } from './kubo.ts';

/** The program as users start it. */
export const serviceProgram: string = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  'bin',
  'ipfs-cluster-service.cjs',
);

export interface TestPeer extends DemoFolder {
  readonly process: ChildPeer;
}

export interface TestPeers {
  readonly peers: readonly TestPeer[];
  /** Stops everything and removes the folders. */
  end(): Promise<void>;
}

export interface TestPeersOptions {
  readonly count?: number;
  /** Kubo's program: the peers use a daemon of it each instead of their embedded nodes. */
  readonly kubo?: string;
  /** Peers are prepared only. */
  readonly isStarted?: boolean;
  /** Peers that are removed from the cluster end by themselves. */
  readonly mayEnd?: boolean;
  readonly change?: (config: ServiceConfig) => ServiceConfig;
}

export async function startPeers(options: TestPeersOptions = {}): Promise<TestPeers> {
  const { count = 3, kubo, isStarted = true, mayEnd = false, change = (config) => config } = options;
  const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-e2e-'));
  const prepared = await prepareFolders(folder, count, (config) =>
    change(kubo === undefined ? config : { ...config, embedded: undefined }),
  );
  const daemons: KuboDaemon[] = [];
  const deaths: string[] = [];
  const peers = prepared.map((peer) => ({
    ...peer,
    process: createChildPeer({
      name: peer.name,
      folder: peer.folder,
      program: [serviceProgram],
      onDeath: (name, tail) => deaths.push(`${name}:\n${tail.join('\n')}`),
    }),
  }));
  const end = async (): Promise<void> => {
    await Promise.all(peers.map((peer) => peer.process.stop()));
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    await rm(folder, { recursive: true, force: true });
    if (deaths.length > 0 && !mayEnd) throw new Error(`Peers ended by themselves:\n${deaths.join('\n')}`);
  };
  try {
    if (kubo !== undefined) {
      daemons.push(
        ...(await Promise.all(
          prepared.map((peer) => startKubo(kubo, join(peer.folder, 'kubo'), Number(new URL(peer.ipfsUrl).port))),
        )),
      );
    }
    if (isStarted) await Promise.all(peers.map((peer) => peer.process.start()));
    return { peers, end };
  } catch (error) {
    await end();
    throw error;
  }
}
