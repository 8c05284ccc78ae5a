/**
 * The state of pins on peers.
 * Source: Go `api/types.go` `TrackerStatus`, `PinInfo`, `GlobalPinInfo`.
 */
import type { Cid } from './cid.ts';
import type { Multiaddr, PeerId } from './peer.ts';
import type { PinHeader } from './stored-pin.ts';
import type { Time } from './time.ts';

/** Bit values of Go's `TrackerStatus`. A filter is the union of bits; 0 (`undefined`) matches everything. */
export const trackerStatusBits = {
  undefined: 0,
  cluster_error: 2,
  pin_error: 4,
  unpin_error: 8,
  pinned: 16,
  pinning: 32,
  unpinning: 64,
  unpinned: 128,
  remote: 256,
  pin_queued: 512,
  unpin_queued: 1024,
  sharded: 2048,
  unexpectedly_unpinned: 4096,
} as const;
/** The state of a pin on one peer. */
export type TrackerStatus = keyof typeof trackerStatusBits;

/** Composite names that a filter may use beside the statuses. */
export const trackerStatusGroups = { error: 14, queued: 1536 } as const;

/** A union of status bits; 0 matches everything. */
export type StatusFilter = number;

/** The state of a pin on one peer, without what is the same on all. */
export interface PinInfoShort {
  readonly peername: string;
  readonly ipfsPeerId: PeerId;
  readonly ipfsAddresses: readonly Multiaddr[] | null;
  readonly status: TrackerStatus;
  readonly timestamp: Time | null;
  readonly error: string;
  readonly attemptCount: number;
  readonly priorityPin: boolean;
}

/** The state of one pin on one peer. */
export interface PinInfo extends PinInfoShort {
  readonly cid: Cid;
  readonly name: string;
  readonly peer: PeerId;
  readonly allocations: readonly PeerId[] | null;
  readonly origins: readonly Multiaddr[] | null;
  readonly created: Time | null;
  readonly metadata: Readonly<Record<string, string>> | null;
}

/** The state of one pin on one peer as long lists pass it on: nothing is in it that is the same for all pins of the peer. */
export interface StatusRow {
  /** State key of the pin. */
  readonly key: string;
  readonly status: TrackerStatus;
  /** `undefined`: that of the pin. */
  readonly timestamp: Time | null | undefined;
  readonly error: string;
  readonly attemptCount: number;
  readonly priorityPin: boolean;
  readonly pin: PinHeader;
}

/** What another peer says: the pin is absent when it is in the pinset, which everyone has. */
export interface RemoteStatusRow extends Omit<StatusRow, 'pin'> {
  readonly pin: PinHeader | undefined;
}

/** The state of one pin on all peers; keys of `peerMap` are peer ids. */
export interface GlobalPinInfo {
  readonly cid: Cid;
  readonly name: string;
  readonly allocations: readonly PeerId[] | null;
  readonly origins: readonly Multiaddr[] | null;
  readonly created: Time | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly peerMap: Readonly<Record<PeerId, PinInfoShort>>;
}

/** How an IPFS node holds a CID. Go `api.IPFSPinStatus`; position is the wire value. */
export const ipfsPinStatuses = ['bug', 'error', 'direct', 'recursive', 'indirect', 'unpinned'] as const;
/** How an IPFS node holds a CID. */
export type IpfsPinStatus = (typeof ipfsPinStatuses)[number];

/** One pin of an IPFS node. */
export interface IpfsPinInfo {
  readonly cid: Cid;
  readonly status: IpfsPinStatus;
}

/** Size of the repository of an IPFS node. */
export interface IpfsRepoStat {
  /** Bytes. */
  readonly repoSize: number;
  /** Bytes. */
  readonly storageMax: number;
}

/** A block that was freed, or why one was not. */
export interface IpfsRepoGc {
  readonly key: Cid | null;
  readonly error: string;
}

/** What garbage collection did on one peer. */
export interface RepoGc {
  readonly peer: PeerId;
  readonly peername: string;
  readonly keys: readonly IpfsRepoGc[] | null;
  readonly error: string;
}

/** What garbage collection did on all peers; keys are peer ids. */
export interface GlobalRepoGc {
  readonly peerMap: Readonly<Record<PeerId, RepoGc>>;
}
