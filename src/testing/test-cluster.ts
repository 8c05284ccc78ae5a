/**
 * A whole cluster in one process under virtual time: real peers over a virtual network, virtual disks and virtual IPFS nodes. Equal
 * seeds and equal calls give equal runs.
 */
import { type Logger, OperatingError, SeededRandom, silentLogger, version } from '../base/index.ts';
import {
  aboveZero,
  type Cluster,
  type ClusterEvents,
  check,
  clusterOf,
  Events,
  flag,
  observerOf,
  type Rule,
  shape,
  wholeNumber,
} from '../embed/index.ts';
import { initialService } from '../model/config/index.ts';
import { type PeerId, peerIdFromBytes, trackerStatusBits } from '../model/index.ts';
import {
  addressOf,
  type IpfsState,
  type Life,
  Network,
  Scheduler,
  VirtualClock,
  VirtualDisk,
  VirtualIpfs,
  WholePeer,
  type WholePeerOptions,
} from '../sim/index.ts';
import { driven } from './driven.ts';
import { Runner } from './runner.ts';

/** What the world of a test cluster is like. */
export interface TestClusterOptions {
  /** Decides everything that is left to chance. Default 0. */
  readonly seed?: number;
  /** On how many peers a pin is kept that does not say so; -1 for both: on all. Default -1 and -1. */
  readonly replication?: { readonly min: number; readonly max: number };
  /** Move the pins of a lost peer to others. Default false. */
  readonly repinning?: boolean;
  /** Of a message, one way, half to one and a half times, in virtual milliseconds. Default 1. */
  readonly latencyMs?: number;
  /** Of 100 messages so many are late by a resend, or lost where nobody sends again. Default 0. */
  readonly lossPercent?: number;
  /** What an IPFS node needs for a pin, in virtual milliseconds. Default 10. */
  readonly pinMs?: number;
  /** Log lines of all peers. Default: nowhere. */
  readonly log?: Logger;
}

/** The virtual IPFS node of a peer. It goes on when the peer crashes. */
export interface TestIpfs {
  /** CIDs that it holds, in the order in which they came. */
  pins(): readonly string[];
  /** `failing`: refuses pins and unpins. `hanging`: never finishes them. `down`: answers nothing. Default `up`. */
  state: IpfsState;
  /** Pins take this many times longer. Default 1. */
  slowness: number;
}

/** When to give up, in virtual milliseconds. */
export interface Patience {
  /** Default 60,000. */
  readonly timeoutMs?: number;
}

/**
 * Peers under virtual time. Time passes only while a promise of this cluster or of its peers is waited for; between, the world stands
 * still, so that a test sees the same however long it takes itself. Peers are named by their number, from 0.
 */
export interface TestCluster extends AsyncDisposable {
  /** The same objects in all lives of a peer. Calls of a peer that is down are rejected with `testing/down`. */
  readonly peers: readonly Cluster[];
  /** Virtual milliseconds since the beginning. */
  readonly nowMs: number;
  /** How many things have happened: equal for equal runs. */
  readonly steps: number;
  /** Number of the peer that leads those who reach a majority; `undefined` while nobody does. */
  leader(): number | undefined;
  ipfs(peer: number): TestIpfs;
  /** Lets so much time pass. */
  advance(ms: number): Promise<void>;
  /** Lets time pass until the condition holds, which is looked at every 10 virtual milliseconds. Rejects with `testing/timeout`. */
  until(condition: () => boolean | Promise<boolean>, patience?: Patience): Promise<void>;
  /**
   * Lets time pass until nothing is left to do: there is a leader, all peers that it reaches have applied what is agreed, and their IPFS
   * nodes have done what they can. Rejects with `testing/timeout`, which tells what is missing.
   */
  settle(patience?: Patience): Promise<void>;
  /** Peers of different groups do not reach each other; those that are not named are a group too. Takes the place of an earlier one. */
  partition(groups: readonly (readonly number[])[]): void;
  /** Ends all partitions. */
  heal(): void;
  /** The peer is gone from one moment to the next: what was not on its disk is lost, and calls of it are rejected with `testing/crashed`. */
  crash(peer: number): Promise<void>;
  /**
   * Starts a peer that has crashed or stopped. Resolves when it takes part again, so not within a minority. One that was removed
   * meanwhile joins again.
   */
  restart(peer: number): Promise<void>;
  /** Stops all peers. Idempotent. */
  stop(): Promise<void>;
}

const peersMax = 99;
const timeoutMsDefault = 60_000;
const lookMs = 10;
/** Nobody has so much to pin in a test. */
const storageMaxBytes = 1e12;

