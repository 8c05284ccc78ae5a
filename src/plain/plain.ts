/** Between the words of the cluster and plain data: CIDs as text, times as `Date`, no nulls. */
import { errorMessage } from '../base/index.ts';
import {
  type Alert,
  type AllocationExplanation,
  Cid,
  defaultPinOptions,
  type GlobalPinInfo,
  type Id,
  type MemberState,
  type Pin,
  type PinInfo,
  type PinInfoShort,
  type PinOptions,
  parseMultiaddr,
  parsePeerId,
  type Time,
  timeFromNanos,
  timeToNanos,
} from '../model/index.ts';
import type {
  AlertInfo,
  CidLike,
  MemberInfo,
  PeerInfo,
  PeerPinStatus,
  PinChoice,
  PinEntry,
  PinSettings,
  PinStatus,
} from './types.ts';

/** Makes the error of a room for a value that is none of what was expected. */
export type Refusal = (where: string, found: unknown, expected: string, cause?: unknown) => Error;

/** Throws what `badArgument` makes. */
export function cidOf(badArgument: Refusal, value: CidLike, where: string = 'the CID'): Cid {
  const isText = typeof value === 'string';
  const isObject = typeof value === 'object' && value !== null && value.bytes instanceof Uint8Array;
  const expected = 'a CID, as text or as an object';
  if (!isText && !isObject) throw badArgument(where, value, expected);
  try {
    return isText ? Cid.parse(value) : Cid.decode(value.bytes);
  } catch (error) {
    throw badArgument(where, isText ? value : String(value), `${expected} (${errorMessage(error)})`, error);
  }
}

/** Throws what `badArgument` makes. */
export function pinOptionsOf(badArgument: Refusal, request: PinSettings): PinOptions {
  const { name, mode, replicationMin, replicationMax, allocations, expireAt, metadata, origins, update } = request;
  const text = (where: string, value: unknown): string => {
    if (typeof value !== 'string') throw badArgument(where, value, 'a text');
    return value;
  };
  if (mode !== undefined && mode !== 'recursive' && mode !== 'direct') {
    throw badArgument('mode', mode, '"recursive" or "direct"');
  }
  if (expireAt !== undefined && !(expireAt instanceof Date && Number.isFinite(expireAt.getTime()))) {
    throw badArgument('expireAt', expireAt, 'a Date');
  }
  if (metadata !== undefined) for (const [key, value] of Object.entries(metadata)) text(`metadata.${key}`, value);
  return {
    ...defaultPinOptions,
    name: name === undefined ? '' : text('name', name),
    mode: mode ?? 'recursive',
    // 0 is the cluster's default.
    replicationFactorMin: factorOf(badArgument, 'replicationMin', replicationMin),
    replicationFactorMax: factorOf(badArgument, 'replicationMax', replicationMax),
    userAllocations:
      allocations === undefined
        ? null
        : listOf(badArgument, 'allocations', allocations, 'peer ids', (item) => parsePeerId(text('allocations', item))),
    expireAt: expireAt === undefined ? null : timeOf(expireAt),
    metadata: metadata ?? null,
    origins:
      origins === undefined
        ? null
        : listOf(badArgument, 'origins', origins, 'multiaddrs', (item) => parseMultiaddr(text('origins', item))),
    pinUpdate: update === undefined ? null : cidOf(badArgument, update, 'update'),
  };
}

/** An entry of the pinset. */
export function entryOf(pin: Pin): PinEntry {
  return {
    cid: pin.cid.toString(),
    type: pin.type,
    name: pin.name,
    mode: pin.mode,
    replicationMin: pin.replicationFactorMin,
    replicationMax: pin.replicationFactorMax,
    allocations: pin.allocations ?? [],
    pinnedAt: dateOf(pin.timestamp),
    expireAt: dateOf(pin.expireAt),
    metadata: pin.metadata ?? {},
    origins: pin.origins ?? [],
  };
}

