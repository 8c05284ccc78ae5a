/** Members with what becomes of them, and how many pins each has, for operators. */
import type { Clock } from '../base/index.ts';
import { type MemberCondition, type MemberState, type PeerId, timeFromNanos } from '../model/index.ts';
import type { MemberView } from './member-watch.ts';
import { pingName, pingValueOf } from './ping-value.ts';
import type { CallOptions, Consensus, PeerMonitor } from './ports.ts';
import { countReplicas } from './replication.ts';

export interface MemberStatesDeps {
  readonly consensus: Consensus;
  readonly monitor: PeerMonitor;
  readonly clock: Clock;
}

/** In ascending order of peers. */
export async function statesOfMembers(
  view: MemberView,
  { consensus, monitor, clock }: MemberStatesDeps,
  call: CallOptions,
): Promise<MemberState[]> {
  const holders = { members: view.members, isAlive: (peer: PeerId) => view.lives.get(peer)?.life === 'alive' };
  const { peers } = await countReplicas(consensus.pinset(), holders, call);
  const [nowMs, nowNanos] = [clock.now(), clock.wallNanos()];
  return view.members.map((peer) => {
    const { life = 'missing', sinceMs = nowMs } = view.lives.get(peer) ?? {};
    const cordon = view.cordons.get(peer) ?? 'none';
    const count = peers[peer]?.allocated ?? 0;
    // What is for all members stays with the last one.
    const isLast = !view.members.some(
      (other) => other !== peer && holders.isAlive(other) && view.cordons.get(other) !== 'draining',
    );
    const isEmpty = count === 0 && !(isLast && consensus.pinset().count() > 0);
    const told: MemberCondition = cordon === 'none' ? 'alive' : cordon === 'draining' && isEmpty ? 'drained' : cordon;
    const state = life === 'alive' ? told : life;
    // Since when it has been told, or empty, nobody knows: not what is known of its pings.
    const since = state === life ? timeFromNanos(nowNanos - BigInt(Math.round((nowMs - sinceMs) * 1_000_000))) : null;
    return {
      peer,
      peername: pingValueOf(monitor.latestOf(pingName, peer)).peername,
      state,
      cordon,
      since,
      pins: count,
    };
  });
}
