/** Events as plain data. */
import { errorMessage } from '../../base/index.ts';
import { RequestError, type ServerEvent } from '../index.ts';

/** What a peer tells. */
export interface ClusterEvent {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
}

/** Throws `RequestError` `client/bad-answer`. */
export function eventOf({ id, type, data }: ServerEvent): ClusterEvent {
  try {
    return { id, type, data: JSON.parse(data) };
  } catch (error) {
    throw new RequestError('client/bad-answer', `Cannot read event: ${errorMessage(error)}`, {
      status: 200,
      cause: error,
    });
  }
}
