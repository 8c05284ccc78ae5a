/**
 * Adding to and removing from the pinset: check, allocate, agree.
 * Source: Go `cluster.go` `Pin`, `pin`, `Unpin`, `PinUpdate`; `allocate.go`.
 */
import { decode as decodeDagCbor } from '@ipld/dag-cbor';
import { bytesEqual, type Clock, errorMessage } from '../base/index.ts';
import {
  type AllocationExplanation,
  Cid,
  compareTimes,
  encodePin,
  type PeerId,
  type Pin,
  type Time,
  timeFromNanos,
} from '../model/index.ts';
import type { Allocator, AllocatorOptions, Placement } from './allocator.ts';
import { badPin, changedPin, followerMode, notPinned, refusedPin } from './errors.ts';
import { checkedOptions, checkedPin, modeOfDepth } from './pin-rules.ts';
import type { CallOptions, Consensus, IpfsConnector, WriteOptions } from './ports.ts';

/** Defaults and rules for the allocation of pins. */
export interface PinnerOptions extends AllocatorOptions {
  readonly replicationFactorMin: number;
  readonly replicationFactorMax: number;
  /** Refuses every write. */
  readonly followerMode: boolean;
}

export interface PinnerDeps {
  readonly consensus: Consensus;
  readonly allocator: Allocator;
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
  async pin(request: Pin, call: CallOptions = {}, avoid: ReadonlySet<PeerId> = noPeers): Promise<Pin> {
    const prepared = await this.#prepare(request, call);
    const allocations = await this.#allocationsFor(prepared, avoid);
    const pin = { ...prepared.pin, allocations, timestamp: this.#now() };
    await this.#deps.consensus.logPin(pin, call);
    return pin;
  }

  /** What `pin` would decide about the request now, and why; nothing is written. Throws where `pin` would before it decides. */
  async explain(request: Pin, call: CallOptions): Promise<AllocationExplanation> {
    const { pin, existing, source } = await this.#prepare(request, call);
    const current = (source ?? existing)?.allocations ?? [];
    const placement = { ...placementOf(pin, current, noPeers), takesOver: source !== undefined };
    return {
      cid: pin.cid,
      isPinned: existing !== undefined,
      replicationFactorMin: pin.replicationFactorMin,
      replicationFactorMax: pin.replicationFactorMax,
      allocateBy: this.#options.allocateBy,
      current: existing?.allocations ?? [],
      decidedAt: this.#deps.clock.wallNanos(),
      ...(await this.#deps.allocator.explain(placement)),
    };
  }

  /** The peers that content with these options would go to, for whoever makes its blocks; `undefined`: to all. */
  async allocate(request: Pin): Promise<readonly PeerId[] | undefined> {
    if (this.#options.followerMode) throw followerMode();
    const existing = request.cid.isDefined ? this.#pinset.get(request.cid) : undefined;
    const pin = checkedOptions(request, this.#options, this.#now());
    if (pin.replicationFactorMin < 0) return undefined;
    return await this.#deps.allocator.choose(placementOf(pin, existing?.allocations ?? [], noPeers));
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

  /** The pin as asked for, when it may be made: all but its peers and its time is decided. */
  async #prepare(request: Pin, call: CallOptions): Promise<Prepared> {
    if (this.#options.followerMode) throw followerMode();
    if (!request.cid.isDefined) throw badPin('bad pin object');
    if (request.pinUpdate !== null && !request.pinUpdate.equals(request.cid)) {
      return await this.#prepareUpdate(request, request.pinUpdate, call);
    }
    // The depth decides; a request that names only a mode has been given its depth at the door.
    const asked = { ...request, mode: modeOfDepth(request.maxDepth) };
    const existing = this.#pinset.get(request.cid);
    const pin = checkedPin(asked, existing, this.#options, this.#now());
    return { pin, existing, source: undefined };
  }

  /** The new CID takes over everything of the old pin but name and expiry, where the request has them. */
  async #prepareUpdate(request: Pin, from: Cid, call: CallOptions): Promise<Prepared> {
    const source = await this.#synced(from, call);
    if (source.type !== 'pin') throw refusedPin('this pin type cannot be updated');
    const now = this.#now();
    const isExpiryAhead = request.expireAt !== null && compareTimes(request.expireAt, now) > 0;
    const pin: Pin = {
      ...source,
      cid: request.cid,
      pinUpdate: from,
      name: request.name === '' ? source.name : request.name,
      expireAt: isExpiryAhead ? request.expireAt : source.expireAt,
    };
    // What is written must hold by the same rules as any pin: the target may be of another type already.
    const existing = this.#pinset.get(pin.cid);
    checkedPin(pin, existing, this.#options, now);
    return { pin, existing, source };
  }

  async #allocationsFor({ pin, existing, source }: Prepared, avoid: ReadonlySet<PeerId>): Promise<Pin['allocations']> {
    if (source !== undefined || pin.type === 'meta-pin') return pin.allocations;
    if (pin.allocations !== null && pin.allocations.length > 0) return pin.allocations;
    return await this.#deps.allocator.choose(placementOf(pin, existing?.allocations ?? [], avoid));
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

/** A pin that may be made. */
interface Prepared {
  readonly pin: Pin;
  /** What the pinset has under its CID. */
  readonly existing: Pin | undefined;
  /** The pin that it updates, and whose peers it takes over. */
  readonly source: Pin | undefined;
}

const noPeers: ReadonlySet<PeerId> = new Set();

function placementOf(pin: Pin, current: readonly PeerId[], excluded: ReadonlySet<PeerId>): Placement {
  const { cid, replicationFactorMin, replicationFactorMax, userAllocations } = pin;
  return {
    cid,
    replicationMin: replicationFactorMin,
    replicationMax: replicationFactorMax,
    current,
    preferred: userAllocations ?? [],
    excluded,
  };
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
