/**
 * Builds a peer from its parts: the one place that knows which implementation stands behind which port.
 *
 * Order: what can refuse for a reason of its own (addresses in use, a damaged log) comes first, and every part that was
 * started is stopped again, last one first, when a later one fails.
 */
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { privateKeyToProtobuf } from '@libp2p/crypto/keys';
import {
  errorCode,
  errorMessage,
  hexDecode,
  limitedLogger,
  OperatingError,
  SeededRandom,
  version,
} from '../../base/index.ts';
import { createPeer, createPinTracker, leaderOf, openPinset, type Peer } from '../../cluster/index.ts';
import type { Datastore, Host, Informer, IpfsConnector, PinTracker } from '../../cluster/ports.ts';
import type { ApiOptions, ApiServer } from '../../http/kit/index.ts';
import { bindPinsvcApi } from '../../http/pinsvc/index.ts';
import { bindProxy } from '../../http/proxy/index.ts';
import { bindRestApi } from '../../http/rest/index.ts';
import { createAdder } from '../../io/add/index.ts';
import { cordonFileOf, peerstoreOf, revocationFileOf } from '../../io/config/index.ts';
import { createRaft, createStreamTransport } from '../../io/consensus/index.ts';
import {
  createDiskInformer,
  createNumpinInformer,
  createPinQueueInformer,
  createTagsInformer,
} from '../../io/inform/index.ts';
import { createIpfsConnector } from '../../io/ipfs/index.ts';
import { createPeerMonitor } from '../../io/monitor/index.ts';
import { createHost } from '../../io/p2p/index.ts';
import { createRpc, multiplexedProtocol, registerServices } from '../../io/rpc/index.ts';
import { createRaftFolder, openDatastore } from '../../io/store/index.ts';
import type { HttpApiConfig, ServiceConfig } from '../../model/config/index.ts';
import { type Multiaddr, peerIdOfMultiaddr, timeFromNanos } from '../../model/index.ts';
import { serveStreams, startApiHost } from './api-host.ts';
import type { AssembledPeer, AssembleOptions, PeerObserver } from './assemble-types.ts';
import { systemClock as clock } from './clock.ts';
import { startEmbeddedNode } from './embedded.ts';
import { createUndo } from './undo.ts';

export type { AssembledPeer, AssembleOptions, PeerObserver };

type ApiStreams = Pick<ApiServer, 'acceptStream'>;

/** See `Assemble`. */
export async function assemble(options: AssembleOptions): Promise<AssembledPeer> {
  const undo = createUndo((error) => options.log.warn('while stopping', { error: errorMessage(error) }));
  try {
    return await build(options, undo);
  } catch (error) {
    await undo.run();
    throw error;
  }
}

