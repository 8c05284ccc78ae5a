/**
 * Waiting until a pin has reached a state.
 * Source: Go `api/rest/client` `WaitFor`.
 */
import { OperatingError } from '../base/index.ts';
import type { Cid, GlobalPinInfo, TrackerStatus } from '../model/index.ts';
import { systemClock } from './system.ts';
import type { Client } from './types.ts';

/** What to wait for. */
export interface WaitForOptions {
  readonly cid: Cid;
  readonly target: TrackerStatus;
  /** Ask only the peer that is called. Default false. */
  readonly local?: boolean;
  /**
   * How many peers must have the target status, or all if they are fewer; 0, the default, means all that do not merely list it as
   * remote; `min`: as many as the pin needs at least.
   */
  readonly limit?: number | 'min';
  /** Milliseconds between two looks, and before the first. Default 1000. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
  /** Called with what each look shows. */
  readonly onStatus?: (info: GlobalPinInfo) => void;
}

const hopeless: ReadonlySet<TrackerStatus> = new Set(['undefined', 'cluster_error', 'pin_error', 'unpin_error']);

/**
 * Looks at the status until it is reached. Throws `client/status-error` when a peer reports a failure, `client/aborted`
 * when the signal fires first, and `RequestError`.
 */
export async function waitFor(client: Client, options: WaitForOptions): Promise<GlobalPinInfo> {
  const { cid, target, local = false, intervalMs = 1000, signal, onStatus } = options;
  const call = signal === undefined ? {} : { signal };
  try {
    const limit = options.limit === 'min' ? await leastOf(client, cid, call) : (options.limit ?? 0);
    for (;;) {
      await delay(intervalMs, signal);
      const info = await client.status(cid, { local, ...call });
      onStatus?.(info);
      if (isReached(info, target, limit)) return info;
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
    throw new OperatingError('client/aborted', 'context deadline exceeded', { cause: signal.reason });
  }
}

/** A pin that all keep needs all, which is what 0 means. */
async function leastOf(client: Client, cid: Cid, call: { readonly signal?: AbortSignal }): Promise<number> {
  const { replicationFactorMin } = await client.allocation(cid, call);
  return Math.max(0, replicationFactorMin);
}

function isReached(info: GlobalPinInfo, target: TrackerStatus, limit: number): boolean {
  const peers = Object.values(info.peerMap);
  if (peers.some((peer) => hopeless.has(peer.status))) {
    const message = `error has occurred while attempting to reach status: ${target}`;
    throw new OperatingError('client/status-error', message);
  }
  if (limit > 0) {
    return peers.filter((peer) => peer.status === target).length >= Math.min(limit, peers.length);
  }
  return peers.every((peer) => peer.status === target || (peer.status === 'remote' && target === 'pinned'));
}

function delay(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const cancel = systemClock.after(delayMs, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    const stop = (): void => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}
