/** Members to allocate among, from a few words on each. */
import type { AllocateRequest, MemberFacts } from '../../src/core/allocate/index.ts';
import type { Metric } from '../../src/model/index.ts';

/** One member; what is left out is missing, but for its ping, which is good unless said otherwise. */
export interface MemberSpec {
  readonly group?: string;
  readonly free?: number;
  /** `expired`, `never`: as the name says. */
  readonly ping?: 'good' | 'expired' | 'never';
  /** Metrics that have expired. */
  readonly late?: readonly string[];
  readonly cordon?: MemberFacts['cordon'];
  readonly barred?: MemberFacts['barred'];
  readonly node?: string;
}

/** The present of these tests, in nanoseconds. */
export const nowNanos = 1_700_000_000_000_000_000n;

/** A request over `members`, by `tag:group` and `freespace`. */
export function requestOf(
  members: Readonly<Record<string, MemberSpec>>,
  more: Partial<AllocateRequest> = {},
): AllocateRequest {
  return {
    replicationMin: 1,
    replicationMax: 1,
    current: [],
    preferred: [],
    excluded: new Set(),
    allocateBy: ['tag:group', 'freespace'],
    members: Object.entries(members).map(([peer, spec]) => factsOf(peer, spec)),
    nowNanos,
    ...more,
  };
}

function factsOf(peer: string, spec: MemberSpec): MemberFacts {
  const { group, free, ping = 'good', late = [], cordon = 'none', barred = 'no', node = '' } = spec;
  const metricOf = (name: string, value: string, weight: bigint, partitionable: boolean): Metric => ({
    name,
    peer,
    value,
    weight,
    partitionable,
    valid: true,
    expire: nowNanos + (late.includes(name) ? -12_000_000_000n : 20_000_000_000n),
    receivedAt: nowNanos - 1_000_000_000n,
  });
  const metrics = new Map<string, Metric>();
  if (group !== undefined) metrics.set('tag:group', metricOf('tag:group', group, 0n, true));
  if (free !== undefined) metrics.set('freespace', metricOf('freespace', `${free}`, BigInt(free), false));
  const pinged = {
    ...metricOf('ping', '{}', 0n, false),
    ...(ping === 'expired' && { expire: nowNanos - 40_000_000_000n }),
  };
  return {
    peer,
    peername: '',
    ping: ping === 'never' ? undefined : pinged,
    ipfsNode: node,
    cordon,
    barred,
    metric: (name) => metrics.get(name),
  };
}
