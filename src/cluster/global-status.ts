/**
 * The status of pins on all members.
 * Source: Go `cluster.go` `globalPinInfoCid`, `globalPinInfoStream`; unlike there, nothing that grows with the pinset
 * is collected, and a failed peer is shown on the pins allocated to it only.
 */
import { type Clock, errorCode, OperatingError, utf8Encode } from '../base/index.ts';
import {
  type Cid,
  cidOfStateKey,
  type GlobalPinInfo,
  type GlobalStatusRow,
  methods,
  nothing,
  type PeerId,
  type PeerLabel,
  type PeerStatus,
  type Pin,
  type PinHeader,
  type PinInfo,
  type PinInfoShort,
  type RemoteStatusRow,
  readStatusRows,
  type StatusBlock,
  type StatusFilter,
  stateKey,
  type TrackerStatus,
  timeFromNanos,
} from '../model/index.ts';
import { failureText, memberTimeoutMs } from './members-api.ts';
import { isEverywhereOr, mergeStatus, type StatusSource } from './merge-status.ts';
import { PeerPages } from './peer-pages.ts';
import { pingName, pingValueOf } from './ping-value.ts';
import type { CallOptions, Consensus, PeerMonitor, PinTracker, Rpc, StatusListOptions } from './ports.ts';
import { barePin, isHere, isOfOperations } from './tracker/row.ts';

export interface GlobalStatusDeps {
  readonly self: PeerId;
  readonly rpc: Rpc;
  readonly consensus: Consensus;
  readonly tracker: PinTracker;
  readonly monitor: PeerMonitor;
  readonly clock: Clock;
  /** Whether the peer lists statuses in state-key order, as our own peers do. */
  readonly answersInOrder: (peer: PeerId) => boolean;
  /** A follower asks nobody else. */
  readonly followerMode: boolean;
}

/** Rows of a peer that does not list in order that are held at once. */
const collectedMax = 500_000;
/** Pins recovered by several peers are joined up to this many; further ones are reported as they come. */
const recoveredJoinedMax = 10_000;
/** A member that recovers waits for room in its queue, which may take as long as a stalled pin does. */
const recoverSilenceMs = 180_000;

export class GlobalStatus {
  readonly #deps: GlobalStatusDeps;

  constructor(deps: GlobalStatusDeps) {
    this.#deps = deps;
  }

  /** Only members that the pin is allocated to are asked. */
  async one(act: 'Status' | 'Recover', cid: Cid, call: CallOptions): Promise<GlobalPinInfo> {
    const { consensus, self, followerMode, clock } = this.#deps;
    const members = followerMode ? [self] : await consensus.peers();
    const known = consensus.pinset().get(cid);
    // What is not in the pinset is dated at the question and has no allocations rather than unknown ones.
    const pin = known ?? { ...barePin(cid), allocations: [], timestamp: timeFromNanos(clock.wallNanos()) };
    const peerMap: Record<PeerId, PinInfoShort> = {};
    const answers = members.map(async (peer): Promise<void> => {
      const isElsewhere = known !== undefined && pin.type !== 'meta-pin' && !isHere(pin, peer);
      const isLocal = peer === self;
      let entry: PinInfoShort | undefined;
      if (known === undefined && !isLocal) entry = this.#entry(peer, 'unpinned', '');
      else if (isElsewhere && !isLocal) entry = this.#entry(peer, 'remote', '');
      else entry = await this.#ask(act, peer, cid, call);
      if (entry !== undefined) peerMap[peer] = entry;
    });
    await Promise.all(answers);
    for (const peer of strangers(pin, members)) {
      peerMap[peer] = this.#entry(peer, 'cluster_error', 'the peer is not a member of the cluster');
    }
    const { name, allocations, origins, timestamp: created, metadata } = pin;
    return { cid, name, allocations, origins, created, metadata, peerMap };
  }

  /** In state-key order; a peer that is silent for 15 s is given up. */
  async *pages(filter: StatusFilter, call: StatusListOptions): AsyncGenerator<readonly GlobalStatusRow[], void> {
    const { consensus } = this.#deps;
    const pinOf = (key: string): PinHeader => {
      const cid = cidOfStateKey(key);
      return consensus.pinset().get(cid) ?? barePin(cid);
    };
    const failedEntry = (peer: PeerId, failure: string): PeerStatus => [
      this.#label(peer),
      this.#entry(peer, 'cluster_error', failure),
    ];
    yield* mergeStatus(await this.sources(filter, call), { filter, pinOf, failedEntry });
  }

