/**
 * What keeps a peer's snapshots (port, beside `LogStore`; implemented by the store and by the simulator's disk, used by the shell
 * around the engine). Here, because a snapshot is of a `Base`, and neither of the two knows the other.
 */
import type { Base } from './types.ts';

/** A snapshot on disk: the state as of `base.index`. */
export interface StoredSnapshot {
  readonly base: Base;
  readonly sizeBytes: number;
}

/**
 * The snapshots of a peer. The newest few are kept, older ones deleted when a new one is finished. What a crash left unfinished is
 * gone after the next open.
 */
export interface SnapshotStore {
  /** The newest first. */
  list(): readonly StoredSnapshot[];
  /**
   * One writer at a time. Rejects with `store/full` when there is no room for `roomBytes`, default 0, and what the log and the state
   * need meanwhile. Errors, here and in the writer: `store/full`, `store/io`.
   */
  create(base: Base, roomBytes?: number): Promise<SnapshotWriter>;
  /**
   * Its bytes, in chunks. It is not deleted from the first chunk that is asked for until the iteration ends. The last chunk comes
   * only when size and checksum of all are right: what is damaged is never given out whole. Rejects with `store/damaged-snapshot`
   * instead, and with `store/io`, also when it was deleted before. What cannot be read is not listed any more; what is damaged is
   * deleted.
   */
  read(snapshot: StoredSnapshot): AsyncIterable<Uint8Array>;
  /**
   * One that turned out to be of no use: not listed any more, and deleted when nobody reads it. One that is gone already is
   * success; a disk that does not delete it is told to the log, and the next open may list it again.
   */
  delete(snapshot: StoredSnapshot): Promise<void>;
}

/** A snapshot that is being written. After a rejection only `discard` is left. */
export interface SnapshotWriter {
  /** One at a time. */
  write(bytes: Uint8Array): Promise<void>;
  /** Durable and listed when it resolves. */
  finish(): Promise<StoredSnapshot>;
  /** Instead of `finish`, or when that failed: leaves nothing. */
  discard(): Promise<void>;
}
