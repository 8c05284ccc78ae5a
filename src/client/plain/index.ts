/** The HTTP client of a cluster, in plain data: what programs import as `ipfs-cluster/client`. */
export { errorCode, OperatingError, type Outcome } from '../../base/index.ts';
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
} from '../../plain/index.ts';
export {
  type ByteStream,
  type Content,
  type Credentials,
  type List,
  type LocalOptions,
  type PageOptions,
  type RebalanceOptions,
  type ReplicationOptions,
  RequestError,
  type RequestOptions,
  type TokenOptions,
  type UploadEntry,
  type UploadProgress,
} from '../index.ts';
export { createClient } from './client.ts';
export type { Added, MetricInfo, Plain, Traffic } from './data.ts';
export { WaitError } from './errors.ts';
export type { ClusterEvent } from './events.ts';
export type {
  AddDirectoryRequest,
  AddFileRequest,
  AddRequest,
  Client,
  ClientOptions,
  DirectoryContent,
  EventsRequest,
  GetOptions,
  PinRequest,
  PinsOptions,
  SearchRequest,
  StatusOptions,
  WaitOptions,
} from './types.ts';
