/**
 * The metrics that a peer makes about itself besides `ping`; allocation chooses by them.
 * Source: Go `informer/{disk,tags,pinqueue,numpin}`.
 */
import type { Clock } from '../../base/index.ts';
import type { CallOptions, Informer, IpfsConnector, PinTracker } from '../../cluster/ports.ts';
import type { Metric, PeerId } from '../../model/index.ts';

/** What every informer needs. */
export interface InformerBase {
  readonly self: PeerId;
  /** How long each metric stays valid. */
  readonly ttlMs: number;
  readonly clock: Clock;
}

/**
 * Free space or size of the IPFS repository, in bytes. A peer without free space sends none: the metric is invalid, and so is one
 * of an answer that makes no sense. Source: Go `informer/disk/disk.go` `GetMetrics`.
 */
export function createDiskInformer(
  base: InformerBase & { readonly type: 'freespace' | 'reposize'; readonly ipfs: IpfsConnector },
): Informer {
  return {
    name: base.type,
    ttlMs: base.ttlMs,
    async metrics(options?: CallOptions): Promise<readonly Metric[]> {
      const stat = await base.ipfs.repoStat(options);
      const [used, most] = [bytesOf(stat.repoSize), bytesOf(stat.storageMax)];
      const invalid = make(base, base.type, '', { valid: false });
      if (base.type === 'reposize')
        return [used === undefined ? invalid : make(base, base.type, `${used}`, { weight: -used })];
      if (used === undefined || most === undefined || used >= most) return [invalid];
      return [make(base, base.type, `${most - used}`, { weight: most - used })];
    },
  };
}

/** A number of bytes that a weight can hold; `undefined` when it is none. */
function bytesOf(size: number): bigint | undefined {
  if (!Number.isInteger(size) || size < 0) return undefined;
  return BigInt(Math.min(size, Number.MAX_SAFE_INTEGER));
}

/** One metric per configured tag, such as the zone; allocation spreads over their values. */
export function createTagsInformer(base: InformerBase & { readonly tags: Readonly<Record<string, string>> }): Informer {
  return {
    name: 'tags',
    ttlMs: base.ttlMs,
    async metrics(): Promise<readonly Metric[]> {
      const tags = Object.entries(base.tags);
      if (tags.length === 0) return [make(base, 'tag:none', '', { valid: false })];
      return tags.map(([name, value]) => make(base, `tag:${name}`, value, { partitionable: true }));
    },
  };
}

/** Length of the pin queue. Queues of one `weightBucketSize` weigh the same; 0 tells all lengths apart. */
export function createPinQueueInformer(
  base: InformerBase & { readonly tracker: PinTracker; readonly weightBucketSize: number },
): Informer {
  return {
    name: 'pinqueue',
    ttlMs: base.ttlMs,
    async metrics(): Promise<readonly Metric[]> {
      const size = base.tracker.pinQueueSize();
      const bucket = base.weightBucketSize > 0 ? Math.trunc(size / base.weightBucketSize) : size;
      return [make(base, 'pinqueue', String(size), { weight: -BigInt(bucket) })];
    },
  };
}

/** Number of pins of the IPFS node. The reference has it, and never starts it: a configuration for it is ignored there. */
export function createNumpinInformer(base: InformerBase & { readonly ipfs: IpfsConnector }): Informer {
  return {
    name: 'numpin',
    ttlMs: base.ttlMs,
    async metrics(options?: CallOptions): Promise<readonly Metric[]> {
      let count = 0;
      for await (const page of base.ipfs.pinLs(['recursive', 'direct'], options)) count += page.length;
      return [make(base, 'numpin', String(count), {})];
    },
  };
}

function make(base: InformerBase, name: string, value: string, more: Partial<Metric>): Metric {
  return {
    name,
    peer: base.self,
    value,
    expire: base.clock.wallNanos() + BigInt(Math.round(base.ttlMs)) * 1_000_000n,
    valid: true,
    weight: 0n,
    partitionable: false,
    receivedAt: 0n,
    ...more,
  };
}
