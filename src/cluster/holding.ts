/** Whether members hold a pin, by their own word. */
import type { Clock } from '../base/index.ts';
import type { HolderWord } from '../core/heal/index.ts';
import { type Cid, methods, type PeerId, type PinInfo } from '../model/index.ts';
import { Deadline } from './deadline.ts';
import type { PinTracker, Rpc } from './ports.ts';

export interface HoldingDeps {
  readonly self: PeerId;
  readonly rpc: Rpc;
  readonly tracker: PinTracker;
  readonly clock: Clock;
}

/** A member that does not answer in time does not hold the pin: nobody else is dropped for it. */
const statusTimeoutMs = 10_000;

/**
 * What that member says of the pin; `silent`: nothing, or that its IPFS node does not answer. One that neither holds it nor works on it is
 * told to: a Go peer would not look before its next `pin_recover_interval`, and it comes to that when it was told to let go of the pin just
 * before.
 */
export async function wordOf(
  { self, rpc, tracker, clock }: HoldingDeps,
  peer: PeerId,
  cid: Cid,
  signal: AbortSignal,
): Promise<HolderWord> {
  const deadline = new Deadline(clock, statusTimeoutMs, signal);
  const call = { signal: deadline.signal, timeoutMs: statusTimeoutMs };
  const ask = (act: 'Status' | 'Recover'): Promise<PinInfo> => {
    if (peer !== self) return rpc.call(peer, methods.PinTracker[act], cid, call);
    return act === 'Status' ? tracker.status(cid, call) : tracker.recover(cid, call);
  };
  try {
    const info = await ask('Status');
    return wordIn(info.status === 'unexpectedly_unpinned' ? await ask('Recover') : info);
  } catch {
    // Why it does not say is not ours to tell: its status shows it.
    return 'silent';
  } finally {
    deadline.end();
  }
}

function wordIn({ status, error }: PinInfo): HolderWord {
  if (status === 'pinned') return 'holds';
  // What is queued and has a cause to show waits for an IPFS node that is away.
  if (status === 'pin_error' || (status === 'pin_queued' && error !== '')) return 'fails';
  return status === 'cluster_error' ? 'silent' : 'works';
}

/** What the members say of the pin. */
export async function wordsOf(
  deps: HoldingDeps,
  peers: readonly PeerId[],
  cid: Cid,
  signal: AbortSignal,
): Promise<ReadonlyMap<PeerId, HolderWord>> {
  return new Map(await Promise.all(peers.map(async (peer) => [peer, await wordOf(deps, peer, cid, signal)] as const)));
}
