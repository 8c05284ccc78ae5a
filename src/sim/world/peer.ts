/** One peer of a world: a whole one, looked on by the checkers, with bugs planted. */
import { errorCode, OperatingError, type SeededRandom } from '../../base/index.ts';
import type { Consensus } from '../../cluster/ports.ts';
import {
  createRaft as createEngine,
  type Input,
  type Output,
  type Raft,
  type RaftOptions,
  type Request,
  type Status,
} from '../../core/raft/index.ts';
import type { RaftConsensusOptions, RaftStorage, ReplicatedPinset } from '../../io/consensus/index.ts';
import type { RpcNode } from '../../io/rpc/index.ts';
import type { PeerId } from '../../model/index.ts';
import type { PeerView } from '../checkers/peer-view.ts';
import type { DiskImage } from '../image.ts';
import { over } from '../over.ts';
import type { Plants } from '../plants.ts';
import type { VirtualDisk } from './disk.ts';
import { addressOf } from './host.ts';
import type { VirtualIpfs } from './ipfs.ts';
import type { Network } from './network.ts';
import type { WorldOptions } from './plan.ts';
import type { Scheduler } from './scheduler.ts';
import { type Life, WholePeer, type WholePeerOptions } from './whole-peer.ts';

export interface WorldPeerDeps {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly random: SeededRandom;
  readonly disk: VirtualDisk;
  readonly config: RaftConsensusOptions['config'];
  readonly ipfs: VirtualIpfs;
  /** Whose addresses it knows: all. */
  readonly known: readonly PeerId[];
  readonly shape: Pick<
    WholePeerOptions,
    'raftOver' | 'isMultiplexed' | 'reconcileIntervalMs' | 'concurrentPins' | 'maxPinQueueSize'
  >;
  readonly pins: Pick<
    WorldOptions,
    | 'replicationMin'
    | 'replicationMax'
    | 'stateSyncMs'
    | 'repins'
    | 'graceMs'
    | 'pingMs'
    | 'metricTtlMs'
    | 'repinsPerSecond'
  >;
  /** The spare peer is not one of the first members; it waits to be added. */
  readonly isSpare: boolean;
  /** What the configuration does not say. */
  readonly engine: Partial<RaftOptions>;
  /** Planted bugs. */
  readonly plants: Plants;
  /** Each input of the engine, before it is stepped. */
  readonly onInput: (peer: WorldPeer, input: Input) => void;
  /** Each output of the engine, before the shell sees it. What it throws is a finding. */
  readonly onOutput: (peer: WorldPeer, output: Output, incoming: ReadonlyMap<number, Request>) => void;
  /** Around the pinset, each time it is opened. */
  readonly watchPinset: (peer: WorldPeer, pinset: ReplicatedPinset) => ReplicatedPinset;
  /** Around all of Raft, once for each life. */
  readonly watchConsensus: (peer: WorldPeer, consensus: Consensus) => Consensus;
  /** Around the RPC, once for each life. */
  readonly watchRpc: (peer: WorldPeer, rpc: RpcNode) => RpcNode;
  /** It takes part from now on, after a start or after its disk was repaired. */
  readonly onEngine: (peer: WorldPeer) => void;
  /** It has seen that others have removed it. */
  readonly onRemoved: (peer: WorldPeer) => void;
  readonly onFailure: (peer: WorldPeer, cause: unknown) => void;
}

export class WorldPeer implements PeerView {
  readonly id: PeerId;
  readonly name: string;
  readonly #deps: WorldPeerDeps;
  readonly #whole: WholePeer;
  #raft: Raft | undefined;
  #hasFailed = false;
  #hasStarted = false;

