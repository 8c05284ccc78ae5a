/** The durable Raft log over LevelDB, in a database of its own so that its syncs wait for nothing else. */
import { assert, errorMessage, OperatingError } from '../../base/index.ts';
import {
  type Entry,
  type HardState,
  type LogImage,
  type LogIndex,
  type LogOp,
  type LogStore,
  originBase,
} from '../../core/raft/index.ts';
import { type Level, levelError, openLevel } from './level.ts';
import { decodeEntry, decodeHardState, encodeEntry, encodeHardState } from './log-record.ts';

/** A log that gives its files back. */
export interface ClosableLogStore extends LogStore {
  /** Idempotent. A write in flight is finished first. */
  close(): Promise<void>;
}

const hardKey = new Uint8Array([0x68]); // h
const entryPrefix = 0x65; // e
const pageSize = 1000;
const pageBytesMax = 1 << 20;

/**
 * Opens, or makes, the log in `folder`. Errors: `store/locked`, `store/damaged`, `store/io`.
 *
 * Keys are `e` and the index as u64 big-endian, and `h` for the hard state. `load` refuses a log with a gap, a bad checksum, or
 * entries of a later term than the hard state. An end that is missing as a whole cannot be seen here; whoever holds the state
 * compares its applied index with the end of the log.
 */
export async function openLogStore(folder: string): Promise<ClosableLogStore> {
  return new LevelLogStore(folder, await openLevel(folder));
}

class LevelLogStore implements ClosableLogStore {
  readonly #folder: string;
  readonly #level: Level;
  /** Last index in the log; `undefined` until loaded. */
  #last: LogIndex | undefined;
  #isWriting = false;
  #failure: OperatingError | undefined;

  constructor(folder: string, level: Level) {
    this.#folder = folder;
    this.#level = level;
  }

  async load(): Promise<LogImage> {
    const hard = this.#loadHardState();
    const entries: Entry[] = [];
    const iterator = this.#level.iterator({ gte: entryKey(0), fillCache: false, highWaterMarkBytes: pageBytesMax });
    try {
      for (;;) {
        const page = await iterator.nextv(pageSize).catch((error: unknown) => {
          throw levelError(`Cannot read the raft log in "${this.#folder}"`, error);
        });
        if (page.length === 0) break;
        for (const [key, record] of page) {
          if (key[0] === entryPrefix) entries.push(this.#decode(key, record, entries.length + 1));
        }
      }
    } finally {
      await iterator.close();
    }
    const last = entries.at(-1);
    if (last !== undefined && last.term > hard.term) {
      throw this.#damage(`entry ${last.index} has term ${last.term}, later than the saved term ${hard.term}`);
    }
    this.#last = entries.length;
    return { hard, base: originBase, entries };
  }

  async write(ops: readonly LogOp[]): Promise<void> {
    // A later sync that succeeds would say nothing about the bytes of the one that failed.
    if (this.#failure !== undefined) throw this.#failure;
    assert(!this.#isWriting, 'one log write is in flight at a time');
    const batch = this.#level.batch();
    const last = this.#fill(batch, ops);
    this.#isWriting = true;
    try {
      await batch.write({ sync: true });
      this.#last = last;
    } catch (error) {
      this.#failure = levelError(`Cannot write the raft log in "${this.#folder}"`, error);
      throw this.#failure;
    } finally {
      this.#isWriting = false;
    }
  }

  async close(): Promise<void> {
    await this.#level.close();
  }

  /** @returns the last index after these ops. */
  #fill(batch: ReturnType<Level['batch']>, ops: readonly LogOp[]): LogIndex {
    assert(this.#last !== undefined, 'the log is loaded before it is written');
    let last = this.#last;
    for (const op of ops) {
      if (op.type === 'hard') {
        batch.put(hardKey, encodeHardState(op.state));
      } else if (op.type === 'cut') {
        assert(op.from >= 1, 'a cut starts at an entry');
        for (let index = op.from; index <= last; index++) batch.del(entryKey(index));
        last = Math.min(last, op.from - 1);
      } else {
        assert(op.type === 'put', 'this log is never compacted');
        for (const entry of op.entries) {
          assert(entry.index === last + 1, `entry ${entry.index} follows entry ${last}`);
          batch.put(entryKey(entry.index), encodeEntry(entry));
          last = entry.index;
        }
      }
    }
    return last;
  }

  #loadHardState(): HardState {
    let record: Uint8Array | undefined;
    try {
      record = this.#level.getSync(hardKey);
    } catch (error) {
      throw levelError(`Cannot read the raft log in "${this.#folder}"`, error);
    }
    if (record === undefined) return { term: 0, votedFor: undefined };
    try {
      return decodeHardState(record);
    } catch (error) {
      throw this.#damage(`term and vote are unreadable: ${errorMessage(error)}`);
    }
  }

  #decode(key: Uint8Array, record: Uint8Array, expected: LogIndex): Entry {
    const index = Number(new DataView(key.buffer, key.byteOffset, key.length).getBigUint64(1));
    if (index !== expected) throw this.#damage(`entry ${expected} is missing, found ${index} in its place`);
    let entry: Entry;
    try {
      entry = decodeEntry(record);
    } catch (error) {
      throw this.#damage(`entry ${index} is unreadable: ${errorMessage(error)}`);
    }
    if (entry.index !== index) throw this.#damage(`entry ${index} holds entry ${entry.index}`);
    return entry;
  }

  #damage(text: string): OperatingError {
    const hint = 'restore the folder from a backup, or move it away and let this peer join again with --bootstrap';
    return new OperatingError('store/damaged', `The raft log in "${this.#folder}" is damaged: ${text}; ${hint}`);
  }
}

function entryKey(index: LogIndex): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = entryPrefix;
  new DataView(key.buffer).setBigUint64(1, BigInt(index));
  return key;
}
