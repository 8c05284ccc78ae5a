/** The Raft engine: pure, synchronous, driven by ticks and messages. See README.md. */

export { bootstrapOps, joinOps } from './bootstrap.ts';
export { stateBehind, termBehind } from './errors.ts';
export { createRaft, raftDefaults } from './raft.ts';
export type { Rules } from './rules.ts';
export { rules } from './rules.ts';
export type { SnapshotStore, SnapshotWriter, StoredSnapshot } from './snapshot-store.ts';
export type {
  AppendRequest,
  AppendResponse,
  Base,
  Call,
  Configuration,
  ConfigurationChange,
  Entry,
  HardState,
  Input,
  LogEnd,
  LogImage,
  LogIndex,
  LogOp,
  LogStore,
  Output,
  PreVoteRequest,
  PreVoteResponse,
  PreviousLog,
  Proposal,
  Raft,
  RaftDeps,
  RaftOptions,
  RefusalReason,
  Reply,
  Request,
  Response,
  Result,
  RoleName,
  Server,
  SnapshotRequest,
  SnapshotResponse,
  Status,
  Suffrage,
  Term,
  TimeoutNowRequest,
  TimeoutNowResponse,
  VoteRequest,
  VoteResponse,
} from './types.ts';
export { originBase } from './types.ts';
