/**
 * The state of a pin by the states of its replicas: pinned when at least as many peers hold it as its replication factor
 * demands; failed when so many of the others have failed that this cannot come about any more. Unlike in Go
 * `api/pinsvcapi`, where one failing peer makes the whole pin failed.
 */
import type { PinsvcState, TrackerStatus } from '../../model/index.ts';

/** What one peer says of a pin. */
export interface Replica {
  /** Its name, or its id while that is not known. */
  readonly peer: string;
  readonly status: TrackerStatus;
  readonly error: string;
}

/**
 * @param min the smaller replication factor; 0 or less: every peer is to hold the pin
 * @returns `undefined` when no peer is to hold it
 */
export function stateOf(min: number, statuses: readonly TrackerStatus[]): PinsvcState | undefined {
  let holders = 0;
  let pinned = 0;
  let failed = 0;
  let pinning = 0;
  for (const status of statuses) {
    if (isNotHolder(status)) continue;
    holders++;
    if (status === 'pinned') pinned++;
    else if (status === 'pin_error') failed++;
    else if (status === 'pinning') pinning++;
  }
  if (holders === 0) return undefined;
  const needed = neededOf(min, holders);
  if (pinned >= needed) return 'pinned';
  if (holders - failed < needed) return 'failed';
  // Where some hold it already, the pin is under way, whatever the others wait for.
  return pinned > 0 || pinning > 0 ? 'pinning' : 'queued';
}

/** One line for people: how many hold it, and what keeps the others from it. */
export function detailsOf(min: number, replicas: readonly Replica[]): string {
  const holders = replicas.filter(({ status }) => !isNotHolder(status));
  const pinned = holders.filter(({ status }) => status === 'pinned').length;
  const causes = holders
    .filter(({ status, error }) => status !== 'pinned' && error !== '')
    .map(({ peer, status, error }) => `${peer}: ${status}: ${error}`);
  const needed = neededOf(min, holders.length);
  return [`pinned on ${pinned} of ${holders.length} peers, needed on ${needed}`, ...causes].join('; ');
}

function neededOf(min: number, holders: number): number {
  return min > 0 ? min : holders;
}

/** Statuses of peers that are not to hold the pin. */
function isNotHolder(status: TrackerStatus): boolean {
  return status === 'remote' || status === 'unpinned' || status === 'undefined' || status === 'sharded';
}
