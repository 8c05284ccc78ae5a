/** Lets virtual time pass while somebody waits for something, and stand still otherwise. */
import type { Scheduler } from '../sim/index.ts';

export class Runner {
  readonly #scheduler: Scheduler;
  /** Those who wait; told when the simulation itself has failed. */
  readonly #waiting = new Set<(error: unknown) => void>();
  #isRunning = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Does it, and lets time pass until it has ended. `lives`: ends it as well, for who is not there any more. */
  drive<T>(act: () => Promise<T>, lives?: Set<(error: unknown) => void>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(fail);
        lives?.delete(fail);
      };
      const fail = (error: unknown): void => {
        end();
        reject(error);
      };
      this.#waiting.add(fail);
      lives?.add(fail);
      act().then((value) => {
        end();
        resolve(value);
      }, fail);
      this.#run();
    });
  }

  advance(ms: number): Promise<void> {
    return this.drive(() => new Promise((resolve) => this.#scheduler.after(ms, resolve)));
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#scheduler
      .run(() => this.#waiting.size === 0)
      .catch((error: unknown) => {
        for (const fail of [...this.#waiting]) fail(error);
      })
      .finally(() => {
        this.#isRunning = false;
      });
  }
}