async function build(options: AssembleOptions, undo: ReturnType<typeof createUndo>): Promise<AssembledPeer> {
  const { config, identity, folder, bootstrap, observer } = options;
  // Whatever goes wrong again and again in any part has one line a minute.
  const log = limitedLogger(options.log, clock);
  const self = identity.id;
  const random = new SeededRandom(randomBytes(4).readUInt32LE());
  const failed = Promise.withResolvers<Error>();

  const { restapi, pinsvcapi, ipfsproxy } = config;
  const rest =
    restapi === undefined
      ? undefined
      : await ofKey('api.restapi', async () => bindRestApi(await apiOptions(restapi, folder.path)));
  if (rest !== undefined) undo.add(rest.close);
  const pinsvc =
    pinsvcapi === undefined
      ? undefined
      : await ofKey('api.pinsvcapi', async () => bindPinsvcApi(await apiOptions(pinsvcapi, folder.path)));
  if (pinsvc !== undefined) undo.add(pinsvc.close);
  const { embedded: embeddedConfig } = config;
  const embedded =
    embeddedConfig === undefined
      ? undefined
      : await ofKey('ipfs_connector.embedded', () => startEmbeddedNode(embeddedConfig, folder.ipfsRepoFolder, log));
  if (embedded !== undefined) undo.add(embedded.stop);
  const nodeMultiaddress = embedded?.rpcAddress ?? config.ipfshttp.nodeMultiaddress;
  const proxy =
    ipfsproxy === undefined
      ? undefined
      : await ofKey('api.ipfsproxy', () =>
          bindProxy({
            ...ipfsproxy,
            nodeMultiaddress: embedded?.rpcAddress ?? ipfsproxy.nodeMultiaddress,
            logFile: ipfsproxy.logFile === '' ? '' : resolve(folder.path, ipfsproxy.logFile),
          }),
        );
  if (proxy !== undefined) undo.add(proxy.close);

  const host = await createHost(
    {
      privateKey: privateKeyToProtobuf(identity.privateKey),
      secret: config.cluster.secret === '' ? null : hexDecode(config.cluster.secret),
      listen: config.cluster.listenMultiaddress,
      announce: config.cluster.announceMultiaddress,
      noAnnounce: config.cluster.noAnnounceMultiaddress,
      dialTimeoutMs: config.cluster.dialPeerTimeoutMs,
      connectionsHigh: config.cluster.connectionManager.highWater,
      pubsub: { ...config.cluster.pubsub, exchangesPeers: !config.cluster.followerMode },
    },
    { logger: log },
  );
  await ofKey('cluster.listen_multiaddress', () => host.start());
  undo.add(() => host.stop());
  await host.addAddresses([...options.knownAddresses, ...bootstrap]);
  const libp2pHttp: Multiaddr[] = [];
  const serveOverLibp2p = async (section: HttpApiConfig, api: ApiStreams, where: string): Promise<Host | undefined> => {
    const own = await ofKey(where, () => startApiHost(section, api, { log, where }));
    if (own === undefined) return undefined;
    undo.add(() => own.stop());
    libp2pHttp.push(...own.addresses());
    return own;
  };
  if (restapi !== undefined && rest !== undefined) {
    const own = await serveOverLibp2p(restapi, rest, 'api.restapi');
    // Under Raft the members of the private network reach it on the host of the cluster, unless it has its own.
    if (own === undefined) {
      serveStreams(host.streams, rest);
      libp2pHttp.push(...host.addresses());
    }
  }
  if (pinsvcapi !== undefined && pinsvc !== undefined) await serveOverLibp2p(pinsvcapi, pinsvc, 'api.pinsvcapi');

  const rpc = createRpc(
    {},
    { streams: host.streams, clock, logger: log, isTrusted: (peer) => consensus.isTrustedPeer(peer) },
  );
  const ipfs = createConnector(config, nodeMultiaddress, log, () => peer?.ipfsWorked());
  const storage = createRaftFolder(folder.raftFolder, {
    backupsRotate: config.raft.backupsRotate,
    logger: log.scope('raft'),
  });
  const onReplaced = (): void => {
    tracker.pinsetReplaced();
    peer?.observer.onReplaced();
    observer?.onReplaced();
  };
  const consensus = createRaft(
    {
      self,
      isJoining: bootstrap.length > 0,
      joinsOnce: options.joinsOnce === true,
      bootstrapPeers: bootstrap.flatMap((address) => peerIdOfMultiaddr(address) ?? []),
      config: config.raft,
    },
    {
      storage,
      transport: createStreamTransport({ streams: host.streams, clock, logger: log }),
      rpc,
      clock,
      random: random.derive('raft'),
      logger: log,
      onFailure: (error) => failed.resolve(error),
      onReopened: onReplaced,
      onStatus: ({ configuration, leader }) =>
        observer?.onMembership(configuration.servers.map(({ id }) => id).sort(), leader),
      openPinset: (store) =>
        openPinset(store, {
          log: log.scope('state'),
          observer: {
            onPin: (pin) => {
              // First: what becomes of it is told behind it.
              peer?.observer.onPin(pin);
              tracker.track(pin);
              observer?.onPin(pin);
            },
            onUnpin: (pin) => {
              peer?.observer.onUnpin(pin);
              tracker.untrack(pin);
              observer?.onUnpin(pin);
            },
            onReplaced,
          },
        }),
    },
  );
  const trackerStore = await openDatastore(join(folder.path, 'tracker'));
  undo.add(() => trackerStore.close());
  let peer: Peer | undefined;
  const tracker = createPinTracker(
    { ...config.stateless, reconcileIntervalMs: config.cluster.pinRecoverIntervalMs },
    {
      ipfs,
      pinset: consensus.pinset(),
      store: trackerStore,
      clock,
      random: random.derive('tracker'),
      logger: log.scope('pintracker'),
      identity: () =>
        peer?.identity() ?? { peer: self, peername: config.cluster.peername, ipfsId: '', ipfsAddresses: [] },
      statusObserver: {
        isWanted: () => peer?.statusObserver.isWanted() === true,
        onStatus: (info) => peer?.statusObserver.onStatus(info),
      },
    },
  );
  const monitor = createPeerMonitor(
    { self, checkIntervalMs: config.pubsubmon.checkIntervalMs },
    { pubsub: host.pubsub, clock, logger: log.scope('monitor'), members: () => consensus.peers() },
  );
  if (observer !== undefined) monitor.onAlert((alert) => observer.onAlert(alert));
  peer = createPeer(
    {
      ...config.cluster,
      version,
      allocateBy: config.balanced.allocateBy,
      connectSwarmsDelayMs: config.ipfshttp.connectSwarmsDelayMs,
      repoGcTimeoutMs: config.ipfshttp.repogcTimeoutMs,
      informerTriggerInterval: config.ipfshttp.informerTriggerInterval,
    },
    {
      host,
      rpc,
      consensus,
      tracker,
      ipfs,
      monitor,
      informers: createInformers(config, self, ipfs, tracker),
      clock,
      random: random.derive('peer'),
      logger: log.scope('cluster'),
      addressFile: peerstoreOf(folder.peerstoreFile),
      cordonFile: cordonFileOf(folder.cordonFile),
      adder: createAdder({ self, rpc, clock, logger: log.scope('adder') }),
      openSearchStore: () => openRebuildable(join(folder.path, 'search')),
      revocationFile: revocationFileOf(folder.revocationFile),
      answersInOrder: (id) => host.streams.protocolsOf(id)?.includes(multiplexedProtocol) ?? false,
    },
  );
  const running = peer;
  registerServices(rpc, { cluster: running, tracker, ipfs, consensus, monitor });
  await rpc.start();
  undo.add(() => rpc.stop());
  undo.add(() => running.stop());
  await running.start();
  rest?.serve({ cluster: running, log: log.scope('restapilog'), now: () => timeFromNanos(clock.wallNanos()) });
  pinsvc?.serve({ cluster: running, log: log.scope('pinsvcapilog'), now: () => timeFromNanos(clock.wallNanos()) });
  proxy?.serve({ cluster: running, log: log.scope('ipfsproxy') });
  let isRemoved = false;
  running.removed.then(
    () => {
      isRemoved = true;
      // The beginning is the reference's (Go `cluster.go` `watchPeers`).
      const text = 'peer no longer in peerset: its data is kept as a backup; start it with --bootstrap to join again';
      failed.resolve(new OperatingError('cluster/removed', text));
    },
    () => {},
  );
  if (bootstrap.length > 0) void running.bootstrap(bootstrap);
  return {
    cluster: running,
    clock,
    leader: () => leaderOf(consensus),
    pinCount: () => consensus.pinset().count(),
    addresses: host.addresses(),
    endpoints: {
      restapi: rest?.addresses() ?? [],
      pinsvcapi: pinsvc?.addresses() ?? [],
      libp2pHttp,
      ipfsproxy: proxy?.addresses() ?? [],
      ipfs: nodeMultiaddress,
    },
    ready: running.ready,
    failed: failed.promise,
    stop: async () => {
      await undo.run();
      // The data of a peer that others have removed is kept as a backup, so that it can join again.
      if (isRemoved) await consensus.clean();
    },
  };
}

