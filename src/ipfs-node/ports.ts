/**
 * The contracts between the parts of the embedded IPFS node, on one page.
 *
 * `repo`, `pins` and `node` implement them; `unixfs` and `rpc` use them. CIDs are multiformats' `CID`; blocks are kept
 * under their multihash, so that all CIDs of one content share one block (as Kubo does). All byte arrays handed over are
 * the receiver's to keep: nobody writes into them afterwards.
 *
 * Failures are `OperatingError`s with the codes of `errors.ts`; where Kubo's clients match a text, the message is that text.
 */
import type { CID } from 'multiformats/cid';
import type { Startable } from '../base/index.ts';

/** What every waiting call takes. Aborting rejects with the signal's reason and withdraws what was asked of the network. */
export interface AbortOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A block and one of the CIDs that name it. */
export interface Block {
  readonly cid: CID;
  readonly bytes: Uint8Array;
}

/** The blocks on this node's disk. Reading never asks the network; writing goes through an `Operation`. */
export interface Blockstore {
  /** Identity CIDs are always here. */
  has(cid: CID): Promise<boolean>;
  /** Bytes of the block; `undefined` when it is not here. */
  size(cid: CID): Promise<number | undefined>;
  /** The block, in memory of its own; `undefined` when it is not here. */
  get(cid: CID): Promise<Uint8Array | undefined>;
  /** Every block as a CIDv1 with codec raw, in pages of at most 1,000, in no useful order. */
  pages(): AsyncIterable<CID[]>;
}

/**
 * Work that gc must not sweep away under its feet: an add, an import, a pin, a block put.
 * From `begin` to `end` every block that it has put or touched stays, pinned or not.
 * Order: begin → puts → `Pins.add(root, { operation })` → end, in a `finally`.
 */
export interface Operation {
  /**
   * Stores one block; resolves when it is written, which is not yet `flush`ed. The caller vouches for the hash.
   * Present blocks are not written again. Memory is bounded: the promise is late when much is queued, so await it
   * (or at most some tens of them together). Identity CIDs are accepted and not stored.
   */
  put(cid: CID, bytes: Uint8Array): Promise<void>;
  /** Stores many blocks in order, resolves when all are written. */
  putMany(blocks: Iterable<Block>): Promise<void>;
  /** Whether the block is here; if so it stays until `end`. */
  touch(cid: CID): Promise<boolean>;
  /** Resolves when everything put before it survives a power cut. `Pins.add` does this by itself. */
  flush(): Promise<void>;
  /** Idempotent, synchronous, never throws. */
  end(): void;
}

/** Where a reader may look. */
/** Where a reader may read from. */
export interface ReaderOptions extends AbortOptions {
  /** Only blocks on this disk; a missing one fails with `ipfs-node/block-not-found`. Default false. */
  readonly offline?: boolean;
  /** Blocks that come from the network are kept for this operation; without it they may go with the next gc. */
  readonly operation?: Operation;
}

/** Reads blocks from here or, through one session, from the network (where they are verified, then stored). */
export interface BlockReader {
  /**
   * The block. Waits for the network as long as the signals allow; `ipfs-node/block-not-found` when offline.
   * Many calls at once are fine: wants of one moment leave in one message; at most 64 are worth having in flight.
   */
  get(cid: CID, options?: AbortOptions): Promise<Uint8Array>;
  /** Ends the session; idempotent. Waiting gets reject. */
  close(): void;
}

/** How a graph is walked. */
/** How far and how thoroughly to walk. */
export interface WalkOptions extends AbortOptions {
  /** Levels below the roots; default unlimited. 0 visits the roots only. */
  readonly maxDepth?: number;
  /**
   * Also read raw leaves (and all other blocks without links), so that `bytes` is present and everything is fetched.
   * Default true; with false a raw leaf is visited without being read.
   */
  readonly readLeaves?: boolean;
}

/** A block of a walk; every multihash comes once. */
export interface Visit {
  readonly cid: CID;
  readonly depth: number;
  /** Absent only for leaves when `readLeaves` is false. */
  readonly bytes?: Uint8Array;
  readonly links: readonly CID[];
}

/** With everything below, or the block alone. */
/** Whether only the block itself is kept, or everything below it too. */
export type PinType = 'recursive' | 'direct';

/** One pin of the node. */
/** A pinned root. */
export interface PinEntry {
  /** As it was pinned: version and codec are kept. */
  readonly cid: CID;
  readonly type: PinType;
  /** Empty when none was given. */
  readonly name: string;
}

/** How far a running pin is. */
/** How far a pin has come. */
export interface PinProgress {
  /** Blocks fetched or found so far. */
  readonly blocks: number;
  readonly bytes: number;
}

/** How a pin is made. */
/** How to pin. */
export interface PinAddOptions extends AbortOptions {
  /** Default true. */
  readonly recursive?: boolean;
  /** Default empty; at most 255 bytes. */
  readonly name?: string;
  /** The running operation whose blocks are pinned. Absent: the pin is an operation of its own. */
  readonly operation?: Operation;
  /** Only blocks on this disk. Default false. */
  readonly offline?: boolean;
  /** Called on every block; must be cheap. */
  readonly onProgress?: (progress: PinProgress) => void;
}

/**
 * Pinned roots. What is under them is found by walking.
 * Order: a pin record is on disk, and everything below it, before `add` resolves.
 */
