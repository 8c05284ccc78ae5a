/**
 * What peers publish about themselves.
 * Source: Go `api/types.go` `Metric`, `Alert`.
 */
import type { PeerId } from './peer.ts';
import type { Time } from './time.ts';

/** One measurement of one peer, valid until it expires. */
export interface Metric {
  readonly name: string;
  readonly peer: PeerId;
  readonly value: string;
  /** Nanoseconds since the Unix epoch, by the sender's clock. */
  readonly expire: bigint;
  readonly valid: boolean;
  readonly weight: bigint;
  readonly partitionable: boolean;
  /** Nanoseconds since the Unix epoch, set on arrival; 0n before. */
  readonly receivedAt: bigint;
}

/** A metric that has expired, and when that was noticed. */
export interface Alert extends Metric {
  readonly triggeredAt: Time | null;
}

/** Value of the `ping` metric, as JSON text inside `Metric.value`. Empty fields are omitted. */
export interface PingValue {
  readonly peername: string;
  readonly ipfsId: PeerId;
  readonly ipfsAddresses: readonly string[];
}
