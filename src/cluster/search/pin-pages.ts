/** Pages of the pinset: of all pins in the order of their CIDs, or of those that are looked for in the order of the index. */
import { OperatingError, utf8Decode, utf8Encode } from '../../base/index.ts';
import { formatCursor, formatPinSearch, parseCursor, pinTypeBits, type StoredPin } from '../../model/index.ts';
import type { CallOptions, PinPage, PinPageRequest, Pinset } from '../ports.ts';
import { candidatesMax, type FoundPins, type SearchIndex } from './search-index.ts';

export interface PinPagesDeps {
  readonly pinset: () => Pinset;
  /** Absent: nothing can be searched. */
  readonly index?: SearchIndex | undefined;
}

/**
 * Every pin that is there, and is not changed in what is looked for, from the first page to the last is on exactly one of them. Throws
 * `model/bad-cursor`, `cluster/no-search`.
 */
export async function pinPage(request: PinPageRequest, deps: PinPagesDeps, { signal }: CallOptions): Promise<PinPage> {
  const { search, types, limit, cursor } = request;
  const list = `pins ${types} ${search === undefined ? '' : formatPinSearch(search)}`;
  const after = cursor === '' ? undefined : parseCursor(cursor, list);
  const matches = (pin: StoredPin): boolean => (types & pinTypeBits[pin.type]) !== 0;
  let found: FoundPins;
  if (search === undefined) {
    found = await inOrder(deps.pinset(), matches, limit, after && utf8Decode(after), signal);
  } else if (deps.index === undefined) {
    throw new OperatingError('cluster/no-search', 'Cannot search: this peer keeps no index');
  } else found = await deps.index.find({ search, matches, limit, after, signal });
  return { pins: found.pins, next: found.next === undefined ? '' : formatCursor(found.next, list) };
}

async function inOrder(
  pinset: Pinset,
  matches: (pin: StoredPin) => boolean,
  limit: number,
  after: string | undefined,
  signal: AbortSignal | undefined,
): Promise<FoundPins> {
  const pins: StoredPin[] = [];
  let candidates = 0;
  const options = { ...(after === undefined ? {} : { after }), ...(signal === undefined ? {} : { signal }) };
  for await (const page of pinset.storedPages({ ...options, pageSize: Math.max(limit, 256) })) {
    for (const pin of page) {
      if (matches(pin)) pins.push(pin);
      candidates += 1;
      if (pins.length >= limit || candidates >= candidatesMax) return { pins, next: utf8Encode(pin.key) };
    }
  }
  return { pins, next: undefined };
}
