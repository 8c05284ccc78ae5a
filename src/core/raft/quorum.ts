/** Who counts, and how many are enough. */
import type { PeerId } from '../../model/index.ts';
import type { Configuration, ConfigurationChange, LogIndex, Server } from './types.ts';

export function serverOf(configuration: Configuration, peer: PeerId): Server | undefined {
  return configuration.servers.find((server) => server.id === peer);
}

export function isVoter(configuration: Configuration, peer: PeerId): boolean {
  return serverOf(configuration, peer)?.suffrage === 'voter';
}

export function votersOf(configuration: Configuration): readonly PeerId[] {
  return configuration.servers.filter((server) => server.suffrage === 'voter').map((server) => server.id);
}

/** How many of `peers` are voters. */
export function countVoters(configuration: Configuration, peers: ReadonlySet<PeerId>): number {
  return votersOf(configuration).filter((voter) => peers.has(voter)).length;
}

/** The highest number that at least `quorum` of `values` reach; 0 when there are fewer values. */
export function reachedBy(values: readonly LogIndex[], quorum: number): number {
  const descending = [...values].sort((a, b) => b - a);
  return descending[quorum - 1] ?? 0;
}

/** The configuration after a change. */
export function changed({ servers }: Configuration, change: ConfigurationChange): Configuration {
  if (change.type === 'remove') return { servers: servers.filter(({ id }) => id !== change.peer) };
  const { server } = change;
  if (!servers.some(({ id }) => id === server.id)) return { servers: [...servers, server] };
  return { servers: servers.map((present) => (present.id === server.id ? server : present)) };
}
