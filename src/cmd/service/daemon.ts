/**
 * `ipfs-cluster-service daemon`: runs a peer until a signal or a failure ends it.
 * Source: Go `cmd/ipfs-cluster-service/daemon.go`, `cmdutils.HandleSignals`.
 */
import { hostname } from 'node:os';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { errorCode, errorMessage, type Logger, version } from '../../base/index.ts';
import { type LoadedPeer, loadPeer, lockFolder, peerFolder } from '../../io/config/index.ts';
import type { Environment, HttpApiConfig, RaftConfig, ServiceConfig } from '../../model/config/index.ts';
import { keysWithoutEffect, writeService } from '../../model/config/index.ts';
import type { Multiaddr } from '../../model/index.ts';
import type { Assemble, RunningPeer } from './assemble-types.ts';
import { attempt, Failure, lineOf } from './failure.ts';
import { parsePeers } from './init.ts';
import { listenToSignals, type Signals } from './signals.ts';

export interface DaemonOptions {
  /** Addresses with commas between. */
  readonly bootstrap: string;
  readonly leave: boolean;
  readonly stats: boolean;
  readonly tracing: boolean;
}

export interface DaemonDeps {
  readonly folderPath: string;
  readonly environment: Environment;
  readonly log: Logger;
  /** Its end stops the peer. Absent: only signals do. */
  readonly input?: Readable | undefined;
  /** Loaded late: whoever only makes a mistake in the configuration does not wait for it. */
  readonly loadAssemble: () => Promise<Assemble>;
}

/** Of the store, and of the IPFS node inside. */
const fullCodes = ['store/full', 'ipfs-node/disk-full'];
/** Between tries to start on a full disk: the first, and, doubled each time, the longest. */
const roomDelayMinMs = 1000;
const roomDelayMaxMs = 30_000;

/** What the peer may take to stop; then the process ends whatever still runs. */
const stopLimitMs = 4500;

/** Runs until the end; gives the exit code. Throws `Failure` for what stands in the way of a start. */
export async function daemon(options: DaemonOptions, deps: DaemonDeps): Promise<number> {
  const signals = listenToSignals(deps.log, stopLimitMs, deps.input);
  try {
    deps.log.scope('service').info('Initializing. For verbose output run with "-l debug". Please wait...');
    const bootstrap = await attempt('parsing --bootstrap', () => parsePeers(options.bootstrap));
    const lock = await attempt('obtaining execution lock', () => lockFolder(peerFolder(deps.folderPath)));
    try {
      return await runLocked(options, deps, bootstrap, signals);
    } finally {
      await lock.release();
    }
  } finally {
    signals.done();
  }
}

async function runLocked(
  options: DaemonOptions,
  deps: DaemonDeps,
  bootstrap: readonly Multiaddr[],
  signals: Signals,
): Promise<number> {
  const { log } = deps;
  const loaded = await attempt('loading configurations', () => load(deps));
  const config = withFlags(withRaft(loaded), options);
  tellUnused(config, log.scope('config'));
  log.scope('service').debug('configuration', { config: writeService(config, { form: 'display' }) });
  const assemble = await deps.loadAssemble();
  const { identity, folder, knownAddresses } = loaded;
  const start = (): Promise<RunningPeer> => assemble({ config, identity, folder, bootstrap, knownAddresses, log });
  const peer = await attempt('starting cluster', () => whenThereIsRoom(start, signals, log.scope('cluster')));
  if (peer === undefined) return 0;
  return await run(peer, loaded, signals, log.scope('cluster'));
}

/** A full disk is waited for, as it is by a peer that runs. Gives `undefined` when a signal came first. */
async function whenThereIsRoom(
  start: () => Promise<RunningPeer>,
  signals: Signals,
  log: Logger,
): Promise<RunningPeer | undefined> {
  let told = '';
  for (let delayMs = roomDelayMinMs; ; delayMs = Math.min(2 * delayMs, roomDelayMaxMs)) {
    try {
      return await start();
    } catch (error) {
      if (!fullCodes.includes(errorCode(error))) throw error;
      // The text may name a file or a size that changes with every try.
      if (errorCode(error) !== told) log.error(`this peer starts when its disk has room: ${errorMessage(error)}`);
      told = errorCode(error);
    }
    const pause = new AbortController();
    const slept = setTimeout(delayMs, 'slept', { signal: pause.signal }).catch(() => 'slept');
    const end = await Promise.race([signals.first, slept]);
    pause.abort();
    if (end === 'signal') return undefined;
  }
}

