/**
 * Several peers in one process over in-memory ports: one shared log in place of consensus, a network that can cut
 * peers off, and a virtual clock. For tests of what peers decide together.
 */

import { bytesEqual, type Logger, OperatingError, SeededRandom, silentLogger } from '../../src/base/index.ts';
import { createPeer, createPinTracker, type Peer, type PeerOptions } from '../../src/cluster/index.ts';
import { createMemoryDatastore } from '../../src/cluster/memory-datastore.ts';
import type {
  AddressFile,
  CallOptions,
  Consensus,
  CordonFile,
  Datastore,
  Host,
  Informer,
  PeerMonitor,
  Pinset,
  PinTracker,
  RevocationFile,
  Rpc,
  WriteOptions,
} from '../../src/cluster/ports.ts';
import { createDiskInformer, createTagsInformer } from '../../src/io/inform/index.ts';
import { createPeerMonitor } from '../../src/io/monitor/index.ts';
import { createRpc, type RpcNode, registerServices } from '../../src/io/rpc/index.ts';
import { encodePin, type PeerId, type Pin, type RpcMethod, type RpcStreamMethod } from '../../src/model/index.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryIpfs } from './memory-ipfs.ts';
import { MemoryPinset } from './memory-pinset.ts';

export interface ClusterNode {
  readonly id: PeerId;
  readonly peer: Peer;
  readonly ipfs: MemoryIpfs;
  readonly tracker: PinTracker;
  readonly pinset: Pinset;
  readonly rpc: RpcNode;
  readonly monitor: PeerMonitor;
  readonly addressBook: Map<PeerId, string[]>;
}

const ids = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
  '12D3KooWEkC8vTbFeHqnAmQoBtpnnaTc6jXQvwfF2s7Gm9tt1Ajm',
  '12D3KooWPgrsxW35QMq6oSHkd94DgBnNRyS1SEiQMApTJoS4DQug',
  '12D3KooWQMUMsh9rjVc8GDPjTtkRLsXUyqZQSdMKYvojQ4cPijjJ',
];

const readyLimitMs = 15_000;

export class MemoryCluster {
  readonly clock: FakeClock = new FakeClock();
  readonly nodes: ClusterNode[] = [];
  members: PeerId[] = [];
  /** Calls between peers, such as `12D3… PinTracker.Status`. */
  readonly calls: string[] = [];
  /** Decides what becomes of a call: returns to let it pass, rejects or waits to disturb it. */
  onCall: (to: PeerId, method: string, signal: AbortSignal | undefined) => Promise<void> | void = () => {};
  isWritable = true;
  /** Reads find a quorum. */
  isConfirming = true;
  /** Peers that are led although they are no members yet: they are sent what happened after their removal. */
  readonly returning: Set<PeerId> = new Set();
  /** What is agreed on comes to the pinset of this node, by its position, only when it waits for it. */
  late: number | undefined;
  /** What was agreed on, with the peer that proposed it. */
  readonly writes: { readonly by: PeerId; readonly kind: 'pin' | 'unpin'; readonly pin: Pin }[] = [];
  /** Runs before each write has its place in the log. */
  onWrite: (by: PeerId, pin: Pin) => Promise<void> | void = () => {};
  /** Peers of the other program, as others see them. */
  readonly foreign: Set<PeerId> = new Set();
  /** Peers that nobody trusts. */
  readonly untrusted: Set<PeerId> = new Set();
  /** Of peers that are made from now on. */
  addressFile: AddressFile | undefined;
  cordonFile: CordonFile | undefined;
  revocationFile: RevocationFile | undefined;
  /** Of peers that are made from now on; without it they have no index for searches. */
  openSearchStore: (() => Promise<Datastore>) | undefined;
  /** Of peers that are made from now on. */
  logger: Logger = silentLogger;
  /** Tag `group` of peers that are made from now on, by their position. */
  groupOf: (position: number) => string = () => 'default';
  /** What peers that are made from now on have of their own, by their position. */
  optionsOf: (position: number) => Partial<PeerOptions> = () => ({});
  readonly #late: (() => void)[] = [];
  readonly #cut = new Set<PeerId>();
  readonly #subscribers = new Map<PeerId, (from: PeerId, data: Uint8Array) => void>();
  readonly #pinsets: { readonly pinset: MemoryPinset; readonly tracker: PinTracker }[] = [];

  /** Starts as many peers, all members; resolves when all are ready and have each other's metrics. */
  async start(count: number, options: Partial<PeerOptions> = {}): Promise<void> {
    this.members = ids.slice(0, count).sort();
    for (const id of this.members) await this.#add(id, options);
    for (const node of this.nodes) await node.peer.start();
    await this.clock.advance(20_000);
  }

  /** Makes a peer that knows the members, and is none of them. */
  async addOutsider(): Promise<ClusterNode> {
    await this.#add(ids[this.nodes.length] ?? '', {});
    return this.node(this.nodes.length - 1);
  }

  async stop(): Promise<void> {
    const stopped = Promise.all(this.nodes.map((node) => node.peer.stop()));
    await this.clock.advance(5000);
    await stopped;
  }

