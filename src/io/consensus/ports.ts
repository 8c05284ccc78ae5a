/** What the Raft peer needs from others, beside the ports of `cluster`: the simulator and the real world give their own. */
import type { Datastore, Pinset } from '../../cluster/ports.ts';
import type {
  LogIndex,
  LogOp,
  LogStore,
  PreviousLog,
  Request,
  Response,
  SnapshotStore,
} from '../../core/raft/index.ts';
import type { PeerId, RaftCommand } from '../../model/index.ts';

/**
 * Carries the engine's messages. At most one answer each; a rejection says nothing about whether the message was or will be
 * handled. Messages may come late, overtaken, twice or never.
 */
export interface RaftTransport {
  /** The caller limits the time and aborts; the transport may then cut the stream that the call is on. A snapshot has a `body`. */
  call(peer: PeerId, request: Request, options: RaftCallOptions): Promise<Response>;
  /** Installed before the first call; a later one takes its place. A rejection of the handler means no answer. */
  handle(handler: RaftHandler): void;
  /** Ends what is under way; no calls afterwards. */
  close(): void;
}

export interface RaftCallOptions {
  readonly signal: AbortSignal;
  readonly body?: SnapshotBody;
}

/** A snapshot has a `body`; it is read to its end before the answer, or the handler rejects. */
export type RaftHandler = (from: PeerId, request: Request, body?: SnapshotBody) => Promise<Response>;

/** The bytes of a snapshot on their way: `sizeBytes` in all, read once. */
export interface SnapshotBody {
  readonly sizeBytes: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * The state that the log makes; `openPinset` of `cluster` is it. `replay`, `apply`, `restore` and `sync` come one at a time; a
 * rejection is a failure of the disk.
 */
export interface ReplicatedPinset extends Pinset {
  /** Index of the last entry that is applied. */
  readonly applied: LogIndex;
  /** Up to here it is on disk. What was applied behind that in an earlier life may be there in part, until `replay`. */
  readonly synced: LogIndex;
  /** Whether `replay` comes before all else. */
  readonly mustReplay: boolean;
  /** What came with the last `restore`; `undefined` when the log alone has made the state. */
  readonly restoredTag: Uint8Array | undefined;
  /** Applies the commands behind `synced` up to `applied` once more, and syncs. */
  replay(commands: Iterable<RaftCommand>): Promise<void>;
  /** Applies commands in order, up to the entry of that index. */
  apply(commands: readonly RaftCommand[], index: LogIndex): Promise<void>;
  /** @returns `synced`, which is then at least what `applied` was when it was called. */
  sync(): Promise<LogIndex>;
  /** The whole state of one moment, in the bytes of the reference's snapshots, and the index it is of. */
  snapshot(): Promise<StateSnapshot>;
  /**
   * Replaces the whole state by that of a snapshot, of which `applied` and `tag` are kept beside it. Durable when it resolves; a
   * crash leaves the old state or the new one. Rejects with `cluster/bad-snapshot`, and changes nothing, when the bytes are none.
   */
  restore(
    chunks: AsyncIterable<Uint8Array>,
    kept: { readonly applied: LogIndex; readonly tag: Uint8Array },
  ): Promise<void>;
}

/**
 * The state as of `applied`. Chunks are made while they are read, once; what is applied meanwhile is not in them. Who does not
 * read them to the end leaves the iteration.
 */
export interface StateSnapshot {
  readonly applied: LogIndex;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** The data of one Raft peer on its disk; `createRaftFolder` of `store` is it. */
export interface RaftStorage {
  /** For texts. */
  readonly path: string;
  /** Opens everything, made when absent. */
  open(): Promise<RaftData>;
  /** The state alone, when the rest cannot be opened. */
  openState(): Promise<Datastore>;
  /** Resolves when there is room, and the disk takes writes. */
  probe(): Promise<void>;
  /**
   * Keeps everything as the newest backup, and leaves in its place a log of one write, and what is remembered of the one before it;
   * only while closed. A crash leaves the old data or the new.
   */
  beginAnew(ops: readonly LogOp[], previous: PreviousLog | undefined): Promise<void>;
  /** What is remembered of a log before the present one is of no use any more. Durable. */
  forgetPreviousLog(): Promise<void>;
}

/** An open log, an open state and the snapshots, of one peer. */
export interface RaftData {
  readonly log: LogStore & { close(): Promise<void> };
  readonly state: Datastore;
  readonly snapshots: SnapshotStore;
  /** Of the log that was there before this one began, if one was put away. */
  readonly previousLog: PreviousLog | undefined;
}
