/** Sections `observations.metrics` and `observations.tracing`. Source: Go `observations/config.go`. */

import type { Section } from './field.ts';
import { atLeast0, field, notEmptyText } from './field.ts';
import { booleanKind, durationKind, multiaddrKind, numberKind, textKind } from './kind.ts';
import type { MetricsConfig, TracingConfig } from './types.ts';

export const metricsSection: Section<MetricsConfig> = {
  path: 'observations.metrics',
  envPrefix: 'CLUSTER_METRICS',
  fields: {
    enableStats: field('enable_stats', booleanKind, { initial: false, missing: 'zero' }),
    prometheusEndpoint: field('prometheus_endpoint', multiaddrKind, {
      initial: '/ip4/127.0.0.1/tcp/8888',
      missing: 'zero',
      limit: notEmptyText,
    }),
    reportingIntervalMs: field('reporting_interval', durationKind, {
      initial: 30_000,
      missing: 'unset',
      limit: atLeast0,
    }),
  },
};

export const tracingSection: Section<TracingConfig> = {
  path: 'observations.tracing',
  envPrefix: 'CLUSTER_TRACING',
  fields: {
    enableTracing: field('enable_tracing', booleanKind, { initial: false, missing: 'zero' }),
    jaegerAgentEndpoint: field('jaeger_agent_endpoint', multiaddrKind, {
      initial: '/ip4/0.0.0.0/udp/6831',
      missing: 'zero',
      limit: notEmptyText,
    }),
    samplingProb: field('sampling_prob', numberKind, { initial: 0.3, missing: 'zero', limit: atLeast0 }),
    serviceName: field('service_name', textKind, { initial: 'cluster-daemon', missing: 'zero' }),
  },
};
