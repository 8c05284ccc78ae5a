/** Pinning, unpinning and the questions about pins. */
import type { CID } from 'multiformats/cid';
import { utf8Encode } from '../../base/index.ts';
import { blockKey } from '../../bitswap/index.ts';
import { nodeError } from '../errors.ts';
import type {
  AbortOptions,
  BlockReader,
  Operation,
  PinAddOptions,
  PinEntry,
  Pins,
  PinType,
  ReaderOptions,
} from '../ports.ts';
import type { BlockRepo } from '../repo/index.ts';
import { isLeaf } from './links.ts';
import { type Operations, RunningOperation } from './operations.ts';
import { PinChanges } from './pin-changes.ts';
import type { PinIndex } from './pin-index.ts';
import { walkWith } from './walk.ts';

const nameBytesMax = 255;
const pageCidsMax = 1000;

/** What it works on. */
export interface PinKeeperDeps {
  readonly repo: BlockRepo;
  readonly index: PinIndex;
  readonly operations: Operations;
  readonly reader: (options: ReaderOptions) => BlockReader;
}

/** Makes, moves and removes pins. */
export class PinKeeper implements Pins {
  readonly #deps: PinKeeperDeps;
  readonly #changes: PinChanges;

  constructor(deps: PinKeeperDeps) {
    this.#deps = deps;
    this.#changes = new PinChanges({ records: deps.index, flushBlocks: () => deps.repo.flush() });
  }

