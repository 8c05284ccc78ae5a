/**
 * The soak: a cluster of real processes under a load of pins and unpins, killed (SIGKILL) and restarted round after round; at
 * the end every peer must hold what was acknowledged, and all the same.
 *
 * The seed decides what happens in each round and to whom; which peer leads, and what the load has reached by then, it does not.
 */
import { rm } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { SeededRandom } from '../../../src/base/index.ts';
import { addText } from '../../../src/cmd/service/demo/content.ts';
import { freePorts } from '../../../src/cmd/service/demo/ports.ts';
import { makeFolder } from '../../../src/io/config/index.ts';
import { defaultsOf, embeddedSection, type RaftConfig } from '../../../src/model/config/index.ts';
import { IpfsStandIn } from '../../support/ipfs-stand-in.ts';
import { ipfsPins, type PinLine, pinset } from '../../support/member-api.ts';
import {
  createMembers,
  leaderOf,
  type Member,
  type MemberPlan,
  snapshotInstalled,
  snapshotTaken,
} from '../../support/members.ts';
import { cidNumber } from '../../support/pins.ts';
import { chooseFault, type Fault } from './faults.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';

export interface SoakOptions {
  readonly seed: string;
  readonly rounds: number;
  readonly peerCount: number;
  /** So many of the peers, the last ones, are Go peers; needs `GO_CLUSTER_BIN`. */
  readonly goCount: number;
  /** Where IPFS work ends: a set of names in this process, or a real node inside of each peer. */
  readonly ipfs: 'stand-in' | 'embedded';
  readonly writerCount: number;
  readonly pauseMs: number;
  /** Pinsets are compared after so many rounds, and at the end. */
  readonly roundsBetweenChecks: number;
  /** Made; removed when the cluster has survived. */
  readonly folder: string;
  readonly print: (line: string) => void;
  /** Ends it early: rejects with the reason. */
  readonly signal?: AbortSignal;
}

export interface SoakReport {
  readonly pins: number;
  readonly unpins: number;
  readonly open: number;
  /** Pins that all peers hold at the end. */
  readonly held: number;
  /** From the death of a leader to the first acknowledged write through a survivor, ascending. */
  readonly failoverMs: readonly number[];
  /** The same for the slowest of the writes that were sent at the moment of its death, one through each survivor, ascending. */
  readonly waitedMs: readonly number[];
  /** From the start of the process to READY, ascending. */
  readonly startMs: readonly number[];
  readonly snapshots: SnapshotCounts;
}

/** What the peers' logs say, summed. */
export interface SnapshotCounts {
  readonly taken: number;
  readonly installed: number;
}

/** Writes that have to be acknowledged after a fault and after a return, at least. */
const progressCount = 20;
/** How long each step towards that, and towards equal pinsets, may take. */
const recoveryLimitMs = 60_000;
/** Longer than an election timeout and a leader's lease. */
const frozenMs = 4_000;
/** Between two of the writes that measure fail-over. */
const probeEveryMs = 50;
/** Contradictions that are shown. */
const shownMax = 10;

/** Every other peer compacts its log every few seconds, so that those that come back are sent snapshots. */
const compacting: Partial<RaftConfig> = { snapshotIntervalMs: 2_000, snapshotThreshold: 100, trailingLogs: 50 };

interface IpfsNodes {
  readonly addresses: readonly string[];
  readonly urls: readonly string[];
  newCid(n: number): Promise<string>;
  stop(): Promise<void>;
}

