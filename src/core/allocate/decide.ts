/**
 * Which peers hold a pin, and what became of everyone else. Pure: metrics and members are arguments.
 *
 * Members are put into classes; holders that count stay; only when they are fewer than the minimum, others are added, up
 * to the maximum. Source: Go `allocate.go` `allocate`, `filterMetrics`, `obtainAllocations`. Unlike there,
 * - a holder that is alive counts though another metric of it is late or withheld: slow questions to IPFS move no pins;
 * - nobody gets new pins whose ping has run out, or who is cordoned;
 * - peers that share one IPFS node count once: two of them are one copy;
 * - whom to drop when there are too many is not left to chance.
 */
import type { OperatingError } from '../../base/index.ts';
import type { AllocationClass, AllocationOutcome, PeerId } from '../../model/index.ts';
import { balancedOrder, type MetricsByName } from './balanced.ts';
import { badFactors, notEnoughPeers } from './errors.ts';
import { type AllocateRequest, isFresh, type MemberFacts } from './request.ts';

/** What decides about one member alone. */
type Rules = Pick<AllocateRequest, 'allocateBy' | 'excluded' | 'nowNanos'>;

const noPeers: ReadonlySet<PeerId> = new Set();

/** Why a peer is in its class. */
export type Reason =
  | { readonly type: 'holds'; readonly lacks: readonly string[] }
  | { readonly type: 'usable' }
  | { readonly type: 'no-member' | 'excluded' | 'not-trusted' | 'trusted' | 'ping-expired' | 'cordoned' | 'draining' }
  | { readonly type: 'lacks'; readonly lacks: readonly string[] }
  | { readonly type: 'holder-lost'; readonly lacks: readonly string[] }
  | { readonly type: 'twin'; readonly of: PeerId };

/** What was found about one peer. */
export interface Verdict {
  readonly peer: PeerId;
  /** Absent for a holder that is no member. */
  readonly facts: MemberFacts | undefined;
  readonly class: AllocationClass;
  readonly reason: Reason;
}

/** What was decided. */
export interface Decision {
  readonly outcome: AllocationOutcome;
  /** Empty for `everywhere` and `failed`. */
  readonly allocations: readonly PeerId[];
  /** Everyone that could be added, best choice first; nobody while nothing had to be added. */
  readonly order: readonly PeerId[];
  /** How many more holders the pin needs at least, and takes at most. */
  readonly needed: number;
  readonly wanted: number;
  /** One for each member, and for each holder that is none: holders in their order, then members in theirs. */
  readonly verdicts: readonly Verdict[];
  /** Of a decision that `failed`: `allocate/bad-factors`, `allocate/not-enough-peers`. */
  readonly error: OperatingError | undefined;
}

export function decide(request: AllocateRequest): Decision {
  const { replicationMin: min, replicationMax: max } = request;
  const verdicts = classify(request);
  const made = { allocations: [], order: [], needed: 0, wanted: 0, verdicts, error: undefined };
  if (min + max === 0) return { ...made, outcome: 'failed', error: badFactors(min, max) };
  if (min < 0 && max < 0) return { ...made, outcome: 'everywhere' };

  const holders = verdicts.filter((verdict) => verdict.class === 'current');
  const needed = min - holders.length;
  const wanted = max - holders.length;
  const counted = { ...made, needed, wanted };
  // The blocks that both pins have in common are there, whatever the state of these peers.
  if (request.takesOver === true) return { ...counted, outcome: 'taken-over', allocations: request.current };
  const isAbove = new Set(request.current).size > max;
  if (needed <= 0 && isAbove) return { ...counted, outcome: 'trimmed', allocations: keepBest(request, verdicts) };
  // As they are, with those that do not count: these may come back.
  if (needed <= 0) return { ...counted, outcome: 'unchanged', allocations: request.current };

  const order = orderOf(request, verdicts);
  if (order.length < needed) {
    return { ...counted, order, outcome: 'failed', error: notEnoughPeers(needed, wanted, order.length) };
  }
  const allocations = [...holders.map(({ peer }) => peer), ...order.slice(0, wanted)];
  return { ...counted, order, outcome: 'chosen', allocations };
}