function createConnector(
  config: ServiceConfig,
  nodeMultiaddress: string,
  log: AssembleOptions['log'],
  onWork: () => void,
): IpfsConnector {
  const { ipfshttp, stateless } = config;
  return createIpfsConnector(
    {
      nodeMultiaddress,
      ipfsRequestTimeoutMs: ipfshttp.ipfsRequestTimeoutMs,
      pinTimeoutMs: ipfshttp.pinTimeoutMs,
      unpinTimeoutMs: ipfshttp.unpinTimeoutMs,
      repoGcTimeoutMs: ipfshttp.repogcTimeoutMs,
      unpinDisable: ipfshttp.unpinDisable,
      concurrentPins: stateless.concurrentPins,
    },
    { clock, logger: log.scope('ipfshttp'), onWork },
  );
}

function createInformers(config: ServiceConfig, self: string, ipfs: IpfsConnector, tracker: PinTracker): Informer[] {
  const { disk, tags, pinqueue, numpin } = config;
  const informers: Informer[] = [];
  if (disk !== undefined) {
    informers.push(createDiskInformer({ self, clock, ttlMs: disk.metricTtlMs, type: disk.metricType, ipfs }));
  }
  if (tags !== undefined) informers.push(createTagsInformer({ self, clock, ttlMs: tags.metricTtlMs, tags: tags.tags }));
  if (pinqueue !== undefined) {
    informers.push(
      createPinQueueInformer({
        self,
        clock,
        ttlMs: pinqueue.metricTtlMs,
        weightBucketSize: pinqueue.weightBucketSize,
        tracker,
      }),
    );
  }
  if (numpin !== undefined) informers.push(createNumpinInformer({ self, clock, ttlMs: numpin.metricTtlMs, ipfs }));
  return informers;
}

