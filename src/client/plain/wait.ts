/** Waiting for a status. */
import { pause } from '../../base/index.ts';
import type { Cid, TrackerStatus } from '../../model/index.ts';
import { howFar, type PinStatus, statusOf } from '../../plain/index.ts';
import type { Client } from '../index.ts';
import { RequestError } from '../index.ts';
import { badArgument, isTime, timeExpected, WaitError } from './errors.ts';
import type { ClientOptions, WaitOptions } from './types.ts';

const timeoutMsDefault = 60_000;
const intervalMsDefault = 250;

/** Tried again by themselves only after minutes. */
const failed: ReadonlySet<TrackerStatus> = new Set(['pin_error', 'unpin_error']);

export async function waitFor(
  client: Client,
  clock: NonNullable<ClientOptions['clock']>,
  cid: Cid,
  options: WaitOptions = {},
): Promise<PinStatus> {
  const { status = 'pinned', timeoutMs = timeoutMsDefault, intervalMs = intervalMsDefault, signal, local } = options;
  if (!(intervalMs > 0)) throw badArgument('intervalMs', intervalMs, 'milliseconds, more than 0');
  if (!isTime(timeoutMs)) throw badArgument('timeoutMs', timeoutMs, timeExpected);
  let count = options.count === 'min' ? undefined : options.count;
  if (count !== undefined && !(Number.isInteger(count) && count > 0))
    throw badArgument('count', count, 'a number of peers, 1 or more, or "min"');
  const limit = new AbortController();
  const cancel = clock.after(timeoutMs, () => limit.abort());
  const ends = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
  const call = { signal: ends, local: local === true };
  let last: PinStatus | undefined;
  try {
    if (options.count === 'min') count = await leastOf(client, cid, ends);
    for (;;) {
      last = statusOf(await client.status(cid, call));
      const { reached, wanted, possible } = judge(last, status, count);
      if (reached > 0 && reached >= wanted) return last;
      if (possible < wanted) throw new WaitError('client/hopeless', howFar(last, status, reached, wanted), last);
      await pause(clock, intervalMs, ends);
      ends.throwIfAborted();
    }
  } catch (error) {
    if (signal?.aborted === true)
      throw new RequestError('client/aborted', 'The waiting was ended', { status: 0, cause: error });
    if (!limit.signal.aborted || (error instanceof RequestError && error.status !== 0)) throw error;
    if (last === undefined)
      throw new WaitError('client/not-reached', `Cannot wait longer for "${cid}": no answer`, last);
    const { reached, wanted } = judge(last, status, count);
    throw new WaitError('client/not-reached', howFar(last, status, reached, wanted), last);
  } finally {
    cancel();
  }
}

/** What all keep must be on all. */
async function leastOf(client: Client, cid: Cid, signal: AbortSignal): Promise<number | undefined> {
  const { replicationFactorMin } = await client.allocation(cid, { signal });
  return replicationFactorMin > 0 ? replicationFactorMin : undefined;
}

interface Judgement {
  readonly reached: number;
  readonly wanted: number;
  /** Peers that have it or may get it. */
  readonly possible: number;
}

function judge({ peers }: PinStatus, status: TrackerStatus, count: number | undefined): Judgement {
  const concerned = Object.values(peers).filter((peer) => peer.status !== 'remote' || status === 'remote');
  return {
    reached: concerned.filter((peer) => peer.status === status).length,
    wanted: count ?? concerned.length,
    possible: concerned.filter((peer) => !failed.has(peer.status) || peer.status === status).length,
  };
}