/** Rejects with what went wrong; then the folder with the logs is kept. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  await makeFolder(options.folder);
  const nodes = await (options.ipfs === 'embedded' ? embeddedNodes(options) : standIns(options.peerCount));
  const members = await createMembers(options.folder, await plansOf(options, nodes));
  for (const member of members) member.watchFor(snapshotTaken, snapshotInstalled);
  const ledger = new Ledger();
  const load = new Load({
    ...options,
    targets: members.map(({ apiUrl }) => apiUrl),
    ledger,
    newCid: nodes.newCid,
  });
  const soak = new Soak(options, members, nodes, ledger, load);
  const { signal } = options;
  const interrupted = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    // What an interrupted run still waits for fails against dead peers; the caller ends the process soon.
    const running = soak.run();
    running.catch(() => {});
    const report = await Promise.race([running, interrupted]);
    await load.end();
    await soak.stop();
    await rm(options.folder, { recursive: true, force: true });
    return report;
  } finally {
    // What failed leaves nothing running; what has ended well is stopped already.
    await Promise.all(members.map((member) => member.kill()));
    await load.end();
    await nodes.stop();
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #members: readonly Member[];
  readonly #nodes: IpfsNodes;
  readonly #ledger: Ledger;
  readonly #load: Load;
  readonly #random: SeededRandom;
  readonly #failoverMs: number[] = [];
  readonly #waitedMs: number[] = [];
  readonly #startMs: number[] = [];

  constructor(options: SoakOptions, members: readonly Member[], nodes: IpfsNodes, ledger: Ledger, load: Load) {
    this.#options = options;
    this.#members = members;
    this.#nodes = nodes;
    this.#ledger = ledger;
    this.#load = load;
    this.#random = new SeededRandom(`${options.seed} faults`);
  }

  async run(): Promise<SoakReport> {
    const { rounds, roundsBetweenChecks, print } = this.#options;
    await Promise.all(this.#members.map((member) => this.#start(member)));
    this.#load.start();
    await this.#progress('the start');
    for (let round = 1; round <= rounds; round++) {
      const fault = chooseFault(this.#random, this.#members.length);
      const told = await this.#round(fault);
      this.#failOnDeath();
      const { pins, unpins, open } = this.#ledger.counts;
      print(`round ${round}/${rounds}: ${told}; so far ${pins} pins, ${unpins} unpins acknowledged, ${open} open`);
      if (round % roundsBetweenChecks === 0 && round < rounds) print(`  ${await this.#check()}`);
    }
    print(`end: ${await this.#check()}`);
    for (const [why, count] of [...this.#load.whys].sort(([, a], [, b]) => b - a).slice(0, shownMax)) {
      print(`  ${count} writes without success: ${why.slice(0, 200)}`);
    }
    return {
      ...this.#ledger.counts,
      held: (await pinset(this.#members[0]?.apiUrl ?? '')).size,
      failoverMs: ascending(this.#failoverMs),
      waitedMs: ascending(this.#waitedMs),
      startMs: ascending(this.#startMs),
      snapshots: this.#snapshots(),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()));
    this.#failOnDeath();
  }

  /** Lets it happen, brings everybody back, and asks for progress after each. */
  async #round(fault: Fault): Promise<string> {
    const leader = await this.#leader();
    const others = this.#members.filter((member) => member !== leader);
    const one = this.#any(others);
    switch (fault) {
      case 'leader': {
        const { failoverMs, waitedMs } = await this.#measured(leader, others);
        await this.#return([leader]);
        return `leader ${leader.name} killed, writes again after ${seconds(failoverMs)}, those that waited ${seconds(waitedMs)}`;
      }
      case 'follower':
        await one.kill();
        await this.#progress(`the death of follower ${one.name}`);
        await this.#return([one]);
        return `follower ${one.name} killed`;
      case 'two':
        await Promise.all([leader.kill(), one.kill()]);
        await this.#progress(`the death of ${leader.name} and ${one.name}`);
        await this.#return([leader, one]);
        return `leader ${leader.name} and ${one.name} killed`;
      case 'two leaders': {
        await leader.kill();
        const next = await this.#leader(others);
        await next.kill();
        await this.#progress(`the death of ${leader.name} and its successor ${next.name}`);
        await this.#return([leader, next]);
        return `leader ${leader.name} and its successor ${next.name} killed`;
      }
      case 'again': {
        await leader.kill();
        await this.#progress(`the death of leader ${leader.name}`);
        const afterMs = this.#random.integer(2000);
        const starting = this.#start(leader).catch(() => {});
        await setTimeout(afterMs);
        await leader.kill();
        await starting;
        await this.#return([leader]);
        return `leader ${leader.name} killed, and again ${seconds(afterMs)} into its start`;
      }
      case 'frozen':
        leader.freeze();
        await setTimeout(frozenMs);
        leader.thaw();
        await this.#progress(`the standstill of leader ${leader.name}`);
        return `leader ${leader.name} stood still for ${seconds(frozenMs)}`;
      case 'all':
        await Promise.all(this.#members.map((member) => member.kill()));
        await this.#return(this.#members);
        return 'all killed';
    }
  }

  async #start(member: Member): Promise<void> {
    const began = performance.now();
    await member.start();
    this.#startMs.push(performance.now() - began);
  }

  /** In any order; each of them has to take a write afterwards. */
  async #return(members: readonly Member[]): Promise<void> {
    await Promise.all(
      members.map(async (member) => {
        await setTimeout(this.#random.integer(500));
        await this.#start(member);
      }),
    );
    await Promise.all(
      members.map((member) => within(`a write through ${member.name}`, () => this.#load.probe(member.apiUrl))),
    );
    await this.#progress(`the return of ${members.map(({ name }) => name).join(', ')}`);
  }

  /** Kills the leader, and writes through the survivors until one is acknowledged. */
  async #measured(leader: Member, survivors: readonly Member[]): Promise<{ failoverMs: number; waitedMs: number }> {
    await leader.kill();
    const began = performance.now();
    let firstMs: number | undefined;
    const probe = async (survivor: Member): Promise<number> => {
      const isDone = await this.#load.probe(survivor.apiUrl);
      const afterMs = performance.now() - began;
      if (isDone) firstMs ??= afterMs;
      return afterMs;
    };
    const waiting = survivors.map(probe);
    const later: Promise<number>[] = [];
    for (let n = 0; firstMs === undefined; n++) {
      if (performance.now() - began > recoveryLimitMs) throw new Error(`No write after the death of ${leader.name}`);
      later.push(probe(survivors[n % survivors.length] ?? leader));
      await setTimeout(probeEveryMs);
    }
    const waitedMs = Math.max(...(await Promise.all(waiting)));
    await Promise.all(later);
    this.#failoverMs.push(firstMs);
    this.#waitedMs.push(waitedMs);
    return { failoverMs: firstMs, waitedMs };
  }

  /** The load goes on. */
  async #progress(after: string): Promise<void> {
    const goal = this.#load.acknowledged + progressCount + this.#random.integer(200);
    await within(`${goal - this.#load.acknowledged} writes after ${after}`, async () => {
      this.#failOnDeath();
      return this.#load.acknowledged >= goal;
    });
  }

  async #leader(among: readonly Member[] = this.#members): Promise<Member> {
    let found: Member | undefined;
    await within('a leader', async () => {
      found = leaderOf(among);
      return found !== undefined;
    });
    if (found === undefined) throw new Error('No leader');
    return found;
  }

  /** Without load: waits until all peers hold the same and what was acknowledged, on their IPFS nodes as well. */
  async #check(): Promise<string> {
    const began = performance.now();
    await this.#load.pause();
    let faults: string[] = ['not asked yet'];
    let held = 0;
    await within('equal pinsets', async () => {
      this.#failOnDeath();
      const pinsets = await Promise.all(this.#members.map(({ apiUrl }) => pinset(apiUrl)));
      held = pinsets[0]?.size ?? 0;
      faults = this.#faultsOf(pinsets);
      return faults.length === 0;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${faults.slice(0, shownMax).join('\n')}\n${faults.length} contradictions`);
    });
    const equalMs = performance.now() - began;
    const left = await this.#checkIpfs();
    this.#load.resume();
    const { taken, installed } = this.#snapshots();
    const snapshots = `${taken} snapshots taken, ${installed} installed`;
    return `${held} pins on each of ${this.#members.length} peers after ${seconds(equalMs)}${left}; ${snapshots}`;
  }

  #faultsOf(pinsets: readonly ReadonlyMap<string, PinLine>[]): string[] {
    const [first] = pinsets;
    return pinsets.flatMap((lines, at) => {
      const { name, kind } = this.#members[at] ?? { name: '', kind: 'ours' };
      const names = new Map([...lines].map(([cid, line]) => [cid, line.name]));
      const found = this.#ledger.contradictions(names);
      // A Go peer adds a snapshot to what it holds, so removed pins stay; and its pins inherit fields of earlier ones.
      if (kind === 'go')
        return found.filter((text) => !text.endsWith('expected no pin')).map((text) => `${name} ${text}`);
      const differing = [...lines].flatMap(([cid, { line }]) =>
        first?.get(cid)?.line === line ? [] : [`${cid}: ${line}, and on the first peer ${first?.get(cid)?.line}`],
      );
      return [...found, ...differing].map((text) => `${name} ${text}`);
    });
  }

  /** Every peer's IPFS node has every pin. */
  async #checkIpfs(): Promise<string> {
    let missing = '';
    let extra = 0;
    await within('pins on the IPFS nodes', async () => {
      const wanted = await pinset(this.#members[0]?.apiUrl ?? '');
      const held = await Promise.all(this.#nodes.urls.map(ipfsPins));
      const lacks = held.map((cids) => [...wanted.keys()].filter((cid) => !cids.has(cid)).length);
      missing = `missing: ${lacks.join(', ')}`;
      extra = held.reduce((sum, cids) => sum + [...cids].filter((cid) => !wanted.has(cid)).length, 0);
      return lacks.every((count) => count === 0);
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${missing}`);
    });
    return `, all on IPFS (${extra} removed ones still there)`;
  }

  #snapshots(): SnapshotCounts {
    const sum = (pattern: RegExp): number =>
      this.#members.reduce((total, member) => total + (member.seen.get(pattern) ?? 0), 0);
    return { taken: sum(snapshotTaken), installed: sum(snapshotInstalled) };
  }

  #any(members: readonly Member[]): Member {
    const member = members[this.#random.integer(members.length)];
    if (member === undefined) throw new RangeError('no peers to choose from');
    return member;
  }

  #failOnDeath(): void {
    const deaths = this.#members.flatMap(({ death }) => (death === undefined ? [] : [death]));
    if (deaths.length > 0) throw new Error(deaths.join('\n'));
  }
}

async function plansOf(options: SoakOptions, nodes: IpfsNodes): Promise<MemberPlan[]> {
  const swarmPorts = await freePorts(options.peerCount);
  return nodes.addresses.map((ipfsAddress, i) => ({
    kind: i < options.peerCount - options.goCount ? 'ours' : 'go',
    ipfsAddress,
    raft: i % 2 === 0 ? compacting : {},
    change: (config) =>
      options.ipfs === 'stand-in'
        ? config
        : {
            ...config,
            embedded: {
              ...defaultsOf(embeddedSection),
              rpcListenMultiaddress: ipfsAddress,
              swarmListenMultiaddress: [`/ip4/127.0.0.1/tcp/${swarmPorts[i] ?? 0}`],
            },
          },
  }));
}

async function standIns(count: number): Promise<IpfsNodes> {
  const nodes = Array.from({ length: count }, () => new IpfsStandIn());
  for (const node of nodes) await node.start();
  return {
    addresses: nodes.map(({ multiaddress }) => multiaddress),
    urls: nodes.map(({ multiaddress }) => urlOf(multiaddress)),
    newCid: async (n) => cidNumber(n).toString(),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** Each new content is added at one of the nodes that are up, from which the others fetch it. */
async function embeddedNodes({ peerCount, seed }: SoakOptions): Promise<IpfsNodes> {
  const ports = await freePorts(peerCount);
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  return {
    addresses: ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`),
    urls,
    newCid: async (n) => {
      for (let i = 0; ; i++) {
        try {
          return await addText(urls[(n + i) % urls.length] ?? '', `soak ${seed} ${n}\n`);
        } catch (error) {
          if (i + 1 >= urls.length) throw error;
        }
      }
    },
    stop: async () => {},
  };
}

function urlOf(multiaddress: string): string {
  const [, , host, , port] = multiaddress.split('/');
  return `http://${host}:${port}`;
}

async function within(what: string, isDone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + recoveryLimitMs;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error(`Waited ${recoveryLimitMs / 1000} s in vain for ${what}`);
    await setTimeout(20);
  }
}

function ascending(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

/** For the eye. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
