/** The client in plain data: between what users give and get and the words of the model. */
import { errorCode } from '../../base/index.ts';
import {
  type Cid,
  cordonModes,
  type PinType,
  parsePeerId,
  type StatusFilter,
  trackerStatusBits,
  trackerStatusGroups,
} from '../../model/index.ts';
import {
  alertOf,
  type CidLike,
  choiceOf,
  entryOf,
  memberOf,
  peerInfoOf,
  pinOptionsOf,
  cidOf as plainCidOf,
  statusOf,
  timeOf,
} from '../../plain/index.ts';
import {
  type AllocationsOptions,
  createClient as createModelClient,
  failoverTransport,
  fetchTransport,
  type List,
  type ListResult,
  listOf,
  type RequestOptions,
  systemClock,
  type Transport,
} from '../index.ts';
import { addCar, addDirectory, addFile } from './add.ts';
import { metricOf, plainOf } from './data.ts';
import { badArgument, isTime, timeExpected } from './errors.ts';
import { eventOf } from './events.ts';
import type { Client, ClientOptions, PinsOptions, SearchRequest, StatusOptions } from './types.ts';
import { waitFor } from './wait.ts';

const retriesDefault = 3;
const restMs = 10_000;
/** What users have pinned; the others are parts of it. */
const typesDefault: readonly PinType[] = ['pin', 'meta-pin'];
const balances: readonly NonNullable<ClientOptions['balance']>[] = ['failover', 'round-robin'];
const pageSize = 1000;
/** CIDs in one request: peers refuse requests with more than some 8 KB in front of the body. */
const cidsMax = 60;

/** A client of one peer, or of several. Nothing is sent before a call. */
export function createClient(options: ClientOptions = {}): Client {
  const { url: _, clock = systemClock, retries = retriesDefault, ...others } = options;
  check(options);
  const client = createModelClient({ ...others, clock, retries, transport: transportOf(options) });
  return {
    health: (call) => client.health(call),
    id: async (call) => peerInfoOf(await client.id(call)),
    version: (call) => client.version(call),
    pin: async (cid, request = {}) => {
      const settings = pinOptionsOf(badArgument, request);
      const path = pathOf(cid);
      return entryOf(
        await (path === undefined
          ? client.pin(cidOf(cid), settings, callOf(request))
          : client.pinPath(path, settings, callOf(request))),
      );
    },
    unpin: async (cid, call) => {
      const path = pathOf(cid);
      return entryOf(await (path === undefined ? client.unpin(cidOf(cid), call) : client.unpinPath(path, call)));
    },
    explain: async (cid, request = {}) =>
      choiceOf(await client.explainAllocation(cidOf(cid), pinOptionsOf(badArgument, request), callOf(request))),
    get: async (cid, call) => {
      try {
        return entryOf(await client.allocation(cidOf(cid), call));
      } catch (error) {
        if (errorCode(error) === 'client/refused' && Object(error).status === 404) return undefined;
        throw error;
      }
    },
    pins: (request) => mapped(client.allocations(pinsOf(request)), entryOf),
    search: (request) =>
      joined(async function* () {
        let page: AllocationsOptions = { ...pinsOf(request), limit: pageSize };
        for (;;) {
          const list = mapped(client.allocations(page), entryOf);
          yield list;
          if (list.next === undefined) return;
          page = { ...page, cursor: list.next };
        }
      }),
    status: async (cid, call) => statusOf(await client.status(cidOf(cid), call)),
    statusAll: (request) => mapped(client.statusAll({ ...request, filter: filterOf(request?.filter) }), statusOf),
    statusOf: (cids, call) => {
      const wanted = cids.map(cidOf);
      return joined(function* () {
        for (let at = 0; at < wanted.length; at += cidsMax) {
          yield mapped(client.statusCids(wanted.slice(at, at + cidsMax), call), statusOf);
        }
      });
    },
    waitFor: async (cid, request) => waitFor(client, clock, cidOf(cid), request),
    recover: async (cid, call) => statusOf(await client.recover(cidOf(cid), call)),
    recoverAll: (call) => mapped(client.recoverAll(call), statusOf),
    operations: (request) => {
      const { cid, ...call } = request ?? {};
      return mapped(client.operations({ ...call, ...(cid === undefined ? {} : { cid: cidOf(cid) }) }), plainOf);
    },
    addFile: async (content, request) => addFile(client, content, request),
    addDirectory: async (content, request) => addDirectory(client, content, request),
    addCar: async (content, request) => addCar(client, content, request),
    peers: (call) => mapped(client.peers(call), peerInfoOf),
    addPeer: async (peer, call) => peerInfoOf(await client.peerAdd(peerOf(peer), call)),
    removePeer: async (peer, call) => client.peerRemove(peerOf(peer), call),
    cordonPeer: async (peer, mode, call) => {
      if (!cordonModes.includes(mode)) throw badArgument('the mode', mode, `one of ${cordonModes.join(', ')}`);
      return client.cordon(peerOf(peer), mode, call);
    },
    members: async (call) => (await client.memberStates(call)).map(memberOf),
    rebalance: (request) => mapped(client.rebalance(request), plainOf),
    replication: (request) => client.replication(request),
    graph: async (call) => plainOf(await client.connectGraph(call)),
    alerts: async (call) => (await client.alerts(call)).map(alertOf),
    bandwidth: (call) => client.bandwidth(call),
    metricNames: (call) => client.metricNames(call),
    metrics: async (name, call) => {
      if (name === '') throw badArgument('the metric', name, 'a name such as "freespace"');
      return (await client.metrics(name, call)).map(metricOf);
    },
    collectGarbage: async (call) => plainOf(await client.repoGc(call)),
    token: (request) => client.token(request),
    revokeToken: (token, call) => client.revokeToken(token, call),
    events: async function* ({ after, ...request } = {}) {
      const last = after === undefined ? {} : { lastEventId: after };
      for await (const event of client.events({ ...request, ...last })) yield eventOf(event);
    },
  };
}

