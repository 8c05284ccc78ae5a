/**
 * What the tracker says of pins: from an operation where there is one, else from the pinset and from what IPFS is known to hold.
 * Source of statuses and their texts: Go `pintracker/stateless/stateless.go`.
 */
import { errorMessage } from '../../base/index.ts';
import type { Operation } from '../../core/track/index.ts';
import {
  type Cid,
  type OperationInfo,
  type Pin,
  type PinInfo,
  type PinPlacement,
  type StatusFilter,
  type StatusRow,
  stateKey,
  timeFromNanos,
} from '../../model/index.ts';
import type { CallOptions, StatusListOptions } from '../ports.ts';
import { type HeldPins, isSatisfied } from './held-pins.ts';
import type { Reconciliation } from './reconciliation.ts';
import {
  barePin,
  infoOf,
  isHere,
  isOfOperations,
  matchesFilter,
  operationInfo,
  operationState,
  type RowState,
  rowOf,
  statusOfOperation,
  unexpectedlyUnpinnedText,
} from './row.ts';
import { statusPages } from './status-pages.ts';
import type { TrackerDeps } from './tracker.ts';
import type { Workers } from './workers.ts';

const ipfsDownText = 'the IPFS node does not answer; work goes on when it is back';
/** What the state of a pin depends on. */
type StatusPin = PinPlacement & Pick<Pin, 'timestamp'>;

export interface StatusesDeps extends Pick<TrackerDeps, 'ipfs' | 'pinset' | 'clock' | 'identity'> {
  readonly held: HeldPins;
  readonly workers: Workers;
  readonly reconciliation: Reconciliation;
}

export class Statuses {
  readonly #deps: StatusesDeps;

  constructor(deps: StatusesDeps) {
    this.#deps = deps;
  }

  async one(cid: Cid, options?: CallOptions): Promise<PinInfo> {
    const operation = this.#operations.get(stateKey(cid));
    if (operation !== undefined && !this.#isHeldMeanwhile(operation)) return this.#operationRow(operation);
    const pin = this.#deps.pinset.get(cid);
    if (pin === undefined) return this.#row(barePin(cid), { status: 'unpinned', timestamp: this.#nowTime() });
    const state = this.#stateElsewhere(pin) ?? (await this.#stateByAsking(pin, options));
    return operation === undefined || state.status === 'pinned' ? this.#row(pin, state) : this.#operationRow(operation);
  }

  /** The same as far as it is known without asking IPFS. */
  now(key: string, cid: Cid): PinInfo {
    const operation = this.#operations.get(key);
    if (operation !== undefined) return this.#operationRow(operation);
    const pin = this.#deps.pinset.get(cid);
    if (pin !== undefined) return this.#row(pin, this.#stateByIndex(pin));
    return this.#row(barePin(cid), { status: 'unpinned', timestamp: this.#nowTime() });
  }

  /** In state-key order. */
  async *all(filter: StatusFilter, options: CallOptions = {}): AsyncGenerator<PinInfo, void> {
    for await (const page of this.pages(filter, options)) {
      for (const row of page) yield infoOf(this.#deps.identity(), row);
    }
  }

  /** The same in pages of rows. */
  pages(filter: StatusFilter, { signal, after }: StatusListOptions = {}): AsyncIterable<readonly StatusRow[]> {
    const isOperationsOnly = isOfOperations(filter) && !this.#isBehind;
    const walk = { ...(signal === undefined ? {} : { signal }), ...(after === undefined ? {} : { after }) };
    return statusPages(filter, {
      pages: isOperationsOnly ? undefined : this.#deps.pinset.storedPages(walk),
      after,
      operations: this.#operations,
      stateOfOperation: (operation) => this.#stateOfOperation(operation),
      // The time is that of the pin, which the row has.
      stateOf: (pin) => {
        const { status, error = '' } = this.#stateByIndex(pin);
        return { status, error };
      },
    });
  }

  /** Unfinished work, of one CID or all, as it is now; as many rows as there are operations at most. */
  operations(cid?: Cid): OperationInfo[] {
    const { identity, workers } = this.#deps;
    const key = cid === undefined ? undefined : stateKey(cid);
    if (key !== undefined && this.#operations.get(key) === undefined) return [];
    const now = workers.now();
    const listed = this.#operations.listed().filter(({ operation }) => key === undefined || operation.key === key);
    return listed.map((operation) => operationInfo(identity(), operation, this.#pauseText, now));
  }

  /** The row of an operation; `undefined` when there is none, or the filter leaves it out. */
  ofOperation(key: string, filter: StatusFilter): PinInfo | undefined {
    const operation = this.#operations.get(key);
    if (operation === undefined || !matchesFilter(statusOfOperation(operation), filter)) return undefined;
    return this.#operationRow(operation);
  }

  get #operations(): Workers['operations'] {
    return this.#deps.workers.operations;
  }

  get #self(): string {
    return this.#deps.identity().peer;
  }

  /** There may be work that no operation stands for. */
  get #isBehind(): boolean {
    return this.#deps.reconciliation.isBehind;
  }

  get #pauseText(): string {
    return this.#deps.ipfs.isUp() ? '' : ipfsDownText;
  }

  #operationRow(operation: Operation): PinInfo {
    return this.#row(operation.pin, operationState(operation, this.#pauseText));
  }

