/** Whether members hold a pin, by their own word. */
import type { Clock } from '../base/index.ts';
import { type Cid, methods, type PeerId, type PinInfo, type TrackerStatus } from '../model/index.ts';
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
 * The status of the pin on that member; `undefined`: it does not say. One that neither holds it nor works on it is told to: a Go peer would
 * not look before its next `pin_recover_interval`, and it comes to that when it was told to let go of the pin just before.
 */
export async function statusOn(
  { self, rpc, tracker, clock }: HoldingDeps,
  peer: PeerId,
  cid: Cid,
  signal: AbortSignal,
): Promise<TrackerStatus | undefined> {
  const deadline = new Deadline(clock, statusTimeoutMs, signal);
  const call = { signal: deadline.signal, timeoutMs: statusTimeoutMs };
  const ask = (act: 'Status' | 'Recover'): Promise<PinInfo> => {
    if (peer !== self) return rpc.call(peer, methods.PinTracker[act], cid, call);
    return act === 'Status' ? tracker.status(cid, call) : tracker.recover(cid, call);
  };
  try {
    const { status } = await ask('Status');
    return status === 'unexpectedly_unpinned' ? (await ask('Recover')).status : status;
  } catch {
    // Why it does not say is not ours to tell: its status shows it.
    return undefined;
  } finally {
    deadline.end();
  }
}

/** Those of the members that hold the pin. */
export async function holdersAmong(
  deps: HoldingDeps,
  peers: readonly PeerId[],
  cid: Cid,
  signal: AbortSignal,
): Promise<ReadonlySet<PeerId>> {
  const statuses = await Promise.all(peers.map((peer) => statusOn(deps, peer, cid, signal)));
  return new Set(peers.filter((_, i) => statuses[i] === 'pinned'));
}
