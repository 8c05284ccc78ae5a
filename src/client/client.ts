/**
 * The REST API of a peer as typed calls. Runs wherever there is a transport; it depends on nothing else.
 * Source: Go `api/rest/client`.
 */
import { errorCode, errorMessage, utf8Encode } from '../base/index.ts';
import {
  type Alert,
  type AllocationExplanation,
  alertsJson,
  allocationExplanationJson,
  apiErrorJson,
  type BandwidthByProtocol,
  bandwidthByProtocolJson,
  type Cid,
  type ConnectGraph,
  type CordonMode,
  connectGraphJson,
  defaultPinOptions,
  formatPinOptions,
  formatStatusFilter,
  type GlobalPinInfo,
  type GlobalRepoGc,
  globalPinInfoJson,
  globalRepoGcJson,
  type Id,
  idJson,
  type Json,
  type MemberState,
  type Metric,
  memberStatesJson,
  metricsJson,
  type OperationInfo,
  operationInfoJson,
  type PeerId,
  type Pin,
  type PinOptions,
  type PinType,
  pinJson,
  type RebalanceEvent,
  type Replication,
  rebalanceEventJson,
  replicationJson,
  type StatusFilter,
  textsJson,
  versionJson,
} from '../model/index.ts';
import { RequestError } from './errors.ts';
import { linesOf, textOf } from './lines.ts';
import {
  fetchTransport,
  type Transport,
  type TransportRequest,
  type TransportResponse,
  unreachable,
} from './transport.ts';

/** How to reach a peer. */
export interface ClientOptions {
  /** Where the API is. Default `http://127.0.0.1:9094`; not used with `transport`. */
  readonly url?: string;
  readonly transport?: Transport;
  /** Sent with every request. */
  readonly credentials?: { readonly user: string; readonly password: string } | { readonly token: string };
  /** Milliseconds for one exchange, its body included. Default: no limit. */
  readonly timeoutMs?: number;
}

/** What every call takes. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** Whom to ask. */
export interface LocalOptions extends RequestOptions {
  /** Ask only the peer that is called. Default false. */
  readonly local?: boolean;
}

/** Which pins to list. */
export interface StatusAllOptions extends LocalOptions {
  /** See `parseStatusFilter`. Default 0, all. */
  readonly filter?: StatusFilter;
}

/** Which unfinished work to list. */
export interface OperationsOptions extends LocalOptions {
  /** Only of this CID. Default: all. */
  readonly cid?: Cid;
}

/** How the pinset is read. */
export interface AllocationOptions extends RequestOptions {
  /**
   * Show all that any peer has acknowledged before. Refused with status 503 or 504 while no quorum confirms that, and while a Go peer
   * leads; a Go peer that is asked itself does not know the option. Default false: as far as the asked peer knows.
   */
  readonly linearizable?: boolean;
}

/** How replicas are counted. */
export interface ReplicationOptions extends RequestOptions {
  /** Ask all members what they have pinned, rather than count allocations to members that are alive. Default false. */
  readonly verify?: boolean;
}

/** How pins are rebalanced. */
export interface RebalanceOptions extends RequestOptions {
  /** Tell what would be moved, and move nothing. Default false. */
  readonly dryRun?: boolean;
  /** Moves at most. Default 1,000. */
  readonly maxMoves?: number;
}

/** What part of the pinset to list. */
export interface AllocationsOptions extends AllocationOptions {
  /** Default: all types. */
  readonly types?: readonly PinType[];
}

/**
 * Calls of a peer's REST API. All fail with `RequestError`; lists are read from the network while they are iterated,
 * and fail at their end when the peer could not complete them.
 */
