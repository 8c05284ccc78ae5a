/**
 * Which pins to move so that each is spread over groups as far as can be, and every peer holds about as many as the others.
 *
 * Pins pass by several times, one by one: what is kept is a number for each peer and the moves themselves. First they are counted.
 * Then each pin with two holders in one group (or on one IPFS node) gets one in another group, and peers with more than their share
 * give pins to those with less. Shares are equal among all at first, and then within each group: groups of unlike size cannot hold
 * equally many where a pin must be in both. No move lowers the spread of a pin or the number of its holders.
 *
 * Every evening move lowers the sum of the squares of the numbers of pins, so that it ends; and takes a pin either from a peer with
 * more than the rounded up share or to one with less than the rounded down one, so that none is in vain. The reference has nothing of
 * the kind.
 */
import type { Cid, PeerId, Pin } from '../../model/index.ts';
import { canTake } from './decide.ts';
import type { MemberFacts } from './request.ts';

/** A pin that is to be held by `to` instead of `from`. */
export interface PlannedMove {
  readonly cid: Cid;
  readonly from: PeerId;
  readonly to: PeerId;
  /** `spread`: two of its holders are in one group; `balance`: `from` has more pins than its share. */
  readonly why: 'spread' | 'balance';
}

/** What a plan is made for. */
export interface RebalanceRequest {
  readonly members: readonly MemberFacts[];
  /** Members that are lost for good: they count neither as holders nor for anything else. */
  readonly gone: ReadonlySet<PeerId>;
  readonly allocateBy: readonly string[];
  readonly nowNanos: bigint;
  /** Moves at most; what is kept in memory grows with them. */
  readonly movesMax: number;
}

/** How many pins a member holds. */
export interface PeerShare {
  readonly peer: PeerId;
  readonly peername: string;
  /** Whether it takes part: the others neither get nor give pins. */
  readonly takesPart: boolean;
  readonly before: number;
  /** After all moves of the plan. */
  readonly after: number;
}

interface Peer {
  readonly id: PeerId;
  readonly peername: string;
  readonly takesPart: boolean;
  readonly isGone: boolean;
  /** Where it is, from the widest group to the IPFS node; equal texts are one place. */
  readonly places: readonly string[];
  /** Peers between which pins are evened in the second place. */
  readonly group: string;
  before: number;
  pins: number;
}

/** Peers that are to hold about equally many pins. */
interface Circle {
  readonly peers: readonly Peer[];
  readonly shareMin: number;
  readonly shareMax: number;
}

/** Holders of a pin as planned so far. */
interface Held {
  readonly holders: readonly PeerId[];
  /** Who has been planned as a new holder: it does not have the content yet, and is not moved again. */
  readonly arrived: readonly PeerId[];
}

/**
 * What is evened in one pass over all pins, in turn until nothing moves. Strict: only from those who have too many to those who have
 * too few; one move then does what would be two.
 */
const phases = [
  { isWithinGroups: false, isStrict: true },
  { isWithinGroups: false, isStrict: false },
  { isWithinGroups: true, isStrict: true },
  { isWithinGroups: true, isStrict: false },
] as const;
/** A safeguard only: each pass that moves something brings the end nearer. */
const passesMax = 24;

/** Makes one plan: every pin is given to `count`; then, as long as `next` says so, every pin to `plan`. */
export class RebalancePlanner {
  readonly #peers: ReadonlyMap<PeerId, Peer>;
  readonly #parts: readonly Peer[];
  readonly #movesMax: number;
  readonly #held = new Map<string, Held>();
  /** Index into `phases`; `undefined` while pins are counted. */
  #phase: number | undefined;
  #circles: ReadonlyMap<Peer, Circle> = new Map();
  #moves = 0;
  #movesBefore = 0;
  #passes = 0;
  /** Phases in a row that have moved nothing. */
  #idle = 0;

  constructor(request: RebalanceRequest) {
    const levels = groupLevels(request);
    const peers = request.members.map((facts) => peerOf(facts, levels, request));
    this.#peers = new Map(peers.map((peer) => [peer.id, peer]));
    this.#parts = peers.filter(({ takesPart }) => takesPart);
    this.#movesMax = request.movesMax;
  }

  /** The first pass. */
  count(pin: Pin): void {
    if (!hasHolders(pin)) return;
    for (const id of new Set(pin.allocations)) {
      const peer = this.#peers.get(id);
      if (peer === undefined) continue;
      peer.before += 1;
      peer.pins += 1;
    }
  }

