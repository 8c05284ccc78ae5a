/**
 * The walk: engines only, without time. Whatever is pending may happen next: a tick, a message, its loss or repetition, a write that
 * becomes durable, a crash. No deadline protects a wrong rule here; an answer may come any number of terms later.
 *
 * In the end everything is delivered, and progress is demanded.
 */
import { SeededRandom } from '../../base/index.ts';
import {
  type Base,
  bootstrapOps,
  type Call,
  type Configuration,
  type ConfigurationChange,
  type Entry,
  type Input,
  type LogIndex,
  type LogOp,
  type Output,
  type Response,
  type Result,
  raftDefaults,
} from '../../core/raft/index.ts';
import { RaftChecker } from '../checkers/raft-checker.ts';
import { describeRequest, describeResponse, isOutstanding } from '../describe.ts';
import { asFinding, expect, type Finding } from '../finding.ts';
import { mix } from '../hash.ts';
import { pick } from '../pick.ts';
import type { Plants } from '../plants.ts';
import type { SeedResult } from '../result.ts';
import { Trace } from '../trace.ts';
import { WalkPeer } from './peer.ts';
import type { Action, WalkOptions, WalkPlan } from './plan.ts';
import { StepRandom } from './step-random.ts';

/** Messages under way; the oldest is lost when there are more. */
const messagesMax = 60;
/** Of one peer: what is under way and lost, and what waits for a disk that stands still during a burst. */
const callsMax = 400;
const requestsMax = 400;
/** Rounds of ticks and deliveries until progress must have been made, about 20 election timeouts. */
const healRoundsMax = 400;

export interface WalkInput {
  readonly plan: WalkPlan;
  readonly plants?: Plants;
  readonly traces?: boolean;
}

type Message = {
  readonly to: WalkPeer;
  readonly from: WalkPeer;
  readonly life: number;
  readonly call: Call;
  readonly response: Response | undefined;
  /** A number of the way from peer to peer, there and back being two. */
  readonly way: number;
};

export function walk(input: WalkInput): SeedResult {
  const simulation = new Walk(input);
  let finding: Finding | undefined;
  try {
    simulation.run();
    simulation.heal();
  } catch (error) {
    finding = asFinding(error);
  }
  return simulation.result(finding);
}

class Walk {
  readonly #plan: WalkPlan;
  readonly #options: WalkOptions;
  /** Of the step that is being made. */
  readonly #random = new StepRandom();
  readonly #checker: RaftChecker;
  readonly #trace: Trace;
  readonly #peers: WalkPeer[];
  #messages: Message[] = [];
  /** Who may act; the others stand still. */
  #awake: WalkPeer[];
  /** Its disk does nothing. */
  #hanging: WalkPeer | undefined;
  #burstLeft = 0;
  #nextId = 1;
  #hash = 0;
  /** How many steps have been begun. */
  #steps = 0;
  #crashes = 0;
  #changes = 0;
  #transfers = 0;
  #leaves = 0;
  #snapshots = 0;
  #installs = 0;

