/** Snapshots on a virtual disk: one that was finished is there after a crash, one that was not is gone. */
import { assert, concatBytes, copyBytes, OperatingError } from '../../base/index.ts';
import type { Base, SnapshotStore, SnapshotWriter, StoredSnapshot } from '../../core/raft/index.ts';

const retainedMax = 5;

/** What the disk keeps. */
export interface VirtualSnapshot extends StoredSnapshot {
  readonly bytes: Uint8Array;
}

/** The snapshots of one life of a peer. */
export class VirtualSnapshots implements SnapshotStore {
  /** The newest first; outlives the peer. */
  readonly #kept: VirtualSnapshot[];
  /** Runs an act as soon as the disk is done with it; never, when the life has ended. */
  readonly #sync: (act: () => void) => Promise<void>;
  #isWriting = false;

  constructor(kept: VirtualSnapshot[], sync: (act: () => void) => Promise<void>) {
    this.#kept = kept;
    this.#sync = sync;
  }

  list(): readonly StoredSnapshot[] {
    return [...this.#kept];
  }

  async create(base: Base): Promise<SnapshotWriter> {
    assert(!this.#isWriting, 'one snapshot is written at a time');
    this.#isWriting = true;
    const chunks: Uint8Array[] = [];
    return {
      write: async (bytes) => {
        chunks.push(copyBytes(bytes));
      },
      finish: async () => {
        const bytes = concatBytes(chunks);
        const snapshot: VirtualSnapshot = { base, sizeBytes: bytes.length, bytes };
        await this.#sync(() => {
          this.#kept.unshift(snapshot);
          this.#kept.sort((a, b) => b.base.index - a.base.index);
          this.#kept.splice(retainedMax);
        });
        this.#isWriting = false;
        return snapshot;
      },
      discard: async () => {
        this.#isWriting = false;
      },
    };
  }

  async delete(snapshot: StoredSnapshot): Promise<void> {
    const remove = (): void => {
      this.#kept.splice(0, this.#kept.length, ...this.#kept.filter((one) => one !== snapshot));
    };
    // What a failing disk does not delete is no failure.
    await this.#sync(remove).catch(() => {});
  }

  async *read(snapshot: StoredSnapshot): AsyncGenerator<Uint8Array, void, undefined> {
    const kept = this.#kept.find((one) => one === snapshot);
    if (kept === undefined) throw new OperatingError('store/io', 'Cannot read the snapshot: it was deleted');
    if (kept.bytes.length > 0) yield kept.bytes;
  }
}
