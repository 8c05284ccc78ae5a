/**
 * The agreed pinset over a `Datastore`: each batch of committed commands is one batch of the store, together with the index of
 * the last log entry in it. The batches are not durable, and an unclean end may take any of them, not only the last. So a start
 * goes on after the index of the last sync, not after the last batch that is there: the log's entries from there on are applied
 * again (`replay`), which leaves what they have left before, whichever of them were lost, since each replaces or removes a whole
 * pin. A restore fills a namespace beside the one in use and then changes over, in one batch.
 *
 * Beside the pins there are keys of those that expire, by time, in the same batches. They are made of the pins alone: snapshots do not
 * have them, a restore and a replay make them anew, the latter also at the first start of a version that has them.
 */
import {
  assert,
  compareBytes,
  copyBytes,
  errorMessage,
  type Logger,
  noBytes,
  OperatingError,
  utf8Decode,
  utf8Encode,
} from '../base/index.ts';
import {
  type Cid,
  cidOfStateKey,
  decodePin,
  encodePin,
  type Pin,
  type RaftCommand,
  StoredPin,
  stateKey,
  storedExpirySeconds,
  storedSeconds,
} from '../model/index.ts';
import { KindCounting, type PinChange, type PinKind } from './pin-kinds.ts';
import {
  cidOfPinKey,
  decodeIndex,
  decodeProgress,
  encodeIndex,
  encodeProgress,
  expiryKey,
  expiryKeys,
  expiryVersion,
  expiryVersionKey,
  type Namespace,
  noProgress,
  type Progress,
  pinKey,
  pinKeyOfStateKey,
  pinKeys,
  pinKeysBehind,
  progressKey,
  progressSizeBytes,
  readExpiryKey,
  restoredKey,
  stateKeyOfPinKey,
  stateKeyOfText,
  stateKeys,
  syncedKey,
} from './pinset-keys.ts';
import { ChunkWriter, readRecords } from './pinset-snapshot.ts';
import type {
  Datastore,
  DatastoreEntry,
  DatastoreOp,
  KeyRange,
  Pinset,
  PinsetObserver,
  StoredPagesOptions,
} from './ports.ts';

/** The pinset that consensus writes and everyone reads. `replay`, `apply`, `sync` and `restore` come one at a time. */
export interface PinsetState extends Pinset {
  /** Index of the last log entry whose effects are here. Reads after `apply` resolved see them. */
  readonly applied: number;
  /**
   * Up to this index the state is on disk. Opened with `synced < applied`, it may lack any of the batches in between: it is not
   * to be read or changed before `replay`.
   */
  readonly synced: number;
  /** Until `replay` nothing is to be applied: batches may be missing, or it was written before there were keys of expiry. */
  readonly mustReplay: boolean;
  /**
   * Applies the commands of the entries behind `synced` up to `applied` once more, counts the pins, and syncs. The observer is told
   * that the state was replaced. A rejection is a failure of the store; then it may be done again.
   */
  replay(commands: Iterable<RaftCommand>): Promise<void>;
  /** What came with the last `restore`; `undefined` when the log alone has made the state. */
  readonly restoredTag: Uint8Array | undefined;
  /**
   * Applies the commands up to log entry `index`, those of entries without a command being absent.
   * A failed pin has no effect on the others; a rejection is a failure of the store, and then nothing was applied.
   */
  apply(commands: readonly RaftCommand[], index: number): Promise<void>;
  /** @returns `synced`, which is then at least what `applied` was when it was called. */
  sync(): Promise<number>;
  /**
   * The whole state of one moment, in the bytes of the reference's snapshots, and the index it is of. The chunks can be read
   * once; until they are, or the reader leaves early, the store keeps what they are made of.
   */
  snapshot(): Promise<{ readonly applied: number; readonly chunks: AsyncGenerator<Uint8Array, void, undefined> }>;
  /**
   * Replaces the whole state by that of a snapshot, of which `applied` and `tag` are kept beside it. Durable when it resolves; a
   * crash leaves the old state or the new one. Of several records of one pin the last counts; a record whose key names no
   * CID is left out, as nobody can ask for it; a pin that cannot be read is kept as it is.
   * Rejects with `cluster/bad-snapshot`, with what `chunks` throws, or with a failure of the store, and has then changed nothing.
   */
  restore(
    chunks: AsyncIterable<Uint8Array>,
    kept: { readonly applied: number; readonly tag: Uint8Array },
  ): Promise<void>;
}

