/** What a list is asked for. Source: specification of the IPFS Pinning Service API, `components.parameters`. */
import { errorMessage } from '../../base/index.ts';
import {
  Cid,
  compareTimes,
  type PinsvcState,
  parseTime,
  pinsvcStates,
  type Query,
  type Time,
} from '../../model/index.ts';
import { RequestError } from '../kit/index.ts';

const cidsMax = 10;
export const nameLengthMax = 255;
export const metaEntriesMax = 1000;
const limitMax = 1000;
const limitDefault = 10;

export type NameMatch = 'exact' | 'iexact' | 'partial' | 'ipartial';

/** What a pin must be to be listed; what is absent does not matter. */
export interface Selection {
  readonly cids: readonly Cid[] | undefined;
  readonly hasName: ((name: string) => boolean) | undefined;
  /** The one name that `hasName` is true of, when it is one. */
  readonly exactName: string | undefined;
  readonly meta: readonly (readonly [key: string, value: string])[];
  readonly before: Time | undefined;
  readonly after: Time | undefined;
}

/** A question for a list. */
export interface ListQuery extends Selection {
  readonly states: ReadonlySet<PinsvcState>;
  readonly limit: number;
}

/** Throws a `RequestError` 400 that names the parameter, what was found, and what was expected. */
export function parseListQuery(query: Query): ListQuery {
  const cids = readCids(query.get('cid'));
  const match = readMatch(query.get('match'));
  const hasName = readName(query.get('name'), match);
  const meta = readMeta(query.get('meta'));
  const selects = cids !== undefined || hasName !== undefined || meta.length > 0;
  return {
    cids,
    hasName,
    exactName: hasName !== undefined && match === 'exact' ? query.get('name') : undefined,
    meta,
    before: readTime(query, 'before'),
    after: readTime(query, 'after'),
    states: readStates(query.get('status'), selects),
    limit: readLimit(query.get('limit')),
  };
}

/** The parts of a selection that are asked of the pin's own values; its state is another matter. */
export function isSelected(
  selection: Selection,
  pin: { readonly name: string; readonly metadata: Readonly<Record<string, string>> | null },
): boolean {
  if (selection.hasName !== undefined && !selection.hasName(pin.name)) return false;
  const { metadata } = pin;
  return selection.meta.every(
    ([key, value]) => metadata !== null && Object.hasOwn(metadata, key) && metadata[key] === value,
  );
}

/** Both ends are excluded. */
export function isWithin({ before, after }: Selection, created: Time): boolean {
  if (before !== undefined && compareTimes(created, before) >= 0) return false;
  return after === undefined || compareTimes(created, after) > 0;
}

function readCids(text: string): readonly Cid[] | undefined {
  if (text === '') return undefined;
  const texts = [...new Set(text.split(','))];
  if (texts.length > cidsMax) throw refused('cid', `${texts.length} CIDs`, `at most ${cidsMax}`);
  return texts.map((one) => {
    try {
      return Cid.parse(one);
    } catch (error) {
      throw refused('cid', JSON.stringify(one), `a CID (${errorMessage(error)})`);
    }
  });
}

function readMatch(text: string): NameMatch {
  if (text === '') return 'exact';
  if (Object.hasOwn(matchers, text)) return text as NameMatch; // an own key
  throw refused('match', JSON.stringify(text), Object.keys(matchers).join(', '));
}

function readName(name: string, match: NameMatch): Selection['hasName'] {
  const length = [...name].length;
  if (length > nameLengthMax) throw refused('name', `${length} characters`, `at most ${nameLengthMax}`);
  return name === '' ? undefined : matchers[match](name);
}

const matchers: Readonly<Record<NameMatch, (asked: string) => (name: string) => boolean>> = {
  exact: (asked) => (name) => name === asked,
  iexact: (asked) => {
    const lower = asked.toLowerCase();
    return (name) => name.toLowerCase() === lower;
  },
  partial: (asked) => (name) => name.includes(asked),
  ipartial: (asked) => {
    const lower = asked.toLowerCase();
    return (name) => name.toLowerCase().includes(lower);
  },
};

/**
 * The description of the list says that all is listed that is pinned when no filter is given; so what selects pins in another
 * way finds them in every state, as the public compliance checks expect of a pin that was just made.
 */
function readStates(text: string, selects: boolean): ReadonlySet<PinsvcState> {
  if (text === '') return new Set(selects ? pinsvcStates : ['pinned']);
  return new Set(
    text.split(',').map((name) => {
      const state = pinsvcStates.find((known) => known === name);
      if (state === undefined) throw refused('status', JSON.stringify(name), pinsvcStates.join(', '));
      return state;
    }),
  );
}

function readTime(query: Query, parameter: string): Time | undefined {
  const text = query.get(parameter);
  if (text === '') return undefined;
  try {
    return parseTime(text) ?? undefined;
  } catch {
    throw refused(parameter, JSON.stringify(text), 'an RFC 3339 time such as 2020-07-27T17:32:28.276Z');
  }
}

function readLimit(text: string): number {
  if (text === '') return limitDefault;
  const limit = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > limitMax) throw refused('limit', JSON.stringify(text), `1 to ${limitMax}`);
  return limit;
}

function readMeta(text: string): Selection['meta'] {
  if (text === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Told below like anything that is no object.
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries: [string, unknown][] = isObject ? Object.entries(value as object) : [];
  if (!isObject || entries.some(([, one]) => typeof one !== 'string')) {
    throw refused('meta', JSON.stringify(text), 'a JSON object whose values are texts');
  }
  if (entries.length > metaEntriesMax) throw refused('meta', `${entries.length} entries`, `at most ${metaEntriesMax}`);
  return entries as [string, string][]; // all are texts, as just checked
}

function refused(parameter: string, found: string, expected: string): RequestError {
  return new RequestError(400, `parameter ${parameter}: found ${found}, expected ${expected}`);
}