const optionRows: { readonly [K in keyof TestClusterOptions]-?: Rule } = {
  seed: wholeNumber('a whole number', () => true),
  replication: shape({ min: factorRule(), max: factorRule() }, ['min', 'max']),
  repinning: flag,
  latencyMs: aboveZero('milliseconds, more than 0'),
  lossPercent: wholeNumber('a whole number from 0 to 50', (value) => value >= 0 && value <= 50),
  pinMs: aboveZero('milliseconds, more than 0'),
  log: () => {},
};

function factorRule(): Rule {
  return wholeNumber('-1 (on all peers) or a whole number above 0', (value) => value === -1 || value > 0);
}

/** See `createTestCluster`. */
export async function makeTestCluster(peers: number, options: TestClusterOptions): Promise<TestCluster> {
  const count = wholeNumber(`a whole number from 1 to ${peersMax}`, (value) => value > 0 && value <= peersMax);
  count(peers, 'peers');
  check(shape(optionRows), options);
  const cluster = new VirtualCluster(peers, options);
  await cluster.start();
  return cluster;
}

class VirtualCluster implements TestCluster {
  readonly peers: readonly Cluster[];
  readonly #scheduler = new Scheduler();
  readonly #runner = new Runner(this.#scheduler);
  readonly #network: Network;
  readonly #seats: readonly Seat[];
  /** Directions that the present partition has cut. */
  #cuts: (readonly [PeerId, PeerId])[] = [];

  constructor(count: number, options: TestClusterOptions) {
    const { seed = 0, latencyMs = 1, lossPercent = 0 } = options;
    const random = new SeededRandom(`test cluster/${seed}`);
    const network = { latencyMs, lossPercent, slowPercent: 0, slowMsMax: 1, snapshotDelayMsMax: 0, copyPercent: 0 };
    this.#network = new Network(network, this.#scheduler, random.derive('network'));
    const ids = Array.from({ length: count }, (_, at) => idOf(at + 1));
    const world: World = { scheduler: this.#scheduler, network: this.#network, runner: this.#runner, random, ids };
    this.#seats = ids.map((_, at) => new Seat(at, world, options));
    this.peers = this.#seats.map(({ cluster }) => cluster);
  }

  async start(): Promise<void> {
    await this.#runner.drive(() => Promise.all(this.#seats.map((seat) => seat.start(false))));
    const isKnown = ({ life }: Seat): boolean => life?.peer.metrics('freespace').length === this.#seats.length;
    await this.until(() => this.#seats.every(isKnown));
    await this.settle();
  }

  get nowMs(): number {
    return this.#scheduler.now;
  }

  get steps(): number {
    return this.#scheduler.events;
  }

  leader(): number | undefined {
    const leading = this.#seats.filter(({ life }) => life?.raft()?.status().role === 'leader');
    const termOf = ({ life }: Seat): number => life?.raft()?.status().term ?? 0;
    const [newest] = leading.sort((a, b) => termOf(b) - termOf(a));
    return newest?.number;
  }

  ipfs(peer: number): TestIpfs {
    const { ipfs } = this.#seat(peer);
    return {
      pins: () => [...ipfs.held.keys()],
      get state() {
        return ipfs.state;
      },
      set state(state) {
        ipfs.state = state;
      },
      get slowness() {
        return ipfs.slowness;
      },
      set slowness(slowness) {
        ipfs.slowness = slowness;
      },
    };
  }

  async advance(ms: number): Promise<void> {
    if (!(Number.isFinite(ms) && ms >= 0)) throw badArgument(`found ${ms} ms, expected 0 or more`);
    await this.#runner.advance(ms);
  }

  async until(condition: () => boolean | Promise<boolean>, patience: Patience = {}): Promise<void> {
    await this.#until(async () => ((await condition()) ? undefined : 'the condition'), patience);
  }

  async settle(patience: Patience = {}): Promise<void> {
    await this.#until(async () => await this.#missing(), patience);
  }

  /** `look` tells what is still waited for. */
  async #until(look: () => Promise<string | undefined>, { timeoutMs = timeoutMsDefault }: Patience): Promise<void> {
    const endMs = this.nowMs + timeoutMs;
    for (let missing = await look(); missing !== undefined; missing = await look()) {
      if (this.nowMs >= endMs) {
        throw new OperatingError('testing/timeout', `Cannot wait longer than ${timeoutMs} ms for ${missing}`);
      }
      await this.#runner.advance(lookMs);
    }
  }

  async #missing(): Promise<string | undefined> {
    const leader = this.#seats[this.leader() ?? -1];
    const status = leader?.life?.raft()?.status();
    if (leader === undefined || status === undefined || !status.isEstablished) return 'a leader';
    if (status.commit !== status.lastIndex) return 'a majority to agree';
    const members = new Set(status.configuration.servers.map(({ id }) => id));
    for (const seat of this.#seats) {
      const { life } = seat;
      if (life === undefined || !members.has(seat.id) || !this.#reaches(leader.id, seat.id)) continue;
      if (life.raft()?.status().applied !== status.commit) return `peer ${seat.number} to apply what is agreed`;
      if (await seat.hasWork()) return `the IPFS node of peer ${seat.number}`;
    }
    return undefined;
  }

  #reaches(from: PeerId, to: PeerId): boolean {
    return from === to || (this.#network.isOpen(from, to) && this.#network.isOpen(to, from));
  }

  partition(groups: readonly (readonly number[])[]): void {
    const groupOf = new Map<number, number>();
    for (const [group, members] of groups.entries()) {
      for (const member of members) {
        if (groupOf.has(this.#seat(member).number)) throw badArgument(`peer ${member} is in two groups`);
        groupOf.set(member, group);
      }
    }
    this.heal();
    for (const from of this.#seats) {
      for (const to of this.#seats) {
        if (groupOf.get(from.number) === groupOf.get(to.number)) continue;
        this.#cuts.push([from.id, to.id]);
        this.#network.cut(from.id, to.id);
      }
    }
  }

  heal(): void {
    for (const [from, to] of this.#cuts) this.#network.mend(from, to);
    this.#cuts = [];
  }

  async crash(peer: number): Promise<void> {
    const seat = this.#seat(peer);
    // As a thing that happens of its own, not in the middle of another.
    await this.#runner.drive(
      () =>
        new Promise<void>((resolve) => {
          this.#scheduler.after(0, () => {
            seat.crash();
            resolve();
          });
        }),
    );
  }

  async restart(peer: number): Promise<void> {
    const seat = this.#seat(peer);
    if (seat.life !== undefined) throw badArgument(`peer ${peer} is running`);
    await this.#runner.drive(() => seat.start(true), seat.calls);
  }

  async stop(): Promise<void> {
    await this.#runner.drive(() => Promise.all(this.#seats.map((seat) => seat.stop())));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #seat(number: number): Seat {
    const seat = this.#seats[number];
    if (seat === undefined) throw badArgument(`found peer ${number}, expected one from 0 to ${this.#seats.length - 1}`);
    return seat;
  }
}

interface World {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly runner: Runner;
  readonly random: SeededRandom;
  readonly ids: readonly PeerId[];
}

/** One peer in all its lives. */
class Seat {
  readonly number: number;
  readonly id: PeerId;
  readonly cluster: Cluster;
  readonly ipfs: VirtualIpfs;
  /** Calls under way: a crash ends them. */
  readonly calls: Set<(error: unknown) => void> = new Set();
  readonly #world: World;
  readonly #disk: VirtualDisk;
  readonly #peer: WholePeer;
  #ended = Promise.withResolvers<Error | undefined>();
  /** Others have removed it: it has to join again. */
  #isRemoved = false;

