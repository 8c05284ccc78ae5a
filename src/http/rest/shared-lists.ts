/**
 * One walk for all who ask for the same list at the same time. What the walk has read is kept for a while, as the bytes of its lines:
 * who comes before the beginning is gone begins there, and all go on together, at the pace of the quickest. Who falls behind what is
 * kept goes on by himself, behind the last line he was given.
 *
 * Only a walk over a pinset that has not changed since is joined, so a list has everything that was there when it was asked for.
 * Lines come in key order, each once, whoever walks.
 */

/** Some lines of a list. */
export interface ListChunk {
  /** Never changed. */
  readonly bytes: Uint8Array;
  /** Lines in it, at least one. */
  readonly items: number;
  /** State key of the last one. */
  readonly last: Uint8Array;
}

/** Which list it is. */
export interface SharedListOptions {
  /** Equal for lists with the same lines, but for changes of the pinset. */
  readonly name: string;
  /** Grows with each change of the pinset. Asked when the list begins. */
  readonly version: () => number;
  /** A walk from behind this state key, or from the beginning. */
  readonly walk: (after: Uint8Array | undefined) => AsyncGenerator<ListChunk, void>;
}

/** Bytes that one walk keeps. */
const keptBytesMax = 4 * 1024 * 1024;
/** Walks that can be joined or keep anything; when more begin, the oldest has to do without. */
const walksMax = 4;

export class SharedLists {
  readonly #keptBytesMax: number;
  /** Oldest first. */
  readonly #walks = new Set<Walk>();

  constructor(options: { readonly keptBytesMax?: number } = {}) {
    this.#keptBytesMax = options.keptBytesMax ?? keptBytesMax;
  }

  /** The whole list. Ends with what its walk throws. */
  async *read(options: SharedListOptions): AsyncGenerator<ListChunk, void> {
    const walk = this.#join(options);
    const reader: Reader = { at: 0 };
    walk.readers.add(reader);
    let last: Uint8Array | undefined;
    try {
      for (;;) {
        const chunk = await walk.chunk(reader.at);
        if (chunk === 'end') return;
        if (chunk === 'gone') break;
        reader.at += 1;
        last = chunk.last;
        yield chunk;
      }
    } finally {
      walk.readers.delete(reader);
      if (walk.readers.size === 0) {
        this.#walks.delete(walk);
        await walk.close();
      }
    }
    yield* options.walk(last);
  }

  #join({ name, version: versionNow, walk: open }: SharedListOptions): Walk {
    const version = versionNow();
    for (const walk of this.#walks) {
      if (walk.hasBeginning && walk.name === name && walk.version === version) return walk;
    }
    const walk = new Walk(name, version, open(undefined), this.#keptBytesMax);
    this.#walks.add(walk);
    for (const oldest of this.#walks) {
      if (this.#walks.size <= walksMax) break;
      this.#walks.delete(oldest);
      oldest.forget();
    }
    return walk;
  }
}

interface Reader {
  /** Number of its next chunk. */
  at: number;
}

class Walk {
  readonly name: string;
  readonly version: number;
  readonly readers: Set<Reader> = new Set();
  readonly #chunks: AsyncGenerator<ListChunk, void>;
  #keptBytesMax: number;
  #kept: ListChunk[] = [];
  #keptBytes = 0;
  /** Number of the first one that is kept. */
  #first = 0;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #loading: Promise<void> | undefined;

  constructor(name: string, version: number, chunks: AsyncGenerator<ListChunk, void>, keptBytesMax: number) {
    this.name = name;
    this.version = version;
    this.#chunks = chunks;
    this.#keptBytesMax = keptBytesMax;
  }

  get hasBeginning(): boolean {
    return this.#first === 0 && this.#failure === undefined;
  }

  /** The chunk of this number, which is at most the next one to be read. Throws what the walk has ended with. */
  async chunk(at: number): Promise<ListChunk | 'end' | 'gone'> {
    while (at === this.#first + this.#kept.length && !this.#isEnded) {
      this.#loading ??= this.#load();
      await this.#loading;
    }
    if (at < this.#first) return 'gone';
    const chunk = this.#kept[at - this.#first];
    if (chunk !== undefined) return chunk;
    if (this.#failure !== undefined) throw this.#failure.error;
    return 'end';
  }

  /** Keeps nothing from now on but the newest chunk. */
  forget(): void {
    this.#keptBytesMax = 0;
    this.#drop();
  }

  async close(): Promise<void> {
    await this.#chunks.return();
  }

  /** Never rejects. */
  async #load(): Promise<void> {
    try {
      const { value } = await this.#chunks.next();
      if (value === undefined) this.#isEnded = true;
      else {
        this.#kept.push(value);
        this.#keptBytes += value.bytes.length;
        this.#drop();
      }
    } catch (error) {
      this.#failure = { error };
      this.#isEnded = true;
    } finally {
      this.#loading = undefined;
    }
  }

  #drop(): void {
    let next = this.#first;
    while (this.#keptBytes > this.#keptBytesMax && next < this.#first + this.#kept.length - 1) this.#count(next++);
    // Nobody can begin any more: what all have is of no use.
    if (next > 0) {
      const slowest = Math.min(...Array.from(this.readers, ({ at }) => at), this.#first + this.#kept.length);
      while (next < slowest) this.#count(next++);
    }
    if (next === this.#first) return;
    this.#kept = this.#kept.slice(next - this.#first);
    this.#first = next;
  }

  #count(number: number): void {
    this.#keptBytes -= this.#kept[number - this.#first]?.bytes.length ?? 0;
  }
}
