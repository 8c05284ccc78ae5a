/**
 * All contracts between the parts of a peer, on one page.
 *
 * `cluster` decides with these and never touches the world itself; `io` and `http` implement or use them; `cmd/service`
 * chooses the implementations. Every implementation of a port passes the same conformance suite (`test/conformance`).
 */
import type { Startable } from '../base/index.ts';
import type {
  AddedOutput,
  AddParams,
  Alert,
  AllocationExplanation,
  BandwidthByProtocol,
  Cid,
  ClusterEvent,
  ConnectGraph,
  CordonMode,
  EventTopic,
  GlobalPinInfo,
  GlobalRepoGc,
  GlobalStatusRow,
  Id,
  IpfsId,
  IpfsPinInfo,
  IpfsPinStatus,
  IpfsRepoGc,
  IpfsRepoStat,
  MemberState,
  Metric,
  Multiaddr,
  NodeWithMeta,
  OperationInfo,
  PeerId,
  PeerLabel,
  Pin,
  PinInfo,
  PinOptions,
  PinPath,
  PinSearch,
  RebalanceEvent,
  Replication,
  RepoGc,
  RevocationAnswer,
  RevokedToken,
  RpcMethod,
  RpcStreamMethod,
  StatusFilter,
  StatusRow,
  StoredPin,
  Version,
} from '../model/index.ts';
import type { PinKind } from './pin-kinds.ts';

/** What every waiting call takes. Aborting ends the wait, not necessarily the act. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until the call fails; absent means the callee's default. */
  readonly timeoutMs?: number;
}

/** What a list of statuses takes. */
export interface StatusListOptions extends CallOptions {
  /** State key, of a pin or of none, behind which the list begins. */
  readonly after?: string;
}

/** What a write to the pinset takes. */
export interface WriteOptions extends CallOptions {
  /**
   * Write only over exactly this pin, of the same CID, as it was read of the pinset: else `consensus/changed`, refused. Pins are compared
   * as they are stored, so without what is not stored (`encodePin`).
   */
  readonly onlyIf?: Pin;
}

// ---------------------------------------------------------------------------------------------------- storage

/** One change of a batch. */
export type DatastoreOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** Keys in byte order. */
export interface KeyRange {
  /** First key, included. */
  readonly start: Uint8Array;
  /** Last key, excluded. */
  readonly end: Uint8Array;
}

/** A key with its value. */
export type DatastoreEntry = readonly [key: Uint8Array, value: Uint8Array];

/** The same with the key as text. */
export type TextEntry = readonly [key: string, value: Uint8Array];

/** How a scan is read. */
export interface ScanOptions {
  /** Entries of a page at most. Default 1000. */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
}

