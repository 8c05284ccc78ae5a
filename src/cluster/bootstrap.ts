/** Joins a running cluster, as often as it takes for a while: the others may be starting too. */
import { type Clock, errorMessage, type Logger, pause } from '../base/index.ts';
import { type Multiaddr, type PeerId, peerIdOfMultiaddr } from '../model/index.ts';
import type { CallOptions } from './ports.ts';

export interface BootstrapDeps {
  readonly self: PeerId;
  /** By its own data as it is now. */
  readonly isMember: () => Promise<boolean>;
  readonly consensus: { readBarrier(options: CallOptions): Promise<void> };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly join: (address: Multiaddr) => Promise<void>;
}

/** Between tries. */
const retryMs = 2_000;
const triesMax = 15;
/** A member that is not confirmed to be one for so long asks: elections are mostly over by then. */
const confirmMs = 5_000;

const unconfirmed =
  'nobody confirms that this peer is a member still: it asks to join again, which changes nothing if it is one';

/**
 * The first that answers takes this peer in. One that is a member by its own data asks only when that is not confirmed: it may have
 * been removed while it was away, and hears of it for a moment only, or never. Adding a member changes nothing, at Go peers as well
 * (`consensus/raft/raft.go` `AddPeer`). Never rejects.
 * Source: Go `cmd/ipfs-cluster-service/daemon.go` `bootstrap`, which asks once.
 */
export async function bootstrap(
  addresses: readonly Multiaddr[],
  deps: BootstrapDeps,
  signal: AbortSignal,
): Promise<void> {
  const { self, isMember, clock, logger, join } = deps;
  const wasMember = await isMember();
  const isDone = async (timeoutMs: number): Promise<boolean> =>
    signal.aborted || (wasMember && (await isConfirmed(deps, signal, timeoutMs)));
  if (await isDone(confirmMs)) return;
  if (wasMember) logger.warn(unconfirmed);
  const told = new Set<string>();
  for (let count = 1; count <= triesMax; count++) {
    for (const address of addresses) {
      if (count === 1) logger.info(`Bootstrapping to ${address}`);
      try {
        await join(address);
        logger.info(`${self}: joined ${peerIdOfMultiaddr(address)}'s cluster`);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const line = `bootstrap to ${address} failed: ${errorMessage(error)}`;
        // Ports and times differ from try to try.
        const cause = line.replace(/[0-9]+/g, '#');
        if (!told.has(cause)) logger.error(line);
        told.add(cause);
      }
    }
    await pause(clock, retryMs, signal);
    if (await isDone(retryMs)) return;
  }
  const advice = wasMember ? 'if it was removed, start it again' : 'start it again to go on';
  logger.error(`no bootstrap peer took this peer in after ${triesMax} tries: ${advice}`);
}

/**
 * Whether this peer is a member as of now. That it hears a leader would not tell: a removed peer is sent its last messages too. A Go
 * leader confirms nothing.
 */
async function isConfirmed(
  { consensus, isMember }: BootstrapDeps,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<boolean> {
  try {
    await consensus.readBarrier({ signal, timeoutMs });
  } catch {
    return false;
  }
  return await isMember();
}
