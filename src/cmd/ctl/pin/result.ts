/**
 * What is shown after something was pinned or unpinned.
 * Source: Go `cmd/ipfs-cluster-ctl/main.go` `handlePinResponseFormatFlags`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, errorMessage } from '../../../base/index.ts';
import { RequestError, waitFor } from '../../../client/index.ts';
import type { GlobalPinInfo, Pin } from '../../../model/index.ts';
import { type CommandContext, LocalFailure, type OptionValues } from '../command.ts';
import { pinForm } from '../format/pin.ts';
import { statusForm } from '../format/status.ts';

/** ETIME: what the Go program exits with when the wait takes too long. */
const exitTimedOut = 62;

export async function showResult(
  context: CommandContext,
  options: OptionValues,
  pin: Pin,
  target: 'pinned' | 'unpinned',
): Promise<void> {
  const waited = options.flag('wait') ? await waitUntil(context, options, pin, target) : undefined;
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

async function waitUntil(
  context: CommandContext,
  options: OptionValues,
  pin: Pin,
  target: 'pinned' | 'unpinned',
): Promise<GlobalPinInfo> {
  const timeoutMs = options.duration('wait-timeout');
  const leastPeers = target === 'pinned' ? pin.replicationFactorMin : 0;
  const limit = options.integer('wait-limit') || leastPeers;
  try {
    const status = await waitFor(context.client, {
      cid: pin.cid,
      target,
      limit,
      intervalMs: context.io.statusDelayMs,
      ...(timeoutMs > 0 ? { signal: AbortSignal.timeout(timeoutMs) } : {}),
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
