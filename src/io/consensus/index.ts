/** Agreement between the peers of a cluster, over the pure engines of `core`. */
export { encodeBase } from './base-tag.ts';
export type {
  RaftData,
  RaftHandler,
  RaftStorage,
  RaftTransport,
  ReplicatedPinset,
} from './ports.ts';
export { createRaft, type RaftConsensusDeps, type RaftConsensusOptions } from './raft.ts';
export { createStreamTransport, raftProtocol, type StreamTransportDeps } from './stream-transport.ts';
