/** The decision alone: what pinning and healing need. */
import type { PeerId } from '../../model/index.ts';
import { decide } from './decide.ts';
import type { AllocateRequest } from './request.ts';

/**
 * The peers that should hold the pin. Empty means everywhere (both factors negative).
 * Holders that count stay; nothing is added while they are at least `replicationMin`.
 * **Errors**: `allocate/bad-factors`, `allocate/not-enough-peers`.
 */
export function allocate(request: AllocateRequest): readonly PeerId[] {
  const { allocations, error } = decide(request);
  if (error !== undefined) throw error;
  return allocations;
}