export interface Pins {
  /**
   * Fetches what is missing and pins. Recursive over direct replaces; the same pin again renews the name.
   * Throws `ipfs-node/already-pinned` for direct over recursive.
   */
  add(cid: CID, options?: PinAddOptions): Promise<void>;
  /** Throws `ipfs-node/not-pinned`; `ipfs-node/pinned-recursively` for `recursive: false` on a recursive pin. */
  rm(cid: CID, options?: { readonly recursive?: boolean }): Promise<void>;
  /**
   * Pins `to` recursively and, unless `unpin` is false, removes the pin of `from`, in one step.
   * Throws `ipfs-node/not-pinned` when `from` is not pinned recursively.
   */
  update(from: CID, to: CID, options?: AbortOptions & { readonly unpin?: boolean }): Promise<void>;
  /** The pin of exactly this root, if there is one. */
  get(cid: CID): PinEntry | undefined;
  /** Pinned roots in key order in pages, from one snapshot. */
  pages(type?: PinType): AsyncIterable<PinEntry[]>;
  /** CIDs under recursive pins, each multihash once, the recursive roots themselves left out, in pages. Local blocks only. */
  indirectPages(options?: AbortOptions): AsyncIterable<CID[]>;
  /** For each CID that lies under a recursive pin: one such root. Keyed by the CID's text as given. One walk for all. */
  indirectRoots(cids: readonly CID[], options?: AbortOptions): Promise<ReadonlyMap<string, CID>>;
}

/** Garbage collection; runs beside everything else, one at a time (a second call waits for the first). */
export interface Gc {
  /**
   * Removes what no pin and no running operation needs, then compacts. Yields what was removed, as CIDv1 raw, in pages.
   * Iterate to the end; an early `return` stops after the present page, which leaves a valid repo.
   */
  run(options?: AbortOptions): AsyncIterable<CID[]>;
}

/** A peer that the node is connected to. */
/** A connected IPFS node. */
export interface SwarmPeer {
  readonly peerId: string;
  /** Remote address without `/p2p/…`. */
  readonly address: string;
  readonly direction: 'inbound' | 'outbound';
}

/** The node's own libp2p host: its own key and port, nothing shared with the cluster's. */
export interface Swarm {
  readonly peerId: string;
  /** Protobuf of the public key, as libp2p encodes it. */
  readonly publicKey: Uint8Array;
  readonly agentVersion: string;
  /** Listening addresses, each with `/p2p/<peerId>`. */
  addresses(): string[];
  protocols(): string[];
  /**
   * Connects to `/…/p2p/<id>`; already connected is success. Default time limit 15 s. @returns the peer's id.
   * Throws `ipfs-node/bad-address`, `ipfs-node/connect-failed`.
   */
  connect(address: string, options?: AbortOptions): Promise<string>;
  /** Throws `ipfs-node/not-connected`. */
  disconnect(address: string): Promise<void>;
  peers(): SwarmPeer[];
}

/** What the repo holds. */
/** What the repo takes and may take. */
export interface RepoStat {
  /** Bytes on disk that blocks and indexes take. */
  readonly repoSizeBytes: number;
  readonly storageMaxBytes: number;
  readonly blockCount: number;
  readonly path: string;
  readonly version: string;
}

/** JSON values of the config. */
export type ConfigValue =
  | string
  | number
  | boolean
  | null
  | readonly ConfigValue[]
  | { readonly [key: string]: ConfigValue };

/** The node's `config` file, in Kubo's form; the private key is not in it. */
export interface NodeConfig {
  show(): { readonly [key: string]: ConfigValue };
  /** The value at a dotted path, `Datastore.StorageMax`. Throws `ipfs-node/config-key`. */
  get(path: string): ConfigValue;
  /** Validated, then written to disk in one step. Throws `ipfs-node/config-key`, `ipfs-node/config-value`. */
  set(path: string, value: ConfigValue): Promise<void>;
}

/** Counts since the start. */
/** What bitswap waits for, and what it has moved since the start. */
export interface BitswapStat {
  readonly wantlist: readonly CID[];
  readonly peers: readonly string[];
  readonly blocksReceived: number;
  readonly dataReceivedBytes: number;
  readonly dupBlocksReceived: number;
  readonly dupDataReceivedBytes: number;
  readonly blocksSent: number;
  readonly dataSentBytes: number;
  readonly messagesReceived: number;
}

/** The embedded IPFS node, as its RPC server and its embedders see it. */
export interface IpfsNode extends Startable {
  readonly blocks: Blockstore;
  readonly pins: Pins;
  readonly gc: Gc;
  readonly swarm: Swarm;
  readonly config: NodeConfig;
  /** Begins an operation; always `end` it in a `finally`. */
  begin(): Operation;
  /** Opens a reader; always `close` it in a `finally`. */
  reader(options?: ReaderOptions): BlockReader;
  /** Visits the DAG under the roots, parents before children, sources read in parallel, order otherwise that of a depth-first walk. */
  walk(roots: readonly CID[], reader: BlockReader, options?: WalkOptions): AsyncIterable<Visit>;
  /**
   * Removes one block (`block/rm`). Throws `ipfs-node/block-not-found`, `ipfs-node/block-pinned` (direct, recursive or
   * indirect; the message names the pin).
   */
  removeBlock(cid: CID, options?: AbortOptions): Promise<void>;
  repoStat(): RepoStat;
  bitswapStat(): BitswapStat;
  /** Base URL of the RPC once started, such as `http://127.0.0.1:5001`; `undefined` without an RPC server. */
  rpcUrl(): string | undefined;
}

/** The RPC server, injected so that the node can be used without one. */
export interface RpcServer extends Startable {
  /** Base URL once started. */
  url(): string;
}

/** Makes the RPC server of a node; `listen` is a multiaddr (`/ip4/127.0.0.1/tcp/5001`; port 0 takes a free one). */
export type RpcServerFactory = (node: IpfsNode, options: { readonly listen: string }) => RpcServer;
