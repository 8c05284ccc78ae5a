/** Long work in small pieces: other work gets its turn when the budget of this one is used up. */

const turnBudgetMs = 5;

export class Pacer {
  #turnBeganAt = performance.now();

  /** Whether it is time to `yield`. */
  get isDue(): boolean {
    return performance.now() - this.#turnBeganAt > turnBudgetMs;
  }

  async yield(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#turnBeganAt = performance.now();
  }
}
