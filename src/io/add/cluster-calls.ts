/** What adding asks of the cluster; calls to this peer itself. Source: Go `adder/util.go`. */
import { errorCode } from '../../base/index.ts';
import type { Rpc } from '../../cluster/ports.ts';
import { Cid, methods, type PeerId, type Pin, type PinOptions } from '../../model/index.ts';

export class ClusterCalls {
  readonly #self: PeerId;
  readonly #rpc: Rpc;
  readonly #signal: AbortSignal;

  constructor(deps: { readonly self: PeerId; readonly rpc: Rpc; readonly signal: AbortSignal }) {
    this.#self = deps.self;
    this.#rpc = deps.rpc;
    this.#signal = deps.signal;
  }

  /** The peers for content with these options. */
  async allocate(options: PinOptions): Promise<readonly PeerId[]> {
    const { BlockAllocate } = methods.Cluster;
    const request = dataPin(Cid.undefined, options);
    return (await this.#rpc.call(this.#self, BlockAllocate, request, { signal: this.#signal })) ?? [];
  }

  /** Not ended with the add: what was begun is waited for, so that it is known whether it was done. */
  async pin(pin: Pin): Promise<void> {
    await this.#rpc.call(this.#self, methods.Cluster.Pin, pin);
  }

  /** The pin that is there. */
  async find(cid: Cid): Promise<Pin | undefined> {
    try {
      return await this.#rpc.call(this.#self, methods.Cluster.PinGet, cid, { signal: this.#signal });
    } catch (error) {
      if (errorCode(error) === 'cluster/not-pinned') return undefined;
      throw error;
    }
  }

  /**
   * Takes a pin back: what was there before is there again. Past the rule that shards go with their content only, and not ended with the
   * add.
   */
  async restore(pin: Pin, before: Pin | undefined): Promise<void> {
    if (before === undefined) await this.#rpc.call(this.#self, methods.Consensus.LogUnpin, pin);
    else await this.#rpc.call(this.#self, methods.Consensus.LogPin, before);
  }
}

/** A pin of content that was added. */
export function dataPin(cid: Cid, options: PinOptions): Pin {
  return { ...options, cid, type: 'pin', allocations: null, maxDepth: -1, reference: null, timestamp: null };
}
