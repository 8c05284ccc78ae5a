/** Members as those who keep pins see them. Nothing of it is known to the Go peer. */
import type { PeerId } from './peer.ts';
import type { Time } from './time.ts';

/** What an operator has told a peer. `cordoned`: it keeps what it has and gets nothing new; `draining`: it is being emptied as well. */
export type CordonMode = (typeof cordonModes)[number];
/** All modes. */
export const cordonModes = ['none', 'cordoned', 'draining'] as const;

/** How a member is: what has become of it, and else what it was told; `drained` once a draining one holds nothing any more. */
export type MemberCondition = keyof typeof memberConditions;
/** All conditions, with numbers of their own. */
export const memberConditions = { alive: 0, missing: 1, gone: 2, cordoned: 3, draining: 4, drained: 5 } as const;

/** One member. */
export interface MemberState {
  readonly peer: PeerId;
  /** Empty while it was never heard of. */
  readonly peername: string;
  readonly state: MemberCondition;
  /** What it was told last, as far as known: of a member that is missing or gone it may have changed. */
  readonly cordon: CordonMode;
  /**
   * Since when it is alive, missing or gone as the peer that was asked sees it: at most since its own start. `null` when `state` is
   * another: since when it is cordoned, draining or drained is not known.
   */
  readonly since: Time | null;
  /** Pins that are allocated to it; those that are everywhere do not count. */
  readonly pins: number;
}

/** What a peer is told. The mode is a text: an unknown one must be refused, not taken for another. */
export interface CordonRequest {
  readonly mode: string;
}
