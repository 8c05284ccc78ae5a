/**
 * The REST API of a peer as typed calls. Runs wherever there is a transport; it depends on nothing else.
 * Source: Go `api/rest/client`.
 */
import {
  addedOutputJson,
  alertsJson,
  allocationExplanationJson,
  bandwidthByProtocolJson,
  type CordonMode,
  connectGraphJson,
  defaultPinOptions,
  formatPinOptions,
  formatQuery,
  formatStatusFilter,
  formatTime,
  globalPinInfoJson,
  globalRepoGcJson,
  idJson,
  type Json,
  memberStatesJson,
  metricsJson,
  operationInfoJson,
  type Pin,
  type PinOptions,
  type PinType,
  pinJson,
  pinOptionsParameters,
  rebalanceEventJson,
  replicationJson,
  textsJson,
  versionJson,
} from '../model/index.ts';
import { followEvents } from './events.ts';
import { Exchange, type ExchangeOptions, type List, type RequestOptions } from './exchange.ts';
import { fetchTransport, type Transport } from './transport.ts';
import type { AddOptions, AllocationOptions, Client, LocalOptions, PageOptions, SearchOptions } from './types.ts';

// In answers of our own.
const tokenAnswerJson: Json<{ readonly token: string }> = { print: JSON.stringify, parse: (text) => JSON.parse(text) };
const revocationAnswerJson: Json<{ readonly missed: Readonly<Record<string, string>> }> = {
  print: JSON.stringify,
  parse: (text) => JSON.parse(text),
};

/** How to reach a peer. */
export interface ClientOptions extends ExchangeOptions {
  /** Where the API is. Default `http://127.0.0.1:9094`; not used with `transport`. */
  readonly url?: string;
  readonly transport?: Transport;
}

/** A client for one peer, or for what the given transport reaches. */
export function createClient(options: ClientOptions = {}): Client {
  const transport = options.transport ?? fetchTransport({ url: options.url ?? 'http://127.0.0.1:9094' });
  const exchange = new Exchange(transport, options);
  const get = <T>(path: string, json: Json<T>, call?: RequestOptions): Promise<T> =>
    exchange.object({ method: 'GET', path }, json, call);
  const list = <T>(path: string, json: Json<T>, call?: RequestOptions & PageOptions): List<T> =>
    exchange.list({ method: 'GET', path, ...(call?.limit === undefined ? {} : { pageSize: call.limit }) }, json, call);
  // What comes to the same when it is done twice.
  const put = <T>(path: string, json: Json<T>, call?: RequestOptions, body?: string): Promise<T> =>
    exchange.object({ method: 'POST', path, isRepeatable: true, ...(body === undefined ? {} : { body }) }, json, call);
  const asked = (pinOptions: Partial<PinOptions> | undefined): string =>
    formatPinOptions({ ...defaultPinOptions, ...pinOptions });
  // A second time there would be nothing to unpin.
  const remove = (path: string, call?: RequestOptions): Promise<Pin> =>
    exchange.object({ method: 'DELETE', path }, pinJson, call);
  return {
    id: (call) => get('/id', idJson, call),
    version: async (call) => (await get('/version', versionJson, call)).version,
    health: (call) => exchange.nothing({ method: 'GET', path: '/health' }, call),
    peers: (call) => list('/peers', idJson, call),
    peerAdd: (peer, call) => put('/peers', idJson, call, JSON.stringify({ peer_id: peer })),
    peerRemove: (peer, call) =>
      exchange.nothing({ method: 'DELETE', path: `/peers/${encodeURIComponent(peer)}`, isRepeatable: true }, call),
    cordon: (peer, mode, call) => {
      const path = `/peers/${encodeURIComponent(peer)}/${actOfMode[mode]}`;
      return exchange.nothing({ method: 'POST', path, isRepeatable: true }, call);
    },
    memberStates: async (call) => (await get('/health/peers', memberStatesJson, call)) ?? [],
    pin: (cid, pinOptions, call) => put(`/pins/${cid}?${asked(pinOptions)}`, pinJson, call),
    pinPath: (path, pinOptions, call) => put(`/pins${encodePath(path)}?${asked(pinOptions)}`, pinJson, call),
    explainAllocation: (cid, pinOptions, call) =>
      get(`/pins/${cid}/allocation?${asked(pinOptions)}`, allocationExplanationJson, call),
    unpin: (cid, call) => remove(`/pins/${cid}`, call),
    unpinPath: (path, call) => remove(`/pins${encodePath(path)}`, call),
    allocation: (cid, call) => get(`/allocations/${cid}${more('?', linearizable(call))}`, pinJson, call),
    allocations: (call) => {
      const filter = encodeURIComponent(typeNames(call?.types));
      const query = { ...linearizable(call), ...page(call), ...search(call) };
      return list(`/allocations?filter=${filter}${more('&', query)}`, pinJson, call);
    },
    status: (cid, call) => get(`/pins/${cid}?${local(call)}`, globalPinInfoJson, call),
    statusCids: (cids, call) => list(`/pins?${local(call)}&filter=&cids=${cids.join(',')}`, globalPinInfoJson, call),
    statusAll: (call) => {
      const filter = encodeURIComponent(formatStatusFilter(call?.filter ?? 0));
      return list(`/pins?${local(call)}&filter=${filter}&cids=${more('&', page(call))}`, globalPinInfoJson, call);
    },
    recover: (cid, call) => put(`/pins/${cid}/recover?${local(call)}`, globalPinInfoJson, call),
    recoverAll: (call) => {
      const path = `/pins/recover?${local(call)}`;
      return exchange.list({ method: 'POST', path, isRepeatable: true }, globalPinInfoJson, call);
    },
    rebalance: (call) => {
      const path = `/rebalance?dry-run=${call?.dryRun === true}&max-moves=${call?.maxMoves ?? ''}`;
      return exchange.list({ method: 'POST', path }, rebalanceEventJson, call);
    },
    repoGc: (call) => exchange.object({ method: 'POST', path: `/ipfs/gc?${local(call)}` }, globalRepoGcJson, call),
    connectGraph: (call) => get('/health/graph', connectGraphJson, call),
    alerts: async (call) => (await get('/health/alerts', alertsJson, call)) ?? [],
    operations: (call) => {
      const cid = call?.cid === undefined ? '' : `&cid=${call.cid}`;
      return list(`/operations?${local(call)}${cid}`, operationInfoJson, call);
    },
    replication: (call) => get(`/health/replication?verify=${call?.verify === true}`, replicationJson, call),
    bandwidth: (call) => get('/health/bandwidth', bandwidthByProtocolJson, call),
    metricNames: async (call) => (await get('/monitor/metrics', textsJson, call)) ?? [],
    metrics: async (name, call) => (await get(`/monitor/metrics/${encodeURIComponent(name)}`, metricsJson, call)) ?? [],
    token: async (call) => {
      const query = given({ 'expires-in': call?.expiresIn, scope: call?.scope });
      return (await put(`/token${more('?', query)}`, tokenAnswerJson, call)).token;
    },
    revokeToken: async (token, call) =>
      (await put('/token/revoke', revocationAnswerJson, call, JSON.stringify({ token }))).missed,
    add: (upload, addOptions = {}, call) => {
      const isStreamed = addOptions.streamChannels ?? !exchange.hidesTrailers;
      const asked = {
        method: 'POST',
        path: `/add?${formatQuery(addParameters(addOptions, isStreamed))}`,
        headers: { 'Content-Type': upload.contentType },
        body: upload,
        // The same content has the same CID.
        isRepeatable: true,
        endsSilently: !exchange.hidesTrailers,
      } as const;
      return isStreamed ? exchange.list(asked, addedOutputJson, call) : exchange.array(asked, addedOutputJson, call);
    },
    events: (call) => followEvents(exchange, call),
  };
}

