/**
 * What is shown after something was pinned or unpinned.
 * Source: Go `cmd/ipfs-cluster-ctl/main.go` `handlePinResponseFormatFlags`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, errorMessage } from '../../../base/index.ts';
import { RequestError, waitFor } from '../../../client/index.ts';
import type { Cid, GlobalPinInfo, Pin } from '../../../model/index.ts';
import { type CommandContext, LocalFailure, type OptionValues } from '../command.ts';
import { pinForm } from '../format/pin.ts';
import { statusForm } from '../format/status.ts';
import { waitProgress } from './wait-progress.ts';

/** ETIME: what the Go program exits with when the wait takes too long. */
const exitTimedOut = 62;

export async function showResult(
  context: CommandContext,
  options: OptionValues,
  pin: Pin,
  target: 'pinned' | 'unpinned',
): Promise<void> {
  const least = target === 'pinned' ? pin.replicationFactorMin : 0;
  const waited = options.flag('wait') ? await waitUntil(context, options, pin.cid, target, least) : undefined;
  if (options.flag('no-status')) {
    context.print(pinForm, pin);
    return;
  }
  if (waited !== undefined) {
    context.print(statusForm, waited);
    return;
  }
  // Peers get a moment to begin.
  await delay(context.io.statusDelayMs);
  context.print(statusForm, await context.client.status(pin.cid));
}

/** Waits until as many peers have pinned it as the pin needs at least; `least` where the peer does not tell. */
export async function untilPinned(
  context: CommandContext,
  options: OptionValues,
  cid: Cid,
  least: number,
): Promise<void> {
  let needed = least;
  try {
    needed = (await context.client.allocation(cid)).replicationFactorMin;
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    // The Go program goes by what was asked for then.
  }
  await waitUntil(context, options, cid, 'pinned', needed);
}

async function waitUntil(
  context: CommandContext,
  options: OptionValues,
  cid: Cid,
  target: 'pinned' | 'unpinned',
  least: number,
): Promise<GlobalPinInfo> {
  const timeoutMs = options.duration('wait-timeout');
  const limit = options.integer('wait-limit') || least;
  const { statusLine } = context;
  const lineFor = waitProgress(target, limit, () => performance.now());
  if (statusLine.isShown) statusLine.show(lineFor(undefined));
  try {
    const status = await waitFor(context.client, {
      cid,
      target,
      limit,
      intervalMs: context.io.statusDelayMs,
      ...(timeoutMs > 0 ? { signal: AbortSignal.timeout(timeoutMs) } : {}),
      ...(statusLine.isShown ? { onStatus: (info) => statusLine.show(lineFor(info)) } : {}),
    });
    // More than all are not waited for, as in the Go program.
    const count = Object.keys(status.peerMap).length;
    const asked = options.integer('wait-limit');
    if (asked > count)
      context.warn(`--wait-limit ${asked}: the cluster has ${count} ${count === 1 ? 'peer' : 'peers'}, waited for all`);
    return status;
  } catch (error) {
    if (error instanceof RequestError) throw error;
    const exitCode = errorCode(error) === 'client/aborted' ? exitTimedOut : 1;
    throw new LocalFailure('waiting for pin status', errorMessage(error), exitCode);
  }
}
