/**
 * What a peer must not forget: term, vote and log, in memory and on their way to the disk.
 *
 * Writes are numbered 1, 2, 3 …; one is under way at a time, and everything that changes meanwhile is the next one. That is
 * group commit. Whoever must wait for the disk asks for the number of the write that carries what it depends on
 * (`everything`, `election`) and waits until `written` has reached it.
 */
import { assert } from '../../base/index.ts';
import type { Rules } from './rules.ts';
import type { Base, Configuration, Entry, HardState, LogImage, LogIndex, LogOp, Term } from './types.ts';

interface ConfigurationAt {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

export class Journal {
  base: Base;
  /** Entries up to here are on disk, as they are in memory. */
  durable: LogIndex;
  /** How many writes are done. */
  written = 0;
  /** The number of the write that carries the present term and vote. */
  election = 0;
  hard: HardState;
  readonly #entries: Entry[];
  /** Every configuration in the log, the oldest being the base's, so that a cut can go back. Never empty. */
  #configurations: ConfigurationAt[];
  #pending: LogOp[] = [];
  /** While a write is under way: the last index it makes durable. */
  #writing: LogIndex | undefined;

  constructor(image: LogImage) {
    this.base = image.base;
    this.hard = image.hard;
    this.#entries = [];
    this.#configurations = [{ index: image.base.configurationIndex, configuration: image.base.configuration }];
    this.#push(image.entries);
    this.durable = this.lastIndex;
  }

  get lastIndex(): LogIndex {
    return this.base.index + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.base.term;
  }

  /** The last configuration in the log, committed or not: it holds from the moment it is there. */
  get configuration(): Configuration {
    return this.#latest.configuration;
  }

  get configurationIndex(): LogIndex {
    return this.#latest.index;
  }

  /** The one that held before the last change. Empty when the log does not know it. */
  get configurationBefore(): Configuration {
    return this.#configurations.at(-2)?.configuration ?? { servers: [] };
  }

  entry(index: LogIndex): Entry | undefined {
    return this.#entries[index - this.base.index - 1];
  }

  /** `undefined` for what is not known any more, or not yet. */
  termAt(index: LogIndex): Term | undefined {
    return index === this.base.index ? this.base.term : this.entry(index)?.term;
  }

  /** What stands in for the log up to `index`, which is in it, or its base. */
  baseAt(index: LogIndex): Base {
    const term = this.termAt(index);
    const made = this.#configurations.findLast((at) => at.index <= index);
    assert(term !== undefined && made !== undefined, 'a base is a point of the log');
    return { index, term, configuration: made.configuration, configurationIndex: made.index };
  }

  /** Entries from `from` on, at least one if there is one, at most `countMax`, and `bytesMax` data bytes. */
  slice(from: LogIndex, countMax: number, bytesMax: number): readonly Entry[] {
    const start = from - this.base.index - 1;
    let end = start;
    let bytes = 0;
    for (; end < this.#entries.length && end - start < countMax; end++) {
      const entry = this.#entries[end];
      bytes += entry === undefined ? 0 : entryBytes(entry);
      if (bytes > bytesMax && end > start) break;
    }
    return this.#entries.slice(start, end);
  }

  /** The lowest index behind which there are at most so many data bytes. */
  indexBeforeLast(bytesMax: number): LogIndex {
    let bytes = 0;
    for (let at = this.#entries.length; at > 0; at--) {
      const entry = this.#entries[at - 1];
      bytes += entry === undefined ? 0 : entryBytes(entry);
      if (bytes > bytesMax) return this.base.index + at;
    }
    return this.base.index;
  }

  /** The index before the first entry of the term that `index` is in: where a log that differs there may still agree. */
  indexBeforeTermOf(index: LogIndex): LogIndex {
    const term = this.termAt(index);
    let before = index;
    while (before > this.base.index && this.termAt(before) === term) before--;
    return before;
  }

  setHard(hard: HardState): void {
    this.hard = hard;
    // A term and the vote in it come in one step.
    if (this.#pending.at(-1)?.type === 'hard') this.#pending.pop();
    this.#pending.push({ type: 'hard', state: hard });
    this.election = this.everything;
  }

  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#push(entries);
    const last = this.#pending.at(-1);
    if (last?.type === 'put') this.#pending[this.#pending.length - 1] = joined(last.entries, entries);
    else this.#pending.push({ type: 'put', entries: [...entries] });
  }

  /** Removes the entries at `from` and after. */
  cut(from: LogIndex, rules: Pick<Rules, 'rollsBackConfiguration' | 'lowersDurable'>): void {
    assert(from > this.base.index && from <= this.lastIndex, 'a cut is inside the log');
    this.#entries.length = from - this.base.index - 1;
    if (rules.rollsBackConfiguration) while (this.#latest.index >= from) this.#configurations.pop();
    if (rules.lowersDurable) {
      this.durable = Math.min(this.durable, from - 1);
      if (this.#writing !== undefined) this.#writing = Math.min(this.#writing, from - 1);
    }
    this.#pending.push({ type: 'cut', from });
  }

  /** Forgets the entries up to `base`, at which the state is durable: in its stead a crash needs no log. */
  compact(base: Base): void {
    assert(this.termAt(base.index) === base.term, 'a log is compacted at an entry it has');
    this.#entries.splice(0, base.index - this.base.index);
    const later = this.#configurations.filter(({ index }) => index > base.index);
    this.#begin(base, later);
    this.#pending.push({ type: 'compact', base });
  }

  /** Forgets everything: the log goes on after `base`, at which the state is durable. */
  reset(base: Base): void {
    this.#entries.length = 0;
    if (this.#writing !== undefined) this.#writing = base.index;
    this.durable = base.index;
    this.#begin(base, []);
    this.#pending.push({ type: 'reset', base });
  }

  #begin(base: Base, later: readonly ConfigurationAt[]): void {
    this.base = base;
    this.#configurations = [{ index: base.configurationIndex, configuration: base.configuration }, ...later];
    this.durable = Math.max(this.durable, base.index);
  }

  /** The number of the write after which all that was said so far is on disk. */
  get everything(): number {
    return this.written + (this.#writing === undefined ? 0 : 1) + (this.#pending.length === 0 ? 0 : 1);
  }

  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  /** The next write, if there is something to write and none is under way. */
  startWrite(): readonly LogOp[] | undefined {
    if (this.#writing !== undefined || this.#pending.length === 0) return undefined;
    const ops = this.#pending;
    this.#pending = [];
    this.#writing = this.lastIndex;
    return ops;
  }

  finishWrite(): void {
    assert(this.#writing !== undefined, 'a write is under way when one is reported');
    this.durable = Math.max(this.durable, this.#writing);
    this.#writing = undefined;
    this.written++;
  }

  get #latest(): ConfigurationAt {
    const latest = this.#configurations.at(-1);
    assert(latest !== undefined, 'there is always a configuration');
    return latest;
  }

  #push(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(
        entry.index === this.lastIndex + 1 && entry.term >= this.lastTerm,
        'the log has no gap and terms never fall',
      );
      this.#entries.push(entry);
      if (entry.type === 'configuration') {
        this.#configurations.push({ index: entry.index, configuration: entry.configuration });
      }
    }
  }
}

/** What an entry counts in limits. */
export function entryBytes(entry: Entry): number {
  return entry.type === 'command' ? entry.data.length : 0;
}

/** `first` was made here and has not been handed out yet, so it may grow in place: joining stays linear. */
function joined(first: readonly Entry[], second: readonly Entry[]): LogOp {
  const entries = first as Entry[];
  for (const entry of second) entries.push(entry);
  return { type: 'put', entries };
}
