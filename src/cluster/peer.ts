/**
 * The peer: what its doors can ask of it, and the loops that keep it and its pins in order.
 *
 * Construction order and who calls whom: the assembly makes host, rpc, consensus, tracker, connector and monitor, hands
 * them in, and calls `start`. Doors are served from then on; `ready` tells when writes make sense. IPFS being down never
 * holds anything up.
 * Source: Go `cluster.go`.
 */
import {
  type Cancel,
  type Clock,
  errorMessage,
  type Logger,
  LogLimit,
  OperatingError,
  pause,
  type Random,
  type Startable,
} from '../base/index.ts';
import {
  type AddedOutput,
  type AddParams,
  type Alert,
  type AllocationExplanation,
  type BandwidthByProtocol,
  type Cid,
  type ConnectGraph,
  type CordonMode,
  type GlobalPinInfo,
  type GlobalRepoGc,
  type GlobalStatusRow,
  globalPinInfoOf,
  type Id,
  type IpfsRepoStat,
  type MemberState,
  type Metric,
  type Multiaddr,
  methods,
  nothing,
  type OperationInfo,
  type PeerId,
  type Pin,
  type PinInfo,
  type PinOptions,
  type PinPath,
  peerIdOfMultiaddr,
  type RebalanceEvent,
  type Replication,
  type RepoGc,
  type RevocationAnswer,
  type RevokedToken,
  type StatusFilter,
  type StoredPin,
  trackerStatusBits,
  type Version,
} from '../model/index.ts';
import { AllocationWriter } from './allocation-writer.ts';
import { Allocator } from './allocator.ts';
import { bootstrap } from './bootstrap.ts';
import { cannotCordon, followerMode, noAdder, noMember, notPinned, otherCluster } from './errors.ts';
import { PeerEvents } from './events/peer-events.ts';
import { Expiry } from './expiry.ts';
import { garbageOf, gcEntriesMax, withinRoom } from './gc.ts';
import { GlobalStatus } from './global-status.ts';
import { Healer } from './healer.ts';
import { leaderOf } from './leader.ts';
import { Loop } from './loop.ts';
import { statesOfMembers } from './member-states.ts';
import { MemberWatch } from './member-watch.ts';
import { Members, type MembersOptions } from './members.ts';
import { failureText, graphOfMembers, idsOfMembers, memberTimeoutMs, repoStatOfMembers } from './members-api.ts';
import { Mover } from './mover.ts';
import { operationsOfMembers } from './operations.ts';
import { OwnMetrics } from './own-metrics.ts';
import { pingMetric, pingName, pingValueOf } from './ping-value.ts';
import { Pinner, type PinnerOptions } from './pinner.ts';
import type {
  Adder,
  AddOptions,
  AddressFile,
  CallOptions,
  ClusterApi,
  Consensus,
  CordonFile,
  Datastore,
  EventPage,
  EventsOptions,
  Host,
  Informer,
  IpfsConnector,
  PeerMonitor,
  PinPage,
  PinPageRequest,
  PinsetObserver,
  PinTracker,
  RebalanceOptions,
  RevocationFile,
  Rpc,
  StatusListOptions,
  StatusObserver,
  StoredPagesOptions,
  UploadEntry,
} from './ports.ts';
import { Rebalancer } from './rebalancer.ts';
import { countReplicas, verifyReplicas } from './replication.ts';
import { Revocations } from './revocations.ts';
import { pinPage } from './search/pin-pages.ts';
import { SearchIndex } from './search/search-index.ts';
import type { TrackerIdentity } from './tracker/index.ts';

/** All names and defaults are those of section `cluster` of the configuration, unless said. */
export interface PeerOptions extends PinnerOptions, MembersOptions {
  readonly peername: string;
  /** What `version` answers. */
  readonly version: string;
  readonly stateSyncIntervalMs: number;
  readonly monitorPingIntervalMs: number;
  readonly peerWatchIntervalMs: number;
  readonly disableRepinning: boolean;
  readonly repinGracePeriodMs: number;
  readonly repinMaxPerSecond: number;
  readonly leaveOnShutdown: boolean;
  /** All metrics are sent after so many beginnings and ends of pins; 0, the default: never. Section `ipfs_connector.ipfshttp`. */
  readonly informerTriggerInterval?: number;
  /** Limit of one member's garbage collection; section `ipfs_connector.ipfshttp`. */
  readonly repoGcTimeoutMs: number;
}