  /**
   * What each member lists, asked from now on; for the caller to close. A peer that is silent for 15 s has failed. This one lists
   * more than what is asked for, where that describes the pins of the others.
   */
  async sources(filter: StatusFilter, call: StatusListOptions): Promise<readonly StatusSource[]> {
    const { consensus, self, followerMode } = this.#deps;
    const members = followerMode ? [self] : await consensus.peers();
    return members.map((peer) => this.#source(peer, filter, call));
  }

  /** What each member has queued again; one member after the other. */
  async *recoverAll(call: CallOptions): AsyncGenerator<GlobalPinInfo, void> {
    const { consensus, self, followerMode, rpc, tracker, clock } = this.#deps;
    const members = followerMode ? [self] : await consensus.peers();
    const joined = new Map<string, PinInfo[]>();
    const failed: [PeerId, PinInfoShort][] = [];
    for (const peer of members) {
      const rows = new PeerPages({
        peer,
        silenceMs: recoverSilenceMs,
        clock,
        signal: call.signal,
        open: (signal) =>
          inPages(
            peer === self
              ? tracker.recoverAll({ signal })
              : rpc.stream(peer, methods.Cluster.RecoverAllLocal, [nothing], { signal }),
          ),
      });
      try {
        for (await rows.load(); rows.row !== undefined; await rows.load()) {
          const { row } = rows;
          rows.advance();
          const known = joined.get(row.cid.key);
          if (known !== undefined) known.push(row);
          else joined.set(row.cid.key, [row]);
          if (joined.size < recoveredJoinedMax) continue;
          yield* joinedInfos(joined, []);
          joined.clear();
        }
      } finally {
        await rows.close();
      }
      call.signal?.throwIfAborted();
      if (rows.failure === '' || rows.isUnauthorized) continue;
      failed.push([peer, this.#entry(peer, 'cluster_error', rows.failure)]);
    }
    yield* joinedInfos(joined, failed);
  }

  #source(peer: PeerId, filter: StatusFilter, call: StatusListOptions): StatusSource {
    const { self, rpc, tracker, clock, answersInOrder } = this.#deps;
    const { after } = call;
    const source: { label: PeerLabel } = { label: peer === self ? tracker.label() : this.#label(peer) };
    const open = (signal: AbortSignal, onHeard: () => void): AsyncIterable<readonly RemoteStatusRow[]> => {
      // Of ours all rows are wanted: they describe the pins. But not where a walk over the pinset can be spared.
      if (peer === self) {
        const place = after === undefined ? {} : { after };
        return tracker.statusPages(isOfOperations(filter) ? filter : 0, { signal, ...place });
      }
      const all = (): AsyncGenerator<readonly RemoteStatusRow[], void> =>
        collected(source, rpc.stream(peer, methods.PinTracker.StatusAll, [filter], { signal }), onHeard);
      const inOrder = (): AsyncIterable<readonly RemoteStatusRow[]> =>
        ifKnown(blocksOf(source, rpc.stream(peer, methods.PinTracker.StatusBlocks, [filter], { signal })), all);
      if (after === undefined) return answersInOrder(peer) ? inOrder() : all();
      if (!answersInOrder(peer)) return rowsBehind(after, all());
      const place = { filter, after: utf8Encode(after) };
      const blocks = rpc.stream(peer, methods.PinTracker.StatusBlocksAfter, [place], { signal });
      return ifKnown(blocksOf(source, blocks), () => rowsBehind(after, inOrder()));
    };
    const silenceMs = call.timeoutMs ?? memberTimeoutMs;
    return Object.assign(source, { rows: new PeerPages({ peer, silenceMs, clock, signal: call.signal, open }) });
  }

  #label(peer: PeerId): PeerLabel {
    const { peername, ipfsId: ipfsPeerId, ipfsAddresses } = pingValueOf(this.#deps.monitor.latestOf(pingName, peer));
    return { peer, peername, ipfsPeerId, ipfsAddresses };
  }

  /** `undefined`: the peer does not let us ask. */
  async #ask(act: 'Status' | 'Recover', peer: PeerId, cid: Cid, call: CallOptions): Promise<PinInfoShort | undefined> {
    const { self, tracker, rpc } = this.#deps;
    const options = { timeoutMs: memberTimeoutMs, ...call };
    try {
      if (peer !== self) return shortInfo(await rpc.call(peer, methods.PinTracker[act], cid, options));
      return shortInfo(act === 'Status' ? await tracker.status(cid, options) : await tracker.recover(cid, options));
    } catch (error) {
      if (errorCode(error) === 'rpc/authorization') return undefined;
      return this.#entry(peer, 'cluster_error', failureText(error));
    }
  }

  /** An entry made here, with what the peer's last ping says of it. */
  #entry(peer: PeerId, status: TrackerStatus, error: string): PinInfoShort {
    const { monitor, clock } = this.#deps;
    const { peername, ipfsId, ipfsAddresses } = pingValueOf(monitor.latestOf(pingName, peer));
    const timestamp = timeFromNanos(clock.wallNanos());
    return {
      peername,
      ipfsPeerId: ipfsId,
      ipfsAddresses,
      status,
      timestamp,
      error,
      attemptCount: 0,
      priorityPin: false,
    };
  }
}

/** The pages of a peer of ours. */
async function* blocksOf(
  source: { label: PeerLabel },
  blocks: AsyncIterable<StatusBlock>,
): AsyncGenerator<readonly RemoteStatusRow[], void> {
  let isFirst = true;
  for await (const { rows, ...label } of blocks) {
    // It is the same in every block.
    if (isFirst) source.label = { ...source.label, ...label };
    isFirst = false;
    if (rows !== null) yield readStatusRows(rows);
  }
}

/** Of a peer that can only list all. */
async function* rowsBehind(
  after: string,
  pages: AsyncIterable<readonly RemoteStatusRow[]>,
): AsyncGenerator<readonly RemoteStatusRow[], void> {
  for await (const page of pages) yield page.filter(({ key }) => key > after);
}

/** A peer whose version does not know the question is asked in another way. */
async function* ifKnown<T>(pages: AsyncIterable<T>, otherwise: () => AsyncIterable<T>): AsyncGenerator<T, void> {
  let isKnown = false;
  try {
    for await (const page of pages) {
      isKnown = true;
      yield page;
    }
    return;
  } catch (error) {
    if (isKnown || !['rpc/authorization', 'rpc/server'].includes(errorCode(error))) throw error;
  }
  yield* otherwise();
}

/** A Go peer keeps its pins in an unordered map: its rows are collected and sorted first, up to a bound. */
async function* collected(
  source: { label: PeerLabel },
  infos: AsyncIterable<PinInfo>,
  onHeard: () => void,
): AsyncGenerator<readonly RemoteStatusRow[], void> {
  const rows: RemoteStatusRow[] = [];
  for await (const info of infos) {
    onHeard();
    if (rows.length === 0) source.label = labelOf(info);
    rows.push(rowOfInfo(info));
    if (rows.length <= collectedMax) continue;
    const text = `peer lists more than ${collectedMax} pins, and not in order`;
    throw new OperatingError('cluster/too-many-rows', text);
  }
  yield rows.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function labelOf({ peer, peername, ipfsPeerId, ipfsAddresses }: PinInfo): PeerLabel {
  return { peer, peername, ipfsPeerId, ipfsAddresses };
}

function rowOfInfo(info: PinInfo): RemoteStatusRow {
  const { cid, name, allocations, origins, created, metadata } = info;
  const { status, timestamp, error, attemptCount, priorityPin } = info;
  const pin: PinHeader = { cid, name, allocations, origins, timestamp: created, metadata };
  return { key: stateKey(cid), status, timestamp, error, attemptCount, priorityPin, pin };
}

async function* inPages<T>(items: AsyncIterable<T>): AsyncGenerator<readonly T[], void> {
  for await (const item of items) yield [item];
}

function* joinedInfos(
  joined: ReadonlyMap<string, readonly PinInfo[]>,
  failed: readonly (readonly [PeerId, PinInfoShort])[],
): Generator<GlobalPinInfo, void> {
  for (const rows of joined.values()) {
    const header = rows.findLast((row) => row.status !== 'cluster_error') ?? rows.at(-1);
    if (header === undefined) continue;
    const { cid, name, allocations, origins, created, metadata } = header;
    const peerMap: Record<PeerId, PinInfoShort> = {};
    for (const row of rows) peerMap[row.peer] = shortInfo(row);
    for (const [peer, entry] of failed) if (isAllocated(header, peer)) peerMap[peer] = entry;
    yield { cid, name, allocations, origins, created, metadata, peerMap };
  }
}

/** A row's part that belongs to the peer. */
function shortInfo(row: PinInfo): PinInfoShort {
  const { peername, ipfsPeerId, ipfsAddresses, status, timestamp, error, attemptCount, priorityPin } = row;
  return { peername, ipfsPeerId, ipfsAddresses, status, timestamp, error, attemptCount, priorityPin };
}

/** No allocations mean every peer, except for meta pins, which no peer holds. */
function isAllocated({ status, allocations }: PinInfo, peer: PeerId): boolean {
  return status !== 'sharded' && isEverywhereOr(peer, allocations);
}

/** Allocations that left the cluster. They are not asked: that would only cost the time limit. */
function strangers(pin: Pin, members: readonly PeerId[]): PeerId[] {
  return (pin.allocations ?? []).filter((peer) => !members.includes(peer));
}