export interface Client {
  id(options?: RequestOptions): Promise<Id>;
  version(options?: RequestOptions): Promise<string>;
  /** Resolves when the peer's API serves. */
  health(options?: RequestOptions): Promise<void>;
  peers(options?: RequestOptions): AsyncIterable<Id>;
  peerAdd(peer: PeerId, options?: RequestOptions): Promise<Id>;
  peerRemove(peer: PeerId, options?: RequestOptions): Promise<void>;
  /** Tells a member to take nothing new, to be emptied, or to take what it is given. Go peers answer with status 404 or 405. */
  cordon(peer: PeerId, mode: CordonMode, options?: RequestOptions): Promise<void>;
  /** How all members are, as the peer that is asked sees them. Go peers answer with status 404. */
  memberStates(options?: RequestOptions): Promise<readonly MemberState[]>;
  pin(cid: Cid, pinOptions?: Partial<PinOptions>, options?: RequestOptions): Promise<Pin>;
  /** `path` begins with `/ipfs/`, `/ipns/` or `/ipld/`. */
  pinPath(path: string, pinOptions?: Partial<PinOptions>, options?: RequestOptions): Promise<Pin>;
  /**
   * Which peers `pin` would choose now, and why; nothing is written. Where allocating would fail it resolves, with `error`. Go peers do
   * not have this call: status 404.
   */
  explainAllocation(
    cid: Cid,
    pinOptions?: Partial<PinOptions>,
    options?: RequestOptions,
  ): Promise<AllocationExplanation>;
  unpin(cid: Cid, options?: RequestOptions): Promise<Pin>;
  unpinPath(path: string, options?: RequestOptions): Promise<Pin>;
  allocation(cid: Cid, options?: AllocationOptions): Promise<Pin>;
  allocations(options?: AllocationsOptions): AsyncIterable<Pin>;
  status(cid: Cid, options?: LocalOptions): Promise<GlobalPinInfo>;
  statusCids(cids: readonly Cid[], options?: LocalOptions): AsyncIterable<GlobalPinInfo>;
  statusAll(options?: StatusAllOptions): AsyncIterable<GlobalPinInfo>;
  recover(cid: Cid, options?: LocalOptions): Promise<GlobalPinInfo>;
  recoverAll(options?: LocalOptions): AsyncIterable<GlobalPinInfo>;
  /**
   * Moves pins so that they are spread over groups and peers have equally many: each move when it is planned or has ended, then the
   * summary. Whoever stops reading ends it: no more moves are begun. Go peers answer with status 404.
   */
  rebalance(options?: RebalanceOptions): AsyncIterable<RebalanceEvent>;
  repoGc(options?: LocalOptions): Promise<GlobalRepoGc>;
  connectGraph(options?: RequestOptions): Promise<ConnectGraph>;
  alerts(options?: RequestOptions): Promise<readonly Alert[]>;
  /** Unfinished work of the peers, with a row for each that could not be asked. Go peers answer with status 404. */
  operations(options?: OperationsOptions): AsyncIterable<OperationInfo>;
  /** Not known to Go peers. */
  replication(options?: ReplicationOptions): Promise<Replication>;
  bandwidth(options?: RequestOptions): Promise<BandwidthByProtocol>;
  metricNames(options?: RequestOptions): Promise<readonly string[]>;
  metrics(name: string, options?: RequestOptions): Promise<readonly Metric[]>;
}

