/** The configuration of a peer: tables of its file, its defaults and its environment variables. Pure. */
export { badValue } from './errors.ts';
export type { Section } from './field.ts';
export { type FlatService, isFlatService, readFlatService } from './flat.ts';
export { embeddedSection } from './ipfs-connector.ts';
export { isJsonObject, type Json, type JsonObject } from './json.ts';
export { nearest } from './nearest.ts';
export { defaultsOf, type Environment, type Warn, type WriteOptions } from './section.ts';
export { type InitialOptions, initialService, overrideService, readService, writeService } from './service.ts';
export type {
  BalancedAllocatorConfig,
  ClusterConfig,
  ConnectionManagerConfig,
  DiskInformerConfig,
  EmbeddedIpfsConfig,
  HttpApiConfig,
  IpfsHttpConfig,
  IpfsProxyConfig,
  MetricsConfig,
  NumpinInformerConfig,
  PinQueueInformerConfig,
  PubsubConfig,
  PubsubMonitorConfig,
  RaftConfig,
  ResourceManagerConfig,
  ServiceConfig,
  StatelessTrackerConfig,
  TagsInformerConfig,
  TracingConfig,
} from './types.ts';
export { keysWithoutEffect, pathsWithoutEffect } from './without-effect.ts';
