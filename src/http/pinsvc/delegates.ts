/** The IPFS nodes that are to receive what is pinned. Source: specification, section "Provider hints". */
import type { ClusterApi } from '../../cluster/ports.ts';
import { type Multiaddr, type PeerId, pingValueJson } from '../../model/index.ts';

/** The specification's bound. */
const delegatesMax = 20;

export type Delegates = (allocations: readonly PeerId[] | null) => readonly Multiaddr[];

/**
 * Where the nodes of the allocated peers are, by their last pings; no allocations mean all peers. A node without an address for
 * others is named by its id alone, which a client that knows it otherwise can use.
 */
export function delegatesOf(cluster: Pick<ClusterApi, 'metrics'>): Delegates {
  const known = new Map<PeerId, readonly Multiaddr[]>();
  for (const { peer, value } of cluster.metrics('ping')) known.set(peer, addressesIn(value));
  return (allocations) => {
    const peers = allocations === null || allocations.length === 0 ? [...known.keys()] : allocations;
    return [...new Set(peers.flatMap((peer) => known.get(peer) ?? []))].slice(0, delegatesMax);
  };
}

function addressesIn(pingValue: string): readonly Multiaddr[] {
  try {
    const { ipfsId, ipfsAddresses } = pingValueJson.parse(pingValue);
    if (ipfsId === '') return [];
    const end = `/p2p/${ipfsId}`;
    const addresses = (ipfsAddresses ?? []).map((address) => (address.endsWith(end) ? address : `${address}${end}`));
    return addresses.length === 0 ? [end] : addresses;
  } catch {
    // A peer that says nonsense about itself is no delegate.
    return [];
  }
}
