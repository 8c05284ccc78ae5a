/**
 * Query strings as Go's `net/url` reads and writes them.
 */
import { utf8Decode } from '../base/index.ts';

/** Parsed parameters; of repeated names the first value counts. */
export interface Query {
  /** The value, or the empty text when there is none. */
  get(name: string): string;
  names(): Iterable<string>;
}

/**
 * Reads what follows the `?`. Pairs with a semicolon or a broken escape are dropped, `+` is a blank.
 * Source: Go `net/url` `ParseQuery`.
 */
export function parseQuery(text: string): Query {
  const values = new Map<string, string>();
  for (const pair of text.split('&')) {
    if (pair === '' || pair.includes(';')) continue;
    const at = pair.indexOf('=');
    const name = unescaped(at < 0 ? pair : pair.slice(0, at));
    const value = unescaped(at < 0 ? '' : pair.slice(at + 1));
    if (name === undefined || value === undefined || values.has(name)) continue;
    values.set(name, value);
  }
  return { get: (name) => values.get(name) ?? '', names: () => values.keys() };
}

/** `name=value` pairs sorted by name. Source: Go `net/url` `Values.Encode`. */
export function formatQuery(values: Readonly<Record<string, string>>): string {
  return Object.keys(values)
    .sort()
    .map((name) => `${escaped(name)}=${escaped(values[name] ?? '')}`)
    .join('&');
}

function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, '+');
}

/** `undefined` for a broken escape. Bytes that are no UTF-8 become U+FFFD. */
function unescaped(text: string): string | undefined {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  if (/%(?![0-9a-fA-F]{2})/.test(spaced)) return undefined;
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Escapes of bytes that are no UTF-8: decoded leniently, run by run.
    return spaced.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) =>
      utf8Decode(Uint8Array.from(run.slice(1).split('%'), (hex) => Number.parseInt(hex, 16))),
    );
  }
}