  async add(cid: CID, options: PinAddOptions = {}): Promise<void> {
    const { recursive = true, name = '' } = options;
    if (utf8Encode(name).length > nameBytesMax) {
      const text = `pin name is ${utf8Encode(name).length} bytes long: at most ${nameBytesMax} expected`;
      throw nodeError('ipfs-node/bad-pin-name', text);
    }
    const type: PinType = recursive ? 'recursive' : 'direct';
    checkAddable(this.get(cid), type);
    await this.#inOperation(options.operation, async (operation) => {
      // A pin of the same kind vouches for its blocks, unless it is removed before the record is written.
      if (this.get(cid)?.type === type && (await this.#rename(cid, type, name))) return;
      await this.#fetch(cid, type, operation, options);
      await this.#changes.change((get) => {
        checkAddable(get(cid), type);
        return { put: { cid, type, name }, result: undefined };
      });
    });
  }

  async rm(cid: CID, options: { readonly recursive?: boolean } = {}): Promise<void> {
    await this.#changes.change((get) => {
      const pin = get(cid);
      if (pin === undefined) throw nodeError('ipfs-node/not-pinned', 'not pinned or pinned indirectly');
      if (pin.type === 'recursive' && options.recursive === false) {
        throw nodeError('ipfs-node/pinned-recursively', `${cid} is pinned recursively`);
      }
      return { remove: cid, result: undefined };
    });
  }

  async update(from: CID, to: CID, options: AbortOptions & { readonly unpin?: boolean } = {}): Promise<void> {
    const { unpin = true } = options;
    checkUpdatable(this.get(from));
    if (from.equals(to)) return;
    await this.#inOperation(undefined, async (operation) => {
      await this.#fetch(to, 'recursive', operation, options);
      await this.#changes.change((get) => {
        const { name } = checkUpdatable(get(from));
        const kept = get(to);
        const put = kept?.type === 'recursive' ? kept : { cid: to, type: 'recursive' as const, name };
        return { put, ...(unpin && { remove: from }), result: undefined };
      });
    });
  }

  get(cid: CID): PinEntry | undefined {
    return this.#deps.index.get(cid);
  }

  pages(type?: PinType): AsyncIterable<PinEntry[]> {
    return this.#deps.index.pages(type);
  }

  async *indirectPages(options: AbortOptions = {}): AsyncIterable<CID[]> {
    const roots = await this.#roots('recursive');
    const rootKeys = new Set(roots.map(blockKey));
    let page: CID[] = [];
    for await (const { cid } of walkWith(roots, this.#localLoad(), options)) {
      if (rootKeys.has(blockKey(cid))) continue;
      page.push(cid);
      if (page.length < pageCidsMax) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  async indirectRoots(cids: readonly CID[], options: AbortOptions = {}): Promise<ReadonlyMap<string, CID>> {
    const wanted = new Map<string, string[]>();
    for (const cid of cids) wanted.set(blockKey(cid), [...(wanted.get(blockKey(cid)) ?? []), cid.toString()]);
    const found = new Map<string, CID>();
    if (wanted.size === 0) return found;
    // One walk over all roots visits each block once; which root it is under is that of the walk at this moment.
    const roots = await this.#roots('recursive');
    let root: CID | undefined;
    for await (const { cid, depth } of walkWith(roots, this.#localLoad(), options)) {
      if (depth === 0) root = cid;
      const texts = wanted.get(blockKey(cid));
      // A root is also indirectly pinned only if another root leads to it; the walk has then met it below that one.
      if (texts === undefined || root === undefined || depth === 0) continue;
      for (const text of texts) found.set(text, root);
      wanted.delete(blockKey(cid));
      if (wanted.size === 0) break;
    }
    return found;
  }

  /** Gives a present pin another name. @returns false when there is none of this type. */
  #rename(cid: CID, type: PinType, name: string): Promise<boolean> {
    return this.#changes.change((get) => {
      const present = get(cid);
      if (present?.type !== type) return { result: false };
      return present.name === name ? { result: true } : { put: { cid, type, name }, result: true };
    });
  }

  async #inOperation(given: Operation | undefined, act: (operation: RunningOperation) => Promise<void>): Promise<void> {
    // Every operation of this node is made by `Operations.begin`.
    const outer = given instanceof RunningOperation ? given : undefined;
    const operation = outer ?? this.#deps.operations.begin();
    try {
      await act(operation);
    } finally {
      if (outer === undefined) operation.end();
    }
  }

  /** Gets here whatever the pin needs, and keeps it for the operation. */
  async #fetch(cid: CID, type: PinType, operation: RunningOperation, options: PinAddOptions): Promise<void> {
    const { signal, offline = false } = options;
    const reader = this.#deps.reader({ operation, offline, signal });
    operation.pinRoots.add(cid);
    let blocks = 0;
    let bytes = 0;
    try {
      const maxDepth = type === 'direct' ? 0 : Number.POSITIVE_INFINITY;
      const walk = walkWith(
        [cid],
        // A leaf that is here is not read.
        async (block, walkSignal) =>
          isLeaf(block) && operation.touchNow(block) ? undefined : reader.get(block, { signal: walkSignal }),
        { maxDepth, signal },
      );
      for await (const visit of walk) {
        blocks += 1;
        bytes += visit.bytes?.length ?? this.#deps.repo.size(visit.cid.multihash.bytes) ?? 0;
        options.onProgress?.({ blocks, bytes });
      }
    } finally {
      operation.pinRoots.delete(cid);
      reader.close();
    }
  }

  /** Blocks on this disk; what is missing has no links. */
  #localLoad(): (cid: CID) => Promise<Uint8Array | undefined> {
    return async (cid) => {
      if (isLeaf(cid)) return undefined;
      return cid.multihash.code === 0 ? cid.multihash.digest : this.#deps.repo.get(cid.multihash.bytes);
    };
  }

  async #roots(type: PinType): Promise<CID[]> {
    const roots: CID[] = [];
    for await (const page of this.pages(type)) roots.push(...page.map((pin) => pin.cid));
    return roots;
  }
}

function checkAddable(present: PinEntry | undefined, type: PinType): void {
  if (type === 'direct' && present?.type === 'recursive') {
    throw nodeError('ipfs-node/already-pinned', `pin: ${present.cid} already pinned recursively`);
  }
}

function checkUpdatable(from: PinEntry | undefined): PinEntry {
  if (from?.type === 'recursive') return from;
  throw nodeError('ipfs-node/not-pinned', "'from' cid was not recursively pinned already");
}
