/** The client of a cluster as programs use it. */
import type { Clock, Random } from '../../base/index.ts';
import type {
  ConnectGraph,
  CordonMode,
  GlobalRepoGc,
  OperationInfo,
  PinType,
  RebalanceEvent,
  Replication,
  TrackerStatus,
} from '../../model/index.ts';
import type {
  AlertInfo,
  CidLike,
  MemberInfo,
  PeerInfo,
  PinChoice,
  PinEntry,
  PinSettings,
  PinStatus,
} from '../../plain/index.ts';
import type {
  Content,
  Credentials,
  List,
  LocalOptions,
  PageOptions,
  RebalanceOptions,
  ReplicationOptions,
  RequestOptions,
  TokenOptions,
  UploadEntry,
  UploadProgress,
} from '../index.ts';
import type { Added, MetricInfo, Plain, Traffic } from './data.ts';
import type { ClusterEvent } from './events.ts';

/** How to reach a cluster. */
export interface ClientOptions {
  /** Where the HTTP API of a peer is, or of several. Default `http://127.0.0.1:9094`. */
  readonly url?: string | readonly string[];
  /** Of several: the first that answers, or each in its turn. One that has not answered is asked last for 10 s. Default `failover`. */
  readonly balance?: 'failover' | 'round-robin';
  readonly credentials?: Credentials;
  /** Milliseconds for one call, its attempts and all of its answer included. Default: no limit. */
  readonly timeoutMs?: number;
  /**
   * How often a call is tried again when no peer has answered and doing it twice comes to the same as doing it once, with growing pauses
   * from 0.2 to 5 s. Default 3.
   */
  readonly retries?: number;
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch;
  /** Time and chance for the pauses between attempts. Default: those of the machine. */
  readonly clock?: Pick<Clock, 'now' | 'after'>;
  readonly random?: Random;
}

/** How to pin. */
export interface PinRequest extends PinSettings, RequestOptions {}

/** How an entry of the pinset is read. */
export interface GetOptions extends RequestOptions {
  /** See all that any peer has acknowledged before. Fails with status 503 or 504 while no quorum confirms that. Default false. */
  readonly linearizable?: boolean;
}

/** What to look for; all that is given must hold. */
export interface SearchRequest extends RequestOptions {
  readonly name?: string;
  readonly namePrefix?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly pinnedAfter?: Date;
  readonly pinnedBefore?: Date;
}

/** What part of the pinset to list. */
export interface PinsOptions extends SearchRequest, PageOptions, GetOptions {
  /** Default: what users have pinned, `pin` and `meta-pin`. */
  readonly types?: readonly PinType[];
}

/** What to list. */
export interface StatusOptions extends LocalOptions, PageOptions {
  /** Only pins with one of these statuses on some peer; `error` and `queued` stand for several. Default all. */
  readonly filter?: readonly (TrackerStatus | 'error' | 'queued')[];
}

/** What to wait for. */
export interface WaitOptions extends LocalOptions {
  /** Default `pinned`. */
  readonly status?: TrackerStatus;
  /** How many peers must have it; `min`: as many as the pin needs at least. Default: all that are to keep it. */
  readonly count?: number | 'min';
  /** Milliseconds until it fails. Default 60,000. */
  readonly timeoutMs?: number;
  /** Milliseconds between two looks. Default 250. */
  readonly intervalMs?: number;
}

/** How content is added and pinned. What is absent is as the peer has it. */
export interface AddRequest extends Omit<PinSettings, 'mode' | 'update'>, RequestOptions {
  /** Default 0. */
  readonly cidVersion?: 0 | 1;
  /** Default: false for version 0, true for version 1. */
  readonly rawLeaves?: boolean;
  /** Such as `size-262144`, which is the default. */
  readonly chunker?: string;
  /** Default `balanced`. */
  readonly layout?: 'balanced' | 'trickle';
  /** A multihash name. Default `sha2-256`. */
  readonly hash?: string;
  /** Send the blocks to the peer that is called only, which others then fetch from. Default false. */
  readonly local?: boolean;
  /** Spread one large DAG over peers, in parts of `shardSize` bytes. Default false. */
  readonly shard?: boolean;
  /** Default 104,857,600. */
  readonly shardSize?: number;
  /** Store the blocks and pin nothing. Default false. */
  readonly noPin?: boolean;
  /** Called while content is sent. In browsers not through a `fetch` of one's own, and not in service workers. */
  readonly onProgress?: (progress: UploadProgress) => void;
  /** Called with each file and directory, the root last. */
  readonly onAdded?: (added: Added) => void;
}

/** How one file is added. */
export interface AddFileRequest extends AddRequest {
  /** Default: the name of a `File`, else empty. */
  readonly fileName?: string;
}

/** How a directory is added. */
export interface AddDirectoryRequest extends AddRequest {
  /** Make a directory around all entries. Without it they must be below one directory, which is the root then. Default true. */
  readonly wrap?: boolean;
}

/** Files of a directory: entries with paths, or what a browser gives (`<input webkitdirectory>`). */
export type DirectoryContent = ArrayLike<UploadEntry | File> | Iterable<UploadEntry | File>;

/** What to be told of. */
export interface EventsRequest extends RequestOptions {
  /** `pin` means `unpin` as well. Default: all. */
  readonly types?: readonly ('pin' | 'status' | 'peer' | 'alert')[];
  /** The `id` of the last event that was seen: those that came since then follow. Default: what happens from now on. */
  readonly after?: string;
}

