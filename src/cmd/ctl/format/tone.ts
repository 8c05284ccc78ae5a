import type { TrackerStatus } from '../../../model/index.ts';
import type { Tone } from '../paint.ts';

/** How a status of a pin looks. */
export function toneOf(status: TrackerStatus): Tone {
  if (status === 'pinned' || status === 'unpinned' || status === 'sharded') return 'good';
  if (status === 'remote') return 'quiet';
  return status.endsWith('_error') || status === 'undefined' || status === 'unexpectedly_unpinned' ? 'bad' : 'busy';
}
