/** How many pins have as many replicas as they should. No such thing in the Go peer. */
import type { PeerId } from './peer.ts';

/**
 * Pins by their number of replicas. Each pin is in one of the five that follow `pins`:
 * `pins = belowMin + atMin + aboveMin + full + overMax`.
 */
export interface ReplicaCounts {
  readonly pins: number;
  /** Fewer replicas than the minimum. */
  readonly belowMin: number;
  /** The minimum, where the maximum is more than that. */
  readonly atMin: number;
  /** Between minimum and maximum. */
  readonly aboveMin: number;
  /** The maximum. */
  readonly full: number;
  readonly overMax: number;
}

/** What one peer should hold. */
export interface PeerReplicas {
  /** Pins with this peer in their allocations; those that are everywhere name nobody. */
  readonly allocated: number;
  /** Pins that it has reported as pinned, those that are everywhere included; 0 unless the counts are verified. */
  readonly pinned: number;
  readonly isMember: boolean;
  /** Whether its last ping has not expired. */
  readonly isAlive: boolean;
}

/**
 * Replicas of the whole pinset. A replica is an allocation to a member that is alive or, verified, a member's own word that it has
 * pinned the content. The counts that this extends are of all pins that peers hold, the sum of the first three parts.
 */
export interface Replication extends ReplicaCounts {
  /** Data pins with allocations. */
  readonly allocated: ReplicaCounts;
  /** Data pins for every member: their minimum and maximum are the number of members. */
  readonly everywhere: ReplicaCounts;
  /** Shards, and the lists of them. */
  readonly shards: ReplicaCounts;
  /** Number of meta pins, and of pins of no known type: nobody holds them. */
  readonly meta: number;
  /** Members, and whoever else is in allocations. */
  readonly peers: Readonly<Record<PeerId, PeerReplicas>>;
  readonly isVerified: boolean;
  /**
   * Verified only: members whose word is missing, cut short, or of some pins unsure, with the cause. Their replicas count as far as they
   * have told.
   */
  readonly unanswered: Readonly<Record<PeerId, string>>;
}
