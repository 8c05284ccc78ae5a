/**
 * What is committed is the same on every peer and in every later leader's log. A leader that has something else there is proof that
 * this peer's state is of another history, such as one that was imported on this peer alone, or that a majority has lost its log. To
 * go on as if nothing had happened would leave the peers apart in silence.
 */
import { diverged } from './errors.ts';
import type { State } from './state.ts';
import type { LogIndex, Term } from './types.ts';

/** A leader of this term says that its log has `term` at `index`. Throws `raft/diverged` when this peer has committed another there. */
export function requireSameHistory({ journal, commit }: State, index: LogIndex, term: Term): void {
  const own = journal.termAt(index);
  if (index <= commit && own !== undefined && own !== term) throw diverged(index, own, term);
}
