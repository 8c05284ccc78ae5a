/**
 * Lists that several callers read at the same time, or soon after one another, while nothing changes: made once, sent to all. Each
 * reader goes at its own speed. What it reads is one moment of the pinset, which is not older than its request; only a reader that falls
 * far behind the others goes on with a list of its own, of a later moment, behind the last pin that it has got.
 */

/** Finished lines, as many as one write should have. */
export interface ListPart {
  readonly bytes: Uint8Array;
  readonly items: number;
  /** State key of the last pin that was looked at for it. */
  readonly last: string;
}

/** Where a list begins, and what ends it. */
export interface ListPlace {
  readonly signal: AbortSignal;
  /** State key of the last pin before it. */
  readonly after?: string;
}

/** Makes a list, in the order of the state keys. */
export type ListSource = (place: ListPlace) => AsyncIterable<ListPart>;

/** Bounds in bytes of finished lines, and how long a whole list is kept. */
export interface SharedListsOptions {
  /** A list that grows longer gets no more readers, and does not keep its beginning. Default 32 MiB: some 100,000 pins. */
  readonly keptBytesMax?: number;
  /** Then its readers may be so far apart; of several such lists each has its share of it. Default 8 MiB. */
  readonly apartBytesMax?: number;
  /** Milliseconds after its last reader has left. Default 10,000. */
  readonly idleMs?: number;
}

export class SharedLists {
  readonly #options: Required<SharedListsOptions>;
  /** The only one that more readers can join. */
  #joinable: SharedList | undefined;
  /** Those that nobody can join any more, while they are read. */
  readonly #closed = new Set<SharedList>();

  constructor({ keptBytesMax = 33_554_432, apartBytesMax = 8_388_608, idleMs = 10_000 }: SharedListsOptions = {}) {
    this.#options = { keptBytesMax, apartBytesMax, idleMs };
  }

  /**
   * @param name what is listed
   * @param revision of what it is made of; lists of one revision are the same
   */
  read(name: string, revision: object, source: ListSource, signal: AbortSignal): AsyncIterable<ListPart> {
    let list = this.#joinable;
    if (list === undefined || list.name !== name || list.revision !== revision) {
      const made = new SharedList(name, revision, source, this.#options, this.#closed, () => {
        if (this.#joinable === made) this.#joinable = undefined;
      });
      list?.close();
      list = made;
      this.#joinable = made;
    }
    return list.read(signal);
  }
}

interface Reader {
  /** Number of its next part. */
  at: number;
  last: string | undefined;
}

class SharedList {
  readonly name: string;
  readonly revision: object;
  readonly #source: ListSource;
  readonly #options: Required<SharedListsOptions>;
  /** Whose room for readers that are apart is shared. */
  readonly #closed: Set<SharedList>;
  /** Nobody may join any more. */
  readonly #onClosed: () => void;
  readonly #abort = new AbortController();
  readonly #walk: AsyncIterator<ListPart>;
  readonly #readers = new Set<Reader>();
  /** From part number `#first` on. */
  #parts: ListPart[] = [];
  #first = 0;
  #keptBytes = 0;
  #isClosed = false;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #coming: Promise<void> | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(
    name: string,
    revision: object,
    source: ListSource,
    options: Required<SharedListsOptions>,
    closed: Set<SharedList>,
    onClosed: () => void,
  ) {
    this.name = name;
    this.revision = revision;
    this.#source = source;
    this.#options = options;
    this.#closed = closed;
    this.#onClosed = onClosed;
    this.#walk = source({ signal: this.#abort.signal })[Symbol.asyncIterator]();
  }

  async *read(signal: AbortSignal): AsyncGenerator<ListPart, void, undefined> {
    const reader: Reader = { at: 0, last: undefined };
    this.#readers.add(reader);
    clearTimeout(this.#idle);
    try {
      while (reader.at >= this.#first) {
        const part = this.#parts[reader.at - this.#first];
        if (part !== undefined) {
          reader.at += 1;
          reader.last = part.last;
          if (this.#isClosed) this.#letGo();
          yield part;
        } else if (this.#hasEnded) {
          if (this.#failure !== undefined) throw this.#failure.error;
          return;
        } else {
          this.#coming ??= this.#more();
          await this.#coming;
          signal.throwIfAborted();
        }
      }
    } finally {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.#onUnread();
    }
    yield* this.#source({ signal, ...(reader.last === undefined ? {} : { after: reader.last }) });
  }

  /** For those that read it now, it goes on. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#idle);
    this.#onClosed();
    if (this.#readers.size > 0) this.#closed.add(this);
    // Each has less room now. Some do not read on, and would not come to it by themselves.
    for (const list of this.#closed) list.#letGo();
    this.#letGo();
  }

  /** Never rejects. */
  async #more(): Promise<void> {
    try {
      const { done, value } = await this.#walk.next();
      if (done === true) this.#hasEnded = true;
      else this.#keep(value);
    } catch (error) {
      this.#hasEnded = true;
      this.#failure = { error };
      this.close();
    } finally {
      this.#coming = undefined;
    }
  }

  #keep(part: ListPart): void {
    this.#parts.push(part);
    this.#keptBytes += part.bytes.length;
    if (this.#keptBytes > this.#options.keptBytesMax) this.close();
    if (this.#isClosed) this.#letGo();
  }

  /** What all have read, and what those have not that are too far behind. */
  #letGo(): void {
    const apartBytesMax = this.#options.apartBytesMax / Math.max(1, this.#closed.size);
    let slowest = this.#first + this.#parts.length;
    for (const { at } of this.#readers) slowest = Math.min(slowest, at);
    let count = 0;
    for (const { bytes } of this.#parts) {
      const isUnread = this.#first + count >= slowest;
      // The newest one is what the readers have waited for.
      if (isUnread && (this.#keptBytes <= apartBytesMax || count === this.#parts.length - 1)) break;
      this.#keptBytes -= bytes.length;
      count += 1;
    }
    this.#parts.splice(0, count);
    this.#first += count;
  }

  #onUnread(): void {
    this.#closed.delete(this);
    if (this.#hasEnded && !this.#isClosed) {
      this.#idle = setTimeout(() => this.close(), this.#options.idleMs).unref();
      return;
    }
    this.close();
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#abort.abort();
    // Nobody wants the rest of it, nor how it ends.
    this.#walk.return?.().catch(() => undefined);
  }
}
