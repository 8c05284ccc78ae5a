/** Plays the faults of a plan. */
import type { Output, Status } from '../../core/raft/index.ts';
import type { CordonMode } from '../../model/index.ts';
import { cidOf } from './clients.ts';
import type { VirtualIpfs } from './ipfs.ts';
import type { WorldPeer } from './peer.ts';
import type { ArmedFault, FaultAct, Trigger } from './plan.ts';
import type { World } from './world.ts';

/** Of a world in which clocks may be as wrong as they like. */
const slowPingMs = 5000;

type TroubleIpfs = Extract<FaultAct, { kind: 'troubleIpfs' }>;

export class Faults {
  crashes = 0;
  /** Armed faults that went off. */
  strikes = 0;
  /** Of IPFS nodes. */
  troubles = 0;
  /** Peers that went for long, and orders what to hold that were given. */
  losses = 0;
  orders = 0;
  /** Changes of members that succeeded. */
  changes = 0;
  readonly #world: World;
  #armed: ArmedFault[] = [];
  #counting: { readonly peer: WorldPeer; left: number; readonly strike: () => void }[] = [];
  #isOver = false;

  constructor(world: World) {
    this.#world = world;
  }

  arm(fault: ArmedFault): void {
    if (!this.#isOver) this.#armed.push(fault);
  }

  disarm(): void {
    this.#armed = [];
    this.#isOver = true;
  }

  play(act: FaultAct): void {
    const { peers } = this.#world;
    switch (act.kind) {
      case 'crash':
        this.#crash(this.#world.target(act.peer), act.downMs);
        break;
      case 'crashAll':
        for (const peer of peers) this.#crash(peer, act.downMs);
        break;
      case 'restart': {
        const peer = this.#world.target(act.peer);
        if (peer?.isUp !== true) return;
        this.#world.note(() => `${peer.name} is stopped`);
        void peer.stop().then(() => this.#world.scheduler.after(act.downMs, () => this.#world.boot(peer)));
        break;
      }
      case 'partition': {
        const isHere = (peer: WorldPeer): boolean => ((act.side >> peers.indexOf(peer)) & 1) === 1;
        this.#cut((from, to) => isHere(from) !== isHere(to), act.lengthMs, 'partition');
        break;
      }
      case 'deafen': {
        const from = this.#world.target(act.from);
        this.#cut((a, b) => a === from && b === peers[act.to], act.lengthMs, 'deafen');
        break;
      }
      case 'isolate':
        this.#isolate(this.#world.target(act.peer), act.isOneWay, act.lengthMs);
        break;
      case 'slowDisk': {
        const disk = this.#world.disks[peers.indexOf(this.#world.target(act.peer) as WorldPeer)]; // -1 when there is none
        if (disk === undefined) return;
        disk.slowness = act.factor;
        this.#after(act.lengthMs, () => {
          disk.slowness = 1;
        });
        break;
      }
      case 'failDisk': {
        const peer = this.#world.target(act.peer);
        if (peer === undefined) return;
        this.#world.note(() => `the disk of ${peer.name} fails with ${act.error}`);
        peer.storage.error = act.error;
        this.#after(act.lengthMs, () => this.#world.repair(peer));
        break;
      }
      case 'spoilDisk': {
        const peer = this.#world.peers[act.peer];
        if (peer === undefined) return;
        this.#crash(peer, act.downMs);
        peer.storage.spoiled = act.how;
        this.#world.note(() => `the disk of ${peer.name} is spoiled: ${act.how}`);
        break;
      }
      case 'troubleIpfs':
        this.#trouble(peers[act.peer], act);
        break;
      case 'strangerPins':
        peers[act.peer]?.ipfs.strangerPins(cidOf(act.key));
        break;
      case 'strangerUnpins':
        peers[act.peer]?.ipfs.strangerUnpins(cidOf(act.key).key);
        break;
      case 'drift': {
        const peer = this.#world.target(act.peer);
        // Metrics that are good for seconds only are to outlive what a clock is wrong by.
        const { pingMs } = this.#world.plan.options;
        peer?.setClockRate(1 + ((act.rate - 1) * pingMs) / slowPingMs);
        this.#after(act.lengthMs, () => peer?.setClockRate(1));
        break;
      }
      case 'lose': {
        const peer = peers[act.peer];
        if (peer?.isUp !== true) return;
        this.losses++;
        this.#world.lost.add(peer);
        this.#world.note(() => `${peer.name} is lost`);
        this.#crash(peer, 0);
        break;
      }
      case 'cordon':
        this.#cordon(peers[act.peer], act.mode, this.#world.target(act.via));
        break;
      case 'addPeer':
      case 'removePeer':
        this.#change(act.kind, act.peer, this.#world.target(act.via));
        break;
      case 'changeTwo':
        for (const via of this.#world.leaders()) {
          const { servers = [] } = via.status?.configuration ?? {};
          for (const at of act.peers) {
            const isMember = servers.some(({ id }) => id === peers[at]?.id);
            this.#change(isMember ? 'removePeer' : 'addPeer', at, via);
          }
        }
        break;
    }
  }