/**
 * The HTTP API of a cluster.
 *
 * **Errors** are `OperatingError`s, compared by `code`; those of requests are `RequestError`s, which have the `status` of the answer as
 * well. `client/bad-argument`: an argument is none; nothing was sent. `client/refused`: the peer has answered with an error.
 * `client/unreachable`, `client/cut`, `client/timeout`, `client/aborted`: no whole answer; `outcome` tells whether the peer may have done
 * what it was asked (`unknown`) or not (`refused`). `client/stream`: the peer could not complete a list. `client/bad-answer`: what came
 * is not of this API.
 *
 * **Lists** are read from the network while they are iterated; each iteration asks anew. A list that breaks off, or that the peer could
 * not complete, fails at its end, and is not begun again once an item was given out. `complete` tells whether the peer has said that
 * this was all.
 *
 * A Go peer answers with status 404 or 405 what only our peers know: `explain`, `cordonPeer`, `members`, `rebalance`, `operations`,
 * `replication`, `revokeToken`, `events`; it gives whole lists where pages or a search are asked for.
 */
export interface Client {
  /** Resolves when a peer's API serves; needs no credentials. */
  health(options?: RequestOptions): Promise<void>;
  /** The peer that is called. */
  id(options?: RequestOptions): Promise<PeerInfo>;
  /** Its version. */
  version(options?: RequestOptions): Promise<string>;

  /**
   * Resolves when the cluster has agreed on the pin; the IPFS nodes do their part afterwards (`waitFor`). A pin that is there already gets
   * all the settings of this request. A path, such as `/ipfs/<cid>/file`, is resolved first.
   */
  pin(cid: CidLike, request?: PinRequest): Promise<PinEntry>;
  /** As `pin`. Resolves with the entry as it was; fails with status 404 when there was none. */
  unpin(cid: CidLike, options?: RequestOptions): Promise<PinEntry>;
  /** Which peers `pin` would choose now, and why; nothing is written. */
  explain(cid: CidLike, request?: PinRequest): Promise<PinChoice>;
  /** The entry of a CID; `undefined` when it is not pinned. */
  get(cid: CidLike, options?: GetOptions): Promise<PinEntry | undefined>;
  /** The pinset, a page of it, or what is found in it. */
  pins(options?: PinsOptions): List<PinEntry>;
  /** All that is found, page after page: a page that breaks off is asked for again. Our peers only. */
  search(request: SearchRequest): List<PinEntry>;

  /** A CID that is not in the pinset is `unpinned` on all peers. */
  status(cid: CidLike, options?: LocalOptions): Promise<PinStatus>;
  statusAll(options?: StatusOptions): List<PinStatus>;
  /** Of these CIDs, however many. */
  statusOf(cids: readonly CidLike[], options?: LocalOptions): List<PinStatus>;
  /** Resolves when the pin has reached the status. Fails with `WaitError`. */
  waitFor(cid: CidLike, options?: WaitOptions): Promise<PinStatus>;
  /** Tries a failed pin again. */
  recover(cid: CidLike, options?: LocalOptions): Promise<PinStatus>;
  /** Tries all failed pins again; gives those that were queued. */
  recoverAll(options?: LocalOptions): List<PinStatus>;
  /** Unfinished work of the peers, and what holds it up. */
  operations(options?: LocalOptions & { readonly cid?: CidLike }): List<Plain<OperationInfo>>;

  /** Adds one file and pins it. */
  addFile(content: Content, request?: AddFileRequest): Promise<Added>;
  /** Adds files in directories and pins the root, which it resolves with. */
  addDirectory(content: DirectoryContent, request?: AddDirectoryRequest): Promise<Added>;
  /** Adds the blocks of a CAR that has one root, and pins that. */
  addCar(content: Content, request?: AddRequest): Promise<Added>;

  /** All members; those that do not answer have an `error`. */
  peers(options?: RequestOptions): List<PeerInfo>;
  addPeer(peer: string, options?: RequestOptions): Promise<PeerInfo>;
  /** Takes a member out of the cluster. */
  removePeer(peer: string, options?: RequestOptions): Promise<void>;
  /** `cordoned` gets no new pins, `draining` gives those it has to others as well, `none` is as before. */
  cordonPeer(peer: string, mode: CordonMode, options?: RequestOptions): Promise<void>;
  /** All members as the peer that is called sees them. */
  members(options?: RequestOptions): Promise<readonly MemberInfo[]>;
  /** Moves pins so that they are spread evenly: each move, then the summary. */
  rebalance(options?: RebalanceOptions): List<Plain<RebalanceEvent>>;

  /** How many pins have as many replicas as they should. */
  replication(options?: ReplicationOptions): Promise<Replication>;
  /** Which members and IPFS nodes are connected. */
  graph(options?: RequestOptions): Promise<Plain<ConnectGraph>>;
  /** Metrics that have expired, the newest first. */
  alerts(options?: RequestOptions): Promise<readonly AlertInfo[]>;
  /** Traffic by libp2p protocol. */
  bandwidth(options?: RequestOptions): Promise<Readonly<Record<string, Traffic>>>;
  metricNames(options?: RequestOptions): Promise<readonly string[]>;
  /** The latest of each member. */
  metrics(name: string, options?: RequestOptions): Promise<readonly MetricInfo[]>;
  /** Collects garbage on the IPFS nodes, which can take hours. */
  collectGarbage(options?: LocalOptions): Promise<Plain<GlobalRepoGc>>;

  /** A token for the user whose password is among the credentials. */
  token(options?: TokenOptions): Promise<string>;
  /** Makes a token count no more. Resolves with the members where it may still be used, and why: by peer id, empty when there is none. */
  revokeToken(token: string, options?: RequestOptions): Promise<Readonly<Record<string, string>>>;

  /**
   * What happens from now on, until the iteration is ended or the signal fires. A lost connection is made again after the last event;
   * `reset` comes when something may have been missed.
   */
  events(request?: EventsRequest): AsyncIterable<ClusterEvent>;
}
