/** Reading blocks from the disk, else through one bitswap session from the network. */
import type { CID } from 'multiformats/cid';
import type { BitswapSession } from '../../bitswap/index.ts';
import { nodeError } from '../errors.ts';
import type { AbortOptions, BlockReader, Operation, ReaderOptions } from '../ports.ts';
import type { BlockRepo } from '../repo/index.ts';
import type { OnStored } from './operations.ts';

/** Where blocks come from. */
export interface ReaderDeps {
  readonly repo: BlockRepo;
  /** Opens a session when the first block is missing here. */
  readonly session: () => BitswapSession;
  readonly onStored: OnStored;
}

/** See `IpfsNode.reader`. */
export function createReader(deps: ReaderDeps, options: ReaderOptions): BlockReader {
  return new RepoReader(deps, options);
}

class RepoReader implements BlockReader {
  readonly #deps: ReaderDeps;
  readonly #isOffline: boolean;
  readonly #operation: Operation | undefined;
  readonly #signal: AbortSignal | undefined;
  #session: BitswapSession | undefined;
  #isClosed = false;

  constructor(deps: ReaderDeps, options: ReaderOptions) {
    this.#deps = deps;
    this.#isOffline = options.offline ?? false;
    this.#operation = options.operation;
    this.#signal = options.signal;
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<Uint8Array> {
    if (cid.multihash.code === 0) return cid.multihash.digest;
    this.#signal?.throwIfAborted();
    options.signal?.throwIfAborted();
    // Touched before looked up: gc then either leaves the block or has hidden it already.
    if (this.#operation !== undefined) await this.#operation.touch(cid);
    const here = await this.#deps.repo.get(cid.multihash.bytes);
    if (here !== undefined) return here;
    if (this.#isOffline) {
      throw nodeError(
        'ipfs-node/block-not-found',
        `block was not found locally (offline): ipld: could not find ${cid}`,
      );
    }
    if (this.#isClosed) throw nodeError('ipfs-node/stopped', `Cannot fetch block "${cid}": the reader is closed`);
    const signals = [this.#signal, options.signal].filter((signal) => signal !== undefined);
    const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
    return this.#fetch(cid, signal);
  }

  close(): void {
    this.#isClosed = true;
    this.#session?.close();
  }

  /** Two calls for one block share the want in bitswap and the put in the repo. */
  async #fetch(cid: CID, signal: AbortSignal | undefined): Promise<Uint8Array> {
    this.#session ??= this.#deps.session();
    const bytes = await this.#session.want(cid, { signal });
    if (this.#operation !== undefined) {
      await this.#operation.put(cid, bytes);
    } else {
      await this.#deps.repo.put(cid.multihash.bytes, bytes);
      this.#deps.onStored(cid, bytes);
    }
    return bytes;
  }
}
