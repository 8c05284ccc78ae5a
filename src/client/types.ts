/** The calls of the REST API and what they take. Source: Go `api/rest/client`. */
import type {
  AddedOutput,
  Alert,
  AllocationExplanation,
  BandwidthByProtocol,
  Cid,
  ConnectGraph,
  CordonMode,
  GlobalPinInfo,
  GlobalRepoGc,
  Id,
  MemberState,
  Metric,
  OperationInfo,
  PeerId,
  Pin,
  PinOptions,
  PinType,
  RebalanceEvent,
  Replication,
  StatusFilter,
  Time,
} from '../model/index.ts';
import type { List, RequestOptions } from './exchange.ts';
import type { Upload } from './upload.ts';

/** Whom to ask. */
export interface LocalOptions extends RequestOptions {
  /** Ask only the peer that is called. Default false. */
  readonly local?: boolean;
}

/** A page of a list. Not known to Go peers, which give the whole list. */
export interface PageOptions {
  /** Items at most, 1 to 1,000; `next` of the list is the cursor of the page that follows. Default: all of the list. */
  readonly limit?: number;
  /** Where the page begins: `next` of the page before. */
  readonly cursor?: string;
}

/** Which pins to list. */
export interface StatusAllOptions extends LocalOptions, PageOptions {
  /** See `parseStatusFilter`. Default 0, all. */
  readonly filter?: StatusFilter;
}

/** Which unfinished work to list. */
export interface OperationsOptions extends LocalOptions {
  /** Only of this CID. Default: all. */
  readonly cid?: Cid;
}

/** How the pinset is read. */
export interface AllocationOptions extends RequestOptions {
  /**
   * Show all that any peer has acknowledged before. Refused with status 503 or 504 while no quorum confirms that, and while a Go peer
   * leads; a Go peer that is asked itself does not know the option. Default false: as far as the asked peer knows.
   */
  readonly linearizable?: boolean;
}

/** How replicas are counted. */
export interface ReplicationOptions extends RequestOptions {
  /** Ask all members what they have pinned, rather than count allocations to members that are alive. Default false. */
  readonly verify?: boolean;
}

/** How pins are rebalanced. */
export interface RebalanceOptions extends RequestOptions {
  /** Tell what would be moved, and move nothing. Default false. */
  readonly dryRun?: boolean;
  /** Moves at most. Default 1,000. */
  readonly maxMoves?: number;
}

/** What to look for; all that is given must hold. Not known to Go peers, which give the whole list. */
export interface SearchOptions {
  readonly name?: string;
  readonly namePrefix?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly createdAfter?: Time;
  readonly createdBefore?: Time;
}

/** What part of the pinset to list. */
export interface AllocationsOptions extends AllocationOptions, PageOptions, SearchOptions {
  /** Default: all types. */
  readonly types?: readonly PinType[];
}

/** What a token may do. Go peers give the same one whatever is asked. */
export interface TokenOptions extends RequestOptions {
  /** For how long it counts, as a Go duration such as `24h`. Default: for good. */
  readonly expiresIn?: string;
  /** `read`: it may change nothing. Default: what its user may. */
  readonly scope?: 'read';
}

/** How content is added. Default of what is absent: the peer's. Names are those of the API. */
export interface AddOptions {
  readonly pin?: Partial<PinOptions>;
  /** Of the request's parts: files and directories, or one CAR. */
  readonly format?: 'unixfs' | 'car';
  readonly layout?: 'balanced' | 'trickle';
  readonly chunker?: string;
  readonly hash?: string;
  readonly cidVersion?: number;
  readonly rawLeaves?: boolean;
  readonly wrapWithDirectory?: boolean;
  readonly local?: boolean;
  readonly recursive?: boolean;
  readonly hidden?: boolean;
  readonly shard?: boolean;
  readonly progress?: boolean;
  readonly noCopy?: boolean;
  readonly noPin?: boolean;
  /** Tell each object when it is there, rather than all when everything is done. Default: where failures after the first can be seen. */
  readonly streamChannels?: boolean;
}

/** What to be told of. */
export interface EventsOptions extends RequestOptions {
  /** `pin` (and `unpin`), `status`, `peer`, `alert`. Default: all. */
  readonly types?: readonly string[];
  /** Begin after this event. Default: with what happens from now on. */
  readonly lastEventId?: string;
  /** Attempts in a row without a word from any peer after which it fails. Default 10. */
  readonly attempts?: number;
}

