/**
 * A peer's virtual disk: a log that keeps a write wholly or not at all, and a state store that keeps any of its unsynced batches,
 * as LevelDB does (`docs/adr/0011`). It outlives the peer; each life opens it anew, and what a dead life still has under way never
 * comes back to it.
 */
import { assert, copyBytes, OperatingError, type SeededRandom, silentLogger, utf8Decode } from '../../base/index.ts';
import { createMemoryDatastore, openPinset } from '../../cluster/index.ts';
import type { Datastore, DatastoreEntry, DatastoreOp, KeyRange, ScanOptions, TextEntry } from '../../cluster/ports.ts';
import type { LogImage, LogOp, PreviousLog } from '../../core/raft/index.ts';
import type { RaftData, RaftStorage } from '../../io/consensus/index.ts';
import { DiskImage } from '../image.ts';
import type { DiskError, Spoil } from './plan.ts';
import type { Scheduler } from './scheduler.ts';
import { type VirtualSnapshot, VirtualSnapshots } from './snapshots.ts';

export interface DiskOptions {
  readonly syncMs: number;
  readonly stateMs: number;
}

export interface DiskDeps {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  /** Before ops become durable. */
  readonly onWrite: (ops: readonly LogOp[]) => void;
  /** Something was written to a log or state after a write to it had failed. */
  readonly onMisuse: (what: string) => void;
  /** Nothing of what was on it is there any more. */
  readonly onEmptied?: () => void;
  /** Something has been written. */
  readonly onDone?: () => void;
  /** A write to log or state has failed. */
  readonly onFailure: () => void;
}

const quiet = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };

/** Of writes that fail, see `isDiskFailure`: that of the real store, for the peer waits for such failures only. */
const failureCode = 'store/io';

/** Whether an error, or what it comes from, is a failed write of a virtual disk. */
export function isDiskFailure(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof OperatingError && cause.code === failureCode) return true;
  }
  return false;
}

/** The disk of one peer, in all its lives. */
export class VirtualDisk implements RaftStorage {
  readonly path: string;
  image: DiskImage = new DiskImage();
  /** Everything takes this many times longer. */
  slowness = 1;
  /** Every write fails with it. */
  error: DiskError | undefined;
  failures = 0;
  /** What is read from it is not what was written; its image is as it was. */
  spoiled: Spoil | undefined;
  /** What its peer remembers of a log that it has put away. */
  previousLog: PreviousLog | undefined;
  /** It had data, and has been given up by its peer or taken out. */
  wasEmptied = false;
  readonly #options: DiskOptions;
  readonly #deps: DiskDeps;
  #life = 0;
  /** The log write under way. */
  #writing: readonly LogOp[] | undefined;
  readonly #state = new Batches('raft');
  readonly #tracker = new Batches('tracker');
  readonly #snapshots: VirtualSnapshot[] = [];

  constructor(path: string, options: DiskOptions, deps: DiskDeps) {
    this.path = path;
    this.#options = options;
    this.#deps = deps;
  }

  /** Keys that the tracker has put at some time and that were lost: what it had pinned under them may stay, see `OwnedPins`. */
  get lostRecords(): ReadonlySet<string> {
    return this.#tracker.lost;
  }

  get isEmpty(): boolean {
    return this.image.lastIndex === 0;
  }

