/** What a request says of pages and searches. Nothing of it is in the reference. */
import { errorCode, errorMessage, utf8Decode } from '../../base/index.ts';
import { type PinSearch, parseCursor, parsePinSearch } from '../../model/index.ts';
import type { Context } from './context.ts';
import { RequestError } from './reply.ts';

const limitDefault = 100;
const limitMax = 1000;

/** One page of a list. */
export interface PageRequest {
  readonly limit: number;
  /** Empty for the first page. */
  readonly cursor: string;
}

/** `undefined`: the whole list is asked for. */
export function readPage({ query }: Context, isSearch: boolean): PageRequest | undefined {
  const text = query.get('limit');
  const cursor = query.get('cursor');
  if (text === '' && cursor === '' && !isSearch) return undefined;
  const limit = text === '' ? limitDefault : /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= limitMax) return { limit, cursor };
  const expected = `a whole number from 1 to ${limitMax}`;
  throw new RequestError(400, `parameter limit: found ${JSON.stringify(text)}, expected ${expected}`);
}

/** `undefined`: nothing is looked for. */
export function readSearch({ query }: Context): PinSearch | undefined {
  return orRefused(() => parsePinSearch(query));
}

/** The state key behind which the page begins. */
export function readPlace(cursor: string, list: string): string | undefined {
  return cursor === '' ? undefined : orRefused(() => utf8Decode(parseCursor(cursor, list)));
}

/** What the peer says of the same. */
export function asRefusal(error: unknown): unknown {
  const status = statuses[errorCode(error)];
  return status === undefined ? error : new RequestError(status, errorMessage(error));
}

const statuses: Readonly<Record<string, number>> = {
  'model/bad-cursor': 400,
  'model/bad-time': 400,
  'cluster/no-search': 501,
};

function orRefused<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw asRefusal(error);
  }
}
