/**
 * An index of the pinset, for searches. It is this peer's own, is made when somebody searches for the first time, and follows what is
 * applied from then on: until then a pin costs nothing here.
 *
 * How it knows that it is right: whenever it may not be (after a start, after the state was replaced, after more changes than it can
 * remember) it is compared with the pinset from end to end, pin by pin, both being in the order of state keys, and what differs is written.
 * To make it is to compare an empty one. Searches wait meanwhile; changes may come at any time in between, and are written by themselves.
 *
 * A crash or a power cut may take writes. An entry too many is harmless, since what is found is looked up in the pinset; one too few is
 * found by the comparison of the next start.
 */
import {
  bytesEqual,
  concatBytes,
  errorMessage,
  type Logger,
  noBytes,
  OperatingError,
  utf8Encode,
} from '../../base/index.ts';
import { type Cid, matchesSearch, type Pin, type PinSearch, type StoredPin, stateKey } from '../../model/index.ts';
import type { Datastore, DatastoreOp, Pinset, PinsetObserver, TextEntry } from '../ports.ts';
import {
  allKeys,
  beginningsOf,
  behind,
  entryOf,
  pinEntryKey,
  pinEntryRange,
  planOf,
  stateKeyOfEntry,
  version,
  versionKey,
} from './entries.ts';

export interface SearchIndexDeps {
  readonly pinset: Pinset;
  /** A store of its own; empty, or as this index has left it. */
  readonly openStore: () => Promise<Datastore>;
  readonly logger: Logger;
}

/** What a page is to have. */
export interface FoundOptions {
  readonly search: PinSearch;
  /** Further conditions. */
  readonly matches: (pin: StoredPin) => boolean;
  /** Pins at most. */
  readonly limit: number;
  /** Where the page before has ended. */
  readonly after: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Pins in the order of the index. */
export interface FoundPins {
  readonly pins: readonly StoredPin[];
  /** Where it ends; `undefined` when there is nothing behind. */
  readonly next: Uint8Array | undefined;
}

/** Pins that are compared or written in one go: less than 5 ms of work. */
const pinsAtOnce = 128;
/** Pins that are compared from one look: old looks keep a store from tidying up. */
const pinsOfStretch = 8192;
/** Changes that are remembered; when there are more, all pins are compared. */
const notedMax = 65_536;
/** Pins that are looked at for one page: whoever looks for what is rare among much gets short pages. */
export const candidatesMax = 2000;

interface Noted {
  readonly cid: Cid;
  readonly order: number;
}

interface Waiter {
  /** Everything that was noted before this is to be written. */
  readonly order: number;
  readonly done: PromiseWithResolvers<void>;
}

export class SearchIndex {
  /** To be told of what is applied. */
  readonly observer: PinsetObserver;
  readonly #deps: SearchIndexDeps;
  #store: Datastore | undefined;
  #isFollowing = false;
  #mustCompare = false;
  /** Changed and not written yet, in the order of the first change of each. */
  #noted = new Map<string, Noted>();
  /** State keys of what has changed since the look that a comparison is working on. */
  #changed: Set<string> | undefined;
  /** Numbers the changes. */
  #order = 0;
  #waiters: Waiter[] = [];
  #working: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(deps: SearchIndexDeps) {
    this.#deps = deps;
    const note = ({ cid }: Pin): void => {
      if (this.#isFollowing) this.#note(cid);
    };
    this.observer = { onPin: note, onUnpin: note, onReplaced: () => this.#doubt() };
  }

  /** A page. Shows everything that was applied before the call. Rejects with what the store does, and when the index was closed. */
  async find({ search, matches, limit, after, signal }: FoundOptions): Promise<FoundPins> {
    await this.#upToDate(signal);
    const store = this.#store;
    if (store === undefined) throw closed();
    const { range, stateKeyOf, isOf } = planOf(search);
    const start = after === undefined ? range.start : behind(after);
    const pins: StoredPin[] = [];
    let candidates = 0;
    const options = { pageSize: pinsAtOnce, ...(signal === undefined ? {} : { signal }) };
    for await (const entries of store.scan({ start, end: range.end }, options)) {
      for (const [key] of entries) {
        const pin = this.#deps.pinset.stored(stateKeyOf(key));
        if (pin !== undefined && isOf(key, pin) && matchesSearch(pin, search) && matches(pin)) pins.push(pin);
        candidates += 1;
        if (pins.length >= limit || candidates >= candidatesMax) return { pins, next: key };
      }
    }
    return { pins, next: undefined };
  }

  /** Resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#isFollowing = false;
    await this.#working;
    await this.#store?.close();
    this.#store = undefined;
  }

  // ------------------------------------------------------------------------------------------------ what is to be done

  #note(cid: Cid): void {
    this.#order += 1;
    this.#changed?.add(stateKey(cid));
    if (this.#noted.has(cid.key)) return;
    if (this.#noted.size >= notedMax) {
      this.#doubt();
      return;
    }
    this.#noted.set(cid.key, { cid, order: this.#order });
    this.#work();
  }

  #doubt(): void {
    if (!this.#isFollowing) return;
    this.#noted = new Map();
    this.#mustCompare = true;
    this.#work();
  }

  async #upToDate(signal: AbortSignal | undefined): Promise<void> {
    if (this.#closing.signal.aborted) throw closed();
    if (!this.#isFollowing) {
      // From now on: what changes while it is compared is noted.
      this.#isFollowing = true;
      this.#mustCompare = true;
    }
    if (this.#working === undefined && !this.#mustCompare) return;
    const done = Promise.withResolvers<void>();
    const waiter = { order: this.#order, done };
    const giveUp = (): void => done.reject(signal?.reason);
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted === true) giveUp();
    this.#waiters.push(waiter);
    this.#work();
    try {
      await done.promise;
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  /** Lets those go on whose changes are written. */
  #tell(): void {
    if (this.#isDisturbed || this.#waiters.length === 0) return;
    const [oldest] = this.#noted.values();
    const outstanding = oldest?.order ?? Number.POSITIVE_INFINITY;
    this.#waiters = this.#waiters.filter(({ order, done }) => {
      if (order >= outstanding) return true;
      done.resolve();
      return false;
    });
  }

