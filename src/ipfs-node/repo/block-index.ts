/**
 * Where each block lies: multihash → segment, offset and length, in LevelDB. `has` and sizes need nothing else.
 * Keys that begin with 0x00 are the repo's own notes: 0 is the identity hash, whose blocks are never stored.
 */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8Decode, utf8Encode } from '../../base/index.ts';
import { type ByteLevel, openLevel } from './level.ts';

/** The data of one block: `offset` is that of its first byte in the segment file. */
export interface Location {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export interface IndexEntry {
  readonly key: Uint8Array;
  readonly location: Location;
}

const locationBytes = 12;
const firstBlockKey = new Uint8Array([1]);
const pageEntriesMax = 1000;

/** The index of the block store; LevelDB allows one process only, which makes it the lock of the whole repo. */
export class BlockIndex {
  readonly #folder: string;
  readonly #level: ByteLevel;

  private constructor(folder: string, level: ByteLevel) {
    this.#folder = folder;
    this.#level = level;
  }

  static async open(folder: string): Promise<BlockIndex> {
    return new BlockIndex(folder, await openLevel(folder));
  }

  /** A few microseconds; the synchronous form is much faster than a trip through the thread pool. */
  get(key: Uint8Array): Location | undefined {
    const value = this.#level.getSync(key);
    return value === undefined ? undefined : decodeLocation(value);
  }

  /** Atomic; durable only after the next `sync`. */
  async write(puts: readonly IndexEntry[], deletes: readonly Uint8Array[]): Promise<void> {
    await this.#level.batch([
      ...puts.map(({ key, location }) => ({ type: 'put' as const, key, value: encodeLocation(location) })),
      ...deletes.map((key) => ({ type: 'del' as const, key })),
    ]);
  }

  /** Writes a note; it and everything written before survive a power cut when this resolves. */
  async sync(name: string, note: unknown): Promise<void> {
    await this.#level.batch([{ type: 'put', key: noteKey(name), value: utf8Encode(JSON.stringify(note)) }], {
      sync: true,
    });
    await this.#syncOlderLogs();
  }

  async removeNote(name: string): Promise<void> {
    await this.#level.del(noteKey(name), { sync: true });
  }

  /** A note as it was written, or `undefined`; unreadable counts as absent. */
  note(name: string): unknown {
    const value = this.#level.getSync(noteKey(name));
    if (value === undefined) return undefined;
    try {
      return JSON.parse(utf8Decode(value));
    } catch {
      return undefined;
    }
  }

  /** All entries in key order, in pages, from one snapshot. */
  async *pages(): AsyncIterable<IndexEntry[]> {
    const iterator = this.#level.iterator({ gte: firstBlockKey });
    try {
      for (;;) {
        const entries = await iterator.nextv(pageEntriesMax);
        if (entries.length === 0) return;
        yield entries.map(([key, value]) => ({ key, location: decodeLocation(value) }));
      }
    } finally {
      await iterator.close();
    }
  }

  async close(): Promise<void> {
    await this.#level.close();
  }

  /**
   * LevelDB syncs the log that it writes now; one that it has just turned away from may still wait to become a table,
   * and is synced by nobody. There is rarely one.
   */
  async #syncOlderLogs(): Promise<void> {
    const logs = (await readdir(this.#folder)).filter((name) => name.endsWith('.log'));
    if (logs.length < 2) return;
    for (const name of logs) {
      try {
        const file = await open(join(this.#folder, name), 'r');
        try {
          await file.datasync();
        } finally {
          await file.close();
        }
      } catch (error) {
        // Gone in between: it has become a table, which LevelDB syncs.
        if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') continue;
        throw error;
      }
    }
  }
}

function noteKey(name: string): Uint8Array {
  return utf8Encode(`\0${name}`);
}

function encodeLocation({ segment, offset, length }: Location): Uint8Array {
  const value = new Uint8Array(locationBytes);
  const view = new DataView(value.buffer);
  view.setUint32(0, segment);
  view.setUint32(4, offset);
  view.setUint32(8, length);
  return value;
}

function decodeLocation(value: Uint8Array): Location {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return { segment: view.getUint32(0), offset: view.getUint32(4), length: view.getUint32(8) };
}
