/**
 * A `Datastore` whose batches that need not be durable are done at once: they are kept in memory, and written while others come,
 * all that waits as one batch. Nobody waits for the thread that writes them, and many small batches become few.
 *
 * When the process ends, what was not written is lost, also without a power cut. Whoever uses it makes that again from elsewhere.
 */
import { assert } from '../../base/index.ts';
import type { Datastore, DatastoreEntry, DatastoreOp, KeyRange } from '../../cluster/ports.ts';

/** More bytes than these do not wait in memory: `batch` waits instead. */
const waitingBytesMax = 4 << 20;

/** Over a store that nobody else writes to. A write that fails is told by everything after it but `get`. */
export function writeBehindDatastore(store: Datastore): Datastore {
  return new WriteBehindDatastore(store);
}

/** The last one of each key. */
type Waiting = Map<string, DatastoreOp>;

class WriteBehindDatastore implements Datastore {
  readonly #store: Datastore;
  #waiting: Waiting = new Map();
  #waitingBytes = 0;
  #isBusy = false;
  #writing: Waiting = new Map();
  #current: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(store: Datastore) {
    this.#store = store;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#waiting.size === 0 && this.#writing.size === 0) return this.#store.get(key);
    const text = textOf(key);
    const op = this.#waiting.get(text) ?? this.#writing.get(text);
    if (op === undefined) return this.#store.get(key);
    return op.type === 'put' ? op.value : undefined;
  }

  async batch(ops: readonly DatastoreOp[], { durable }: { readonly durable: boolean }): Promise<void> {
    assert(!this.#isBusy, 'one batch is in flight at a time');
    this.#isBusy = true;
    try {
      if (durable) {
        await this.#written();
        await this.#store.batch(ops, { durable });
        return;
      }
      this.#check();
      for (const op of ops) {
        this.#waiting.set(textOf(op.key), op);
        this.#waitingBytes += op.key.length + (op.type === 'put' ? op.value.length : 0);
      }
      this.#current ??= this.#writeAll();
      await (this.#waitingBytes > waitingBytesMax ? this.#written() : undefined);
    } finally {
      this.#isBusy = false;
    }
  }

  async *scan(
    range: KeyRange,
    options?: { readonly pageSize?: number; readonly signal?: AbortSignal },
  ): AsyncGenerator<DatastoreEntry[], void, undefined> {
    await this.#written();
    yield* this.#store.scan(range, options);
  }

  async close(): Promise<void> {
    await this.#current;
    await this.#store.close();
  }

  async #written(): Promise<void> {
    await this.#current;
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Until nothing waits any more. Never rejects. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.size > 0 && this.#failure === undefined) {
      this.#writing = this.#waiting;
      this.#waiting = new Map();
      this.#waitingBytes = 0;
      try {
        await this.#store.batch([...this.#writing.values()], { durable: false });
        this.#writing = new Map();
      } catch (error) {
        this.#failure = { error };
      }
    }
    this.#current = undefined;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}
