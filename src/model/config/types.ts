/**
 * The configuration of a peer as the program uses it: parsed, checked, times in milliseconds.
 * Names are those of the file in camel case, times with their unit; the tables beside this file hold the rest.
 * Source: the `config.go` of each component of the Go peer.
 */
import type { Multiaddr, PeerId } from '../index.ts';
import type { JsonObject } from './json.ts';

/** How many connections the host keeps. */
export interface ConnectionManagerConfig {
  readonly highWater: number;
  readonly lowWater: number;
  readonly gracePeriodMs: number;
}

/** What the network stack may use. Read and written; nothing here limits by it. */
export interface ResourceManagerConfig {
  readonly enabled: boolean;
  /** 0: a quarter of the memory. */
  readonly memoryLimitBytes: number;
  /** 0: half of what the process may open. */
  readonly fileDescriptorsLimit: number;
}

/** The gossip between members. */
export interface PubsubConfig {
  readonly seenMessagesTtlMs: number;
  readonly heartbeatIntervalMs: number;
  /** Scales the gossip mesh: D is 6 times this, the low mark 5 times, the high mark 12 times. */
  readonly dFactor: number;
  readonly historyGossip: number;
  readonly historyLength: number;
  readonly floodPublish: boolean;
}

/** Section `cluster`: who the peer is and how it behaves as a member. */
export interface ClusterConfig {
  /** Only the source of `identity.json` when that file is missing; empty otherwise. */
  readonly id: PeerId;
  /** Never empty after loading: the host name stands in. */
  readonly peername: string;
  /** As `id`: base64 of the key's protobuf. */
  readonly privateKey: string;
  /** 64 lower-case hexadecimal digits, or empty for an open network. */
  readonly secret: string;
  readonly leaveOnShutdown: boolean;
  readonly listenMultiaddress: readonly Multiaddr[];
  readonly announceMultiaddress: readonly Multiaddr[];
  readonly noAnnounceMultiaddress: readonly Multiaddr[];
  readonly enableRelayHop: boolean;
  readonly connectionManager: ConnectionManagerConfig;
  readonly resourceManager: ResourceManagerConfig;
  readonly pubsub: PubsubConfig;
  readonly dialPeerTimeoutMs: number;
  readonly stateSyncIntervalMs: number;
  readonly pinRecoverIntervalMs: number;
  readonly replicationFactorMin: number;
  readonly replicationFactorMax: number;
  /** Between pings; a ping stays valid for twice as long. */
  readonly monitorPingIntervalMs: number;
  readonly peerWatchIntervalMs: number;
  /** 0 or less: no multicast discovery. */
  readonly mdnsIntervalMs: number;
  readonly pinOnlyOnTrustedPeers: boolean;
  readonly pinOnlyOnUntrustedPeers: boolean;
  readonly disableRepinning: boolean;
  /** How long a member may be missing before its pins move. */
  readonly repinGracePeriodMs: number;
  /** Pins moved in a second, by one peer. */
  readonly repinMaxPerSecond: number;
  readonly followerMode: boolean;
  /** File name inside the folder of the peer. */
  readonly peerstoreFile: string;
  readonly peerAddresses: readonly Multiaddr[];
}

/** Section `consensus.raft`. */
export interface RaftConfig {
  /** Empty: `raft` inside the folder of the peer. A relative path is relative to the working directory. */
  readonly dataFolder: string;
  readonly initPeerset: readonly PeerId[];
  readonly waitForLeaderTimeoutMs: number;
  readonly networkTimeoutMs: number;
  readonly commitRetries: number;
  readonly commitRetryDelayMs: number;
  readonly backupsRotate: number;
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
  readonly commitTimeoutMs: number;
  readonly maxAppendEntries: number;
  readonly trailingLogs: number;
  readonly snapshotIntervalMs: number;
  readonly snapshotThreshold: number;
  readonly leaderLeaseTimeoutMs: number;
}

