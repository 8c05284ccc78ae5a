/** Members: the configuration in use is the last in the own log, one change at a time, none before the term's first commit. */
import type { Status } from '../../core/raft/index.ts';
import { expect } from '../finding.ts';
import type { PeerView } from './peer-view.ts';

export class MembersChecker {
  /** When role, term or configuration of a peer have changed. */
  status({ id, raft }: PeerView, status: Status): void {
    const { configuration, configurationIndex, lastIndex, commit, role, term } = status;
    let uncommitted = 0;
    let last = 0;
    for (let index = lastIndex; index > commit || (last === 0 && index > 0); index--) {
      if (raft.entry(index)?.type !== 'configuration') continue;
      if (last === 0) last = index;
      if (index > commit) uncommitted++;
    }
    const entry = raft.entry(configurationIndex);
    const isLast = last === configurationIndex && (last === 0 || entry?.type === 'configuration');
    expect(
      isLast && (entry?.type !== 'configuration' || entry.configuration === configuration),
      'configuration = log',
      () => {
        return `${id} uses the configuration of ${configurationIndex}, the last in its log is at ${last}`;
      },
    );
    if (role !== 'leader' || entry?.term !== term || configurationIndex <= commit) return;
    expect(uncommitted <= 1, 'one change at a time', () => `${id} has ${uncommitted} uncommitted configurations`);
    expect(raft.entry(commit)?.term === term, 'no change before the first commit', () => {
      return `${id} changes members at ${configurationIndex}, with nothing of term ${term} committed`;
    });
  }
}
