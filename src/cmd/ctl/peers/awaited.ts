/** Why a member that is drained still has pins. */
import { printable } from '../../../base/index.ts';
import { type Client, RequestError } from '../../../client/index.ts';
import { type GlobalPinInfo, type PeerId, type PinInfoShort, parseStatusFilter } from '../../../model/index.ts';

/** Statuses of a holder that has not got the content. */
const awaitedFilter = 'pinning,pin_queued,pin_error,cluster_error,unexpectedly_unpinned';
/** Pins that are looked at: as many tell enough. */
const pinsMax = 1000;
/** Holders that are told of, those that most pins wait for. */
const holdersMax = 3;

interface Awaited {
  readonly name: string;
  pins: number;
  /** Of the last pin; one that says why is better than one that does not. */
  why: string;
}

/** A line for each of the holders that most of its pins wait for. `undefined`: that cannot be found out. */
export async function whoIsAwaited(client: Client, peer: PeerId): Promise<readonly string[] | undefined> {
  const awaited = new Map<PeerId, Awaited>();
  let pins = 0;
  try {
    for await (const info of client.statusAll({ filter: parseStatusFilter(awaitedFilter) })) {
      if (info.allocations?.includes(peer) !== true) continue;
      addHolders(awaited, info, peer);
      pins += 1;
      if (pins === pinsMax) break;
    }
  } catch (error) {
    if (error instanceof RequestError) return undefined;
    throw error;
  }
  const most = [...awaited].sort(([, x], [, y]) => y.pins - x.pins);
  return most.slice(0, holdersMax).map(([id, { name, pins, why }]) => {
    const count = pins === 1 ? '1 pin waits' : `${pins}${pins === pinsMax ? ' pins or more' : ' pins'} wait`;
    return `${count} for ${id}${name === '' ? '' : ` (${printable(name)})`}: ${printable(why)}`;
  });
}

function addHolders(awaited: Map<PeerId, Awaited>, { allocations, peerMap }: GlobalPinInfo, peer: PeerId): void {
  for (const [id, entry] of Object.entries(peerMap)) {
    if (id === peer || allocations?.includes(id) !== true || entry.status === 'pinned') continue;
    const holder = awaited.get(id) ?? { name: entry.peername, pins: 0, why: '' };
    holder.pins += 1;
    if (holder.why === '' || entry.error !== '') holder.why = whyOf(entry);
    awaited.set(id, holder);
  }
}

function whyOf({ status, error }: PinInfoShort): string {
  return error === '' ? status : `${status}: ${error}`;
}