/** Who would hold a pin. */
export function choiceOf(explanation: AllocationExplanation): PinChoice {
  const { cid, replicationFactorMin, replicationFactorMax, allocations, outcome, reason, error } = explanation;
  const peers = (explanation.peers ?? []).map(({ peer, peername, isChosen, class: kind, reason: why }) => {
    return [peer, { peername, isChosen, class: kind, reason: why }] as const;
  });
  return {
    cid: cid.toString(),
    replicationMin: replicationFactorMin,
    replicationMax: replicationFactorMax,
    allocations: allocations ?? [],
    outcome,
    reason,
    error,
    peers: Object.fromEntries(peers),
  };
}

/** How a pin stands on all peers. */
export function statusOf({ cid, name, metadata, allocations, peerMap }: GlobalPinInfo): PinStatus {
  const peers = Object.entries(peerMap).map(([peer, info]) => [peer, peerStatusOf(info)] as const);
  return {
    cid: cid.toString(),
    name,
    metadata: metadata ?? {},
    allocations: allocations ?? [],
    peers: Object.fromEntries(peers),
  };
}

/** What one peer says. */
export function statusOfOne(info: PinInfo): PinStatus {
  return statusOf({ ...info, peerMap: { [info.peer]: info } });
}

/** What a peer says of itself. */
export function peerInfoOf({ id, peername, version, addresses, error, ipfs }: Id): PeerInfo {
  return {
    id,
    peername,
    version,
    addresses: addresses ?? [],
    error,
    ipfs: { id: ipfs?.id ?? '', addresses: ipfs?.addresses ?? [], error: ipfs?.error ?? '' },
  };
}

/** How a member is. */
export function memberOf({ peer, since, ...member }: MemberState): MemberInfo {
  return { id: peer, ...member, since: dateOf(since) };
}

/** What was noticed of a peer. */
export function alertOf({ name, peer, triggeredAt }: Alert): AlertInfo {
  return { name, peer, at: dateOf(triggeredAt) };
}

function peerStatusOf({ peername, status, error, attemptCount, timestamp }: PinInfoShort): PeerPinStatus {
  return { peername, status, error, attempts: attemptCount, since: dateOf(timestamp) };
}

function factorOf(badArgument: Refusal, where: string, value: number | undefined): number {
  if (value === undefined) return 0;
  if (!Number.isSafeInteger(value) || value < -1 || value === 0) {
    throw badArgument(where, value, '-1 (on all peers) or a whole number above 0');
  }
  return value;
}

function listOf<T>(
  badArgument: Refusal,
  where: string,
  value: unknown,
  words: string,
  read: (item: unknown) => T,
): readonly T[] {
  if (!Array.isArray(value)) throw badArgument(where, value, `a list of ${words}`);
  return value.map((item: unknown) => {
    try {
      return read(item);
    } catch (error) {
      throw badArgument(where, item, `a list of ${words}`, error);
    }
  });
}

/** With the resolution of a `Date`. */
export function timeOf(date: Date): Time {
  return timeFromNanos(BigInt(date.getTime()) * 1_000_000n);
}

/** The epoch means that there is none, as in what is stored. */
export function dateOf(time: Time | null): Date | undefined {
  return time === null || time.seconds <= 0 ? undefined : new Date(Number(timeToNanos(time) / 1_000_000n));
}

/** In words, when the waiting is over. */
export function howFar({ cid, peers }: PinStatus, status: string, reached: number, wanted: number): string {
  const others = Object.values(peers)
    .filter((peer) => peer.status !== status && peer.status !== 'remote')
    .map((peer) => `${peer.status} on ${peer.peername}${peer.error === '' ? '' : ` (${peer.error})`}`);
  const rest = others.length === 0 ? '' : `, ${others.join(', ')}`;
  return `Cannot wait longer for "${cid}": ${status} on ${reached} of ${wanted} peers${rest}`;
}
