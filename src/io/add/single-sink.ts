/** All blocks to the same peers, and one pin of the root. Source: Go `adder/single/dag_service.go`. */
import { errorMessage } from '../../base/index.ts';
import type { AddParams, Cid, PeerId } from '../../model/index.ts';
import { BlockFan, type BlockFanDeps } from './block-fan.ts';
import type { AddedBlock, BlockSink } from './block-sink.ts';
import { type ClusterCalls, dataPin } from './cluster-calls.ts';
import { addError } from './errors.ts';

/** Blocks that come again within so many are not sent again: roots are made more than once. */
const recentMax = 16;
/** Roots that are told one by one when they could not be pinned. */
const failuresToldMax = 10;

export interface SinkDeps extends BlockFanDeps {
  readonly self: PeerId;
  readonly calls: ClusterCalls;
}

export class SingleSink implements BlockSink {
  readonly #params: AddParams;
  readonly #deps: SinkDeps;
  readonly #recent: Cid[] = [];
  #peers: readonly PeerId[] = [];
  #fan: BlockFan | undefined;

  constructor(params: AddParams, deps: SinkDeps) {
    this.#params = params;
    this.#deps = deps;
  }

  async put({ cid, bytes, totalBytes }: AddedBlock): Promise<void> {
    if (this.#recent.some((recent) => recent.equals(cid))) return;
    if (this.#recent.length === recentMax) this.#recent.shift();
    this.#recent.push(cid);
    this.#fan ??= await this.#begin();
    await this.#fan.send({ cid, data: bytes, cumulativeSize: totalBytes });
  }

  allocations(): readonly PeerId[] {
    return this.#peers;
  }

  async finish(roots: readonly Cid[]): Promise<void> {
    if (this.#fan === undefined) throw addError('add/no-content', 'there is no block in what was uploaded');
    await this.#fan.finish();
    // Whoever adds a DAG in parts pins it with the last one.
    if (this.#params.noPin) return;
    const [root, ...others] = roots;
    if (root !== undefined && others.length === 0) await this.#pin(root);
    else await this.#pinEach(roots);
  }

  async abort(): Promise<void> {
    await this.#fan?.abort();
  }

  async #begin(): Promise<BlockFan> {
    const { pin, local } = this.#params;
    const { self, calls } = this.#deps;
    this.#peers = await calls.allocate(pin);
    if (!local) return new BlockFan(this.#peers, this.#deps);
    // This peer is one of them, unless the user has chosen: then they fetch the blocks from here.
    if (!this.#peers.includes(self) && (pin.userAllocations ?? []).length === 0) {
      this.#peers = [...this.#peers.slice(0, -1), self];
    }
    return new BlockFan([self], this.#deps);
  }

  async #pin(root: Cid): Promise<void> {
    const { pin } = this.#params;
    const isEverywhere = pin.replicationFactorMin < 0;
    await this.#deps.calls.pin({ ...dataPin(root, pin), allocations: isEverywhere ? [] : this.#peers });
  }

  /** One that is refused does not stop the rest. */
  async #pinEach(roots: readonly Cid[]): Promise<void> {
    const failures: string[] = [];
    for (const root of roots) {
      try {
        await this.#pin(root);
      } catch (error) {
        if (failures.length < failuresToldMax) failures.push(`cannot pin ${root}: ${errorMessage(error)}`);
        else if (failures.length === failuresToldMax) failures.push('and more');
      }
    }
    if (failures.length > 0) throw addError('add/not-pinned', failures.join('; '), { outcome: 'unknown' });
  }
}