  /** Ends a pass. `false`: the plan is complete, or as long as it may be. */
  next(): boolean {
    this.#passes += 1;
    if (this.isFull || this.#parts.length < 2 || this.#passes > passesMax) return false;
    if (this.#phase === undefined) return this.#begin(0);
    if (this.#moves > this.#movesBefore) this.#idle = 0;
    else this.#idle += 1;
    // From the phase behind this one, each once; one that could move nothing by the numbers of pins need not be tried.
    for (let step = 1; step + this.#idle <= phases.length; step += 1) {
      const at = (this.#phase + step) % phases.length;
      if (this.#isOfUse(at)) {
        this.#idle += step - 1;
        return this.#begin(at);
      }
    }
    return false;
  }

  #begin(phase: number): boolean {
    this.#phase = phase;
    this.#movesBefore = this.#moves;
    this.#circles = this.#circlesOf(phase);
    return true;
  }

  #circlesOf(phase: number): ReadonlyMap<Peer, Circle> {
    return circlesOf(this.#parts, phases[phase]?.isWithinGroups === true ? ({ group }) => group : () => '');
  }

  #isOfUse(phase: number): boolean {
    const isStrict = phases[phase]?.isStrict === true;
    return [...new Set(this.#circlesOf(phase).values())].some(({ peers, shareMin, shareMax }) => {
      const hasMore = peers.some(({ pins }) => pins > shareMax);
      const hasLess = peers.some(({ pins }) => pins < shareMin);
      return isStrict ? hasMore && hasLess : hasMore || hasLess;
    });
  }

  /** Moves of this pin that are new in this pass. */
  plan(pin: Pin): PlannedMove[] {
    if (this.#phase === undefined || this.isFull || !hasHolders(pin)) return [];
    const moves: PlannedMove[] = [];
    let held = this.#held.get(pin.cid.key) ?? { holders: pin.allocations, arrived: [] };
    if (!this.#isSettled(pin, held)) return [];
    for (;;) {
      const found = this.#spreading(held) ?? (moves.length === 0 ? this.#evening(held) : undefined);
      if (found === undefined || this.isFull) return moves;
      const { from, to, why } = found;
      moves.push({ cid: pin.cid, from: from.id, to: to.id, why });
      held = {
        holders: held.holders.map((id) => (id === from.id ? to.id : id)),
        arrived: [...held.arrived, to.id],
      };
      this.#held.set(pin.cid.key, held);
      from.pins -= 1;
      to.pins += 1;
      this.#moves += 1;
    }
  }

  /** There may be more to do, which has to wait for another plan. */
  get isFull(): boolean {
    return this.#moves >= this.#movesMax;
  }

  /** Of all members, in the order in which they were given. */
  shares(): PeerShare[] {
    return [...this.#peers.values()].map(({ id, peername, takesPart, before, pins }) => {
      return { peer: id, peername, takesPart, before, after: pins };
    });
  }

  /** A pin that healing is about to work on, or that is on its way from one peer to another, is left alone. */
  #isSettled(pin: Pin, held: Held): boolean {
    return this.#counting(held).length >= pin.replicationFactorMin && held.holders.length <= pin.replicationFactorMax;
  }

  #counting({ holders }: Held): Peer[] {
    return holders.flatMap((id) => {
      const peer = this.#peers.get(id);
      return peer === undefined || peer.isGone ? [] : [peer];
    });
  }

  /** The move that spreads the pin, at the widest level first: from the fullest peer to the emptiest. */
  #spreading(held: Held): Found | undefined {
    const holders = this.#counting(held);
    let best: (Found & { readonly level: number }) | undefined;
    for (const { from, others } of this.#givers(held, holders)) {
      // Only who shares a place with another holder can give the pin up for a better one.
      if (!from.places.some((place, at) => isAmong(others, place, at))) continue;
      for (const to of this.#parts) {
        if (holders.includes(to)) continue;
        const level = gainedLevel(from, to, others);
        if (level === undefined) continue;
        const isBetter =
          best === undefined ||
          level < best.level ||
          (level === best.level &&
            (from.pins > best.from.pins || (from.pins === best.from.pins && to.pins < best.to.pins)));
        if (isBetter) best = { from, to, why: 'spread', level };
      }
    }
    return best;
  }

