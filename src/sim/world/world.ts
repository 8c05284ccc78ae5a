/**
 * The world: whole peers, the real consensus and pinset, under a virtual clock, network and disk, with clients and faults. Then
 * the faults stop and progress is demanded.
 */
import { errorCode, SeededRandom } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import type { Input, LogIndex, Output, Request } from '../../core/raft/index.ts';
import {
  Cid,
  type GlobalPinInfo,
  type PinInfo,
  type PinOptions,
  peerIdFromBytes,
  stateKey,
  trackerStatusBits,
} from '../../model/index.ts';
import { CallChecker } from '../checkers/calls.ts';
import { ClientHistory, type OperationToken } from '../checkers/client-history.ts';
import { CutOffChecker } from '../checkers/cut-off.ts';
import { HistoryChecker } from '../checkers/history.ts';
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
import { isDiskFailure, VirtualDisk } from './disk.ts';
import { Faults } from './faults.ts';
import { VirtualIpfs } from './ipfs.ts';
import { withoutLeaks } from './leaks.ts';
import { Network } from './network.ts';
import { isRefused, WorldPeer } from './peer.ts';
import { faultyMs, ipfsNoticeMs, keys, type Operation, type Target, type WorldPlan } from './plan.ts';
import { type Drain, Scheduler } from './scheduler.ts';
import type { Life } from './whole-peer.ts';

/** A run that has not ended by then never will. */
const eventsMax = 200_000;
/** Nothing that ends has so many without time going on. */
const eventsNowMax = 10_000;
/** How long a write may look for a leader. */
const clientTimeoutMs = 5000;
/** An unpin may wait for a read first, and a clock may have been slow when the deadlines were set. */
const answerMsMax = (2 * clientTimeoutMs) / 0.7 + 1000;
/** Progress must have been made within this many election timeouts. */
const patienceTimeouts = 20;
/** Of one peer. Messages have deadlines, requests that wait for a slow disk as well. */
const callsMax = 300;
const requestsMax = 300;
/** Longer than failed pins and lost connections wait before they are tried again. */
const repairPatienceMs = 40_000;
const repairLookMs = 100;
const askAgainMs = 20;
const attemptsMax = 6;
const failedBits = trackerStatusBits.pin_error | trackerStatusBits.unpin_error;
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

/** An operation that a client has begun. */
interface Asked {
  readonly kind: Operation['kind'];
  readonly cid: Cid;
  readonly name: string;
  /** What was committed then. */
  readonly began: LogIndex;
  readonly operation: OperationToken;
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

export class World {
  readonly plan: WorldPlan;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly peers: readonly WorldPeer[];
  readonly disks: readonly VirtualDisk[];
  readonly checker: RaftChecker;
  readonly history: HistoryChecker = new HistoryChecker();
  readonly clients: ClientHistory = new ClientHistory();
  readonly states: StateChecker = new StateChecker();
  readonly pins: PinsChecker = new PinsChecker();
  readonly calls: CallChecker = new CallChecker();
  readonly resources: ResourceChecker = new ResourceChecker();
  readonly trace: Trace;
  readonly #faults: Faults;
  readonly #cutOff: CutOffChecker;
  /** When each peer is looked at again. */
  readonly #cutOffLooks = new Map<WorldPeer, number>();
  readonly #ids: readonly string[];
  readonly #judges: readonly string[] | undefined;
  #finding: Finding | undefined;
  /** Operations without an answer yet. */
  readonly #asked = new Map<OperationToken, Life>();
  #hash = 0;
  #failed = 0;
  #isEnding = false;
  #demanded = 0;
  /** They were removed, and wait to be started again. */
  readonly #left = new Set<WorldPeer>();
  /** They were removed, and are not started again. */
  readonly #stopped = new Set<WorldPeer>();
  #leaves = 0;
  #refusals = 0;
  #replacements = 0;
  #snapshots = 0;
  #installs = 0;