/** Keys of the REST API and of the pinning service API. */
export interface HttpApiConfig {
  /** TCP or `/unix/…`. */
  readonly httpListenMultiaddress: readonly Multiaddr[];
  /** Relative to the folder of the peer; both or none. */
  readonly sslCertFile: string;
  readonly sslKeyFile: string;
  readonly readTimeoutMs: number;
  readonly readHeaderTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly libp2pListenMultiaddress: readonly Multiaddr[];
  readonly id: PeerId;
  readonly privateKey: string;
  /** Passwords by user; `null` lets everybody in. */
  readonly basicAuthCredentials: Readonly<Record<string, string>> | null;
  /** Passwords by user of those who may use what changes nothing; `null`: there are none. */
  readonly readOnlyCredentials: Readonly<Record<string, string>> | null;
  /** Requests of one remote address, and of one user, in a minute; 0: any number. */
  readonly rateLimitPerMinute: number;
  /** Empty: the log. Relative to the folder of the peer. */
  readonly httpLogFile: string;
  /** Added to every answer. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly corsAllowedOrigins: readonly string[];
  readonly corsAllowedMethods: readonly string[];
  readonly corsAllowedHeaders: readonly string[];
  readonly corsExposedHeaders: readonly string[];
  readonly corsAllowCredentials: boolean;
  readonly corsMaxAgeMs: number;
}

/** Section `api.ipfsproxy`: an IPFS API whose pins go through the cluster. */
export interface IpfsProxyConfig {
  readonly listenMultiaddress: readonly Multiaddr[];
  readonly nodeMultiaddress: Multiaddr;
  readonly nodeHttps: boolean;
  readonly logFile: string;
  readonly readTimeoutMs: number;
  readonly readHeaderTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly extractHeadersExtra: readonly string[];
  readonly extractHeadersPath: string;
  readonly extractHeadersTtlMs: number;
}

/** Section `ipfs_connector.ipfshttp`: the IPFS node beside the peer, and limits for any node. */
export interface IpfsHttpConfig {
  readonly nodeMultiaddress: Multiaddr;
  readonly connectSwarmsDelayMs: number;
  readonly ipfsRequestTimeoutMs: number;
  readonly pinTimeoutMs: number;
  readonly unpinTimeoutMs: number;
  readonly repogcTimeoutMs: number;
  /** Ask for free space after so many pins; 0: never. */
  readonly informerTriggerInterval: number;
  readonly unpinDisable: boolean;
}

/** Our own section: the IPFS node inside the peer's process. The connector and the proxy then speak to it. */
export interface EmbeddedIpfsConfig {
  /** Holds blocks, pins and the node's own key. Relative to the folder of the peer. */
  readonly repoFolder: string;
  /** Where the node serves the Kubo RPC. It has no authentication: loopback, unless you know who can reach it. */
  readonly rpcListenMultiaddress: Multiaddr;
  /** Where the node talks to other IPFS nodes. */
  readonly swarmListenMultiaddress: readonly Multiaddr[];
  /** Connected at start and kept; each ends with `/p2p/<id>`. */
  readonly swarmPeers: readonly Multiaddr[];
  /** What `repo/stat` tells as the limit, and what free space is counted against. */
  readonly storageMaxBytes: number;
  /** Collect garbage when the repo holds more than this part of the limit; 0: only when asked. */
  readonly gcWatermark: number;
}

/** Section `pin_tracker.stateless`. */
export interface StatelessTrackerConfig {
  readonly maxPinQueueSize: number;
  readonly concurrentPins: number;
  readonly priorityPinMaxAgeMs: number;
  readonly priorityPinMaxRetries: number;
}

/** Section `monitor.pubsubmon`. */
export interface PubsubMonitorConfig {
  readonly checkIntervalMs: number;
}

/** Section `allocator.balanced`: names of metrics, the most important first. */
export interface BalancedAllocatorConfig {
  readonly allocateBy: readonly string[];
}

/** Section `informer.numpin`. */
export interface NumpinInformerConfig {
  readonly metricTtlMs: number;
}

/** Section `informer.disk`. */
export interface DiskInformerConfig {
  readonly metricTtlMs: number;
  readonly metricType: 'freespace' | 'reposize';
}

/** Section `informer.pinqueue`. */
export interface PinQueueInformerConfig {
  readonly metricTtlMs: number;
  readonly weightBucketSize: number;
}

/** Section `informer.tags`. */
export interface TagsInformerConfig {
  readonly metricTtlMs: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** Section `observations.metrics`. */
export interface MetricsConfig {
  readonly enableStats: boolean;
  readonly prometheusEndpoint: Multiaddr;
  readonly reportingIntervalMs: number;
}

/** Section `observations.tracing`. */
export interface TracingConfig {
  readonly enableTracing: boolean;
  readonly jaegerAgentEndpoint: Multiaddr;
  readonly samplingProb: number;
  readonly serviceName: string;
}

/**
 * All of `service.json`. What may be missing is missing when its section is: then that part of the peer does not run.
 * Parts that always run have their defaults when their section is missing.
 */
export interface ServiceConfig {
  readonly cluster: ClusterConfig;
  readonly raft?: RaftConfig | undefined;
  /** Kept as it was read; CRDT consensus is not built yet. */
  readonly crdt?: JsonObject | undefined;
  readonly restapi?: HttpApiConfig | undefined;
  readonly pinsvcapi?: HttpApiConfig | undefined;
  readonly ipfsproxy?: IpfsProxyConfig | undefined;
  readonly ipfshttp: IpfsHttpConfig;
  readonly embedded?: EmbeddedIpfsConfig | undefined;
  readonly stateless: StatelessTrackerConfig;
  readonly pubsubmon: PubsubMonitorConfig;
  readonly balanced: BalancedAllocatorConfig;
  readonly disk?: DiskInformerConfig | undefined;
  readonly numpin?: NumpinInformerConfig | undefined;
  readonly pinqueue?: PinQueueInformerConfig | undefined;
  readonly tags?: TagsInformerConfig | undefined;
  readonly metrics: MetricsConfig;
  readonly tracing: TracingConfig;
  /** Sections of the Go peer's databases, kept as they were read. Raft does not use them. */
  readonly datastore?: JsonObject | undefined;
}