  constructor(name: string, id: PeerId, deps: WorldPeerDeps) {
    this.name = name;
    this.id = id;
    this.#deps = deps;
    const { scheduler, network, disk, ipfs, random, engine, plants } = deps;
    this.#whole = new WholePeer(optionsOf(name, id, deps), {
      scheduler,
      network,
      disk,
      ipfs,
      random,
      around: {
        ...plants,
        storage: () => planted(disk, plants),
        consensus: (consensus) => (plants.consensus ?? same)(deps.watchConsensus(this, consensus)),
        rpc: (rpc) => deps.watchRpc(this, (plants.rpc ?? same)(rpc)),
        pinset: (pinset) => deps.watchPinset(this, (plants.pinset ?? same)(pinset)),
        createEngine: (engineDeps, options) => {
          const raft = createEngine({ ...engineDeps, rules: plants.rules ?? {} }, { ...options, ...engine });
          return (plants.shell ?? same)(this.#observed((plants.engine ?? same)(raft)));
        },
      },
      onFailure: (cause) => this.#fails(cause),
    });
  }

  get isUp(): boolean {
    return this.#whole.isUp;
  }

  get ipfs(): VirtualIpfs {
    return this.#deps.ipfs;
  }

  /** It is up, and read-only: its disk has failed. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Its disk has failed when it was started, which ends it. */
  get cannotStart(): boolean {
    return this.isUp && this.#hasFailed && !this.#hasStarted;
  }

  /** Its log or state could not be written. */
  diskFailed(): void {
    this.#hasFailed = true;
  }

  get storage(): VirtualDisk {
    return this.#deps.disk;
  }

  get disk(): DiskImage {
    return this.#deps.disk.image;
  }

  /** Of the last life, when it is down. Throws before the first. */
  get raft(): Raft {
    if (this.#raft === undefined) throw new TypeError(`${this.name} has not started yet`);
    return this.#raft;
  }

  get hasStarted(): boolean {
    return this.#raft !== undefined;
  }

  /** `undefined` while it takes no part. */
  get status(): Status | undefined {
    return !this.isUp || this.#hasFailed ? undefined : this.#raft?.status();
  }

  /** `undefined` while it is down, and for a moment when it starts. */
  get life(): Life | undefined {
    return this.#whole.life;
  }

  /** It is in no cluster, and has to ask a member. */
  get isWaiting(): boolean {
    return this.life !== undefined && this.#hasStarted && this.status?.configuration.servers.length === 0;
  }

  /** Asks a member to take it in. */
  async joins(member: PeerId): Promise<void> {
    const { life } = this;
    if (life === undefined) throw new OperatingError('sim/down', `${this.name} is down`);
    await life.peer.join(addressOf(member));
  }

  boot(): void {
    if (this.isUp) return;
    const { disk, isSpare, known } = this.#deps;
    this.#hasFailed = false;
    this.#hasStarted = false;
    this.#whole.boot({ isJoining: (isSpare || disk.wasEmptied) && disk.isEmpty, known }).then(
      (life) => {
        this.#hasStarted = true;
        void life.peer.removed.then(() => {
          if (this.life === life) this.#deps.onRemoved(this);
        });
      },
      (cause: unknown) => {
        // It was stopped before it had started.
        if (errorCode(cause) !== 'consensus/stopped') this.#fails(cause);
      },
    );
  }

  #fails(cause: unknown): void {
    this.#hasFailed = true;
    this.#deps.onFailure(this, cause);
  }

  /** @returns what the disk kept, for the trace; `undefined` when it was down. */
  crash(): string | undefined {
    return this.#whole.crash();
  }

  /** @returns how many timers it has left behind. Never resolves when it crashes meanwhile. */
  stop(): Promise<number> {
    return this.#whole.stop();
  }

  setClockRate(rate: number): void {
    this.#whole.setClockRate(rate);
  }

  #observed(raft: Raft): Raft {
    this.#raft = raft;
    this.#hasFailed = false;
    this.#deps.onEngine(this);
    const incoming = new Map<number, Request>();
    return {
      step: (input) => {
        if (input.type === 'request') incoming.set(input.token, input.request);
        this.#deps.onInput(this, input);
        raft.step(input);
      },
      take: () => {
        const output = raft.take();
        this.#deps.onOutput(this, output, incoming);
        for (const { token } of output.replies) incoming.delete(token);
        return output;
      },
      status: () => raft.status(),
      matches: () => raft.matches(),
      entry: (index) => raft.entry(index),
      baseAt: (index) => raft.baseAt(index),
    };
  }
}

function planted(disk: VirtualDisk, { image = same, log = same, state = same }: Plants): RaftStorage {
  return over<RaftStorage>(disk, {
    open: async () => {
      const data = await disk.open();
      const seen = over(data.log, { load: async () => image(await data.log.load()) });
      return { ...data, log: over(seen, log(seen)), state: state(data.state) };
    },
  });
}

function same<T>(value: T): T {
  return value;
}

/** Times are those of a configuration file, shortened where a history would not see them. */
function optionsOf(name: string, id: PeerId, { config, shape, pins, plants }: WorldPeerDeps): WholePeerOptions {
  return {
    id,
    raft: config,
    peer: (plants.peerOptions ?? same)({
      peername: name,
      version: '0',
      replicationFactorMin: Math.min(pins.replicationMin, pins.replicationMax),
      replicationFactorMax: pins.replicationMax,
      allocateBy: ['tag:group', 'freespace'],
      pinOnlyOnTrustedPeers: false,
      pinOnlyOnUntrustedPeers: false,
      followerMode: false,
      disableRepinning: !pins.repins,
      repinGracePeriodMs: pins.graceMs,
      repinMaxPerSecond: pins.repinsPerSecond,
      leaveOnShutdown: false,
      stateSyncIntervalMs: pins.stateSyncMs,
      monitorPingIntervalMs: pins.pingMs,
      peerWatchIntervalMs: 1000,
      connectSwarmsDelayMs: 1000,
      repoGcTimeoutMs: 86_400_000,
    }),
    tags: { group: 'default' },
    metricTtlMs: pins.metricTtlMs,
    metricCheckMs: pins.pingMs,
    pinTimeoutMs: 5000,
    retryDelayMinMs: 200,
    ...shape,
  };
}

/** Whether the failed act may still happen. */
export function isRefused(error: unknown): boolean {
  return error instanceof OperatingError && error.outcome === 'refused';
}
