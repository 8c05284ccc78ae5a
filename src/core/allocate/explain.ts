/** A decision in words. It is the decision itself that is put into words, so the two cannot differ. */
import type { AllocationExplanation, CordonMode, JudgedMetric, JudgedPeer, Metric, PeerId } from '../../model/index.ts';
import { formatGoDuration } from '../../model/index.ts';
import { type Decision, decide, type Reason, type Verdict } from './decide.ts';
import { type AllocateRequest, isFresh } from './request.ts';

/** What an explanation says beyond the pin itself. */
export type ExplainedDecision = Pick<AllocationExplanation, 'outcome' | 'reason' | 'allocations' | 'error' | 'peers'>;

/** What `allocate` decides about the same request, and why. An allocation that fails is explained, not thrown. */
export function explainAllocation(request: AllocateRequest): ExplainedDecision {
  const decision = decide(request);
  const { outcome, allocations, error } = decision;
  return {
    outcome,
    reason: reasonOf(decision, request),
    allocations,
    error: error?.message ?? '',
    peers: decision.verdicts.map((verdict) => judged(verdict, decision, request)),
  };
}

function reasonOf({ outcome, needed, wanted, order }: Decision, request: AllocateRequest): string {
  const { replicationMin: min, replicationMax: max } = request;
  const [all, counting] = [new Set(request.current).size, min - needed];
  const holders = count(counting, 'holder counts', 'holders count');
  switch (outcome) {
    case 'everywhere':
      return 'both replication factors are negative: every member holds it';
    case 'unchanged':
      return `${holders}, which is not below the minimum of ${min}: nothing is added, and the holders stay as they are`;
    case 'taken-over':
      return 'an update takes over the peers of the pin that it updates, whatever their state';
    case 'trimmed':
      return `${all === counting ? holders : `${all} holders, of which ${counting} count`}, more than the maximum of ${max}: ${all - max} of them let it go`;
    case 'chosen':
      return `${holders}, below the minimum of ${min}: ${Math.min(wanted, order.length)} of ${order.length} possible peers are added, up to the maximum of ${max}`;
    default:
      if (min + max === 0) return 'the replication factors make no sense together';
      return `${holders}, below the minimum of ${min}: ${needed} more are needed, and ${order.length} can be added`;
  }
}

function judged(verdict: Verdict, decision: Decision, request: AllocateRequest): JudgedPeer {
  const { peer, facts } = verdict;
  const names = [...new Set(['ping', ...request.allocateBy])];
  const metrics = names.flatMap((name): JudgedMetric[] => {
    const metric = name === 'ping' ? facts?.ping : facts?.metric(name);
    if (metric === undefined) return [];
    const { value, weight, expire, receivedAt } = metric;
    return [{ name, value, weight, expire, receivedAt, isStale: !isFresh(metric, request.nowNanos) }];
  });
  return {
    peer,
    peername: facts?.peername ?? '',
    class: verdict.class,
    isChosen: decision.outcome === 'everywhere' ? facts !== undefined : decision.allocations.includes(peer),
    reason: [reasonText(verdict, request), fate(verdict, decision, request)].filter((text) => text !== '').join('; '),
    metrics,
  };
}

/** What became of a peer of this class. */
function fate({ peer, class: kind }: Verdict, decision: Decision, request: AllocateRequest): string {
  const isHolder = request.current.includes(peer);
  switch (decision.outcome) {
    case 'everywhere':
      return '';
    case 'taken-over':
      return isHolder ? 'is taken over' : '';
    case 'unchanged':
      if (kind === 'dropped') return isHolder ? 'stays, as there are enough holders without it' : '';
      return kind === 'current' ? 'stays' : 'not needed';
    case 'trimmed':
      if (decision.allocations.includes(peer)) return 'stays';
      return kind === 'current' ? 'one too many' : isHolder ? 'goes' : '';
    case 'chosen': {
      if (kind === 'current') return 'stays';
      if (kind === 'dropped') return isHolder ? 'is replaced' : '';
      const place = decision.order.indexOf(peer) + 1;
      return place <= decision.wanted
        ? `choice ${place} of ${decision.order.length}`
        : `not needed: choice ${place}, and ${decision.wanted} are wanted`;
    }
    default:
      return '';
  }
}

/** Why the peer is in its class. */
function reasonText({ reason, facts }: Verdict, request: AllocateRequest): string {
  const lackText = (names: readonly string[]): string =>
    names.map((name) => metricText(name, facts?.metric(name), request.nowNanos)).join(', ');
  switch (reason.type) {
    case 'holds':
      return ['holds the pin', heldNote(facts?.cordon), reason.lacks.length > 0 ? lateNote(lackText(reason.lacks)) : '']
        .filter((text) => text !== '')
        .join('; ');
    case 'usable':
      return 'can take it';
    case 'lacks':
      return reason.lacks.length === 0
        ? 'no metric decides, see allocator.balanced.allocate_by'
        : lackText(reason.lacks);
    case 'holder-lost':
      return `holds the pin, but does not count: ${metricText('ping', facts?.ping, request.nowNanos)}, ${lackText(reason.lacks)}`;
    case 'ping-expired':
      return metricText('ping', facts?.ping, request.nowNanos);
    case 'twin':
      return `its IPFS node ${facts?.ipfsNode ?? ''} is that of ${reason.of}, which counts already`;
    default:
      return reasonTexts[reason.type];
  }
}

const reasonTexts = {
  'no-member': 'is no member of the cluster any more',
  excluded: 'must not hold this pin: it is being taken off it',
  'not-trusted': 'is not trusted by the peer that decides, see cluster.pin_only_on_trusted_peers',
  trusted: 'is trusted by the peer that decides, see cluster.pin_only_on_untrusted_peers',
  cordoned: 'is cordoned: it gets nothing new',
  draining: 'is being drained: it gets nothing new',
} as const satisfies Partial<Record<Reason['type'], string>>;

function heldNote(cordon: CordonMode | undefined): string {
  if (cordon === 'cordoned') return 'is cordoned, which takes nothing from it';
  return cordon === 'draining' ? 'is being drained, and counts until others hold it' : '';
}

function lateNote(lacks: string): string {
  return `counts as its ping is good, though late with metrics: ${lacks}`;
}

function metricText(name: string, metric: Metric | undefined, nowNanos: bigint): string {
  if (metric === undefined) return `no metric ${name} has arrived`;
  if (!metric.valid) return `its metric ${name} is invalid`;
  const agoMs = Math.max(0, Math.round(Number((nowNanos - metric.expire) / 1_000_000_000n)) * 1000);
  return `its metric ${name} expired ${formatGoDuration(agoMs)} ago`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Peers and why they cannot take the pin, in one line: those of one reason together, `peersMax` named at most. */
export function whyNot(explanation: ExplainedDecision, peersMax: number = 10): string {
  const dropped = (explanation.peers ?? []).filter((peer) => peer.class === 'dropped');
  const named = dropped.slice(0, peersMax).map(({ peer, peername, reason }) => `${nameOf(peer, peername)}: ${reason}`);
  return [...named, ...(dropped.length > peersMax ? [`and ${dropped.length - peersMax} more`] : [])].join('; ');
}

function nameOf(peer: PeerId, peername: string): string {
  return peername === '' ? peer : `${peername} (${peer})`;
}
