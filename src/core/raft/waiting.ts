/** Proposals that are in the log, and reads that are confirmed: they wait until an index is applied, whoever leads by then. */
import type { Base, Entry, LogIndex, Result, Term } from './types.ts';

interface Waiter {
  readonly id: number;
  readonly term: Term;
}

export class Waiting {
  /** An index can have several: placed, cut off, and placed again by a later leadership of the same peer. */
  readonly #at = new Map<LogIndex, Waiter[]>();
  #reads: { readonly id: number; readonly index: LogIndex }[] = [];
  #size = 0;
  /** Of the last applied entry. */
  #appliedTerm: Term = 0;

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
   * leader's entry at a proposal's index, or before it, proves that the proposal will never be committed; that it was cut off
   * here does not, for a peer that still has it may win the next election.
   */
  settle(entry: Entry, results: Result[]): void {
    if (entry.term > this.#appliedTerm) this.#refuseOlder(entry, results);
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
  skipTo({ index, term }: Pick<Base, 'index' | 'term'>, results: Result[]): void {
    for (const [at, waiters] of this.#at) {
      if (at > index) continue;
      this.#at.delete(at);
      this.#size -= waiters.length;
      for (const { id } of waiters) results.push({ id, outcome: 'unknown' });
    }
    if (term > this.#appliedTerm) this.#refuseOlder({ index, term }, results);
  }

  /**
   * Every later leader has this entry, which is committed, and the terms in its log never fall: what was placed behind it in an
   * earlier term cannot be committed any more. Without this a leader whose entries were cut off could be busy for ever, waiting
   * for indexes that its shorter log does not reach.
   */
  #refuseOlder({ index, term }: Pick<Entry, 'index' | 'term'>, results: Result[]): void {
    this.#appliedTerm = term;
    for (const [at, waiters] of this.#at) {
      if (at <= index) continue;
      const left = waiters.filter((waiter) => waiter.term >= term);
      for (const { id, term: placed } of waiters) {
        if (placed < term) results.push({ id, outcome: 'refused', reason: 'superseded', leader: undefined });
      }
      this.#size -= waiters.length - left.length;
      if (left.length === 0) this.#at.delete(at);
      else this.#at.set(at, left);
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
