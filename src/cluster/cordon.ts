/**
 * What members are told to hold, as everybody knows it: by a metric of theirs. It is published like a ping; while it holds, its peer keeps
 * back the metrics that allocation goes by, so that Go peers, which do not know of it, give it nothing new either.
 */
import { type CordonMode, cordonModes, type Metric, type PeerId } from '../model/index.ts';
import { pingName } from './ping-value.ts';
import type { PeerMonitor } from './ports.ts';

/** Name of the metric. */
const cordonName = 'cordon';

/** The metric of a peer with that mode. */
export function cordonMetric(peer: PeerId, mode: CordonMode, expire: bigint): Metric {
  return {
    name: cordonName,
    peer,
    value: mode,
    expire,
    valid: true,
    weight: 0n,
    partitionable: false,
    receivedAt: 0n,
  };
}

/**
 * What a peer was told, as far as it has said. One that falls silent is what it was; one that only does not repeat it is free. A metric
 * that is not valid says nothing.
 */
export function cordonOf(monitor: PeerMonitor, peer: PeerId, nowNanos: bigint): CordonMode {
  const metric = monitor.latestOf(cordonName, peer);
  if (metric === undefined || !metric.valid) return 'none';
  const mode = cordonModes.find((known) => known === metric.value) ?? 'none';
  if (metric.expire > nowNanos) return mode;
  const ping = monitor.latestOf(pingName, peer);
  return ping !== undefined && ping.expire > nowNanos ? 'none' : mode;
}
