/**
 * One peer's answer, row by row, as it comes in pages. A peer that says nothing for too long has failed: what it did not say is
 * missing, and everyone else goes on.
 */
import { type Clock, errorCode, errorMessage } from '../base/index.ts';
import type { PeerId } from '../model/index.ts';

/** Grain of the watch over silent peers. */
const watchIntervalMs = 500;

export interface PeerPagesOptions<Row> {
  readonly peer: PeerId;
  /** Silence after which the peer has failed. Time in which nobody asks does not count. */
  readonly silenceMs: number;
  readonly clock: Clock;
  /** Begins the answer; ended through the signal. `onHeard` tells of what has come while the page is not complete. */
  readonly open: (signal: AbortSignal, onHeard: () => void) => AsyncIterable<readonly Row[]>;
  readonly signal?: AbortSignal | undefined;
}

export class PeerPages<Row> {
  readonly peer: PeerId;
  readonly #options: PeerPagesOptions<Row>;
  readonly #abort = new AbortController();
  readonly #onOuterAbort = (): void => this.#abort.abort();
  readonly #pages: AsyncIterator<readonly Row[]>;
  #page: readonly Row[] = [];
  #at = 0;
  #isEnded = false;
  #waitingSinceMs: number | undefined;
  #cancelWatch: () => void = () => {};
  #isTimedOut = false;
  /** Why the peer's answer ended early; empty when it did not. */
  failure = '';
  /** The peer does not let us ask: it is left out without a word, as the reference does. */
  isUnauthorized = false;

  constructor(options: PeerPagesOptions<Row>) {
    const { peer, signal, clock, open } = options;
    this.peer = peer;
    this.#options = options;
    signal?.addEventListener('abort', this.#onOuterAbort, { once: true });
    if (signal?.aborted === true) this.#abort.abort();
    const onHeard = (): void => {
      if (this.#waitingSinceMs !== undefined) this.#waitingSinceMs = clock.now();
    };
    this.#pages = open(this.#abort.signal, onHeard)[Symbol.asyncIterator]();
    this.#watch();
  }

  /** The row at the cursor; `undefined` at the end, and while `mustLoad`. */
  get row(): Row | undefined {
    return this.#page[this.#at];
  }

  /** A page has to be loaded before `row` says anything. */
  get mustLoad(): boolean {
    return !this.#isEnded && this.#at >= this.#page.length;
  }

  advance(): void {
    this.#at += 1;
  }

  /** Never rejects. */
  async load(): Promise<void> {
    try {
      while (this.mustLoad) {
        this.#waitingSinceMs = this.#options.clock.now();
        const { done, value } = await this.#pages.next();
        this.#at = 0;
        this.#page = done === true ? [] : value;
        this.#isEnded = done === true;
      }
    } catch (error) {
      this.isUnauthorized = errorCode(error) === 'rpc/authorization';
      this.failure = this.#isTimedOut ? `no answer within ${this.#options.silenceMs / 1000}s` : errorMessage(error);
      this.#page = [];
      this.#isEnded = true;
    } finally {
      this.#waitingSinceMs = undefined;
    }
  }

  async close(): Promise<void> {
    this.#cancelWatch();
    this.#options.signal?.removeEventListener('abort', this.#onOuterAbort);
    this.#abort.abort();
    try {
      await this.#pages.return?.();
    } catch {
      // Nobody wants the rest of the answer, nor how it ends.
    }
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
