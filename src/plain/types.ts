/** Pins, statuses and peers as plain data, for those who embed a peer and those who call one: no CIDs but as text, no nulls. */
import type {
  AllocationClass,
  AllocationOutcome,
  CordonMode,
  MemberCondition,
  Multiaddr,
  PeerId,
  PinMode,
  PinType,
  TrackerStatus,
} from '../model/index.ts';

/** A CID: its text, or any object that prints as one, such as `Cid` of this package or of `multiformats`. */
export type CidLike = string | { readonly bytes: Uint8Array; toString(): string };

/** How to pin. */
export interface PinSettings {
  /** Any text for people. Default empty. */
  readonly name?: string;
  /** With everything below, or the root block alone. Default `recursive`. */
  readonly mode?: PinMode;
  /** On how many peers at least and at most; -1 for both: on all. Default: `replication` of the peer that is asked. */
  readonly replicationMin?: number;
  readonly replicationMax?: number;
  /** Peers to prefer. Default: those with the most free space, spread over the values of the tag `group`. */
  readonly allocations?: readonly PeerId[];
  /** The pin goes away by itself then. Default: never. */
  readonly expireAt?: Date;
  /** Kept with the pin. Default none. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** IPFS nodes that have the content. Default none. */
  readonly origins?: readonly Multiaddr[];
  /** Take over the peers and the settings of this pin, of an earlier version of the content. Default: a pin of its own. */
  readonly update?: CidLike;
}

/** An entry of the pinset. */
export interface PinEntry {
  readonly cid: string;
  /** `pin`, or what sharded adding makes: `meta-pin`, `clusterdag-pin`, `shard-pin`. */
  readonly type: PinType;
  readonly name: string;
  readonly mode: PinMode;
  /** -1: on all peers. */
  readonly replicationMin: number;
  readonly replicationMax: number;
  /** Who keeps it; empty: all. */
  readonly allocations: readonly PeerId[];
  readonly pinnedAt: Date | undefined;
  readonly expireAt: Date | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly origins: readonly Multiaddr[];
}

/** Why a peer would hold a pin, or not. */
export interface PeerChoice {
  readonly peername: string;
  /** Whether it would hold the pin. */
  readonly isChosen: boolean;
  /**
   * `current`: holds the pin and counts; `priority`: could, and was asked for; `candidate`: could; `dropped`: neither counts nor can
   * be chosen.
   */
  readonly class: AllocationClass;
  /** In words. */
  readonly reason: string;
}

/** Which peers would hold a pin, and why. */
export interface PinChoice {
  readonly cid: string;
  readonly replicationMin: number;
  readonly replicationMax: number;
  /** Holders that stay first, then the new ones in the order of choice; empty: all, or none when there is an error. */
  readonly allocations: readonly PeerId[];
  readonly outcome: AllocationOutcome;
  /** In words. */
  readonly reason: string;
  /** What `pin` would fail with; empty when it would not. */
  readonly error: string;
  readonly peers: Readonly<Record<PeerId, PeerChoice>>;
}

/** How a pin stands on one peer. */
export interface PeerPinStatus {
  readonly peername: string;
  /** `remote`: kept by others. `cluster_error`: the peer has not answered. */
  readonly status: TrackerStatus;
  /** Of the last failure; empty when there is none. */
  readonly error: string;
  readonly attempts: number;
  readonly since: Date | undefined;
}

/** How a pin stands on all peers. */
export interface PinStatus {
  readonly cid: string;
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly allocations: readonly PeerId[];
  readonly peers: Readonly<Record<PeerId, PeerPinStatus>>;
}

/** A member of the cluster. */
export interface PeerInfo {
  readonly id: PeerId;
  readonly peername: string;
  readonly version: string;
  /** Each ends with `/p2p/<id>`: what `bootstrap` of others takes. */
  readonly addresses: readonly Multiaddr[];
  /** Why there is no more than the id; empty when the peer has answered. */
  readonly error: string;
  readonly ipfs: { readonly id: PeerId; readonly addresses: readonly Multiaddr[]; readonly error: string };
}

/** A peer has not renewed a metric in time: with name `ping`, it is gone. */
export interface AlertInfo {
  readonly name: string;
  readonly peer: PeerId;
  readonly at: Date | undefined;
}

/** How a member is, and how much it has to keep. */
export interface MemberInfo {
  readonly id: PeerId;
  readonly peername: string;
  /** `missing`: it does not answer; `gone`: for so long that its pins may move; `drained`: draining, and nothing is left. */
  readonly state: MemberCondition;
  /** What it was told last. */
  readonly cordon: CordonMode;
  /** Since when it is alive, missing or gone; of another `state` it is not known. */
  readonly since: Date | undefined;
  /** Pins that it is to keep; those that are on all peers do not count. */
  readonly pins: number;
}