  #work(): void {
    this.#working ??= this.#workAll().finally(() => {
      this.#working = undefined;
      // What has come since it looked for the last time.
      const isWanted = this.#mustCompare || this.#noted.size > 0 || this.#waiters.length > 0;
      if (isWanted && !this.#closing.signal.aborted) this.#work();
    });
  }

  /** One thing after the other: the store takes one batch at a time. Never rejects. */
  async #workAll(): Promise<void> {
    const { signal } = this.#closing;
    try {
      // What calls this may be in the middle of something.
      await null;
      this.#store ??= await this.#open();
      while (!signal.aborted) {
        if (this.#mustCompare) await this.#compareAll(this.#store);
        else if (this.#noted.size > 0) await this.#writeNoted(this.#store);
        else break;
        this.#tell();
      }
      this.#tell();
      if (signal.aborted) throw closed();
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  /** Whoever waits is told, and the next search begins anew. */
  async #giveUp(error: unknown): Promise<void> {
    const isClosed = this.#closing.signal.aborted;
    if (!isClosed)
      this.#deps.logger.warn('the index for searches is given up until the next search', {
        error: errorMessage(error),
      });
    this.#isFollowing = false;
    this.#mustCompare = false;
    this.#noted = new Map();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { done } of waiters) done.reject(isClosed ? closed() : error);
    if (isClosed) return;
    const store = this.#store;
    this.#store = undefined;
    try {
      await store?.close();
    } catch (failure) {
      this.#deps.logger.debug('closing the index for searches', { error: errorMessage(failure) });
    }
  }

  // ------------------------------------------------------------------------------------------------ writing

  async #open(): Promise<Datastore> {
    const store = await this.#deps.openStore();
    const found = store.get(versionKey);
    if (found !== undefined && bytesEqual(found, version)) return store;
    // Made by another version of this program, or nothing.
    for await (const entries of store.scan(allKeys, { keysOnly: true })) {
      await store.batch(
        entries.map(([key]) => ({ type: 'del', key })),
        { durable: false },
      );
    }
    await store.batch([{ type: 'put', key: versionKey, value: version }], { durable: false });
    return store;
  }

  async #writeNoted(store: Datastore): Promise<void> {
    const ops: DatastoreOp[] = [];
    let count = 0;
    for (const [id, { cid }] of this.#noted) {
      this.#noted.delete(id);
      const key = stateKey(cid);
      addChanges(ops, key, store.get(pinEntryKey(key)), this.#deps.pinset.stored(key));
      if (++count >= pinsAtOnce) break;
    }
    if (ops.length > 0) await store.batch(ops, { durable: false });
  }

  async #compareAll(store: Datastore): Promise<void> {
    const { pinset, logger } = this.#deps;
    const pins = pinset.count();
    this.#mustCompare = false;
    const progress: Progress = { after: undefined, ops: 0 };
    while (!(await this.#compareStretch(store, progress))) if (this.#isDisturbed) return;
    logger.info('the index for searches is complete', { pins, changed: progress.ops });
  }

  /** The index is not complete, or will not be any more. */
  get #isDisturbed(): boolean {
    return this.#mustCompare || this.#closing.signal.aborted;
  }

  /**
   * Some thousand pins, from one look at the pinset and one at the index. What changes behind that look is left to `#writeNoted`, before
   * or after. @returns whether these were the last
   */
  async #compareStretch(store: Datastore, progress: Progress): Promise<boolean> {
    const { after } = progress;
    const changed = new Set<string>();
    this.#changed = changed;
    const ops: DatastoreOp[] = [];
    const add = (key: string, before: Uint8Array | undefined, pin: StoredPin | undefined): void => {
      if (!changed.has(key)) addChanges(ops, key, before, pin);
    };
    const write = async (): Promise<void> => {
      progress.ops += ops.length;
      if (ops.length > 0) await store.batch(ops.splice(0), { durable: false });
      // What has changed meanwhile is not left to pile up.
      while (this.#noted.size > 0 && !this.#isDisturbed) await this.#writeNoted(store);
    };
    const entries = new EntryCursor(store.scanText(pinEntryRange(after), { pageSize: pinsAtOnce }));
    try {
      let count = 0;
      const place = after === undefined ? {} : { after };
      for await (const pins of this.#deps.pinset.storedPages({ pageSize: pinsAtOnce, ...place })) {
        for (const pin of pins) {
          for (;;) {
            if (entries.mustLoad) await entries.load();
            const { entry } = entries;
            const key = entry && stateKeyOfEntry(entry[0]);
            if (key !== undefined && key <= pin.key) entries.advance();
            if (key !== undefined && key < pin.key) add(key, entry?.[1], undefined);
            else {
              add(pin.key, key === pin.key ? entry?.[1] : undefined, pin);
              break;
            }
          }
        }
        await write();
        progress.after = pins.at(-1)?.key;
        count += pins.length;
        if (count >= pinsOfStretch || changed.size >= notedMax || this.#isDisturbed) return false;
      }
      for (await entries.load(); entries.entry !== undefined; await entries.load()) {
        for (let { entry } = entries; entry !== undefined; { entry } = entries) {
          add(stateKeyOfEntry(entry[0]), entry[1], undefined);
          entries.advance();
        }
        await write();
        if (this.#isDisturbed) return false;
      }
      return true;
    } finally {
      this.#changed = undefined;
      await entries.close();
    }
  }
}

/** How far a comparison is. */
interface Progress {
  /** State key of the last pin. */
  after: string | undefined;
  /** Written. */
  ops: number;
}

/** Walks along what the index has of each pin. */
class EntryCursor {
  readonly #pages: AsyncIterator<readonly TextEntry[]>;
  #page: readonly TextEntry[] = [];
  #at = 0;
  #isEnded = false;

  constructor(pages: AsyncIterable<readonly TextEntry[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  /** `undefined` at the end, and while `mustLoad`. */
  get entry(): TextEntry | undefined {
    return this.#page[this.#at];
  }

  /** A page has to be loaded before `entry` says anything. */
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

/** @param before what the index has of it @param pin what there is now */
function addChanges(ops: DatastoreOp[], key: string, before: Uint8Array | undefined, pin: StoredPin | undefined): void {
  const value = pin === undefined ? undefined : entryOf(pin);
  if (before === undefined ? value === undefined : value !== undefined && bytesEqual(before, value)) return;
  const end = utf8Encode(key);
  for (const bytes of before === undefined ? [] : beginningsOf(before)) {
    ops.push({ type: 'del', key: concatBytes([bytes, end]) });
  }
  // Behind what is removed: of two acts on a key the last counts.
  for (const bytes of value === undefined ? [] : beginningsOf(value)) {
    ops.push({ type: 'put', key: concatBytes([bytes, end]), value: noBytes });
  }
  const entryKey = pinEntryKey(key);
  ops.push(value === undefined ? { type: 'del', key: entryKey } : { type: 'put', key: entryKey, value });
}

function closed(): OperatingError {
  return new OperatingError('cluster/stopped', 'The peer is stopping: there are no searches any more');
}
