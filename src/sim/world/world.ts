/**
 * The world: whole peers, the real consensus and pinset, under a virtual clock, network and disk, with clients and faults. Then
 * the faults stop and progress is demanded.
 */
import { errorCode, SeededRandom } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import type { Input, Output, Request } from '../../core/raft/index.ts';
import { type Cid, peerIdFromBytes } from '../../model/index.ts';
import { CallChecker } from '../checkers/calls.ts';
import { CutOffChecker } from '../checkers/cut-off.ts';
import { type Knowledge, MovesChecker } from '../checkers/moves.ts';
import { PinsChecker } from '../checkers/pins.ts';
import { RaftChecker } from '../checkers/raft-checker.ts';
import { ResourceChecker } from '../checkers/resources.ts';
import { StateChecker } from '../checkers/state.ts';
import { describeRequest, describeResponse, isOutstanding } from '../describe.ts';
import { asFinding, expect, Finding } from '../finding.ts';
import { mix, mixText } from '../hash.ts';
import type { Plants } from '../plants.ts';
import type { SeedResult } from '../result.ts';
import { Trace } from '../trace.ts';
import { Clients, cidOf, clientTimeoutMs } from './clients.ts';
import { isDiskFailure, VirtualDisk } from './disk.ts';
import { Faults } from './faults.ts';
import { VirtualIpfs } from './ipfs.ts';
import { withoutLeaks } from './leaks.ts';
import { Network } from './network.ts';
import { WorldPeer } from './peer.ts';
import {
  driftMax,
  faultyMs,
  keys,
  mayExpire,
  type Operation,
  type Target,
  unsaidOptions,
  type WorldPlan,
} from './plan.ts';
import { Recovery } from './recovery.ts';
import { type Drain, Scheduler, VirtualClock } from './scheduler.ts';
import type { Life } from './whole-peer.ts';

/** A run that has not ended by then never will. */
const eventsMax = 200_000;
/** Nothing that ends has so many without time going on. */
const eventsNowMax = 10_000;
/** Of one peer. Messages have deadlines, requests that wait for a slow disk as well. */
const callsMax = 300;
const requestsMax = 300;
const storageMaxBytes = 1e9;
/** Between looks at whether a peer is cut off; it may be so for longer than a heartbeat timeout. */
const cutOffLookMs = 20;
/** Between looks at what peers hold on to. */
const resourcesMs = 500;

export interface WorldInput {
  readonly plan: WorldPlan;
  readonly plants?: Plants;
  readonly traces?: boolean;
  /** Default `loop`. Both do the same, as long as nothing here uses `process.nextTick`. */
  readonly drain?: Drain;
}

export async function runWorld(input: WorldInput): Promise<SeedResult> {
  const world = new World(input);
  const onRejection = (error: unknown): void => world.find(error);
  process.on('unhandledRejection', onRejection);
  const { stackTraceLimit } = Error;
  // Refusals are many, and nobody reads where they come from.
  if (input.traces !== true) Error.stackTraceLimit = 0;
  try {
    await withoutLeaks(() => world.run());
  } catch (error) {
    world.find(error);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    process.off('unhandledRejection', onRejection);
  }
  return world.result();
}

/** Peers, what is between them, and who looks on. */
export class World {
  readonly plan: WorldPlan;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly peers: readonly WorldPeer[];
  readonly disks: readonly VirtualDisk[];
  readonly checker: RaftChecker;
  readonly clients: Clients = new Clients(this);
  readonly recovery: Recovery = new Recovery(this);
  readonly states: StateChecker = new StateChecker();
  readonly pins: PinsChecker;
  readonly moves: MovesChecker;
  readonly calls: CallChecker = new CallChecker();
  readonly resources: ResourceChecker = new ResourceChecker();
  readonly trace: Trace;
  readonly faults: Faults;
  readonly #cutOff: CutOffChecker;
  /** When each peer is looked at again. */
  readonly #cutOffLooks = new Map<WorldPeer, number>();
  readonly #ids: readonly string[];
  readonly #judges: readonly string[] | undefined;
  /** Of clocks at the beginning. */
  readonly #wallNanos: bigint;
  #finding: Finding | undefined;
  #hash = 0;
  #isEnding = false;
  /** They were removed, and are putting their data away. */
  readonly #leaving = new Set<WorldPeer>();
  /** They were removed, and wait to be started again. */
  readonly left: Set<WorldPeer> = new Set();
  /** They are down until all else is well again. */
  readonly lost: Set<WorldPeer> = new Set();
  /** What they hold is being moved. */
  /** By how many calls at once. */
  readonly #removals = new Map<string, number>();
  /** They were removed, and are not started again. */
  readonly stopped: Set<WorldPeer> = new Set();
  #leaves = 0;
  #refusals = 0;
  #snapshots = 0;
  #installs = 0;

