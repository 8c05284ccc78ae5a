/**
 * How many pins there are of each kind, a kind being all that decides on the replicas of a pin. There are few kinds even where
 * there are millions of pins, so that questions about all of them need not look at any.
 */
import type { PeerId, Pin } from '../model/index.ts';

/** What pins of one kind have in common. */
export interface PinKind extends Pick<Pin, 'type' | 'replicationFactorMin' | 'replicationFactorMax'> {
  /** Ascending, each once. */
  readonly allocations: readonly PeerId[];
}

/**
 * More kinds than this are not kept: about 10 MB. Allocations of 3 peers out of 60 are 34,220.
 */
const kindsMax = 50_000;

interface CountedKind {
  readonly kind: PinKind;
  count: number;
}

/** Counters of kinds. Counts may be below 0 for a while, when what is taken away is added later. */
export class KindCounts implements Iterable<readonly [PinKind, number]> {
  readonly #kinds = new Map<string, CountedKind>();
  /** Keys name peers by their number here: ids are long, and each is in many keys. */
  readonly #peerNumbers = new Map<PeerId, number>();
  readonly #max: number;
  #isFull = false;

  constructor(max: number = kindsMax) {
    this.#max = max;
  }

  /** There were more kinds than are kept: the counts are of no use any more. */
  get isFull(): boolean {
    return this.#isFull;
  }

  add(pin: Pin, amount: number): void {
    if (this.#isFull) return;
    const key = this.#keyOf(pin);
    const known = this.#kinds.get(key);
    if (known === undefined) this.#kinds.set(key, { kind: kindOf(pin), count: amount });
    else if (known.count + amount === 0) this.#kinds.delete(key);
    else known.count += amount;
    if (this.#kinds.size <= this.#max && this.#peerNumbers.size <= this.#max) return;
    this.#isFull = true;
    this.#kinds.clear();
    this.#peerNumbers.clear();
  }

  *[Symbol.iterator](): Generator<readonly [PinKind, number], void> {
    for (const { kind, count } of this.#kinds.values()) yield [kind, count];
  }

  #keyOf({ type, replicationFactorMin, replicationFactorMax, allocations }: Pin): string {
    let key = `${type} ${replicationFactorMin} ${replicationFactorMax}`;
    for (const peer of ascending(allocations)) key += ` ${this.#numberOf(peer)}`;
    return key;
  }

  #numberOf(peer: PeerId): number {
    const known = this.#peerNumbers.get(peer);
    if (known !== undefined) return known;
    const number = this.#peerNumbers.size;
    this.#peerNumbers.set(peer, number);
    return number;
  }
}

/** What a change of the pinset has replaced, and by what; absent: there was, or is, no pin. */
export interface PinChange {
  readonly before: Pin | undefined;
  readonly after: Pin | undefined;
}

/**
 * Counts the kinds of a pinset that goes on changing: the pins of one moment, and the changes after it. Which moment that is comes
 * with the first of the pins, so the changes until then are kept: those of some milliseconds. And a change may be told of after
 * it has been seen among the pins.
 */
export class KindCounting {
  readonly counts: KindCounts;
  /** Until the moment is known. */
  #early: { readonly index: number; readonly change: PinChange }[] = [];
  /** Changes up to this log index are in the pins. */
  #base: number | undefined;

  constructor(counts: KindCounts = new KindCounts()) {
    this.counts = counts;
  }

  /** What is added by itself is of the state after log entry `index`. */
  beginAt(index: number): void {
    this.#base = index;
    for (const { index: at, change } of this.#early) this.changed(at, change);
    this.#early = [];
  }

  /** A change by the log entries up to `index`, in their order. */
  changed(index: number, change: PinChange): void {
    if (this.#base === undefined) this.#early.push({ index, change });
    else if (index > this.#base) this.#count(change);
  }

  #count({ before, after }: PinChange): void {
    if (before !== undefined) this.counts.add(before, -1);
    if (after !== undefined) this.counts.add(after, 1);
  }
}

/** The kind of one pin. */
export function kindOf(pin: Pin): PinKind {
  const { type, replicationFactorMin, replicationFactorMax, allocations } = pin;
  return { type, replicationFactorMin, replicationFactorMax, allocations: ascending(allocations) };
}

/** Each once. */
function ascending(peers: readonly PeerId[] | null): readonly PeerId[] {
  if (peers === null || peers.length < 2) return peers ?? [];
  for (let i = 1; i < peers.length; i++) {
    // The index is below the length.
    if ((peers[i - 1] as PeerId) >= (peers[i] as PeerId)) return [...new Set(peers)].sort();
  }
  return peers;
}
