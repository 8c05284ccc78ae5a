/**
 * Sections about metrics: who checks them, who allocates by them, who makes them. Source: Go `monitor/pubsubmon/config.go`,
 * `allocator/balanced/config.go`, `informer/{disk,numpin,pinqueue,tags}/config.go`.
 */

import type { Section } from './field.ts';
import { above0, atLeast0, field } from './field.ts';
import { choiceKind, durationKind, integerKind, textListKind, textMapKind } from './kind.ts';
import type {
  BalancedAllocatorConfig,
  DiskInformerConfig,
  NumpinInformerConfig,
  PinQueueInformerConfig,
  PubsubMonitorConfig,
  TagsInformerConfig,
} from './types.ts';

export const pubsubmonSection: Section<PubsubMonitorConfig> = {
  path: 'monitor.pubsubmon',
  envPrefix: 'CLUSTER_PUBSUBMON',
  fields: {
    checkIntervalMs: field('check_interval', durationKind, { initial: 15_000, missing: 'zero', limit: above0 }),
  },
};

export const balancedSection: Section<BalancedAllocatorConfig> = {
  path: 'allocator.balanced',
  envPrefix: 'CLUSTER_BALANCED',
  fields: {
    allocateBy: field('allocate_by', textListKind, { initial: ['tag:group', 'freespace'], missing: 'default' }),
  },
};

export const diskSection: Section<DiskInformerConfig> = {
  path: 'informer.disk',
  envPrefix: 'CLUSTER_DISK',
  fields: {
    metricTtlMs: field('metric_ttl', durationKind, { initial: 30_000, missing: 'zero', limit: above0 }),
    metricType: field('metric_type', choiceKind(['freespace', 'reposize']), {
      initial: 'freespace',
      missing: 'required',
    }),
  },
};

/** Here the informer runs when its section is there; the reference has the section, and ignores it. */
export const numpinSection: Section<NumpinInformerConfig> = {
  path: 'informer.numpin',
  envPrefix: 'CLUSTER_NUMPIN',
  fields: {
    metricTtlMs: field('metric_ttl', durationKind, { initial: 10_000, missing: 'unset', limit: above0 }),
  },
};

export const pinqueueSection: Section<PinQueueInformerConfig> = {
  path: 'informer.pinqueue',
  envPrefix: 'CLUSTER_PINQUEUE',
  fields: {
    metricTtlMs: field('metric_ttl', durationKind, { initial: 30_000, missing: 'zero', limit: above0 }),
    weightBucketSize: field('weight_bucket_size', integerKind, { initial: 100_000, missing: 'zero', limit: atLeast0 }),
  },
};

export const tagsSection: Section<TagsInformerConfig> = {
  path: 'informer.tags',
  envPrefix: 'CLUSTER_TAGS',
  fields: {
    metricTtlMs: field('metric_ttl', durationKind, { initial: 30_000, missing: 'unset', limit: above0 }),
    tags: field('tags', textMapKind, { initial: { group: 'default' }, missing: 'zero' }),
  },
};
