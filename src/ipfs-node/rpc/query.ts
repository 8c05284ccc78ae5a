/**
 * Arguments and options of a request. Values that do not parse are refused before anything is done, with the texts of
 * go-ipfs-cmds (`option.go`, `http/parse.go`).
 */
import { rpcError } from './errors.ts';

const trueWords = new Set(['1', 't', 'T', 'TRUE', 'true', 'True', '']);
const falseWords = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** The query string: `arg` values in order, everything else by name (the first value counts). */
export class Query {
  readonly args: readonly string[];
  readonly #params: URLSearchParams;

  /** `pathArg` is an argument given as the rest of the path; it comes first. */
  constructor(search: string, pathArg?: string) {
    this.#params = new URLSearchParams(search);
    const args = this.#params.getAll('arg');
    this.args = pathArg === undefined || pathArg === '' ? args : [pathArg, ...args];
  }

  has(name: string): boolean {
    return this.#params.has(name);
  }

  text(name: string, fallback: string): string {
    return this.#params.get(name) ?? fallback;
  }

  boolean(name: string, fallback: boolean): boolean {
    const text = this.#params.get(name);
    if (text === null) return fallback;
    if (trueWords.has(text)) return true;
    if (falseWords.has(text)) return false;
    throw badValue(text, 'bool', name);
  }

  /** A whole number that fits a double. */
  integer(name: string, fallback: number, type: 'int' | 'int64' = 'int'): number {
    const text = this.#params.get(name);
    if (text === null) return fallback;
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) throw badValue(text, type, name);
    return value;
  }
}

function badValue(text: string, type: string, name: string): Error {
  return rpcError(
    'ipfs-rpc/bad-request',
    `could not convert value ${JSON.stringify(text)} to type "${type}" (for option "-${name}")`,
  );
}
