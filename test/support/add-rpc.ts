/** What adding asks of a cluster, answered by functions: the real adder runs over it. */
import { OperatingError } from '../../src/base/index.ts';
import type { CallOptions, Rpc } from '../../src/cluster/ports.ts';
import {
  type Cid,
  methods,
  type NodeWithMeta,
  nothing,
  type PeerId,
  type Pin,
  type RpcMethod,
  type RpcStreamMethod,
} from '../../src/model/index.ts';

export interface AddRpcParts {
  readonly allocate: (pin: Pin) => Promise<readonly PeerId[]> | readonly PeerId[];
  /** Stores all blocks of a stream. */
  readonly store: (peer: PeerId, blocks: AsyncIterable<NodeWithMeta>, signal?: AbortSignal) => Promise<void>;
  readonly pin: (pin: Pin) => Promise<void> | void;
  /** Of pins that are there before. */
  readonly find?: (cid: Cid) => Pin | undefined;
  readonly unpin?: (pin: Pin) => void;
  readonly restore?: (pin: Pin) => void;
}

export class AddRpc implements Rpc {
  readonly #parts: AddRpcParts;
  /** Streams that have begun and not ended. */
  streams = 0;

  constructor(parts: AddRpcParts) {
    this.#parts = parts;
  }

  async call<A, R>(_peer: PeerId, method: RpcMethod<A, R>, argument: A): Promise<R> {
    // Proof of the casts: argument and reply are those of the row that is looked at.
    return (await this.#answer(method as RpcMethod<unknown, unknown>, argument)) as R;
  }

  // biome-ignore lint/correctness/useYield: nothing is sent back
  async *stream<A, R>(
    peer: PeerId,
    method: RpcStreamMethod<A, R>,
    args: readonly A[] | AsyncIterable<A>,
    options: CallOptions = {},
  ): AsyncGenerator<R, void> {
    if (method.name !== methods.IPFSConnector.BlockStream.name) throw unknown(method.name);
    this.streams += 1;
    try {
      await this.#parts.store(peer, args as AsyncIterable<NodeWithMeta>, options.signal);
    } finally {
      this.streams -= 1;
    }
  }

  async #answer(method: RpcMethod<unknown, unknown>, argument: unknown): Promise<unknown> {
    const { allocate, pin, find, unpin, restore } = this.#parts;
    switch (method.name) {
      case 'BlockAllocate':
        return await allocate(argument as Pin);
      case 'Pin':
        await pin(argument as Pin);
        return argument;
      case 'PinGet': {
        const found = find?.(argument as Cid);
        if (found === undefined) throw new OperatingError('cluster/not-pinned', 'pin is not part of the pinset');
        return found;
      }
      case 'LogUnpin':
        unpin?.(argument as Pin);
        return nothing;
      case 'LogPin':
        restore?.(argument as Pin);
        return nothing;
      default:
        throw unknown(method.name);
    }
  }
}

function unknown(name: string): OperatingError {
  return new OperatingError('rpc/server', `nobody adds with ${name}`);
}
