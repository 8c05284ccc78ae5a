/**
 * Lists of pins, newest first. Whatever the size of the pinset, no more pins are held than a page has, twice at most. Exact names,
 * metadata and a time `after` are looked up in the index of this peer; all else is a walk over the pinset, since a list tells how
 * many there are. Only questions for some states of pins that are not otherwise selected ask all members for all their statuses.
 */
import { errorCode } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import {
  byCreated,
  type Cid,
  createdOf,
  endOfPage,
  formatTime,
  type GlobalStatusRow,
  type PeerId,
  type Pin,
  type PinHeader,
  type PinSearch,
  type PinsvcResults,
  type PinsvcState,
  type PinsvcStatus,
  pinsvcStates,
  pinTypeBits,
  StoredPin,
  secondsOf,
  type Time,
} from '../../model/index.ts';
import { type Delegates, delegatesOf } from './delegates.ts';
import { isSelected, isWithin, type ListQuery, type Selection } from './list-query.ts';
import { Newest } from './newest.ts';
import { detailsOf, type Replica, stateOf } from './state.ts';

/** Pins that are looked at one by one before all members are asked for all they have. */
const candidatesMax = 256;
/** Pins that are taken of the index at once. */
const pageSize = 256;
/** Statuses of single pins that are asked for at once. */
const questionsMax = 16;
/** A member that says nothing for so long counts as one that cannot be asked. */
const replicaTimeoutMs = 5_000;

/** Where an answer comes from. Source: Go `api/pinsvcapi`. */
export const infoSource = 'IPFS cluster API';

interface Candidate {
  readonly created: Time;
  readonly pin: Pin | StoredPin;
}

interface Known extends Candidate {
  readonly state: PinsvcState;
  readonly replicas: readonly Replica[];
}

interface Found {
  readonly count: number;
  /** Newest first; one more than fits when there are more. */
  readonly items: readonly Known[];
}

/** Answers a list. Rejects when reading is not possible. */
export async function listPins(query: ListQuery, cluster: ClusterApi, signal: AbortSignal): Promise<PinsvcResults> {
  const { count, items } = await find(query, cluster, signal);
  const delegates = delegatesOf(cluster);
  const page = items.slice(0, endOfPage(items, query.limit));
  return { count, results: page.map((item) => statusOf(item, delegates)) };
}

/** How it stands with a pin of the pinset; `undefined` when it has gone. */
export async function describePin(
  pin: Pin,
  cluster: ClusterApi,
  signal: AbortSignal,
): Promise<PinsvcStatus | undefined> {
  const known = await withState({ created: createdOf(pin), pin }, cluster, signal);
  return known === undefined ? undefined : statusOf(known, delegatesOf(cluster));
}

/** The pin under a CID, as far as the service has one: not the parts of sharded content. */
export function dataPin(cluster: ClusterApi, cid: Cid): Pin | undefined {
  try {
    const pin = cluster.pinGet(cid);
    return pin.type === 'pin' ? pin : undefined;
  } catch (error) {
    if (errorCode(error) === 'cluster/not-pinned') return undefined;
    throw error;
  }
}

async function find(query: ListQuery, cluster: ClusterApi, signal: AbortSignal): Promise<Found> {
  const { cids, states, limit } = query;
  const isWanted = ({ state }: Known): boolean => states.has(state);
  if (cids !== undefined) {
    const candidates = cids.flatMap((cid) => {
      const pin = dataPin(cluster, cid);
      if (pin === undefined || !isSelected(query, pin)) return [];
      const candidate = { created: createdOf(pin), pin };
      return isWithin(query, candidate.created) ? [candidate] : [];
    });
    const items = (await withStates(candidates, cluster, signal)).filter(isWanted).sort(byCreated);
    return { count: items.length, items };
  }
  const isOfAnyState = states.size === pinsvcStates.length;
  const isSelective = query.hasName !== undefined || query.meta.length > 0 || query.after !== undefined;
  if (isOfAnyState || isSelective) {
    // What is in the pinset is asked of this peer alone; statuses only of what then is left.
    const { count, items } = await walkPins(query, cluster, isOfAnyState ? limit + 1 : candidatesMax, signal);
    if (isOfAnyState) {
      const known = await withStates(items, cluster, signal);
      // Those that are gone by now.
      return { count: count - (items.length - known.length), items: known };
    }
    if (count <= candidatesMax) {
      const known = (await withStates(items, cluster, signal)).filter(isWanted);
      return { count: known.length, items: known };
    }
  }
  return await walkStatuses(query, cluster, signal);
}

