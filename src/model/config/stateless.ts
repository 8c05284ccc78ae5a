/** Section `pin_tracker.stateless`. Source: Go `pintracker/stateless/config.go`. */

import type { Section } from './field.ts';
import { above0, field } from './field.ts';
import { durationKind, integerKind } from './kind.ts';
import type { StatelessTrackerConfig } from './types.ts';

export const statelessSection: Section<StatelessTrackerConfig> = {
  path: 'pin_tracker.stateless',
  envPrefix: 'CLUSTER_STATELESS',
  fields: {
    maxPinQueueSize: field('max_pin_queue_size', integerKind, {
      initial: 1_000_000,
      missing: 'default',
      limit: above0,
      isOmitted: true,
    }),
    concurrentPins: field('concurrent_pins', integerKind, { initial: 10, missing: 'default', limit: above0 }),
    priorityPinMaxAgeMs: field('priority_pin_max_age', durationKind, {
      initial: 24 * 3_600_000,
      missing: 'unset',
      limit: above0,
    }),
    priorityPinMaxRetries: field('priority_pin_max_retries', integerKind, {
      initial: 5,
      missing: 'default',
      limit: above0,
    }),
  },
};
