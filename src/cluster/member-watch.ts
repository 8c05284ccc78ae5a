/** Members as healing sees them: who lives, what each was told, and who acts on which pin. */
import type { Clock } from '../base/index.ts';
import { LivenessWatch, type MemberLife, type Standing } from '../core/heal/index.ts';
import type { CordonMode, PeerId } from '../model/index.ts';
import { ClosestPeer } from './closest.ts';
import { cordonOf } from './cordon.ts';
import { pingName } from './ping-value.ts';
import type { Consensus, PeerMonitor } from './ports.ts';

export interface MemberWatchOptions {
  /** Section `cluster`: how long a member may be missing before it is gone. */
  readonly repinGracePeriodMs: number;
  readonly pinOnlyOnTrustedPeers: boolean;
  readonly pinOnlyOnUntrustedPeers: boolean;
}

export interface MemberWatchDeps {
  readonly consensus: Consensus;
  readonly monitor: PeerMonitor;
  readonly clock: Clock;
  /** Whether the peer is one of this program, as far as known. */
  readonly answersInOrder: (peer: PeerId) => boolean;
}

/** One look at all members. */
export interface MemberView {
  /** In ascending order. */
  readonly members: readonly PeerId[];
  readonly lives: ReadonlyMap<PeerId, MemberLife>;
  readonly cordons: ReadonlyMap<PeerId, CordonMode>;
  /** What each counts for as a holder; who is not in it is a stranger. */
  readonly standings: ReadonlyMap<PeerId, Standing>;
  /** Members that get nothing new. */
  readonly notNew: ReadonlySet<PeerId>;
  readonly gone: readonly PeerId[];
  readonly draining: readonly PeerId[];
  /** Trusted members that are alive, or not heard of yet, and this peer: the nearest to a CID acts on it. */
  readonly actors: ClosestPeer;
  /** Those of them that heal as this program does: the Go peer knows no grace period, and neither drains nor trims. */
  readonly healers: ClosestPeer;
  /** Less: it may be this peer that the others have lost. */
  readonly hasMajority: boolean;
  /** Equal of two looks between which nothing has changed for pins. */
  readonly mark: string;
}

/** Grain of looks. */
export const lookIntervalMsMax = 5000;

export class MemberWatch {
  readonly #self: PeerId;
  readonly #options: MemberWatchOptions;
  readonly #deps: MemberWatchDeps;
  readonly #liveness: LivenessWatch;
  #lookedNanos: bigint | undefined;
  /** Hashes of peers are made anew only when others act. */
  readonly #closest = new Map<'actors' | 'healers', { readonly key: string; readonly closest: ClosestPeer }>();

  constructor(self: PeerId, options: MemberWatchOptions, deps: MemberWatchDeps) {
    this.#self = self;
    this.#options = options;
    this.#deps = deps;
    this.#liveness = new LivenessWatch({ gracePeriodMs: options.repinGracePeriodMs });
  }

  /** Fails while consensus cannot tell the members. */
  async look(): Promise<MemberView> {
    const { consensus, monitor, clock } = this.#deps;
    const members = await consensus.peers();
    const nowNanos = clock.wallNanos();
    const alive = new Set([this.#self, ...monitor.latest(pingName).map(({ peer }) => peer)]);
    this.#liveness.look(clock.now(), members, alive, this.#freshSince(this.#lookedNanos ?? nowNanos, members));
    this.#lookedNanos = nowNanos;

    const lives = new Map<PeerId, MemberLife>();
    const cordons = new Map<PeerId, CordonMode>();
    const standings = new Map<PeerId, Standing>();
    const notNew = new Set<PeerId>();
    for (const peer of members) {
      const life = this.#liveness.of(peer);
      if (life === undefined) continue;
      const cordon = cordonOf(monitor, peer, nowNanos);
      const isEligible = this.#isEligible(peer);
      lives.set(peer, life);
      cordons.set(peer, cordon);
      // An order to empty it outlives the peer.
      const standing = cordon === 'draining' || !isEligible ? 'leaves' : life.life === 'gone' ? 'gone' : 'stays';
      standings.set(peer, standing);
      if (life.life !== 'alive' || cordon !== 'none' || !isEligible) notNew.add(peer);
    }
    const isAlive = (peer: PeerId): boolean => lives.get(peer)?.life === 'alive';
    // Right after a start nobody has been heard of: the others act as before until that tells something.
    const mayAct = (peer: PeerId): boolean => isAlive(peer) || isAwaited(lives.get(peer));
    const trusted = members.filter((peer) => mayAct(peer) && consensus.isTrustedPeer(peer));
    return {
      members,
      lives,
      cordons,
      standings,
      notNew,
      gone: members.filter((peer) => lives.get(peer)?.life === 'gone'),
      draining: members.filter((peer) => cordons.get(peer) === 'draining'),
      actors: this.#closestOf('actors', [...trusted, this.#self]),
      healers: this.#closestOf('healers', [...trusted.filter(this.#deps.answersInOrder), this.#self]),
      hasMajority: members.filter(isAlive).length * 2 > members.length,
      mark: members.map((peer) => `${peer} ${standings.get(peer)} ${cordons.get(peer)}`).join('\n'),
    };
  }

  /** Whose ping ran out after that, or has not yet. */
  #freshSince(nanos: bigint, members: readonly PeerId[]): ReadonlySet<PeerId> {
    return new Set(
      members.filter((peer) => {
        const ping = this.#deps.monitor.latestOf(pingName, peer);
        return ping?.valid === true && ping.expire > nanos;
      }),
    );
  }

  #isEligible(peer: PeerId): boolean {
    const { pinOnlyOnTrustedPeers, pinOnlyOnUntrustedPeers } = this.#options;
    const isTrusted = this.#deps.consensus.isTrustedPeer(peer);
    return (!pinOnlyOnTrustedPeers || isTrusted) && (!pinOnlyOnUntrustedPeers || !isTrusted);
  }

  #closestOf(kind: 'actors' | 'healers', peers: readonly PeerId[]): ClosestPeer {
    const key = [...new Set(peers)].sort().join(' ');
    const known = this.#closest.get(kind);
    if (known?.key === key) return known.closest;
    const closest = new ClosestPeer(peers);
    this.#closest.set(kind, { key, closest });
    return closest;
  }
}

function isAwaited(member: MemberLife | undefined): boolean {
  return member?.life === 'missing' && !member.isKnown;
}