  constructor(number: number, world: World, options: TestClusterOptions) {
    const { scheduler, network, random, ids } = world;
    const { pinMs = 10, log = silentLogger } = options;
    const name = `peer ${number}`;
    this.number = number;
    this.id = ids[number] ?? '';
    this.#world = world;
    this.#disk = new VirtualDisk(
      name,
      { syncMs: 1, stateMs: 0.1 },
      {
        scheduler,
        random: random.derive(`disk/${number}`),
        onWrite: () => {},
        onFailure: () => {},
        onMisuse: () => {},
      },
    );
    const ipfs = { pinMs, storageMaxBytes };
    this.ipfs = new VirtualIpfs(idOf(number + 1, 0x80), ipfs, scheduler, random.derive(`ipfs/${number}`));
    const events = new Events<ClusterEvents>();
    const observer = observerOf(events, () => this.life?.consensus.pinset().count() ?? 0);
    this.#peer = new WholePeer(peerOptions(this.id, name, ids, options), {
      scheduler,
      network,
      disk: this.#disk,
      ipfs: this.ipfs,
      random: random.derive(`peer/${number}`),
      logger: log.scope(name),
      observer,
      onStatus: ({ configuration, leader }) =>
        observer.onMembership(configuration.servers.map(({ id }) => id).sort(), leader),
      onFailure: (cause) => this.#fails(cause),
    });
    this.cluster = this.#clusterOf(name, events);
  }

  get life(): Life | undefined {
    return this.#peer.life;
  }

  /** `isReturning`: not for the first time. It joins again when it has been removed. */
  async start(isReturning: boolean): Promise<void> {
    this.#ended = Promise.withResolvers();
    const isJoining = this.#isRemoved;
    const { ids } = this.#world;
    const { peer } = await this.#peer.boot({ isJoining, known: ids });
    peer.removed.then(
      () => {
        this.#isRemoved = true;
        void this.#stop(new OperatingError('cluster/removed', 'peer no longer in peerset'));
      },
      () => {},
    );
    this.#isRemoved = false;
    if (isReturning) void peer.bootstrap(ids.filter((id) => id !== this.id).map(addressOf));
    await peer.ready;
  }

  crash(): void {
    if (this.#peer.crash() === undefined) return;
    const error = new OperatingError('testing/crashed', `peer ${this.number} has crashed`, { outcome: 'unknown' });
    for (const fail of [...this.calls]) fail(error);
    this.#ended.resolve(error);
  }

  async stop(): Promise<void> {
    await this.#stop(undefined);
  }

  async #stop(cause: Error | undefined): Promise<void> {
    const { life } = this;
    await this.#peer.stop();
    if (this.#isRemoved) await life?.consensus.clean();
    this.#ended.resolve(cause);
  }

  #fails(cause: unknown): void {
    const error = cause instanceof Error ? cause : new OperatingError('testing/failed', String(cause));
    for (const fail of [...this.calls]) fail(error);
    this.#ended.resolve(error);
  }

  /** Whether its IPFS node has something to do that it can do. */
  async hasWork(): Promise<boolean> {
    if (this.life === undefined || this.ipfs.state === 'down' || this.ipfs.state === 'hanging') return false;
    for await (const _ of this.life.tracker.statusAll(workFilter)) return true;
    return false;
  }

  #clusterOf(name: string, events: Events<ClusterEvents>): Cluster {
    const { scheduler, runner } = this.#world;
    const live = (): Life => {
      if (this.life !== undefined) return this.life;
      throw new OperatingError('testing/down', `peer ${this.number} is down: restart(${this.number}) brings it back`);
    };
    const ended = () => this.#ended.promise;
    const own = clusterOf({
      id: this.id,
      peername: name,
      secret: '',
      addresses: [addressOf(this.id)],
      doors: { http: [], pinningService: [], proxy: [], ipfs: '/ip4/127.0.0.1/tcp/5001' },
      get ready() {
        return live().peer.ready;
      },
      get ended() {
        return ended();
      },
      events,
      clock: new VirtualClock(scheduler),
      api: () => live().peer,
      leader: () => this.life?.raft()?.status().leader,
      stop: () => this.stop(),
    });
    return driven(own, (act) => runner.drive(act, this.calls));
  }
}

