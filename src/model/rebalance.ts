/** What a rebalance does. Not in the reference. */
import type { Cid } from './cid.ts';
import type { PeerId } from './peer.ts';

/**
 * `planned`: nothing has been done; `moved`: `to` holds the pin, and `from` does not any more; `skipped`: the pin was removed, others
 * have changed it meanwhile, or `to` may get nothing new; `failed`: `to` did not get the content in time, or nothing could be written.
 */
export type MoveState = 'planned' | 'moved' | 'skipped' | 'failed';

/** `spread`: two holders of the pin are in one group; `balance`: `from` holds more pins than its share. */
export type MoveReason = 'spread' | 'balance';

/** A pin that goes, or went, from one peer to another. */
export interface RebalanceMove {
  readonly cid: Cid;
  readonly from: PeerId;
  readonly to: PeerId;
  readonly why: MoveReason;
  readonly state: MoveState;
}

/** How many pins a member is to hold; pins that everybody holds do not count. */
export interface RebalanceShare {
  readonly peer: PeerId;
  readonly peername: string;
  /** The others are cordoned, lost, or late with a metric: they neither get nor give pins. */
  readonly takesPart: boolean;
  readonly before: number;
  /** After the moves that were planned, or of those that were carried out. */
  readonly after: number;
}

/** What a rebalance came to. */
export interface RebalanceSummary {
  readonly isDryRun: boolean;
  readonly planned: number;
  readonly moved: number;
  readonly skipped: number;
  readonly failed: number;
  /** The plan has as many moves as it may have: there can be more to do. */
  readonly isCut: boolean;
  readonly shares: readonly RebalanceShare[] | null;
}

/** One line of a rebalance: a move, or the summary at its end. */
export interface RebalanceEvent {
  readonly move: RebalanceMove | null;
  readonly summary: RebalanceSummary | null;
}
