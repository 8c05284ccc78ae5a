/** Whether members hold a pin, by their own word. */
import type { Clock } from '../base/index.ts';
import { type Cid, methods, type PeerId, type TrackerStatus } from '../model/index.ts';
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

/** The status of the pin on that member; `undefined`: it does not say. */
export async function statusOn(
  deps: HoldingDeps,
  peer: PeerId,
  cid: Cid,
  signal: AbortSignal,
): Promise<TrackerStatus | undefined> {
  const { self, rpc, tracker, clock } = deps;
  const deadline = new Deadline(clock, statusTimeoutMs, signal);
  const call = { signal: deadline.signal, timeoutMs: statusTimeoutMs };
  try {
    const info =
      peer === self ? await tracker.status(cid, call) : await rpc.call(peer, methods.PinTracker.Status, cid, call);
    return info.status;
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