/** A client for one peer, or for what the given transport reaches. */
export function createClient(options: ClientOptions = {}): Client {
  const exchange = new Exchange(options);
  const asked = (pinOptions: Partial<PinOptions> | undefined): string =>
    formatPinOptions({ ...defaultPinOptions, ...pinOptions });
  const pinning = (path: string, pinOptions: Partial<PinOptions> | undefined, call?: RequestOptions): Promise<Pin> =>
    exchange.object('POST', `${path}?${asked(pinOptions)}`, pinJson, call);
  return {
    id: (call) => exchange.object('GET', '/id', idJson, call),
    version: async (call) => (await exchange.object('GET', '/version', versionJson, call)).version,
    health: (call) => exchange.nothing('GET', '/health', call),
    peers: (call) => exchange.stream('GET', '/peers', idJson, call),
    peerAdd: (peer, call) => exchange.object('POST', '/peers', idJson, call, JSON.stringify({ peer_id: peer })),
    peerRemove: (peer, call) => exchange.nothing('DELETE', `/peers/${encodeURIComponent(peer)}`, call),
    cordon: (peer, mode, call) =>
      exchange.nothing('POST', `/peers/${encodeURIComponent(peer)}/${actOfMode[mode]}`, call),
    memberStates: async (call) => (await exchange.object('GET', '/health/peers', memberStatesJson, call)) ?? [],
    pin: (cid, pinOptions, call) => pinning(`/pins/${cid}`, pinOptions, call),
    pinPath: (path, pinOptions, call) => pinning(`/pins${encodePath(path)}`, pinOptions, call),
    explainAllocation: (cid, pinOptions, call) =>
      exchange.object('GET', `/pins/${cid}/allocation?${asked(pinOptions)}`, allocationExplanationJson, call),
    unpin: (cid, call) => exchange.object('DELETE', `/pins/${cid}`, pinJson, call),
    unpinPath: (path, call) => exchange.object('DELETE', `/pins${encodePath(path)}`, pinJson, call),
    allocation: (cid, call) => exchange.object('GET', `/allocations/${cid}${linearizable('?', call)}`, pinJson, call),
    allocations: (call) => {
      const filter = encodeURIComponent(typeNames(call?.types));
      return exchange.stream('GET', `/allocations?filter=${filter}${linearizable('&', call)}`, pinJson, call);
    },
    status: (cid, call) => exchange.object('GET', `/pins/${cid}?${local(call)}`, globalPinInfoJson, call),
    statusCids: (cids, call) =>
      exchange.stream('GET', `/pins?${local(call)}&filter=&cids=${cids.join(',')}`, globalPinInfoJson, call),
    statusAll: (call) => {
      const filter = encodeURIComponent(formatStatusFilter(call?.filter ?? 0));
      return exchange.stream('GET', `/pins?${local(call)}&filter=${filter}&cids=`, globalPinInfoJson, call);
    },
    recover: (cid, call) => exchange.object('POST', `/pins/${cid}/recover?${local(call)}`, globalPinInfoJson, call),
    recoverAll: (call) => exchange.stream('POST', `/pins/recover?${local(call)}`, globalPinInfoJson, call),
    rebalance: (call) => {
      const query = `dry-run=${call?.dryRun === true}&max-moves=${call?.maxMoves ?? ''}`;
      return exchange.stream('POST', `/rebalance?${query}`, rebalanceEventJson, call);
    },
    repoGc: (call) => exchange.object('POST', `/ipfs/gc?${local(call)}`, globalRepoGcJson, call),
    connectGraph: (call) => exchange.object('GET', '/health/graph', connectGraphJson, call),
    alerts: async (call) => (await exchange.object('GET', '/health/alerts', alertsJson, call)) ?? [],
    operations: (call) => {
      const cid = call?.cid === undefined ? '' : `&cid=${call.cid}`;
      return exchange.stream('GET', `/operations?${local(call)}${cid}`, operationInfoJson, call);
    },
    replication: (call) =>
      exchange.object('GET', `/health/replication?verify=${call?.verify === true}`, replicationJson, call),
    bandwidth: (call) => exchange.object('GET', '/health/bandwidth', bandwidthByProtocolJson, call),
    metricNames: async (call) => (await exchange.object('GET', '/monitor/metrics', textsJson, call)) ?? [],
    metrics: async (name, call) =>
      (await exchange.object('GET', `/monitor/metrics/${encodeURIComponent(name)}`, metricsJson, call)) ?? [],
  };
}

const actOfMode: Readonly<Record<CordonMode, string>> = { none: 'uncordon', cordoned: 'cordon', draining: 'drain' };

function local(options: LocalOptions | undefined): string {
  return `local=${options?.local === true}`;
}

/** Left out where it is not asked for: the requests are those of the Go client then. */
function linearizable(separator: '?' | '&', options: AllocationOptions | undefined): string {
  return options?.linearizable === true ? `${separator}linearizable=true` : '';
}

