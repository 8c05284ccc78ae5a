/** Walks along ascending keys that come in pages, for merging them with another ascending row. */
export class KeyCursor {
  readonly #pages: AsyncIterator<readonly string[]>;
  #page: readonly string[] = [];
  #at = 0;
  #isEnded = false;

  constructor(pages: AsyncIterable<readonly string[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  /** The key at the cursor; `undefined` at the end of a page (then `load` gets the next one) and at the very end. */
  get key(): string | undefined {
    return this.#page[this.#at];
  }

  /** A page has to be loaded before `key` says anything. Lets the caller wait only once per page. */
  get mustLoad(): boolean {
    return !this.#isEnded && this.#at >= this.#page.length;
  }

  advance(): void {
    this.#at += 1;
  }

  async load(): Promise<void> {
    while (this.mustLoad) {
      const { done, value } = await this.#pages.next();
      this.#at = 0;
      this.#page = done === true ? [] : value;
      this.#isEnded = done === true;
    }
  }

  async close(): Promise<void> {
    await this.#pages.return?.();
  }
}
