/**
 * Pins: what the cluster agrees on.
 * Source: Go `api/types.go` `Pin`, `PinOptions`, `PinPath`.
 */
import type { Cid } from './cid.ts';
import type { Multiaddr, PeerId } from './peer.ts';
import type { Time } from './time.ts';

/** Bit values of Go's `PinType`; `all` is the union. */
export const pinTypeBits = { bad: 1, pin: 2, 'meta-pin': 4, 'clusterdag-pin': 8, 'shard-pin': 16, all: 30 } as const;
/** What a pin stands for; users make `pin`, sharded adding makes the others. */
export type PinType = keyof typeof pinTypeBits;

/** With everything below the root, or the root block alone. */
export type PinMode = 'recursive' | 'direct';

/** What a user may ask of a pin. `null` lists and maps are Go's nil: JSON tells them from empty ones. */
export interface PinOptions {
  /** -1 everywhere, 0 the cluster's default. */
  readonly replicationFactorMin: number;
  readonly replicationFactorMax: number;
  readonly name: string;
  readonly mode: PinMode;
  /** Bytes; `0 <= shardSize <= Number.MAX_SAFE_INTEGER`. */
  readonly shardSize: number;
  readonly userAllocations: readonly PeerId[] | null;
  readonly expireAt: Time | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly pinUpdate: Cid | null;
  readonly origins: readonly Multiaddr[] | null;
}

/** An entry of the pinset. */
export interface Pin extends PinOptions {
  readonly cid: Cid;
  readonly type: PinType;
  /** Peers that hold the pin; empty or null when replicated everywhere. */
  readonly allocations: readonly PeerId[] | null;
  /** -1 recursive, 0 direct, n levels (shards). */
  readonly maxDepth: number;
  readonly reference: Cid | null;
  readonly timestamp: Time | null;
}

/** A pin request by path, such as `/ipfs/<cid>/a/b`. */
export interface PinPath extends PinOptions {
  readonly path: string;
}
