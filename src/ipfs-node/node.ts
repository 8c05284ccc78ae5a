/** The embedded IPFS node: puts its parts together, starts and stops them. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import { create as createDigest, decode as decodeDigest } from 'multiformats/hashes/digest';
import { type Clock, errorMessage, type Logger, silentLogger } from '../base/index.ts';
import { type Bitswap, bitswapProtocols, blockKey, createBitswap } from '../bitswap/index.ts';
import { digestOf } from '../multihash/index.ts';
import { nodeError } from './errors.ts';
import { createReader, GarbageCollector, Operations, PinIndex, PinKeeper, walkDag } from './pins/index.ts';
import type {
  AbortOptions,
  BitswapStat,
  Block,
  BlockReader,
  Blockstore,
  Gc,
  IpfsNode,
  NodeConfig,
  Operation,
  PinEntry,
  Pins,
  ReaderOptions,
  RepoStat,
  RpcServer,
  RpcServerFactory,
  Swarm,
  Visit,
  WalkOptions,
} from './ports.ts';
import { BlockRepo, ConfigFile } from './repo/index.ts';
import { generateIdentity, Libp2pSwarm } from './swarm/index.ts';

const rawCode = 0x55;
const sha256Code = 0x12;
const repoVersion = 'ipfs-cluster@1';
const agentVersion = 'ipfs-cluster-ts/ipfs-node';

/** What a node is made of; only `folder` is needed. */
export interface IpfsNodeOptions {
  /** Holds everything of the node; made when absent. One process at a time. */
  readonly folder: string;
  /** Multiaddr of the RPC server; default `/ip4/127.0.0.1/tcp/5001`. Used only with `createRpc`. */
  readonly rpcListen?: string;
  /** Multiaddrs to listen on for other IPFS nodes; default `/ip4/0.0.0.0/tcp/4001`. */
  readonly swarmListen?: readonly string[];
  /** As Kubo writes sizes, such as `10GB`; written to the config. Default: what the config says, `10GB` at first. */
  readonly storageMax?: string;
  readonly logger?: Logger;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Makes the RPC server; absent means a node without one. */
  readonly createRpc?: RpcServerFactory;
}

/**
 * Makes a node; nothing is opened before `start`.
 * **Errors** of `start`, each leaving nothing running: `ipfs-node/locked`, `ipfs-node/damaged`, `ipfs-node/config-file`,
 * `ipfs-node/listen`, `ipfs-node/disk-full`, `ipfs-node/disk`, `ipfs-node/self-check`, and those of the RPC server.
 * **Limits**: `stop` takes 5 s at most.
 */
export function createIpfsNode(options: IpfsNodeOptions): IpfsNode {
  return new EmbeddedNode(options);
}

/** What exists while the node runs. */
interface Parts {
  readonly config: ConfigFile;
  readonly repo: BlockRepo;
  readonly pinIndex: PinIndex;
  readonly operations: Operations;
  readonly gc: GarbageCollector;
  readonly pins: PinKeeper;
  readonly blocks: Blockstore;
  readonly bitswap: Bitswap;
  readonly swarm: Libp2pSwarm;
}

class EmbeddedNode implements IpfsNode {
  readonly #options: IpfsNodeOptions;
  readonly #logger: Logger;
  #parts: Parts | undefined;
  #rpc: RpcServer | undefined;
  #stopping: Promise<void> | undefined;
  #isStarting = false;

  constructor(options: IpfsNodeOptions) {
    this.#options = options;
    this.#logger = (options.logger ?? silentLogger).scope('ipfs-node');
  }

  get blocks(): Blockstore {
    return this.#running().blocks;
  }

  get pins(): Pins {
    return this.#running().pins;
  }

  get gc(): Gc {
    return this.#running().gc;
  }

  get swarm(): Swarm {
    return this.#running().swarm;
  }

  get config(): NodeConfig {
    return this.#running().config;
  }

