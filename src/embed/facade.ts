/** A `Cluster` over whatever peer stands behind it: a real one, or one of a test cluster in one of its lives. */
import { type Clock, errorCode, pause } from '../base/index.ts';
import type { CallOptions, ClusterApi } from '../cluster/ports.ts';
import { nearest } from '../model/config/index.ts';
import {
  type CordonMode,
  cordonModes,
  type PeerId,
  type PinPath,
  parsePeerId,
  type StatusFilter,
  trackerStatusBits,
} from '../model/index.ts';
import {
  alertOf,
  type CidLike,
  choiceOf,
  cidOf,
  entryOf,
  howFar,
  memberOf,
  type PinChoice,
  type PinEntry,
  type PinStatus,
  peerInfoOf,
  pinOptionsOf,
  statusOf,
  statusOfOne,
} from '../plain/index.ts';
import { badArgument, notReached } from './errors.ts';
import type { Events } from './events.ts';
import type { CallLimits, Cluster, ClusterEvents, Doors, PinRequest, StatusOptions, WaitOptions } from './types.ts';

const waitTimeoutMsDefault = 60_000;
const waitIntervalMsDefault = 250;
/** Peers have so long to answer the last look, too. */
const lookMsMin = 1000;

const callKeys = { signal: true, timeoutMs: true } as const satisfies Record<keyof CallLimits, true>;
const pinKeys: Readonly<Record<keyof PinRequest, true>> = {
  name: true,
  mode: true,
  replicationMin: true,
  replicationMax: true,
  allocations: true,
  expireAt: true,
  metadata: true,
  origins: true,
  update: true,
  ...callKeys,
};
const listKeys = { signal: true } as const;
const oneStatusKeys: Readonly<Record<keyof Omit<StatusOptions, 'filter'>, true>> = { local: true, ...callKeys };
const statusKeys: Readonly<Record<keyof StatusOptions, true>> = { filter: true, ...oneStatusKeys };
const waitKeys: Readonly<Record<keyof WaitOptions, true>> = {
  status: true,
  count: true,
  intervalMs: true,
  ...callKeys,
};
const eventNames: Readonly<Record<keyof ClusterEvents, true>> = {
  pin: true,
  unpin: true,
  replaced: true,
  peers: true,
  leader: true,
  alert: true,
};

/** What stands behind a `Cluster`. */
export interface Parts {
  readonly id: PeerId;
  readonly peername: string;
  readonly secret: string;
  readonly addresses: readonly string[];
  readonly doors: Doors;
  readonly ready: Promise<void>;
  readonly ended: Promise<Error | undefined>;
  readonly events: Events<ClusterEvents>;
  readonly clock: Clock;
  /** Throws while there is none. */
  api(): ClusterApi;
  leader(): PeerId | undefined;
  stop(): Promise<void>;
}

/** Makes the object that users hold. */
export function clusterOf(parts: Parts): Cluster {
  const { id, peername, secret, addresses, doors, events } = parts;
  const api = (): ClusterApi => parts.api();
  return {
    id,
    peername,
    secret,
    addresses,
    doors,
    get ready() {
      return parts.ready;
    },
    get ended() {
      return parts.ended;
    },
    pin: async (cid, request) => await pin(api(), cid, request),
    explain: async (cid, request) => await explain(api(), cid, request),
    unpin: async (cid, limits) => await unpin(api(), cid, limits),
    get: (cid) => get(api(), cid),
    pins: (options) => pins(api, options),
    readBarrier: async (limits) => await api().readBarrier(callOf(limits)),
    status: (cid, options) => status(api, cid, options),
    statusAll: (options) => statusAll(api, options),
    recover: (cid, options) => recover(api, cid, options),
    recoverAll: (options) => recoverAll(api, options),
    waitFor: (cid, options) => waitFor(api, parts.clock, cid, options),
    peers: async (limits) => await collected(mapped(api().peers(callOf(limits)), peerInfoOf)),
    removePeer: async (peer, limits) => await api().peerRemove(peerOf(peer), callOf(limits)),
    cordonPeer: async (peer, mode, limits) => await api().cordonPeer(peerOf(peer), cordonModeOf(mode), callOf(limits)),
    members: async (limits) => (await api().memberStates(callOf(limits))).map(memberOf),
    leader: () => parts.leader(),
    alerts: () => api().alerts().map(alertOf),
    on: (event, listener) => events.on(eventOf(event), listener),
    stop: () => parts.stop(),
    [Symbol.asyncDispose]: () => parts.stop(),
  };
}

async function pin(api: ClusterApi, cid: CidLike, request: PinRequest = {}): Promise<PinEntry> {
  const call = callOf(request, pinKeys);
  const options = pinOptionsOf(badArgument, request);
  const path = pathOf(cid);
  if (path === undefined) return entryOf(await api.pin(cidOf(badArgument, cid), options, call));
  const pinPath: PinPath = { ...options, path };
  return entryOf(await api.pinPath(pinPath, call));
}

async function explain(api: ClusterApi, cid: CidLike, request: PinRequest = {}): Promise<PinChoice> {
  const call = callOf(request, pinKeys);
  return choiceOf(await api.explainAllocation(cidOf(badArgument, cid), pinOptionsOf(badArgument, request), call));
}

async function unpin(api: ClusterApi, cid: CidLike, limits?: CallLimits): Promise<PinEntry> {
  const path = pathOf(cid);
  const call = callOf(limits);
  return entryOf(await (path === undefined ? api.unpin(cidOf(badArgument, cid), call) : api.unpinPath(path, call)));
}

function get(api: ClusterApi, cid: CidLike): PinEntry | undefined {
  try {
    return entryOf(api.pinGet(cidOf(badArgument, cid)));
  } catch (error) {
    if (errorCode(error) === 'cluster/not-pinned') return undefined;
    throw error;
  }
}