/** An ordered key-value store. */
export interface Datastore {
  get(key: Uint8Array): Uint8Array | undefined;
  /**
   * Atomic; readers see it when the promise resolves. Without `durable` a power cut may lose any of the batches since the last
   * durable one, also one before others that are kept. A durable one and all before it are on disk when it resolves; if it is
   * kept by a power cut before that, so are all before it.
   * **One batch in flight**: a second call before the first resolved is a programmer error.
   */
  batch(ops: readonly DatastoreOp[], options: { readonly durable: boolean }): Promise<void>;
  /**
   * Pages of at most `pageSize` entries in key order, from one snapshot; yields to the event loop between pages. With `keysOnly`
   * the values may be anything: damage of them is no failure.
   */
  scan(range: KeyRange, options?: ScanOptions & { readonly keysOnly?: boolean }): AsyncIterable<DatastoreEntry[]>;
  /**
   * The same of a range in which all keys are ASCII. Long lists read with this: bytes of their own for each key are what a scan
   * spends most of its time on.
   */
  scanText(range: KeyRange, options?: ScanOptions): AsyncIterable<TextEntry[]>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------------- network

/** One bidirectional byte stream to a peer, with the end of the stream and unread data told apart. */
export interface ByteStream {
  readonly remotePeer: PeerId;
  /** The next bytes, as they come; `null` at the end of the stream. Rejects when the stream was reset. One reader. */
  read(): Promise<Uint8Array | null>;
  /** Queues bytes; writes of one turn leave together. Resolves when there is room for more (back-pressure). */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our direction; reading goes on. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once. Idempotent, never throws. */
  reset(): void;
  /** Aborted when the remote has reset the stream, or the connection is gone. */
  readonly signal: AbortSignal;
}

/** Streams to other members by protocol id. */
export interface Streams {
  readonly self: PeerId;
  /** Negotiates lazily: the protocol header travels with the first write. */
  open(peer: PeerId, protocol: string, options?: CallOptions): Promise<ByteStream>;
  handle(protocol: string, handler: (stream: ByteStream) => void): void;
  /** What the peer said in identify; `undefined` while unknown. */
  protocolsOf(peer: PeerId): readonly string[] | undefined;
}

/** Messages to all members. */
export interface PubSub {
  publish(topic: string, data: Uint8Array): Promise<void>;
  /** `from` is the verified signer. */
  subscribe(topic: string, onMessage: (from: PeerId, data: Uint8Array) => void): void;
}

/** Connections and addresses of the cluster's own libp2p host. */
export interface Host extends Startable {
  readonly self: PeerId;
  /** Our listening addresses with `/p2p/<self>`. */
  addresses(): readonly Multiaddr[];
  /** Where a peer is best looked for, with `/p2p/<id>`: once it has been reached, nothing that it may have left long ago. */
  addressesOf(peer: PeerId): readonly Multiaddr[];
  /** Remembers addresses; each ends with `/p2p/<id>`. Unusable ones are ignored. */
  addAddresses(addresses: readonly Multiaddr[]): Promise<void>;
  forget(peer: PeerId): Promise<void>;
  connect(peerOrAddress: PeerId | Multiaddr, options?: CallOptions): Promise<PeerId>;
  connectedPeers(): readonly PeerId[];
  /** Bytes since the start, and bytes a second, of each protocol. */
  bandwidth(): BandwidthByProtocol;
  readonly streams: Streams;
  readonly pubsub: PubSub;
}

/** Where the addresses of members outlive the process. */
export interface AddressFile {
  /** What an operator knows it by. */
  readonly path: string;
  /**
   * From now on it has these addresses, each with `/p2p/<id>`, in place of those that were saved before, and none of the peers that
   * have left; what an operator has added of others stays. Resolves when that cannot be lost; a failure leaves what was there.
   */
  save(addresses: readonly Multiaddr[], left: readonly PeerId[]): Promise<void>;
}

/** Where what an operator has told this peer outlives the process. */
export interface CordonFile {
  /** `none` when nothing was ever saved. Throws `config/bad-file`. */
  read(): Promise<CordonMode>;
  /** Resolves when it cannot be lost. Throws `config/bad-file`, and then what was there is there still. */
  save(mode: CordonMode): Promise<void>;
}

/** Where the tokens that count no more outlive the process. */
export interface RevocationFile {
  /** None when nothing was ever saved. Throws `config/bad-file`. */
  read(): Promise<readonly RevokedToken[]>;
  /** Resolves when they cannot be lost. Throws `config/bad-file`, and then what was there is there still. */
  save(tokens: readonly RevokedToken[]): Promise<void>;
}

/** Calls to members by the Go peer's RPC; calls to self stay in the process and skip the trust policy. */
export interface Rpc {
  call<A, R>(peer: PeerId, method: RpcMethod<A, R>, argument: A, options?: CallOptions): Promise<R>;
  stream<A, R>(
    peer: PeerId,
    method: RpcStreamMethod<A, R>,
    args: readonly A[] | AsyncIterable<A>,
    options?: CallOptions,
  ): AsyncIterable<R>;
}

// ---------------------------------------------------------------------------------------------------- pinset

/** Where a walk over pins begins, and what ends it. */
export interface StoredPagesOptions extends ScanOptions {
  /** State key, of a pin or of none, behind which the walk begins. */
  readonly after?: string;
}

/** A read-only view of the agreed pinset. */
export interface Pinset {
  get(cid: Cid): Pin | undefined;
  has(cid: Cid): boolean;
  /** All pins in key order, in pages, from one snapshot. */
  pages(options?: { readonly signal?: AbortSignal; readonly pageSize?: number }): AsyncIterable<readonly Pin[]>;
  /**
   * The same as they are stored, for lists and sweeps that need little of each: those behind the state key `after`. The first page is
   * short: it comes at once.
   */
  storedPages(options?: StoredPagesOptions): AsyncIterable<readonly StoredPin[]>;
  /** Another object after every change: what is read under one of them is the same, whenever it is read. */
  revision(): object;
  /** One pin as it is stored, by its state key. */
  stored(key: string): StoredPin | undefined;
  /**
   * The pins that expire, soonest first, in pages. Whoever has seen enough leaves the iteration: it reads no further. One that is written
   * or removed meanwhile may be left out.
   */
  expiring(options?: { readonly signal?: AbortSignal; readonly pageSize?: number }): AsyncIterable<readonly Pin[]>;
  /** Number of pins. O(1). */
  count(): number;
  /**
   * How many pins there are of each kind, for questions about all pins that need not look at each. The first question after a start
   * looks at every pin; then the counts follow the changes. They are those of the moment in which the promise resolves: what is not
   * read before the next turn may be newer. `undefined`: there are too many kinds to be counted; `pages` has to do.
   */
  kinds(): Promise<Iterable<readonly [kind: PinKind, count: number]> | undefined>;
}

/** Consequences of an applied operation; called in log order and synchronously, must not wait for anything. */
export interface PinsetObserver {
  onPin(pin: Pin): void;
  onUnpin(pin: Pin): void;
  /** The whole state was replaced (snapshot). */
  onReplaced(): void;
}

/** Agreement on the pinset and on the members. */
export interface Consensus extends Startable {
  /** Resolves when reads and writes make sense; rejects with the cause after the engine's own time limit. */
  ready(options?: CallOptions): Promise<void>;
  /**
   * Resolves when the operation cannot be lost any more and is applied where it was committed.
   * The error's `outcome` tells whether it may still happen.
   *
   * With `onlyIf` it happens only if the pinset has that pin at the operation's place in the log. Else it rejects with
   * `consensus/changed`, and then `pinset` shows what is there instead. Two conditional removals of one pin may both resolve. Under a Go
   * leader, which knows no conditions, the pinset is compared here, right before the write: what others write in between is overwritten.
   */
  logPin(pin: Pin, options?: WriteOptions): Promise<void>;
  logUnpin(pin: Pin, options?: WriteOptions): Promise<void>;
  addPeer(peer: PeerId, options?: CallOptions): Promise<void>;
  rmPeer(peer: PeerId, options?: CallOptions): Promise<void>;
  /** Members in ascending order, self included while it is one. One whose removal may yet be undone is a member still. */
  peers(): Promise<readonly PeerId[]>;
  /** Whether this peer was a member and is none any more, for good: its data may be given up. Asks others where it must; false while not running. */
  isRemoved(options?: CallOptions): Promise<boolean>;
  /** Throws `consensus/no-leader`. */
  leader(): PeerId;
  pinset(): Pinset;
  /** Resolves when everything committed before the call is applied here, as far as the leader can tell what that is. */
  waitForSync(options?: CallOptions): Promise<void>;
  /**
   * Resolves when it is certain that everything committed before the call is applied here: what is read of `pinset` afterwards is
   * linearizable. Rejects with `consensus/no-read-index` when the leader cannot tell, and when no quorum confirms it in time.
   */
  readBarrier(options?: CallOptions): Promise<void>;
  isTrustedPeer(peer: PeerId): boolean;
  /** Moves the data away after this peer has left, so that its next start waits to be taken in; only when stopped. */
  clean(): Promise<void>;
}

// ---------------------------------------------------------------------------------------------------- IPFS

/** How a running pin is ended. */
export interface PinProgress {
  /** Aborts the pin. */
  readonly signal: AbortSignal;
}

/** The IPFS node of this peer, spoken to in the Kubo RPC. */
export interface IpfsConnector extends Startable {
  id(options?: CallOptions): Promise<IpfsId>;
  /** Whether the node answered the last time it was asked. */
  isUp(): boolean;
  /** Calls back whenever `isUp` turns true, and the first time at once if it already is. */
  onUp(listener: () => void): void;
  /** Resolves when the node holds the pin. Fails when no new block came for the configured `pin_timeout`. */
  pin(pin: Pin, options: PinProgress): Promise<void>;
  /**
   * Pins whole trees by one request, one after the other. Fails when one of them fails, or when not all were pinned within
   * `timeoutMs`; any of them may be pinned then.
   */
  pinAll(cids: readonly Cid[], options: PinProgress & { readonly timeoutMs: number }): Promise<void>;
  /** Not pinned is success. */
  unpin(cid: Cid, options: PinProgress): Promise<void>;
  pinLsCid(pin: Pick<Pin, 'cid' | 'maxDepth'>, options?: CallOptions): Promise<IpfsPinStatus>;
  /** Recursive and direct pins of the node, streamed in pages. */
  pinLs(types: readonly ('recursive' | 'direct')[], options?: CallOptions): AsyncIterable<readonly IpfsPinInfo[]>;
  connectSwarm(address: Multiaddr, options?: CallOptions): Promise<void>;
  swarmPeers(options?: CallOptions): Promise<readonly PeerId[]>;
  repoStat(options?: CallOptions): Promise<IpfsRepoStat>;
  repoGc(options?: CallOptions): AsyncIterable<IpfsRepoGc>;
  configKey(path: string, options?: CallOptions): Promise<unknown>;
  resolve(path: string, options?: CallOptions): Promise<Cid>;
  blockGet(cid: Cid, options?: CallOptions): Promise<Uint8Array>;
  /**
   * Stores blocks as they come, taking them no faster than the node does. Resolves when the node has them all; none of them is pinned.
   * Fails when there are none.
   */
  blockStream(blocks: AsyncIterable<NodeWithMeta>, options?: CallOptions): Promise<void>;
}

// ---------------------------------------------------------------------------------------------------- adding

/** One file, folder or link of an upload; what is inside a folder follows it or names it in its path. */
export interface UploadEntry {
  /** Relative, cleaned, `/` between the names; empty for content without a name. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Where the client has it; empty when it did not say. */
  readonly absPath: string;
  /** Of a link: its target. To be read before the next entry is asked for. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** What is asked of an add beside its parameters. */
export interface AddOptions extends CallOptions {
  /**
   * As an IPFS node does it: every topmost file and folder is pinned, and progress has whole paths. Default: as the reference, which pins
   * the last of them, and tells paths below the topmost folder.
   */
  readonly asNode?: boolean;
}

/** Makes blocks of content and brings them to the peers that will hold it. */
export interface Adder {
  /**
   * Adds and pins. What is finished, as it is; at the end everything is pinned. Whoever stops reading, or aborts, ends it.
   * Throws `add/…`, `unixfs/…`, what `entries` throw, and what allocating and pinning throw.
   */
  add(entries: AsyncIterable<UploadEntry>, params: AddParams, options?: AddOptions): AsyncIterable<AddedOutput>;
}

// ---------------------------------------------------------------------------------------------------- metrics

/** What is known of the members by their metrics. */
export interface PeerMonitor extends Startable {
  /** Publishes to all members and records it here. Invalid or expired metrics are dropped with a warning. */
  publish(metric: Metric): Promise<void>;
  /** Records without publishing, as if it had arrived. */
  record(metric: Metric): void;
  /** Latest valid, unexpired metric of every member, in ascending order of peers. */
  latest(name: string): readonly Metric[];
  /** Latest metric of one peer, expired ones included. */
  latestOf(name: string, peer: PeerId): Metric | undefined;
  names(): readonly string[];
  /** Newest first. */
  alerts(): readonly Alert[];
  onAlert(listener: (alert: Alert) => void): void;
}

/** Makes the metrics of one concern, such as free space. */
export interface Informer {
  readonly name: string;
  /** Milliseconds that a metric of this informer stays valid. */
  readonly ttlMs: number;
  metrics(options?: CallOptions): Promise<readonly Metric[]>;
}

// ---------------------------------------------------------------------------------------------------- tracker

/** Told what becomes of single pins on this peer; called synchronously, must not wait for anything. */
export interface StatusObserver {
  /** Asked first: most of the time nobody wants to know. */
  isWanted(): boolean;
  onStatus(info: PinInfo): void;
}

/** Keeps this peer's IPFS node in line with the pinset. */
export interface PinTracker extends Startable {
  /** Never waits and never fails: work is queued or found again by the next reconciliation. */
  track(pin: Pin): void;
  untrack(pin: Pin): void;
  /** The whole pinset may be another one: compares it with IPFS as soon as it can. */
  pinsetReplaced(): void;
  status(cid: Cid, options?: CallOptions): Promise<PinInfo>;
  /** In state-key order. */
  statusAll(filter: StatusFilter, options?: CallOptions): AsyncIterable<PinInfo>;
  /** The same in pages of rows. */
  statusPages(filter: StatusFilter, options?: StatusListOptions): AsyncIterable<readonly StatusRow[]>;
  /** Who this peer is, in statuses. */
  label(): PeerLabel;
  recover(cid: Cid, options?: CallOptions): Promise<PinInfo>;
  /** Emits what was queued again. Goes on past failed items, waits when the queue is full. */
  recoverAll(options?: CallOptions): AsyncIterable<PinInfo>;
  /** Unfinished work, of one CID or all: running, queued in the order in which it starts, failed. Bounded as the queues are. */
  operations(cid?: Cid): readonly OperationInfo[];
  pinQueueSize(): number;
}

// ---------------------------------------------------------------------------------------------------- the peer

/** How pins are rebalanced. */
export interface RebalanceOptions {
  /** Tell the moves, and do nothing. */
  readonly isDryRun: boolean;
  /** Moves at most, which are kept in memory. */
  readonly movesMax: number;
}

/** Which events are read, and from where on. */
export interface EventsOptions {
  readonly topics: ReadonlySet<EventTopic>;
  /** Id of the last event that was read; absent: from now on. */
  readonly after?: string;
  /** The reader was so slow that it would soon miss something; it gets nothing more, and is to come back where it was. */
  readonly onCut: () => void;
  readonly signal?: AbortSignal;
}

/** Some events. */
export interface EventPage {
  /** Of the last event up to which the reader has been told all. */
  readonly id: string;
  /** None: there was nothing for the reader for a while. */
  readonly events: readonly ClusterEvent[];
}

/** One page of pins that is asked for. */
export interface PinPageRequest {
  /** Absent: all. */
  readonly search?: PinSearch;
  /** Union of `pinTypeBits`. */
  readonly types: number;
  /** Pins at most, 1 or more. */
  readonly limit: number;
  /** `next` of the page before with the same search and types; empty for the first. */
  readonly cursor: string;
}

/** One page. It may have fewer pins than asked for, and none, with more behind it. */
export interface PinPage {
  readonly pins: readonly StoredPin[];
  /** Empty: there is nothing behind. */
  readonly next: string;
}

/** What the peer can do, for its doors: HTTP, proxy, RPC services, embedding. Error texts are the reference's. */
export interface ClusterApi {
  readonly self: PeerId;
  id(options?: CallOptions): Promise<Id>;
  version(): Version;
  /** All members; those that do not answer in time appear with `error`. */
  peers(options?: CallOptions): AsyncIterable<Id>;
  peerAdd(peer: PeerId, options?: CallOptions): Promise<Id>;
  peerRemove(peer: PeerId, options?: CallOptions): Promise<void>;
  join(address: Multiaddr, options?: CallOptions): Promise<void>;
  /**
   * Tells a member what to hold: nothing new, nothing at all, or whatever it is given. It keeps to that over restarts. Emptying goes on by
   * itself; `memberStates` tells how far it is. Throws `cluster/no-member`, `cluster/cannot-cordon` of a peer that knows nothing of it.
   */
  cordonPeer(peer: PeerId, mode: CordonMode, options?: CallOptions): Promise<void>;
  /** The same of this peer. */
  cordon(mode: CordonMode, options?: CallOptions): Promise<void>;
  /**
   * Lets a token count no more, here and on the members, and names those that did not take it; this peer, when it could not save it: then it
   * counts here again after the next start. Throws `cluster/revocations-full`, `cluster/bad-token`; nothing has happened then.
   */
  revokeToken(token: RevokedToken, options?: CallOptions): Promise<RevocationAnswer>;
  /** The same on this peer alone. */
  revokeTokenLocal(token: RevokedToken): Promise<void>;
  /** All that this peer knows of. */
  revokedTokens(): Iterable<RevokedToken>;
  isTokenRevoked(hash: string): boolean;
  /** All members as this peer sees them, in ascending order. */
  memberStates(options?: CallOptions): Promise<readonly MemberState[]>;
  connectGraph(options?: CallOptions): Promise<ConnectGraph>;
  /** Traffic of this peer's libp2p host. */
  bandwidth(): BandwidthByProtocol;