  constructor({ plan, plants = {}, traces = false, drain = 'loop' }: WorldInput) {
    this.plan = plan;
    this.scheduler = new Scheduler(drain);
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
        onDone: () => this.#faults.onDiskDone(this.#peer(at)),
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
        },
        replicationMax: options.replicationMax,
        config: configOf(this.plan, ids.slice(0, options.voters)),
        isSpare: at === options.voters,
        engine: { waitingMax, appendsInFlightMax, applyMax, electionSpreadTicks },
        plants,
        onInput: (peer, input) => this.#guarded(() => this.#onInput(peer, input)),
        onOutput: (peer, output, incoming) => this.#guarded(() => this.#onOutput(peer, output, incoming)),
        watchPinset: (peer, pinset) => this.states.watch(peer.name, pinset, (act) => this.#guarded(act)),
        watchRpc: (peer, rpc) => this.calls.watch(peer.id, rpc, (act) => this.#judge(act)),
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
    this.#ids = ids;
    this.#cutOff = new CutOffChecker(options.heartbeatTimeoutMs, options.slowPercent > 0 ? options.slowMsMax : 0);
    this.#faults = new Faults(this);
  }

  async run(): Promise<void> {
    for (const peer of this.peers) this.boot(peer);
    for (const { atMs, act } of this.plan.faults) this.scheduler.after(atMs, () => this.#faults.play(act));
    for (const armed of this.plan.armed) this.scheduler.after(armed.atMs, () => this.#faults.arm(armed));
    for (const operation of this.plan.operations) this.scheduler.after(operation.atMs, () => this.#operate(operation));
    this.#lookAtResources();
    await this.#until(() => this.scheduler.now >= faultyMs);
    await this.#heal();
    await this.#end();
  }

  result(): SeedResult {
    const { votes, logs } = this.checker;
    return {
      history: { simulation: 'world', plan: this.plan },
      finding: this.#finding,
      at: `${this.scheduler.now.toFixed(1)} ms`,
      hash: mix(mix(this.#hash, this.checker.hash), this.scheduler.events),
      counts: {
        commits: logs.commit,
        elections: votes.elections,
        acknowledged: this.history.acknowledged,
        reads: this.history.reads,
        failed: this.#failed,
        crashes: this.#faults.crashes,
        changes: this.#faults.changes,
        strikes: this.#faults.strikes,
        troubles: this.#faults.troubles,
        leaves: this.#leaves,
        refusals: this.#refusals,
        replacements: this.#replacements,
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

  #nameOf(id: string): string {
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
    if (!peer.isUp && !this.#isEnding && !this.#left.has(peer) && !this.#stopped.has(peer)) peer.boot();
  }

  // ------------------------------------------------------------------------------------------------ looking on

  /** What the program does when its peer was removed. */
  #leave(peer: WorldPeer): void {
    this.note(() => `${peer.name} has been removed, and ends`);
    void peer.stop().then(async () => {
      if (peer.isUp) return;
      await peer.storage.moveAway();
      this.checker.logs.emptied(peer);
      this.#left.add(peer);
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
      this.history.applies(output.apply);
      this.states.applies(output.apply);
      this.#judge(() => this.pins.applies(output.apply));
    }
    for (const { to, request } of output.calls) {
      const text = (): string => this.#stamped(`${peer.name} > ${this.#nameOf(to)} ${describeRequest(request)}`);
      this.trace.line(isOutstanding(request), text);
    }
    if (output.status !== undefined) {
      this.note(() => `${peer.name} is ${status.role} in term ${status.term}, members of ${status.configurationIndex}`);
    }
    const here = mix(mix(this.#hash, status.term), status.commit);
    this.#hash = mixText(mix(here, this.scheduler.now * 1000), peer.name);
    this.#faults.onOutput(peer, output, status);
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
      if (life !== undefined) this.#judge(() => this.resources.look(id, life, this.calls.openCalls(id)));
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
    if (life !== undefined) void this.#ask(life, operation);
  }

  /** Whether a client waits for a peer that may still answer. */
  #isAsking(): boolean {
    const lives = new Set(this.peers.map(({ life }) => life));
    return [...this.#asked.values()].some((life) => lives.has(life));
  }

  /** @returns whether it succeeded. What checkers find is kept. */
  async #ask(life: Life, { kind, key, name }: Omit<Operation, 'atMs' | 'peer'>): Promise<boolean> {
    const { peer, consensus } = life;
    const began = this.checker.logs.commit;
    const cid = cidOf(key);
    const what = `${kind} ${key} as ${name}`;
    this.note(() => `client asks ${this.#nameOf(peer.self)} to ${what}`);
    const operation =
      kind === 'read'
        ? this.clients.readBegins(cid.key)
        : this.clients.writeBegins(cid.key, kind === 'pin' ? name : undefined);
    this.#asked.set(operation, life);
    try {
      if (kind === 'pin') await peer.pin(cid, optionsOf(name));
      else if (kind === 'unpin') await peer.unpin(cid);
      else await consensus.waitForSync();
      this.#answered(peer, { kind, cid, name, began, operation });
    } catch (error) {
      if (kind === 'unpin' && errorCode(error) === 'cluster/not-pinned') {
        this.#sawNothing({ kind, cid, name, began, operation });
        return true;
      }
      this.#failed++;
      this.#hash = mix(this.#hash, this.#failed);
      this.note(() => `client has an error for ${what}: ${error}`);
      if (kind !== 'read' && isRefused(error)) this.clients.refused(cid.key, operation);
      if (kind === 'pin' && isRefused(error)) this.#judge(() => this.history.pinRefused(name));
      return false;
    } finally {
      this.#asked.delete(operation);
    }
    return true;
  }

  #answered(peer: ClusterApi, { kind, cid, name, began, operation }: Asked): void {
    this.#hash = mixText(this.#hash, name);
    const shown = kind === 'read' ? nameShown(peer, cid) : undefined;
    this.note(() => `client has its answer for ${kind} ${name}${kind === 'read' ? `: ${shown ?? 'nothing'}` : ''}`);
    if (kind === 'read') this.clients.readEnds(operation, shown);
    else this.clients.writeEnds(operation);
    this.#judge(() => {
      if (kind === 'pin') this.history.pinAcknowledged(name, began);
      if (kind === 'read') this.history.read(cid.key, shown, began, this.checker.logs.commit);
    });
  }

  /** What is not pinned cannot be unpinned: whoever says so has made sure. */
  #sawNothing({ cid, name, began, operation }: Asked): void {
    this.#hash = mixText(this.#hash, name);
    this.note(() => `client hears that there is nothing to unpin for ${name}`);
    this.clients.sawNothing(operation);
    this.#judge(() => this.history.read(cid.key, undefined, began, this.checker.logs.commit));
  }

  #judge(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.find(error);
    }
  }

  // ------------------------------------------------------------------------------------------------ healing

  async #heal(): Promise<void> {
    this.note(() => 'heal');
    this.#faults.disarm();
    this.network.mendAll();
    Object.assign(this.network.options, { lossPercent: 0, copyPercent: 0, slowPercent: 0, snapshotDelayMsMax: 0 });
    for (const disk of this.disks) disk.slowness = 1;
    for (const { ipfs } of this.peers) {
      ipfs.slowness = 1;
      this.scheduler.after(ipfsNoticeMs, () => {
        ipfs.state = 'up';
      });
    }
    for (const peer of this.peers) {
      peer.setClockRate(1);
      this.repair(peer);
      this.boot(peer);
    }
    // What is slow is still under way, and clients wait for their deadlines.
    const { slowPercent, slowMsMax, snapshotDelayMsMax } = this.plan.options;
    const calmMs = this.scheduler.now + Math.max(slowPercent > 0 ? slowMsMax : 0, snapshotDelayMsMax) + 1000;
    const answeredMs = this.scheduler.now + answerMsMax;
    const isCalm = (): boolean => this.scheduler.now >= calmMs && !this.#isAsking();
    await this.#until(() => isCalm() || this.scheduler.now > answeredMs);
    expect(isCalm(), 'clients are answered', () => `a client waits for longer than ${answerMsMax} ms`);
    const spoiled = this.peers.find(({ storage }) => storage.spoiled !== undefined);
    if (spoiled !== undefined && !this.#canDoWithout(spoiled)) return;
    await this.#demand('a leader', () => this.leader() !== undefined);
    await this.#stopRemoved();
    if (spoiled !== undefined) await this.#replaceDisk(spoiled);
    for (const peer of [...this.#left]) await this.#comesBack(peer);
    const leader = this.leader();
    if (leader !== undefined) this.#faults.play({ kind: 'crash', peer: this.peers.indexOf(leader), downMs: 500 });
    await this.#demandSuccess('a read', 'read', 0);
    await this.#demandSuccess('a write', 'pin', 0);
    for (let key = 0; key < keys; key++) await this.#demandSuccess(`a read of ${key}`, 'read', key);
    await this.#demand('all members to apply all', () => this.#haveAllApplied());
    await this.#checkPinsets();
    await this.#demandPins();
    await this.#demandStatus();
    await this.#demandMetrics();
    this.clients.check();
    await this.#checkCalm();
  }

  #canDoWithout({ id }: WorldPeer): boolean {
    const configurations = this.peers.flatMap(({ status }) => status ?? []);
    const [newest] = configurations.sort((a, b) => b.configurationIndex - a.configurationIndex);
    const voters = newest?.configuration.servers.filter(({ suffrage }) => suffrage === 'voter') ?? [];
    return voters.filter((voter) => voter.id !== id).length * 2 > voters.length;
  }

  /** As one is told to: the peer is removed, and comes back as a new one. */
  async #replaceDisk(peer: WorldPeer): Promise<void> {
    const isMember = this.#isMember(peer);
    if (isMember) await this.#demandDone('a removal', (life) => life.peer.peerRemove(peer.id));
    await peer.storage.replace();
    this.checker.logs.emptied(peer);
    this.#replacements++;
    this.note(() => `${peer.name} has an empty disk`);
    this.boot(peer);
    if (isMember) await this.#demandDone('a return', (life) => peer.joins(life.peer.self));
  }

  /**
   * Peers that do not know of their removal ask for votes for ever. One that comes back with an empty disk would give its own, and could
   * make a leader of a cluster that is over: they are to be stopped before.
   */
  async #stopRemoved(): Promise<void> {
    await this.#demand('agreement about the members', () => {
      const { isEstablished, commit, configurationIndex } = this.leader()?.status ?? {};
      return isEstablished === true && Number(commit) >= Number(configurationIndex);
    });
    let stopping = 0;
    for (const peer of this.peers) {
      if (!peer.isUp || peer.isWaiting || this.#isMember(peer)) continue;
      stopping++;
      this.#stopped.add(peer);
      void peer.stop().then(() => stopping--);
    }
    await this.#demand('removed peers to stop', () => stopping === 0);
  }

  async #comesBack(peer: WorldPeer): Promise<void> {
    const isMember = this.#isMember(peer);
    this.#left.delete(peer);
    this.boot(peer);
    this.note(() => `${peer.name} comes back`);
    if (isMember) await this.#demandDone('a return', (life) => peer.joins(life.peer.self));
  }

  async #demandSuccess(what: string, kind: Operation['kind'], key: number): Promise<void> {
    await this.#demandDone(what, async (life) => {
      const isSuccess = await this.#ask(life, { kind, key, name: `q${++this.#demanded}` });
      if (!isSuccess) throw new Finding('progress', what);
    });
  }

  /** Tries again and again until it succeeds. */
  async #demandDone(what: string, act: (life: Life) => Promise<unknown>): Promise<void> {
    let isDone = false;
    let isAsking = false;
    await this.#demand(what, () => {
      const life = this.#members()[0]?.life;
      if (!isAsking && !isDone && life !== undefined) {
        isAsking = true;
        act(life).then(
          () => {
            isDone = true;
          },
          () => {
            this.scheduler.after(askAgainMs, () => {
              isAsking = false;
            });
          },
        );
      }
      return isDone;
    });
  }

  async #demand(what: string, isDone: () => boolean): Promise<void> {
    const limitMs = this.scheduler.now + patienceTimeouts * 2 * this.plan.options.heartbeatTimeoutMs;
    // Without events time would stand still.
    const wake = (): void => {
      if (this.scheduler.now <= limitMs) this.scheduler.after(10, wake);
    };
    const cancel = this.scheduler.after(10, wake);
    let isMet = false;
    await this.#until(() => {
      isMet ||= isDone();
      return isMet || this.scheduler.now > limitMs;
    });
    cancel();
    expect(
      isMet,
      'progress',
      () => `${patienceTimeouts} election timeouts after the faults, still waiting for ${what}`,
    );
  }

  #isMember({ id }: WorldPeer): boolean {
    return this.leader()?.status?.configuration.servers.some((server) => server.id === id) ?? false;
  }

  /** Peers of the leader's configuration that are up. */
  #members(): readonly WorldPeer[] {
    const { configuration } = this.leader()?.status ?? {};
    const ids = new Set(configuration?.servers.map(({ id }) => id));
    return this.peers.filter(({ id, isUp }) => isUp && ids.has(id));
  }

  #haveAllApplied(): boolean {
    const leader = this.leader()?.status;
    const members = this.#members();
    if (leader === undefined || leader.commit !== leader.lastIndex) return false;
    return (
      members.length === leader.configuration.servers.length &&
      members.every(({ status }) => status?.applied === leader.commit)
    );
  }

  async #checkPinsets(): Promise<void> {
    const expected = [...this.history.stateAt(this.checker.logs.commit)].sort();
    for (const { name, life } of this.#members()) {
      const shown: [string, string][] = [];
      for await (const pins of life?.peer.pins() ?? []) for (const pin of pins) shown.push([pin.cid.key, pin.name]);
      const text = JSON.stringify(shown.sort());
      expect(text === JSON.stringify(expected), 'pinset = log', () => {
        return `${name} shows the pins ${shown.map(([, pin]) => pin)}, the log has ${expected.map(([, pin]) => pin)}`;
      });
    }
  }

  /** Every IPFS node of a member comes to hold what is allocated to it and nothing else, and its tracker says so. */
  async #demandPins(): Promise<void> {
    const records = new Map(Array.from({ length: keys }, (_, key) => [cidOf(key).key, stateKey(cidOf(key))]));
    await this.#recoverOften();
    await this.#demandLater('ipfs = pinset', async () => {
      for (const { id, name, ipfs, storage } of this.#members()) {
        const isExcused = (key: string): boolean => storage.lostRecords.has(records.get(key) ?? '');
        const wrong = this.pins.wrongHeld(id, ipfs.held.keys(), isExcused);
        if (wrong !== undefined) return `the IPFS node of ${name} ${wrong}`;
      }
      return undefined;
    });
    await this.#demandLater('tracker = pinset', async () => {
      for (const { id, name, life } of this.#members()) {
        const rows: PinInfo[] = [];
        for await (const row of life?.tracker.statusAll(0) ?? []) rows.push(row);
        const wrong = this.pins.wrongStatus(id, rows);
        if (wrong !== undefined) return `the tracker of ${name} ${wrong}`;
      }
      return undefined;
    });
  }

  /** What one member tells of all is what each is to do. */
  async #demandStatus(): Promise<void> {
    await this.#demandLater('status = pinset', async () => {
      const members = this.#members();
      const [asked] = members;
      const rows: GlobalPinInfo[] = [];
      for await (const row of asked?.life?.peer.statusAll(0) ?? []) rows.push(row);
      for (const { id, name } of members) {
        const own = rows.flatMap(({ cid, peerMap }) => {
          const { status } = peerMap[id] ?? {};
          return status === undefined ? [] : [{ cid, status }];
        });
        const wrong = this.pins.wrongStatus(id, own);
        if (wrong !== undefined) return `${asked?.name} is asked, and of ${name} it ${wrong}`;
      }
      return undefined;
    });
  }

  /** As someone would who does not want to wait: what has failed very often is tried again after minutes only. */
  async #recoverOften(): Promise<void> {
    for (const { life } of this.#members()) {
      for await (const { cid, attemptCount } of life?.tracker.statusAll(failedBits) ?? [])
        if (attemptCount > attemptsMax) void life?.tracker.recover(cid).catch(() => {});
    }
  }

  /** Every member hears of every other that it is alive, and of nobody else. */
  async #demandMetrics(): Promise<void> {
    await this.#demandLater('metrics = members', async () => {
      const members = this.#members();
      const ids = members.map(({ id }) => id).sort();
      for (const { name, life } of members) {
        const known = life?.monitor.latest('ping').map(({ peer }) => peer) ?? [];
        if (known.join() !== ids.join()) return `${name} has a ping of ${known}, expected ${ids}`;
      }
      return undefined;
    });
  }

  /** Looks again and again until nothing is wrong. */
  async #demandLater(checker: string, look: () => Promise<string | undefined>): Promise<void> {
    const endMs = this.scheduler.now + repairPatienceMs;
    let wrong: string | undefined = 'not looked yet';
    const again = async (): Promise<void> => {
      wrong = await look();
      if (wrong !== undefined) this.scheduler.after(repairLookMs, () => void again());
    };
    this.scheduler.after(0, () => void again());
    await this.#until(() => wrong === undefined || this.scheduler.now > endMs);
    expect(wrong === undefined, checker, () => `${repairPatienceMs} ms after all is well, ${wrong}`);
  }

  /** Nothing happens any more: nobody has a reason to start an election. */
  async #checkCalm(): Promise<void> {
    const newestTerm = (): number => Math.max(...this.#members().map(({ status }) => status?.term ?? 0));
    const before = newestTerm();
    const endMs = this.scheduler.now + 3 * this.plan.options.heartbeatTimeoutMs;
    await this.#until(() => this.scheduler.now >= endMs);
    expect(
      newestTerm() === before,
      'term growth',
      () => `from term ${before} to ${newestTerm()} while nothing happened`,
    );
  }

  /** All peers stop, and leave nothing that could still happen. */
  async #end(): Promise<void> {
    this.#isEnding = true;
    let timers: readonly number[] | undefined;
    void Promise.all(this.peers.map((peer) => peer.stop())).then((left) => {
      timers = left;
    });
    await this.#until(() => false);
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
  async #until(isDone: () => boolean): Promise<void> {
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

function cidOf(key: number): Cid {
  const bytes = new Uint8Array(36).fill(key);
  bytes.set([0x01, 0x55, 0x12, 0x20]);
  return Cid.decode(bytes);
}

function optionsOf(name: string): PinOptions {
  return {
    replicationFactorMin: 0,
    replicationFactorMax: 0,
    name,
    mode: 'recursive',
    shardSize: 0,
    userAllocations: null,
    expireAt: null,
    // Some have more than others, so that one which takes over what another has is not like the log says.
    metadata: name.endsWith('1') ? { of: name } : null,
    pinUpdate: null,
    origins: null,
  };
}

function nameShown(peer: ClusterApi, cid: Cid): string | undefined {
  try {
    return peer.pinGet(cid).name;
  } catch (error) {
    if (errorCode(error) === 'cluster/not-pinned') return undefined;
    throw error;
  }
}
