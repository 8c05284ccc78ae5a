/** How the peers of a pin were chosen, or would be. Not in the reference. */
import type { Cid } from './cid.ts';
import type { PeerId } from './peer.ts';

/**
 * `current`: holds the pin and counts; `priority`: could, and the user asked for it; `candidate`: could; `dropped`: neither
 * counts nor can be chosen.
 */
export type AllocationClass = 'current' | 'priority' | 'candidate' | 'dropped';

/**
 * `chosen`: peers are added; `unchanged`: there are enough; `trimmed`: there were too many; `everywhere`: on all members;
 * `taken-over`: those of the pin that it updates; `failed`: see `error`.
 */
export type AllocationOutcome = 'chosen' | 'unchanged' | 'trimmed' | 'everywhere' | 'taken-over' | 'failed';

/** A metric as it was when a peer was judged by it. */
export interface JudgedMetric {
  readonly name: string;
  readonly value: string;
  readonly weight: bigint;
  /** Nanoseconds since the Unix epoch. */
  readonly expire: bigint;
  readonly receivedAt: bigint;
  /** Expired or invalid: it does not count any more. */
  readonly isStale: boolean;
}

/** One member, or one holder that is no member any more. */
export interface JudgedPeer {
  readonly peer: PeerId;
  readonly peername: string;
  readonly class: AllocationClass;
  /** Whether it is among the allocations. */
  readonly isChosen: boolean;
  /** In words, without a period. */
  readonly reason: string;
  /** Those that decide, and `ping`; what has never arrived is not there. */
  readonly metrics: readonly JudgedMetric[] | null;
}

/** A decision with its reasons. */
export interface AllocationExplanation {
  readonly cid: Cid;
  /** Whether the CID is in the pinset already. */
  readonly isPinned: boolean;
  readonly replicationFactorMin: number;
  readonly replicationFactorMax: number;
  readonly allocateBy: readonly string[] | null;
  /** Who holds it now. */
  readonly current: readonly PeerId[] | null;
  readonly outcome: AllocationOutcome;
  /** In words, without a period. */
  readonly reason: string;
  /** Who would hold it: holders that stay first, then the new ones in the order of choice. */
  readonly allocations: readonly PeerId[] | null;
  /** What pinning would fail with; empty when it would not. */
  readonly error: string;
  /** When it was decided, in nanoseconds since the Unix epoch. */
  readonly decidedAt: bigint;
  readonly peers: readonly JudgedPeer[] | null;
}
