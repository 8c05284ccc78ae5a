/** Waiting for something that is looked at again whenever anything has changed. */
import type { Clock } from '../../base/index.ts';

export interface UntilOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Look again when this settles, beside the notifications. */
  readonly wake?: Promise<unknown>;
  /** Makes the error when the time is over. */
  readonly onTimeout: () => Error;
  readonly onAbort: () => Error;
}

/** Wakes those who wait. What they wait for is a function, asked at once and after each `notify`. */
export class Watch {
  readonly #clock: Clock;
  readonly #looks = new Set<() => void>();
  #closed: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  notify(): void {
    for (const look of [...this.#looks]) look();
  }

  /** Rejects all who wait, and who will. */
  close(error: Error): void {
    this.#closed ??= error;
    this.notify();
  }

  /** Resolves with the first result that is not `undefined`; rejects with what `check` throws. */
  until<T>(check: () => T | undefined, options: UntilOptions): Promise<T> {
    if (options.signal?.aborted === true) return Promise.reject(options.onAbort());
    try {
      // Most of what is waited for is there already: no timer then.
      const found = check();
      if (found !== undefined) return Promise.resolve(found);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#closed === undefined ? this.#wait(check, options) : Promise.reject(this.#closed);
  }

  #wait<T>(check: () => T | undefined, options: UntilOptions): Promise<T> {
    const { timeoutMs, signal, wake, onTimeout, onAbort } = options;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#looks.delete(look);
        cancel();
        signal?.removeEventListener('abort', abort);
      };
      const look = (): void => {
        if (!this.#looks.has(look)) return;
        try {
          const found = check();
          if (found === undefined && this.#closed === undefined) return;
          end();
          if (found === undefined) reject(this.#closed);
          else resolve(found);
        } catch (error) {
          end();
          reject(error);
        }
      };
      const abort = (): void => {
        end();
        reject(onAbort());
      };
      this.#looks.add(look);
      wake?.then(look, look);
      signal?.addEventListener('abort', abort, { once: true });
      const cancel = this.#clock.after(timeoutMs, () => {
        end();
        reject(onTimeout());
      });
    });
  }
}
