/** Options of a Kubo command, by their long or short names; texts of go-ipfs-cmds `option.go`. */
import { ProxyError } from './errors.ts';

const trueWords = new Set(['', '1', 't', 'T', 'TRUE', 'true', 'True']);
const falseWords = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** The first value of the first name that is there. */
export function textOption(query: URLSearchParams, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const text = query.get(name);
    if (text !== null) return text;
  }
  return undefined;
}

/** Throws `proxy/bad-request` (400) for what is neither true nor false. */
export function booleanOption(query: URLSearchParams, fallback: boolean, ...names: readonly string[]): boolean {
  const text = textOption(query, ...names);
  if (text === undefined) return fallback;
  if (trueWords.has(text)) return true;
  if (falseWords.has(text)) return false;
  throw new ProxyError(
    400,
    `could not convert value ${JSON.stringify(text)} to type "bool" (for option "-${names[0]}")`,
  );
}