/** Who is told of changes. */
export interface PinsetDeps {
  readonly log: Logger;
  /**
   * Told of what an applied batch or a restore has changed, in log order, when readers can see it; of a replay only that there was
   * one.
   */
  readonly observer: PinsetObserver;
}

/** A batch of a restore is not longer: a store holds batches in memory. */
const batchOpsMax = 4096;
const batchBytesMax = 1_048_576;

/** Reads how far the store is. Throws `OperatingError` `cluster/damaged-state`. */
export function openPinset(store: Datastore, deps: PinsetDeps): PinsetState {
  return new StoredPinset(store, deps);
}

interface LiveKinds {
  readonly counting: KindCounting;
  /** Resolves when the pins that there were are counted, or when that is of no use any more. */
  readonly isCounted: Promise<void>;
}

class StoredPinset implements PinsetState {
  readonly #store: Datastore;
  readonly #log: Logger;
  readonly #observer: PinsetObserver;
  #progress: Progress;
  #synced: number;
  /** Nothing can have been lost from what is shown. */
  #isWhole: boolean;
  /** Those that expire have their keys, and the store says so. */
  #isIndexed: boolean;
  #restoredTag: Uint8Array | undefined;
  #revision = {};
  /** Since somebody has asked for kinds. Replaced with the state. */
  #kinds: LiveKinds | undefined;

  constructor(store: Datastore, { log, observer }: PinsetDeps) {
    this.#store = store;
    this.#log = log;
    this.#observer = observer;
    this.#progress = loadProgress(store);
    this.#synced = loadSynced(store, this.#progress);
    this.#isWhole = this.#synced === this.#progress.applied;
    this.#isIndexed = store.get(expiryVersionKey)?.[0] === expiryVersion;
    const tag = store.get(restoredKey);
    this.#restoredTag = tag && copyBytes(tag);
  }

  get applied(): number {
    return this.#progress.applied;
  }

  get synced(): number {
    return this.#synced;
  }

  get mustReplay(): boolean {
    return !this.#isWhole || (!this.#isIndexed && this.#progress.applied > 0);
  }

  get restoredTag(): Uint8Array | undefined {
    return this.#restoredTag;
  }

  get(cid: Cid): Pin | undefined {
    const value = this.#store.get(this.#key(cid));
    return value === undefined ? undefined : this.#decode(value, () => cid);
  }

  has(cid: Cid): boolean {
    return this.#store.get(this.#key(cid)) !== undefined;
  }

  count(): number {
    return this.#progress.count;
  }