function check({ timeoutMs, retries, balance }: ClientOptions): void {
  if (timeoutMs !== undefined && !isTime(timeoutMs)) throw badArgument('timeoutMs', timeoutMs, timeExpected);
  if (retries !== undefined && !(Number.isInteger(retries) && retries >= 0))
    throw badArgument('retries', retries, 'a number of attempts, 0 or more');
  if (balance !== undefined && !balances.includes(balance))
    throw badArgument('balance', balance, `one of ${balances.join(', ')}`);
}

function transportOf({ url = 'http://127.0.0.1:9094', balance = 'failover', fetch, clock }: ClientOptions): Transport {
  const [first, ...others] = (typeof url === 'string' ? [url] : url).map((address) =>
    fetchTransport({ url: checkedUrl(address), ...(fetch === undefined ? {} : { fetch }) }),
  );
  if (first === undefined) throw badArgument('url', url, 'at least one address');
  if (others.length === 0) return first;
  return failoverTransport([first, ...others], { balance, restMs, ...(clock === undefined ? {} : { clock }) });
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  const expected = 'the address of an HTTP API such as "http://127.0.0.1:9094"';
  if (url === null || !/^https?:$/.test(url.protocol)) throw badArgument('url', text, expected);
  // Not shown, and not sent to anybody.
  if (url.username !== '' || url.password !== '') {
    throw badArgument('url', 'user and password in it', `${expected}, and option credentials`);
  }
  return text;
}

function cidOf(value: CidLike): Cid {
  return plainCidOf(badArgument, value);
}

/** Paths are for whoever resolves them; everything else is a CID. */
function pathOf(cid: CidLike): string | undefined {
  return typeof cid === 'string' && cid.startsWith('/') ? cid : undefined;
}

function peerOf(text: unknown): string {
  try {
    return parsePeerId(String(text));
  } catch (error) {
    throw badArgument('the peer', text, 'a peer id such as "12D3KooW…"', error);
  }
}

function callOf({ signal }: RequestOptions): RequestOptions {
  return signal === undefined ? {} : { signal };
}

function filterOf(names: StatusOptions['filter'] = []): StatusFilter {
  const bits: Readonly<Record<string, number>> = { ...trackerStatusBits, ...trackerStatusGroups };
  return names.reduce((filter, name) => {
    const bit = Object.hasOwn(bits, name) ? bits[name] : undefined;
    if (bit === undefined) throw badArgument('filter', name, `statuses: ${Object.keys(bits).join(', ')}`);
    return filter | bit;
  }, 0);
}

function pinsOf(request: PinsOptions | SearchRequest = {}): AllocationsOptions {
  const { pinnedAfter, pinnedBefore, ...others } = request;
  return {
    types: typesDefault,
    ...others,
    ...(pinnedAfter === undefined ? {} : { createdAfter: timeOf(pinnedAfter) }),
    ...(pinnedBefore === undefined ? {} : { createdBefore: timeOf(pinnedBefore) }),
  };
}

function mapped<A, B>(list: List<A>, map: (item: A) => B): List<B> {
  return listOf(async function* (result) {
    try {
      for await (const item of list) yield map(item);
    } finally {
      result.complete = list.complete;
      result.next = list.next;
    }
  });
}

/** One list after the other. */
function joined<T>(lists: () => AsyncIterable<List<T>> | Iterable<List<T>>): List<T> {
  return listOf(async function* (result) {
    let complete: ListResult['complete'] = true;
    for await (const list of lists()) {
      try {
        yield* list;
      } finally {
        if (list.complete !== true) result.complete = list.complete;
      }
      if (list.complete === 'unknown') complete = 'unknown';
    }
    result.complete = complete;
  });
}
