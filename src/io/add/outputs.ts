/** What is told of an add on its way from whoever makes blocks to whoever reads: bounded, in order. */

/** Items that may wait for the reader. */
const waitingMax = 256;

export class Outputs<T> {
  #items: T[] = [];
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #onItem: () => void = () => {};
  #onRoom: () => void = () => {};
  #isClosed = false;

  /** Resolves when there is room for more, or when nobody reads any more. One caller at a time. */
  async push(item: T): Promise<void> {
    if (this.#isClosed) return;
    this.#items.push(item);
    this.#onItem();
    if (this.#items.length < waitingMax) return;
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
  }

  end(): void {
    this.#isEnded = true;
    this.#onItem();
  }

  /** What was pushed before is still given out. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.end();
  }

  /** The items as they come. Throws what `fail` was given. One reader. */
  async *items(): AsyncGenerator<T> {
    try {
      for (;;) {
        const items = this.#items;
        this.#items = [];
        this.#onRoom();
        yield* items;
        if (this.#items.length > 0) continue;
        if (this.#isEnded) break;
        await new Promise<void>((resolve) => {
          this.#onItem = resolve;
        });
      }
      if (this.#failure !== undefined) throw this.#failure.error;
    } finally {
      this.#isClosed = true;
      this.#items = [];
      this.#onRoom();
    }
  }
}
