/** What the Raft peer needs from others, beside the ports of `cluster`: the simulator and the real world give their own. */
import type { Datastore, Pinset } from '../../cluster/ports.ts';
import type { LogStore, Request, Response } from '../../core/raft/index.ts';
import type { PeerId, RaftCommand } from '../../model/index.ts';

/**
 * Carries the engine's messages. At most one answer each; a rejection says nothing about whether the message was or will be
 * handled. Messages may come late, overtaken, twice or never.
 */
export interface RaftTransport {
  /** The caller limits the time and aborts; the transport may then cut the stream that the call is on. */
  call(peer: PeerId, request: Request, options: { readonly signal: AbortSignal }): Promise<Response>;
  /** Installed once, before the first call. A rejection of the handler means no answer. */
  handle(handler: (from: PeerId, request: Request) => Promise<Response>): void;
  /** Ends what is under way; no calls afterwards. */
  close(): void;
}

/** The state that the log makes; `openPinset` of `cluster` is it. */
export interface ReplicatedPinset extends Pinset {
  /** Index of the last entry that is applied. */
  readonly applied: number;
  /** Applies commands in order, up to the entry of that index. One call at a time; a rejection is a failure of the disk. */
  apply(commands: readonly RaftCommand[], index: number): Promise<void>;
}

/** The data of one Raft peer on its disk; `createRaftFolder` of `store` is it. */
export interface RaftStorage {
  /** For texts. */
  readonly path: string;
  /** Opens both, made when absent. */
  open(): Promise<RaftData>;
  /** Keeps everything as the newest backup and leaves nothing in its place; only while closed. */
  moveAway(): Promise<void>;
}

/** An open log and an open state, of one peer. */
export interface RaftData {
  readonly log: LogStore & { close(): Promise<void> };
  readonly state: Datastore;
}