/** The parts that a peer decides with. */
export interface PeerDeps {
  /** Started by the caller before, stopped by the caller after this peer. */
  readonly host: Host;
  /** Served by the caller before `start`: members ask back while this peer joins. */
  readonly rpc: Rpc;
  // Started and stopped by this peer.
  readonly consensus: Consensus;
  readonly tracker: PinTracker;
  readonly ipfs: IpfsConnector;
  readonly monitor: PeerMonitor;
  readonly informers: readonly Informer[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Whether the peer lists statuses in state-key order, as our own peers do. */
  readonly answersInOrder: (peer: PeerId) => boolean;
  /** Absent: content cannot be added through this peer. */
  readonly adder?: Adder;
  /** Absent: a start knows the addresses of all members from elsewhere. */
  readonly addressFile?: AddressFile;
  /** Opens the store of the index for searches, when the first one comes. Absent: this peer cannot search. */
  readonly openSearchStore?: () => Promise<Datastore>;
  /** Absent: what the peer is told to hold is forgotten when it stops. */
  readonly cordonFile?: CordonFile;
  /** Absent: tokens that were revoked count again when the peer starts anew. */
  readonly revocationFile?: RevocationFile;
}

/** A running peer. */
export interface Peer extends ClusterApi, Startable {
  /** Resolves when consensus makes reads and writes possible. Keeps waiting as long as there is hope. */
  readonly ready: Promise<void>;
  /** Resolves when others have removed this peer; it should be stopped then. */
  readonly removed: Promise<void>;
  /**
   * Joins the cluster of one of these, each of which ends with `/p2p/<id>`. A member asks only when nobody confirms that it is one.
   * Tries again for a while, and tells the log what comes of it; never rejects. After `start`.
   */
  bootstrap(addresses: readonly Multiaddr[]): Promise<void>;
  /** To be told of what is applied. */
  readonly observer: PinsetObserver;
  /** To be told what becomes of single pins here. */
  readonly statusObserver: StatusObserver;
  /** Who this peer is, with the last known id of its IPFS node. For the tracker. */
  identity(): TrackerIdentity;
  /** To be told of each beginning and end of a pin, and each end of a garbage collection. Never waits. */
  ipfsWorked(): void;
  /** Publishes ping and all informers' metrics now. */
  sendMetrics(call?: CallOptions): Promise<void>;
}

/** Name of the protocol that Go peers expect in `rpc_protocol_version`. */
const rpcProtocolVersion = '/ipfscluster/1.0/rpc';
const readyRetryMs = 1000;
/** Between two questions for what others have revoked while this peer could not be told. */
const revokedIntervalMs = 300_000;
const joinTimeoutMs = 60_000;
const leaveTimeoutMs = 1500;
/** All parts together; the process is given 5 s for these and the network. */
const stopLimitMs = 3000;
/** Subscriptions of a new connection are exchanged within this time; what is published earlier is lost. */
const greetingDelayMs = 500;
const greetingIdleMs = 3_600_000;

/** Makes a peer of its parts. */
export function createPeer(options: PeerOptions, deps: PeerDeps): Peer {
  return new ClusterPeer(options, deps);
}

class ClusterPeer implements Peer {
  readonly self: PeerId;
  readonly ready: Promise<void>;
  readonly removed: Promise<void>;
  readonly observer: PinsetObserver;
  readonly statusObserver: StatusObserver;
  readonly #options: PeerOptions;
  readonly #deps: PeerDeps;
  readonly #pinner: Pinner;
  readonly #status: GlobalStatus;
  readonly #members: Members;
  readonly #own: OwnMetrics;
  readonly #watch: MemberWatch;
  readonly #healer: Healer;
  readonly #rebalancer: Rebalancer;
  readonly #expiry: Expiry;
  readonly #search: SearchIndex | undefined;
  readonly #events: PeerEvents;
  readonly #revocations: Revocations;
  readonly #loops: Loop[];
  /** Publishes metrics to members that have just connected: what was published before has not reached them. */
  readonly #greeting: Loop;
  readonly #logLimit: LogLimit;
  readonly #stopping = new AbortController();
  readonly #isReady = Promise.withResolvers<void>();
  readonly #isRemoved = Promise.withResolvers<void>();
  #stopped: Promise<void> | undefined;
  #isReadyNow = false;
  #hasLeft = false;
  /** A removal is not the last word then. */
  #isBootstrapping = false;

