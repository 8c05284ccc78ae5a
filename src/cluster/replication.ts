/**
 * How many pins have as many replicas as they should, of all pins. From the counters of kinds, so that it takes a few thousand steps
 * however many pins there are; where there are too many kinds, and where the members' own word is asked for, from all pins.
 */
import {
  type Cid,
  type GlobalPinInfo,
  type PeerId,
  type PeerReplicas,
  type Pin,
  type ReplicaCounts,
  type Replication,
  stateKey,
} from '../model/index.ts';
import { InFlight } from './in-flight.ts';
import type { StatusSource } from './merge-status.ts';
import { kindOf, type PinKind } from './pin-kinds.ts';
import type { CallOptions, Pinset } from './ports.ts';

/** Whose replicas count. */
export interface HolderView {
  readonly members: readonly PeerId[];
  isAlive(member: PeerId): boolean;
}

/** A replica is an allocation to a member that is alive. */
export async function countReplicas(pinset: Pinset, view: HolderView, call: CallOptions): Promise<Replication> {
  const tally = new Tally(view);
  const kinds = await pinset.kinds();
  if (kinds !== undefined) {
    for (const [kind, count] of kinds) tally.add(kind, count, tally.aliveHolders(kind));
    return tally.result();
  }
  for await (const pins of pinset.pages(call)) {
    for (const pin of pins) {
      const kind = kindOf(pin);
      tally.add(kind, 1, tally.aliveHolders(kind));
    }
  }
  return tally.result();
}

/** Pins that seem to have too few replicas are asked about once more; so many of them, more are no accident. */
const doubtfulMax = 1000;
const inFlightMax = 8;

/** Where the members' own word comes from. */
export interface MemberWord {
  /** What every member that can be asked lists as `pinned` and as `cluster_error`, in state-key order; closed at the end. */
  readonly peers: readonly StatusSource[];
  /** What the members say of one pin now. */
  readonly askAgain: (cid: Cid) => Promise<GlobalPinInfo>;
}

/**
 * A replica is a member's own word that it has pinned the content. Members list one after the other, so a pin that moves meanwhile may
 * be listed by neither its old nor its new holder: whatever seems to have too few replicas is asked about once more, unless members are
 * silent or there are too many.
 */
export async function verifyReplicas(
  pinset: Pinset,
  view: HolderView,
  { peers, askAgain }: MemberWord,
  call: CallOptions,
): Promise<Replication> {
  const tally = new Tally(view);
  const doubtful: { readonly pin: Pin; readonly replicas: number }[] = [];
  try {
    await Promise.all(peers.map(({ rows }) => rows.load()));
    for await (const pins of pinset.pages(call)) {
      for (const pin of pins) {
        const replicas = await tally.replicasOf(pin, peers);
        if (doubtful.length < doubtfulMax && tally.isBelowMin(kindOf(pin), replicas)) doubtful.push({ pin, replicas });
        else tally.add(kindOf(pin), 1, replicas);
      }
    }
  } finally {
    await Promise.all(peers.map(({ rows }) => rows.close()));
  }
  const isCertain = doubtful.length === doubtfulMax || peers.some(({ rows }) => rows.failure !== '');
  const tasks = new InFlight(inFlightMax);
  for (const { pin, replicas } of doubtful) {
    if (isCertain) tally.add(kindOf(pin), 1, replicas);
    else {
      await tasks.begin(async () => {
        const holders = await holdersOf(pin.cid, askAgain);
        const present = pinset.get(pin.cid);
        // One that has been removed meanwhile is missing nowhere.
        if (present !== undefined) tally.add(kindOf(present), 1, Math.max(replicas, holders));
      });
    }
  }
  await tasks.ended();
  const unanswered: Record<PeerId, string> = Object.fromEntries(tally.unsure);
  for (const { peer, failure } of peers.map(({ rows }) => rows)) if (failure !== '') unanswered[peer] = failure;
  const asked = new Set(peers.map(({ rows }) => rows.peer));
  for (const member of view.members) if (!asked.has(member)) unanswered[member] = 'it was not asked';
  return { ...tally.result(), isVerified: true, unanswered };
}

async function holdersOf(cid: Cid, askAgain: MemberWord['askAgain']): Promise<number> {
  try {
    return Object.values((await askAgain(cid)).peerMap).filter(({ status }) => status === 'pinned').length;
  } catch {
    // What they have listed counts then.
    return 0;
  }
}

type Counter = { -readonly [K in keyof ReplicaCounts]: ReplicaCounts[K] };