  async start(): Promise<void> {
    if (this.#isStarting) throw nodeError('ipfs-node/stopped', 'Cannot start the IPFS node twice');
    this.#isStarting = true;
    const undo: (() => Promise<void>)[] = [];
    try {
      const parts = await this.#open(undo);
      await proveGc(parts);
      await parts.swarm.start();
      this.#parts = parts;
      await this.#startRpc(undo);
      this.#logger.info('The IPFS node is ready', { peer: parts.swarm.peerId, rpc: this.rpcUrl() });
    } catch (error) {
      this.#parts = undefined;
      for (const step of undo.reverse()) await step().catch(() => {});
      throw error;
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  begin(): Operation {
    return this.#running().operations.begin();
  }

  reader(options: ReaderOptions = {}): BlockReader {
    return this.#reader(this.#running(), options);
  }

  walk(roots: readonly CID[], reader: BlockReader, options?: WalkOptions): AsyncIterable<Visit> {
    return walkDag(roots, reader, options);
  }

  async removeBlock(cid: CID, options: AbortOptions = {}): Promise<void> {
    const { repo, pins, operations } = this.#running();
    const key = blockKey(cid);
    if (!repo.has(cid.multihash.bytes)) {
      throw nodeError('ipfs-node/block-not-found', `block not found: ipld: could not find ${cid}`);
    }
    // Before the first look at the pins: one that is made meanwhile has touched its blocks.
    const touched = operations.watch();
    try {
      for await (const page of pins.pages()) {
        const pin = page.find((entry) => blockKey(entry.cid) === key);
        if (pin !== undefined) throw nodeError('ipfs-node/block-pinned', `pinned: ${pin.type}`);
      }
      const root = (await pins.indirectRoots([cid], options)).get(cid.toString());
      if (root !== undefined) throw nodeError('ipfs-node/block-pinned', `pinned via ${root}`);
      if (touched.has(key)) {
        throw nodeError('ipfs-node/block-pinned', `Cannot remove block "${cid}": an operation needs it`);
      }
      // Hidden from operations in the turn of the last look.
      await repo.remove([cid.multihash.bytes]);
    } finally {
      operations.unwatch(touched);
    }
  }

  repoStat(): RepoStat {
    const { repo, config } = this.#running();
    const { blockCount, diskBytes } = repo.counters();
    return {
      repoSizeBytes: diskBytes,
      storageMaxBytes: config.storageMaxBytes,
      blockCount,
      path: this.#options.folder,
      version: repoVersion,
    };
  }

  bitswapStat(): BitswapStat {
    const { bitswap } = this.#running();
    return { ...bitswap.counters(), wantlist: bitswap.wantlist(), peers: bitswap.peers() };
  }

  rpcUrl(): string | undefined {
    return this.#rpc?.url();
  }

  // ------------------------------------------------------------------------------------------------ start and stop

  async #open(undo: (() => Promise<void>)[]): Promise<Parts> {
    const { folder, swarmListen = ['/ip4/0.0.0.0/tcp/4001'], storageMax } = this.#options;
    await mkdir(folder, { recursive: true });
    // The index inside is the lock of the whole folder: it comes first.
    const repo = await BlockRepo.open({ folder, logger: this.#logger.scope('repo') });
    undo.push(() => repo.close());
    const pinIndex = await PinIndex.open(join(folder, 'pins'));
    undo.push(() => pinIndex.close());
    const config = await this.#openConfig(swarmListen);
    await config.apply({ storageMax });
    const bitswapHolder: { bitswap?: Bitswap } = {};
    const swarm = await Libp2pSwarm.create({
      privateKey: Buffer.from(config.privateKey, 'base64'),
      listen: swarmListen,
      agentVersion,
      logger: this.#logger,
      protocols: bitswapProtocols,
      onStream: (peer, stream) => void bitswapHolder.bitswap?.handleStream(peer, stream),
      onPeer: (peer) => bitswapHolder.bitswap?.peerConnected(peer),
      onPeerLost: (peer) => bitswapHolder.bitswap?.peerDisconnected(peer),
    });
    undo.push(() => swarm.stop());
    if (swarm.peerId !== config.peerId) {
      const text = `Cannot use the config in "${folder}": Identity.PeerID is ${config.peerId}, its key is that of ${swarm.peerId}`;
      throw nodeError('ipfs-node/config-file', text);
    }
    const bitswap = createBitswap({
      network: swarm,
      source: {
        size: (cid) => repo.size(cid.multihash.bytes),
        get: (cid) => repo.get(cid.multihash.bytes),
      },
      clock: this.#options.clock ?? machineClock,
      logger: this.#logger.scope('bitswap'),
    });
    bitswapHolder.bitswap = bitswap;
    undo.push(async () => bitswap.stop());
    const operations = new Operations(repo, (cid, bytes) => bitswap.notify(cid, bytes));
    const gc = new GarbageCollector({ repo, index: pinIndex, operations });
    const blocks = localBlocks(repo);
    const base = { config, repo, pinIndex, operations, gc, blocks, bitswap, swarm };
    const pins = new PinKeeper({
      repo,
      index: pinIndex,
      operations,
      reader: (options) => this.#reader(base, options),
    });
    return { ...base, pins };
  }

  #openConfig(swarmListen: readonly string[]): Promise<ConfigFile> {
    const { folder, rpcListen = defaultRpcListen, storageMax = '10GB' } = this.#options;
    return ConfigFile.open(folder, async () => {
      const { peerId, privateKey } = await generateIdentity();
      return {
        peerId,
        privateKey: Buffer.from(privateKey).toString('base64'),
        api: rpcListen,
        swarm: swarmListen,
        storageMax,
      };
    });
  }

  async #startRpc(undo: (() => Promise<void>)[]): Promise<void> {
    const { createRpc, rpcListen = defaultRpcListen } = this.#options;
    if (createRpc === undefined) return;
    const rpc = createRpc(this, { listen: rpcListen });
    await rpc.start();
    undo.push(() => rpc.stop());
    this.#rpc = rpc;
  }

  /** Requests first, then what they use; each step is bounded by itself. */
  async #stop(): Promise<void> {
    const parts = this.#parts;
    // Ends all sessions: pins and reads that wait for the network fail now.
    parts?.bitswap.stop();
    await this.#step('rpc', this.#rpc?.stop());
    this.#rpc = undefined;
    if (parts === undefined) return;
    await this.#step('swarm', parts.swarm.stop());
    await this.#step('blocks', parts.repo.close());
    await this.#step('pins', parts.pinIndex.close());
    this.#parts = undefined;
  }

  async #step(part: string, work: Promise<void> | undefined): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#logger.error('A part of the IPFS node did not stop cleanly', { part, cause: errorMessage(error) });
    }
  }

  #reader(parts: Pick<Parts, 'repo' | 'bitswap'>, options: ReaderOptions): BlockReader {
    const { repo, bitswap } = parts;
    return createReader(
      { repo, session: () => bitswap.session(), onStored: (cid, bytes) => bitswap.notify(cid, bytes) },
      options,
    );
  }

  #running(): Parts {
    if (this.#parts === undefined) throw nodeError('ipfs-node/stopped', 'The IPFS node is not running');
    return this.#parts;
  }
}

