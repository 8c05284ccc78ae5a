/**
 * `pin/add` with `progress=true`: answers line by line until the members hold the pin, as Kubo does until its own node
 * holds it. Without it the answer leaves when the members have agreed on the pin, as in the reference.
 */
import { errorCode } from '../../base/index.ts';
import type { GlobalPinInfo, Pin, TrackerStatus } from '../../model/index.ts';
import { drained } from '../kit/index.ts';
import { ProxyError } from './errors.ts';
import { beginLines, endLines, type Hijacked } from './hijacked.ts';

/** Time between two lines; Kubo `pin.go` `addPinCmd`. */
const intervalMs = 500;

/** How far a pin is on the members that are to hold it. */
export interface PinHold {
  /** Members that hold it. */
  readonly holders: number;
  readonly state: 'held' | 'waiting' | 'failed';
  /** Why it failed; else empty. */
  readonly error: string;
}

/** Peers that are not asked to hold it. */
const bystanders: ReadonlySet<TrackerStatus> = new Set(['remote', 'sharded']);
/** What does not lead on by itself. */
const ends: ReadonlySet<TrackerStatus> = new Set(['pinned', 'pin_error', 'unpin_error', 'cluster_error']);

/** @param replicasMin as in the pin: -1 means all members, of which those that do not answer are not waited for. */
export function pinHold({ peerMap }: Pick<GlobalPinInfo, 'peerMap'>, replicasMin: number): PinHold {
  const peers = Object.values(peerMap).filter(({ status }) => !bystanders.has(status));
  const holders = peers.filter(({ status }) => status === 'pinned').length;
  const answering = peers.filter(({ status }) => status !== 'cluster_error').length;
  const needed = replicasMin > 0 ? replicasMin : Math.max(1, answering);
  if (holders >= needed) return { holders, state: 'held', error: '' };
  if (peers.length === 0 || peers.some(({ status }) => !ends.has(status)))
    return { holders, state: 'waiting', error: '' };
  const cause = peers.find(({ status }) => status !== 'pinned')?.error ?? '';
  return { holders, state: 'failed', error: `${holders} of ${needed} peers hold the pin: ${cause}` };
}

/** Sends the whole answer. Resolves when all pins are held, one has failed (told in the trailer), or the client is gone. */
export async function sendProgress(call: Hijacked, pins: readonly Pin[]): Promise<void> {
  const { response, signal } = call;
  beginLines(call);
  const waiting = new Map(pins.map((pin) => [pin.cid.key, pin]));
  let finished = 0;
  const seen = new Set<string>();
  while (!signal.aborted) {
    let progress = finished;
    for (const pin of waiting.values()) {
      const { holders, state, error } = pinHold(
        await call.cluster.status(pin.cid, { signal }),
        pin.replicationFactorMin,
      );
      progress += holders;
      if (state === 'failed') throw new ProxyError(500, `pin ${pin.cid}: ${error}`);
      if (state === 'waiting') {
        checkWanted(call, pin, seen);
        continue;
      }
      finished += holders;
      waiting.delete(pin.cid.key);
    }
    // Kubo leaves a zero out.
    if (!response.write(progress === 0 ? '{}\n' : `{"Progress":${progress}}\n`)) await drained(response);
    if (waiting.size === 0) {
      response.write(`${JSON.stringify({ Pins: pins.map(({ cid }) => cid.toString()) })}\n`);
      endLines(call, '');
      return;
    }
    await pause(signal);
  }
  if (!response.destroyed) throw signal.reason;
}

/** A pin that someone else has removed meanwhile would be waited for in vain. This peer may not have it yet. */
function checkWanted(call: Hijacked, pin: Pin, seen: Set<string>): void {
  try {
    call.cluster.pinGet(pin.cid);
    seen.add(pin.cid.key);
  } catch (error) {
    if (errorCode(error) !== 'cluster/not-pinned') throw error;
    if (seen.has(pin.cid.key)) throw new ProxyError(500, `pin ${pin.cid}: it was removed while it was waited for`);
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, intervalMs);
    signal.addEventListener('abort', done, { once: true });
  });
}
