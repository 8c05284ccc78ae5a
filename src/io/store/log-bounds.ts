/** What every write of a log must keep, told when it is made and again when it is read. */
import { type Base, type HardState, type LogIndex, type LogOp, originBase, type Term } from '../../core/raft/index.ts';

/** What is known of a log without its entries. */
export interface LogBounds {
  readonly hard: HardState;
  readonly base: Base;
  /** Of the last entry; `base.index` when there is none. */
  readonly last: LogIndex;
}

/** Of a new log. */
export const emptyBounds: LogBounds = { hard: { term: 0, votedFor: undefined }, base: originBase, last: 0 };

/** The bounds after a write; `fail` is told what it breaks. Ops are taken in their order, terms at the end. */
export function boundsAfter(before: LogBounds, ops: readonly LogOp[], fail: (text: string) => never): LogBounds {
  let { hard, base, last } = before;
  let term: Term = 0;
  for (const op of ops) {
    switch (op.type) {
      case 'hard':
        if (op.state.term < hard.term) fail(`term ${op.state.term} follows term ${hard.term}`);
        hard = op.state;
        break;
      case 'cut':
        if (op.from <= base.index || op.from > last) fail(`a cut at ${op.from} is not in ${base.index + 1} to ${last}`);
        last = op.from - 1;
        break;
      case 'put':
        for (const entry of op.entries) {
          if (entry.index !== last + 1) fail(`entry ${entry.index} follows entry ${last}`);
          last = entry.index;
          term = Math.max(term, entry.term);
        }
        break;
      case 'compact':
        if (op.base.index < base.index || op.base.index > last) {
          fail(`a base at ${op.base.index} is not in ${base.index} to ${last}`);
        }
        base = op.base;
        term = Math.max(term, base.term);
        break;
      case 'reset':
        if (op.base.index < base.index) fail(`a base at ${op.base.index} follows one at ${base.index}`);
        base = op.base;
        last = base.index;
        term = Math.max(term, base.term);
        break;
    }
  }
  if (term > hard.term) fail(`an entry has term ${term}, later than the saved term ${hard.term}`);
  return { hard, base, last };
}
