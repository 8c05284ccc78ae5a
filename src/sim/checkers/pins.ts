/**
 * What IPFS nodes and trackers must come to: every peer holds what the log allocates to it, and nothing that the cluster has put there
 * and the log has not. Allocations themselves are within their factors.
 */
import type { Entry, LogIndex } from '../../core/raft/index.ts';
import { type PeerId, type Pin, type PinInfo, raftCommandCodec, timeToNanos } from '../../model/index.ts';
import { expect } from '../finding.ts';

/** What a pin is held as. */
type Held = ReadonlyMap<string, { readonly mode: 'recursive' | 'direct' }>;

export interface PinsRules {
  /** Whether pins under the key may expire; clients do not unpin those. */
  readonly mayExpire: (key: string) => boolean;
  /** What the clock of a peer may show at most. */
  readonly nowNanosMax: () => bigint;
}

export class PinsChecker {
  /** By CID, as of the last entry. */
  readonly #pins = new Map<string, Pin>();
  /** Who was ever to hold a CID; `undefined` under a CID that was once for all. */
  readonly #ever = new Map<string, Set<PeerId> | undefined>();
  /** All that a CID ever had. */
  readonly #allocations = new Map<string, Set<string>>();
  readonly #rules: PinsRules;
  #last: LogIndex = 0;
  /** Pins that were removed because they had expired. */
  expired = 0;

  constructor(rules: PinsRules) {
    this.#rules = rules;
  }

  /** Entries of any peer, in its order; each is looked at once. */
  applies(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.#last) continue;
      this.#last = entry.index;
      if (entry.type !== 'command') continue;
      const { type, pin } = raftCommandCodec.decode(entry.data);
      if (type === 'pin') this.#pinned(pin);
      else this.#unpinned(pin.cid.key);
    }
  }

  #pinned(pin: Pin): void {
    const { key } = pin.cid;
    const before = this.#allocations.get(key) ?? new Set();
    const isMove = this.#pins.get(key)?.name === pin.name;
    if (!isMove) checkAllocations(pin, before);
    this.#allocations.set(key, before.add(String(pin.allocations)));
    this.#pins.set(key, pin);
    const ever = this.#ever.has(key) ? this.#ever.get(key) : new Set<PeerId>();
    for (const peer of pin.allocations ?? []) ever?.add(peer);
    this.#ever.set(key, pin.replicationFactorMax < 0 ? undefined : ever);
  }

  #unpinned(key: string): void {
    const pin = this.#pins.get(key);
    this.#pins.delete(key);
    if (!this.#rules.mayExpire(key)) return;
    expect(pin !== undefined, 'expired once', () => `${key} is unpinned as expired, and is not in the pinset`);
    expect(this.#isOver(pin), 'only expired', () => `${pin.name} is unpinned as expired, and is not`);
    this.expired++;
  }

  #isOver({ expireAt }: Pin): boolean {
    return expireAt !== null && timeToNanos(expireAt) <= this.#rules.nowNanosMax();
  }

  /** What has expired by a clock that shows this, and is still there. */
  overdue(nowNanos: bigint): string | undefined {
    for (const { name, expireAt } of this.#pins.values()) {
      if (expireAt !== null && timeToNanos(expireAt) < nowNanos) return `${name} has expired and is still there`;
    }
    return undefined;
  }

  /**
   * What is wrong with who holds what, when nothing happens any more; `undefined`: nothing. `stays`: members that hold what they hold.
   * `chosen`: those of them that others can be moved to.
   */
  wrongHolders(stays: ReadonlySet<PeerId>, chosen: ReadonlySet<PeerId>): string | undefined {
    for (const { name, allocations, replicationFactorMin: min, replicationFactorMax: max } of this.#pins.values()) {
      if (max < 0) continue;
      const holders = allocations ?? [];
      const staying = holders.filter((peer) => stays.has(peer));
      const possible = new Set([...staying, ...chosen]).size;
      if (staying.length < Math.min(min, possible)) return `${name} has ${staying.length} holders, expected ${min}`;
      if (holders.length > max && staying.length >= min) return `${name} has ${holders.length} holders, at most ${max}`;
    }
    return undefined;
  }

  /** Pins that are still to leave peers that others have taken over from; `undefined`: none. */
  wrongLeavers(isLeaving: (peer: PeerId) => boolean, stays: ReadonlySet<PeerId>): string | undefined {
    for (const { name, allocations, replicationFactorMin: min, replicationFactorMax: max } of this.#pins.values()) {
      if (max < 0 || (allocations ?? []).filter((peer) => stays.has(peer)).length < min) continue;
      const left = allocations?.find(isLeaving);
      if (left !== undefined) return `${name} is on ${left} still`;
    }
    return undefined;
  }

  /** Whether the cluster may ever have pinned it there. */
  wasEverFor(peer: PeerId, key: string): boolean {
    return this.#ever.has(key) && (this.#ever.get(key)?.has(peer) ?? true);
  }

  /** What is wrong with an IPFS node's pins; `undefined`: nothing. `excused`: CIDs that are not known as the cluster's. */
  wrongHeld(peer: PeerId, held: Held, excused: (key: string) => boolean): string | undefined {
    for (const [key, pin] of this.#pins) {
      if (!isFor(pin, peer)) continue;
      const { mode } = held.get(key) ?? {};
      if (mode === undefined) return `lacks ${pin.name}`;
      if (mode === 'direct' && pin.maxDepth !== 0) return `holds ${pin.name} as ${mode} only`;
    }
    for (const key of held.keys()) {
      const pin = this.#pins.get(key);
      if (pin !== undefined && isFor(pin, peer)) continue;
      if (!excused(key)) return `holds ${pin?.name ?? key}, which is not allocated to it`;
    }
    return undefined;
  }

  /** What is wrong with what a tracker says; `undefined`: nothing. */
  wrongStatus(peer: PeerId, rows: readonly Pick<PinInfo, 'cid' | 'status'>[]): string | undefined {
    const left = new Map(rows.map((row) => [row.cid.key, row.status]));
    for (const [key, pin] of this.#pins) {
      const expected = isFor(pin, peer) ? 'pinned' : 'remote';
      const status = left.get(key);
      if (status !== expected) return `says ${pin.name} is ${status}, expected ${expected}`;
      left.delete(key);
    }
    for (const [key, status] of left) return `says ${key}, which is not in the pinset, is ${status}`;
    return undefined;
  }
}

function isFor({ replicationFactorMax, allocations }: Pin, peer: PeerId): boolean {
  return replicationFactorMax < 0 || (allocations ?? []).includes(peer);
}

function checkAllocations(pin: Pin, before: ReadonlySet<string>): void {
  const { name, replicationFactorMin: min, replicationFactorMax: max, allocations } = pin;
  const peers = new Set(allocations);
  const count = allocations?.length ?? 0;
  // Some clients write over what healing has left.
  const isKept = before.has(String(allocations));
  const isRight = max < 0 ? count === 0 : peers.size === count && (isKept || (count >= min && count <= max));
  expect(
    isRight,
    'allocations',
    () => `${name} is on ${count} peers, ${peers.size} of them different: ${min} to ${max}`,
  );
}
