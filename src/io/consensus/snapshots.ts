/**
 * Snapshots of a Raft peer: taken of its own state from time to time and when a follower needs one, taken from the leader to disk,
 * and put in the place of the state.
 *
 * The state is durable by itself, so this peer needs no snapshot to start; a snapshot is what it can send, and a copy of the state
 * that no later damage reaches. One is written at a time, and what the leader sends goes first.
 */
import {
  type Cancel,
  type Clock,
  errorCode,
  errorMessage,
  type Logger,
  OperatingError,
  type Random,
} from '../../base/index.ts';
import type { Base, LogIndex, SnapshotStore, SnapshotWriter, StoredSnapshot } from '../../core/raft/index.ts';
import { encodeBase } from './base-tag.ts';
import { isStateDamage } from './errors.ts';
import type { ReplicatedPinset, SnapshotBody, StateSnapshot } from './ports.ts';

export interface SnapshotsOptions {
  /** Looks this often, and a random part more, whether a snapshot is due. Config `snapshot_interval`. */
  readonly intervalMs: number;
  /** One is due when at least this many entries were applied since the last. Config `snapshot_threshold`. */
  readonly threshold: number;
  /** A sender that is silent this long has given up. */
  readonly stallMs: number;
}

export interface SnapshotsDeps {
  readonly store: SnapshotStore;
  readonly state: ReplicatedPinset;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What a snapshot of the state at an index is of; resolves when that index is applied in the engine too. */
  readonly baseAt: (index: LogIndex) => Promise<Base>;
  /** A snapshot is on disk. */
  readonly onTaken: (base: Base) => void;
  /** One that was to be sent cannot be read: it is there no more. */
  readonly onLost: (base: Base) => void;
  /** The state is damaged: there will be no snapshot of it. */
  readonly onDamaged: (error: unknown) => void;
}

/** After a snapshot that could not be taken, to the next try; doubled each time. */
const restMinMs = 1000;
const restMaxMs = 60_000;

/** Failures of a restore that are the snapshot's; all others are those of this peer's state or disk. */
const uselessCodes: readonly string[] = ['cluster/bad-snapshot', 'store/damaged-snapshot'];