  /** Sets armed faults off. */
  onOutput(peer: WorldPeer, output: Output, status: Status): void {
    if (this.#armed.length === 0) return;
    const at = this.#armed.findIndex(({ when }) => hasHappened(when, output, status));
    const [fault] = at < 0 ? [] : this.#armed.splice(at, 1);
    if (fault === undefined) return;
    const strike = (): void => this.#strike(peer, fault);
    if (fault.afterWrites === undefined) this.#world.scheduler.after(fault.delayMs, strike);
    else this.#counting.push({ peer, left: fault.afterWrites, strike });
  }

  /** A disk has done something: sets those off that count. */
  onDiskDone(peer: WorldPeer): void {
    const due = this.#counting.filter((item) => item.peer === peer && --item.left <= 0);
    if (due.length === 0) return;
    this.#counting = this.#counting.filter((item) => !due.includes(item));
    for (const { strike } of due) this.#world.scheduler.after(0, strike);
  }

  #strike(peer: WorldPeer, { when, strike, lengthMs }: ArmedFault): void {
    if (this.#isOver) return;
    this.strikes++;
    this.#world.note(() => `struck: ${peer.name} when it ${when}`);
    if (strike === 'crash') this.#crash(peer, lengthMs);
    else if (strike === 'isolate') this.#isolate(peer, false, lengthMs);
    else this.#pair(peer, lengthMs);
  }

  #trouble(peer: WorldPeer | undefined, { trouble, lengthMs, midPin = false }: TroubleIpfs): void {
    const { ipfs } = peer ?? {};
    if (ipfs === undefined || !isWell(ipfs)) return;
    const begin = (): void => {
      if (this.#isOver || !isWell(ipfs)) return;
      this.troubles++;
      this.#world.note(() => `the IPFS node of ${peer?.name}: ${trouble}${midPin ? ', in the middle of a pin' : ''}`);
      if (trouble === 'slow') ipfs.slowness = 20;
      else ipfs.state = trouble === 'loses' ? 'down' : trouble;
      if (trouble === 'loses') ipfs.lose();
      this.#after(lengthMs, () => {
        ipfs.slowness = 1;
        ipfs.state = 'up';
      });
    };
    if (midPin) ipfs.onMidPin = begin;
    else begin();
  }

  #crash(peer: WorldPeer | undefined, downMs: number): void {
    const kept = peer?.crash();
    if (peer === undefined || kept === undefined) return;
    this.crashes++;
    this.#world.note(() => `${peer.name} crashes, ${kept}`);
    this.#world.scheduler.after(downMs, () => this.#world.boot(peer));
  }

  #isolate(peer: WorldPeer | undefined, isOneWay: boolean, lengthMs: number): void {
    if (peer === undefined) return;
    this.#cut((from, to) => from === peer || (!isOneWay && to === peer), lengthMs, `isolate ${peer.name}`);
  }

  #pair(peer: WorldPeer, lengthMs: number): void {
    const { peers } = this.#world;
    const other = peers[(peers.indexOf(peer) + 1) % peers.length];
    const isIn = (at: WorldPeer): boolean => at === peer || at === other;
    this.#cut((from, to) => isIn(from) !== isIn(to), lengthMs, `leave ${peer.name} with ${other?.name}`);
  }

  #cut(isCut: (from: WorldPeer, to: WorldPeer) => boolean, lengthMs: number, what: string): void {
    const { peers, network } = this.#world;
    const links = peers.flatMap((from) =>
      peers.filter((to) => from !== to && isCut(from, to)).map((to) => [from, to] as const),
    );
    this.#world.note(() => `${what}: ${links.map(([from, to]) => `${from.name}>${to.name}`).join(' ')}`);
    for (const [from, to] of links) network.cut(from.id, to.id);
    this.#after(lengthMs, () => {
      for (const [from, to] of links) network.mend(from.id, to.id);
    });
  }

  #change(kind: 'addPeer' | 'removePeer', at: number, leader: WorldPeer | undefined): void {
    const target = this.#world.peers[at];
    const via = leader ?? target;
    if (target === undefined || via?.life === undefined) return;
    const voters = via.status?.configuration.servers.filter(({ suffrage }) => suffrage === 'voter') ?? [];
    // With a disk lost for good, two of three are needed.
    const votersMin = this.#world.plan.faults.some(({ act }) => act.kind === 'spoilDisk') ? 3 : 2;
    if (kind === 'removePeer' && voters.length <= votersMin) return;
    this.#world.note(() => `${kind} ${target.name} through ${via.name}`);
    // It is added by whoever has removed it, and started again.
    if (kind === 'addPeer' && this.#world.left.delete(target)) this.#world.boot(target);
    const { peer } = via.life;
    const add = (): Promise<unknown> => (target.isWaiting ? target.joins(via.id) : peer.peerAdd(target.id));
    const change: Promise<unknown> = kind === 'addPeer' ? add() : this.#world.remove(peer, target);
    change.then(
      () => {
        this.changes++;
      },
      (error: unknown) => this.#world.note(() => `${kind} ${target.name} fails: ${error}`),
    );
  }

  #cordon(target: WorldPeer | undefined, mode: CordonMode, via: WorldPeer | undefined): void {
    if (target === undefined || via?.life === undefined) return;
    this.#world.note(() => `${target.name} is to be ${mode}, says ${via.name}`);
    via.life.peer.cordonPeer(target.id, mode).then(
      () => {
        this.orders++;
      },
      (error: unknown) => this.#world.note(() => `${target.name} is not told: ${error}`),
    );
  }

  /** What the heal does by itself must not be undone after it. */
  #after(ms: number, act: () => void): void {
    this.#world.scheduler.after(ms, () => {
      if (!this.#isOver) act();
    });
  }
}

function isWell({ state, slowness }: VirtualIpfs): boolean {
  return state === 'up' && slowness === 1;
}

function hasHappened(when: Trigger, output: Output, { role }: Status): boolean {
  const { write, replies, apply, status } = output;
  switch (when) {
    case 'leads':
      return status !== undefined && role === 'leader';
    case 'grants':
      return replies.some(({ response }) => response.type === 'vote' && response.granted);
    case 'saves':
      return write?.some(({ type }) => type === 'hard') ?? false;
    case 'appends':
      return write?.some(({ type }) => type === 'put') ?? false;
    case 'cuts':
      return write?.some(({ type }) => type === 'cut') ?? false;
    case 'changes':
      return (
        write?.some((op) => op.type === 'put' && op.entries.some((entry) => entry.type === 'configuration')) ?? false
      );
    case 'applies':
      return apply.length > 0;
    case 'compacts':
      return write?.some(({ type }) => type === 'compact') ?? false;
    case 'sends a snapshot':
      return output.calls.some(({ request }) => request.type === 'snapshot');
    case 'receives a snapshot':
      return output.receive !== undefined;
    case 'installs a snapshot':
      return output.restore !== undefined;
  }
}
