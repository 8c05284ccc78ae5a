/**
 * The order in which peers are chosen, given their metrics: groups take turns, heavier ones first.
 *
 * Peers are split by the first metric (one group per value when it is partitionable, such as a zone tag, else one per
 * peer), each group again by the next metric, and so on. Taking the next peer from each group in turn gives: never two
 * from one zone while another zone has a peer left, and inside a zone by free space.
 * Source: Go `allocator/balanced/balanced.go`. Ties are broken by peer id, so that the same input gives the same order.
 */
import type { Metric, PeerId } from '../../model/index.ts';

/** Metrics by name, then by peer. */
export type MetricsByName = ReadonlyMap<string, ReadonlyMap<PeerId, Metric>>;

interface Group {
  readonly value: string;
  weight: bigint;
  aggregate: bigint;
  readonly peers: PeerId[];
  level: Level | undefined;
}

/** One level of the tree: groups in order of preference, and whose turn it is. */
interface Level {
  readonly groups: Group[];
  turn: number;
}

/** All of `peers`, best choice first. Each must have a metric for every name in `by`. */
export function balancedOrder(peers: readonly PeerId[], by: readonly string[], metrics: MetricsByName): PeerId[] {
  const sorted = [...new Set(peers)].sort();
  const [name, ...rest] = by;
  if (name === undefined) return sorted;
  const root = split(sorted, name, rest, metrics);
  const order: PeerId[] = [];
  for (let peer = takeNext(root); peer !== undefined; peer = takeNext(root)) order.push(peer);
  return order;
}

function split(peers: readonly PeerId[], name: string, rest: readonly string[], metrics: MetricsByName): Level {
  const groups: Group[] = [];
  const byValue = new Map<string, Group>();
  for (const peer of peers) {
    const metric = metrics.get(name)?.get(peer);
    if (metric === undefined) continue;
    let group = metric.partitionable ? byValue.get(metric.value) : undefined;
    if (group === undefined) {
      group = { value: metric.value, weight: 0n, aggregate: 0n, peers: [], level: undefined };
      groups.push(group);
      if (metric.partitionable) byValue.set(metric.value, group);
    }
    group.weight += metric.weight;
    group.peers.push(peer);
  }
  const [next, ...others] = rest;
  for (const group of groups) {
    group.aggregate = group.weight;
    if (next === undefined) continue;
    group.level = split(group.peers, next, others, metrics);
    for (const inner of group.level.groups) group.aggregate += inner.aggregate;
  }
  // A stable sort over groups that were made in order of peer ids: equal groups stay in that order.
  groups.sort((a, b) => descending(a.weight, b.weight) || descending(a.aggregate, b.aggregate) || byText(a, b));
  return { groups, turn: 0 };
}

/** Takes one peer from the group whose turn it is; an empty group passes its turn on. */
function takeNext(level: Level): PeerId | undefined {
  for (let tried = 0; tried < level.groups.length; tried += 1) {
    const group = level.groups[level.turn];
    level.turn = (level.turn + 1) % level.groups.length;
    const peer = group?.level === undefined ? group?.peers.shift() : takeNext(group.level);
    if (peer !== undefined) return peer;
  }
  return undefined;
}

function descending(a: bigint, b: bigint): number {
  return a === b ? 0 : a > b ? -1 : 1;
}

function byText(a: Group, b: Group): number {
  return a.value === b.value ? 0 : a.value < b.value ? -1 : 1;
}