  async kinds(): Promise<Iterable<readonly [PinKind, number]> | undefined> {
    for (;;) {
      const kinds = this.#kinds ?? this.#startCounting();
      await kinds.isCounted;
      if (this.#kinds !== kinds) continue;
      const { counts } = kinds.counting;
      return counts.isFull ? undefined : counts;
    }
  }

  async *pages(
    options: { readonly signal?: AbortSignal; readonly pageSize?: number } = {},
  ): AsyncGenerator<readonly Pin[], void, undefined> {
    const { namespace } = this.#progress;
    for await (const entries of this.#store.scanText(pinKeys[namespace], options)) {
      const pins: Pin[] = [];
      for (const [key, value] of entries) {
        const pin = this.#decode(value, () => cidOfStateKey(stateKeyOfText(namespace, key)));
        if (pin !== undefined) pins.push(pin);
      }
      if (pins.length > 0) yield pins;
    }
  }

  revision(): object {
    return this.#revision;
  }

  stored(key: string): StoredPin | undefined {
    const value = this.#store.get(pinKeyOfStateKey(this.#progress.namespace, utf8Encode(key)));
    return value === undefined ? undefined : this.#readable(() => new StoredPin(key, value));
  }

  async *storedPages({
    after,
    ...options
  }: StoredPagesOptions = {}): AsyncGenerator<readonly StoredPin[], void, undefined> {
    const { namespace } = this.#progress;
    for await (const entries of this.#store.scanText(pinKeysBehind(namespace, after), options)) {
      const pins: StoredPin[] = [];
      for (const [key, value] of entries) {
        const pin = this.#readable(() => new StoredPin(stateKeyOfText(namespace, key), value));
        if (pin !== undefined) pins.push(pin);
      }
      if (pins.length > 0) yield pins;
    }
  }

  async *expiring(
    options: { readonly signal?: AbortSignal; readonly pageSize?: number } = {},
  ): AsyncGenerator<readonly Pin[], void, undefined> {
    const { namespace } = this.#progress;
    for await (const entries of this.#store.scan(expiryKeys[namespace], options)) {
      const pins: Pin[] = [];
      for (const [entry] of entries) {
        const { key, seconds } = readExpiryKey(namespace, entry);
        const value = this.#store.get(key);
        const pin = value && this.#decode(value, () => cidOfPinKey(namespace, key));
        // It may have been written again since the scan began.
        if (pin !== undefined && storedSeconds(pin.expireAt) === seconds) pins.push(pin);
      }
      if (pins.length > 0) yield pins;
    }
  }

  async replay(commands: Iterable<RaftCommand>): Promise<void> {
    const batch = new BoundedBatch(this.#store);
    for (const command of commands) {
      const op = this.#operation(command);
      if (op !== undefined) batch.add(op);
      if (batch.isFull) await batch.write();
    }
    await batch.write();
    const { namespace, applied } = this.#progress;
    // What was kept is as of batches before which others may have been lost.
    const count = await this.#recount(namespace);
    const progress = { namespace, applied, count };
    await this.#store.batch([progressOp(progress), syncedOp(applied), expiryVersionOp], { durable: true });
    this.#progress = progress;
    this.#synced = applied;
    this.#isWhole = true;
    this.#isIndexed = true;
    this.#revision = {};
    this.#kinds = undefined;
    this.#observer.onReplaced();
  }

  async apply(commands: readonly RaftCommand[], index: number): Promise<void> {
    assert(!this.mustReplay, 'a state that may lack batches, or keys of expiry, is replayed first');
    assert(index > this.#progress.applied, 'entries are applied once and in order');
    const ops: DatastoreOp[] = [];
    const changed: RaftCommand[] = [];
    /** What was there before each command, as it is stored. */
    const before: (Uint8Array | undefined)[] = [];
    /** What the batch so far has made of a key. */
    const written = new Map<string, Uint8Array | undefined>();
    const { namespace } = this.#progress;
    let { count } = this.#progress;
    for (const command of commands) {
      const op = this.#operation(command);
      if (op === undefined) continue;
      const { key } = command.pin.cid;
      const old = written.has(key) ? written.get(key) : this.#store.get(op.key);
      written.set(key, op.type === 'put' ? op.value : undefined);
      count += Number(op.type === 'put') - Number(old !== undefined);
      before.push(old);
      ops.push(op);
      changed.push(command);
      const expired = old === undefined ? 0 : expiryOf(old);
      const expires = op.type === 'put' ? storedSeconds(command.pin.expireAt) : 0;
      if (expired === expires) continue;
      if (expired > 0) ops.push({ type: 'del', key: expiryKey(namespace, expired, op.key) });
      if (expires > 0) ops.push(expiryOp(namespace, expires, op.key));
    }
    const progress = { ...this.#progress, applied: index, count };
    if (!this.#isIndexed) ops.push(expiryVersionOp);
    ops.push(progressOp(progress));
    await this.#store.batch(ops, { durable: false });
    this.#progress = progress;
    this.#isIndexed = true;
    if (changed.length > 0) this.#revision = {};
    this.#tellKinds(changed, before);
    for (const { type, pin } of changed) {
      if (type === 'pin') this.#observer.onPin(pin);
      else this.#observer.onUnpin(pin);
    }
  }

  async sync(): Promise<number> {
    assert(this.#isWhole, 'a state that may lack batches is replayed first');
    const { applied } = this.#progress;
    if (this.#synced === applied) return applied;
    await this.#store.batch([syncedOp(applied)], { durable: true });
    this.#synced = applied;
    return applied;
  }

  async snapshot(): ReturnType<PinsetState['snapshot']> {
    let { applied } = noProgress;
    const chunks = snapshotChunks(this.#store, (progress) => {
      applied = progress.applied;
    });
    await chunks.next();
    return { applied, chunks };
  }

  async restore(
    chunks: AsyncIterable<Uint8Array>,
    { applied, tag }: { readonly applied: number; readonly tag: Uint8Array },
  ): Promise<void> {
    const old = this.#progress.namespace;
    const namespace = old === 0 ? 1 : 0;
    // What a restore has left behind that a crash, or a failure of the disk, has ended.
    await this.#clear(namespace);
    let count: number;
    try {
      count = await this.#fill(namespace, chunks);
    } catch (error) {
      await this.#clear(namespace);
      throw error;
    }
    const progress = { namespace, applied, count } as const;
    const tagOp: DatastoreOp = { type: 'put', key: restoredKey, value: tag };
    await this.#store.batch([progressOp(progress), tagOp, syncedOp(applied), expiryVersionOp], { durable: true });
    this.#progress = progress;
    this.#synced = applied;
    this.#isWhole = true;
    this.#isIndexed = true;
    this.#restoredTag = copyBytes(tag);
    this.#revision = {};
    this.#kinds = undefined;
    this.#observer.onReplaced();
    try {
      await this.#clear(old);
    } catch (error) {
      // Nobody reads it, and the next restore begins with this. A disk that fails says so at the next write.
      this.#log.warn('could not remove the state that a snapshot has replaced', { error: errorMessage(error) });
    }
  }

  #startCounting(): LiveKinds {
    const counting = new KindCounting();
    const isCounted = this.#countInto(counting);
    const kinds = { counting, isCounted };
    this.#kinds = kinds;
    isCounted.catch(() => {
      // Told to whoever waits for it; the next question begins anew.
      if (this.#kinds === kinds) this.#kinds = undefined;
    });
    return kinds;
  }

  async #countInto(counting: KindCounting): Promise<void> {
    let progress: Progress | undefined;
    for await (const entries of this.#store.scan(stateKeys)) {
      let pins: readonly DatastoreEntry[] = entries;
      if (progress === undefined) {
        [progress, pins] = splitProgress(entries);
        counting.beginAt(progress.applied);
      }
      const { namespace } = progress;
      for (const [key, value] of pins) {
        if (!isWithin(namespace, key)) continue;
        const pin = this.#decode(value, () => cidOfPinKey(namespace, key));
        if (pin !== undefined) counting.counts.add(pin, 1);
      }
      if (counting.counts.isFull || this.#kinds?.counting !== counting) return;
    }
    if (progress === undefined) counting.beginAt(noProgress.applied);
  }

  #tellKinds(changed: readonly RaftCommand[], before: readonly (Uint8Array | undefined)[]): void {
    const counting = this.#kinds?.counting;
    if (counting === undefined) return;
    for (const [i, { type, pin }] of changed.entries()) {
      const old = before[i];
      const change: PinChange = {
        before: old && this.#decode(old, () => pin.cid),
        after: type === 'pin' ? pin : undefined,
      };
      counting.changed(this.applied, change);
    }
  }

  /** @returns the number of pins that are there now. */
  async #fill(namespace: Namespace, chunks: AsyncIterable<Uint8Array>): Promise<number> {
    const batch = new BoundedBatch(this.#store);
    let [count, skipped] = [0, 0];
    let last = noBytes;
    let isAscending = true;
    for await (const records of readRecords(chunks)) {
      for (const { key, value } of records) {
        if (!isStateKey(key)) {
          skipped++;
          continue;
        }
        isAscending &&= compareBytes(last, key) < 0;
        last = key;
        count++;
        const at = pinKeyOfStateKey(namespace, key);
        batch.add({ type: 'put', key: at, value });
        const seconds = expiryOf(value);
        if (seconds > 0) batch.add(expiryOp(namespace, seconds, at));
        if (batch.isFull) await batch.write();
      }
    }
    await batch.write();
    if (skipped > 0) this.#log.error('left out records of a snapshot whose keys name no CID', { count: skipped });
    // Snapshots of ours ascend; in others a pin could be twice.
    return isAscending ? count : await this.#recount(namespace);
  }

  /** Counts the pins, and notes anew which of them expire. */
  async #recount(namespace: Namespace): Promise<number> {
    await this.#clearRange(expiryKeys[namespace]);
    const batch = new BoundedBatch(this.#store);
    let count = 0;
    for await (const entries of this.#store.scan(pinKeys[namespace])) {
      count += entries.length;
      for (const [key, value] of entries) {
        const seconds = expiryOf(value);
        if (seconds > 0) batch.add(expiryOp(namespace, seconds, copyBytes(key)));
      }
      if (batch.isFull) await batch.write();
    }
    await batch.write();
    return count;
  }

  async #clear(namespace: Namespace): Promise<void> {
    await this.#clearRange(pinKeys[namespace]);
    await this.#clearRange(expiryKeys[namespace]);
  }

  /** Also of values that are damaged: a restore is what mends them. */
  async #clearRange(range: KeyRange): Promise<void> {
    const batch = new BoundedBatch(this.#store);
    for await (const entries of this.#store.scan(range, { keysOnly: true })) {
      for (const [key] of entries) batch.add({ type: 'del', key });
      if (batch.isFull) await batch.write();
    }
    await batch.write();
  }

  #key(cid: Cid): Uint8Array {
    return pinKey(this.#progress.namespace, cid);
  }

  /** `undefined` for what no peer can apply: they all skip it alike. */
  #operation({ type, pin }: RaftCommand): DatastoreOp | undefined {
    try {
      if (type === 'unknown') throw new OperatingError('cluster/unknown-command', 'the type of the command is unknown');
      if (!pin.cid.isDefined) throw new OperatingError('cluster/bad-pin', 'the pin has no cid');
      const key = this.#key(pin.cid);
      return type === 'pin' ? { type: 'put', key, value: encodePin(pin) } : { type: 'del', key };
    } catch (error) {
      this.#log.error('skipped a committed command that cannot be applied', { type, error: errorMessage(error) });
      return undefined;
    }
  }

  #decode(value: Uint8Array, cidOf: () => Cid): Pin | undefined {
    return this.#readable(() => decodePin(value, cidOf()));
  }

  #readable<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#log.error('skipped a pin of the state that cannot be read', { error: errorMessage(error) });
      return undefined;
    }
  }
}

