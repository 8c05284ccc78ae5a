export { type ClientOptions, createClient } from './client.ts';
export { RequestError, type RequestErrorOptions } from './errors.ts';
export {
  type Credentials,
  type ExchangeOptions,
  type List,
  type ListResult,
  listOf,
  type RequestOptions,
} from './exchange.ts';
export { type FailoverOptions, failoverTransport } from './failover.ts';
export { systemClock } from './system.ts';
export {
  type FetchTransportOptions,
  fetchTransport,
  type RequestBody,
  type Transport,
  type TransportRequest,
  type TransportResponse,
  unreachable,
} from './transport.ts';
export type {
  AddOptions,
  AllocationOptions,
  AllocationsOptions,
  Client,
  EventsOptions,
  LocalOptions,
  OperationsOptions,
  PageOptions,
  RebalanceOptions,
  ReplicationOptions,
  SearchOptions,
  ServerEvent,
  StatusAllOptions,
  TokenOptions,
} from './types.ts';
export {
  type ByteStream,
  type Content,
  createUpload,
  type Upload,
  type UploadEntry,
  type UploadOptions,
  type UploadProgress,
} from './upload.ts';
export { type WaitForOptions, waitFor } from './wait-for.ts';