const defaultRpcListen = '/ip4/127.0.0.1/tcp/5001';

const machineClock: Clock = {
  now: () => performance.now(),
  wallNanos: () => BigInt(Date.now()) * 1_000_000n,
  after: (delayMs, act) => {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
};

function localBlocks(repo: BlockRepo): Blockstore {
  return {
    has: async (cid) => cid.multihash.code === 0 || repo.has(cid.multihash.bytes),
    size: async (cid) => (cid.multihash.code === 0 ? cid.multihash.digest.length : repo.size(cid.multihash.bytes)),
    get: async (cid) => (cid.multihash.code === 0 ? cid.multihash.digest : repo.get(cid.multihash.bytes)),
    async *pages() {
      for await (const keys of repo.keyPages()) yield keys.map(rawCid);
    },
  };
}

function rawCid(multihash: Uint8Array): CID {
  return CID.createV1(rawCode, decodeDigest(multihash.slice()));
}

/**
 * Proves on the real repo that gc keeps what is pinned and takes what is not, with three tiny blocks of its own. A store
 * that fails this would lose content at its first gc. Only the proof's own blocks are judged.
 */
async function proveGc(parts: Parts): Promise<void> {
  const { operations, pins, repo } = parts;
  const leaf = blockOf(rawCode, randomBytes(32));
  const garbage = blockOf(rawCode, randomBytes(32));
  const root = blockOf(dagPb.code, dagPb.encode(dagPb.prepare({ Links: [leaf.cid] })));
  const operation = operations.begin();
  try {
    await operation.putMany([leaf, garbage, root]);
    await pins.add(root.cid, { operation, offline: true });
  } finally {
    operation.end();
  }
  try {
    await collect(parts, root.cid, [leaf, garbage, root]);
    const kept = await Promise.all([leaf, root].map(({ cid }) => repo.get(cid.multihash.bytes)));
    if (kept.includes(undefined)) throw unproven('a pinned block did not survive');
    if (repo.has(garbage.cid.multihash.bytes)) throw unproven('a block that nobody needs was not removed');
  } finally {
    await pins.rm(root.cid);
    await repo.remove([leaf, garbage, root].map(({ cid }) => cid.multihash.bytes));
  }
}

async function collect({ gc, pinIndex }: Parts, root: CID, blocks: readonly Block[]): Promise<void> {
  await gc.collectScope(() => ({ pins: onePin(pinIndex, root), keyPages: onePage(blocks) }));
}

async function* onePin(index: PinIndex, root: CID): AsyncIterable<readonly PinEntry[]> {
  const pin = index.get(root);
  if (pin === undefined) throw unproven('a pin was not found again');
  yield [pin];
}

async function* onePage(blocks: readonly Block[]): AsyncIterable<readonly Uint8Array[]> {
  yield blocks.map(({ cid }) => cid.multihash.bytes);
}

function blockOf(code: number, bytes: Uint8Array): Block {
  const digest = digestOf(sha256Code, bytes) ?? new Uint8Array();
  return { cid: CID.createV1(code, createDigest(sha256Code, digest)), bytes };
}

function unproven(what: string): Error {
  return nodeError('ipfs-node/self-check', `The IPFS node does not start: in its self-check of gc ${what}`);
}
