/** What is looked for among the pins, and the places where a page of them ends. */
import { base32Decode, base32Encode, bytesEqual, concatBytes, OperatingError, utf8Encode } from '../base/index.ts';
import type { Pin } from './pin.ts';
import type { Query } from './query.ts';
import { compareTimes, formatTime, parseTime, type Time } from './time.ts';

/** All conditions must hold. None of them is in the reference. */
export interface PinSearch {
  /** Exactly this name. */
  readonly name?: string;
  /** Names that begin so. */
  readonly namePrefix?: string;
  /** Keys with their exact values. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Pinned at this time, or later. */
  readonly createdAfter?: Time;
  /** Pinned before this time. */
  readonly createdBefore?: Time;
}

const metaPrefix = 'meta-';

/**
 * Of `GET /allocations`; `undefined`: nothing is looked for. Each key of the metadata is a parameter of its own, `meta-<key>`. Throws `OperatingError` `model/bad-time`, which names the
 * parameter.
 */
export function parsePinSearch(query: Query): PinSearch | undefined {
  const name = query.get('name');
  const namePrefix = query.get('name-prefix');
  const metadata: [string, string][] = [];
  for (const parameter of query.names()) {
    const key = parameter.startsWith(metaPrefix) ? parameter.slice(metaPrefix.length) : '';
    const value = query.get(parameter);
    if (key !== '' && value !== '') metadata.push([key, value]);
  }
  const createdAfter = timeOf('created-after', query);
  const createdBefore = timeOf('created-before', query);
  if (!name && !namePrefix && metadata.length === 0 && !createdAfter && !createdBefore) return undefined;
  return {
    ...(name ? { name } : {}),
    ...(namePrefix ? { namePrefix } : {}),
    // As entries: a key may be called like what every object has.
    metadata: Object.fromEntries(metadata),
    ...(createdAfter ? { createdAfter } : {}),
    ...(createdBefore ? { createdBefore } : {}),
  };
}

/** Whether the pin is looked for. */
export function matchesSearch(pin: Pick<Pin, 'name' | 'metadata' | 'timestamp'>, search: PinSearch): boolean {
  const { name, namePrefix, metadata, createdAfter, createdBefore } = search;
  if (name !== undefined && pin.name !== name) return false;
  if (namePrefix !== undefined && !pin.name.startsWith(namePrefix)) return false;
  if (createdAfter !== undefined || createdBefore !== undefined) {
    if (pin.timestamp === null) return false;
    if (createdAfter !== undefined && compareTimes(pin.timestamp, createdAfter) < 0) return false;
    if (createdBefore !== undefined && compareTimes(pin.timestamp, createdBefore) >= 0) return false;
  }
  return Object.entries(metadata).every(
    ([key, value]) => pin.metadata !== null && Object.hasOwn(pin.metadata, key) && pin.metadata[key] === value,
  );
}

/** The same text for the same search, for `formatCursor`. */
export function formatPinSearch({ name, namePrefix, metadata, createdAfter, createdBefore }: PinSearch): string {
  const times = [createdAfter, createdBefore].map((time) =>
    time === undefined ? '' : formatTime({ ...time, offsetMinutes: 0 }),
  );
  return JSON.stringify([name, namePrefix, Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)), ...times]);
}

function timeOf(parameter: string, query: Query): Time | undefined {
  const text = query.get(parameter);
  if (text === '') return undefined;
  try {
    return parseTime(text) ?? undefined;
  } catch (error) {
    const found = `found ${JSON.stringify(text)}, expected a time such as 2026-01-31T12:00:00Z`;
    throw new OperatingError('model/bad-time', `parameter ${parameter}: ${found}`, { cause: error });
  }
}

const cursorVersion = 1;
const checkBytes = 4;

/**
 * The place where a page has ended, for whoever asks for the next one. Opaque to him.
 * @param list what is listed, as text: a cursor of another list is refused
 */
export function formatCursor(place: Uint8Array, list: string): string {
  return base32Encode(concatBytes([Uint8Array.of(cursorVersion), checkOf(place, list), place]));
}

/** Throws `OperatingError` `model/bad-cursor` for what no page of this list has ended with. */
export function parseCursor(text: string, list: string): Uint8Array {
  try {
    const bytes = base32Decode(text);
    const place = bytes.subarray(1 + checkBytes);
    const isOurs = bytes[0] === cursorVersion && bytesEqual(bytes.subarray(1, 1 + checkBytes), checkOf(place, list));
    // More than one text may mean the same bytes.
    if (isOurs && formatCursor(place, list) === text) return place;
  } catch {
    // Told below.
  }
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  const expected = 'expected the "next" of a page of this very list';
  throw new OperatingError('model/bad-cursor', `parameter cursor: found ${JSON.stringify(shown)}, ${expected}`);
}

/** FNV-1a, against mistakes: a cursor gives access to nothing. */
function checkOf(place: Uint8Array, list: string): Uint8Array {
  let hash = 0x811c9dc5;
  for (const bytes of [utf8Encode(list), Uint8Array.of(0), place]) {
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return Uint8Array.of(hash >>> 24, hash >>> 16, hash >>> 8, hash);
}
