/**
 * Who is a member, by one peer's log. The last configuration holds from the moment it is there, but until it is committed another
 * leader may cut it off: whoever it removes is told so, and is a member again then. A voter that takes an uncommitted removal for
 * its end, and gives its data up, forgets what it has acknowledged and whom it gave its vote.
 */
import type { Configuration, LogImage, LogIndex, Status } from '../../core/raft/index.ts';
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

export function isMember({ servers }: Configuration, peer: PeerId): boolean {
  return servers.some(({ id }) => id === peer);
}
