/** A peer in this process. The parts of a peer are loaded when the first one is made: types and texts alone cost nothing. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { errorCode, type Logger, silentLogger } from '../base/index.ts';
import type { AssembledPeer } from '../cmd/service/assemble.ts';
import {
  createIdentity,
  type Identity,
  lockFolder,
  type PeerFolder,
  peerFolder,
  readIdentity,
  readPeerstore,
  readSecret,
  writeIdentity,
  writeSecret,
} from '../io/config/index.ts';
import { Events } from './events.ts';
import { clusterOf } from './facade.ts';
import { observerOf } from './observer.ts';
import { type CheckedOptions, type ClusterOptions, checkOptions } from './options.ts';
import type { Cluster, ClusterEvents } from './types.ts';

/**
 * Starts a peer. Resolves when it listens; `ready` of the result tells when it is a member.
 *
 * **Errors**: `embed/bad-option`; `config/locked` when the folder is in use, `config/bad-file` when it cannot be used; those of
 * a peer that cannot start, such as `p2p/listen` and `store/damaged`. Nothing is left running then.
 */
export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  const checked = checkOptions(options, hostname());
  const folder = peerFolder(checked.folder, checked.config);
  const lock = await lockFolder(folder);
  try {
    const start = await startPeer(checked, folder, options.log ?? silentLogger);
    return embedded({ ...start, release: () => lock.release() });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface Started {
  readonly peer: AssembledPeer;
  readonly peername: string;
  readonly secret: string;
  readonly events: Events<ClusterEvents>;
}

async function startPeer({ config, ...checked }: CheckedOptions, folder: PeerFolder, log: Logger): Promise<Started> {
  const { assemble } = await import('../cmd/service/assemble.ts');
  const identity = await identityOf(folder);
  const secret = checked.secret ?? (await secretOf(folder));
  if (secret === '') log.warn('Cluster secret is empty: the network is open, and whoever reaches this peer can join');
  const events = new Events<ClusterEvents>();
  let pins: () => number = () => 0;
  const peer = await assemble({
    config: { ...config, cluster: { ...config.cluster, secret } },
    identity,
    folder,
    bootstrap: checked.bootstrap,
    joinsOnce: true,
    knownAddresses: await readPeerstore(folder.peerstoreFile, (line) => log.warn(line)),
    log,
    observer: observerOf(events, () => pins()),
  });
  pins = () => peer.pinCount();
  return { peer, peername: config.cluster.peername, secret, events };
}

function embedded({
  peer,
  peername,
  secret,
  events,
  release,
}: Started & { readonly release: () => Promise<void> }): Cluster {
  const ended = Promise.withResolvers<Error | undefined>();
  let stopping: Promise<void> | undefined;
  const stop = (cause?: Error): Promise<void> => {
    stopping ??= peer
      .stop()
      .then(release)
      .then(() => ended.resolve(cause));
    return stopping;
  };
  // A peer that cannot go on answers nobody: it is stopped, so that its folder can be looked at.
  void peer.failed.then((cause) => stop(cause));
  const { cluster, clock, addresses, endpoints, ready } = peer;
  return clusterOf({
    id: cluster.self,
    peername,
    secret,
    addresses,
    doors: {
      http: endpoints.restapi,
      pinningService: endpoints.pinsvcapi,
      proxy: endpoints.ipfsproxy,
      ipfs: endpoints.ipfs,
    },
    ready,
    ended: ended.promise,
    events,
    clock,
    api: () => cluster,
    leader: () => peer.leader(),
    stop: () => stop(),
  });
}

async function identityOf({ identityFile }: PeerFolder): Promise<Identity> {
  try {
    return await readIdentity(identityFile, {});
  } catch (error) {
    if (errorCode(error) !== 'config/no-file') throw error;
  }
  const identity = await createIdentity();
  await writeIdentity(identityFile, identity);
  return identity;
}

async function secretOf({ secretFile }: PeerFolder): Promise<string> {
  const known = await readSecret(secretFile);
  if (known !== undefined) return known;
  const secret = randomBytes(32).toString('hex');
  await writeSecret(secretFile, secret);
  return secret;
}
