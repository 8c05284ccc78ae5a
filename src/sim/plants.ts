/**
 * Where a test can plant a bug, to prove that a checker sees it: the engine's own decisions, and wrappers around real parts. Nothing
 * here is known to production code.
 */
import type { PeerOptions } from '../cluster/index.ts';
import type { Consensus, Datastore, IpfsConnector, PinTracker, PubSub, Streams } from '../cluster/ports.ts';
import type { LogImage, LogStore, Raft, Rules } from '../core/raft/index.ts';
import type { ReplicatedPinset } from '../io/consensus/index.ts';
import type { RpcNode } from '../io/rpc/index.ts';

/** Each absent one leaves its part as it is. Some are of the world only. */
export interface Plants {
  readonly rules?: Partial<Rules>;
  /** Only these checkers judge a world: to see that one of them suffices. */
  readonly judges?: readonly string[];
  /** Around the engine, between it and its shell. */
  readonly engine?: (raft: Raft) => Raft;
  /** Around what the shell sees of the engine; checkers see the engine itself. */
  readonly shell?: (raft: Raft) => Raft;
  /** What a peer finds on its disk when it starts. */
  readonly image?: (image: LogImage) => LogImage;
  /** Around the log on disk, once for each life. */
  readonly log?: (log: LogStore) => LogStore;
  readonly state?: (store: Datastore) => Datastore;
  readonly pinset?: (pinset: ReplicatedPinset) => ReplicatedPinset;
  readonly rpc?: (rpc: RpcNode) => RpcNode;
  /** Around all of Raft, as the peer sees it. */
  readonly consensus?: (consensus: Consensus) => Consensus;
  readonly streams?: (streams: Streams) => Streams;
  readonly pubsub?: (pubsub: PubSub) => PubSub;
  readonly ipfs?: (ipfs: IpfsConnector) => IpfsConnector;
  /** How peers are set up. */
  readonly peerOptions?: (options: PeerOptions) => PeerOptions;
  /** Once for each life. */
  readonly trackerStore?: (store: Datastore) => Datastore;
  readonly tracker?: (tracker: PinTracker, ipfs: IpfsConnector) => PinTracker;
}