export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #deps: SnapshotsDeps;
  #cancelTimer: Cancel = () => {};
  /** Ends when nothing is being written any more; what writes waits for the one before it. */
  #writing: Promise<unknown> = Promise.resolve();
  #taking: { readonly aborter: AbortController; index: LogIndex | undefined } | undefined;
  /** Of the monotonic clock: none is taken before, for the last try has failed. */
  #restsUntilMs = 0;
  #restMs = restMinMs;
  #isEnded = false;

  constructor(options: SnapshotsOptions, deps: SnapshotsDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  start(): void {
    const { intervalMs } = this.#options;
    const { clock, random } = this.#deps;
    if (this.#isEnded) return;
    this.#cancelTimer = clock.after(intervalMs + random.integer(Math.max(1, Math.floor(intervalMs))), () => {
      if (this.#isDue()) this.take();
      this.start();
    });
  }

  /** Resolves when nothing is read or written any more. */
  async stop(): Promise<void> {
    this.#isEnded = true;
    this.#cancelTimer();
    this.#taking?.aborter.abort();
    await this.#writing;
  }

  /** The newest one. */
  get newest(): Base | undefined {
    return this.#deps.store.list()[0]?.base;
  }

  /** The log must keep what follows this index: a snapshot of it is being written. */
  get takingIndex(): LogIndex | undefined {
    return this.#taking?.index;
  }

  /** Takes one of the present state, unless one is being taken. Failures but for damage are told to the log: the next try comes by itself. */
  take(): void {
    if (this.#taking !== undefined || this.#isEnded || this.#deps.clock.now() < this.#restsUntilMs) return;
    const taking = { aborter: new AbortController(), index: undefined };
    this.#taking = taking;
    void this.#exclusively(async () => {
      try {
        await this.#take(taking);
        this.#restMs = restMinMs;
      } catch (error) {
        if (taking.aborter.signal.aborted) return;
        if (isStateDamage(error)) {
          this.#deps.onDamaged(error);
          return;
        }
        this.#restsUntilMs = this.#deps.clock.now() + this.#restMs;
        this.#restMs = Math.min(2 * this.#restMs, restMaxMs);
        this.#deps.logger.warn('a snapshot could not be taken', { error: errorMessage(error) });
      } finally {
        this.#taking = undefined;
      }
    });
  }

  /** Brings the bytes to disk. @returns whether all came; what did not is told to the log. */
  async receive(base: Base, { sizeBytes, chunks }: SnapshotBody, signal: AbortSignal): Promise<boolean> {
    const { logger, store } = this.#deps;
    this.#taking?.aborter.abort();
    return await this.#exclusively(async () => {
      let writer: SnapshotWriter | undefined;
      try {
        // In the file, and then in the state beside what is there.
        writer = await store.create(base, 2 * sizeBytes);
        for await (const bytes of this.lively(chunks, signal)) await writer.write(bytes);
        await writer.finish();
        logger.info('received a snapshot', { index: base.index, term: base.term, bytes: sizeBytes });
        return true;
      } catch (error) {
        await writer?.discard();
        if (!signal.aborted)
          logger.warn('a snapshot did not arrive', { index: base.index, error: errorMessage(error) });
        return false;
      }
    });
  }

  /** Replaces the state. @returns whether it was a snapshot; one that is none is deleted. Failures of state and disk reject. */
  async restore(base: Base): Promise<boolean> {
    const { store, state, logger } = this.#deps;
    const all = this.#storedOf(base);
    const [stored] = all;
    try {
      if (stored === undefined) throw badSnapshot(`that of entry ${base.index} is not on disk any more`);
      await state.restore(store.read(stored), { applied: base.index, tag: encodeBase(base) });
      logger.info('the state is that of a snapshot', { index: base.index, pins: state.count() });
      return true;
    } catch (error) {
      if (!uselessCodes.includes(errorCode(error))) throw error;
      logger.error('a snapshot cannot be used', { index: base.index, error: errorMessage(error) });
      // After a restart it would be taken for one of this peer's own state, and sent to others.
      for (const useless of all) await store.delete(useless);
      return false;
    }
  }

  /** What is sent with a snapshot; `undefined` when it is not there any more. */
  body(base: Base): SnapshotBody | undefined {
    const { onLost } = this.#deps;
    const [stored] = this.#storedOf(base);
    if (stored === undefined) {
      onLost(base);
      return undefined;
    }
    return { sizeBytes: stored.sizeBytes, chunks: this.#readToSend(stored) };
  }

  /** The newest first: a crash may have left one that was received before. */
  #storedOf(base: Base): readonly StoredSnapshot[] {
    return this.#deps.store.list().filter((at) => at.base.index === base.index && at.base.term === base.term);
  }

  async *#readToSend(stored: StoredSnapshot): AsyncGenerator<Uint8Array, void, undefined> {
    const { store, logger, onLost } = this.#deps;
    try {
      yield* store.read(stored);
    } catch (error) {
      logger.error('a snapshot cannot be sent, and another one is taken', { error: errorMessage(error) });
      onLost(stored.base);
      throw error;
    }
  }

  /** The same chunks; rejects when the next one does not come in time, or when given up. */
  async *lively(chunks: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const iterator = chunks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const step = await this.#inTime(iterator.next(), signal);
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      // Waits for nothing: what is stalled is ended by whoever owns the stream.
      iterator.return?.().catch(() => {});
    }
  }

  #isDue(): boolean {
    const { state } = this.#deps;
    return state.applied - (this.newest?.index ?? 0) >= Math.max(1, this.#options.threshold);
  }

  async #take(taking: { readonly aborter: AbortController; index: LogIndex | undefined }): Promise<void> {
    const { state, store, baseAt, onTaken, logger } = this.#deps;
    const { signal } = taking.aborter;
    const view = await state.snapshot();
    taking.index = view.applied;
    let writer: SnapshotWriter | undefined;
    try {
      if (view.applied <= (this.newest?.index ?? 0)) return;
      const base = await baseAt(view.applied);
      writer = await store.create(base, store.list()[0]?.sizeBytes);
      const sizeBytes = await copy(view, writer, signal);
      await writer.finish();
      writer = undefined;
      logger.info('took a snapshot', { index: base.index, term: base.term, bytes: sizeBytes });
      onTaken(base);
    } finally {
      await writer?.discard();
      await view.chunks[Symbol.asyncIterator]().return?.();
    }
  }

  #exclusively<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(act);
    this.#writing = done.catch(() => {});
    return done;
  }

  #inTime<T>(act: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancel();
        signal?.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        end();
        reject(signal?.reason);
      };
      const { stallMs } = this.#options;
      const cancel = this.#deps.clock.after(stallMs, () => {
        end();
        reject(stalled(stallMs));
      });
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted === true) return abort();
      act.then(
        (value) => {
          end();
          resolve(value);
        },
        (error: unknown) => {
          end();
          reject(error);
        },
      );
    });
  }
}

async function copy(view: StateSnapshot, writer: SnapshotWriter, signal: AbortSignal): Promise<number> {
  let sizeBytes = 0;
  for await (const bytes of view.chunks) {
    signal.throwIfAborted();
    await writer.write(bytes);
    sizeBytes += bytes.length;
  }
  signal.throwIfAborted();
  return sizeBytes;
}

function badSnapshot(text: string): OperatingError {
  return new OperatingError('cluster/bad-snapshot', `Cannot use a snapshot: ${text}`);
}

function stalled(stallMs: number): OperatingError {
  return new OperatingError('consensus/connection-lost', `nothing came for ${stallMs} ms`, { outcome: 'unknown' });
}
