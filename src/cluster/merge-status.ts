/** The statuses of all peers as one row per pin, in state-key order, holding one page of each peer at a time. */
import {
  type GlobalStatusRow,
  type PeerId,
  type PeerLabel,
  type PeerStatus,
  type Pin,
  type PinHeader,
  type RemoteStatusRow,
  type StatusFilter,
  statusMatches,
} from '../model/index.ts';
import type { PeerPages } from './peer-pages.ts';

/** What one peer lists. */
export interface StatusSource {
  /** Who it is, from its last page on. */
  label: PeerLabel;
  /** In state-key order. */
  readonly rows: PeerPages<RemoteStatusRow>;
}

export interface MergeOptions {
  readonly filter: StatusFilter;
  /** Describes a pin of which no row does. */
  readonly pinOf: (key: string) => PinHeader;
  /** The entry of a peer that has failed. */
  readonly failedEntry: (peer: PeerId, failure: string) => PeerStatus;
}

/**
 * Merges sources, which come in ascending order of their peers. A failed peer gets a `cluster_error` entry on the pins
 * allocated to it, and on no others. The sources are closed at the end, also when the consumer leaves early.
 */
export async function* mergeStatus(
  sources: readonly StatusSource[],
  options: MergeOptions,
): AsyncGenerator<readonly GlobalStatusRow[], void> {
  const failed = new Map<StatusSource, PeerStatus>();
  try {
    let page: GlobalStatusRow[] = [];
    for (;;) {
      if (sources.some(({ rows }) => rows.mustLoad)) {
        // What is known goes out before anyone is waited for.
        if (page.length > 0) yield page;
        page = [];
        await Promise.all(sources.map(({ rows }) => rows.load()));
        for (const source of sources) {
          const { peer, failure, isUnauthorized } = source.rows;
          if (failure === '' || isUnauthorized || failed.has(source)) continue;
          failed.set(source, options.failedEntry(peer, failure));
        }
      }
      const key = lowestKey(sources);
      if (key === undefined) break;
      const row = takeRow(key, sources, failed, options);
      if (row !== undefined) page.push(row);
    }
    if (page.length > 0) yield page;
  } finally {
    await Promise.all(sources.map(({ rows }) => rows.close()));
  }
}

function lowestKey(sources: readonly StatusSource[]): string | undefined {
  let lowest: string | undefined;
  for (const { rows } of sources) {
    const key = rows.row?.key;
    if (key !== undefined && (lowest === undefined || key < lowest)) lowest = key;
  }
  return lowest;
}

/** Moves all sources that are at the key on. @returns `undefined` when none of them has a status that is wanted */
function takeRow(
  key: string,
  sources: readonly StatusSource[],
  failed: ReadonlyMap<StatusSource, PeerStatus>,
  { filter, pinOf }: MergeOptions,
): GlobalStatusRow | undefined {
  let pin: PinHeader | undefined;
  let isSharded = false;
  const peers: PeerStatus[] = [];
  for (const source of sources) {
    const { row } = source.rows;
    if (row?.key !== key) continue;
    source.rows.advance();
    pin ??= row.pin;
    isSharded ||= row.status === 'sharded';
    if (statusMatches(row.status, filter)) peers.push([source.label, row]);
  }
  if (peers.length === 0) return undefined;
  pin ??= pinOf(key);
  if (failed.size === 0 || isSharded) return { pin, peers };
  for (const [{ rows }, entry] of failed) if (isEverywhereOr(rows.peer, pin.allocations)) peers.push(entry);
  return { pin, peers: peers.sort(byPeer) };
}

/** No allocations mean every peer. */
export function isEverywhereOr(peer: PeerId, allocations: Pin['allocations']): boolean {
  return allocations === null || allocations.length === 0 || allocations.includes(peer);
}

function byPeer([{ peer: a }]: PeerStatus, [{ peer: b }]: PeerStatus): number {
  return a < b ? -1 : 1;
}
