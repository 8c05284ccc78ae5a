/** A peer of a cluster inside another program. */
export { createCluster } from './create-cluster.ts';
export type {
  ClusterOptions,
  EmbeddedIpfs,
  HttpDoor,
  KuboIpfs,
  ProxyDoor,
  RaftTuning,
} from './options.ts';
export type {
  AlertInfo,
  CallLimits,
  CidLike,
  Cluster,
  ClusterEvents,
  Doors,
  PeerInfo,
  PeerPinStatus,
  PinEntry,
  PinRequest,
  PinStatus,
  StatusOptions,
  WaitOptions,
} from './types.ts';
