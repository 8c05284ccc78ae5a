/**
 * Running operations and what gc must not take from them.
 *
 * Every operation keeps the blocks that it has put or met ("touched") until it ends. When gc begins, all these are
 * copied into the set of the run, and while it runs every touch is added to that set at once (`watch`). Touching comes before
 * looking or writing, so that a block is either seen as touched by the sweep, or seen as being removed by the operation,
 * which then writes it anew.
 */
import type { CID } from 'multiformats/cid';
import { blockKey } from '../../bitswap/index.ts';
import type { Block, Operation } from '../ports.ts';
import type { BlockRepo } from '../repo/index.ts';

/** Puts of `putMany` that wait together. */
const putManyBytesMax = 8 * 1024 * 1024;
const putManyBlocksMax = 512;

/** Called after a block has been stored. */
export type OnStored = (cid: CID, bytes: Uint8Array) => void;

/** Running operations with the blocks that each has touched. */
export class Operations {
  readonly #repo: BlockRepo;
  readonly #onStored: OnStored;
  readonly #running = new Set<RunningOperation>();
  readonly #watches = new Set<Set<string>>();

  constructor(repo: BlockRepo, onStored: OnStored) {
    this.#repo = repo;
    this.#onStored = onStored;
  }

  begin(): RunningOperation {
    const operation: RunningOperation = new RunningOperation(this.#repo, {
      onStored: this.#onStored,
      onTouch: (key) => {
        for (const touched of this.#watches) touched.add(key);
      },
      onEnd: () => this.#running.delete(operation),
    });
    this.#running.add(operation);
    return operation;
  }

  /**
   * What running operations hold, and what operations touch until `unwatch`, those that end in between included. Whoever
   * removes blocks watches before it looks at the pins: each block of a pin is then either watched or under a pin.
   */
  watch(): ReadonlySet<string> {
    const touched = new Set<string>();
    for (const operation of this.#running) for (const key of operation.touched) touched.add(key);
    this.#watches.add(touched);
    return touched;
  }

  unwatch(touched: ReadonlySet<string>): void {
    // Proof of the cast: made by `watch`; a set that is not is simply not in there.
    this.#watches.delete(touched as Set<string>);
  }

  /** Roots that are being pinned; blocks below them may still be missing. */
  pinRoots(): CID[] {
    return [...this.#running].flatMap((operation) => [...operation.pinRoots]);
  }
}

interface OperationHooks {
  readonly onStored: OnStored;
  readonly onTouch: (key: string) => void;
  readonly onEnd: () => void;
}

/** An operation of this node; made by `Operations.begin` only. */
export class RunningOperation implements Operation {
  readonly touched: Set<string> = new Set();
  readonly pinRoots: Set<CID> = new Set();
  readonly #repo: BlockRepo;
  readonly #hooks: OperationHooks;

  constructor(repo: BlockRepo, hooks: OperationHooks) {
    this.#repo = repo;
    this.#hooks = hooks;
  }

  async put(cid: CID, bytes: Uint8Array): Promise<void> {
    if (cid.multihash.code === 0) return;
    this.#touch(cid);
    await this.#repo.put(cid.multihash.bytes, bytes);
    this.#hooks.onStored(cid, bytes);
  }

  async putMany(blocks: Iterable<Block>): Promise<void> {
    let puts: Promise<void>[] = [];
    let bytes = 0;
    for (const block of blocks) {
      puts.push(this.put(block.cid, block.bytes));
      bytes += block.bytes.length;
      if (puts.length < putManyBlocksMax && bytes < putManyBytesMax) continue;
      await Promise.all(puts);
      puts = [];
      bytes = 0;
    }
    await Promise.all(puts);
  }

  touch(cid: CID): Promise<boolean> {
    return Promise.resolve(this.touchNow(cid));
  }

  /** `touch` in the same turn. */
  touchNow(cid: CID): boolean {
    if (cid.multihash.code === 0) return true;
    this.#touch(cid);
    return this.#repo.has(cid.multihash.bytes);
  }

  flush(): Promise<void> {
    return this.#repo.flush();
  }

  end(): void {
    this.#hooks.onEnd();
  }

  #touch(cid: CID): void {
    const key = blockKey(cid);
    this.touched.add(key);
    this.#hooks.onTouch(key);
  }
}