const actOfMode: Readonly<Record<CordonMode, string>> = { none: 'uncordon', cordoned: 'cordon', draining: 'drain' };

function local(options: LocalOptions | undefined): string {
  return `local=${options?.local === true}`;
}

type Values = Readonly<Record<string, string>>;

/** Parameters that are left out where they are not asked for: the requests are those of the Go client then. */
function more(separator: '?' | '&', values: Values): string {
  const query = formatQuery(values);
  return query === '' ? '' : separator + query;
}

/** What has a value. */
function given(values: Readonly<Record<string, string | number | boolean | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as const])),
  );
}

function linearizable(options: AllocationOptions | undefined): Values {
  return options?.linearizable === true ? { linearizable: 'true' } : {};
}

function page({ limit, cursor }: PageOptions = {}): Values {
  return given({ limit, cursor });
}

function search({ name, namePrefix, metadata = {}, createdAfter, createdBefore }: SearchOptions = {}): Values {
  return {
    ...given({
      name,
      'name-prefix': namePrefix,
      'created-after': createdAfter && formatTime(createdAfter),
      'created-before': createdBefore && formatTime(createdBefore),
    }),
    ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`meta-${key}`, value])),
  };
}

function addParameters(options: AddOptions, isStreamed: boolean): Values {
  return {
    ...pinOptionsParameters({ ...defaultPinOptions, ...options.pin }),
    ...given({
      layout: options.layout,
      chunker: options.chunker,
      hash: options.hash,
      format: options.format,
      local: options.local,
      recursive: options.recursive,
      hidden: options.hidden,
      'wrap-with-directory': options.wrapWithDirectory,
      shard: options.shard,
      progress: options.progress,
      'cid-version': options.cidVersion,
      'raw-leaves': options.rawLeaves,
      'stream-channels': isStreamed,
      nocopy: options.noCopy,
      'no-pin': options.noPin,
    }),
  };
}

/** Names of the API; `bad` is spelled otherwise there. */
function typeNames(types: readonly PinType[] | undefined): string {
  return types === undefined ? 'all' : types.map((type) => (type === 'bad' ? 'bad-type' : type)).join(',');
}

/** Slashes stay; everything else that means something in a URL is escaped. */
function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