class Tally {
  readonly #view: HolderView;
  readonly #alive: ReadonlySet<PeerId>;
  readonly #peers = new Map<PeerId, { allocated: number; pinned: number }>();
  readonly #allocated = noCounts();
  readonly #everywhere = noCounts();
  readonly #shards = noCounts();
  #meta = 0;
  /** Members that cannot say of some pins whether they have them. */
  readonly unsure: Map<PeerId, string> = new Map();

  constructor(view: HolderView) {
    this.#view = view;
    this.#alive = new Set(view.members.filter((member) => view.isAlive(member)));
    for (const member of view.members) this.#peers.set(member, { allocated: 0, pinned: 0 });
  }

  /** Members that are alive and to hold pins of this kind. */
  aliveHolders(kind: PinKind): number {
    if (isEverywhere(kind)) return this.#alive.size;
    let count = 0;
    for (const peer of kind.allocations) if (this.#alive.has(peer)) count++;
    return count;
  }

  add(kind: PinKind, count: number, replicas: number): void {
    if (!isHeld(kind)) {
      this.#meta += count;
      return;
    }
    const bounds = this.#boundsOf(kind);
    if (!isEverywhere(kind)) for (const peer of kind.allocations) this.#of(peer).allocated += count;
    const counter = this.#counterOf(kind);
    counter.pins += count;
    counter[stateOf(replicas, bounds)] += count;
  }

  isBelowMin(kind: PinKind, replicas: number): boolean {
    return isHeld(kind) && stateOf(replicas, this.#boundsOf(kind)) === 'belowMin';
  }

  /** Moves the peers on to the pin, and counts those that have it pinned. */
  async replicasOf(pin: Pin, peers: readonly StatusSource[]): Promise<number> {
    const key = stateKey(pin.cid);
    let replicas = 0;
    for (const { rows } of peers) {
      while (rows.row !== undefined && rows.row.key < key) {
        rows.advance();
        if (rows.mustLoad) await rows.load();
      }
      if (rows.row?.key !== key) continue;
      const { status, error } = rows.row;
      if (status === 'cluster_error') this.unsure.set(rows.peer, error);
      if (status !== 'pinned') continue;
      replicas++;
      this.#of(rows.peer).pinned++;
    }
    return replicas;
  }

  result(): Replication {
    const [allocated, everywhere, shards] = [this.#allocated, this.#everywhere, this.#shards];
    const members = new Set(this.#view.members);
    const peers: Record<PeerId, PeerReplicas> = {};
    for (const [peer, counts] of this.#peers) {
      peers[peer] = { ...counts, isMember: members.has(peer), isAlive: this.#alive.has(peer) };
    }
    const sum = noCounts();
    for (const counts of [allocated, everywhere, shards]) {
      for (const name of countNames) sum[name] += counts[name];
    }
    return { ...sum, allocated, everywhere, shards, meta: this.#meta, peers, isVerified: false, unanswered: {} };
  }

  #boundsOf(kind: PinKind): { readonly min: number; readonly max: number } {
    const { length } = this.#view.members;
    return isEverywhere(kind)
      ? { min: length, max: length }
      : { min: kind.replicationFactorMin, max: kind.replicationFactorMax };
  }

  #counterOf(kind: PinKind): Counter {
    if (kind.type !== 'pin') return this.#shards;
    return isEverywhere(kind) ? this.#everywhere : this.#allocated;
  }

  #of(peer: PeerId): { allocated: number; pinned: number } {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const counts = { allocated: 0, pinned: 0 };
    this.#peers.set(peer, counts);
    return counts;
  }
}

/** Types that peers hold. */
function isHeld({ type }: PinKind): boolean {
  return type === 'pin' || type === 'shard-pin' || type === 'clusterdag-pin';
}

/** As the tracker of each peer sees it. */
function isEverywhere(kind: PinKind): boolean {
  return kind.replicationFactorMin < 0 && kind.replicationFactorMax < 0;
}

function stateOf(replicas: number, { min, max }: { readonly min: number; readonly max: number }): CountedState {
  if (replicas < min) return 'belowMin';
  if (replicas > max) return 'overMax';
  if (replicas === max) return 'full';
  return replicas === min ? 'atMin' : 'aboveMin';
}

type CountedState = Exclude<keyof ReplicaCounts, 'pins'>;

const countNames = ['pins', 'belowMin', 'atMin', 'aboveMin', 'full', 'overMax'] as const;

function noCounts(): Counter {
  return { pins: 0, belowMin: 0, atMin: 0, aboveMin: 0, full: 0, overMax: 0 };
}
