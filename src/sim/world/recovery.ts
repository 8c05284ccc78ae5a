/** After the faults: everything is healed, and whole peers must make progress, agree, and have their IPFS nodes in line. */
import { cordonOf } from '../../cluster/index.ts';
import { type CordonMode, type GlobalPinInfo, type PinInfo, stateKey, trackerStatusBits } from '../../model/index.ts';
import { expect, Finding } from '../finding.ts';
import { cidOf, clientTimeoutMs } from './clients.ts';
import type { WorldPeer } from './peer.ts';
import { ipfsNoticeMs, keys, type Operation } from './plan.ts';
import type { Life } from './whole-peer.ts';
import type { World } from './world.ts';

/** An unpin may wait for a read first, and a clock may have been slow when the deadlines were set. */
const answerMsMax = (2 * clientTimeoutMs) / 0.7 + 1000;
/** Progress must have been made within this many election timeouts. */
const patienceTimeouts = 20;
/** Longer than failed pins and lost connections wait before they are tried again. */
const repairPatienceMs = 40_000;
/** Peers that come and go are given up to 32 grace periods, and what could not be done is tried again after a minute at most. */
const healPatienceMs = 240_000;
/** Of members, by calls that nobody waits for any more. */
const lateChangesMax = 3;
/** Between looks. */
const repairLookMs = 100;
const askAgainMs = 20;
/** Of a pin; one that has failed more often is not waited for. */
const attemptsMax = 6;
const failedBits = trackerStatusBits.pin_error | trackerStatusBits.unpin_error;

export class Recovery {
  /** Disks that were taken out. */
  replacements = 0;
  /** Pins that were found missing only then. */
  recovered = 0;
  readonly #world: World;
  #demanded = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Heals everything, then demands. Rejects with a finding. */
  async run(): Promise<void> {
    const { network, disks, peers, scheduler, faults, left, clients } = this.#world;
    this.#world.note(() => 'heal');
    faults.disarm();
    network.mendAll();
    Object.assign(network.options, {
      lossPercent: 0,
      copyPercent: 0,
      slowPercent: 0,
      snapshotDelayMsMax: 0,
    });
    for (const disk of disks) disk.slowness = 1;
    for (const { ipfs } of peers) {
      ipfs.slowness = 1;
      ipfs.onMidPin = undefined;
      scheduler.after(ipfsNoticeMs, () => {
        ipfs.state = 'up';
      });
    }
    const spoiled = peers.find(({ storage }) => storage.spoiled !== undefined);
    // One at a time.
    if (spoiled !== undefined) this.#findLost();
    for (const peer of peers) {
      peer.setClockRate(1);
      this.#world.repair(peer);
      this.#world.boot(peer);
    }
    // What is slow is still under way, and clients wait for their deadlines.
    const { slowPercent, slowMsMax, snapshotDelayMsMax } = this.#world.plan.options;
    const calmMs = scheduler.now + Math.max(slowPercent > 0 ? slowMsMax : 0, snapshotDelayMsMax) + 1000;
    const answeredMs = scheduler.now + answerMsMax;
    const isCalm = (): boolean => scheduler.now >= calmMs && !clients.isAsking();
    await this.#world.until(() => isCalm() || scheduler.now > answeredMs);
    expect(isCalm(), 'clients are answered', () => `a client waits for longer than ${answerMsMax} ms`);
    if (spoiled !== undefined && !this.#canDoWithout(spoiled)) return;
    if (!(await this.#isLedWithoutLost())) this.#findLost();
    await this.#demand('a leader', () => this.#world.leader() !== undefined);
    if (spoiled !== undefined) await this.#replaceDisk(spoiled);
    for (const peer of [...left]) await this.#comesBack(peer);
    const leader = this.#world.leader();
    if (leader !== undefined) faults.play({ kind: 'crash', peer: peers.indexOf(leader), downMs: 500 });
    await this.#demandSuccess('a read', 'read', 0);
    await this.#demandSuccess('a write', 'pin', 0);
    for (let key = 0; key < keys; key++) await this.#demandSuccess(`a read of ${key}`, 'read', key);
    await this.#demand('all members to apply all', () => this.#haveAllApplied());
    await this.#checkPinsets();
    await this.#demandExpiry();
    // Nobody is let go before others have what it holds.
    await this.#recoverOften();
    if (!this.#isMostThere()) await this.#bringBackLost();
    await this.#demandHolders();
    await this.#bringBackLost();
    await this.#freeAll();
    await this.#demandHolders();
    await this.#demandPins();
    await this.#demandStatus();
    await this.#demandMetrics();
    clients.seen.check();
    await this.#checkCalm();
  }

  #canDoWithout({ id }: WorldPeer): boolean {
    const configurations = this.#world.peers.flatMap(({ status }) => status ?? []);
    const [newest] = configurations.sort((a, b) => b.configurationIndex - a.configurationIndex);
    const voters = newest?.configuration.servers.filter(({ suffrage }) => suffrage === 'voter') ?? [];
    return voters.filter((voter) => voter.id !== id).length * 2 > voters.length;
  }

  /** As one is told to: the peer is removed, and comes back as a new one. */
  async #replaceDisk(peer: WorldPeer): Promise<void> {
    await this.#stopRemoved();
    const isMember = this.#isMember(peer);
    if (isMember) await this.#demandDone('a removal', (life) => this.#world.remove(life.peer, peer));
    await peer.storage.replace();
    this.replacements++;
    this.#world.note(() => `${peer.name} has an empty disk`);
    this.#world.boot(peer);
    if (isMember) await this.#demandDone('a return', (life) => peer.joins(life.peer.self));
  }

  /**
   * Peers that do not know of their removal ask for votes for ever. One whose disk is lost would give its own, and could make a leader
   * of a cluster that is over: they are to be stopped before.
   */
  async #stopRemoved(): Promise<void> {
    await this.#demand('agreement about the members', () => {
      const { isEstablished, commit, configurationIndex } = this.#world.leader()?.status ?? {};
      return isEstablished === true && Number(commit) >= Number(configurationIndex);
    });
    let stopping = 0;
    for (const peer of this.#world.peers) {
      if (!peer.isUp || peer.isWaiting || this.#isMember(peer)) continue;
      stopping++;
      this.#world.stopped.add(peer);
      void peer.stop().then(() => stopping--);
    }
    await this.#demand('removed peers to stop', () => stopping === 0);
  }

