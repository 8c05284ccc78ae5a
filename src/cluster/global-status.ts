/**
 * The status of pins on all members.
 * Source: Go `cluster.go` `globalPinInfoCid`, `globalPinInfoStream`; unlike there, nothing that grows with the pinset
 * is collected, and a failed peer is shown on the pins allocated to it only.
 */
import { type Clock, errorCode } from '../base/index.ts';
import {
  type Cid,
  type GlobalPinInfo,
  methods,
  nothing,
  type PeerId,
  type Pin,
  type PinInfo,
  type PinInfoShort,
  type StatusFilter,
  type TrackerStatus,
  timeFromNanos,
} from '../model/index.ts';
import { failureText, memberTimeoutMs } from './members-api.ts';
import { type FailedEntry, globalPinInfo, mergeStatus, shortInfo } from './merge-status.ts';
import { PeerRows } from './peer-rows.ts';
import { pingName, pingValueOf } from './ping-value.ts';
import type { CallOptions, Consensus, PeerMonitor, PinTracker, Rpc } from './ports.ts';
import { barePin, isHere } from './tracker/row.ts';

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

/** Pins recovered by several peers are joined up to this many; further ones are reported as they come. */
const recoveredJoinedMax = 10_000;
/** A member that recovers waits for room in its queue, which may take as long as a stalled pin does. */
const recoverSilenceMs = 180_000;

export class GlobalStatus {
  readonly #deps: GlobalStatusDeps;
  readonly #failedEntry: FailedEntry = (peer, failure) => this.#entry(peer, 'cluster_error', failure);

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
  async *all(filter: StatusFilter, call: CallOptions): AsyncGenerator<GlobalPinInfo, void> {
    yield* mergeStatus(await this.rows(filter, call), this.#failedEntry);
  }

  /** What each member lists, asked from now on; for the caller to close. A peer that is silent for 15 s has failed. */
  async rows(filter: StatusFilter, call: CallOptions): Promise<readonly PeerRows[]> {
    const { consensus, self, followerMode, rpc, tracker, clock, answersInOrder } = this.#deps;
    const members = followerMode ? [self] : await consensus.peers();
    return members.map((peer) => {
      const isLocal = peer === self;
      return new PeerRows({
        peer,
        isOrdered: isLocal || answersInOrder(peer),
        silenceMs: call.timeoutMs ?? memberTimeoutMs,
        clock,
        signal: call.signal,
        open: (signal) =>
          isLocal
            ? tracker.statusAll(filter, { signal })
            : rpc.stream(peer, methods.PinTracker.StatusAll, [filter], { signal }),
      });
    });
  }

  /** What each member has queued again; one member after the other. */
  async *recoverAll(call: CallOptions): AsyncGenerator<GlobalPinInfo, void> {
    const { consensus, self, followerMode, rpc, tracker, clock } = this.#deps;
    const members = followerMode ? [self] : await consensus.peers();
    const joined = new Map<string, PinInfo[]>();
    const failed: [PeerId, PinInfoShort][] = [];
    for (const peer of members) {
      const rows = new PeerRows({
        peer,
        // Taken as they come: a pin appears once per peer, in no particular order.
        isOrdered: true,
        silenceMs: recoverSilenceMs,
        clock,
        signal: call.signal,
        open: (signal) =>
          peer === self
            ? tracker.recoverAll({ signal })
            : rpc.stream(peer, methods.Cluster.RecoverAllLocal, [nothing], { signal }),
      });
      try {
        for (await rows.advance(); rows.row !== undefined; await rows.advance()) {
          const { row } = rows;
          const known = joined.get(row.cid.key);
          if (known !== undefined) known.push(row);
          else joined.set(row.cid.key, [row]);
          if (joined.size < recoveredJoinedMax) continue;
          yield* this.#joinedInfos(joined, []);
          joined.clear();
        }
      } finally {
        await rows.close();
      }
      call.signal?.throwIfAborted();
      if (rows.failure !== '' && !rows.isUnauthorized) failed.push([peer, this.#failedEntry(peer, rows.failure)]);
    }
    yield* this.#joinedInfos(joined, failed);
  }

  *#joinedInfos(
    joined: ReadonlyMap<string, readonly PinInfo[]>,
    failed: readonly (readonly [PeerId, PinInfoShort])[],
  ): Generator<GlobalPinInfo, void> {
    for (const rows of joined.values()) {
      const global = globalPinInfo(rows, failed);
      if (global !== undefined) yield global;
    }
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

/** Allocations that left the cluster. They are not asked: that would only cost the time limit. */
function strangers(pin: Pin, members: readonly PeerId[]): PeerId[] {
  return (pin.allocations ?? []).filter((peer) => !members.includes(peer));
}
