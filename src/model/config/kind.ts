/**
 * The kinds of values in a configuration file: how each is read from JSON and from the text of an environment variable,
 * written back, and what is expected where it does not fit. Source: Go `config/util.go`, kelseyhightower/envconfig.
 */
import { formatGoDuration, parseGoDuration, parseMultiaddr, parsePeerId } from '../index.ts';
import type { Json } from './json.ts';
import { isJsonObject } from './json.ts';

export interface Kind<T> {
  /** Ends the sentence "expected …". */
  readonly expected: string;
  /** What an absent value, `""`, `0`, `false` or `[]` stands for where the field has no default for it. */
  readonly zero: T;
  /** `undefined`: not a value of this kind. */
  read(json: Json): T | undefined;
  /** JSON form of the text of an environment variable; `undefined`: not a value of this kind. */
  readText(text: string): Json | undefined;
  write(value: T): Json;
}

const asText = (text: string): Json => text;

export const textKind: Kind<string> = {
  expected: 'a text',
  zero: '',
  read: (json) => (typeof json === 'string' ? json : undefined),
  readText: asText,
  write: (value) => value,
};

const truths: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

export const booleanKind: Kind<boolean> = {
  expected: 'true or false',
  zero: false,
  read: (json) => (typeof json === 'boolean' ? json : undefined),
  readText: (text) => truths[text],
  write: (value) => value,
};

const integerText = /^[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[0-9_]+)$/;

export const integerKind: Kind<number> = {
  expected: 'an integer',
  zero: 0,
  read: (json) => (Number.isSafeInteger(json) ? Number(json) : undefined),
  readText(text) {
    if (!integerText.test(text)) return undefined;
    const digits = text
      .replace(/^[+-]/, '')
      .replaceAll('_', '')
      .replace(/^0(?=[0-7])/, '0o');
    const value = Number(digits) * (text.startsWith('-') ? -1 : 1);
    return Number.isSafeInteger(value) ? value : undefined;
  },
  write: (value) => value,
};

export const numberKind: Kind<number> = {
  expected: 'a number',
  zero: 0,
  read: (json) => (typeof json === 'number' ? json : undefined),
  readText: (text) => (text.trim() === '' || !Number.isFinite(Number(text)) ? undefined : Number(text)),
  write: (value) => value,
};

/** Milliseconds; in the file a Go duration. */
export const durationKind: Kind<number> = {
  expected: 'a duration such as "30s" or "1h30m"',
  zero: 0,
  read: (json) => (json === '' ? 0 : typeof json === 'string' ? orUndefined(parseGoDuration, json) : undefined),
  readText: asText,
  write: formatGoDuration,
};

/** 32 bytes as hexadecimal digits of either case, or nothing. */
export const secretKind: Kind<string> = {
  expected: '64 hexadecimal digits, or an empty text for an open network',
  zero: '',
  read: (json) => (typeof json === 'string' && /^([0-9a-fA-F]{64})?$/.test(json) ? json.toLowerCase() : undefined),
  readText: asText,
  write: (value) => value,
};

const readMultiaddr = (json: Json): string | undefined =>
  typeof json === 'string' ? orUndefined(parseMultiaddr, json) : undefined;
const readPeerId = (json: Json): string | undefined =>
  typeof json === 'string' ? orUndefined(parsePeerId, json) : undefined;

export const multiaddrKind: Kind<string> = {
  expected: 'a multiaddress such as "/ip4/127.0.0.1/tcp/5001"',
  zero: '',
  read: (json) => (json === '' ? json : readMultiaddr(json)),
  readText: asText,
  write: (value) => value,
};

/** One text or a list of them; written as text when there is exactly one. */
export const multiaddrListKind: Kind<readonly string[]> = {
  expected: 'a multiaddress such as "/ip4/0.0.0.0/tcp/9096", or a list of them',
  zero: [],
  read(json) {
    if (json === '') return [];
    return readEach(Array.isArray(json) ? json : [json], readMultiaddr);
  },
  readText: (text) => (text === '' ? '' : text.split(',')),
  write: (value) => (value.length === 1 ? (value[0] ?? '') : value),
};

