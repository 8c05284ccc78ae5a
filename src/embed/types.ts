/** A peer of a cluster as an object: what an embedding program calls, and the plain data that it gets back. */
import type { CordonMode, Multiaddr, PeerId, TrackerStatus } from '../model/index.ts';
import type {
  AlertInfo,
  CidLike,
  MemberInfo,
  PeerInfo,
  PinChoice,
  PinEntry,
  PinSettings,
  PinStatus,
} from '../plain/index.ts';

/** What every call takes. */
export interface CallLimits {
  /** Ends the waiting; what was asked may still happen. */
  readonly signal?: AbortSignal;
  /** Milliseconds until the call fails. Default: the peer's own limits, such as `raft.waitForLeaderTimeoutMs` for a write. */
  readonly timeoutMs?: number;
}

/** What a peer tells, and with what. */
export interface ClusterEvents {
  /** An entry of the pinset is new or has changed, and this peer shows it. After a restart the last ones can come again. */
  readonly pin: PinEntry;
  /** An entry has gone. */
  readonly unpin: { readonly cid: string };
  /** The whole pinset came from another peer: whoever follows it by `pin` and `unpin` reads it anew. */
  readonly replaced: { readonly pins: number };
  /** Members, in ascending order, after a change. */
  readonly peers: { readonly peers: readonly PeerId[] };
  /** Who leads from now on; `undefined`: nobody that this peer knows. */
  readonly leader: { readonly leader: PeerId | undefined };
  readonly alert: AlertInfo;
}

/** How to pin. */
export interface PinRequest extends PinSettings, CallLimits {}

/** What to list. */
export interface StatusOptions extends CallLimits {
  /** Only pins with one of these statuses on some peer. Default all. */
  readonly filter?: readonly TrackerStatus[];
  /** Ask this peer only. Default false: all members. */
  readonly local?: boolean;
}

/** What to wait for. */
export interface WaitOptions extends CallLimits {
  /** Default `pinned`. */
  readonly status?: TrackerStatus;
  /** How many peers must have it. Default: all that are to keep it. */
  readonly count?: number;
  /** Milliseconds between two looks. Default 250. */
  readonly intervalMs?: number;
}

/** Where a peer serves, with the real ports. */
export interface Doors {
  /** HTTP API; empty when it is off. */
  readonly http: readonly Multiaddr[];
  /** IPFS Pinning Service API; empty when it is off. */
  readonly pinningService: readonly Multiaddr[];
  /** IPFS proxy; empty when it is off. */
  readonly proxy: readonly Multiaddr[];
  /** Kubo RPC of the IPFS node of this peer. */
  readonly ipfs: Multiaddr;
}

/**
 * One peer of a cluster.
 *
 * **Errors** are `OperatingError`s; `code` tells what, and `outcome` of a failed write whether it can still happen:
 * `consensus/no-leader` and `consensus/timeout` while there is no majority, `cluster/not-pinned`, `cluster/bad-pin`,
 * `cluster/refused-pin`, `cluster/no-member`, `cluster/cannot-cordon`, `allocate/…` when too few peers can take a pin, `embed/bad-argument` for arguments that are none.
 */
export interface Cluster extends AsyncDisposable {
  readonly id: PeerId;
  readonly peername: string;
  /** Listening addresses with `/p2p/<id>`: what `bootstrap` of others takes. */
  readonly addresses: readonly Multiaddr[];
  readonly doors: Doors;
  /** The secret of the cluster, which every peer needs. */
  readonly secret: string;
  /** Resolves when the peer is a member and up to date. Rejects when it is stopped before. */
  readonly ready: Promise<void>;
  /** Resolves when the peer has stopped: with nothing after `stop`, with the cause when it could not go on. */
  readonly ended: Promise<Error | undefined>;

  /**
   * Resolves when a majority has the pin on disk and this peer shows it; the IPFS nodes do their part afterwards (`waitFor`).
   * A path, such as `/ipfs/<cid>/file`, is resolved first.
   */
  pin(cid: CidLike, request?: PinRequest): Promise<PinEntry>;
  /** Which peers `pin` would choose now, and why; nothing is written. Rejects where `pin` would before it chooses. Takes no paths. */
  explain(cid: CidLike, request?: PinRequest): Promise<PinChoice>;
  /** As `pin`. Resolves with the entry as it was; rejects with `cluster/not-pinned`. */
  unpin(cid: CidLike, limits?: CallLimits): Promise<PinEntry>;
  /** The entry of a CID as this peer knows it. */
  get(cid: CidLike): PinEntry | undefined;
  /** The pinset as this peer knows it when the listing begins. */
  pins(options?: { readonly signal?: AbortSignal }): AsyncIterable<PinEntry>;
  /**
   * Resolves when `get` and `pins` show all that any peer has acknowledged before the call: a linearizable read is this, then one of
   * those. Rejects with `consensus/no-leader`, `consensus/timeout`, or `consensus/no-read-index` while a Go peer leads.
   */
  readBarrier(limits?: CallLimits): Promise<void>;
  status(cid: CidLike, options?: Omit<StatusOptions, 'filter'>): Promise<PinStatus>;
  statusAll(options?: StatusOptions): AsyncIterable<PinStatus>;
  /** Tries a failed pin again, wherever it failed. */
  recover(cid: CidLike, options?: Omit<StatusOptions, 'filter'>): Promise<PinStatus>;
  /** Tries all failed pins again; gives those that were queued. */
  recoverAll(options?: Omit<StatusOptions, 'filter'>): AsyncIterable<PinStatus>;
  /** Resolves when the pin has reached the status. Rejects with `embed/not-reached`, which tells how far it came. Default limit: 60 s. */
  waitFor(cid: CidLike, options?: WaitOptions): Promise<PinStatus>;

  /** All members, this one included. */
  peers(limits?: CallLimits): Promise<readonly PeerInfo[]>;
  /** Takes a member out of the cluster, which stops it and sets its data aside. */
  removePeer(peer: PeerId, limits?: CallLimits): Promise<void>;
  /**
   * Tells a member, this one included, what to keep, until it is told otherwise: `cordoned` gets no new pins, `draining` gives those it
   * has to others as well, `none` is as before. Emptying goes on after the call: `members` tells how far it is.
   */
  cordonPeer(peer: PeerId, mode: CordonMode, limits?: CallLimits): Promise<void>;
  /** All members as this peer sees them, without asking them. */
  members(limits?: CallLimits): Promise<readonly MemberInfo[]>;
  /** Who leads as far as this peer knows; writes go there by themselves. */
  leader(): PeerId | undefined;
  /** What this peer noticed of others, newest first. */
  alerts(): readonly AlertInfo[];

  /** Calls back, in order, after each event. @returns what ends that. */
  on<Name extends keyof ClusterEvents>(event: Name, listener: (value: ClusterEvents[Name]) => void): () => void;
  /** Stops the peer; its folder can be used again. Idempotent, never rejects. */
  stop(): Promise<void>;
}