  constructor({ plan, plants = {}, traces = false }: WalkInput) {
    this.#plan = plan;
    this.#options = plan.options;
    this.#trace = new Trace(traces);
    const { waitingMax = raftDefaults.waitingMax } = plan.options.raft;
    this.#checker = new RaftChecker({ waitingMax, callsMax, requestsMax });
    const random = new SeededRandom(`walk/${plan.seed}`);
    const ids = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'].slice(0, this.#options.voters + 1);
    const voters = ids.slice(0, this.#options.voters);
    this.#peers = ids.map((id) => {
      const ops = voters.includes(id) ? bootstrapOps(voters) : [];
      return new WalkPeer(id, { random: random.derive(id), options: this.#options.raft, plants, ops });
    });
    for (const peer of this.#peers) if (voters.includes(peer.id)) this.#checker.writes(peer, bootstrapOps(voters));
    this.#awake = this.#peers;
  }

  run(): void {
    for (const [action, draw] of this.#plan.steps) {
      this.#steps++;
      this.#random.begin(draw);
      const isHurried = this.#burstLeft > 0 && this.#random.integer(100) < this.#options.burstTickPercent;
      this.#act(isHurried ? 'tick' : action);
      if (this.#burstLeft > 0 && --this.#burstLeft === 0) this.#endBurst();
    }
  }

  /**
   * Everything is delivered and nothing fails. Then a leader is lost once more, and reads come before any write; in the end the disk
   * of a leader hangs.
   */
  heal(): void {
    this.#trace.add(() => 'heal');
    this.#awake = this.#peers;
    this.#settle('a leader', () => this.#leader() !== undefined);
    const leader = this.#leader();
    if (leader !== undefined) this.#crash(leader);
    this.#settle('a leader after the last one crashed', () => this.#leader() !== undefined);
    const answers = this.#checker.clients;
    const readsBefore = answers.reads;
    this.#settle('a read', () => {
      const leader = this.#leader();
      if (leader !== undefined && answers.reads === readsBefore) this.#read(leader);
      return answers.reads > readsBefore;
    });
    const before = answers.successes;
    this.#settle('a write', () => {
      const leader = this.#leader();
      if (leader !== undefined && answers.successes === before) this.#propose(leader);
      return answers.successes > before;
    });
    this.#hangLeader();
    this.#settle('all members to apply all', () => {
      const { configuration, lastIndex, commit } = this.#leader()?.raft.status() ?? {};
      const members = configuration?.servers.map(({ id }) => id) ?? [];
      const applied = this.#peers.filter(({ id }) => members.includes(id)).map(({ raft }) => raft.status().applied);
      return commit !== undefined && commit === lastIndex && applied.every((index) => index === commit);
    });
  }

  /** Others must go on, where they are enough without it. */
  #hangLeader(): void {
    const leader = this.#leader();
    const voters = leader?.raft.status().configuration.servers.filter(({ suffrage }) => suffrage === 'voter') ?? [];
    if (leader === undefined || voters.length < 3) return;
    this.#trace.add(() => `the disk of ${leader.id} hangs`);
    this.#hanging = leader;
    this.#propose(leader);
    const { clients } = this.#checker;
    const before = clients.successes;
    this.#settle('a write while the disk of the last leader hangs', () => {
      const other = this.#leader();
      if (other !== undefined && other !== leader && clients.successes === before) this.#propose(other);
      return clients.successes > before;
    });
    this.#hanging = undefined;
  }

  result(finding: Finding | undefined): SeedResult {
    const { votes, clients, logs } = this.#checker;
    return {
      history: { simulation: 'walk', plan: this.#plan },
      finding,
      at: `step ${this.#steps}`,
      hash: mix(this.#hash, this.#checker.hash),
      counts: {
        commits: logs.commit,
        elections: votes.elections,
        successes: clients.successes,
        reads: clients.reads,
        crashes: this.#crashes,
        changes: this.#changes,
        transfers: this.#transfers,
        leaves: this.#leaves,
        snapshots: this.#snapshots,
        installs: this.#installs,
      },
      trace: this.#trace,
      table: this.#peers.map(tableRow),
    };
  }

  // ---------------------------------------------------------------------------------------------- steps

  #act(action: Action): void {
    const peer = pick(this.#random, this.#awake);
    switch (action) {
      case 'tick': {
        const ticks = pick(this.#random, [2, 8]);
        for (let i = 0; i < ticks; i++) this.#give(peer, { type: 'tick' });
        break;
      }
      case 'deliver':
        this.#withMessage((message, at) => {
          this.#messages.splice(at, 1);
          this.#deliver(message);
        });
        break;
      case 'fail':
        this.#withMessage((message, at) => {
          // The caller gives up; the message may be lost, or come later.
          if (this.#random.integer(2) === 0) this.#messages.splice(at, 1);
          this.#fail(message);
        });
        break;
      case 'copy':
        this.#withMessage((message) => this.#deliver(message));
        break;
      case 'write':
        this.#finishWrite(peer);
        break;
      case 'apply':
        this.#finishApply(peer);
        break;
      case 'crash':
        this.#crash(peer);
        break;
      case 'propose':
        this.#propose(this.#someLeaderOr(peer));
        break;
      case 'read':
        this.#read(this.#someLeaderOr(peer));
        break;
      case 'change':
        this.#change(this.#someLeaderOr(peer));
        break;
      case 'leave':
        this.#leave(peer);
        break;
      case 'transfer':
        this.#transfer(this.#someLeaderOr(peer));
        break;
      case 'compact':
        this.#compact(peer);
        break;
      case 'snapshot':
        this.#takeSnapshot(peer);
        break;
      case 'receive':
        this.#finishReceive(peer, this.#random.integer(8) > 0);
        break;
      case 'restore':
        this.#finishRestore(peer, this.#random.integer(8) > 0);
        break;
      case 'burst':
        this.#beginBurst();
        break;
    }
  }

  /** Only one side of a random cut runs for a while. */
  #beginBurst(): void {
    if (this.#burstLeft > 0) return;
    const awake = this.#peers.filter(() => this.#random.integer(2) === 0);
    if (awake.length === 0) return;
    this.#awake = awake;
    this.#burstLeft = 100 + this.#random.integer(300);
    this.#trace.add(() => `burst of ${awake.map(({ id }) => id)}`);
  }

  /** Who led before, and has slept, is asked before it hears of anything. */
  #endBurst(): void {
    this.#awake = this.#peers;
    if (this.#options.weights.read === 0) return;
    for (const peer of this.#peers) if (peer.raft.status().role === 'leader') this.#read(peer);
  }

  #withMessage(act: (message: Message, at: number) => void): void {
    const isAwake = ({ from, to }: Message): boolean => this.#awake.includes(from) && this.#awake.includes(to);
    const candidates = this.#awake === this.#peers ? this.#messages : this.#messages.filter(isAwake);
    const isInOrder = this.#random.integer(100) < this.#options.inOrderPercent;
    // One way from peer to peer, so that what is under way elsewhere does not shift the choice when a walk is shrunk.
    const draw = this.#random.integer(2 ** 32);
    let chosen: Message[] = [];
    let highest = -1;
    for (const message of candidates) {
      const height = mix(draw, message.way);
      if (height === highest) chosen.push(message);
      if (height <= highest) continue;
      highest = height;
      chosen = [message];
    }
    const message = chosen[isInOrder ? 0 : this.#random.integer(Math.max(1, chosen.length))];
    if (message !== undefined) act(message, this.#messages.indexOf(message));
  }

  #propose(peer: WalkPeer): void {
    const id = this.#nextId++;
    const data = Uint8Array.of(id & 255, (id >> 8) & 255, (id >> 16) & 255);
    this.#give(peer, { type: 'propose', proposals: [{ id, data }] });
  }

  #read(peer: WalkPeer): void {
    const id = this.#nextId++;
    peer.reads.add(id);
    this.#give(peer, { type: 'read', id });
  }

  /** Mostly one that believes to lead: others would only refuse. */
  #someLeaderOr(peer: WalkPeer): WalkPeer {
    const leaders = this.#awake.filter(({ raft }) => raft.status().role === 'leader');
    return leaders.length === 0 || this.#random.integer(5) === 0 ? peer : pick(this.#random, leaders);
  }

  #change(peer: WalkPeer): void {
    const { configuration } = peer.raft.status();
    const target = pick(this.#random, this.#peers).id;
    const isMember = configuration.servers.some(({ id }) => id === target);
    const change: ConfigurationChange = isMember
      ? { type: 'remove', peer: target }
      : { type: 'add', server: { id: target, suffrage: 'voter' } };
    if (isMember && configuration.servers.length <= 2) return;
    const id = this.#nextId++;
    peer.changes.add(id);
    this.#give(peer, { type: 'change', id, change });
  }

  /** It knows that its removal is committed, and begins anew. */
  #leave(peer: WalkPeer): void {
    const { configuration, configurationIndex, configurationBefore, commit, leader } = peer.raft.status();
    const isIn = ({ servers }: Configuration): boolean => servers.some(({ id }) => id === peer.id);
    const wasRemoved = commit >= configurationIndex && isIn(configurationBefore) && !isIn(configuration);
    if (!wasRemoved || leader !== undefined) return;
    // One that is being added again by now will hear of it.
    const members = this.#leader()?.raft.status().configuration;
    if (members !== undefined && isIn(members)) return;
    this.#leaves++;
    this.#trace.add(() => `${peer.id} was removed, and puts its data away`);
    const lost = [...peer.incoming.values()];
    peer.beginAnew();
    this.#checker.logs.emptied(peer);
    this.#checker.restarted(peer);
    for (const { caller, callId, life } of lost) this.#failCall(caller, callId, life);
  }

  #transfer(peer: WalkPeer): void {
    const id = this.#nextId++;
    peer.transfers.add(id);
    this.#give(peer, { type: 'transfer', id });
  }

  #crash(peer: WalkPeer): void {
    this.#crashes++;
    const isWritten = peer.writing !== undefined && this.#random.integer(2) === 0;
    if (isWritten) this.#perform(peer);
    const left = this.#stateAfterCrash(peer);
    // Whoever waits for this peer's answer learns that none comes.
    const lost = [...peer.incoming.values()];
    const { restored } = peer;
    // As its shell does, see `io/consensus`: a crash came between the state of a snapshot and its log.
    if (restored?.index === left && isAhead(restored, peer.disk)) {
      const { term } = peer.disk.hard;
      expect(term >= restored.term, 'state and log', () => {
        return `${peer.id} has the state of a snapshot of term ${restored.term}, its disk knows terms up to ${term}`;
      });
      this.#write(peer, [{ type: 'reset', base: restored }]);
    }
    peer.restart(left);
    this.#checker.restarted(peer);
    this.#trace.add(() => `${peer.id} crashes, write ${isWritten ? 'kept' : 'lost'}, applied up to ${left}`);
    for (const { caller, callId, life } of lost) this.#failCall(caller, callId, life);
  }

  /** Up to where the state was applied that the crash leaves. */
  #stateAfterCrash(peer: WalkPeer): LogIndex {
    if (peer.restoring !== undefined && this.#random.integer(2) === 0) {
      this.#replaceState(peer, peer.restoring);
      return peer.appliedFloor;
    }
    const { applied } = peer.raft.status();
    return peer.appliedFloor + this.#random.integer(applied - peer.appliedFloor + 1);
  }

  // ---------------------------------------------------------------------------------------------- messages

  #deliver({ to, from, life, call, response }: Message): void {
    if (response !== undefined) {
      if (to.life !== life || !to.open.delete(call.callId)) return;
      this.#trace.line(isOutstanding(response), () => `${from.id} > ${to.id} answers ${describeResponse(response)}`);
      this.#give(to, { type: 'response', callId: call.callId, response });
      return;
    }
    const token = to.nextToken++;
    to.incoming.set(token, { request: call.request, caller: from, callId: call.callId, life });
    this.#trace.line(isOutstanding(call.request), () => `${from.id} > ${to.id} ${describeRequest(call.request)}`);
    this.#give(to, { type: 'request', from: from.id, request: call.request, token });
  }

  #fail({ to, from, life, call, response }: Message): void {
    this.#failCall(response === undefined ? from : to, call.callId, life);
  }

  #failCall(caller: WalkPeer, callId: number, life: number): void {
    if (caller.life === life && caller.open.delete(callId)) this.#give(caller, { type: 'failed', callId });
  }

  #give(peer: WalkPeer, input: Input): void {
    this.#checker.given(peer, input);
    peer.raft.step(input);
    const output = peer.raft.take();
    const status = this.#checker.stepped(peer, output, this.#peers);
    if (output.status !== undefined) {
      this.#trace.add(
        () => `${peer.id} is ${status.role} in term ${status.term}, members of ${status.configurationIndex}`,
      );
    }
    this.#hash = mix(this.#hash, status.commit * 64 + status.term);
    this.#carryOut(peer, output);
  }

  #carryOut(peer: WalkPeer, output: Output): void {
    if (output.write !== undefined) {
      expect(peer.writing === undefined, 'one write at a time', () => `${peer.id} starts a write during another`);
      peer.writing = output.write;
    }
    if (output.receive !== undefined) peer.receiving = output.receive;
    if (output.restore !== undefined) peer.restoring = output.restore;
    if (output.needsSnapshot) peer.needsSnapshot = true;
    const last = output.apply.at(-1);
    if (last !== undefined) {
      this.#checker.applies(peer, output.apply, proposalIn);
      peer.applying = last.index;
    }
    for (const call of output.calls) this.#send(peer, call);
    for (const reply of output.replies) {
      const incoming = peer.incoming.get(reply.token);
      expect(incoming !== undefined, 'one reply a request', () => `${peer.id} replies twice`);
      peer.incoming.delete(reply.token);
      this.#checker.replies(peer, incoming.request, reply);
      const { caller, callId, life } = incoming;
      const call: Call = { callId, to: caller.id, request: incoming.request, timeoutTicks: 0 };
      this.#enqueue({ to: caller, from: peer, life, call, response: reply.response });
    }
    for (const result of output.results) this.#ends(peer, result);
  }

  #ends(peer: WalkPeer, result: Result): void {
    const { clients } = this.#checker;
    if (peer.reads.delete(result.id)) return;
    if (peer.transfers.delete(result.id)) {
      this.#transfers += result.outcome === 'applied' ? 1 : 0;
      return;
    }
    if (peer.changes.delete(result.id)) this.#changes += result.outcome === 'applied' ? 1 : 0;
    else clients.proposalEnds(result.id, result);
  }

  #send(from: WalkPeer, call: Call): void {
    const to = this.#peers.find(({ id }) => id === call.to);
    if (to === undefined) return;
    from.open.add(call.callId);
    this.#enqueue({ to, from, life: from.life, call, response: undefined });
  }

  #enqueue(message: Omit<Message, 'way'>): void {
    const { from, to } = message;
    this.#messages.push({ ...message, way: 8 * this.#peers.indexOf(from) + this.#peers.indexOf(to) });
    if (this.#messages.length <= messagesMax) return;
    const lost = this.#messages.shift();
    if (lost !== undefined) this.#fail(lost);
  }

  // ---------------------------------------------------------------------------------------------- disks

  #finishWrite(peer: WalkPeer): void {
    if (peer.writing === undefined) return;
    this.#perform(peer);
    this.#give(peer, { type: 'written' });
  }

  #perform(peer: WalkPeer): void {
    const ops = peer.writing ?? [];
    peer.writing = undefined;
    this.#write(peer, ops);
  }

  #write(peer: WalkPeer, ops: readonly LogOp[]): void {
    this.#checker.writes(peer, ops);
    peer.disk.perform(ops);
    this.#trace.line(
      false,
      () => `${peer.id} has on disk ${ops.map(({ type }) => type)}, up to ${peer.disk.lastIndex}`,
    );
  }

  #finishApply(peer: WalkPeer): void {
    const { applying } = peer;
    if (applying === undefined) return;
    peer.applying = undefined;
    this.#give(peer, { type: 'applied', index: applying });
  }

  // ---------------------------------------------------------------------------------------------- snapshots

  /** The state is synced, and the log lets go of what it stands for. */
  #compact(peer: WalkPeer): void {
    const { applied, baseIndex } = peer.raft.status();
    if (peer.restoring !== undefined || applied < baseIndex) return;
    peer.appliedFloor = applied;
    this.#give(peer, { type: 'compact', index: applied, trailing: this.#options.trailing });
  }

  #takeSnapshot(peer: WalkPeer): void {
    const { applied } = peer.raft.status();
    peer.needsSnapshot = false;
    if (peer.restoring !== undefined || applied <= (peer.snapshot?.index ?? 0)) return;
    const base = peer.raft.baseAt(applied);
    peer.snapshot = base;
    this.#snapshots++;
    this.#give(peer, { type: 'snapshotted', base });
  }

  #finishReceive(peer: WalkPeer, isWhole: boolean): void {
    const { receiving } = peer;
    if (receiving === undefined) return;
    peer.receiving = undefined;
    const { token, base } = receiving;
    if (isWhole && base.index > (peer.snapshot?.index ?? 0)) peer.snapshot = base;
    this.#give(peer, { type: 'received', token, isWhole });
  }

  #finishRestore(peer: WalkPeer, isDone: boolean): void {
    const { restoring } = peer;
    if (restoring === undefined) return;
    peer.restoring = undefined;
    if (isDone) this.#replaceState(peer, restoring);
    this.#give(peer, { type: 'restored', isDone });
  }

  #replaceState(peer: WalkPeer, base: Base): void {
    this.#installs++;
    peer.appliedFloor = base.index;
    peer.restored = base;
    this.#trace.add(() => `${peer.id} has the state of ${base.index}, from a snapshot`);
  }

  // ---------------------------------------------------------------------------------------------- healing

  #settle(what: string, isDone: () => boolean): void {
    for (let round = 0; round < healRoundsMax; round++) {
      if (isDone()) return;
      for (const peer of this.#peers) this.#give(peer, { type: 'tick' });
      for (let left = 400; left > 0; left--) {
        const message = this.#messages.shift();
        if (message !== undefined) this.#deliver(message);
        for (const peer of this.#peers) {
          if (peer === this.#hanging) continue;
          this.#finishWrite(peer);
          this.#finishApply(peer);
          this.#finishReceive(peer, true);
          this.#finishRestore(peer, true);
          if (peer.needsSnapshot) this.#takeSnapshot(peer);
        }
        if (message === undefined && this.#messages.length === 0) break;
      }
    }
    expect(isDone(), 'progress', () => `${healRoundsMax} rounds after the last fault, still waiting for ${what}`);
  }

  /** The one of the newest term that has committed in it. */
  #leader(): WalkPeer | undefined {
    const leaders = this.#peers.filter(({ raft }) => raft.status().role === 'leader');
    leaders.sort((a, b) => b.raft.status().term - a.raft.status().term);
    return leaders[0];
  }
}

function proposalIn(entry: Entry): number | undefined {
  if (entry.type !== 'command') return undefined;
  const [low = 0, middle = 0, high = 0] = entry.data;
  return low | (middle << 8) | (high << 16);
}

/** Whether the log does not know the entry that the state is of. */
function isAhead({ index, term }: Base, disk: WalkPeer['disk']): boolean {
  return index >= disk.base.index && disk.termAt(index) !== term;
}

function tableRow({ id, raft, disk }: WalkPeer): string {
  const { role, term, commit, applied, lastIndex, durable, configuration } = raft.status();
  const members = configuration.servers.map((server) => server.id).join(',');
  return `${id} ${role} term ${term} commit ${commit} applied ${applied} last ${lastIndex} durable ${durable} disk ${disk.lastIndex} members ${members}`;
}