async function walkPins(
  selection: Selection,
  cluster: ClusterApi,
  max: number,
  signal: AbortSignal,
): Promise<{ readonly count: number; readonly items: readonly Candidate[] }> {
  const newest = new Newest<Candidate>(max);
  let count = 0;
  for await (const page of storedPins(selection, cluster, signal)) {
    for (const pin of page) {
      if (pin.type !== 'pin' || !isSelected(selection, pin)) continue;
      if (isTimed(selection) || newest.mayTake(secondsOf(pin))) {
        const created = createdOf(pin);
        if (!isWithin(selection, created)) continue;
        newest.add({ created, pin });
      }
      count++;
    }
  }
  return { count, items: newest.take() };
}

/** At least all that are selected: from the index of this peer where it can tell them, or all there are. */
async function* storedPins(
  { exactName, meta, after }: Selection,
  cluster: ClusterApi,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredPin[], void> {
  if (exactName === undefined && meta.length === 0 && after === undefined) return yield* cluster.storedPins({ signal });
  const search: PinSearch = {
    ...(exactName === undefined ? {} : { name: exactName }),
    metadata: Object.fromEntries(meta),
    // The index goes by the whole seconds that are stored.
    ...(after === undefined ? {} : { createdAfter: { seconds: after.seconds, nanos: 0 } }),
  };
  try {
    for (let cursor = ''; ; ) {
      const request = { search, types: pinTypeBits.pin, limit: pageSize, cursor };
      const { pins, next } = await cluster.pinPage(request, { signal });
      yield pins;
      if (next === '') return;
      cursor = next;
    }
  } catch (error) {
    // It comes before any page.
    if (errorCode(error) !== 'cluster/no-search') throw error;
  }
  yield* cluster.storedPins({ signal });
}

async function walkStatuses(query: ListQuery, cluster: ClusterApi, signal: AbortSignal): Promise<Found> {
  const newest = new Newest<Candidate & { readonly row: GlobalStatusRow; readonly state: PinsvcState }>(
    query.limit + 1,
  );
  let count = 0;
  for await (const page of cluster.statusPages(0, { signal })) {
    for (const row of page) {
      const pin = wholePin(row.pin, cluster);
      if (pin === undefined || pin.type !== 'pin' || !isSelected(query, pin)) continue;
      const statuses = row.peers.map(([, { status }]) => status);
      const state = stateOf(pin.replicationFactorMin, statuses);
      if (state === undefined || !query.states.has(state)) continue;
      if (isTimed(query) || newest.mayTake(secondsOf(pin))) {
        const created = createdOf(pin);
        if (!isWithin(query, created)) continue;
        newest.add({ created, pin, row, state });
      }
      count++;
    }
  }
  const items = newest.take().map(({ created, pin, row, state }) => ({
    created,
    pin,
    state,
    replicas: row.peers.map(([{ peer, peername }, { status, error }]) => replica(peer, { peername, status, error })),
  }));
  return { count, items };
}

function isTimed({ before, after }: Selection): boolean {
  return before !== undefined || after !== undefined;
}

/** Rows of other peers describe their pins in part only. */
function wholePin(pin: PinHeader, cluster: ClusterApi): Pin | StoredPin | undefined {
  return pin instanceof StoredPin ? pin : dataPin(cluster, pin.cid);
}

/** In the order of the candidates, without those that are gone by now. */
async function withStates(
  candidates: readonly Candidate[],
  cluster: ClusterApi,
  signal: AbortSignal,
): Promise<Known[]> {
  const known: (Known | undefined)[] = [];
  let next = 0;
  const ask = async (): Promise<void> => {
    for (let at = next++; at < candidates.length; at = next++) {
      const candidate = candidates[at];
      if (candidate !== undefined) known[at] = await withState(candidate, cluster, signal);
    }
  };
  await Promise.all(Array.from({ length: questionsMax }, ask));
  return known.filter((one) => one !== undefined);
}

async function withState(candidate: Candidate, cluster: ClusterApi, signal: AbortSignal): Promise<Known | undefined> {
  const { pin } = candidate;
  const { peerMap } = await cluster.status(pin.cid, { signal, timeoutMs: replicaTimeoutMs });
  const replicas = Object.entries(peerMap).map(([peer, info]) => replica(peer, info));
  const statuses = replicas.map(({ status }) => status);
  const state = stateOf(pin.replicationFactorMin, statuses);
  return state === undefined ? undefined : { ...candidate, state, replicas };
}

function replica(
  peer: PeerId,
  { peername, status, error }: Omit<Replica, 'peer'> & { readonly peername: string },
): Replica {
  return { peer: peername === '' ? peer : peername, status, error };
}

function statusOf({ created, pin, state, replicas }: Known, delegates: Delegates): PinsvcStatus {
  const { cid, name, origins, metadata, allocations, expireAt, replicationFactorMin } = pin;
  return {
    requestid: cid.toString(),
    status: state,
    created,
    pin: { cid, name, origins, meta: metadata },
    delegates: delegates(allocations),
    info: {
      source: infoSource,
      status_details: detailsOf(replicationFactorMin, replicas),
      ...(expireAt === null ? {} : { pinned_until: formatTime(expireAt) }),
    },
  };
}
