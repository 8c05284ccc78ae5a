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

/** Limit for IPFS to answer an informer: a hanging node must make its metrics expire, not pile up questions. */
const ipfsTimeoutMs = 10_000;

/** Free space or size of the IPFS repository, in bytes. Free space that is not above 0 makes an invalid metric. */
export function createDiskInformer(
  base: InformerBase & { readonly type: 'freespace' | 'reposize'; readonly ipfs: IpfsConnector },
): Informer {
  return {
    name: base.type,
    ttlMs: base.ttlMs,
    async metrics(options?: CallOptions): Promise<readonly Metric[]> {
      const { repoSize, storageMax } = await base.ipfs.repoStat({ timeoutMs: ipfsTimeoutMs, ...options });
      if (base.type === 'reposize') return [make(base, base.type, String(repoSize), { weight: -BigInt(repoSize) })];
      const free = storageMax - repoSize;
      if (!(free > 0)) return [make(base, base.type, '', { valid: false })];
      return [make(base, base.type, String(free), { weight: BigInt(free) })];
    },
  };
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

/** Number of pins of the IPFS node. */
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