export const textListKind: Kind<readonly string[]> = {
  expected: 'a list of texts',
  zero: [],
  read: (json) => (isTextList(json) ? json : undefined),
  readText: (text) => (text === '' ? [] : text.split(',')),
  write: (value) => value,
};

/** A list that is always written as one, of complete multiaddresses. */
export const addressListKind: Kind<readonly string[]> = {
  ...textListKind,
  expected: 'a list of multiaddresses',
  read: (json) => (isTextList(json) ? readEach(json, readMultiaddr) : undefined),
};

export const peerListKind: Kind<readonly string[]> = {
  ...textListKind,
  expected: 'a list of peer ids such as "12D3KooW…"',
  read: (json) => (isTextList(json) ? readEach(json, readPeerId) : undefined),
};

export const peerIdKind: Kind<string> = {
  ...textKind,
  expected: 'a peer id such as "12D3KooW…"',
  read: (json) => (json === '' ? json : readPeerId(json)),
};

/** Texts by name. From the environment: `name:text,name:text`; neither part can hold a colon or a comma. */
export const textMapKind: Kind<Readonly<Record<string, string>>> = {
  expected: 'an object of texts',
  zero: {},
  read: (json) => (isJsonObject(json) ? every(json, (item) => typeof item === 'string') : undefined),
  readText: readMapText,
  write: (value) => value,
};

/** As `textMapKind`, or `null`. */
export const nullableTextMapKind: Kind<Readonly<Record<string, string>> | null> = {
  expected: 'null, or an object of texts with at least one entry',
  zero: null,
  read: (json) => (json === null ? null : textMapKind.read(json)),
  readText: readMapText,
  write: (value) => value,
};

/** Lists of texts by name. From the environment each list has one item. */
export const listMapKind: Kind<Readonly<Record<string, readonly string[]>>> = {
  expected: 'an object of lists of texts',
  zero: {},
  read: (json) => (isJsonObject(json) ? every(json, isTextList) : undefined),
  readText(text) {
    const map = readMapText(text);
    return map === undefined
      ? undefined
      : Object.fromEntries(Object.entries(map).map(([name, item]) => [name, [item]]));
  },
  write: (value) => value,
};

/** Exactly these words; the empty text stands for a missing value. */
export function choiceKind<T extends string>(words: readonly [T, ...T[]]): Kind<T> {
  return {
    expected: words.map((word) => JSON.stringify(word)).join(' or '),
    zero: words[0],
    read: (json) => words.find((word) => word === json),
    readText: asText,
    write: (value) => value,
  };
}

function readEach<T>(items: readonly Json[], read: (item: Json) => T | undefined): readonly T[] | undefined {
  const values = items.map(read).filter((value) => value !== undefined);
  return values.length === items.length ? values : undefined;
}

function isTextList(json: Json): json is readonly string[] {
  return Array.isArray(json) && json.every((item) => typeof item === 'string');
}

function every<T extends Json>(
  json: Readonly<Record<string, Json>>,
  fits: (item: Json) => item is T,
): Readonly<Record<string, T>> | undefined {
  const entries: [string, T][] = [];
  for (const [name, item] of Object.entries(json)) {
    if (!fits(item)) return undefined;
    entries.push([name, item]);
  }
  return Object.fromEntries(entries);
}

function readMapText(text: string): Record<string, string> | undefined {
  const map: Record<string, string> = {};
  for (const item of text.split(',')) {
    if (item.trim() === '') continue;
    const [name, value, ...more] = item.split(':');
    if (name === undefined || value === undefined || more.length > 0) return undefined;
    map[name] = value;
  }
  return map;
}

/** What the parser makes of the text, or `undefined` when it refuses: the caller tells what was expected instead. */
function orUndefined<T>(parse: (text: string) => T, text: string): T | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