/** In seconds since the epoch; 0: never, or the value cannot be read. */
function expiryOf(value: Uint8Array): number {
  try {
    return storedExpirySeconds(value);
  } catch {
    // Whoever reads the pin says so.
    return 0;
  }
}

const expiryVersionOp: DatastoreOp = { type: 'put', key: expiryVersionKey, value: Uint8Array.of(expiryVersion) };

function expiryOp(namespace: Namespace, seconds: number, key: Uint8Array): DatastoreOp {
  return { type: 'put', key: expiryKey(namespace, seconds, key), value: noBytes };
}

/** Writes that are bounded in number and bytes, and not durable. */
class BoundedBatch {
  readonly #store: Datastore;
  #ops: DatastoreOp[] = [];
  #sizeBytes = 0;

  constructor(store: Datastore) {
    this.#store = store;
  }

  get isFull(): boolean {
    return this.#ops.length >= batchOpsMax || this.#sizeBytes >= batchBytesMax;
  }

  add(op: DatastoreOp): void {
    this.#ops.push(op);
    this.#sizeBytes += op.key.length + (op.type === 'put' ? op.value.length : 0);
  }

  async write(): Promise<void> {
    if (this.#ops.length === 0) return;
    await this.#store.batch(this.#ops, { durable: false });
    this.#ops = [];
    this.#sizeBytes = 0;
  }
}

/** The first chunk is empty and comes when the view of the store is taken and `onProgress` was called. */
async function* snapshotChunks(
  store: Datastore,
  onProgress: (progress: Progress) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const writer = new ChunkWriter();
  let progress: Progress | undefined;
  for await (const entries of store.scan(stateKeys)) {
    let pins: readonly DatastoreEntry[] = entries;
    if (progress === undefined) {
      [progress, pins] = splitProgress(entries);
      onProgress(progress);
      yield noBytes;
    }
    const { namespace } = progress;
    for (const [key, value] of pins) {
      if (!isWithin(namespace, key)) continue;
      const chunk = writer.add({ key: stateKeyOfPinKey(namespace, key), value });
      if (chunk !== undefined) yield chunk;
    }
  }
  const chunk = writer.end();
  if (chunk !== undefined) yield chunk;
}

/** The progress record is the first of all keys; where it is missing nothing was ever applied. */
function splitProgress(entries: readonly DatastoreEntry[]): [Progress, readonly DatastoreEntry[]] {
  const [first, ...pins] = entries;
  if (first === undefined || compareBytes(first[0], progressKey) !== 0) return [noProgress, entries];
  return [progressOf(first[1]), pins];
}

/** Of a key within `stateKeys`. */
function isWithin(namespace: Namespace, key: Uint8Array): boolean {
  const { start, end } = pinKeys[namespace];
  return compareBytes(key, start) >= 0 && compareBytes(key, end) < 0;
}

/** Whether it is the key under which a pin is looked for. */
function isStateKey(key: Uint8Array): boolean {
  const text = utf8Decode(key);
  try {
    return stateKey(cidOfStateKey(text)) === text;
  } catch {
    return false;
  }
}

function loadProgress(store: Datastore): Progress {
  const bytes = store.get(progressKey);
  return bytes === undefined ? noProgress : progressOf(bytes);
}

function loadSynced(store: Datastore, { applied }: Progress): number {
  const bytes = store.get(syncedKey);
  const index = bytes === undefined ? 0 : decodeIndex(bytes);
  if (index !== undefined && index <= applied) return index;
  const what = index === undefined ? `${bytes?.length} bytes, expected 8` : `${index}, expected at most ${applied}`;
  throw new OperatingError('cluster/damaged-state', `The pinset is damaged: the record of its last sync has ${what}`);
}

function progressOp(progress: Progress): DatastoreOp {
  return { type: 'put', key: progressKey, value: encodeProgress(progress) };
}

function syncedOp(index: number): DatastoreOp {
  return { type: 'put', key: syncedKey, value: encodeIndex(index) };
}

function progressOf(bytes: Uint8Array): Progress {
  const progress = decodeProgress(bytes);
  if (progress !== undefined) return progress;
  const what = bytes.length === progressSizeBytes ? `begins with ${bytes[0]} ${bytes[1]}` : `has ${bytes.length} bytes`;
  const text = `The pinset is damaged: its progress record ${what}, expected ${progressSizeBytes} bytes of version 1`;
  throw new OperatingError('cluster/damaged-state', text);
}