/** Statuses of pins that an IPFS node is at work for. */
const workFilter =
  trackerStatusBits.pinning |
  trackerStatusBits.pin_queued |
  trackerStatusBits.unpinning |
  trackerStatusBits.unpin_queued;

/** The defaults of a configuration file, as far as they have a meaning here. */
function peerOptions(
  id: PeerId,
  peername: string,
  ids: readonly PeerId[],
  { replication, repinning = false }: TestClusterOptions,
): WholePeerOptions {
  const { cluster, raft, balanced, stateless, tags, pubsubmon, ipfshttp, disk } = initialService({
    hostname: peername,
    secret: '',
  });
  if (raft === undefined || tags === undefined || disk === undefined)
    throw new TypeError('Every peer has these sections');
  return {
    id,
    raft: { ...raft, initPeerset: ids },
    peer: {
      ...cluster,
      version,
      ...(replication && { replicationFactorMin: replication.min, replicationFactorMax: replication.max }),
      disableRepinning: !repinning,
      allocateBy: balanced.allocateBy,
      connectSwarmsDelayMs: ipfshttp.connectSwarmsDelayMs,
      repoGcTimeoutMs: ipfshttp.repogcTimeoutMs,
    },
    tags: tags.tags,
    metricTtlMs: disk.metricTtlMs,
    metricCheckMs: pubsubmon.checkIntervalMs,
    pinTimeoutMs: ipfshttp.pinTimeoutMs,
    concurrentPins: stateless.concurrentPins,
    reconcileIntervalMs: cluster.pinRecoverIntervalMs,
    raftOver: 'streams',
    isMultiplexed: true,
  };
}

/** An identity hash of an ed25519 key, as peers have it, of a key that nobody has. */
function idOf(number: number, kind: number = 0): PeerId {
  const bytes = new Uint8Array(38).fill(number + kind);
  bytes.set([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);
  return peerIdFromBytes(bytes);
}

function badArgument(problem: string): OperatingError {
  return new OperatingError('testing/bad-argument', `Cannot do that with a test cluster: ${problem}`);
}
