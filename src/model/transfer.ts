/**
 * What travels while content is added, and small answers of the API.
 * Source: Go `api/types.go` `NodeWithMeta`, `Bandwidth`, `Error`; `api/add.go` `AddedOutput`.
 */
import type { Cid } from './cid.ts';
import type { PeerId } from './peer.ts';

/** A block on its way to the peers that will hold it. */
export interface NodeWithMeta {
  readonly data: Uint8Array | null;
  readonly cid: Cid;
  /** Bytes of the node and all below it. */
  readonly cumulativeSize: number;
}

/** Traffic of one libp2p protocol; bytes, and bytes per second. */
export interface Bandwidth {
  readonly totalIn: number;
  readonly totalOut: number;
  readonly rateIn: number;
  readonly rateOut: number;
}

/** Keys are protocol ids; the empty key occurs. */
export type BandwidthByProtocol = Readonly<Record<string, Bandwidth>>;

/** One line of the answer to `POST /add`: something added, or progress (no `cid`). */
export interface AddedOutput {
  readonly name: string;
  readonly cid: Cid | null;
  /** Bytes read so far. */
  readonly bytes: number;
  /** Bytes of the whole DAG. */
  readonly size: number;
  readonly allocations: readonly PeerId[] | null;
}

/** The body of every failed REST request. */
export interface ApiError {
  /** The HTTP status; 0 in a client that got no answer. */
  readonly code: number;
  readonly message: string;
}
