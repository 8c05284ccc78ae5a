/** What is applied and what clients are told: entries equal everywhere, refusals final, reads fresh. */
import type { Entry, LogIndex, Result } from '../../core/raft/index.ts';
import { expect } from '../finding.ts';
import { mixEntry } from '../hash.ts';
import type { PeerView } from './peer-view.ts';

export class ClientChecker {
  /** Hash of each applied entry, by index. */
  readonly #applied: number[] = [0];
  /** Where a proposal was applied, by its number. */
  readonly #indexOf = new Map<number, LogIndex>();
  readonly #refused = new Set<number>();
  /** Reads under way, by peer and then number: the commit index when they began. */
  readonly #reads = new Map<string, Map<number, LogIndex>>();
  successes = 0;
  reads = 0;

  /** `numberOf` finds a proposal's number in an entry. */
  applies(peer: PeerView, entries: readonly Entry[], numberOf: (entry: Entry) => number | undefined): void {
    for (const entry of entries) {
      const hash = mixEntry(0, entry);
      const known = this.#applied[entry.index];
      expect(known === undefined || known === hash, 'applied entries equal', () => {
        return `${peer.id} applies another entry at ${entry.index} than others did`;
      });
      if (known !== undefined) continue;
      this.#applied[entry.index] = hash;
      const number = numberOf(entry);
      if (number === undefined) continue;
      const isRefused = this.#refused.has(number);
      expect(!isRefused, 'refused is final', () => `proposal ${number} was refused and is applied at ${entry.index}`);
      expect(!this.#indexOf.has(number), 'applied once', () => `proposal ${number} is applied twice`);
      this.#indexOf.set(number, entry.index);
    }
  }

  proposalEnds(number: number, result: Result): void {
    const index = this.#indexOf.get(number);
    if (result.outcome === 'unknown') return;
    if (result.outcome === 'applied') {
      expect(index === result.index, 'answers name their entry', () => {
        return `proposal ${number} is answered as applied at ${result.index}, it is at ${index}`;
      });
      this.successes++;
      return;
    }
    expect(index === undefined, 'refused is final', () => `proposal ${number} is refused, and was applied at ${index}`);
    this.#refused.add(number);
  }

  readBegins({ id }: PeerView, number: number, commit: LogIndex): void {
    const reads = this.#reads.get(id) ?? new Map<number, LogIndex>();
    this.#reads.set(id, reads.set(number, commit));
  }

  /** Numbers begin anew. */
  restarted({ id }: PeerView): void {
    this.#reads.delete(id);
  }

  /** Any result; those of reads are looked at. */
  readEnds({ id }: PeerView, result: Result, applied: LogIndex): void {
    const reads = this.#reads.get(id);
    const begin = reads?.get(result.id);
    if (begin === undefined) return;
    reads?.delete(result.id);
    if (result.outcome !== 'applied') return;
    this.reads++;
    expect(result.index >= begin, 'reads are fresh', () => {
      return `a read is served at ${result.index}, ${begin} was committed when it began`;
    });
    expect(applied >= result.index, 'reads are fresh', () => `a read of ${result.index} is served at ${applied}`);
  }

  get hash(): number {
    return this.#applied.reduce((hash, entry) => Math.imul(hash ^ entry, 0x9e3779b1) >>> 0, 0);
  }
}
