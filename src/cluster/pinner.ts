/**
 * Adding to and removing from the pinset: check, allocate, agree.
 * Source: Go `cluster.go` `Pin`, `pin`, `Unpin`, `PinUpdate`; `allocate.go`.
 */
import { decode as decodeDagCbor } from '@ipld/dag-cbor';
import { bytesEqual, type Clock, errorCode, errorMessage } from '../base/index.ts';
import { type AllocateRequest, allocate } from '../core/allocate/index.ts';
import {
  Cid,
  compareTimes,
  encodePin,
  type Metric,
  type PeerId,
  type Pin,
  type Time,
  timeFromNanos,
} from '../model/index.ts';
import { badPin, changedPin, followerMode, notPinned, refusedPin } from './errors.ts';
import { checkedPin, modeOfDepth } from './pin-rules.ts';
import type { CallOptions, Consensus, IpfsConnector, PeerMonitor, WriteOptions } from './ports.ts';

/** Defaults and rules for the allocation of pins. */
export interface PinnerOptions {
  readonly replicationFactorMin: number;
  readonly replicationFactorMax: number;
  /** Names of the metrics that decide on allocations, most important first. */
  readonly allocateBy: readonly string[];
  readonly pinOnlyOnTrustedPeers: boolean;
  readonly pinOnlyOnUntrustedPeers: boolean;
  /** Refuses every write. */
  readonly followerMode: boolean;
}

/** Peers to add to a pin: at most `count`, the best first, none of `excluded`; fewer when there are not enough. */
export type Chooser = (pin: Pin, count: number, excluded: ReadonlySet<PeerId>) => readonly PeerId[];

export interface PinnerDeps {
  readonly consensus: Consensus;
  readonly monitor: PeerMonitor;
  readonly ipfs: IpfsConnector;
  readonly clock: Clock;
}

/** Whoever waits for an unpin waits for a block that may be nowhere any more. */
const clusterDagTimeoutMs = 60_000;
/** What bitswap carries; a list of shards is a block like any other. */
const blockBytesMax = 4_194_304;
/** Shards of one content whose removal is in flight at once. */
const unpinsInFlightMax = 64;

export class Pinner {
  readonly #options: PinnerOptions;
  readonly #deps: PinnerDeps;