  node(index: number): ClusterNode {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`no node ${index}`);
    return node;
  }

  /** The port of one of its peers, for parts that are tested beside it. */
  consensusOf({ id, pinset }: ClusterNode): Consensus {
    return this.#consensus(id, pinset);
  }

  rpcOf({ id, rpc }: ClusterNode): Rpc {
    return this.#rpcOf(id, rpc);
  }

  /** From now on nobody reaches the peer, nor it them. */
  cut(id: PeerId): void {
    this.#cut.add(id);
  }

  join(id: PeerId): void {
    this.#cut.delete(id);
  }

  /** What is agreed on comes to all; also as if another member had written it. */
  agree(kind: 'pin' | 'unpin', pin: Pin): void {
    for (const [at, { pinset: replica, tracker }] of this.#pinsets.entries()) {
      const apply = (): void => {
        if (kind === 'pin') replica.add(pin);
        else replica.remove(pin.cid);
        if (kind === 'pin') tracker.track(pin);
        else tracker.untrack(pin);
        if (kind === 'pin') this.nodes[at]?.peer.observer.onPin(pin);
      };
      if (at === this.late) this.#late.push(apply);
      else apply();
    }
  }

  async #add(id: PeerId, options: Partial<PeerOptions>): Promise<void> {
    const ipfs = new MemoryIpfs();
    ipfs.identity = { id: `ipfs-${id}`, addresses: [`/ip4/10.0.0.1/tcp/4001/p2p/${id}`], error: '' };
    ipfs.setUp(true);
    const pinset = new MemoryPinset();
    const random = new SeededRandom(this.nodes.length);
    const addressBook = new Map<PeerId, string[]>();
    const host = this.#host(id, addressBook);
    let peer: Peer | undefined;
    const tracker = createPinTracker(
      {
        concurrentPins: 10,
        maxPinQueueSize: 1_000_000,
        priorityPinMaxAgeMs: 86_400_000,
        priorityPinMaxRetries: 5,
        reconcileIntervalMs: 720_000,
        recordGroupMs: 0,
      },
      {
        ipfs,
        pinset,
        store: createMemoryDatastore(),
        clock: this.clock,
        random,
        logger: this.logger,
        identity: () => peer?.identity() ?? { peer: id, peername: '', ipfsId: '', ipfsAddresses: [] },
      },
    );
    this.#pinsets.push({ pinset, tracker });
    const consensus = this.#consensus(id, pinset);
    const rpc = createRpc({}, { streams: host.streams, clock: this.clock, logger: this.logger, isTrusted: () => true });
    const monitor = createPeerMonitor(
      { self: id },
      { pubsub: host.pubsub, clock: this.clock, logger: this.logger, members: async () => this.members },
    );
    const base = { self: id, ttlMs: 30_000, clock: this.clock };
    const informers: Informer[] = [
      createDiskInformer({ ...base, type: 'freespace', ipfs }),
      createTagsInformer({ ...base, tags: { group: this.groupOf(this.nodes.length) } }),
    ];
    peer = createPeer(
      {
        peername: `peer-${this.nodes.length}`,
        version: '0.0.0',
        replicationFactorMin: -1,
        replicationFactorMax: -1,
        allocateBy: ['tag:group', 'freespace'],
        pinOnlyOnTrustedPeers: false,
        pinOnlyOnUntrustedPeers: false,
        followerMode: false,
        stateSyncIntervalMs: 300_000,
        monitorPingIntervalMs: 15_000,
        peerWatchIntervalMs: 5000,
        disableRepinning: true,
        repinGracePeriodMs: 120_000,
        repinMaxPerSecond: 100,
        leaveOnShutdown: false,
        connectSwarmsDelayMs: 1000,
        repoGcTimeoutMs: 86_400_000,
        ...options,
        ...this.optionsOf(this.nodes.length),
      },
      {
        host,
        rpc: this.#rpcOf(id, rpc),
        consensus,
        tracker,
        ipfs,
        monitor,
        informers,
        clock: this.clock,
        random,
        logger: this.logger,
        answersInOrder: (other) => !this.foreign.has(other),
        ...(this.addressFile && { addressFile: this.addressFile }),
        ...(this.cordonFile && { cordonFile: this.cordonFile }),
        ...(this.revocationFile && { revocationFile: this.revocationFile }),
        ...(this.openSearchStore && { openSearchStore: this.openSearchStore }),
      },
    );
    registerServices(rpc, { cluster: peer, tracker, ipfs, consensus, monitor });
    this.nodes.push({ id, peer, ipfs, tracker, pinset, rpc, monitor, addressBook });
  }

  /** Calls go straight to the other peer's handlers. */
  #rpcOf(self: PeerId, own: RpcNode): Rpc {
    const pass = async (to: PeerId, method: string, signal: AbortSignal | undefined): Promise<RpcNode> => {
      if (to === self) return own;
      this.calls.push(`${to} ${method}`);
      const node = this.nodes.find((candidate) => candidate.id === to);
      if (node === undefined || this.#isCut(self, to)) throw new OperatingError('rpc/unreachable', 'dial backoff');
      await this.onCall(to, method, signal);
      return node.rpc;
    };
    return {
      call: async <A, R>(to: PeerId, method: RpcMethod<A, R>, argument: A, options: CallOptions = {}): Promise<R> => {
        const rpc = await pass(to, `${method.service}.${method.name}`, options.signal);
        return await rpc.call(to, method, argument, options);
      },
      stream: async function* <A, R>(
        to: PeerId,
        method: RpcStreamMethod<A, R>,
        args: readonly A[] | AsyncIterable<A>,
        options: CallOptions = {},
      ): AsyncGenerator<R, void> {
        const rpc = await pass(to, `${method.service}.${method.name}`, options.signal);
        yield* rpc.stream(to, method, args, options);
      },
    };
  }

  #consensus(self: PeerId, pinset: Pinset): Consensus {
    const write = async (kind: 'pin' | 'unpin', pin: Pin, { onlyIf }: WriteOptions = {}): Promise<void> => {
      await this.onWrite(self, pin);
      if (!this.isWritable) throw new OperatingError('raft/no-leader', 'timed out waiting for leader');
      if (onlyIf !== undefined) this.#demand(onlyIf);
      this.writes.push({ by: self, kind, pin });
      this.agree(kind, pin);
    };
    return {
      start: async () => {},
      stop: async () => {},
      ready: async () => {
        if (this.members.includes(self)) return;
        await new Promise<void>((resolve) => {
          this.clock.after(readyLimitMs, resolve);
        });
        throw new OperatingError('consensus/not-ready', 'error waiting to become a Voter');
      },
      logPin: (pin, options) => write('pin', pin, options),
      logUnpin: (pin, options) => write('unpin', pin, options),
      addPeer: async (peer) => {
        this.members = [...new Set([...this.members, peer])].sort();
      },
      rmPeer: async (peer) => {
        this.members = this.members.filter((member) => member !== peer);
      },
      peers: async () => this.members,
      isRemoved: async () => !this.members.includes(self),
      leader: () => {
        const [leader] = this.members;
        if (leader !== undefined && (this.members.includes(self) || this.returning.has(self))) return leader;
        throw new OperatingError('consensus/no-leader', 'leader unknown');
      },
      pinset: () => pinset,
      waitForSync: async () => {
        for (const late of this.#late.splice(0)) late();
      },
      readBarrier: async ({ timeoutMs = 0 } = {}) => {
        for (const late of this.#late.splice(0)) late();
        if (this.isConfirming) return;
        await new Promise<void>((resolve) => {
          this.clock.after(timeoutMs, resolve);
        });
        throw new OperatingError('consensus/no-leader', 'timed out waiting for leader');
      },
      isTrustedPeer: (peer) => !this.untrusted.has(peer),
      clean: async () => {},
    };
  }

  /** What is agreed on has come to all but one that is late. */
  #demand(pin: Pin): void {
    const latest = this.#pinsets.findLast((_, at) => at !== this.late)?.pinset.get(pin.cid);
    if (latest !== undefined && bytesEqual(encodePin(latest), encodePin(pin))) return;
    for (const late of this.#late.splice(0)) late();
    throw new OperatingError('consensus/changed', 'its pin is another one by now');
  }

  #host(self: PeerId, addressBook: Map<PeerId, string[]>): Host {
    const addressOf = (id: PeerId): string => `/ip4/127.0.0.1/tcp/${1000 + ids.indexOf(id)}/p2p/${id}`;
    const reachable = (id: PeerId): boolean => this.nodes.some((node) => node.id === id) && !this.#isCut(self, id);
    return {
      self,
      start: async () => {},
      stop: async () => {},
      addresses: () => [addressOf(self)],
      addressesOf: (id) => addressBook.get(id) ?? [],
      addAddresses: async (addresses) => {
        for (const address of addresses) addressBook.set(address.split('/p2p/')[1] ?? '', [address]);
      },
      forget: async (id) => void addressBook.delete(id),
      connect: async (target) => {
        const id = target.split('/p2p/').at(-1) ?? '';
        if (!reachable(id)) throw new OperatingError('p2p/unreachable', 'dial backoff');
        return id;
      },
      bandwidth: () => ({}),
      connectedPeers: () => ids.filter((id) => id !== self && reachable(id)),
      streams: {
        self,
        open: async () => {
          throw new OperatingError('p2p/unreachable', 'no streams in memory');
        },
        handle: () => {},
        protocolsOf: () => undefined,
      },
      pubsub: {
        publish: async (_, data) => {
          for (const [id, deliver] of this.#subscribers) if (!this.#isCut(self, id)) deliver(self, data);
        },
        subscribe: (_, deliver) => void this.#subscribers.set(self, deliver),
      },
    };
  }

  #isCut(a: PeerId, b: PeerId): boolean {
    return a !== b && (this.#cut.has(a) || this.#cut.has(b));
  }
}
