/**
 * Which peers hold a pin. Pure: metrics and members are arguments.
 * Source: Go `allocate.go` `Cluster.allocate`, `obtainAllocations`.
 */
import type { Metric, PeerId } from '../../model/index.ts';
import { balancedOrder, type MetricsByName } from './balanced.ts';
import { badFactors, notEnoughPeers } from './errors.ts';

/** One pin that needs peers. */
export interface AllocateRequest {
  readonly replicationMin: number;
  readonly replicationMax: number;
  /** Peers that hold the pin now. */
  readonly current: readonly PeerId[];
  /** Wanted by the user; best effort, only among new allocations. */
  readonly preferred: readonly PeerId[];
  /** Never chosen, and not counted as holders. */
  readonly excluded: ReadonlySet<PeerId>;
  /** Names of the metrics that decide, most important first. */
  readonly allocateBy: readonly string[];
  /** Latest valid metrics per name; peers that lack one are not candidates. */
  readonly metrics: ReadonlyMap<string, readonly Metric[]>;
  /** Further condition on peers, such as trust. Default: every peer. */
  readonly isEligible?: (peer: PeerId) => boolean;
}

/**
 * The peers that should hold the pin. Empty means everywhere (both factors negative).
 * Holders that are alive stay; nothing is added while they are at least `replicationMin`.
 * **Errors**: `allocate/bad-factors`, `allocate/not-enough-peers`.
 */
export function allocate(request: AllocateRequest): PeerId[] {
  const { replicationMin: min, replicationMax: max } = request;
  if (min + max === 0) throw badFactors(min, max);
  if (min < 0 && max < 0) return [];

  const metrics = indexMetrics(request.metrics, request.allocateBy);
  const classes = classify(request, metrics);
  const needed = min - classes.current.length;
  const wanted = max - classes.current.length;
  if (wanted < 0) return keepBest(request, classes.current, max);
  if (needed <= 0) return [...request.current];

  const order = [
    ...balancedOrder(classes.preferred, request.allocateBy, metrics),
    ...balancedOrder(classes.candidates, request.allocateBy, metrics),
  ];
  if (order.length < needed) throw notEnoughPeers(needed, wanted, order.length);
  return [...classes.current, ...order.slice(0, wanted)];
}

interface Classes {
  readonly current: PeerId[];
  readonly preferred: PeerId[];
  readonly candidates: PeerId[];
}

function classify(request: AllocateRequest, metrics: MetricsByName): Classes {
  const classes: Classes = { current: [], preferred: [], candidates: [] };
  const current = new Set(request.current);
  const preferred = new Set(request.preferred);
  for (const peer of peersWithAll(request.allocateBy, metrics)) {
    if (request.excluded.has(peer)) continue;
    if (request.isEligible !== undefined && !request.isEligible(peer)) continue;
    if (current.has(peer)) classes.current.push(peer);
    else if (preferred.has(peer)) classes.preferred.push(peer);
    else classes.candidates.push(peer);
  }
  return classes;
}

/** Too many holders: those that the user asked for stay first, then in the order in which they were chosen. */
function keepBest(request: AllocateRequest, current: readonly PeerId[], max: number): PeerId[] {
  const alive = new Set(current);
  const preferred = new Set(request.preferred);
  const holders = request.current.filter((peer) => alive.has(peer));
  const ranked = [...holders.filter((p) => preferred.has(p)), ...holders.filter((p) => !preferred.has(p))];
  return ranked.slice(0, max);
}

function indexMetrics(
  all: ReadonlyMap<string, readonly Metric[]>,
  names: readonly string[],
): Map<string, Map<PeerId, Metric>> {
  return new Map(names.map((name) => [name, new Map((all.get(name) ?? []).map((m) => [m.peer, m] as const))] as const));
}

function peersWithAll(names: readonly string[], metrics: MetricsByName): PeerId[] {
  const [first, ...rest] = names.map((name) => metrics.get(name) ?? new Map<PeerId, Metric>());
  if (first === undefined) return [];
  return [...first.keys()].filter((peer) => rest.every((others) => others.has(peer))).sort();
}
