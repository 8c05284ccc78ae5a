/**
 * A whole peer on virtual ports, through its lives: `createPeer` with the real Raft, pinset, tracker, RPC and monitor. What
 * outlives a crash is its disk, its IPFS node and what others know of it.
 */
import { assert, type Logger, type SeededRandom, silentLogger } from '../../base/index.ts';
import { createPeer, createPinTracker, openPinset, type Peer, type PeerOptions } from '../../cluster/index.ts';
import type {
  Consensus,
  Datastore,
  IpfsConnector,
  PeerMonitor,
  PinsetObserver,
  PinTracker,
  PubSub,
  Streams,
} from '../../cluster/ports.ts';
import { createRaft as createEngine, type Raft } from '../../core/raft/index.ts';
import {
  createRaft,
  createStreamTransport,
  type RaftConsensusDeps,
  type RaftConsensusOptions,
  type RaftStorage,
  type ReplicatedPinset,
} from '../../io/consensus/index.ts';
import { createDiskInformer, createTagsInformer } from '../../io/inform/index.ts';
import { createPeerMonitor } from '../../io/monitor/index.ts';
import { createRpc, multiplexedProtocol, type RpcNode, registerServices } from '../../io/rpc/index.ts';
import type { Alert, CordonMode, PeerId } from '../../model/index.ts';
import type { VirtualDisk } from './disk.ts';
import { addressOf, VirtualHost } from './host.ts';
import type { VirtualIpfs } from './ipfs.ts';
import type { Network, Port } from './network.ts';
import { type Scheduler, VirtualClock } from './scheduler.ts';

/** How the peer is set up; the same in all its lives. */
export interface WholePeerOptions {
  readonly id: PeerId;
  readonly raft: RaftConsensusOptions['config'];
  readonly peer: PeerOptions;
  readonly tags: Readonly<Record<string, string>>;
  readonly metricTtlMs: number;
  readonly metricCheckMs: number;
  readonly pinTimeoutMs: number;
  readonly concurrentPins: number;
  /** Default: as many as anybody wants. */
  readonly maxPinQueueSize?: number;
  readonly reconcileIntervalMs: number;
  /** Of the tracker, after a first failure. Default: its own. */
  readonly retryDelayMinMs?: number;
  /**
   * How Raft's messages travel. `streams`: as real peers send them. `messages`: one by one, so that they come late, twice and in any
   * order.
   */
  readonly raftOver: 'streams' | 'messages';
  /** Whether it speaks the protocol between peers of our own; others get gorpc, as Go peers do. */
  readonly isMultiplexed: boolean;
}

/** Between the parts of a peer: looks on, or plants bugs. An absent one leaves its part as it is. */
export interface Around {
  readonly createEngine?: RaftConsensusDeps['createEngine'];
  readonly storage?: (disk: RaftStorage) => RaftStorage;
  readonly pinset?: (pinset: ReplicatedPinset) => ReplicatedPinset;
  /** As all callers and all services see it. */
  readonly rpc?: (rpc: RpcNode) => RpcNode;
  readonly consensus?: (consensus: Consensus) => Consensus;
  readonly streams?: (streams: Streams) => Streams;
  readonly pubsub?: (pubsub: PubSub) => PubSub;
  /** As tracker, informers and peer see the IPFS node. */
  readonly ipfs?: (ipfs: IpfsConnector) => IpfsConnector;
  readonly trackerStore?: (store: Datastore) => Datastore;
  readonly tracker?: (tracker: PinTracker, ipfs: IpfsConnector) => PinTracker;
}

/** Where the peer lives. */
export interface WholePeerDeps {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly disk: VirtualDisk;
  readonly ipfs: VirtualIpfs;
  readonly random: SeededRandom;
  readonly logger?: Logger;
  /** Told of what happens in any life. */
  readonly observer?: PinsetObserver & { onAlert(alert: Alert): void };
  readonly onStatus?: RaftConsensusDeps['onStatus'];
  readonly around?: Around;
  /** It cannot start, or has become read-only. */
  readonly onFailure: (cause: unknown) => void;
}

