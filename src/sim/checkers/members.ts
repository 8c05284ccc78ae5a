/**
 * Members: the configuration in use is the last in the own log, one change at a time, none before the term's first commit; and where
 * a log or snapshot begins, it carries the configuration of that index.
 */
import type { Base, Configuration, Entry, LogIndex, Status } from '../../core/raft/index.ts';
import { expect } from '../finding.ts';
import type { PeerView } from './peer-view.ts';

export class MembersChecker {
  /** Every configuration that was applied, in log order. */
  readonly #applied: { readonly index: LogIndex; readonly configuration: Configuration }[] = [];

  /** When role, term or configuration of a peer have changed. */
  status({ id, raft }: PeerView, status: Status): void {
    const { configuration, configurationIndex, lastIndex, commit, role, term, baseIndex } = status;
    let uncommitted = 0;
    let last = 0;
    for (let index = lastIndex; index > Math.max(commit, baseIndex) || (last === 0 && index > baseIndex); index--) {
      if (raft.entry(index)?.type !== 'configuration') continue;
      if (last === 0) last = index;
      if (index > commit) uncommitted++;
    }
    if (last === 0) last = raft.baseAt(baseIndex).configurationIndex;
    const entry = raft.entry(configurationIndex);
    expect(
      last === configurationIndex && (entry?.type !== 'configuration' || entry.configuration === configuration),
      'configuration = log',
      () => `${id} uses the configuration of ${configurationIndex}, the last in its log is at ${last}`,
    );
    if (role !== 'leader' || entry?.term !== term || configurationIndex <= commit) return;
    expect(uncommitted <= 1, 'one change at a time', () => `${id} has ${uncommitted} uncommitted configurations`);
    const committedTerm = commit === baseIndex ? raft.baseAt(baseIndex).term : raft.entry(commit)?.term;
    expect(committedTerm === term, 'no change before the first commit', () => {
      return `${id} changes members at ${configurationIndex}, with nothing of term ${term} committed`;
    });
  }

  /** Entries of any peer, in its order; each is looked at once. */
  applies(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.type !== 'configuration' || entry.index <= (this.#applied.at(-1)?.index ?? 0)) continue;
      this.#applied.push({ index: entry.index, configuration: entry.configuration });
    }
  }

  /** Of a log that begins there, or a snapshot that is sent. */
  base({ id }: PeerView, { index, configuration, configurationIndex }: Base): void {
    const made = this.#applied.findLast((at) => at.index <= index);
    const isOfLog = made?.index === configurationIndex && isEqual(made.configuration, configuration);
    expect(isOfLog, 'configuration = log', () => {
      return `${id} begins at ${index} with the configuration of ${configurationIndex}, the log has that of ${made?.index}`;
    });
  }
}

function isEqual({ servers: a }: Configuration, { servers: b }: Configuration): boolean {
  return a.length === b.length && a.every(({ id, suffrage }, at) => b[at]?.id === id && b[at]?.suffrage === suffrage);
}
