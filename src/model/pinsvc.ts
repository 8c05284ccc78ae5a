/** What the IPFS Pinning Service API speaks of. Source: its specification, version 1.0.0, `components.schemas`. */
import type { Cid } from './cid.ts';
import type { Multiaddr } from './peer.ts';
import type { Time } from './time.ts';

/** queued and pinning may still become one of the others. */
export type PinsvcState = 'queued' | 'pinning' | 'pinned' | 'failed';

/** All states, in the order of a pin's life. */
export const pinsvcStates: readonly PinsvcState[] = ['queued', 'pinning', 'pinned', 'failed'];

/** What somebody asks to be pinned: the specification's `Pin`. */
export interface PinsvcPin {
  readonly cid: Cid;
  /** Empty: none. */
  readonly name: string;
  /** Peers that have the content. */
  readonly origins: readonly Multiaddr[] | null;
  readonly meta: Readonly<Record<string, string>> | null;
}

/** How it stands with a pin: the specification's `PinStatus`. */
export interface PinsvcStatus {
  /** The CID: a cluster has one pin of each. */
  readonly requestid: string;
  readonly status: PinsvcState;
  /** See `createdOf`. */
  readonly created: Time | null;
  readonly pin: PinsvcPin;
  /** The IPFS nodes that are to hold it, at most 20. */
  readonly delegates: readonly Multiaddr[] | null;
  readonly info: Readonly<Record<string, string>>;
}

/** A list: the specification's `PinResults`. */
export interface PinsvcResults {
  /** Of all pins that match. */
  readonly count: number;
  /** The newest of them, newest first. */
  readonly results: readonly PinsvcStatus[] | null;
}

/** The body of a failed request. */
export interface PinsvcFailure {
  readonly error: {
    /** For machines: upper-case words with underscores. */
    readonly reason: string;
    /** For people. */
    readonly details: string;
  };
}
