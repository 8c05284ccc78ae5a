/** A limit of time on the whole of a request, for those that hold a place that others wait for: pieces that trickle in do not extend it. */
import type { Cancel, Clock } from '../../base/index.ts';
import { formatGoDuration } from '../../model/index.ts';
import { ipfsFailure } from './errors.ts';

export class Limit {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #limitMs: number;
  /** Aborted with `outer`, and when the time is over. */
  readonly signal: AbortSignal;

  constructor(clock: Clock, limitMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.signal = AbortSignal.any([outer, this.#controller.signal]);
  }

  /** What the act gives. **Errors**: its own; `ipfs/timeout` when the time was over first. */
  async around<T>(path: string, act: () => Promise<T>): Promise<T> {
    const cancel: Cancel = this.#clock.after(this.#limitMs, () => this.#controller.abort());
    try {
      return await act();
    } catch (error) {
      if (!this.#controller.signal.aborted) throw error;
      const text = `No whole answer of IPFS to "${path}" within ${formatGoDuration(this.#limitMs)}`;
      throw ipfsFailure('ipfs/timeout', text, { cause: error, outcome: 'unknown' });
    } finally {
      cancel();
    }
  }
}
