/**
 * One peer's statuses, walked in state-key order.
 *
 * Our own peers answer in that order. A Go peer keeps its pins in an unordered map, so its rows are collected and sorted
 * first, up to a bound. Either way a peer that says nothing for too long has failed: what it did not say is missing,
 * and everyone else goes on.
 */
import { type Clock, errorCode, errorMessage, OperatingError } from '../base/index.ts';
import { type PeerId, type PinInfo, stateKey } from '../model/index.ts';

/** Rows of an unordered peer that are held at once. */
const collectedMax = 500_000;
/** Grain of the watch over silent peers. */
const watchIntervalMs = 500;

export interface PeerRowsOptions {
  readonly peer: PeerId;
  readonly isOrdered: boolean;
  /** Silence after which the peer has failed. Time in which nobody asks does not count. */
  readonly silenceMs: number;
  readonly clock: Clock;
  /** Begins the answer; ended through the signal. */
  readonly open: (signal: AbortSignal) => AsyncIterable<PinInfo>;
  readonly signal?: AbortSignal | undefined;
}

export class PeerRows {
  readonly peer: PeerId;
  readonly #options: PeerRowsOptions;
  readonly #abort = new AbortController();
  readonly #onOuterAbort = (): void => this.#abort.abort();
  #rows: AsyncIterator<PinInfo> | Iterator<PinInfo>;
  #waitingSinceMs: number | undefined;
  #cancelWatch: () => void = () => {};
  #isTimedOut = false;
  /** The row at the cursor; `undefined` before the first `advance` and at the end. */
  row: PinInfo | undefined;
  /** Its state key; greater than every key at the end. */
  key = '';
  /** Why the peer's answer ended early; empty when it did not. */
  failure = '';
  /** The peer does not let us ask: it is left out without a word, as the reference does. */
  isUnauthorized = false;

  constructor(options: PeerRowsOptions) {
    this.peer = options.peer;
    this.#options = options;
    options.signal?.addEventListener('abort', this.#onOuterAbort, { once: true });
    if (options.signal?.aborted === true) this.#abort.abort();
    this.#rows = options.open(this.#abort.signal)[Symbol.asyncIterator]();
    this.#watch();
  }

  /** Moves to the next row. Never rejects. */
  async advance(): Promise<void> {
    if (this.failure !== '' || this.key === endKey) return;
    try {
      if (this.key === '' && !this.#options.isOrdered) this.#rows = (await this.#collect()).values();
      this.#waitingSinceMs = this.#options.clock.now();
      const { done, value } = await this.#rows.next();
      this.row = done === true ? undefined : value;
      this.key = this.row === undefined ? endKey : stateKey(this.row.cid);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#waitingSinceMs = undefined;
    }
  }

  async close(): Promise<void> {
    this.#cancelWatch();
    this.#options.signal?.removeEventListener('abort', this.#onOuterAbort);
    this.#abort.abort();
    try {
      await this.#rows.return?.();
    } catch {
      // Nobody wants the rest of the answer, nor how it ends.
    }
  }

  async #collect(): Promise<PinInfo[]> {
    const rows: PinInfo[] = [];
    for (;;) {
      this.#waitingSinceMs = this.#options.clock.now();
      const { done, value } = await this.#rows.next();
      if (done === true) break;
      rows.push(value);
      if (rows.length <= collectedMax) continue;
      const text = `peer lists more than ${collectedMax} pins, and not in order`;
      throw new OperatingError('cluster/too-many-rows', text);
    }
    const keys = new Map(rows.map((row) => [row, stateKey(row.cid)]));
    return rows.sort((a, b) => ((keys.get(a) ?? '') < (keys.get(b) ?? '') ? -1 : 1));
  }

  #fail(error: unknown): void {
    this.isUnauthorized = errorCode(error) === 'rpc/authorization';
    this.failure = this.#isTimedOut ? `no answer within ${this.#options.silenceMs / 1000}s` : errorMessage(error);
    this.row = undefined;
    this.key = endKey;
  }

  #watch(): void {
    this.#cancelWatch = this.#options.clock.after(watchIntervalMs, () => {
      const sinceMs = this.#waitingSinceMs;
      if (sinceMs === undefined || this.#options.clock.now() - sinceMs < this.#options.silenceMs) return this.#watch();
      this.#isTimedOut = true;
      this.#abort.abort();
    });
  }
}

/** Greater than every state key, which is made of upper-case letters and digits. */
export const endKey = '~';
