/**
 * Adding to and removing from the pinset: check, allocate, agree.
 * Source: Go `cluster.go` `Pin`, `pin`, `Unpin`, `PinUpdate`; `allocate.go`.
 */
import { decode as decodeDagCbor } from '@ipld/dag-cbor';
import { type Clock, errorMessage } from '../base/index.ts';
import {
  type AllocationExplanation,
  Cid,
  compareTimes,
  type PeerId,
  type Pin,
  type Time,
  timeFromNanos,
} from '../model/index.ts';
import type { Allocator, AllocatorOptions, Placement } from './allocator.ts';
import { followerMode, notPinned, refusedPin } from './errors.ts';
import { checkedPin, modeOfDepth } from './pin-rules.ts';
import type { CallOptions, Consensus, IpfsConnector } from './ports.ts';

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

export class Pinner {
  readonly #options: PinnerOptions;
  readonly #deps: PinnerDeps;

  constructor(options: PinnerOptions, deps: PinnerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The pin as it was agreed on. `avoid`: peers that must not hold it. */
  async pin(request: Pin, call: CallOptions = {}, avoid: ReadonlySet<PeerId> = noPeers): Promise<Pin> {
    const prepared = this.#prepare(request);
    const allocations = await this.#allocationsFor(prepared, avoid);
    const pin = { ...prepared.pin, allocations, timestamp: this.#now() };
    await this.#deps.consensus.logPin(pin, call);
    return pin;
  }

  /** What `pin` would decide about the request now, and why; nothing is written. Throws where `pin` would before it decides. */
  async explain(request: Pin): Promise<AllocationExplanation> {
    const { pin, existing, source } = this.#prepare(request);
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

  /** The pin as it was. */
  async unpin(cid: Cid, call: CallOptions = {}): Promise<Pin> {
    if (this.#options.followerMode) throw followerMode();
    // What another peer has acknowledged a moment ago may not be here yet.
    if (!this.#pinset.has(cid)) await this.#deps.consensus.waitForSync(call);
    const pin = this.get(cid);
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

  /** Throws `cluster/not-pinned`. */
  get(cid: Cid): Pin {
    const pin = this.#pinset.get(cid);
    if (pin === undefined) throw notPinned();
    return pin;
  }

  /** The pin as asked for, when it may be made: all but its peers and its time is decided. */
  #prepare(request: Pin): Prepared {
    if (this.#options.followerMode) throw followerMode();
    if (request.pinUpdate !== null && !request.pinUpdate.equals(request.cid)) {
      return this.#prepareUpdate(request, request.pinUpdate);
    }
    // The depth decides; a request that names only a mode has been given its depth at the door.
    const asked = { ...request, mode: modeOfDepth(request.maxDepth) };
    const existing = request.cid.isDefined ? this.#pinset.get(request.cid) : undefined;
    const pin = checkedPin(asked, existing, this.#options, this.#now());
    return { pin, existing, source: undefined };
  }

  /** The new CID takes over everything of the old pin but name and expiry, where the request has them. */
  #prepareUpdate(request: Pin, from: Cid): Prepared {
    const source = this.get(from);
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

  /** Shards and the list of them go with the content. The list is a DAG-CBOR map of links: spec of Go `adder/sharding`. */
  async #unpinMeta(pin: Pin, call: CallOptions): Promise<void> {
    const { consensus, ipfs } = this.#deps;
    if (pin.reference === null) throw refusedPin('metaPin.Reference is unset');
    const clusterDag = this.#pinset.get(pin.reference);
    if (clusterDag === undefined) {
      const text = `could not get clusterDAG pin from state. Malformed pin?: ${notPinned().message}`;
      throw refusedPin(text);
    }
    let block: Uint8Array;
    try {
      block = await ipfs.blockGet(pin.reference, call);
    } catch (error) {
      throw refusedPin(`error reading clusterDAG block from ipfs: ${errorMessage(error)}`, error);
    }
    for (const shard of linksOf(block)) {
      const known = this.#pinset.get(shard);
      if (known !== undefined) await consensus.logUnpin(known, call);
    }
    await consensus.logUnpin(clusterDag, call);
    await consensus.logUnpin(pin, call);
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

function linksOf(block: Uint8Array): Cid[] {
  let map: unknown;
  try {
    map = decodeDagCbor(block);
  } catch (error) {
    throw refusedPin(`error parsing clusterDAG block: ${errorMessage(error)}`, error);
  }
  if (typeof map !== 'object' || map === null) throw refusedPin('error parsing clusterDAG block: not a map');
  return Object.values(map).flatMap((link: unknown) => {
    const bytes = typeof link === 'object' && link !== null && 'bytes' in link ? link.bytes : undefined;
    return bytes instanceof Uint8Array ? [Cid.decode(bytes)] : [];
  });
}