  /** The node holds what is to be pinned: a pin that is written anew, as by a move, is on it before, while and after that is carried out. */
  #isHeldMeanwhile({ kind, phase, pin }: Operation): boolean {
    if (kind !== 'pin' || phase === 'error' || !this.#deps.ipfs.isUp()) return false;
    return isSatisfied(pin, this.#deps.held.get(pin.cid));
  }

  #stateOfOperation(operation: Operation): RowState {
    if (!this.#isHeldMeanwhile(operation)) return operationState(operation, this.#pauseText);
    return { status: 'pinned', timestamp: operation.pin.timestamp };
  }

  #row(pin: Pin, state: RowState): PinInfo {
    return rowOf(this.#deps.identity(), pin, state);
  }

  /** The state of a pin that IPFS has nothing to do with here. */
  #stateElsewhere(pin: StatusPin): RowState | undefined {
    if (pin.type === 'meta-pin') return { status: 'sharded', timestamp: pin.timestamp };
    return isHere(pin, this.#self) ? undefined : { status: 'remote', timestamp: pin.timestamp };
  }

  /** From what is known, without asking IPFS. */
  #stateByIndex(pin: StatusPin): RowState {
    const elsewhere = this.#stateElsewhere(pin);
    if (elsewhere !== undefined) return elsewhere;
    if (!this.#deps.ipfs.isUp()) return { status: 'cluster_error', timestamp: pin.timestamp, error: ipfsDownText };
    if (isSatisfied(pin, this.#deps.held.get(pin.cid))) return { status: 'pinned', timestamp: pin.timestamp };
    return this.#missingState(pin);
  }

  async #stateByAsking(pin: Pin, options?: CallOptions): Promise<RowState> {
    try {
      const held = await this.#deps.ipfs.pinLsCid(pin, options);
      const isPinned = (held === 'recursive' || held === 'direct') && isSatisfied(pin, held);
      this.#deps.held.note(pin.cid, isPinned ? held : 'none');
      return isPinned ? { status: 'pinned', timestamp: pin.timestamp } : this.#missingState(pin);
    } catch (error) {
      return { status: 'cluster_error', timestamp: pin.timestamp, error: errorMessage(error) };
    }
  }

  /** Queued when reconciliation is going to find it, else an unexpected loss. */
  #missingState(pin: StatusPin): RowState {
    if (this.#isBehind) return { status: 'pin_queued', timestamp: pin.timestamp };
    return { status: 'unexpectedly_unpinned', timestamp: pin.timestamp, error: unexpectedlyUnpinnedText };
  }

  #nowTime(): ReturnType<typeof timeFromNanos> {
    return timeFromNanos(this.#deps.clock.wallNanos());
  }
}