  pin(cid: Cid, options: PinOptions, call?: CallOptions): Promise<Pin>;
  /** A finished pin object, as RPC callers send it. */
  pinObject(pin: Pin, call?: CallOptions): Promise<Pin>;
  pinPath(path: PinPath, call?: CallOptions): Promise<Pin>;
  /** Which peers `pin` would choose now, and why; nothing is written. Throws where `pin` would before it chooses. */
  explainAllocation(cid: Cid, options: PinOptions, call?: CallOptions): Promise<AllocationExplanation>;
  unpin(cid: Cid, call?: CallOptions): Promise<Pin>;
  unpinPath(path: string, call?: CallOptions): Promise<Pin>;
  /** The peers that content with these options goes to: all that are alive when it is for all. Nothing is written. */
  blockAllocate(pin: Pin, call?: CallOptions): Promise<readonly PeerId[]>;
  /** See `Adder`. */
  add(entries: AsyncIterable<UploadEntry>, params: AddParams, options?: AddOptions): AsyncIterable<AddedOutput>;
  /** Throws `cluster/not-pinned`. */
  pinGet(cid: Cid): Pin;
  pins(options?: { readonly signal?: AbortSignal }): AsyncIterable<readonly Pin[]>;
  /** See `Pinset.storedPages`. */
  storedPins(options?: StoredPagesOptions): AsyncIterable<readonly StoredPin[]>;
  /** See `Pinset.revision`. */
  pinsetRevision(): object;
  /**
   * One page of the pinset, or of what is looked for in it. Every pin that is there, and is not changed in what is looked for, from the
   * first page to the last is on exactly one of them. The first search after a start waits for the index. Throws `model/bad-cursor`,
   * `cluster/no-search`.
   */
  pinPage(request: PinPageRequest, call?: CallOptions): Promise<PinPage>;
  /** `pinGet` and `pins` show everything that any peer has acknowledged before; see `Consensus.readBarrier`. */
  readBarrier(call?: CallOptions): Promise<void>;

