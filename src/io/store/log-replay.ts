/** Makes the image of a log of its writes, from a point on at which entries may be missing that are compacted away later. */
import type { Entry, LogImage, LogIndex, LogOp } from '../../core/raft/index.ts';
import { boundsAfter, type LogBounds } from './log-bounds.ts';

/** The writes of one log, in order. */
export class LogReplay {
  #bounds: LogBounds;
  /** Contiguous; the first has index `#first`. Before it are those that were made before the replay began. */
  #entries: Entry[] = [];
  #first: LogIndex;

  constructor(start: LogBounds) {
    this.#bounds = start;
    this.#first = start.last + 1;
  }

  get bounds(): LogBounds {
    return this.#bounds;
  }

  /** `fail` is told what the write breaks. */
  apply(ops: readonly LogOp[], fail: (text: string) => never): void {
    this.#bounds = boundsAfter(this.#bounds, ops, fail);
    for (const op of ops) this.#perform(op);
  }

  /** The whole log; `undefined` when it needs an entry from before the replay. */
  image(): LogImage | undefined {
    const { hard, base } = this.#bounds;
    if (base.index + 1 < this.#first) return undefined;
    return { hard, base, entries: this.#entries };
  }

  #perform(op: LogOp): void {
    switch (op.type) {
      case 'hard':
        break;
      case 'cut':
        this.#entries.length = Math.max(0, op.from - this.#first);
        this.#first = Math.min(this.#first, op.from);
        break;
      case 'put':
        for (const entry of op.entries) this.#entries.push(entry);
        break;
      case 'compact':
        if (op.base.index < this.#first) break;
        this.#entries = this.#entries.slice(op.base.index + 1 - this.#first);
        this.#first = op.base.index + 1;
        break;
      case 'reset':
        this.#entries = [];
        this.#first = op.base.index + 1;
        break;
    }
  }
}
