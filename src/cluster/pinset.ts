/**
 * The agreed pinset over a `Datastore`: each batch of committed commands is one batch of the store, together with the index of
 * the last log entry in it. A restart goes on after that index; what an unclean end takes from the end of the store is applied
 * again from the log, so the batches need not be durable.
 */
import { assert, errorMessage, type Logger, OperatingError } from '../base/index.ts';
import { type Cid, decodePin, encodePin, type Pin, type RaftCommand } from '../model/index.ts';
import {
  cidOfPinKey,
  decodeProgress,
  encodeProgress,
  type Progress,
  pinKey,
  pinKeys,
  progressKey,
} from './pinset-keys.ts';
import type { Datastore, DatastoreOp, Pinset, PinsetObserver } from './ports.ts';

/** The pinset that consensus writes and everyone reads. */
export interface PinsetState extends Pinset {
  /** Index of the last log entry whose effects are here. Reads after `apply` resolved see them. */
  readonly applied: number;
  /**
   * Applies the commands up to log entry `index`, those of entries without a command being absent. One call at a time.
   * A failed pin has no effect on the others; a rejection is a failure of the store, and then nothing was applied.
   */
  apply(commands: readonly RaftCommand[], index: number): Promise<void>;
}

/** Who is told of changes. */
export interface PinsetDeps {
  readonly log: Logger;
  /** Told of what an applied batch has changed, in log order, when readers can see it. After a restart some are told again. */
  readonly observer: PinsetObserver;
}

/** Reads how far the store is. Throws `OperatingError` `cluster/damaged-state`. */
export function openPinset(store: Datastore, deps: PinsetDeps): PinsetState {
  return new StoredPinset(store, deps);
}

class StoredPinset implements PinsetState {
  readonly #store: Datastore;
  readonly #log: Logger;
  readonly #observer: PinsetObserver;
  #progress: Progress;

  constructor(store: Datastore, { log, observer }: PinsetDeps) {
    this.#store = store;
    this.#log = log;
    this.#observer = observer;
    this.#progress = loadProgress(store);
  }

  get applied(): number {
    return this.#progress.applied;
  }

  get(cid: Cid): Pin | undefined {
    const value = this.#store.get(pinKey(cid));
    return value === undefined ? undefined : this.#decode(value, () => cid);
  }

  has(cid: Cid): boolean {
    return this.#store.get(pinKey(cid)) !== undefined;
  }

  count(): number {
    return this.#progress.count;
  }

  async *pages(
    options: { readonly signal?: AbortSignal; readonly pageSize?: number } = {},
  ): AsyncGenerator<readonly Pin[], void, undefined> {
    for await (const entries of this.#store.scan(pinKeys, options)) {
      const pins: Pin[] = [];
      for (const [key, value] of entries) {
        const pin = this.#decode(value, () => cidOfPinKey(key));
        if (pin !== undefined) pins.push(pin);
      }
      if (pins.length > 0) yield pins;
    }
  }

  async apply(commands: readonly RaftCommand[], index: number): Promise<void> {
    assert(index > this.#progress.applied, 'entries are applied once and in order');
    const ops: DatastoreOp[] = [];
    const changed: RaftCommand[] = [];
    /** What the batch so far has made of a key. */
    const written = new Map<string, boolean>();
    let { count } = this.#progress;
    for (const command of commands) {
      const op = this.#operation(command);
      if (op === undefined) continue;
      const isPresent = written.get(command.pin.cid.key) ?? this.#store.get(op.key) !== undefined;
      const isPresentAfter = op.type === 'put';
      written.set(command.pin.cid.key, isPresentAfter);
      count += Number(isPresentAfter) - Number(isPresent);
      ops.push(op);
      changed.push(command);
    }
    const progress = { applied: index, count };
    ops.push({ type: 'put', key: progressKey, value: encodeProgress(progress) });
    await this.#store.batch(ops, { durable: false });
    this.#progress = progress;
    for (const { type, pin } of changed) {
      if (type === 'pin') this.#observer.onPin(pin);
      else this.#observer.onUnpin(pin);
    }
  }

  /** `undefined` for what no peer can apply: they all skip it alike. */
  #operation({ type, pin }: RaftCommand): DatastoreOp | undefined {
    try {
      if (type === 'unknown') throw new OperatingError('cluster/unknown-command', 'the type of the command is unknown');
      if (!pin.cid.isDefined) throw new OperatingError('cluster/bad-pin', 'the pin has no cid');
      const key = pinKey(pin.cid);
      return type === 'pin' ? { type: 'put', key, value: encodePin(pin) } : { type: 'del', key };
    } catch (error) {
      this.#log.error('skipped a committed command that cannot be applied', { type, error: errorMessage(error) });
      return undefined;
    }
  }

  #decode(value: Uint8Array, cidOf: () => Cid): Pin | undefined {
    try {
      return decodePin(value, cidOf());
    } catch (error) {
      this.#log.error('skipped a pin of the state that cannot be read', { error: errorMessage(error) });
      return undefined;
    }
  }
}

function loadProgress(store: Datastore): Progress {
  const bytes = store.get(progressKey);
  if (bytes === undefined) return { applied: 0, count: 0 };
  const progress = decodeProgress(bytes);
  if (progress !== undefined) return progress;
  const text = `The pinset is damaged: its progress record has ${bytes.length} bytes, expected 16`;
  throw new OperatingError('cluster/damaged-state', text);
}
