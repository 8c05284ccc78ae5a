/** Events as plain data. */
import type { ServerEvent } from '../index.ts';

/** What a peer tells. */
export interface ClusterEvent {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
}

export function eventOf({ id, type, data }: ServerEvent): ClusterEvent {
  return { id, type, data: JSON.parse(data) };
}