  status(cid: Cid, call?: CallOptions): Promise<GlobalPinInfo>;
  statusLocal(cid: Cid, call?: CallOptions): Promise<PinInfo>;
  statusAll(filter: StatusFilter, call?: CallOptions): AsyncIterable<GlobalPinInfo>;
  statusAllLocal(filter: StatusFilter, call?: CallOptions): AsyncIterable<PinInfo>;
  /** What `statusAll` and `statusAllLocal` list, in pages. */
  statusPages(filter: StatusFilter, call?: StatusListOptions): AsyncIterable<readonly GlobalStatusRow[]>;
  statusPagesLocal(filter: StatusFilter, call?: StatusListOptions): AsyncIterable<readonly GlobalStatusRow[]>;
  recover(cid: Cid, call?: CallOptions): Promise<GlobalPinInfo>;
  recoverLocal(cid: Cid, call?: CallOptions): Promise<PinInfo>;
  recoverAll(call?: CallOptions): AsyncIterable<GlobalPinInfo>;
  recoverAllLocal(call?: CallOptions): AsyncIterable<PinInfo>;
  /** Unfinished work of all members, of one CID or all, as they answer; a member that cannot tell is a row with the cause. */
  operations(cid: Cid | undefined, call?: CallOptions): AsyncIterable<OperationInfo>;
  operationsLocal(cid: Cid | undefined, call?: CallOptions): AsyncIterable<OperationInfo>;
  /** Counts of replicas over the whole pinset; verified, all members list what they have pinned. */
  replication(options: { readonly isVerified: boolean }, call?: CallOptions): Promise<Replication>;

  /**
   * Moves pins so that each is spread over groups, and peers hold about equally many: each move when it is planned or has ended, and the
   * summary at the end. Whoever stops reading, or aborts, ends it: moves under way are finished, and no more begun. Throws
   * `cluster/rebalancing`, `cluster/minority`, `cluster/follower-mode`.
   */
  rebalance(options: RebalanceOptions, call?: CallOptions): AsyncIterable<RebalanceEvent>;

  repoGc(call?: CallOptions): Promise<GlobalRepoGc>;
  repoGcLocal(call?: CallOptions): Promise<RepoGc>;
  /** Sum over all members that answer. */
  repoStat(call?: CallOptions): Promise<IpfsRepoStat>;
  metrics(name: string): readonly Metric[];
  metricNames(): readonly string[];
  alerts(): readonly Alert[];
  /**
   * What happens on this peer from now on, or behind an event that was read before, without an end: a page at once, and one every 15 s at
   * least. The first event is `reset` when others behind that one cannot be told any more. Throws `cluster/too-many-readers`,
   * `cluster/stopped`.
   */
  events(options: EventsOptions): AsyncIterable<EventPage>;
}
