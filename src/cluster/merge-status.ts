/** The statuses of all peers as one row per pin, in state-key order, holding one row of each peer at a time. */
import type { GlobalPinInfo, PeerId, PinInfo, PinInfoShort } from '../model/index.ts';
import { endKey, type PeerRows } from './peer-rows.ts';

/** Makes the entry of a peer that has failed. */
export type FailedEntry = (peer: PeerId, failure: string) => PinInfoShort;

/**
 * Merges. A failed peer gets a `cluster_error` entry on the pins allocated to it, and on no others.
 * The rows are closed at the end, also when the consumer leaves early.
 */
export async function* mergeStatus(
  peers: readonly PeerRows[],
  failedEntry: FailedEntry,
): AsyncGenerator<GlobalPinInfo, void> {
  try {
    await Promise.all(peers.map((peer) => peer.advance()));
    for (;;) {
      const key = lowestKey(peers);
      if (key === endKey) return;
      const heads = peers.filter((peer) => peer.key === key);
      const rows = heads.flatMap((peer) => (peer.row === undefined ? [] : [peer.row]));
      const failed = peers.filter((peer) => peer.failure !== '' && !peer.isUnauthorized);
      const global = globalPinInfo(
        rows,
        failed.map((peer) => [peer.peer, failedEntry(peer.peer, peer.failure)] as const),
      );
      if (global !== undefined) yield global;
      // The usual case, all peers being at the same pin, waits for all of them at once.
      await Promise.all(heads.map((peer) => peer.advance()));
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
  }
}

/**
 * One pin's rows joined. What describes the pin comes from the last row that is no error; `failed` peers are added where
 * the pin is allocated to them. `undefined` without rows.
 */
export function globalPinInfo(
  rows: readonly PinInfo[],
  failed: readonly (readonly [PeerId, PinInfoShort])[] = [],
): GlobalPinInfo | undefined {
  const header = rows.findLast((row) => row.status !== 'cluster_error') ?? rows.at(-1);
  if (header === undefined) return undefined;
  const { cid, name, allocations, origins, created, metadata } = header;
  const peerMap: Record<PeerId, PinInfoShort> = {};
  for (const row of rows) peerMap[row.peer] = shortInfo(row);
  for (const [peer, entry] of failed) if (isAllocated(header, peer)) peerMap[peer] = entry;
  return { cid, name, allocations, origins, created, metadata, peerMap };
}

/** A row's part that belongs to the peer. */
export function shortInfo(row: PinInfo): PinInfoShort {
  const { peername, ipfsPeerId, ipfsAddresses, status, timestamp, error, attemptCount, priorityPin } = row;
  return { peername, ipfsPeerId, ipfsAddresses, status, timestamp, error, attemptCount, priorityPin };
}

/** No allocations mean every peer, except for meta pins, which no peer holds. */
function isAllocated(row: PinInfo, peer: PeerId): boolean {
  if (row.status === 'sharded') return false;
  const { allocations } = row;
  return allocations === null || allocations.length === 0 || allocations.includes(peer);
}

function lowestKey(peers: readonly PeerRows[]): string {
  let lowest = endKey;
  for (const { key } of peers) if (key < lowest) lowest = key;
  return lowest;
}
