/** Proposals that are in the log, and reads that are confirmed: they wait until an index is applied, whoever leads by then. */
import type { Entry, LogIndex, Result, Term } from './types.ts';

interface Waiter {
  readonly id: number;
  readonly term: Term;
}

export class Waiting {
  /** An index can have several: placed, cut off, and placed again by a later leadership of the same peer. */
  readonly #at = new Map<LogIndex, Waiter[]>();
  #reads: { readonly id: number; readonly index: LogIndex }[] = [];
  #size = 0;

  get size(): number {
    return this.#size + this.#reads.length;
  }

  place(id: number, index: LogIndex, term: Term): void {
    const waiters = this.#at.get(index);
    if (waiters === undefined) this.#at.set(index, [{ id, term }]);
    else waiters.push({ id, term });
    this.#size++;
  }

  /**
   * Answers those who wait at an entry that has just been applied. Only its term tells whose entry it is. Another
   * leader's entry at a proposal's index is the only proof that the proposal will never be committed: that it was cut
   * off here is none, for a peer that still has it may win the next election.
   */
  settle(entry: Entry, results: Result[]): void {
    const waiters = this.#at.get(entry.index);
    if (waiters === undefined) return;
    this.#at.delete(entry.index);
    this.#size -= waiters.length;
    for (const { id, term } of waiters) {
      if (term === entry.term) results.push({ id, outcome: 'applied', index: entry.index, term });
      else results.push({ id, outcome: 'refused', reason: 'superseded', leader: undefined });
    }
  }

  /** The state was replaced by one that reaches up to `index`: what became of those who waited there cannot be told. */
  skipTo(index: LogIndex, results: Result[]): void {
    for (const [at, waiters] of this.#at) {
      if (at > index) continue;
      this.#at.delete(at);
      this.#size -= waiters.length;
      for (const { id } of waiters) results.push({ id, outcome: 'unknown' });
    }
  }

  placeRead(id: number, index: LogIndex): void {
    this.#reads.push({ id, index });
  }

  settleReads(applied: LogIndex, term: Term, results: Result[]): void {
    if (this.#reads.length === 0) return;
    for (const { id, index } of this.#reads) {
      if (index <= applied) results.push({ id, outcome: 'applied', index: applied, term });
    }
    this.#reads = this.#reads.filter(({ index }) => index > applied);
  }
}
