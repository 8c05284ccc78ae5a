/**
 * The library: peers of a cluster inside a program; the words of an IPFS cluster as types, the readers and writers of its
 * texts, and the configuration of a peer. The typed HTTP client is `ipfs-cluster/client`.
 */
export { errorCode, type LogFields, type Logger, OperatingError, type Outcome, version } from './base/index.ts';
export {
  type CallLimits,
  type Cluster,
  type ClusterEvents,
  type ClusterOptions,
  createCluster,
  type Doors,
  type EmbeddedIpfs,
  type HttpDoor,
  type KuboIpfs,
  type PinningServiceDoor,
  type PinRequest,
  type ProxyDoor,
  type RaftTuning,
  type StatusOptions,
  type WaitOptions,
} from './embed/index.ts';
export {
  type ClusterConfig,
  defaultsOf,
  type Environment,
  initialService,
  overrideService,
  readService,
  type ServiceConfig,
  writeService,
} from './model/config/index.ts';
export {
  type Alert,
  Cid,
  type ConnectGraph,
  type CordonMode,
  formatGoDuration,
  type GlobalPinInfo,
  type Id,
  type IpfsId,
  type MemberCondition,
  type MemberState,
  type Metric,
  type Multiaddr,
  type PeerId,
  type Pin,
  type PinInfo,
  type PinMode,
  type PinOptions,
  type PinType,
  parseGoDuration,
  parseMultiaddr,
  parsePeerId,
  type Time,
  type TrackerStatus,
  type Version,
} from './model/index.ts';
export type {
  AlertInfo,
  CidLike,
  MemberInfo,
  PeerChoice,
  PeerInfo,
  PeerPinStatus,
  PinChoice,
  PinEntry,
  PinSettings,
  PinStatus,
} from './plain/index.ts';
export {
  createTestCluster,
  type Patience,
  type TestCluster,
  type TestClusterOptions,
  type TestIpfs,
} from './testing/index.ts';
