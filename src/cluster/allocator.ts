/**
 * Which members get a pin: gathers what is known of them, lets `core/allocate` decide, and tells the log why a pin could
 * not be placed.
 */
import { type Clock, errorCode, type Logger, LogLimit } from '../base/index.ts';
import {
  type AllocateRequest,
  allocate,
  type ExplainedDecision,
  explainAllocation,
  type MemberFacts,
  whyNot,
} from '../core/allocate/index.ts';
import type { Cid, PeerId, Pin } from '../model/index.ts';
import { cordonOf } from './cordon.ts';
import { pingName, pingValueOf } from './ping-value.ts';
import type { Consensus, PeerMonitor } from './ports.ts';

/** Who may hold pins, and by which metrics they are compared. */
export interface AllocatorOptions {
  /** Names of the metrics that decide on allocations, most important first. */
  readonly allocateBy: readonly string[];
  readonly pinOnlyOnTrustedPeers: boolean;
  readonly pinOnlyOnUntrustedPeers: boolean;
}

export interface AllocatorDeps {
  readonly consensus: Consensus;
  readonly monitor: PeerMonitor;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A pin that needs peers; the fields are those of `AllocateRequest`. */
export interface Placement
  extends Pick<
    AllocateRequest,
    'replicationMin' | 'replicationMax' | 'current' | 'preferred' | 'excluded' | 'takesOver'
  > {
  readonly cid: Cid;
}

/** Peers to add to a pin: at most `count`, the best first, none of `excluded`; fewer when there are not enough. */
export type Chooser = (pin: Pin, count: number, excluded: ReadonlySet<PeerId>) => readonly PeerId[];

export class Allocator {
  readonly #options: AllocatorOptions;
  readonly #deps: AllocatorDeps;
  readonly #logLimit: LogLimit;

  constructor(options: AllocatorOptions, deps: AllocatorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#logLimit = new LogLimit(deps.clock);
  }

  /** The peers that should hold the pin. Throws as `allocate` does; the log says why, once a minute. */
  async choose(placement: Placement): Promise<readonly PeerId[]> {
    if (placement.replicationMin < 0 && placement.replicationMax < 0) return [];
    const request = await this.#requestFor(placement);
    this.#warnOfTwins(request.members);
    try {
      return allocate(request);
    } catch (error) {
      if (this.#logLimit.allows('failed')) {
        const explained = explainAllocation(request);
        const fields = { cid: placement.cid.toString(), reason: explained.reason, not: whyNot(explained) };
        this.#deps.logger.error('a pin cannot be allocated', fields);
      }
      throw error;
    }
  }

  /** What `choose` would answer now, and why. */
  async explain(placement: Placement): Promise<ExplainedDecision> {
    return explainAllocation(await this.#requestFor(placement));
  }

  /** Who can be added to pins, as of now. */
  async chooser(): Promise<Chooser> {
    const { members, allocateBy, nowNanos } = await this.known();
    return (pin, count, excluded) => {
      // Who is on the IPFS node of a holder that stays would be no second copy.
      const nodes = new Set(members.filter((member) => staysOn(member, pin, nowNanos)).map(({ ipfsNode }) => ipfsNode));
      const others = members.filter(({ ipfsNode }) => ipfsNode === '' || !nodes.has(ipfsNode));
      const bounds = { replicationMin: 1, replicationMax: count, current: [], preferred: pin.userAllocations ?? [] };
      try {
        return allocate({ ...bounds, excluded, allocateBy, members: others, nowNanos });
      } catch (error) {
        if (errorCode(error) === 'allocate/not-enough-peers') return [];
        throw error;
      }
    };
  }

  /** What there is to decide by now. */
  async known(): Promise<Pick<AllocateRequest, 'members' | 'allocateBy' | 'nowNanos'>> {
    const members = await this.#members();
    return { members, allocateBy: this.#options.allocateBy, nowNanos: this.#deps.clock.wallNanos() };
  }

  /** What is known now of everyone who is a member. */
  async #members(): Promise<readonly MemberFacts[]> {
    const { consensus, monitor, clock } = this.#deps;
    const nowNanos = clock.wallNanos();
    return (await consensus.peers()).map((peer): MemberFacts => {
      const ping = monitor.latestOf(pingName, peer);
      const { peername, ipfsId } = pingValueOf(ping);
      return {
        peer,
        peername,
        ping,
        ipfsNode: ipfsId,
        cordon: cordonOf(monitor, peer, nowNanos),
        barred: this.#barred(peer),
        metric: (name) => monitor.latestOf(name, peer),
      };
    });
  }

  async #requestFor({ cid: _, ...placement }: Placement): Promise<AllocateRequest> {
    return { ...placement, ...(await this.known()) };
  }

  #barred(peer: PeerId): MemberFacts['barred'] {
    const { pinOnlyOnTrustedPeers, pinOnlyOnUntrustedPeers } = this.#options;
    if (!pinOnlyOnTrustedPeers && !pinOnlyOnUntrustedPeers) return 'no';
    const isTrusted = this.#deps.consensus.isTrustedPeer(peer);
    if (pinOnlyOnTrustedPeers && !isTrusted) return 'not-trusted';
    return pinOnlyOnUntrustedPeers && isTrusted ? 'trusted' : 'no';
  }

  #warnOfTwins(members: readonly MemberFacts[]): void {
    const first = new Map<string, PeerId>();
    for (const { peer, ipfsNode } of members) {
      const other = ipfsNode === '' ? undefined : first.get(ipfsNode);
      if (other === undefined) first.set(ipfsNode, peer);
      else if (this.#logLimit.allows('twins')) {
        const text = 'two peers use one IPFS node: of a pin, only one of them counts as a holder';
        this.#deps.logger.warn(text, { ipfs: ipfsNode, peers: `${other}, ${peer}` });
      }
    }
  }
}

function staysOn({ peer, ping, cordon }: MemberFacts, pin: Pin, nowNanos: bigint): boolean {
  return (
    pin.allocations?.includes(peer) === true && cordon !== 'draining' && ping !== undefined && ping.expire > nowNanos
  );
}
