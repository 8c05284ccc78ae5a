/**
 * Waiting until a pin has reached a state.
 * Source: Go `api/rest/client` `WaitFor`.
 */
import { OperatingError } from '../base/index.ts';
import type { Cid, GlobalPinInfo, TrackerStatus } from '../model/index.ts';
import type { Client } from './types.ts';

/** What to wait for. */
export interface WaitForOptions {
  readonly cid: Cid;
  readonly target: TrackerStatus;
  /** Ask only the peer that is called. Default false. */
  readonly local?: boolean;
  /** How many peers must have the target status; 0, the default, means all that do not merely list it as remote. */
  readonly limit?: number;
  /** Milliseconds between two looks, and before the first. Default 1000. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

const hopeless: ReadonlySet<TrackerStatus> = new Set(['undefined', 'cluster_error', 'pin_error', 'unpin_error']);

/**
 * Looks at the status until it is reached. Throws `client/status-error` when a peer reports a failure, `client/aborted`
 * when the signal fires first, and `RequestError`.
 */
export async function waitFor(client: Client, options: WaitForOptions): Promise<GlobalPinInfo> {
  const { cid, target, local = false, limit = 0, intervalMs = 1000, signal } = options;
  for (;;) {
    await pause(intervalMs, signal);
    let info: GlobalPinInfo;
    try {
      info = await client.status(cid, { local, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      throw signal?.aborted === true ? aborted(signal) : error;
    }
    if (isReached(info, target, limit)) return info;
  }
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

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(aborted(signal));
      return;
    }
    const stop = (): void => {
      clearTimeout(timer);
      if (signal !== undefined) reject(aborted(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function aborted(signal: AbortSignal): OperatingError {
  return new OperatingError('client/aborted', 'context deadline exceeded', { cause: signal.reason });
}