  constructor(options: PinnerOptions, deps: PinnerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The pin as it was agreed on. `avoid`: peers that must not hold it. */
  async pin(request: Pin, call: CallOptions = {}, avoid: ReadonlySet<PeerId> = new Set()): Promise<Pin> {
    if (this.#options.followerMode) throw followerMode();
    if (!request.cid.isDefined) throw badPin('bad pin object');
    if (request.pinUpdate !== null && !request.pinUpdate.equals(request.cid)) {
      return await this.#pinUpdate(request, request.pinUpdate, call);
    }
    // The depth decides; a request that names only a mode has been given its depth at the door.
    const asked = { ...request, mode: modeOfDepth(request.maxDepth) };
    const existing = this.#pinset.get(request.cid);
    const checked = checkedPin(asked, existing, this.#options, this.#now());
    const allocations = await this.#allocationsFor(checked, existing, avoid);
    const pin = { ...checked, allocations, timestamp: this.#now() };
    await this.#deps.consensus.logPin(pin, call);
    return pin;
  }

  /** The pin as it was. */
  async unpin(cid: Cid, call: CallOptions = {}): Promise<Pin> {
    if (this.#options.followerMode) throw followerMode();
    return await this.#remove(await this.#synced(cid, call), call);
  }

  async #remove(pin: Pin, call: CallOptions): Promise<Pin> {
    switch (pin.type) {
      case 'pin':
        await this.#deps.consensus.logUnpin(pin, call);
        return pin;
      case 'shard-pin':
        throw refusedPin('cannot unpin a shard directly. Unpin content root CID instead');
      case 'clusterdag-pin':
        throw refusedPin('cannot unpin a Cluster DAG directly. Unpin content root CID instead');
      case 'meta-pin':
        await this.#unpinMeta(pin, call);
        return pin;
      default:
        throw refusedPin('unrecognized pin type');
    }
  }

  /**
   * Takes away exactly this pin, of type `pin` or `meta-pin`; rejects with `consensus/changed` when it is another one by now. Shards of
   * a pin that is written again in the very moment in which they go may be lost.
   */
  async unpinExactly(pin: Pin, call: CallOptions): Promise<void> {
    const { consensus } = this.#deps;
    if (this.#options.followerMode) throw followerMode();
    if (pin.type === 'meta-pin') {
      await consensus.waitForSync(call);
      const present = this.#pinset.get(pin.cid);
      if (present === undefined || !bytesEqual(encodePin(present), encodePin(pin))) throw changedPin(pin.cid);
      return await this.#unpinMeta(pin, { ...call, onlyIf: pin });
    }
    await consensus.logUnpin(pin, { ...call, onlyIf: pin });
  }

  /** Throws `cluster/not-pinned`. */
  get(cid: Cid): Pin {
    const pin = this.#pinset.get(cid);
    if (pin === undefined) throw notPinned();
    return pin;
  }

  /** Who can be added to pins, as of now. */
  async chooser(): Promise<Chooser> {
    const context = await this.#allocationContext();
    return (pin, count, excluded) => {
      const bounds = { replicationMin: 1, replicationMax: count };
      try {
        return allocate({ ...bounds, current: [], preferred: pin.userAllocations ?? [], excluded, ...context });
      } catch (error) {
        if (errorCode(error) === 'allocate/not-enough-peers') return [];
        throw error;
      }
    };
  }

  async #allocationsFor(pin: Pin, existing: Pin | undefined, avoid: ReadonlySet<PeerId>): Promise<Pin['allocations']> {
    if (pin.type === 'meta-pin') return pin.allocations;
    if (pin.allocations !== null && pin.allocations.length > 0) return pin.allocations;
    return await this.#allocate(pin, existing?.allocations ?? [], avoid);
  }

  async #allocate(pin: Pin, current: readonly PeerId[], excluded: ReadonlySet<PeerId>): Promise<readonly PeerId[]> {
    if (pin.replicationFactorMin < 0 && pin.replicationFactorMax < 0) return [];
    return allocate({
      replicationMin: pin.replicationFactorMin,
      replicationMax: pin.replicationFactorMax,
      current,
      preferred: pin.userAllocations ?? [],
      excluded,
      ...(await this.#allocationContext()),
    });
  }

  async #allocationContext(): Promise<Pick<AllocateRequest, 'allocateBy' | 'metrics' | 'isEligible'>> {
    const { allocateBy, pinOnlyOnTrustedPeers, pinOnlyOnUntrustedPeers } = this.#options;
    const { consensus, monitor } = this.#deps;
    const members = new Set(await consensus.peers());
    const metrics = new Map<string, readonly Metric[]>(allocateBy.map((name) => [name, monitor.latest(name)]));
    return {
      allocateBy,
      metrics,
      isEligible: (peer) =>
        members.has(peer) &&
        (!pinOnlyOnTrustedPeers || consensus.isTrustedPeer(peer)) &&
        (!pinOnlyOnUntrustedPeers || !consensus.isTrustedPeer(peer)),
    };
  }

  /** The new CID takes over everything of the old pin but name and expiry, where the request has them. */
  async #pinUpdate(request: Pin, from: Cid, call: CallOptions): Promise<Pin> {
    const existing = await this.#synced(from, call);
    if (existing.type !== 'pin') throw refusedPin('this pin type cannot be updated');
    const now = this.#now();
    const isExpiryAhead = request.expireAt !== null && compareTimes(request.expireAt, now) > 0;
    const pin: Pin = {
      ...existing,
      cid: request.cid,
      pinUpdate: from,
      timestamp: now,
      name: request.name === '' ? existing.name : request.name,
      expireAt: isExpiryAhead ? request.expireAt : existing.expireAt,
    };
    // What is written must hold by the same rules as any pin: the target may be of another type already.
    checkedPin(pin, this.#pinset.get(pin.cid), this.#options, now);
    await this.#deps.consensus.logPin(pin, call);
    return pin;
  }

  /**
   * Shards go with the content, then the list of them, and the content last, so that an unpin that was interrupted can be repeated.
   * The list is a DAG-CBOR map of links: spec of Go `adder/sharding`. It comes from whoever has added the content, and is believed
   * about shards only: whatever else it links to stays.
   */
  async #unpinMeta(pin: Pin, { onlyIf, ...call }: WriteOptions): Promise<void> {
    const { consensus } = this.#deps;
    // What must be exactly the pin that was seen consists of parts that must be so too.
    const of = (part: Pin): WriteOptions => (onlyIf === undefined ? call : { ...call, onlyIf: part });
    if (pin.reference === null) throw refusedPin('metaPin.Reference is unset');
    const clusterDag = this.#pinset.get(pin.reference);
    // Without its pin the list may be gone from IPFS as well; what is left is the content's own pin, which must not stay for ever.
    const shards = clusterDag === undefined ? [] : shardsIn(await this.#clusterDagBlock(pin.reference, call));
    for (let at = 0; at < shards.length; at += unpinsInFlightMax) {
      const some = shards.slice(at, at + unpinsInFlightMax).map((shard) => this.#pinset.get(shard));
      await Promise.all(some.map((known) => known?.type === 'shard-pin' && consensus.logUnpin(known, of(known))));
    }
    if (clusterDag?.type === 'clusterdag-pin') await consensus.logUnpin(clusterDag, of(clusterDag));
    await consensus.logUnpin(pin, of(pin));
  }

  async #clusterDagBlock(cid: Cid, call: CallOptions): Promise<Uint8Array> {
    try {
      return await this.#deps.ipfs.blockGet(cid, { timeoutMs: clusterDagTimeoutMs, ...call });
    } catch (error) {
      throw refusedPin(`error reading clusterDAG block from ipfs: ${errorMessage(error)}`, error);
    }
  }

  /** What another peer has acknowledged a moment ago may not be here yet. Rejects with `cluster/not-pinned`. */
  async #synced(cid: Cid, call: CallOptions): Promise<Pin> {
    if (!this.#pinset.has(cid)) await this.#deps.consensus.waitForSync(call);
    return this.get(cid);
  }

  get #pinset(): ReturnType<Consensus['pinset']> {
    return this.#deps.consensus.pinset();
  }

  #now(): Time {
    return timeFromNanos(this.#deps.clock.wallNanos());
  }
}

function shardsIn(block: Uint8Array): Cid[] {
  if (block.length > blockBytesMax) {
    throw refusedPin(`error parsing clusterDAG block: ${block.length} bytes, expected at most ${blockBytesMax}`);
  }
  try {
    const map: unknown = decodeDagCbor(block);
    if (typeof map !== 'object' || map === null) throw refusedPin('not a map');
    return Object.values(map).flatMap((link: unknown) => {
      const bytes = typeof link === 'object' && link !== null && 'bytes' in link ? link.bytes : undefined;
      return bytes instanceof Uint8Array ? [Cid.decode(bytes)] : [];
    });
  } catch (error) {
    throw refusedPin(`error parsing clusterDAG block: ${errorMessage(error)}`, error);
  }
}
