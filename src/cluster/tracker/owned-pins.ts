/**
 * The CIDs that the cluster has put on this IPFS node, kept on disk under their state keys.
 *
 * The pinset alone cannot tell which pins of the node are left over from removed or moved pins, and which were made by
 * someone else and must stay. A CID is recorded before it is pinned and forgotten after it was unpinned, so whatever is
 * recorded but not in the pinset is still to be unpinned, also after a crash between the two.
 *
 * Writes are joined: what comes while one is running, or shortly after one has begun, goes into the next. A write for each pin that is
 * agreed on would cost more processor time than its pin on IPFS. They are not synced: a power cut loses some of the
 * newest records. Those of pins still in the pinset are made again by the next reconciliation; one that comes back after it was
 * forgotten means that something is unpinned once more.
 */
import { type Clock, errorMessage, noBytes, utf8Encode } from '../../base/index.ts';
import type { Datastore, DatastoreOp } from '../ports.ts';

const pageSize = 1000;
/** A pin waits for its record at most this long behind the one before; alone it does not wait. */
const groupDefaultMs = 100;
/** Records that are written without waiting for more. */
const groupMax = 1000;

export interface OwnedPinsDeps {
  /** For the record alone: it takes one batch at a time. */
  readonly store: Datastore;
  readonly clock: Clock;
  /** These keys are not recorded, though they were to be. */
  readonly onError: (error: unknown, unrecorded: readonly string[]) => void;
  /** Least time between the beginnings of two writes. Default 100 ms. */
  readonly groupMs?: number | undefined;
}

export class OwnedPins {
  readonly #deps: OwnedPinsDeps;
  readonly #groupMs: number;
  /** Not written yet; `true` is recorded, `false` is forgotten. */
  #pending = new Map<string, boolean>();
  #writing = new Map<string, boolean>();
  #current: Promise<string> = Promise.resolve('');
  #next: Promise<string> | undefined;
  #lastBeganMs = Number.NEGATIVE_INFINITY;
  /** Somebody waits for all that is there. */
  #isHurried = false;
  /** Begins the next write at once, while one waits for more to come. */
  #hurry: (() => void) | undefined;

  constructor(deps: OwnedPinsDeps) {
    this.#deps = deps;
    this.#groupMs = deps.groupMs ?? groupDefaultMs;
  }

  has(key: string): boolean {
    return this.#pending.get(key) ?? this.#writing.get(key) ?? this.#deps.store.get(utf8Encode(key)) !== undefined;
  }

  /** Resolves when it is written, anew if it was recorded already: to an empty text, or to why it could not be. Never rejects. */
  add(key: string): Promise<string> {
    return this.#write(key, true);
  }

  /** Resolves as `add` does when what was recorded of the key last is written; `undefined`: nothing is being written of it. */
  written(key: string): Promise<string> | undefined {
    if (this.#pending.has(key)) return this.#next;
    return this.#writing.has(key) ? this.#current : undefined;
  }

  remove(key: string): void {
    if (this.has(key)) void this.#write(key, false);
  }

  /** Resolves when everything so far is written. */
  async flushed(): Promise<void> {
    this.#isHurried ||= this.#next !== undefined;
    this.#hurry?.();
    await (this.#next ?? this.#current);
  }

  /** All recorded keys in ascending order, from one snapshot. */
  async *pages(signal: AbortSignal): AsyncGenerator<readonly string[], void> {
    await this.flushed();
    const range = { start: noBytes, end: Uint8Array.of(0x7f) };
    for await (const page of this.#deps.store.scanText(range, { pageSize, signal })) yield page.map(([key]) => key);
  }

  #write(key: string, isOwned: boolean): Promise<string> {
    this.#pending.set(key, isOwned);
    this.#next ??= this.#writeSoon();
    if (this.#pending.size >= groupMax) this.#hurry?.();
    return this.#next;
  }

  async #writeSoon(): Promise<string> {
    await this.#current;
    await this.#groupTime();
    return await this.#writePending();
  }

  /** Until there may be a next write; at once when the last one was long ago. */
  #groupTime(): Promise<void> | undefined {
    const waitMs = this.#lastBeganMs + this.#groupMs - this.#deps.clock.now();
    if (waitMs <= 0 || this.#isHurried || this.#pending.size >= groupMax) return undefined;
    return new Promise((resolve) => {
      const go = (): void => {
        cancel();
        this.#hurry = undefined;
        resolve();
      };
      const cancel = this.#deps.clock.after(waitMs, go);
      this.#hurry = go;
    });
  }

  async #writePending(): Promise<string> {
    this.#current = this.#next ?? this.#current;
    this.#next = undefined;
    this.#isHurried = false;
    this.#lastBeganMs = this.#deps.clock.now();
    this.#writing = this.#pending;
    this.#pending = new Map();
    const ops: DatastoreOp[] = [];
    for (const [key, isOwned] of this.#writing) {
      const bytes = utf8Encode(key);
      ops.push(isOwned ? { type: 'put', key: bytes, value: noBytes } : { type: 'del', key: bytes });
    }
    let trouble = '';
    try {
      await this.#deps.store.batch(ops, { durable: false });
    } catch (error) {
      trouble = errorMessage(error) || 'unknown error';
      const unrecorded = [...this.#writing].flatMap(([key, isOwned]) => (isOwned ? key : []));
      this.#deps.onError(error, unrecorded);
    }
    this.#writing = new Map();
    return trouble;
  }
}