/** What can be made again need not be mended. */
async function openRebuildable(path: string): Promise<Datastore> {
  try {
    return await openDatastore(path);
  } catch (error) {
    if (errorCode(error) !== 'store/damaged') throw error;
    await rm(path, { recursive: true, force: true });
    return await openDatastore(path);
  }
}

/** A failure names the place of the configuration that it comes from: several have addresses. */
async function ofKey<T>(key: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const code = errorCode(error);
    if (code === '' || code === 'base/assertion') throw error;
    throw new OperatingError(code, `${key}: ${errorMessage(error)}`, { cause: error });
  }
}

async function apiOptions(config: HttpApiConfig, folder: string): Promise<ApiOptions> {
  const tls =
    config.sslCertFile === ''
      ? undefined
      : {
          cert: await readFile(resolve(folder, config.sslCertFile)),
          key: await readFile(resolve(folder, config.sslKeyFile)),
        };
  const { basicAuthCredentials: full, readOnlyCredentials: readOnly } = config;
  return {
    listen: config.httpListenMultiaddress,
    limits: config,
    ...(tls === undefined ? {} : { tls }),
    ...(full === null && readOnly === null ? {} : { credentials: { full: full ?? {}, readOnly: readOnly ?? {} } }),
    headers: config.headers,
    ...(config.httpLogFile === '' ? {} : { accessLogFile: resolve(folder, config.httpLogFile) }),
    rateLimitPerMinute: config.rateLimitPerMinute,
    cors: {
      allowedOrigins: config.corsAllowedOrigins,
      allowedMethods: config.corsAllowedMethods,
      allowedHeaders: config.corsAllowedHeaders,
      exposedHeaders: config.corsExposedHeaders,
      allowCredentials: config.corsAllowCredentials,
      maxAgeSeconds: Math.floor(config.corsMaxAgeMs / 1000),
    },
  };
}
