/** What is in the shard that is being filled. Source: Go `adder/sharding/shard.go`, `dag_service.go` `ingestBlock`. */
import type { Cid } from '../../model/index.ts';

/** Blocks of one shard, in their order; `size` is the sum of theirs. */
export class ShardContent {
  readonly #limitBytes: number;
  readonly #cids: Cid[] = [];
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get cids(): readonly Cid[] {
    return this.#cids;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get isEmpty(): boolean {
    // By size, as in the reference: blocks without bytes do not make it full.
    return this.#sizeBytes === 0;
  }

  /** `false`, without taking it, when the block does not fit: a shard stays below its limit. */
  add(cid: Cid, sizeBytes: number): boolean {
    if (this.#sizeBytes + sizeBytes >= this.#limitBytes) return false;
    this.#cids.push(cid);
    this.#sizeBytes += sizeBytes;
    return true;
  }
}