  async open(): Promise<RaftData> {
    const life = this.#life;
    const state = await this.#state.shown();
    return {
      log: new VirtualLog(this, life, this.spoiled && this.#spoiledImage(this.spoiled, state)),
      state: new VirtualState(this, life, this.#state, state),
      snapshots: new VirtualSnapshots(this.#snapshots, (act) => this.sync(life, act)),
      previousLog: this.previousLog,
    };
  }

  async openState(): Promise<Datastore> {
    return new VirtualState(this, this.#life, this.#state, await this.#state.shown());
  }

  /** The store of the tracker, beside those of Raft. */
  async openTracker(): Promise<Datastore> {
    return new VirtualState(this, this.#life, this.#tracker, await this.#tracker.shown());
  }

  probe(): Promise<void> {
    return this.sync(this.#life, () => {});
  }

  failed(): void {
    this.failures++;
    this.#deps.onFailure();
  }

  /** Nobody looks into the backup. */
  beginAnew(ops: readonly LogOp[], previous: PreviousLog | undefined): Promise<void> {
    return this.sync(this.#life, () => {
      this.#empty();
      this.#deps.onWrite(ops);
      this.image.perform(ops);
      this.previousLog = previous;
    });
  }

  forgetPreviousLog(): Promise<void> {
    return this.sync(this.#life, () => {
      this.previousLog = undefined;
    });
  }

  #empty(): void {
    this.wasEmptied = true;
    this.image = new DiskImage();
    this.previousLog = undefined;
    this.#state.clear();
    this.#snapshots.length = 0;
    this.#deps.onEmptied?.();
  }

  /** `undefined`: it cannot be read. An older log is one only when the state can tell. */
  #spoiledImage(how: Spoil, state: Datastore): () => LogImage {
    const { applied, restoredTag } = openPinset(state, { log: silentLogger, observer: quiet });
    const { base, entries, ...image } = this.image.load();
    const keep = applied - 1 - base.index;
    return () => {
      if (how === 'olderLog' && restoredTag === undefined && keep >= 0)
        return { ...image, base, entries: entries.slice(0, keep) };
      throw new OperatingError('store/damaged', `${this.path}: the checksum of a record is wrong`);
    };
  }

  /** There is an empty disk in its place. */
  async replace(): Promise<void> {
    this.#empty();
    this.#tracker.lose();
    this.spoiled = undefined;
  }

  /** The machine is gone. @returns what was kept, for the trace. */
  crash(): string {
    this.#life++;
    const { random } = this.#deps;
    const isKept = this.#writing !== undefined && random.integer(2) === 0;
    if (isKept) this.#perform();
    this.#writing = undefined;
    this.#tracker.crash(random);
    return `write ${isKept ? 'kept' : 'lost'}, ${this.#state.crash(random)} batches of state kept`;
  }

  /** The process is gone, the machine is not: what it was given is kept, except for a log write that was under way. */
  release(): void {
    this.#life++;
    this.#writing = undefined;
  }

  write(life: number, ops: readonly LogOp[]): Promise<void> {
    if (life !== this.#life) return never();
    assert(this.#writing === undefined, 'one log write is in flight at a time');
    this.#writing = ops;
    return this.#later(
      life,
      this.#options.syncMs,
      () => this.#perform(),
      () => {
        this.#writing = undefined;
      },
    );
  }

  /** `show` makes the batch visible to readers. */
  batch(
    life: number,
    batches: Batches,
    ops: readonly DatastoreOp[],
    isDurable: boolean,
    show: () => Promise<void>,
  ): Promise<void> {
    if (life !== this.#life) return never();
    return this.#later(life, this.#options.stateMs, () => {
      batches.add(ops, isDurable || this.#deps.random.integer(10) === 0);
    }).then(show);
  }

  /** Something else that is durable when the disk is done. */
  sync(life: number, act: () => void): Promise<void> {
    return life === this.#life ? this.#later(life, this.#options.syncMs, act) : never();
  }

  #perform(): void {
    const ops = this.#writing ?? [];
    this.#deps.onWrite(ops);
    this.image.perform(ops);
    this.#writing = undefined;
  }

  misused(what: string): void {
    this.#deps.onMisuse(`${this.path}: ${what}`);
  }

  /** A failing disk may have done what it says it has not, a full one has not. */
  #later(life: number, ms: number, act: () => void, onFailure: () => void = () => {}): Promise<void> {
    const { scheduler, random } = this.#deps;
    // Now and then a disk is busy with something else.
    const hiccupMs = random.integer(300) === 0 ? random.integer(400) : 0;
    return new Promise((resolve, reject) => {
      scheduler.after(ms * this.slowness + hiccupMs, () => {
        if (life !== this.#life) return;
        const { error } = this;
        if (error !== 'ENOSPC' && (error === undefined || random.integer(2) === 0)) act();
        if (error === undefined) {
          resolve();
          this.#deps.onDone?.();
          return;
        }
        onFailure();
        reject(new OperatingError(failureCode, `${error}: ${this.path} cannot be written`, { outcome: 'unknown' }));
      });
    });
  }
}

/** What a store has been given, in order. The first ones survive a crash, and any of the others may. */
class Batches {
  /** Raft writes nothing any more after a failure, until everything is opened anew; the tracker tries the next one. */
  readonly owner: 'raft' | 'tracker';
  /** Keys that were ever put by batches that failed, or that a crash has taken. */
  readonly lost: Set<string> = new Set();
  readonly #all: (readonly DatastoreOp[])[] = [];
  #synced = 0;

  constructor(owner: 'raft' | 'tracker') {
    this.owner = owner;
  }

  add(ops: readonly DatastoreOp[], isSynced: boolean): void {
    this.#all.push(ops);
    if (isSynced) this.#synced = this.#all.length;
  }

  async shown(): Promise<Datastore> {
    const visible = createMemoryDatastore();
    for (const ops of this.#all) await visible.batch(ops, { durable: true });
    return visible;
  }

  /** @returns how many are left. */
  crash(random: SeededRandom): number {
    // All of them when only the process has ended.
    const percent = [0, 5, 50, 100][random.integer(4)] ?? 0;
    for (const ops of this.#all.splice(this.#synced)) {
      if (random.integer(100) >= percent) this.#all.push(ops);
      else this.fail(ops);
    }
    this.#synced = this.#all.length;
    return this.#all.length;
  }

  /** They are not there, or nobody knows. */
  fail(ops: readonly DatastoreOp[]): void {
    for (const { type, key } of ops) if (type === 'put') this.lost.add(utf8Decode(key));
  }

  /** All of it. */
  lose(): void {
    for (const ops of this.#all) this.fail(ops);
    this.clear();
  }

  clear(): void {
    this.#all.length = 0;
    this.#synced = 0;
  }
}

class VirtualLog {
  readonly #disk: VirtualDisk;
  readonly #life: number;
  readonly #spoiled: (() => LogImage) | undefined;
  #hasFailed = false;

  constructor(disk: VirtualDisk, life: number, spoiled: (() => LogImage) | undefined) {
    this.#disk = disk;
    this.#life = life;
    this.#spoiled = spoiled;
  }

  async load(): Promise<LogImage> {
    return this.#spoiled?.() ?? this.#disk.image.load();
  }

  async write(ops: readonly LogOp[]): Promise<void> {
    if (this.#hasFailed) this.#disk.misused('a log is written to after a write has failed');
    try {
      await this.#disk.write(this.#life, ops);
    } catch (error) {
      this.#hasFailed = isDiskFailure(error);
      if (this.#hasFailed) this.#disk.failed();
      throw error;
    }
  }

  async close(): Promise<void> {}
}

class VirtualState implements Datastore {
  readonly #disk: VirtualDisk;
  readonly #life: number;
  readonly #batches: Batches;
  readonly #visible: Datastore;
  #isWriting = false;
  #hasFailed = false;

  constructor(disk: VirtualDisk, life: number, batches: Batches, visible: Datastore) {
    this.#disk = disk;
    this.#life = life;
    this.#batches = batches;
    this.#visible = visible;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#visible.get(key);
  }

  async batch(ops: readonly DatastoreOp[], { durable }: { readonly durable: boolean }): Promise<void> {
    assert(!this.#isWriting, 'one batch is in flight at a time');
    this.#isWriting = true;
    if (this.#hasFailed) this.#disk.misused('a state is written to after a batch has failed');
    // The caller may use its arrays again.
    const kept = ops.map(copyOfOp);
    try {
      await this.#disk.batch(this.#life, this.#batches, kept, durable, () => this.#visible.batch(kept, { durable }));
    } catch (error) {
      this.#batches.fail(kept);
      this.#hasFailed = this.#batches.owner === 'raft' && isDiskFailure(error);
      if (this.#hasFailed) this.#disk.failed();
      throw error;
    } finally {
      this.#isWriting = false;
    }
  }

  scan(range: KeyRange, options?: ScanOptions): AsyncIterable<DatastoreEntry[]> {
    return this.#visible.scan(range, options);
  }

  scanText(range: KeyRange, options?: ScanOptions): AsyncIterable<TextEntry[]> {
    return this.#visible.scanText(range, options);
  }

  async close(): Promise<void> {}
}

function copyOfOp(op: DatastoreOp): DatastoreOp {
  return op.type === 'put'
    ? { ...op, key: copyBytes(op.key), value: copyBytes(op.value) }
    : { ...op, key: copyBytes(op.key) };
}

function never(): Promise<never> {
  return new Promise(() => {});
}
