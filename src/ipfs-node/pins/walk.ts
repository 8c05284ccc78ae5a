/**
 * Walking a DAG depth first, parents before children, with the blocks that come next being read ahead in parallel.
 */
import type { CID } from 'multiformats/cid';
import { blockKey } from '../../bitswap/index.ts';
import type { AbortOptions, BlockReader, Visit, WalkOptions } from '../ports.ts';
import { isLeaf, linksOf } from './links.ts';
import { Pacer } from './pacer.ts';

/** Blocks read at once; more brings nothing (embedded store and bitswap alike), */
const readsMax = 64;
/** and of large blocks fewer, so that what is in flight stays below this. */
const readBytesMax = 32 * 1024 * 1024;
const readsMin = 8;

/** The bytes of a block, or `undefined` for a leaf that need not be read. */
export type Load = (cid: CID, signal: AbortSignal) => Promise<Uint8Array | undefined>;

interface Pending {
  readonly cid: CID;
  readonly key: string;
  readonly depth: number;
  bytes?: Promise<Uint8Array | undefined>;
}

/** Walks with the reader's blocks; see `IpfsNode.walk`. */
export function walkDag(roots: readonly CID[], reader: BlockReader, options: WalkOptions = {}): AsyncIterable<Visit> {
  const { readLeaves = true, ...rest } = options;
  const load: Load = async (cid, signal) => (readLeaves || !isLeaf(cid) ? reader.get(cid, { signal }) : undefined);
  return walkWith(roots, load, rest);
}

/** Visits every multihash once; below `maxDepth` links are not followed. */
export async function* walkWith(
  roots: readonly CID[],
  load: Load,
  options: AbortOptions & { readonly maxDepth?: number } = {},
): AsyncGenerator<Visit> {
  const { maxDepth = Number.POSITIVE_INFINITY } = options;
  const abort = new AbortController();
  const signal = options.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, options.signal]);
  const seen = new Map<string, number>();
  const readAhead = new ReadAhead(load, signal);
  const stack = roots.map((cid): Pending => ({ cid, key: blockKey(cid), depth: 0 })).reverse();
  const pacer = new Pacer();
  try {
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { cid, key, depth } = next;
      const seenDepth = seen.get(key);
      // Met again nearer to the root, a block may lead to others that were too deep before.
      if (seenDepth !== undefined && (maxDepth === Number.POSITIVE_INFINITY || depth >= seenDepth)) {
        readAhead.drop(next);
        continue;
      }
      seen.set(key, depth);
      const bytes = await readAhead.take(next, stack, seen);
      signal.throwIfAborted();
      const links = bytes === undefined ? [] : linksOf(cid, bytes);
      if (seenDepth === undefined) yield { cid, depth, links, ...(bytes === undefined ? {} : { bytes }) };
      if (depth < maxDepth) {
        for (let i = links.length - 1; i >= 0; i--) {
          const link = links[i];
          if (link !== undefined) stack.push({ cid: link, key: blockKey(link), depth: depth + 1 });
        }
      }
      if (pacer.isDue) await pacer.yield();
    }
  } finally {
    // An abort makes an error with its stack: most walks end without reads under way, and need none.
    if (readAhead.isReading) abort.abort();
  }
}

/** Starts reading what lies on top of the stack before it is its turn. */
class ReadAhead {
  readonly #load: Load;
  readonly #signal: AbortSignal;
  /** Reads that are not finished. Finished ones that wait for their turn count by their bytes only: the inner nodes
   * beside the present one wait long, and must not take the places of the leaves below it. */
  #running = 0;
  #waitingBytes = 0;
  /** Smoothed size of the blocks so far. */
  #blockBytes = 0;

  constructor(load: Load, signal: AbortSignal) {
    this.#load = load;
    this.#signal = signal;
  }

  get isReading(): boolean {
    return this.#running > 0;
  }

  async take(
    item: Pending,
    stack: readonly Pending[],
    seen: ReadonlyMap<string, number>,
  ): Promise<Uint8Array | undefined> {
    this.#start(item);
    for (let i = stack.length - 1; i >= 0 && stack.length - i <= readsMax && this.#hasRoom(); i--) {
      const ahead = stack[i];
      if (ahead !== undefined && ahead.bytes === undefined && !seen.has(ahead.key)) this.#start(ahead);
    }
    const bytes = await item.bytes;
    this.#waitingBytes -= bytes?.length ?? 0;
    return bytes;
  }

  /** The item will not be taken. */
  drop(item: Pending): void {
    // A failed read ends the walk when it is taken, and is of no interest otherwise.
    item.bytes?.then(
      (bytes) => {
        this.#waitingBytes -= bytes?.length ?? 0;
      },
      () => {},
    );
  }

  #hasRoom(): boolean {
    if (this.#running < readsMin) return true;
    return this.#running < readsMax && this.#waitingBytes + this.#running * this.#blockBytes < readBytesMax;
  }

  #start(item: Pending): void {
    if (item.bytes !== undefined) return;
    this.#running += 1;
    item.bytes = this.#read(item.cid);
    // A failure is met when the item is taken; the walk may have ended before.
    item.bytes.catch(() => {});
  }

  async #read(cid: CID): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#load(cid, this.#signal);
      const size = bytes?.length ?? 0;
      this.#waitingBytes += size;
      this.#blockBytes = this.#blockBytes * 0.9 + size * 0.1;
      return bytes;
    } finally {
      this.#running -= 1;
    }
  }
}
