/** When joined writes leave. */

/**
 * Runs an act for all who ask for it in one turn of the event loop: for the first of them as soon as what it has set going has run, so
 * that nobody who is alone waits, and once more, for all others, when the loop has seen to every socket that was ready.
 */
export class OncePerTurn {
  readonly #act: () => void;
  readonly #first: (act: () => void) => void;
  #isAsked = false;
  #isWaiting = false;

  /** `first` says when it is early enough for the first. Default: the end of the present callback. */
  constructor(act: () => void, first: (act: () => void) => void = (early) => process.nextTick(early)) {
    this.#act = act;
    this.#first = first;
  }

  ask(): void {
    if (this.#isAsked) {
      this.#isWaiting = true;
      return;
    }
    this.#isAsked = true;
    this.#first(this.#act);
    setImmediate(() => {
      this.#isAsked = false;
      if (!this.#isWaiting) return;
      this.#isWaiting = false;
      this.#act();
    });
  }
}
