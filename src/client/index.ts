export {
  type AllocationsOptions,
  type Client,
  type ClientOptions,
  createClient,
  type LocalOptions,
  type OperationsOptions,
  type RebalanceOptions,
  type ReplicationOptions,
  type RequestOptions,
  type StatusAllOptions,
} from './client.ts';
export { RequestError, type RequestErrorOptions } from './errors.ts';
export {
  type FetchTransportOptions,
  failoverTransport,
  fetchTransport,
  type Transport,
  type TransportRequest,
  type TransportResponse,
  unreachable,
} from './transport.ts';
export { type WaitForOptions, waitFor } from './wait-for.ts';