  constructor(options: PeerOptions, deps: PeerDeps) {
    const { host, rpc, consensus, tracker, monitor, clock } = deps;
    this.self = host.self;
    this.#options = options;
    this.#deps = deps;
    this.#logLimit = new LogLimit(clock);
    this.ready = this.#isReady.promise;
    // Whoever does not ask must not be hit by an unhandled rejection when the peer stops before it was ready.
    this.ready.catch(() => {});
    this.removed = this.#isRemoved.promise;
    const allocator = new Allocator(options, deps);
    this.#pinner = new Pinner(options, { ...deps, allocator });
    this.#own = new OwnMetrics(this.self, options, deps);
    this.#revocations = new Revocations(this.self, deps);
    this.#watch = new MemberWatch(this.self, options, deps);
    const writer = new AllocationWriter(options.repinMaxPerSecond, deps);
    this.#healer = new Healer(options, {
      ...{ self: this.self, rpc, tracker, consensus, clock, writer },
      ...{ allocator, watch: this.#watch, logger: deps.logger },
    });
    const watch = this.#watch;
    const moverDeps = { self: this.self, rpc, tracker, consensus, watch, writer, clock, logger: deps.logger };
    this.#rebalancer = new Rebalancer({
      ...{ consensus, allocator, watch, mover: new Mover(options, moverDeps) },
      ...{ logger: deps.logger, stopping: this.#stopping.signal },
    });
    this.#expiry = new Expiry(options, {
      ...{ self: this.self, consensus, clock, logger: deps.logger },
      ...{ pinner: this.#pinner, watch: this.#watch },
    });
    this.#search = this.#createIndex();
    const eventDeps = { watch: this.#watch, monitor, clock, logger: deps.logger };
    this.#events = new PeerEvents({ pingIntervalMs: options.monitorPingIntervalMs }, eventDeps);
    this.statusObserver = this.#events.statuses;
    this.observer = this.#createObserver();
    const { answersInOrder } = deps;
    const { followerMode } = options;
    const status = { self: this.self, rpc, consensus, tracker, monitor, clock, answersInOrder, followerMode };
    this.#status = new GlobalStatus(status);
    this.#greeting = new Loop('greeting', greetingDelayMs, deps, async (signal) => {
      await this.sendMetrics({ signal });
      return greetingIdleMs;
    });
    const onConnected = (): void => this.#greeting.startIn(greetingDelayMs);
    this.#members = new Members({ ...deps, onConnected }, options);
    this.#loops = this.#createLoops();
  }

  async start(): Promise<void> {
    const { consensus, monitor, ipfs } = this.#deps;
    await this.#own.start();
    await this.#revocations.start();
    monitor.onAlert(({ name }) => {
      if (name === pingName && this.#isReadyNow) this.#maybeHeal();
    });
    this.#events.start();
    await monitor.start();
    // Not waited for: an IPFS node that hangs must not keep the peer from starting.
    ipfs.start().catch((error) => this.#deps.logger.error('IPFS connector', { error: errorMessage(error) }));
    try {
      await consensus.start();
    } catch (error) {
      await monitor.stop();
      await ipfs.stop();
      throw error;
    }
    this.#members.start();
    void this.#becomeReady();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async bootstrap(addresses: readonly Multiaddr[]): Promise<void> {
    const { consensus, clock, logger } = this.#deps;
    const { signal } = this.#stopping;
    const isMember = async (): Promise<boolean> => (await this.#knownPeers()).includes(this.self);
    const join = (address: Multiaddr): Promise<void> => this.join(address, { signal });
    this.#isBootstrapping = true;
    try {
      await bootstrap(addresses, { self: this.self, isMember, consensus, clock, logger, join }, signal);
    } finally {
      this.#isBootstrapping = false;
    }
  }

  identity(): TrackerIdentity {
    return this.#own.identity;
  }

  // ------------------------------------------------------------------------------------------------ members

  async id(call: CallOptions = {}): Promise<Id> {
    const { host } = this.#deps;
    const ipfs = await this.#own.askIpfsId(call);
    const clusterPeers = await this.#knownPeers();
    const others = clusterPeers.filter((peer) => peer !== this.self);
    return {
      id: this.self,
      addresses: host.addresses(),
      clusterPeers,
      clusterPeersAddresses: others.flatMap((peer) => host.addressesOf(peer)),
      version: this.#options.version,
      commit: '',
      rpcProtocolVersion,
      error: '',
      ipfs,
      peername: this.#options.peername,
    };
  }

  version(): Version {
    return { version: this.#options.version };
  }

  async *peers(call: CallOptions = {}): AsyncGenerator<Id, void> {
    yield* idsOfMembers(this.#deps, await this.#knownPeers(), call);
  }

  async peerAdd(peer: PeerId, call: CallOptions = {}): Promise<Id> {
    const { consensus, rpc } = this.#deps;
    await consensus.addPeer(peer, call);
    this.#members.refresh();
    const id = await rpc.call(peer, methods.Cluster.ID, nothing, { timeoutMs: joinTimeoutMs, ...call });
    await this.#members.learn(id);
    // Saves what is known now. Not waited for: the peer is added, whatever our disk does.
    this.#members.refresh();
    const clusterPeers = id.clusterPeers ?? [];
    return clusterPeers.includes(this.self) ? id : { ...id, clusterPeers: [...clusterPeers, this.self] };
  }

  async peerRemove(peer: PeerId, call: CallOptions = {}): Promise<void> {
    const { consensus, host, logger } = this.#deps;
    if (this.#options.disableRepinning || this.#options.followerMode)
      logger.warn('repinning is disabled: pins of the removed peer stay as they are', { peer });
    else if ((await consensus.peers()).length > 1) await this.#vacate(peer, this.#signal(call));
    await consensus.rmPeer(peer, call);
    await host.forget(peer);
    this.#members.refresh();
  }

  async join(address: Multiaddr, call: CallOptions = {}): Promise<void> {
    const { host, rpc, consensus, monitor } = this.#deps;
    if (peerIdOfMultiaddr(address) === this.self) return;
    await host.addAddresses([address]);
    const peer = await host.connect(address, call);
    const options = { timeoutMs: joinTimeoutMs, ...call };
    if (!(await this.#hasOneClusterWith(peer, options))) throw otherCluster(peer);
    await this.#members.learn(await rpc.call(peer, methods.Cluster.PeerAdd, this.self, options));
    // It answered: it counts as alive until its own ping arrives.
    monitor.record(pingMetric(peer, pingValueOf(monitor.latestOf(pingName, peer)), this.#own.pingExpiry()));
    await this.sendMetrics(call);
    await consensus.waitForSync(options);
    await this.#members.save();
    this.#members.refresh();
  }

  async cordonPeer(peer: PeerId, mode: CordonMode, call: CallOptions = {}): Promise<void> {
    if (peer === this.self) return await this.cordon(mode, call);
    if (!(await this.#deps.consensus.peers()).includes(peer)) throw noMember(peer);
    const options = { timeoutMs: memberTimeoutMs, ...call };
    try {
      await this.#deps.rpc.call(peer, methods.Cluster.Cordon, { mode }, options);
    } catch (error) {
      throw cannotCordon(peer, error);
    }
  }

  async cordon(mode: CordonMode, call: CallOptions = {}): Promise<void> {
    await this.#own.cordon(mode, call);
    this.#maybeHeal();
  }

  async revokeToken(token: RevokedToken, call: CallOptions = {}): Promise<RevocationAnswer> {
    return await this.#revocations.addEverywhere(token, call);
  }

  async revokeTokenLocal(token: RevokedToken): Promise<void> {
    await this.#revocations.add(token);
  }

  revokedTokens(): Iterable<RevokedToken> {
    return this.#revocations.list();
  }

  isTokenRevoked(hash: string): boolean {
    return this.#revocations.has(hash);
  }

  async memberStates(call: CallOptions = {}): Promise<readonly MemberState[]> {
    const { consensus, monitor, clock } = this.#deps;
    return await statesOfMembers(await this.#watch.look(), { consensus, monitor, clock }, call);
  }

  async connectGraph(call: CallOptions = {}): Promise<ConnectGraph> {
    return await graphOfMembers(this.#deps, this.self, call);
  }

  bandwidth(): BandwidthByProtocol {
    return this.#deps.host.bandwidth();
  }

  // ------------------------------------------------------------------------------------------------ pins

  async pin(cid: Cid, options: PinOptions, call: CallOptions = {}): Promise<Pin> {
    return await this.#pinner.pin(requestOf(cid, options), call);
  }

  async pinObject(pin: Pin, call: CallOptions = {}): Promise<Pin> {
    return await this.#pinner.pin(pin, call);
  }

  async pinPath({ path, ...options }: PinPath, call: CallOptions = {}): Promise<Pin> {
    return await this.#pinner.pin(requestOf(await this.#deps.ipfs.resolve(path, call), options), call);
  }

  async explainAllocation(cid: Cid, options: PinOptions, call: CallOptions = {}): Promise<AllocationExplanation> {
    return await this.#pinner.explain(requestOf(cid, options), call);
  }

  async blockAllocate(pin: Pin): Promise<readonly PeerId[]> {
    const chosen = await this.#pinner.allocate(pin);
    if (chosen !== undefined) return chosen;
    const alive = this.#deps.monitor.latest(pingName).map(({ peer }) => peer);
    // Right after the start nobody is known to be alive, not even this peer.
    return alive.length === 0 ? [this.self] : alive;
  }

  add(entries: AsyncIterable<UploadEntry>, params: AddParams, options: AddOptions = {}): AsyncIterable<AddedOutput> {
    const { adder } = this.#deps;
    if (adder === undefined) throw noAdder();
    return adder.add(entries, params, { ...options, signal: this.#signal(options) });
  }

  async unpin(cid: Cid, call: CallOptions = {}): Promise<Pin> {
    return await this.#pinner.unpin(cid, call);
  }

  async unpinPath(path: string, call: CallOptions = {}): Promise<Pin> {
    return await this.#pinner.unpin(await this.#deps.ipfs.resolve(path, call), call);
  }

  pinGet(cid: Cid): Pin {
    return this.#pinner.get(cid);
  }

  pins(options: { readonly signal?: AbortSignal } = {}): AsyncIterable<readonly Pin[]> {
    return this.#deps.consensus.pinset().pages(options);
  }

  storedPins(options: StoredPagesOptions = {}): AsyncIterable<readonly StoredPin[]> {
    return this.#deps.consensus.pinset().storedPages(options);
  }

  pinsetRevision(): object {
    return this.#deps.consensus.pinset().revision();
  }

  async pinPage(request: PinPageRequest, call: CallOptions = {}): Promise<PinPage> {
    const { consensus } = this.#deps;
    return await pinPage(request, { pinset: () => consensus.pinset(), index: this.#search }, call);
  }

  async readBarrier(call: CallOptions = {}): Promise<void> {
    await this.#deps.consensus.readBarrier(call);
  }

  async status(cid: Cid, call: CallOptions = {}): Promise<GlobalPinInfo> {
    return await this.#status.one('Status', cid, call);
  }

  async statusLocal(cid: Cid, call: CallOptions = {}): Promise<PinInfo> {
    return await this.#deps.tracker.status(cid, call);
  }

  async *statusAll(filter: StatusFilter, call: CallOptions = {}): AsyncGenerator<GlobalPinInfo, void> {
    for await (const page of this.statusPages(filter, call)) for (const row of page) yield globalPinInfoOf(row);
  }

  statusPages(filter: StatusFilter, call: StatusListOptions = {}): AsyncIterable<readonly GlobalStatusRow[]> {
    return this.#status.pages(filter, call);
  }

  async *statusPagesLocal(
    filter: StatusFilter,
    call: StatusListOptions = {},
  ): AsyncGenerator<readonly GlobalStatusRow[], void> {
    const { tracker } = this.#deps;
    const label = tracker.label();
    for await (const page of tracker.statusPages(filter, call)) {
      yield page.map((row) => ({ pin: row.pin, peers: [[label, row]] }));
    }
  }

  statusAllLocal(filter: StatusFilter, call: CallOptions = {}): AsyncIterable<PinInfo> {
    return this.#deps.tracker.statusAll(filter, call);
  }

  async recover(cid: Cid, call: CallOptions = {}): Promise<GlobalPinInfo> {
    return await this.#status.one('Recover', cid, call);
  }

  async recoverLocal(cid: Cid, call: CallOptions = {}): Promise<PinInfo> {
    const info = await this.#deps.tracker.recover(cid, call);
    // Neither pinned nor on its way out: an unpin that failed is recovered by CID too.
    if (info.status === 'unpinned') throw notPinned();
    return info;
  }

  recoverAll(call: CallOptions = {}): AsyncIterable<GlobalPinInfo> {
    return this.#status.recoverAll(call);
  }

  operations(cid: Cid | undefined, call: CallOptions = {}): AsyncIterable<OperationInfo> {
    const { followerMode } = this.#options;
    return operationsOfMembers({ ...this.#deps, self: this.self, followerMode }, cid, call);
  }

  async *operationsLocal(cid: Cid | undefined): AsyncGenerator<OperationInfo, void> {
    yield* this.#deps.tracker.operations(cid);
  }

  recoverAllLocal(call: CallOptions = {}): AsyncIterable<PinInfo> {
    return this.#deps.tracker.recoverAll(call);
  }

  async replication({ isVerified }: { readonly isVerified: boolean }, call: CallOptions = {}): Promise<Replication> {
    const { consensus, monitor } = this.#deps;
    const alive = new Set(monitor.latest(pingName).map(({ peer }) => peer)).add(this.self);
    const view = { members: await consensus.peers(), isAlive: (peer: PeerId) => alive.has(peer) };
    const pinset = consensus.pinset();
    if (!isVerified) return await countReplicas(pinset, view, call);
    const peers = await this.#status.sources(trackerStatusBits.pinned | trackerStatusBits.cluster_error, call);
    const askAgain = (cid: Cid): Promise<GlobalPinInfo> => this.status(cid, call);
    return await verifyReplicas(pinset, view, { peers, askAgain }, call);
  }

  async *rebalance(options: RebalanceOptions, call: CallOptions = {}): AsyncGenerator<RebalanceEvent, void> {
    if (this.#options.followerMode && !options.isDryRun) throw followerMode();
    yield* this.#rebalancer.run(options, call);
  }

  // ------------------------------------------------------------------------------------------------ IPFS nodes

  async repoGc(call: CallOptions = {}): Promise<GlobalRepoGc> {
    const peerMap: Record<PeerId, RepoGc> = {};
    let room = gcEntriesMax;
    // One after the other: a collection stops the node's writes, and the others shall go on meanwhile.
    for (const peer of await this.#deps.consensus.peers()) {
      try {
        const options = { timeoutMs: this.#options.repoGcTimeoutMs, ...call };
        const gc =
          peer === this.self
            ? await this.repoGcLocal(call)
            : await this.#deps.rpc.call(peer, methods.Cluster.RepoGCLocal, nothing, options);
        peerMap[peer] = withinRoom(gc, room);
        room = Math.max(0, room - (gc.keys?.length ?? 0));
      } catch (error) {
        const { peername } = pingValueOf(this.#deps.monitor.latestOf(pingName, peer));
        peerMap[peer] = { peer, peername, keys: [], error: failureText(error) };
      }
    }
    return { peerMap };
  }

  async repoGcLocal(call: CallOptions = {}): Promise<RepoGc> {
    const { keys, error } = await garbageOf(this.#deps.ipfs, call);
    return { peer: this.self, peername: this.#options.peername, keys, error };
  }

  async repoStat(call: CallOptions = {}): Promise<IpfsRepoStat> {
    return await repoStatOfMembers(this.#deps, call);
  }

  // ------------------------------------------------------------------------------------------------ metrics

  metrics(name: string): readonly Metric[] {
    return this.#deps.monitor.latest(name);
  }

  metricNames(): readonly string[] {
    return this.#deps.monitor.names();
  }

  alerts(): readonly Alert[] {
    return this.#deps.monitor.alerts();
  }

  events(options: EventsOptions): AsyncIterable<EventPage> {
    return this.#events.read(options);
  }

  async sendMetrics(call: CallOptions = {}): Promise<void> {
    await this.#own.send(call);
  }

  ipfsWorked(): void {
    this.#own.ipfsWorked();
  }

  // ------------------------------------------------------------------------------------------------ life

  async #becomeReady(): Promise<void> {
    const { consensus, tracker, logger } = this.#deps;
    const { signal } = this.#stopping;
    for (;;) {
      try {
        await consensus.ready({ signal });
        break;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#logLimit.allows('ready')) {
          logger.warn('consensus is not ready yet, waiting on', { error: errorMessage(error) });
          await this.#tellWhoIsMissing();
        }
        // It had learned of its removal, and was ended before it could act on it.
        await this.#watchMembership(signal);
        await pause(this.#deps.clock, readyRetryMs, signal);
        if (signal.aborted) return;
      }
    }
    await this.#members.save();
    if (signal.aborted) return;
    await tracker.start();
    for (const loop of this.#loops) loop.wake();
    this.#own.wake();
    this.#isReadyNow = true;
    if (!this.#options.followerMode) this.#expiry.wake();
    this.#maybeHeal();
    this.#isReady.resolve();
  }

  async #tellWhoIsMissing(): Promise<void> {
    const { logger } = this.#deps;
    try {
      const line = await this.#members.whoIsMissing();
      if (line !== undefined) logger.warn(line);
    } catch (error) {
      // Consensus has ended meanwhile.
      logger.debug('members not known', { error: errorMessage(error) });
    }
  }

  async #stop(): Promise<void> {
    const { consensus, monitor, tracker, ipfs, clock, logger } = this.#deps;
    await this.#maybeLeave();
    this.#stopping.abort();
    this.#isReady.reject(new OperatingError('cluster/stopped', 'The peer was stopped before it was ready'));
    const quietly = async (part: string, stop: () => Promise<void>): Promise<void> => {
      try {
        await stop();
      } catch (error) {
        logger.warn(`${part} did not stop cleanly`, { error: errorMessage(error) });
      }
    };
    const all = async (): Promise<void> => {
      await Promise.all([
        quietly('members', () => this.#members.stop()),
        quietly('metrics', () => this.#own.stop()),
        quietly('healing', () => this.#healer.stop()),
        quietly('expiry', () => this.#expiry.stop()),
        quietly('searches', async () => this.#search?.close()),
        quietly('events', () => this.#events.stop()),
        ...[this.#greeting, ...this.#loops].map((loop) => quietly('loop', () => loop.stop())),
        quietly('monitor', () => monitor.stop()),
        quietly('tracker', () => tracker.stop()),
        quietly('consensus', () => consensus.stop()),
        quietly('ipfs', () => ipfs.stop()),
      ]);
      if (this.#hasLeft) await quietly('clean', () => consensus.clean());
    };
    let cancel: Cancel = () => {};
    const limit = new Promise<void>((resolve) => {
      cancel = clock.after(stopLimitMs, resolve);
    });
    await Promise.race([all(), limit]);
    cancel();
  }

  /** Data is given up only when the peer has really left. */
  async #maybeLeave(): Promise<void> {
    if (!this.#options.leaveOnShutdown) return;
    const { consensus, logger } = this.#deps;
    try {
      await consensus.rmPeer(this.self, { timeoutMs: leaveTimeoutMs });
      this.#hasLeft = true;
    } catch (error) {
      logger.warn('could not leave the cluster; the data is kept', { error: errorMessage(error) });
    }
  }

  #createIndex(): SearchIndex | undefined {
    const { openSearchStore: openStore, consensus, logger } = this.#deps;
    return openStore && new SearchIndex({ openStore, pinset: consensus.pinset(), logger });
  }

  #createObserver(): PinsetObserver {
    const expiry = this.#expiry.observer;
    const search = this.#search?.observer;
    const events = this.#events.pinset;
    return {
      onPin: (pin) => {
        expiry.onPin(pin);
        search?.onPin(pin);
        events.onPin(pin);
      },
      onUnpin: (pin) => {
        search?.onUnpin(pin);
        events.onUnpin(pin);
      },
      onReplaced: () => {
        expiry.onReplaced();
        search?.onReplaced();
        events.onReplaced();
      },
    };
  }

  #createLoops(): Loop[] {
    const { peerWatchIntervalMs } = this.#options;
    const watch = new Loop('peer watch', peerWatchIntervalMs, this.#deps, async (signal) => {
      await this.#watchMembership(signal);
      return peerWatchIntervalMs;
    });
    const tokens = new Loop('revoked tokens', revokedIntervalMs, this.#deps, async (signal) => {
      await this.#revocations.learn({ signal });
      return revokedIntervalMs;
    });
    // Who keeps no list of its own has no API that would look into it.
    return this.#deps.revocationFile === undefined ? [watch] : [watch, tokens];
  }

  /** Moves what the peer holds, as far as it can, and tells what that came to. */
  async #vacate(peer: PeerId, signal: AbortSignal): Promise<void> {
    const { logger } = this.#deps;
    const { moved, alone, short, failed, isCut } = await this.#healer.vacate(peer, signal);
    logger.info('pins of the removed peer have other holders', { peer, moved, belowMinimum: short, failed });
    if (short + failed > 0) {
      const more = isCut ? ', and an unknown number more: too many failed in a row' : '';
      logger.warn(`pins of the removed peer stay below their minimum${more}`, { peer, pins: short + failed });
    }
    if (alone === 0) return;
    const text =
      'pins were held by it alone: keep its IPFS node running until others have them; drain a peer before removing it';
    logger.warn(text, { peer, pins: alone });
  }

  /** A follower writes nothing. */
  #maybeHeal(): void {
    if (!this.#options.followerMode) this.#healer.wake();
  }

  /**
   * One that came back after its removal sees that pass by on its way to the present: whoever is led has not been removed. And who is
   * about to ask for being taken in again waits for the answer.
   */
  async #watchMembership(signal: AbortSignal): Promise<void> {
    const { consensus } = this.#deps;
    if (this.#isBootstrapping || !(await consensus.isRemoved({ signal })) || leaderOf(consensus) !== undefined) return;
    this.#deps.logger.info('this peer has been removed from the cluster');
    this.#isRemoved.resolve();
  }

  /**
   * A log does not tell whose it is: that of one small cluster looks like the beginning of another's, which would go on
   * with it. So the other must be in our log, or we in its. Who has no data yet can join anybody.
   */
  async #hasOneClusterWith(peer: PeerId, call: CallOptions): Promise<boolean> {
    const { consensus, rpc } = this.#deps;
    const known = await consensus.peers();
    if (known.length === 0 || known.includes(peer)) return true;
    const { clusterPeers } = await rpc.call(peer, methods.Cluster.ID, nothing, call);
    return clusterPeers?.includes(this.self) === true;
  }

  /** Members, or none while consensus cannot say yet: a peer that is still starting is asked for its id. */
  async #knownPeers(): Promise<readonly PeerId[]> {
    try {
      return await this.#deps.consensus.peers();
    } catch (error) {
      this.#deps.logger.debug('members not known yet', { error: errorMessage(error) });
      return [];
    }
  }

  #signal(call: CallOptions): AbortSignal {
    return AbortSignal.any(call.signal === undefined ? [this.#stopping.signal] : [call.signal, this.#stopping.signal]);
  }
}

/** A request for a data pin. */
function requestOf(cid: Cid, options: PinOptions): Pin {
  return {
    ...options,
    cid,
    type: 'pin',
    allocations: null,
    maxDepth: options.mode === 'direct' ? 0 : -1,
    reference: null,
    timestamp: null,
  };
}