  async #comesBack(peer: WorldPeer): Promise<void> {
    const isMember = this.#isMember(peer);
    this.#world.left.delete(peer);
    this.#world.boot(peer);
    this.#world.note(() => `${peer.name} comes back`);
    if (isMember) await this.#demandDone('a return', (life) => peer.joins(life.peer.self));
  }

  async #demandSuccess(what: string, kind: Operation['kind'], key: number): Promise<void> {
    await this.#demandDone(what, async (life) => {
      const { replicationMin } = this.#world.plan.options;
      // What is left of the cluster may be too few.
      const chosen = this.#members().filter((member) => this.#orderTo(member) === 'none');
      const shape = chosen.length < replicationMin ? { factors: [-1, -1] as const } : {};
      const isSuccess = await this.#world.clients.ask(life, { kind, key, name: `q${++this.#demanded}`, shape });
      if (!isSuccess) throw new Finding('progress', what);
    });
  }

  /** Tries again and again until it succeeds. */
  async #demandDone(
    what: string,
    act: (life: Life) => Promise<unknown>,
    patienceMs: number = this.#patienceMs,
  ): Promise<void> {
    let isDone = false;
    let isAsking = false;
    await this.#demand(
      what,
      () => {
        const life = this.#members()[0]?.life;
        if (!isAsking && !isDone && life !== undefined) {
          isAsking = true;
          act(life).then(
            () => {
              isDone = true;
            },
            () => {
              this.#world.scheduler.after(askAgainMs, () => {
                isAsking = false;
              });
            },
          );
        }
        return isDone;
      },
      patienceMs,
    );
  }

  get #patienceMs(): number {
    return patienceTimeouts * 2 * this.#world.plan.options.heartbeatTimeoutMs;
  }

  async #demand(what: string, isDone: () => boolean, patienceMs: number = this.#patienceMs): Promise<void> {
    const limitMs = this.#world.scheduler.now + patienceMs;
    // Without events time would stand still.
    const wake = (): void => {
      if (this.#world.scheduler.now <= limitMs) this.#world.scheduler.after(10, wake);
    };
    const cancel = this.#world.scheduler.after(10, wake);
    let isMet = false;
    await this.#world.until(() => {
      isMet ||= isDone();
      return isMet || this.#world.scheduler.now > limitMs;
    });
    cancel();
    // They were part of a quorum after all: a member that leaves may have proposed so only now.
    if (!isMet && this.#world.lost.size > 0) {
      this.#findLost();
      await this.#demand(what, isDone, patienceMs);
      return;
    }
    expect(isMet, 'progress', () => `${patienceMs} ms after the faults, still waiting for ${what}`);
  }

  #isMember({ id }: WorldPeer): boolean {
    return this.#world.leader()?.status?.configuration.servers.some((server) => server.id === id) ?? false;
  }

  /** Peers of the leader's configuration that are up. */
  #members(): readonly WorldPeer[] {
    const { configuration } = this.#world.leader()?.status ?? {};
    const ids = new Set(configuration?.servers.map(({ id }) => id));
    return this.#world.peers.filter(({ id, isUp }) => isUp && ids.has(id));
  }

  #haveAllApplied(): boolean {
    const leader = this.#world.leader()?.status;
    const members = this.#members();
    if (leader === undefined || leader.commit !== leader.lastIndex) return false;
    const lost = [...this.#world.lost].filter((peer) => this.#isMember(peer)).length;
    return (
      members.length === leader.configuration.servers.length - lost &&
      members.every(({ status }) => status?.applied === leader.commit)
    );
  }

  async #checkPinsets(): Promise<void> {
    await this.#demandLater('pinset = log', async () => {
      const shown: (readonly [string, readonly [string, string][]])[] = [];
      for (const { name, life } of this.#members()) {
        const pins: [string, string][] = [];
        for await (const page of life?.peer.pins() ?? []) for (const pin of page) pins.push([pin.cid.key, pin.name]);
        shown.push([name, pins.sort()]);
      }
      const expected = [...this.#world.clients.history.stateAt(this.#world.checker.logs.commit)].sort();
      for (const [name, pins] of shown) {
        if (JSON.stringify(pins) === JSON.stringify(expected)) continue;
        return `${name} shows the pins ${pins.map(([, pin]) => pin)}, the log has ${expected.map(([, pin]) => pin)}`;
      }
      return undefined;
    });
  }

  /** Whether the others can do without those that are lost. */
  async #isLedWithoutLost(): Promise<boolean> {
    const { scheduler, lost, plan } = this.#world;
    const endMs = scheduler.now + patienceTimeouts * plan.options.heartbeatTimeoutMs;
    if (lost.size > 0) {
      scheduler.after(endMs - scheduler.now, () => {});
      await this.#world.until(() => this.#world.leader()?.status?.isEstablished === true || scheduler.now >= endMs);
    }
    return lost.size === 0 || this.#world.leader()?.status?.isEstablished === true;
  }

  /** Otherwise healing rightly waits. A leader needs less: most of those that vote, not of those that are still to. */
  #isMostThere(): boolean {
    const serverCount = this.#world.leader()?.status?.configuration.servers.length ?? 0;
    return this.#members().length * 2 > serverCount;
  }

  async #bringBackLost(): Promise<void> {
    if (this.#world.lost.size === 0) return;
    this.#findLost();
    await this.#demand('those that are back to apply all', () => this.#haveAllApplied());
  }

  #findLost(): void {
    const { lost } = this.#world;
    for (const peer of [...lost]) {
      this.#world.note(() => `${peer.name} is found`);
      lost.delete(peer);
      this.#world.boot(peer);
    }
  }

  /** What the peer was told, as most others know it. */
  #orderTo({ id }: WorldPeer): CordonMode {
    const life = this.#members()[0]?.life;
    return life === undefined ? 'none' : cordonOf(life.monitor, id, life.clock.wallNanos());
  }

  /**
   * Every pin has as many holders as it needs among those that are there, and not too many; nobody holds anything who is no member, or was
   * told to hold nothing. With repinning off only the last is demanded.
   */
  async #demandHolders(): Promise<void> {
    const { pins, plan } = this.#world;
    await this.#demandLater(
      'holders',
      async () => {
        const members = this.#members();
        const stays = members.filter((member) => this.#orderTo(member) !== 'draining');
        const chosen = members.filter((member) => this.#orderTo(member) === 'none');
        const ids = (peers: readonly WorldPeer[]): Set<string> => new Set(peers.map(({ id }) => id));
        const isDrained = (id: string): boolean =>
          members.some((member) => member.id === id && this.#orderTo(member) === 'draining');
        const known = new Set(this.#world.leader()?.status?.configuration.servers.map(({ id }) => id));
        const isLeaving = (id: string): boolean => isDrained(id) || (plan.options.repins && !known.has(id));
        const wrong = plan.options.repins ? pins.wrongHolders(ids(stays), ids(chosen)) : undefined;
        return wrong ?? pins.wrongLeavers(isLeaving, ids(stays));
      },
      healPatienceMs,
    );
  }

  /** Whoever was told to hold nothing, or nothing new, is free again. */
  async #freeAll(): Promise<void> {
    for (const peer of this.#members()) {
      if (this.#orderTo(peer) === 'none') continue;
      await this.#demandDone('an order', (life) => life.peer.cordonPeer(peer.id, 'none'));
    }
  }

  /**
   * Pins that have expired are gone. All members are alive now and know each other: nobody waits for the next regular look, or for the
   * turn of somebody else.
   */
  async #demandExpiry(): Promise<void> {
    await this.#demandLater('expired pins go', async () => {
      const nowNanos = this.#members().map(({ life }) => life?.clock.wallNanos() ?? 0n);
      const slowest = nowNanos.reduce((a, b) => (a < b ? a : b), nowNanos[0] ?? 0n);
      return this.#world.pins.overdue(slowest);
    });
  }

  /** Every IPFS node of a member comes to hold what is allocated to it and nothing else, and its tracker says so. */
  async #demandPins(): Promise<void> {
    const records = new Map(Array.from({ length: keys }, (_, key) => [cidOf(key).key, stateKey(cidOf(key))]));
    await this.#recoverOften();
    await this.#demandLater('ipfs = pinset', async () => {
      for (const { id, name, ipfs, storage } of this.#members()) {
        const isExcused = (key: string): boolean =>
          storage.lostRecords.has(records.get(key) ?? '') || ipfs.strangers.has(key);
        const wrong = this.#world.pins.wrongHeld(id, ipfs.held, isExcused);
        if (wrong !== undefined) return `the IPFS node of ${name} ${wrong}`;
      }
      return undefined;
    });
    await this.#demandLater('tracker = pinset', async () => {
      for (const { id, name, life } of this.#members()) {
        const rows: PinInfo[] = [];
        for await (const row of life?.tracker.statusAll(0) ?? []) rows.push(row);
        const wrong = this.#world.pins.wrongStatus(id, rows);
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
        const wrong = this.#world.pins.wrongStatus(id, own);
        if (wrong !== undefined) return `${asked?.name} is asked, and of ${name} it ${wrong}`;
      }
      return undefined;
    });
  }

  /**
   * As someone would who does not want to wait: what has failed very often is tried again after minutes only, and what others have done
   * is seen at the next look.
   */
  async #recoverOften(): Promise<void> {
    for (const { life, ipfs } of this.#members()) {
      if (ipfs.hasUntold) {
        // A short queue has room when what was begun while the node was slow has ended.
        const patienceMs = this.#patienceMs + repairPatienceMs;
        await this.#demandDone(
          'a look through all pins',
          async () => {
            for await (const _ of life?.tracker.recoverAll() ?? []) this.recovered++;
          },
          patienceMs,
        );
      }
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
  async #demandLater(
    checker: string,
    look: () => Promise<string | undefined>,
    patienceMs: number = repairPatienceMs,
  ): Promise<void> {
    const endMs = this.#world.scheduler.now + patienceMs;
    let wrong: string | undefined = 'not looked yet';
    const again = async (): Promise<void> => {
      wrong = await look();
      if (wrong !== undefined) this.#world.scheduler.after(repairLookMs, () => void again());
    };
    this.#world.scheduler.after(0, () => void again());
    await this.#world.until(() => wrong === undefined || this.#world.scheduler.now > endMs);
    expect(wrong === undefined, checker, () => `${patienceMs} ms after all is well, ${wrong}`);
  }

  /** Nothing happens any more: nobody has a reason to start an election, unless members change that late. */
  async #checkCalm(): Promise<void> {
    const newest = (of: 'term' | 'configurationIndex'): number =>
      Math.max(...this.#members().map(({ status }) => status?.[of] ?? 0));
    for (let changes = 0; ; changes++) {
      // A leader whose removal has waited until now makes way for another one first.
      await this.#demand('a leader', () => this.#world.leader() !== undefined);
      const [term, configuration] = [newest('term'), newest('configurationIndex')];
      const endMs = this.#world.scheduler.now + 3 * this.#world.plan.options.heartbeatTimeoutMs;
      await this.#world.until(() => this.#world.scheduler.now >= endMs);
      if (newest('term') === term) return;
      const hasChanged = newest('configurationIndex') !== configuration;
      const what = (): string => `from term ${term} to ${newest('term')} while nothing happened`;
      expect(hasChanged && changes < lateChangesMax, 'term growth', what);
    }
  }
}