/** What there is while the peer is up. */
export interface Life {
  readonly peer: Peer;
  readonly consensus: Consensus;
  readonly tracker: PinTracker;
  readonly monitor: PeerMonitor;
  readonly host: VirtualHost;
  readonly clock: VirtualClock;
  /** Its engine; `undefined` until it has started. */
  raft(): Raft | undefined;
}

/** How a life begins. */
export interface BootOptions {
  /** Waits to be added to a cluster; data of an earlier membership is set aside. */
  readonly isJoining: boolean;
  /** Peers whose addresses it remembers. */
  readonly known: readonly PeerId[];
}

interface Current {
  readonly clock: VirtualClock;
  readonly port: Port;
  parts: (Life & { readonly rpc: RpcNode }) | undefined;
}

/** A peer that can be started, crashed and stopped any number of times. */
export class WholePeer {
  readonly options: WholePeerOptions;
  readonly #deps: WholePeerDeps;
  #current: Current | undefined;
  #lives = 0;
  /** What it was told to hold, as its disk has it. */
  #cordon: CordonMode = 'none';

  constructor(options: WholePeerOptions, deps: WholePeerDeps) {
    this.options = options;
    this.#deps = deps;
  }

  get id(): PeerId {
    return this.options.id;
  }

  get isUp(): boolean {
    return this.#current !== undefined;
  }

  /** `undefined` while it is down. */
  get life(): Life | undefined {
    return this.#current?.parts;
  }