/** What a peer tells. Of type `reset`, some events cannot be had any more: whoever follows a list reads it anew. */
export interface ServerEvent {
  /** Where to go on after it: `lastEventId`. */
  readonly id: string;
  readonly type: string;
  /** As the peer has sent it, a JSON document. */
  readonly data: string;
}

/**
 * Calls of a peer's REST API. All fail with `RequestError`; lists are read from the network while they are iterated,
 * and fail at their end when the peer could not complete them.
 */
export interface Client {
  id(options?: RequestOptions): Promise<Id>;
  version(options?: RequestOptions): Promise<string>;
  /** Resolves when the peer's API serves. */
  health(options?: RequestOptions): Promise<void>;
  peers(options?: RequestOptions): List<Id>;
  peerAdd(peer: PeerId, options?: RequestOptions): Promise<Id>;
  peerRemove(peer: PeerId, options?: RequestOptions): Promise<void>;
  /** Tells a member to take nothing new, to be emptied, or to take what it is given. Go peers answer with status 404 or 405. */
  cordon(peer: PeerId, mode: CordonMode, options?: RequestOptions): Promise<void>;
  /** How all members are, as the peer that is asked sees them. Go peers answer with status 404. */
  memberStates(options?: RequestOptions): Promise<readonly MemberState[]>;
  pin(cid: Cid, pinOptions?: Partial<PinOptions>, options?: RequestOptions): Promise<Pin>;
  /** `path` begins with `/ipfs/`, `/ipns/` or `/ipld/`. */
  pinPath(path: string, pinOptions?: Partial<PinOptions>, options?: RequestOptions): Promise<Pin>;
  /**
   * Which peers `pin` would choose now, and why; nothing is written. Where allocating would fail it resolves, with `error`. Go peers do
   * not have this call: status 404.
   */
  explainAllocation(
    cid: Cid,
    pinOptions?: Partial<PinOptions>,
    options?: RequestOptions,
  ): Promise<AllocationExplanation>;
  unpin(cid: Cid, options?: RequestOptions): Promise<Pin>;
  unpinPath(path: string, options?: RequestOptions): Promise<Pin>;
  allocation(cid: Cid, options?: AllocationOptions): Promise<Pin>;
  allocations(options?: AllocationsOptions): List<Pin>;
  status(cid: Cid, options?: LocalOptions): Promise<GlobalPinInfo>;
  statusCids(cids: readonly Cid[], options?: LocalOptions): List<GlobalPinInfo>;
  statusAll(options?: StatusAllOptions): List<GlobalPinInfo>;
  recover(cid: Cid, options?: LocalOptions): Promise<GlobalPinInfo>;
  recoverAll(options?: LocalOptions): List<GlobalPinInfo>;
  /**
   * Moves pins so that they are spread over groups and peers have equally many: each move when it is planned or has ended, then the
   * summary. Whoever stops reading ends it: no more moves are begun. Go peers answer with status 404.
   */
  rebalance(options?: RebalanceOptions): List<RebalanceEvent>;
  repoGc(options?: LocalOptions): Promise<GlobalRepoGc>;
  connectGraph(options?: RequestOptions): Promise<ConnectGraph>;
  alerts(options?: RequestOptions): Promise<readonly Alert[]>;
  /** Unfinished work of the peers, with a row for each that could not be asked. Go peers answer with status 404. */
  operations(options?: OperationsOptions): List<OperationInfo>;
  /** Not known to Go peers. */
  replication(options?: ReplicationOptions): Promise<Replication>;
  bandwidth(options?: RequestOptions): Promise<BandwidthByProtocol>;
  metricNames(options?: RequestOptions): Promise<readonly string[]>;
  metrics(name: string, options?: RequestOptions): Promise<readonly Metric[]>;
  /** A token of the user whose password is among the credentials. */
  token(options?: TokenOptions): Promise<string>;
  /** Makes a token count no more. Resolves with the members where it may still be used, and why. Go peers answer with status 404. */
  revokeToken(token: string, options?: RequestOptions): Promise<Readonly<Record<PeerId, string>>>;
  /**
   * Adds content and pins it. Gives what was added, the root last; with `progress`, how much was read as well. An iteration that ends
   * without failing means that all is added and pinned.
   */
  add(upload: Upload, addOptions?: AddOptions, options?: RequestOptions): List<AddedOutput>;
  /** What happens from now on, for as long as it is iterated: lost connections are made again. Go peers answer with status 404. */
  events(options?: EventsOptions): AsyncIterable<ServerEvent>;
}
