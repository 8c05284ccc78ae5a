/**
 * What IPFS nodes and trackers must come to: every peer holds what the log allocates to it, and nothing that the cluster has put there
 * and the log has not. Allocations themselves are within their factors.
 */
import type { Entry, LogIndex } from '../../core/raft/index.ts';
import { type PeerId, type Pin, type PinInfo, raftCommandCodec } from '../../model/index.ts';
import { expect } from '../finding.ts';

export class PinsChecker {
  /** By CID, as of the last entry. */
  readonly #pins = new Map<string, Pin>();
  #last: LogIndex = 0;

  /** Entries of any peer, in its order; each is looked at once. */
  applies(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.#last) continue;
      this.#last = entry.index;
      if (entry.type !== 'command') continue;
      const { type, pin } = raftCommandCodec.decode(entry.data);
      if (type === 'pin') checkAllocations(pin);
      if (type === 'pin') this.#pins.set(pin.cid.key, pin);
      else this.#pins.delete(pin.cid.key);
    }
  }

  /** What is wrong with an IPFS node's pins; `undefined`: nothing. `excused`: CIDs of which the record of having pinned them was lost. */
  wrongHeld(peer: PeerId, held: Iterable<string>, excused: (key: string) => boolean): string | undefined {
    const left = new Set(held);
    for (const [key, pin] of this.#pins) {
      if (!isFor(pin, peer)) continue;
      if (!left.delete(key)) return `lacks ${pin.name}`;
    }
    for (const key of left) if (!excused(key)) return `holds ${key}, which is not allocated to it`;
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

function checkAllocations({ name, replicationFactorMin: min, replicationFactorMax: max, allocations }: Pin): void {
  const peers = new Set(allocations);
  const count = allocations?.length ?? 0;
  const isRight = max < 0 ? count === 0 : peers.size === count && count >= min && count <= max;
  expect(
    isRight,
    'allocations',
    () => `${name} is on ${count} peers, ${peers.size} of them different: ${min} to ${max}`,
  );
}