  constructor({ plan: given, plants = {}, traces = false, drain = 'loop' }: WorldInput) {
    const plan = { ...given, options: { ...unsaidOptions, ...given.options } };
    this.plan = plan;
    const keysMayExpire = new Set(Array.from({ length: keys }, (_, key) => key).filter(mayExpire));
    const expiring = new Set([...keysMayExpire].map((key) => cidOf(key).key));
    this.pins = new PinsChecker({
      mayExpire: (key) => expiring.has(key),
      nowNanosMax: () => this.#nanosAt(this.scheduler.now * driftMax),
    });
    this.scheduler = new Scheduler(drain);
    this.#wallNanos = new VirtualClock(this.scheduler).wallNanos();
    this.trace = new Trace(traces);
    this.#judges = plants.judges;
    const random = new SeededRandom(`world/${plan.seed}`);
    const { options } = plan;
    const { waitingMax, appendsInFlightMax, applyMax, electionSpreadTicks } = options;
    this.checker = new RaftChecker({ waitingMax, callsMax, requestsMax });
    this.network = new Network({ ...options }, this.scheduler, random.derive('net'));
    const names = Array.from({ length: options.voters + 1 }, (_, at) => `n${at + 1}`);
    const ids = names.map((_, at) => idOf(at + 1));
    const disks: VirtualDisk[] = [];
    this.peers = names.map((name, at) => {
      const disk = new VirtualDisk(name, options, {
        scheduler: this.scheduler,
        random: random.derive(`disk/${name}`),
        onWrite: (ops) => this.#guarded(() => this.checker.writes(this.#peer(at), ops)),
        onEmptied: () => this.checker.logs.emptied(this.#peer(at)),
        onDone: () => this.faults.onDiskDone(this.#peer(at)),
        onFailure: () => this.#peer(at).diskFailed(),
        onMisuse: (what) => this.find(new Finding('read-only after a failure', what)),
      });
      disks.push(disk);
      return new WorldPeer(name, ids[at] ?? '', {
        scheduler: this.scheduler,
        network: this.network,
        random: random.derive(`node/${name}`),
        disk,
        ipfs: new VirtualIpfs(
          idOf(0x80 + at),
          { pinMs: options.pinMs, storageMaxBytes },
          this.scheduler,
          random.derive(`ipfs/${name}`),
        ),
        known: ids,
        shape: {
          raftOver: options.raftOver,
          isMultiplexed: ((options.multiplexed >> at) & 1) === 1,
          reconcileIntervalMs: options.reconcileMs,
          concurrentPins: options.concurrentPins,
          maxPinQueueSize: options.pinQueueMax,
        },
        pins: options,
        config: configOf(this.plan, ids.slice(0, options.voters)),
        isSpare: at === options.voters,
        engine: { waitingMax, appendsInFlightMax, applyMax, electionSpreadTicks },
        plants,
        onInput: (peer, input) => this.#guarded(() => this.#onInput(peer, input)),
        onOutput: (peer, output, incoming) => this.#guarded(() => this.#onOutput(peer, output, incoming)),
        watchPinset: (peer, pinset) => this.states.watch(peer.name, pinset, (act) => this.#guarded(act)),
        watchConsensus: (peer, consensus) =>
          this.moves.watch(
            peer.id,
            consensus,
            () => peer.life && knowledgeOf(peer.life),
            (act) => this.judge(act),
          ),
        watchRpc: (peer, rpc) => this.calls.watch(peer.id, rpc, (act) => this.judge(act)),
        onEngine: (peer) => this.#onEngine(peer),
        onRemoved: (peer) => {
          if (options.leavesWhenRemoved) this.#leave(peer);
        },
        onFailure: (peer, cause) => {
          this.note(() => `${peer.name} fails: ${cause}`);
          if (isDiskFailure(cause)) return;
          if (this.#isRefusal(peer, cause)) {
            this.#refusals++;
            // As the process would.
            this.scheduler.after(0, () => peer.crash());
            return;
          }
          this.find(cause instanceof Error && cause.cause !== undefined ? cause.cause : cause);
        },
      });
    });
    this.disks = disks;
    const ipfsOf = new Map(this.peers.map(({ id, ipfs }) => [id, ipfs] as const));
    this.moves = new MovesChecker({
      graceMs: options.graceMs,
      nowMs: () => this.scheduler.now,
      holds: (peer, key) => ipfsOf.get(peer)?.held.has(key) ?? false,
      lostMs: (peer, key) => ipfsOf.get(peer)?.lostMs.get(key),
      isBeingRemoved: (peer) => (this.#removals.get(peer) ?? 0) > 0,
    });
    this.#ids = ids;
    this.#cutOff = new CutOffChecker(options.heartbeatTimeoutMs, options.slowPercent > 0 ? options.slowMsMax : 0);
    this.faults = new Faults(this);
    for (const { id, ipfs } of this.peers)
      ipfs.observer = { onAct: (...act) => this.judge(() => this.#onIpfs(id, ...act)) };
  }

  #onIpfs(id: string, kind: 'pin' | 'unpin', { key }: Cid, running: readonly Cid[]): void {
    const same = running.filter((cid) => cid.key === key).length;
    expect(same === 1, 'one act per pin', () => `${id} is told to ${kind} ${key} while it is at it: ${same} acts`);
    this.resources.acts(id, running.length, this.plan.options.concurrentPins);
    const mayUnpin = kind === 'pin' || this.pins.wasEverFor(id, key);
    expect(mayUnpin, 'strangers keep their pins', () => `${id} is told to unpin ${key}, which it was never to hold`);
  }

  /** What the clock of a peer shows that is ahead of all others. */
  clockNanosMax(): bigint {
    const clocks = this.peers.flatMap(({ life }) => life?.clock.wallNanos() ?? []);
    return [this.#nanosAt(this.scheduler.now), ...clocks].reduce((a, b) => (a > b ? a : b));
  }

  #nanosAt(ms: number): bigint {
    return this.#wallNanos + BigInt(Math.round(ms * 1e6));
  }

  async run(): Promise<void> {
    for (const peer of this.peers) this.boot(peer);
    for (const { atMs, act } of this.plan.faults) this.scheduler.after(atMs, () => this.faults.play(act));
    for (const armed of this.plan.armed) this.scheduler.after(armed.atMs, () => this.faults.arm(armed));
    for (const operation of this.plan.operations) this.scheduler.after(operation.atMs, () => this.#operate(operation));
    this.#lookAtResources();
    await this.until(() => this.scheduler.now >= faultyMs);
    await this.recovery.run();
    await this.#end();
  }

  result(): SeedResult {
    const { votes, logs } = this.checker;
    return {
      history: { simulation: 'world', plan: this.plan },
      finding: this.#finding,
      at: `${this.scheduler.now.toFixed(1)} ms`,
      hash: mix(mix(mix(this.#hash, this.clients.hash), this.checker.hash), this.scheduler.events),
      counts: {
        commits: logs.commit,
        elections: votes.elections,
        acknowledged: this.clients.history.acknowledged,
        reads: this.clients.history.reads,
        replaced: this.clients.history.replaced,
        contested: this.clients.history.contested,
        failed: this.clients.failed,
        crashes: this.faults.crashes,
        changes: this.faults.changes,
        strikes: this.faults.strikes,
        troubles: this.faults.troubles,
        rows: this.clients.rows,
        moved: this.clients.history.moved,
        losses: this.faults.losses,
        orders: this.faults.orders,
        expired: this.pins.expired,
        leaves: this.#leaves,
        refusals: this.#refusals,
        replacements: this.recovery.replacements,
        recovered: this.recovery.recovered,
        snapshots: this.#snapshots,
        installs: this.#installs,
        diskFailures: this.disks.reduce((sum, { failures }) => sum + failures, 0),
        events: this.scheduler.events,
      },
      trace: this.trace,
      table: this.peers.filter(({ hasStarted }) => hasStarted).map(tableRow),
    };
  }

  /** The first finding ends the run. */
  find(error: unknown): void {
    const finding = asFinding(error);
    if (this.#finding !== undefined || !this.#mayJudge(finding)) return;
    this.#finding = finding;
    // Names are what the trace has.
    for (const { id, name } of this.peers) this.#finding.message = this.#finding.message.replaceAll(id, name);
  }

  note(line: () => string): void {
    this.trace.add(() => this.#stamped(line()));
  }

  #stamped(line: string): string {
    return `${this.scheduler.now.toFixed(1)} ${line}`;
  }

  nameOf(id: string): string {
    return this.peers.find((peer) => peer.id === id)?.name ?? id;
  }

  target(target: Target): WorldPeer | undefined {
    if (target === 'leader') return this.leader();
    return target === 'oldestLeader' ? this.leaders().at(-1) : this.peers[target];
  }

  /** Who believe to lead, the newest term first. */
  leaders(): readonly WorldPeer[] {
    const leaders = this.peers.filter(({ status }) => status?.role === 'leader');
    return leaders.sort((a, b) => (b.status?.term ?? 0) - (a.status?.term ?? 0));
  }

  leader(): WorldPeer | undefined {
    return this.leaders()[0];
  }

  /** The disk can be written to again. A peer that has become read-only finds out by itself, one that could not start does not. */
  repair(peer: WorldPeer): void {
    peer.storage.error = undefined;
    if (!peer.cannotStart) return;
    peer.crash();
    this.boot(peer);
  }

  boot(peer: WorldPeer): void {
    const stays = [this.#leaving, this.left, this.stopped, this.lost].some((peers) => peers.has(peer));
    if (!peer.isUp && !this.#isEnding && !stays) peer.boot();
  }

  /** Removes a member, whose pins go to others before. */
  async remove(via: Pick<ClusterApi, 'peerRemove'>, { id }: WorldPeer): Promise<void> {
    const count = (by: number): unknown => this.#removals.set(id, (this.#removals.get(id) ?? 0) + by);
    count(1);
    try {
      await via.peerRemove(id);
    } finally {
      count(-1);
    }
  }

  // ------------------------------------------------------------------------------------------------ looking on

  /** What the program does when its peer was removed. */
  #leave(peer: WorldPeer): void {
    const { life } = peer;
    if (life === undefined) return;
    this.note(() => `${peer.name} has been removed, and ends`);
    void peer.stop().then(async () => {
      if (peer.isUp) return;
      this.#leaving.add(peer);
      try {
        await life.consensus.clean();
      } catch (error) {
        if (!isDiskFailure(error)) this.find(error);
      }
      this.#leaving.delete(peer);
      if (!peer.storage.isEmpty) return;
      this.left.add(peer);
      this.#leaves++;
    });
  }

  #isRefusal({ storage }: WorldPeer, cause: unknown): boolean {
    return storage.spoiled !== undefined && ['store/damaged', 'raft/state-ahead'].includes(errorCode(cause));
  }

  #onEngine(peer: WorldPeer): void {
    this.#guarded(() => {
      const { spoiled } = peer.storage;
      expect(spoiled === undefined, 'spoiled disks are refused', () => `${peer.name} takes part: ${spoiled}`);
    });
    this.checker.restarted(peer);
    this.#cutOff.crashed(peer);
    const { baseIndex, applied, lastIndex } = peer.raft.status();
    this.note(() => `${peer.name} takes part, its log has ${baseIndex} to ${lastIndex}, applied ${applied}`);
  }

  #onInput(peer: WorldPeer, input: Input): void {
    this.checker.given(peer, input);
    if (input.type === 'snapshotted') this.#snapshots++;
    if (input.type === 'restored' && input.isDone) {
      this.#installs++;
      this.note(() => `${peer.name} has the state of a snapshot`);
    }
    if (input.type === 'response') {
      const { response } = input;
      this.trace.line(isOutstanding(response), () =>
        this.#stamped(`${peer.name} is answered ${describeResponse(response)}`),
      );
    }
  }

  #onOutput(peer: WorldPeer, output: Output, incoming: ReadonlyMap<number, Request>): void {
    const { checker } = this;
    const status = checker.stepped(peer, output, this.#started());
    for (const reply of output.replies) {
      const request = incoming.get(reply.token);
      if (request !== undefined) checker.replies(peer, request, reply);
    }
    if (output.apply.length > 0) {
      checker.applies(peer, output.apply, () => undefined);
      this.clients.history.applies(output.apply);
      this.states.applies(output.apply);
      this.judge(() => this.pins.applies(output.apply));
    }
    for (const { to, request } of output.calls) {
      const text = (): string => this.#stamped(`${peer.name} > ${this.nameOf(to)} ${describeRequest(request)}`);
      this.trace.line(isOutstanding(request), text);
    }
    if (output.status !== undefined) {
      this.note(() => `${peer.name} is ${status.role} in term ${status.term}, members of ${status.configurationIndex}`);
    }
    const here = mix(mix(this.#hash, status.term), status.commit);
    this.#hash = mixText(mix(here, this.scheduler.now * 1000), peer.name);
    this.faults.onOutput(peer, output, status);
    this.#lookForCutOff(peer);
  }

  #lookForCutOff(peer: WorldPeer): void {
    const { network } = this;
    if (this.scheduler.now < (this.#cutOffLooks.get(peer) ?? 0)) return;
    this.#cutOffLooks.set(peer, this.scheduler.now + cutOffLookMs);
    this.#cutOff.look(
      peer,
      this.scheduler.now,
      (id) => network.isOpen(peer.id, id) && network.isOpen(id, peer.id),
      (id) => network.isOpen(id, peer.id) || network.isArriving(id, peer.id),
      this.#ids,
    );
  }

  #lookAtResources(): void {
    if (this.#isEnding) return;
    for (const { id, life } of this.peers) {
      if (life === undefined) continue;
      this.judge(() => this.resources.look(id, life, this.calls.openCalls(id)));
      this.moves.sample(knowledgeOf(life), this.#ids);
    }
    this.scheduler.after(resourcesMs, () => this.#lookAtResources());
  }

  #started(): readonly WorldPeer[] {
    return this.peers.filter(({ hasStarted }) => hasStarted);
  }

  /** What a checker throws is kept, and ends the peer as well. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!this.#mayJudge(asFinding(error))) return;
      this.find(error);
      throw error;
    }
  }

  #mayJudge({ checker }: Finding): boolean {
    return this.#judges?.includes(checker) ?? true;
  }

  #peer(at: number): WorldPeer {
    const peer = this.peers[at];
    if (peer === undefined) throw new RangeError(`There is no peer ${at}`);
    return peer;
  }

  // ------------------------------------------------------------------------------------------------ clients

  #operate(operation: Operation): void {
    const { life } = this.target(operation.peer) ?? {};
    if (life !== undefined) void this.clients.ask(life, operation);
  }

  judge(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.find(error);
    }
  }

  /** All peers stop, and leave nothing that could still happen. */
  async #end(): Promise<void> {
    this.#isEnding = true;
    let timers: readonly number[] | undefined;
    void Promise.all(this.peers.map((peer) => peer.stop())).then((left) => {
      timers = left;
    });
    await this.until(() => false);
    expect(timers !== undefined, 'leaks', () => 'peers have not stopped, and nothing is left that could end it');
    expect(
      timers.every((count) => count === 0),
      'leaks',
      () => `stopped peers have timers: ${timers}`,
    );
    for (const { id, name } of this.peers) {
      const open = this.calls.openCalls(id);
      expect(open === 0, 'leaks', () => `${name} has stopped, and ${open} of its calls have not ended`);
    }
  }

  /** Runs until `isDone` or until there is a finding, which is thrown. */
  async until(isDone: () => boolean): Promise<void> {
    await this.scheduler.run(() => {
      const { events, eventsNow } = this.scheduler;
      expect(events < eventsMax, 'time', () => `the run does not end: ${eventsMax} events`);
      expect(eventsNow < eventsNowMax, 'time', () => `time stands still: ${eventsNowMax} events at one instant`);
      return this.#finding !== undefined || isDone();
    });
    if (this.#finding !== undefined) throw this.#finding;
  }
}

function configOf(
  { options }: WorldPlan,
  initPeerset: readonly string[],
): ConstructorParameters<typeof WorldPeer>[2]['config'] {
  const { heartbeatTimeoutMs, networkTimeoutMs, maxAppendEntries, leaseTimeoutMs } = options;
  const { snapshotThreshold, snapshotIntervalMs, trailingLogs } = options;
  return {
    dataFolder: '',
    initPeerset,
    waitForLeaderTimeoutMs: clientTimeoutMs,
    networkTimeoutMs,
    commitRetries: 1,
    commitRetryDelayMs: 200,
    backupsRotate: 6,
    heartbeatTimeoutMs,
    electionTimeoutMs: heartbeatTimeoutMs,
    commitTimeoutMs: 50,
    maxAppendEntries,
    trailingLogs,
    snapshotIntervalMs,
    snapshotThreshold,
    leaderLeaseTimeoutMs: leaseTimeoutMs,
  };
}

function knowledgeOf({ monitor, clock, raft }: Life): Knowledge {
  const { servers = [] } = raft()?.status().configuration ?? {};
  return { monitor, clock, members: servers.map(({ id }) => id) };
}

function tableRow({ name, isUp, hasFailed, raft, disk }: WorldPeer): string {
  const { role, term, commit, applied, lastIndex, durable, configuration } = raft.status();
  const state = hasFailed ? 'read-only' : role;
  return `${name} ${isUp ? state : 'down'} term ${term} commit ${commit} applied ${applied} last ${lastIndex} durable ${durable} disk ${disk.lastIndex} members ${configuration.servers.length}`;
}

/** An identity hash of an ed25519 key, as peers have it, of a key that nobody has. */
function idOf(number: number): string {
  const bytes = new Uint8Array(38).fill(number);
  bytes.set([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);
  return peerIdFromBytes(bytes);
}
