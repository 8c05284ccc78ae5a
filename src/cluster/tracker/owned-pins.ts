/**
 * The CIDs that the cluster has put on this IPFS node, kept on disk under their state keys.
 *
 * The pinset alone cannot tell which pins of the node are left over from removed or moved pins, and which were made by
 * someone else and must stay. A CID is recorded before it is pinned and forgotten after it was unpinned, so whatever is
 * recorded but not in the pinset is still to be unpinned, also after a crash between the two.
 *
 * Writes are joined: what comes while one is running goes into the next. They are not synced: a power cut loses some of the
 * newest records. Those of pins still in the pinset are made again by the next reconciliation; one that comes back after it was
 * forgotten means that something is unpinned once more.
 */
import { noBytes, utf8Decode, utf8Encode } from '../../base/index.ts';
import type { Datastore, DatastoreOp } from '../ports.ts';

const pageSize = 1000;

export class OwnedPins {
  readonly #store: Datastore;
  readonly #onError: (error: unknown) => void;
  /** Not written yet; `true` is recorded, `false` is forgotten. */
  #pending = new Map<string, boolean>();
  #writing = new Map<string, boolean>();
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  /** The store must be used by nobody else: it takes one batch at a time. */
  constructor(store: Datastore, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  has(key: string): boolean {
    return this.#pending.get(key) ?? this.#writing.get(key) ?? this.#store.get(utf8Encode(key)) !== undefined;
  }

  /**
   * Resolves when it is written, anew if it was recorded already. Never rejects: a failed write is reported, and the pin is
   * more important.
   */
  add(key: string): Promise<void> {
    return this.#write(key, true);
  }

  remove(key: string): void {
    if (this.has(key)) void this.#write(key, false);
  }

  /** Resolves when everything so far is written. */
  flushed(): Promise<void> {
    return this.#next ?? this.#current;
  }

  /** All recorded keys in ascending order, from one snapshot. */
  async *pages(signal: AbortSignal): AsyncGenerator<readonly string[], void> {
    await this.flushed();
    const range = { start: noBytes, end: Uint8Array.of(0xff) };
    for await (const page of this.#store.scan(range, { pageSize, signal })) yield page.map(([key]) => utf8Decode(key));
  }

  #write(key: string, isOwned: boolean): Promise<void> {
    this.#pending.set(key, isOwned);
    this.#next ??= this.#current.then(() => this.#writePending());
    return this.#next;
  }

  async #writePending(): Promise<void> {
    this.#current = this.#next ?? this.#current;
    this.#next = undefined;
    this.#writing = this.#pending;
    this.#pending = new Map();
    const ops: DatastoreOp[] = [];
    for (const [key, isOwned] of this.#writing) {
      const bytes = utf8Encode(key);
      ops.push(isOwned ? { type: 'put', key: bytes, value: noBytes } : { type: 'del', key: bytes });
    }
    try {
      await this.#store.batch(ops, { durable: false });
    } catch (error) {
      this.#onError(error);
    }
    this.#writing = new Map();
  }
}