  /** The move that evens most, and takes nothing from the spread. */
  #evening(held: Held): Found | undefined {
    const holders = this.#counting(held);
    const isStrict = phases[this.#phase ?? 0]?.isStrict === true;
    let best: Found | undefined;
    for (const { from, others } of this.#givers(held, holders)) {
      const circle = this.#circles.get(from);
      if (circle === undefined || from.pins <= circle.shareMin) continue;
      for (const to of circle.peers) {
        if (!evens(from, to, circle, isStrict) || holders.includes(to) || isLowered(from, to, others)) continue;
        const gain = from.pins - to.pins;
        if (best === undefined || gain > best.from.pins - best.to.pins) best = { from, to, why: 'balance' };
      }
    }
    return best;
  }

  /** Holders that can give the pin away, each with the rest. */
  *#givers({ arrived }: Held, holders: readonly Peer[]): Iterable<{ readonly from: Peer; readonly others: Peer[] }> {
    for (const from of holders) {
      if (!from.takesPart || arrived.includes(from.id)) continue;
      yield { from, others: holders.filter((holder) => holder !== from) };
    }
  }
}

interface Found {
  readonly from: Peer;
  readonly to: Peer;
  readonly why: PlannedMove['why'];
}

/** Everywhere is everywhere, and what a meta pin stands for is in other pins. */
function hasHolders(pin: Pin): pin is Pin & { readonly allocations: readonly PeerId[] } {
  return pin.type !== 'meta-pin' && pin.replicationFactorMin > 0 && (pin.allocations?.length ?? 0) > 0;
}

/** Names of the metrics that make groups, outermost first: those before the first that is a number of each peer's own. */
function groupLevels({ members, allocateBy }: RebalanceRequest): readonly string[] {
  const makesGroups = (name: string): boolean => members.some((facts) => facts.metric(name)?.partitionable === true);
  const end = allocateBy.findIndex((name) => !makesGroups(name));
  return end < 0 ? allocateBy : allocateBy.slice(0, end);
}

function peerOf(facts: MemberFacts, levels: readonly string[], request: RebalanceRequest): Peer {
  const places: string[] = [];
  // The last known value counts, expired or not: a peer does not move house when its informer is late.
  const values = levels.map((name) => facts.metric(name)?.value);
  for (const at of values.keys()) {
    const path = values.slice(0, at + 1);
    places.push(path.includes(undefined) ? `peer ${facts.peer}` : JSON.stringify(path));
  }
  const group = places.at(-1) ?? '';
  const isGone = request.gone.has(facts.peer);
  return {
    id: facts.peer,
    peername: facts.peername,
    takesPart: !isGone && canTake(facts, request),
    isGone,
    places: [...places, facts.ipfsNode === '' ? `peer ${facts.peer}` : facts.ipfsNode],
    group,
    before: 0,
    pins: 0,
  };
}

function circlesOf(peers: readonly Peer[], keyOf: (peer: Peer) => string): ReadonlyMap<Peer, Circle> {
  const circles = new Map<Peer, Circle>();
  for (const members of Map.groupBy(peers, keyOf).values()) {
    const total = members.reduce((sum, { pins }) => sum + pins, 0);
    const share = total / members.length;
    const circle = { peers: members, shareMin: Math.floor(share), shareMax: Math.ceil(share) };
    for (const member of members) circles.set(member, circle);
  }
  return circles;
}

/** Whether a pin should go from one to the other, if it can. */
function evens(from: Peer, to: Peer, { shareMin, shareMax }: Circle, isStrict: boolean): boolean {
  const [hasMore, lacks] = [from.pins > shareMax, to.pins < shareMin];
  if (isStrict) return hasMore && lacks;
  return (hasMore && to.pins < shareMax) || (lacks && from.pins > shareMin);
}

function isAmong(peers: readonly Peer[], place: string, level: number): boolean {
  return peers.some((peer) => peer.places[level] === place);
}

/** Whether the pin would be in fewer places of some level. */
function isLowered(from: Peer, to: Peer, others: readonly Peer[]): boolean {
  return from.places.some((place, level) => {
    const isLost = !isAmong(others, place, level);
    return isLost && isAmong(others, to.places[level] ?? '', level);
  });
}

/** The widest level at which the pin would be in more places, when it would be in fewer at none. */
function gainedLevel(from: Peer, to: Peer, others: readonly Peer[]): number | undefined {
  if (isLowered(from, to, others)) return undefined;
  const level = from.places.findIndex((place, at) => {
    return isAmong(others, place, at) && !isAmong(others, to.places[at] ?? '', at);
  });
  return level < 0 ? undefined : level;
}