async function load(deps: DaemonDeps): Promise<LoadedPeer> {
  const log = deps.log.scope('config');
  return await loadPeer(deps.folderPath, {
    environment: deps.environment,
    hostname: hostname(),
    warn: (message) => log.warn(message),
  });
}

type RaftServiceConfig = ServiceConfig & { readonly raft: RaftConfig };

function withRaft({ config, folder }: LoadedPeer): RaftServiceConfig {
  const doing = 'choosing consensus';
  if (config.crdt !== undefined) {
    throw new Failure(
      doing,
      new Error(`${folder.configFile}: CRDT consensus is not available yet; expected consensus.raft`),
    );
  }
  if (config.raft === undefined) {
    throw new Failure(doing, new Error(`${folder.configFile}: consensus: found nothing, expected consensus.raft`));
  }
  return { ...config, raft: config.raft };
}

function withFlags(config: RaftServiceConfig, options: DaemonOptions): RaftServiceConfig {
  const { cluster, metrics, tracing } = config;
  return {
    ...config,
    cluster: { ...cluster, leaveOnShutdown: cluster.leaveOnShutdown || options.leave },
    metrics: { ...metrics, enableStats: metrics.enableStats || options.stats },
    tracing: { ...tracing, enableTracing: tracing.enableTracing || options.tracing },
  };
}

async function run(peer: RunningPeer, loaded: LoadedPeer, signals: Signals, log: Logger): Promise<number> {
  tellEndpoints(peer, loaded, log);
  if (loaded.config.cluster.secret === '') {
    log.warn('Cluster secret is empty: the network is open, and whoever reaches this peer can join');
  }
  const notReady = peer.ready.then(
    () => {
      log.info('** IPFS Cluster is READY **');
      // Never ends the wait below.
      return new Promise<never>(() => {});
    },
    (error: unknown) => error,
  );
  const end = await Promise.race([signals.first, peer.failed, notReady]);
  const isRemoved = errorCode(end) === 'cluster/removed';
  if (isRemoved) log.warn(lineOf(end));
  else if (end !== 'signal') log.error(lineOf(end));
  log.info('shutting down Cluster');
  // Also for an end without a signal: what does not stop must not keep a dead peer's folder locked.
  signals.startLimit();
  await peer.stop();
  return end === 'signal' || isRemoved ? 0 : 1;
}

/** What the Go peer's `init` writes and this peer does without. */
function tellUnused(config: RaftServiceConfig, log: Logger): void {
  const { cluster } = config;
  const others = cluster.listenMultiaddress.filter((address) => !address.includes('/tcp/'));
  if (others.length > 0) log.info(`cluster.listen_multiaddress: only TCP is available yet, not ${others.join(', ')}`);
  if (cluster.mdnsIntervalMs > 0) {
    log.info('cluster.mdns_interval: peers are not looked for in the local network yet; --bootstrap names one');
  }
  const keys = keysWithoutEffect(config);
  if (keys.length > 0) log.warn(`without effect in this version: ${keys.join(', ')}`);
}

function tellEndpoints(peer: RunningPeer, { config }: LoadedPeer, log: Logger): void {
  log.info(
    `IPFS Cluster v${version} listening on:\n${peer.addresses.map((address) => `        ${address}\n`).join('')}`,
  );
  for (const address of peer.endpoints.restapi) {
    log.scope('restapi').info(`RESTAPI (HTTP${authenticated(config.restapi)}): ${address}`);
  }
  for (const address of peer.endpoints.pinsvcapi) {
    log.scope('pinsvcapi').info(`PINSVCAPI (HTTP${authenticated(config.pinsvcapi)}): ${address}`);
  }
  for (const address of peer.endpoints.libp2pHttp) log.scope('restapi').info(`HTTP over libp2p: ${address}`);
  for (const address of peer.endpoints.ipfsproxy) {
    log.scope('ipfsproxy').info(`IPFS Proxy: ${address} -> ${peer.endpoints.ipfs}`);
  }
}

function authenticated(config: HttpApiConfig | undefined): string {
  const isOpen = (config?.basicAuthCredentials ?? config?.readOnlyCredentials ?? null) === null;
  return isOpen ? '' : ' - authenticated';
}
