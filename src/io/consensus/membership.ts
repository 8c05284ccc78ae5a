/**
 * Who is a member, by one peer's log. The last configuration holds from the moment it is there, but until it is committed another
 * leader may cut it off: whoever it removes is told so, and is a member again then. A voter that takes an uncommitted removal for
 * its end, and gives its data up, forgets what it has acknowledged and whom it gave its vote.
 */
import {
  type Configuration,
  type LogEnd,
  type LogImage,
  type LogIndex,
  type PreviousLog,
  rules,
  type Status,
} from '../../core/raft/index.ts';
import type { PeerId } from '../../model/index.ts';

/** In ascending order. One whose removal is not known to be committed is a member still. */
export function membersOf({
  configuration,
  configurationIndex,
  configurationBefore,
  commit,
}: Pick<Status, 'configuration' | 'configurationIndex' | 'configurationBefore' | 'commit'>): readonly PeerId[] {
  const servers = [...configuration.servers, ...(configurationIndex > commit ? configurationBefore.servers : [])];
  return [...new Set(servers.map(({ id }) => id))].sort();
}

/** The same of a log that is not in use, below a state that is applied up to `applied`. */
export function membersOfImage({ base, entries }: LogImage, applied: LogIndex): readonly PeerId[] {
  let last = { index: base.configurationIndex, configuration: base.configuration };
  let before: Configuration = { servers: [] };
  for (const entry of entries) {
    if (entry.type !== 'configuration') continue;
    before = last.configuration;
    last = entry;
  }
  const { configuration, index: configurationIndex } = last;
  return membersOf({ configuration, configurationIndex, configurationBefore: before, commit: applied });
}

/** Whether a log has got as far as the one before it. */
export function reaches(image: Pick<LogImage, 'base' | 'entries'>, before: LogEnd): boolean {
  return rules.isUpToDate(endOf(image), before);
}

function endOf({ base, entries }: Pick<LogImage, 'base' | 'entries'>): LogEnd {
  return entries.at(-1) ?? base;
}

/** What is to be remembered of a log that is put away, which itself may have begun after one. */
export function previousLogOf({ base, entries }: LogImage, before: PreviousLog | undefined): PreviousLog {
  // One that was put away again before it had got as far as the one before.
  const isOlder = before !== undefined && !reaches({ base, entries }, before);
  const { index, term } = isOlder ? before : endOf({ base, entries });
  const configurations = entries.flatMap((entry) => (entry.type === 'configuration' ? [entry.configuration] : []));
  const named = [base.configuration, ...configurations].flatMap(({ servers }) => servers.map(({ id }) => id));
  return { index, term, members: [...new Set([...named, ...(before?.members ?? [])])].sort() };
}

export function isMember({ servers }: Configuration, peer: PeerId): boolean {
  return servers.some(({ id }) => id === peer);
}