/** Names of the API; `bad` is spelled otherwise there. */
function typeNames(types: readonly PinType[] | undefined): string {
  return types === undefined ? 'all' : types.map((type) => (type === 'bad' ? 'bad-type' : type)).join(',');
}

/** Slashes stay; everything else that means something in a URL is escaped. */
function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** Sends requests and reads the three forms of answers. */
class Exchange {
  readonly #transport: Transport;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number | undefined;

  constructor(options: ClientOptions) {
    this.#transport = options.transport ?? fetchTransport({ url: options.url ?? 'http://127.0.0.1:9094' });
    this.#headers = options.credentials === undefined ? {} : { Authorization: authorization(options.credentials) };
    this.#timeoutMs = options.timeoutMs;
  }

  async object<T>(
    method: TransportRequest['method'],
    path: string,
    json: Json<T>,
    options: RequestOptions | undefined,
    body?: string,
  ): Promise<T> {
    const response = await this.#send(method, path, options, body);
    const text = await textOf(response.body);
    checkStatus(response.status, text);
    return parsed(json, text, response.status);
  }

  async nothing(method: TransportRequest['method'], path: string, options: RequestOptions | undefined): Promise<void> {
    const response = await this.#send(method, path, options);
    checkStatus(response.status, await textOf(response.body));
  }

  async *stream<T>(
    method: TransportRequest['method'],
    path: string,
    json: Json<T>,
    options: RequestOptions | undefined,
  ): AsyncIterable<T> {
    const response = await this.#send(method, path, options);
    if (response.status !== 200 && response.status !== 204) {
      checkStatus(response.status, await textOf(response.body));
      const message = 'expected streaming response with code 200/204';
      throw new RequestError('client/bad-answer', message, { status: response.status });
    }
    for await (const line of linesOf(response.body)) yield parsed(json, line, response.status);
    const errors = response.streamErrors().filter((text) => text !== '');
    if (errors.length > 0) throw new RequestError('client/stream', errors.join('; '), { status: 500 });
  }

  async #send(
    method: TransportRequest['method'],
    path: string,
    options: RequestOptions | undefined,
    body?: string,
  ): Promise<TransportResponse> {
    const signals: AbortSignal[] = [];
    if (options?.signal !== undefined) signals.push(options.signal);
    if (this.#timeoutMs !== undefined) signals.push(AbortSignal.timeout(this.#timeoutMs));
    const response = await this.#transport({
      method,
      path,
      headers: this.#headers,
      ...(body === undefined ? {} : { body }),
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
    });
    return { ...response, body: guarded(response.body, method, path) };
  }
}

/** An answer that breaks off counts as none. */
async function* guarded(body: AsyncIterable<Uint8Array>, method: string, path: string): AsyncIterable<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw unreachable(method, path, error);
  }
}

function authorization(credentials: NonNullable<ClientOptions['credentials']>): string {
  if ('token' in credentials) return `Bearer ${credentials.token}`;
  const bytes = utf8Encode(`${credentials.user}:${credentials.password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** The error of a refusal: what the peer says, or its whole body where that is not the API's error. */
function checkStatus(status: number, text: string): void {
  if (status < 400) return;
  let message = text;
  try {
    // A Go peer can append a second document to a refusal; the first one counts.
    const first = text.slice(0, text.indexOf('\n') < 0 ? undefined : text.indexOf('\n'));
    const error = apiErrorJson.parse(first.startsWith('{') ? first : text);
    if (error.message !== '') message = error.message;
  } catch {
    // Not from the API: a proxy's page, or an empty 405.
  }
  // Not JSON, and without a word on the limit.
  if (status === 431) message = `${message.trim()}: the request is longer than the peer's max_header_bytes allows`;
  throw new RequestError('client/refused', message === '' ? `status ${status} without a body` : message, { status });
}

function parsed<T>(json: Json<T>, text: string, status: number): T {
  try {
    return json.parse(text);
  } catch (error) {
    if (errorCode(error) !== 'model/bad-json') throw error;
    throw new RequestError('client/bad-answer', `Cannot read answer: ${errorMessage(error)}`, { status, cause: error });
  }
}
