/**
 * Garbage collection beside running operations: mark from the pins, sweep what is left. Nothing is stopped for it.
 *
 * Three sets that are never mixed:
 *  - walked: reached from a pin or from the root of a pin in progress, its children too;
 *  - kept: met by a running operation (see `operations.ts`), or pinned directly. Its children are not implied, which is
 *    why it must not be taken for walked: the walk of another pin would pass over them;
 *  - being removed: inside the block store; hidden from readers, and puts wait.
 * Order: the sets of the operations, then the snapshot of the pins. An operation ends after its pin record is written, so
 * each pin is in one of the two.
 */
import { CID } from 'multiformats/cid';
import { decode as decodeDigest } from 'multiformats/hashes/digest';
import { blockKey } from '../../bitswap/index.ts';
import { nodeError } from '../errors.ts';
import type { AbortOptions, Gc, PinEntry } from '../ports.ts';
import { type BlockRepo, keyText } from '../repo/index.ts';
import { isLeaf, linksOf } from './links.ts';
import type { Operations } from './operations.ts';
import { Pacer } from './pacer.ts';
import type { PinIndex } from './pin-index.ts';

const rawCode = 0x55;
/** Blocks read at once while marking. */
const readsMax = 32;
/** Keys judged and removed together; each is looked up in the index in one turn, which must stay short. */
const removeMax = 250;

/** What it marks and sweeps. */
export interface GcDeps {
  readonly repo: BlockRepo;
  readonly index: PinIndex;
  readonly operations: Operations;
}

/** A part of the repo to collect, for the proof at start. */
export interface GcScope {
  readonly pins: AsyncIterable<readonly PinEntry[]>;
  readonly keyPages: AsyncIterable<readonly Uint8Array[]>;
}

/** Removes the blocks that no pin and no running operation needs. */
export class GarbageCollector implements Gc {
  readonly #deps: GcDeps;
  #last: Promise<void> = Promise.resolve();

  constructor(deps: GcDeps) {
    this.#deps = deps;
  }

  async *run(options: AbortOptions = {}): AsyncIterable<CID[]> {
    const { repo, index } = this.#deps;
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    try {
      await before;
      yield* this.#collect(() => ({ pins: index.pages(), keyPages: repo.keyPages() }), options.signal);
      await repo.compact(options.signal);
    } finally {
      resolve();
    }
  }

  /** The same over a part of the repo. Only the pins given count, so the keys must be those of blocks known to be nobody else's. */
  async collectScope(scope: () => GcScope): Promise<void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    try {
      await before;
      for await (const _ of this.#collect(scope, undefined));
    } finally {
      resolve();
    }
  }

  async *#collect(scope: () => GcScope, signal: AbortSignal | undefined): AsyncIterable<CID[]> {
    const { operations } = this.#deps;
    signal?.throwIfAborted();
    const touched = operations.watch();
    try {
      const pending = operations.pinRoots();
      const { pins, keyPages } = scope();
      const direct = new Set<string>();
      const walked = new Set<string>();
      const recursive: CID[] = [];
      for await (const page of pins) {
        for (const { cid, type } of page) {
          if (type === 'direct') direct.add(blockKey(cid));
          else recursive.push(cid);
        }
      }
      await this.#mark(recursive, walked, { isComplete: true, signal });
      // Separately and afterwards: a block that is missing here is no fault.
      await this.#mark(pending, walked, { isComplete: false, signal });
      for await (const page of keyPages) {
        signal?.throwIfAborted();
        for (let at = 0; at < page.length; at += removeMax) {
          // Judged and hidden in one turn: no operation can touch a block in between.
          const garbage = page.slice(at, at + removeMax).filter((key) => {
            const text = keyText(key);
            return !walked.has(text) && !touched.has(text) && !direct.has(text);
          });
          if (garbage.length === 0) continue;
          await this.#deps.repo.remove(garbage);
          yield garbage.map((key) => CID.createV1(rawCode, decodeDigest(key.slice())));
        }
      }
    } finally {
      operations.unwatch(touched);
    }
  }

  /** Adds everything below the roots. Leaves are not read. */
  async #mark(
    roots: readonly CID[],
    walked: Set<string>,
    options: { readonly isComplete: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const stack: CID[] = [];
    const push = (cid: CID): void => {
      const key = blockKey(cid);
      if (walked.has(key)) return;
      walked.add(key);
      if (!isLeaf(cid)) stack.push(cid);
    };
    const pacer = new Pacer();
    let rest = roots.length;
    while (rest > 0 || stack.length > 0) {
      options.signal?.throwIfAborted();
      while (stack.length < readsMax && rest > 0) {
        const root = roots[--rest];
        if (root !== undefined) push(root);
      }
      const batch = stack.splice(-readsMax);
      const blocks = await Promise.all(batch.map((cid) => this.#read(cid)));
      for (const [i, cid] of batch.entries()) {
        const bytes = blocks[i];
        if (bytes !== undefined) for (const link of linksOf(cid, bytes)) push(link);
        else if (options.isComplete) throw incomplete(cid);
        if (pacer.isDue) await pacer.yield();
      }
      if (pacer.isDue) await pacer.yield();
    }
  }

  async #read(cid: CID): Promise<Uint8Array | undefined> {
    return cid.multihash.code === 0 ? cid.multihash.digest : this.#deps.repo.get(cid.multihash.bytes);
  }
}

function incomplete(cid: CID): Error {
  const text = `Cannot collect garbage: block ${cid} of a pin is missing, so what lies below it cannot be told from garbage`;
  return nodeError('ipfs-node/damaged', text);
}
