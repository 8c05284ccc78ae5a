/**
 * What healing does to pins, held against what the peer that does it has heard of the others: a pin moves when it has fewer holders than
 * its minimum and not otherwise, whoever comes and goes within the grace period stays a holder, and no pin loses its last copy. While a
 * holder leaves, others may be added beside those that have not got the content, or do not say so, which nobody but the healer knows.
 *
 * A healer decides by what it knew a little while ago. So nothing is demanded of members that it may have seen as lost or emptied then.
 */
import type { Clock } from '../../base/index.ts';
import type { Consensus, PeerMonitor } from '../../cluster/ports.ts';
import type { PeerId, Pin } from '../../model/index.ts';
import { expect } from '../finding.ts';
import { over } from '../over.ts';

/** Between two looks of the checker, and a bit. */
const sampleMs = 600;
/** How old a view may be by which holders are added. */
const addedViewMs = 3000;
/** The same, of holders that are dropped: others are asked before. */
const droppedViewMs = 13_000;

export interface MovesRules {
  readonly graceMs: number;
  readonly nowMs: () => number;
  /** Whether the node of the peer holds it. */
  readonly holds: (peer: PeerId, key: string) => boolean;
  /** When its node last lost it, in virtual milliseconds; `undefined`: never. */
  readonly lostMs: (peer: PeerId, key: string) => number | undefined;
  /** It is being removed, and its pins are moved before. */
  readonly isBeingRemoved: (peer: PeerId) => boolean;
}

/** What a writer knows by. */
export interface Knowledge {
  readonly monitor: PeerMonitor;
  readonly clock: Clock;
  readonly members: readonly PeerId[];
}

/** What one life has seen of another peer, in virtual milliseconds. */
interface Sight {
  /** When it may last have counted as lost; and as one that is to be emptied, or is no member. */
  goneMs: number;
  leavingMs: number;
}

/** By peer, of one life. */
type Sights = Map<PeerId, Sight>;

export class MovesChecker {
  readonly #rules: MovesRules;
  readonly #sights = new WeakMap<PeerMonitor, Sights>();
  /** Writes of healing that were begun. */
  begun = 0;

  constructor(rules: MovesRules) {
    this.#rules = rules;
  }

  /** To be called every 500 ms, for each peer that is up, with all peers that there are. */
  sample({ monitor, clock, members }: Knowledge, peers: readonly PeerId[]): void {
    const nowMs = this.#rules.nowMs();
    const isNew = !this.#sights.has(monitor);
    const sights: Sights = this.#sights.get(monitor) ?? new Map();
    this.#sights.set(monitor, sights);
    for (const peer of peers) {
      const sight = sights.get(peer) ?? { goneMs: -Infinity, leavingMs: -Infinity };
      sights.set(peer, sight);
      const cordon = monitor.latestOf('cordon', peer)?.value ?? 'none';
      if (isNew || this.#mayBeGone(monitor, clock, peer)) sight.goneMs = nowMs;
      if (isNew || cordon !== 'none' || !members.includes(peer)) sight.leavingMs = nowMs;
    }
  }

  #mayBeGone(monitor: PeerMonitor, clock: Clock, peer: PeerId): boolean {
    const ping = monitor.latestOf('ping', peer);
    if (ping === undefined) return true;
    const missingMs = Number(clock.wallNanos() - ping.expire) / 1e6;
    return missingMs >= this.#rules.graceMs - sampleMs;
  }

  /** Looks at the writes of one life. `knowledge` is asked when it writes; `guard` runs what may fail. */
  watch(
    self: PeerId,
    consensus: Consensus,
    knowledge: () => Knowledge | undefined,
    guard: (act: () => void) => void,
  ): Consensus {
    return over(consensus, {
      logPin: (pin, options) => {
        const known = knowledge();
        const before = options?.onlyIf ?? consensus.pinset().get(pin.cid);
        if (known !== undefined && before?.name === pin.name) guard(() => this.#check(self, before, pin, known));
        return consensus.logPin(pin, options);
      },
    });
  }

  #check(self: PeerId, before: Pin, after: Pin, known: Knowledge): void {
    const { monitor, members } = known;
    this.begun++;
    this.sample(known, before.allocations ?? []);
    // Whoever is no member is given up.
    const isBeingRemoved = (peer: PeerId): boolean => !members.includes(peer) || this.#rules.isBeingRemoved(peer);
    const sights = this.#sights.get(monitor);
    const holders = before.allocations ?? [];
    const next = after.allocations ?? [];
    const what = (): string => `${self} moves ${after.name} from ${holders} to ${next}`;
    // Of ourselves we know that we live, and not what we may have been told to hold.
    const hasStayed = (peer: PeerId, viewMs: number): boolean => {
      const { goneMs = Infinity, leavingMs = Infinity } = sights?.get(peer) ?? {};
      const sinceMs = this.#rules.nowMs() - viewMs;
      return (peer === self || goneMs < sinceMs) && leavingMs < sinceMs && !isBeingRemoved(peer);
    };
    const added = next.filter((peer) => !holders.includes(peer));
    const counted = holders.filter((peer) => hasStayed(peer, addedViewMs));
    const isLeaving = (peer: PeerId): boolean =>
      (sights?.get(peer)?.leavingMs ?? Infinity) >= this.#rules.nowMs() - addedViewMs;
    const isNeeded = added.length === 0 || counted.length < after.replicationFactorMin || holders.some(isLeaving);
    expect(isNeeded, 'moves are needed', () => `${what()}, and ${counted.length} of its holders have stayed`);
    const wrong = holders.find((peer) => !next.includes(peer) && hasStayed(peer, droppedViewMs));
    const isFull = next.length >= after.replicationFactorMax;
    expect(wrong === undefined || isFull, 'moves are needed', () => `${what()}, though ${wrong} has stayed`);
    this.#checkCopies(before, next, isBeingRemoved, what);
  }

  #checkCopies(
    { cid, allocations }: Pin,
    next: readonly PeerId[],
    isBeingRemoved: (peer: PeerId) => boolean,
    what: () => string,
  ): void {
    const { holds, lostMs, nowMs } = this.#rules;
    // What others had when they were asked they may have lost since.
    const sinceMs = nowMs() - droppedViewMs;
    const hadIt = (peer: PeerId): boolean =>
      holds(peer, cid.key) || (lostMs(peer, cid.key) ?? Number.NEGATIVE_INFINITY) >= sinceMs;
    const dropped = (allocations ?? []).filter(
      (peer) => !next.includes(peer) && !isBeingRemoved(peer) && holds(peer, cid.key),
    );
    expect(dropped.length === 0 || next.some(hadIt), 'last copy', () => `${what()}: only ${dropped} has it`);
  }
}