  /** Resolves when the peer serves; `peer.ready` tells when it takes part. Settles never when the peer crashes before. */
  async boot(boot: BootOptions): Promise<Life> {
    assert(this.#current === undefined, 'a peer has one life at a time');
    const { scheduler, network, disk } = this.#deps;
    const clock = new VirtualClock(scheduler);
    const current: Current = { clock, port: network.connect(this.id, clock), parts: undefined };
    this.#current = current;
    const store = await disk.openTracker();
    current.parts = this.#assemble(current, store, boot);
    const { rpc, peer } = current.parts;
    await rpc.start();
    await peer.start();
    return current.parts;
  }

  /** @returns what the disk kept, for a trace; `undefined` when it was down. */
  crash(): string | undefined {
    if (this.#current === undefined) return undefined;
    this.#end(this.#current);
    return this.#deps.disk.crash();
  }

  /** @returns how many timers it has left behind. */
  async stop(): Promise<number> {
    const current = this.#current;
    if (current?.parts === undefined) return 0;
    const { peer, rpc, host } = current.parts;
    await peer.stop();
    await rpc.stop();
    await host.stop();
    // Calls that were ended clean up in microtasks.
    await new Promise<void>((resolve) => this.#deps.scheduler.after(0, resolve));
    if (this.#current !== current) return 0;
    const { timers } = current.clock;
    this.#end(current);
    this.#deps.disk.release();
    return timers;
  }

  setClockRate(rate: number): void {
    this.#current?.clock.setRate(rate);
  }

  #end({ clock, port }: Current): void {
    clock.stop();
    this.#deps.ipfs.disconnect();
    this.#deps.network.disconnect(port);
    this.#current = undefined;
  }

  /** As `cmd/service/assemble.ts` does, with virtual implementations of the ports. */
  #assemble({ clock, port }: Current, store: Datastore, { isJoining, known }: BootOptions): Life & { rpc: RpcNode } {
    const { id, raftOver, tags, metricTtlMs, concurrentPins, retryDelayMinMs, ...options } = this.options;
    const { network, disk, ipfs: node, observer, onStatus, around = {}, logger = silentLogger } = this.#deps;
    const random = this.#deps.random.derive(`life ${++this.#lives}`);
    const host = new VirtualHost(network, port, known.map(addressOf));
    const streams = (around.streams ?? same<Streams>)(host);
    const rpc = (around.rpc ?? same)(
      createRpc(
        { isMultiplexed: options.isMultiplexed },
        { streams, clock, logger, isTrusted: (peer) => consensus.isTrustedPeer(peer) },
      ),
    );
    const ipfs = (around.ipfs ?? same)(node.connect(clock, options.pinTimeoutMs));
    const own: PinsetObserver = {
      onPin: (pin) => {
        tracker.track(pin);
        peer?.observer.onPin(pin);
        observer?.onPin(pin);
      },
      onUnpin: (pin) => {
        tracker.untrack(pin);
        observer?.onUnpin(pin);
      },
      onReplaced: () => {
        tracker.pinsetReplaced();
        peer?.observer.onReplaced();
        observer?.onReplaced();
      },
    };
    let engine: Raft | undefined;
    const consensus = (around.consensus ?? same)(
      createRaft(
        { self: id, isJoining, config: options.raft },
        {
          storage: (around.storage ?? same<RaftStorage>)(disk),
          transport:
            raftOver === 'streams' ? createStreamTransport({ streams, clock, logger }) : network.transport(port),
          rpc,
          clock,
          random: random.derive('raft'),
          logger,
          onFailure: (cause) => this.#deps.onFailure(cause),
          onReopened: () => own.onReplaced(),
          openPinset: (state) => (around.pinset ?? same)(openPinset(state, { log: logger, observer: own })),
          createEngine: (engineDeps, engineOptions) => {
            engine = (around.createEngine ?? createEngine)(engineDeps, engineOptions);
            return engine;
          },
          ...(onStatus && { onStatus }),
        },
      ),
    );
    let peer: Peer | undefined;
    const { peername } = options.peer;
    const tracker = (around.tracker ?? same)(
      createPinTracker(
        {
          concurrentPins,
          maxPinQueueSize: options.maxPinQueueSize ?? 1_000_000,
          priorityPinMaxAgeMs: 86_400_000,
          priorityPinMaxRetries: 5,
          reconcileIntervalMs: options.reconcileIntervalMs,
          // There are too few pins to find out first how quick the node is.
          pinsPerRequest: 32,
          ...(retryDelayMinMs !== undefined && { retryDelayMinMs }),
        },
        {
          ipfs,
          pinset: consensus.pinset(),
          store: (around.trackerStore ?? same)(store),
          clock,
          random: random.derive('tracker'),
          logger,
          identity: () => peer?.identity() ?? { peer: id, peername, ipfsId: '', ipfsAddresses: [] },
        },
      ),
      ipfs,
    );
    const monitor = createPeerMonitor(
      { self: id, checkIntervalMs: options.metricCheckMs },
      { pubsub: (around.pubsub ?? same<PubSub>)(host), clock, logger, members: () => consensus.peers() },
    );
    if (observer !== undefined) monitor.onAlert((alert) => observer.onAlert(alert));
    const base = { self: id, ttlMs: metricTtlMs, clock };
    peer = createPeer(options.peer, {
      host,
      rpc,
      consensus,
      tracker,
      ipfs,
      monitor,
      informers: [createDiskInformer({ ...base, type: 'freespace', ipfs }), createTagsInformer({ ...base, tags })],
      clock,
      random: random.derive('peer'),
      logger,
      cordonFile: {
        read: async () => this.#cordon,
        save: async (mode) => {
          this.#cordon = mode;
        },
      },
      answersInOrder: (other) => host.protocolsOf(other)?.includes(multiplexedProtocol) ?? false,
    });
    registerServices(rpc, { cluster: peer, tracker, ipfs, consensus, monitor });
    return { peer, consensus, tracker, monitor, host, clock, rpc, raft: () => engine };
  }
}

function same<T>(value: T): T {
  return value;
}