function classify(request: AllocateRequest): Verdict[] {
  const facts = new Map(request.members.map((member) => [member.peer, member] as const));
  const preferred = new Set(request.preferred);
  /** IPFS nodes that count already, and for whom. */
  const nodes = new Map<string, PeerId>();
  const once = (verdict: Verdict): Verdict => {
    const node = verdict.facts?.ipfsNode ?? '';
    if (verdict.class === 'dropped' || node === '') return verdict;
    const of = nodes.get(node);
    if (of !== undefined) return { ...verdict, class: 'dropped', reason: { type: 'twin', of } };
    nodes.set(node, verdict.peer);
    return verdict;
  };
  // Who comes first of those on one IPFS node counts: holders, then those that the user wants.
  const holders = [...new Set(request.current)].map((peer) => once(asHolder(peer, facts.get(peer), request)));
  const held = new Set(request.current);
  const others = request.members.filter(({ peer }) => !held.has(peer));
  const wanted = others.filter(({ peer }) => preferred.has(peer));
  const rest = others.filter(({ peer }) => !preferred.has(peer));
  return [
    ...holders,
    ...wanted.map((member) => once(asCandidate(member, 'priority', request))),
    ...rest.map((member) => once(asCandidate(member, 'candidate', request))),
  ];
}

/** Whether a member can be given pins. */
export function canTake(facts: MemberFacts, by: Pick<AllocateRequest, 'allocateBy' | 'nowNanos'>): boolean {
  return asCandidate(facts, 'candidate', { ...by, excluded: noPeers }).class === 'candidate';
}

function asHolder(peer: PeerId, facts: MemberFacts | undefined, request: Rules): Verdict {
  const dropped = (reason: Reason): Verdict => ({ peer, facts, class: 'dropped', reason });
  if (facts === undefined) return dropped({ type: 'no-member' });
  const barred = barredBy(facts, request);
  if (barred !== undefined) return dropped(barred);
  const lacks = lackedBy(facts, request);
  if (lacks.length > 0 && !isFresh(facts.ping, request.nowNanos)) return dropped({ type: 'holder-lost', lacks });
  return { peer, facts, class: 'current', reason: { type: 'holds', lacks } };
}

function asCandidate(facts: MemberFacts, kind: 'priority' | 'candidate', request: Rules): Verdict {
  const { peer, ping, cordon } = facts;
  const dropped = (reason: Reason): Verdict => ({ peer, facts, class: 'dropped', reason });
  const barred = barredBy(facts, request);
  if (barred !== undefined) return dropped(barred);
  if (cordon !== 'none') return dropped({ type: cordon });
  if (ping !== undefined && !isFresh(ping, request.nowNanos)) return dropped({ type: 'ping-expired' });
  const lacks = lackedBy(facts, request);
  if (lacks.length > 0 || request.allocateBy.length === 0) return dropped({ type: 'lacks', lacks });
  return { peer, facts, class: kind, reason: { type: 'usable' } };
}

function barredBy(facts: MemberFacts, request: Rules): Reason | undefined {
  if (request.excluded.has(facts.peer)) return { type: 'excluded' };
  return facts.barred === 'no' ? undefined : { type: facts.barred };
}

function lackedBy(facts: MemberFacts, { allocateBy, nowNanos }: Rules): string[] {
  return allocateBy.filter((name) => !isFresh(facts.metric(name), nowNanos));
}

function orderOf({ allocateBy }: AllocateRequest, verdicts: readonly Verdict[]): PeerId[] {
  const chosenFrom = (kind: AllocationClass): PeerId[] => {
    const members = verdicts.flatMap(({ class: found, facts }) =>
      found === kind && facts !== undefined ? [facts] : [],
    );
    const metrics: MetricsByName = new Map(
      allocateBy.map((name) => {
        const ofPeers = members.flatMap((member) => {
          const metric = member.metric(name);
          return metric === undefined ? [] : [[member.peer, metric] as const];
        });
        return [name, new Map(ofPeers)] as const;
      }),
    );
    return balancedOrder(
      members.map(({ peer }) => peer),
      allocateBy,
      metrics,
    );
  };
  return [...chosenFrom('priority'), ...chosenFrom('candidate')];
}

/**
 * Too many holders: those that do not count go first, of these who is only silent last; then draining ones, then those that the user did
 * not ask for; the last chosen before others.
 */
function keepBest(request: AllocateRequest, verdicts: readonly Verdict[]): PeerId[] {
  const current = new Set(request.current);
  const preferred = new Set(request.preferred);
  const rank = ({ peer, facts, class: kind, reason }: Verdict): number => {
    if (kind !== 'current') return reason.type === 'holder-lost' ? 3 : 4;
    return facts?.cordon === 'draining' ? 2 : preferred.has(peer) ? 0 : 1;
  };
  const holders = verdicts.filter(({ peer }) => current.has(peer));
  const ranked = [0, 1, 2, 3, 4].flatMap((wanted) => holders.filter((holder) => rank(holder) === wanted));
  return ranked.slice(0, request.replicationMax).map(({ peer }) => peer);
}
