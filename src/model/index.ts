export { Cid } from './cid.ts';
export type { Codec } from './codec.ts';
export { formatGoDuration, parseGoDuration } from './duration.ts';
export type { RpcMethod, RpcStreamMethod, RpcTrust } from './methods.ts';
export type { Alert, Metric, PingValue } from './metric.ts';
export { multiaddrFromBytes, multiaddrToBytes, parseMultiaddr, peerIdOfMultiaddr } from './multiaddr.ts';
export type { ConnectGraph, Id, IpfsId, Multiaddr, PeerId, Version } from './peer.ts';
export { parsePeerId, peerIdFromBytes, peerIdToBytes } from './peer-id.ts';
export { type Pin, type PinMode, type PinOptions, type PinPath, type PinType, pinTypeBits } from './pin.ts';
export {
  type GlobalPinInfo,
  type GlobalRepoGc,
  type IpfsPinInfo,
  type IpfsPinStatus,
  type IpfsRepoGc,
  type IpfsRepoStat,
  ipfsPinStatuses,
  type PinInfo,
  type PinInfoShort,
  type RepoGc,
  type StatusFilter,
  type TrackerStatus,
  trackerStatusBits,
  trackerStatusGroups,
} from './status.ts';
export { compareTimes, formatTime, parseTime, type Time, timeFromNanos, timeToNanos } from './time.ts';
