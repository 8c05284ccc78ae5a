/** How the tracker's knowledge is shown: one `PinInfo` per pin. Source: Go `pintracker/stateless`. */
import type { Instant, ListedOperation, Operation } from '../../core/track/index.ts';
import {
  type Cid,
  type Multiaddr,
  type OperationInfo,
  type PeerId,
  type Pin,
  type PinHeader,
  type PinInfo,
  type PinPlacement,
  type StatusFilter,
  type StatusRow,
  type Time,
  type TrackerStatus,
  timeFromNanos,
  trackerStatusBits,
} from '../../model/index.ts';

/** Who this peer is, for the rows it makes. */
export interface TrackerIdentity {
  readonly peer: PeerId;
  readonly peername: string;
  /** Empty until the IPFS node has answered once. */
  readonly ipfsId: PeerId;
  readonly ipfsAddresses: readonly Multiaddr[];
}

export interface RowState {
  readonly status: TrackerStatus;
  readonly timestamp: Time | null;
  readonly error?: string;
  readonly attemptCount?: number;
  readonly isPriority?: boolean;
}

/** Statuses that only operations have. */
const operationBits =
  trackerStatusBits.pin_error |
  trackerStatusBits.unpin_error |
  trackerStatusBits.pinning |
  trackerStatusBits.unpinning |
  trackerStatusBits.unpin_queued |
  trackerStatusBits.pin_queued;

/** Text of the reference for what is missing on the IPFS node and not being worked on. */
export const unexpectedlyUnpinnedText = 'the item should be pinned but it is not';

export function rowOf(identity: TrackerIdentity, pin: PinHeader, state: RowState): PinInfo {
  return {
    cid: pin.cid,
    name: pin.name,
    allocations: pin.allocations,
    origins: pin.origins,
    created: pin.timestamp,
    metadata: pin.metadata,
    peer: identity.peer,
    peername: identity.peername,
    ipfsPeerId: identity.ipfsId,
    ipfsAddresses: identity.ipfsAddresses,
    status: state.status,
    timestamp: state.timestamp,
    error: state.error ?? '',
    attemptCount: state.attemptCount ?? 0,
    priorityPin: state.isPriority ?? false,
  };
}

/** A row of a list as a status of its own. */
export function infoOf(identity: TrackerIdentity, row: StatusRow): PinInfo {
  const { timestamp = row.pin.timestamp, priorityPin: isPriority } = row;
  return rowOf(identity, row.pin, { ...row, timestamp, isPriority });
}

/** The state of an operation; `pauseText` is why queued ones do not start, empty when they do. */
export function operationState(operation: Operation, pauseText: string): RowState {
  return {
    status: statusOfOperation(operation),
    timestamp: timeFromNanos(operation.sinceNanos),
    error: operation.phase === 'queued' && pauseText !== '' ? pauseText : operation.error,
    attemptCount: operation.attempts,
    isPriority: operation.isPriority,
  };
}

/** The same as a row of unfinished work. */
export function operationInfo(
  { peer, peername }: TrackerIdentity,
  { operation, queue, position }: ListedOperation,
  pauseText: string,
  now: Instant,
): OperationInfo {
  const { pin, kind, phase, cause, error, wantedNanos, sinceNanos, attempts, retryAtMs } = operation;
  const isPaused = phase === 'queued' && pauseText !== '';
  const nextTryNanos = now.wallNanos + BigInt(Math.max(0, Math.round(retryAtMs - now.ms))) * 1_000_000n;
  return {
    peer,
    peername,
    cid: pin.cid,
    name: pin.name,
    type: kind,
    phase,
    cause: isPaused ? 'unreachable' : cause,
    error: isPaused ? pauseText : error,
    since: timeFromNanos(wantedNanos),
    phaseSince: timeFromNanos(sinceNanos),
    attempts,
    nextTry: phase === 'error' ? timeFromNanos(nextTryNanos) : null,
    queue,
    position,
  };
}

export function statusOfOperation({ kind, phase }: Operation): TrackerStatus {
  if (phase === 'error') return kind === 'pin' ? 'pin_error' : 'unpin_error';
  if (phase === 'queued') return kind === 'pin' ? 'pin_queued' : 'unpin_queued';
  return kind === 'pin' ? 'pinning' : 'unpinning';
}

export function matchesFilter(status: TrackerStatus, filter: StatusFilter): boolean {
  return filter === 0 || (trackerStatusBits[status] & filter) !== 0;
}

/** Whether only operations can have the wanted statuses. */
export function isOfOperations(filter: StatusFilter): boolean {
  return filter !== 0 && (filter & ~operationBits) === 0;
}

/** Whether the pin is to be held by this peer. */
export function isHere(pin: Omit<PinPlacement, 'cid' | 'maxDepth'>, self: PeerId): boolean {
  if (pin.type === 'meta-pin') return false;
  if (pin.replicationFactorMin < 0 && pin.replicationFactorMax < 0) return true;
  return pin.allocations?.includes(self) ?? false;
}

/** A pin that is in no pinset any more: only its CID is known. */
export function barePin(cid: Cid): Pin {
  return {
    cid,
    type: 'pin',
    allocations: null,
    maxDepth: -1,
    reference: null,
    timestamp: null,
    replicationFactorMin: 0,
    replicationFactorMax: 0,
    name: '',
    mode: 'recursive',
    shardSize: 0,
    userAllocations: null,
    expireAt: null,
    metadata: null,
    pinUpdate: null,
    origins: null,
  };
}
