/** A peer of a cluster inside another program. */
export { createCluster } from './create-cluster.ts';
export { Events } from './events.ts';
export { clusterOf, type Parts } from './facade.ts';
export { observerOf } from './observer.ts';
export type {
  ClusterOptions,
  EmbeddedIpfs,
  HttpDoor,
  KuboIpfs,
  PinningServiceDoor,
  ProxyDoor,
  RaftTuning,
} from './options.ts';
export { aboveZero, check, flag, type Rule, shape, wholeNumber } from './rules.ts';
export type { CallLimits, Cluster, ClusterEvents, Doors, PinRequest, StatusOptions, WaitOptions } from './types.ts';
