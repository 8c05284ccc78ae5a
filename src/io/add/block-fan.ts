/**
 * Brings blocks to several peers at once: one stream to each, all paced by the slowest.
 *
 * A peer that fails, or takes nothing for a long time, is left out from then on: it fetches the content like any pin when it is back.
 * Only when none is left the add fails. Source: Go `adder/util.go` `BlockStreamer`.
 */
import { type Cancel, type Clock, errorMessage, type Logger } from '../../base/index.ts';
import type { Rpc } from '../../cluster/ports.ts';
import { methods, type NodeWithMeta, type PeerId } from '../../model/index.ts';
import { addError, cancelled } from './errors.ts';

/** Bytes that wait for one peer before the source is held back. */
const waitingBytesMax = 1024 * 1024;
/** What a block takes beside its bytes. */
const blockBytesExtra = 256;
/** A peer that takes no block, or does not finish, for so long is given up. Its IPFS node is given as much for one answer. */
const stallLimitMs = 300_000;

/** Where a fan sends to, and with what. */
export interface BlockFanDeps {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

export class BlockFan {
  readonly #lanes: readonly Lane[];
  readonly #deps: BlockFanDeps;

  constructor(peers: readonly PeerId[], deps: BlockFanDeps) {
    this.#deps = deps;
    this.#lanes = peers.map((peer) => new Lane(peer, deps));
  }

  /** Resolves when there is room for the next block. Throws `add/no-destination` when no peer takes blocks any more, `add/cancelled`. */
  async send(block: NodeWithMeta): Promise<void> {
    for (const lane of this.#lanes) lane.push(block);
    for (const lane of this.#lanes) if (!lane.hasRoom) await lane.room();
    if (this.#lanes.every(({ failure }) => failure !== undefined)) throw this.#failed();
  }

  /** Resolves when every peer has stored all blocks, or was given up. Throws as `send`. */
  async finish(): Promise<void> {
    for (const lane of this.#lanes) lane.end();
    await Promise.all(this.#lanes.map(({ done }) => done));
    const failures = this.#lanes.filter(({ failure }) => failure !== undefined);
    if (failures.length === this.#lanes.length) throw this.#failed();
    for (const { peer, failure } of failures) {
      const fields = { peer, error: errorMessage(failure) };
      this.#deps.logger.warn('blocks could not be put on a peer: it will fetch them', fields);
    }
  }

  /** Breaks all streams off. Resolves when they have ended. */
  async abort(): Promise<void> {
    for (const lane of this.#lanes) lane.giveUp(cancelled(this.#deps.signal));
    await Promise.all(this.#lanes.map(({ done }) => done));
  }

  #failed(): Error {
    if (this.#deps.signal.aborted) return cancelled(this.#deps.signal);
    const causes = this.#lanes.map(({ peer, failure }) => `${peer}: ${errorMessage(failure)}`).join('; ');
    this.#deps.logger.error('blocks could not be put on any peer', { causes });
    return addError('add/no-destination', 'failed to put block on all destinations', {
      cause: this.#lanes[0]?.failure,
    });
  }
}

/** The stream to one peer. */
class Lane {
  readonly peer: PeerId;
  /** Resolves when the stream has ended, in whatever way. */
  readonly done: Promise<void>;
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  #queue: NodeWithMeta[] = [];
  #bytes = 0;
  #isEnded = false;
  #onBlock: () => void = () => {};
  #onRoom: () => void = () => {};
  #cancelStall: Cancel | undefined;
  failure: Error | undefined;

  constructor(peer: PeerId, { rpc, clock, signal }: BlockFanDeps) {
    this.peer = peer;
    this.#clock = clock;
    this.done = this.#run(rpc, signal);
  }

  get hasRoom(): boolean {
    return this.failure !== undefined || this.#bytes < waitingBytesMax;
  }

  /** Resolves when there is room, or when there is no use in waiting. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = resolve;
    });
  }

  push(block: NodeWithMeta): void {
    if (this.failure !== undefined) return;
    this.#queue.push(block);
    this.#bytes += sizeOf(block);
    this.#watch();
    this.#onBlock();
  }

  end(): void {
    this.#isEnded = true;
    if (this.failure === undefined) this.#watch();
    this.#onBlock();
  }

  giveUp(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.#queue = [];
    this.#bytes = 0;
    this.#ending.abort(error);
    this.#onBlock();
    this.#onRoom();
  }

  async #run(rpc: Rpc, outer: AbortSignal): Promise<void> {
    const onAbort = (): void => this.giveUp(cancelled(outer));
    outer.addEventListener('abort', onAbort);
    if (outer.aborted) onAbort();
    try {
      const { signal } = this.#ending;
      for await (const _ of rpc.stream(this.peer, methods.IPFSConnector.BlockStream, this.#blocks(), { signal }));
      // What was taken off the queue and not asked for is not there either.
      if (!this.#isEnded || this.#bytes > 0) throw addError('add/stalled', 'ended before it had all blocks');
    } catch (error) {
      this.giveUp(error instanceof Error ? error : addError('add/stalled', String(error)));
    } finally {
      outer.removeEventListener('abort', onAbort);
      this.#cancelStall?.();
      this.#cancelStall = undefined;
    }
  }

  async *#blocks(): AsyncGenerator<NodeWithMeta> {
    while (this.failure === undefined) {
      const queue = this.#queue;
      this.#queue = [];
      for (const block of queue) {
        yield block;
        // Taken: whoever reads has asked for the next one.
        this.#bytes -= sizeOf(block);
        this.#rewatch();
        if (this.hasRoom) this.#onRoom();
      }
      if (this.#queue.length > 0) continue;
      if (this.#isEnded) return;
      await new Promise<void>((resolve) => {
        this.#onBlock = resolve;
      });
    }
    throw this.failure;
  }

  /** Begins to count while something is to be done. */
  #watch(): void {
    this.#cancelStall ??= this.#clock.after(stallLimitMs, () => {
      const text = `took no block for ${stallLimitMs / 1000} seconds`;
      this.giveUp(addError('add/stalled', text, { outcome: 'unknown' }));
    });
  }

  #rewatch(): void {
    this.#cancelStall?.();
    this.#cancelStall = undefined;
    if (this.#bytes > 0 || this.#isEnded) this.#watch();
  }
}

function sizeOf({ data }: NodeWithMeta): number {
  return (data?.length ?? 0) + blockBytesExtra;
}