// Failures of lists come while they are iterated, whatever they are.

async function* pins(
  api: () => ClusterApi,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<PinEntry, void> {
  for await (const page of api().pins(callOf(options, listKeys))) for (const entry of page) yield entryOf(entry);
}

async function status(
  api: () => ClusterApi,
  cid: CidLike,
  options: Omit<StatusOptions, 'filter'> = {},
): Promise<PinStatus> {
  const call = callOf(options, oneStatusKeys);
  const wanted = cidOf(badArgument, cid);
  return options.local === true
    ? statusOfOne(await api().statusLocal(wanted, call))
    : statusOf(await api().status(wanted, call));
}

async function recover(
  api: () => ClusterApi,
  cid: CidLike,
  options: Omit<StatusOptions, 'filter'> = {},
): Promise<PinStatus> {
  const call = callOf(options, oneStatusKeys);
  const wanted = cidOf(badArgument, cid);
  return options.local === true
    ? statusOfOne(await api().recoverLocal(wanted, call))
    : statusOf(await api().recover(wanted, call));
}

async function* statusAll(api: () => ClusterApi, options: StatusOptions = {}): AsyncGenerator<PinStatus, void> {
  const call = callOf(options, statusKeys);
  const filter = filterOf(options.filter);
  if (options.local === true) yield* mapped(api().statusAllLocal(filter, call), statusOfOne);
  else yield* mapped(api().statusAll(filter, call), statusOf);
}

async function* recoverAll(
  api: () => ClusterApi,
  options: Omit<StatusOptions, 'filter'> = {},
): AsyncGenerator<PinStatus, void> {
  const call = callOf(options, oneStatusKeys);
  if (options.local === true) yield* mapped(api().recoverAllLocal(call), statusOfOne);
  else yield* mapped(api().recoverAll(call), statusOf);
}

async function waitFor(
  api: () => ClusterApi,
  clock: Clock,
  cid: CidLike,
  options: WaitOptions = {},
): Promise<PinStatus> {
  const call = callOf(options, waitKeys);
  const { status = 'pinned', count, timeoutMs = waitTimeoutMsDefault, intervalMs = waitIntervalMsDefault } = options;
  if (!(intervalMs > 0)) throw badArgument('intervalMs', intervalMs, 'milliseconds, more than 0');
  const wanted = cidOf(badArgument, cid);
  const endMs = clock.now() + timeoutMs;
  for (;;) {
    const lookMs = Math.max(lookMsMin, endMs - clock.now());
    const found = statusOf(await api().status(wanted, { ...call, timeoutMs: lookMs }));
    const concerned = Object.values(found.peers).filter((peer) => peer.status !== 'remote' || status === 'remote');
    const reached = concerned.filter((peer) => peer.status === status).length;
    if (reached > 0 && reached >= (count ?? concerned.length)) return found;
    if (clock.now() >= endMs) throw notReached(howFar(found, status, reached, count ?? concerned.length));
    await pause(clock, Math.min(intervalMs, endMs - clock.now()), options.signal);
    options.signal?.throwIfAborted();
  }
}

/** Throws `embed/bad-argument` for an option that nobody would read. */
function checkKeys(options: unknown, keys: Readonly<Record<string, true>>): void {
  if (typeof options !== 'object' || options === null) throw badArgument('the options', options, 'an object');
  for (const [key, value] of Object.entries(options)) {
    if (Object.hasOwn(keys, key)) continue;
    const names = Object.keys(keys);
    const guess = nearest(key, names);
    throw badArgument(key, value, guess === undefined ? `one of ${names.join(', ')}` : `that name to be "${guess}"`);
  }
}

function eventOf<Name extends keyof ClusterEvents>(name: Name): Name {
  if (Object.hasOwn(eventNames, name)) return name;
  throw badArgument('the event', name, `one of ${Object.keys(eventNames).join(', ')}`);
}

/** Paths are for whoever resolves them; everything else is a CID. */
function pathOf(cid: CidLike): string | undefined {
  return typeof cid === 'string' && cid.startsWith('/') ? cid : undefined;
}

function peerOf(text: unknown): PeerId {
  try {
    return parsePeerId(String(text));
  } catch (error) {
    throw badArgument('the peer', text, 'a peer id such as "12D3KooW…"', error);
  }
}

function cordonModeOf(value: unknown): CordonMode {
  const mode = cordonModes.find((known) => known === value);
  if (mode === undefined) throw badArgument('the mode', value, `one of ${cordonModes.join(', ')}`);
  return mode;
}

function filterOf(names: StatusOptions['filter'] = []): StatusFilter {
  let filter = 0;
  for (const name of names) {
    if (!Object.hasOwn(trackerStatusBits, name)) {
      throw badArgument('filter', name, `statuses: ${Object.keys(trackerStatusBits).join(', ')}`);
    }
    filter |= trackerStatusBits[name];
  }
  return filter;
}

/** Throws `embed/bad-argument`, also for what is none of `keys`. */
function callOf(limits: CallLimits = {}, keys: Readonly<Record<string, true>> = callKeys): CallOptions {
  checkKeys(limits, keys);
  const { signal, timeoutMs } = limits;
  if (timeoutMs !== undefined && !(Number.isFinite(timeoutMs) && timeoutMs >= 0)) {
    throw badArgument('timeoutMs', timeoutMs, 'milliseconds, 0 or more');
  }
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

async function* mapped<A, B>(values: AsyncIterable<A>, map: (value: A) => B): AsyncGenerator<B, void> {
  for await (const value of values) yield map(value);
}

async function collected<T>(values: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}
