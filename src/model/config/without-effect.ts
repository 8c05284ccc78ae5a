/** Keys that are read, checked and written as by the Go peer, and that nothing here goes by yet. */
import type { Json } from './json.ts';
import { isJsonObject } from './json.ts';
import { initialService, writeService } from './service.ts';
import type { ServiceConfig } from './types.ts';

/** Where they stand in the file. */
export const pathsWithoutEffect: readonly string[] = [
  'cluster.enable_relay_hop',
  'cluster.connection_manager.grace_period',
  'cluster.resource_manager.enabled',
  'cluster.resource_manager.memory_limit_bytes',
  'cluster.resource_manager.file_descriptors_limit',
  'consensus.raft.commit_timeout',
  'observations.metrics.enable_stats',
  'observations.metrics.prometheus_endpoint',
  'observations.metrics.reporting_interval',
  'observations.tracing.enable_tracing',
  'observations.tracing.jaeger_agent_endpoint',
  'observations.tracing.sampling_prob',
  'observations.tracing.service_name',
];

/** Those of them that the configuration has at other than their defaults: somebody may count on them. */
export function keysWithoutEffect(config: ServiceConfig): readonly string[] {
  const found = writeService(config, { form: 'display' });
  const initial = writeService(initialService({ hostname: '', secret: '' }), { form: 'display' });
  return pathsWithoutEffect.filter((path) => {
    const value = valueAt(found, path);
    return value !== undefined && JSON.stringify(value) !== JSON.stringify(valueAt(initial, path));
  });
}

function valueAt(json: Json, path: string): Json | undefined {
  let at: Json | undefined = json;
  for (const key of path.split('.')) at = isJsonObject(at) ? at[key] : undefined;
  return at;
}
