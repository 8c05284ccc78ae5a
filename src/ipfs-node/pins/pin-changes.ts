/**
 * Changes of pin records, many to a write: what comes while one is being synced goes into the next.
 *
 * Changes of a write are decided one after the other, each seeing those before it; what they need of blocks is then flushed
 * once, and the records are written once. Nobody is answered before that.
 */
import type { CID } from 'multiformats/cid';
import type { PinEntry } from '../ports.ts';

/** The record of a CID as of the changes before. */
export type GetPin = (cid: CID) => PinEntry | undefined;

/** What a change does to the records, and what is answered for it. */
export interface PinChange<T> {
  readonly put?: PinEntry;
  readonly remove?: CID;
  readonly result: T;
}

/** Where records are kept; `PinIndex` is it. */
export interface PinRecords {
  readonly get: GetPin;
  /** All or nothing, and on disk when it resolves. */
  write(puts: readonly PinEntry[], removals: readonly CID[]): Promise<void>;
}

export interface PinChangesDeps {
  readonly records: PinRecords;
  /** All blocks that were stored before are on disk when it resolves. */
  readonly flushBlocks: () => Promise<void>;
}

interface Waiting {
  /** Notes the change; returns what answers it. */
  decide(group: Group): () => void;
  reject(error: unknown): void;
}

export class PinChanges {
  readonly #deps: PinChangesDeps;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(deps: PinChangesDeps) {
    this.#deps = deps;
  }

  /** Resolves with the result when the change is on disk. A change that throws changes nothing, and rejects with that. */
  change<T>(decide: (get: GetPin) => PinChange<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        decide: (group) => {
          const change = decide(group.get);
          group.note(change);
          return () => resolve(change.result);
        },
        reject,
      });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    // Changes of this turn go together.
    await null;
    while (this.#waiting.length > 0) {
      const changes = this.#waiting;
      this.#waiting = [];
      await this.#write(changes);
    }
    this.#isWriting = false;
  }

  async #write(changes: readonly Waiting[]): Promise<void> {
    const { records, flushBlocks } = this.#deps;
    const group = new Group(records);
    const decided: { readonly answer: () => void; readonly reject: (error: unknown) => void }[] = [];
    for (const { decide, reject } of changes) {
      try {
        decided.push({ answer: decide(group), reject });
      } catch (error) {
        reject(error);
      }
    }
    try {
      // A record must never be there without its blocks.
      if (group.puts.length > 0) await flushBlocks();
      if (group.puts.length + group.removals.length > 0) await records.write(group.puts, group.removals);
    } catch (error) {
      for (const { reject } of decided) reject(error);
      return;
    }
    for (const { answer } of decided) answer();
  }
}

/** The changes of one write, the last one of each CID. */
class Group {
  readonly #records: PinRecords;
  readonly #changed = new Map<string, { readonly cid: CID; readonly pin: PinEntry | undefined }>();

  constructor(records: PinRecords) {
    this.#records = records;
  }

  readonly get: GetPin = (cid) => {
    const changed = this.#changed.get(cid.toString());
    return changed === undefined ? this.#records.get(cid) : changed.pin;
  };

  note({ put, remove }: PinChange<unknown>): void {
    if (remove !== undefined) this.#changed.set(remove.toString(), { cid: remove, pin: undefined });
    if (put !== undefined) this.#changed.set(put.cid.toString(), { cid: put.cid, pin: put });
  }

  get puts(): readonly PinEntry[] {
    return [...this.#changed.values()].flatMap(({ pin }) => pin ?? []);
  }

  get removals(): readonly CID[] {
    return [...this.#changed.values()].flatMap(({ cid, pin }) => (pin === undefined ? [cid] : []));
  }
}
