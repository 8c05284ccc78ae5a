/** What is on a virtual disk: a log image that takes writes, and complains when one would leave a gap. */
import { assert } from '../base/index.ts';
import {
  type Base,
  type Entry,
  type HardState,
  type LogImage,
  type LogIndex,
  type LogOp,
  originBase,
  type Term,
} from '../core/raft/index.ts';

export class DiskImage implements LogImage {
  hard: HardState = { term: 0, votedFor: undefined };
  base: Base = originBase;
  readonly entries: Entry[] = [];

  get lastIndex(): LogIndex {
    return this.base.index + this.entries.length;
  }

  get lastTerm(): Term {
    return this.entries.at(-1)?.term ?? this.base.term;
  }

  termAt(index: LogIndex): Term | undefined {
    return index === this.base.index ? this.base.term : this.entries[index - this.base.index - 1]?.term;
  }

  perform(ops: readonly LogOp[]): void {
    const { term } = ops.findLast((op) => op.type === 'hard')?.state ?? this.hard;
    const last = ops.findLast((op) => op.type === 'put')?.entries.at(-1);
    // Before anything is done: what is refused leaves nothing.
    assert((last?.term ?? 0) <= term, 'the term on disk is never older than an entry on disk');
    for (const op of ops) this.#perform(op);
    assert(this.lastTerm <= this.hard.term, 'the term on disk is never older than the base on disk');
  }

  /** As a restarted peer would load it. */
  load(): LogImage {
    return { hard: this.hard, base: this.base, entries: [...this.entries] };
  }

  #perform(op: LogOp): void {
    switch (op.type) {
      case 'hard':
        assert(op.state.term >= this.hard.term, 'terms on disk never fall');
        this.hard = op.state;
        break;
      case 'cut':
        assert(op.from > this.base.index && op.from <= this.lastIndex, 'a cut is inside the log on disk');
        this.entries.length = op.from - this.base.index - 1;
        break;
      case 'put':
        for (const entry of op.entries) {
          assert(entry.index === this.lastIndex + 1, 'the log on disk has no gap');
          this.entries.push(entry);
        }
        break;
      case 'compact':
        assert(op.base.index >= this.base.index && op.base.index <= this.lastIndex, 'a log is compacted inside itself');
        assert(this.termAt(op.base.index) === op.base.term, 'a log is compacted at an entry it has');
        this.entries.splice(0, op.base.index - this.base.index);
        this.base = op.base;
        break;
      case 'reset':
        assert(op.base.index >= this.base.index, 'the base never goes back');
        this.entries.length = 0;
        this.base = op.base;
        break;
    }
  }
}
