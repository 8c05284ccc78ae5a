/** A parser under fuzz. */
import { AssertionFailure, OperatingError } from '../../src/base/index.ts';

/** How inputs are changed so that they stay nearly valid. */
export type InputForm = 'bytes' | 'text' | 'json' | 'msgpack' | 'protobuf';

export interface FuzzTarget {
  /** As `npm run fuzz` takes it. */
  readonly name: string;
  readonly form: InputForm;
  /** Valid inputs, most of them recorded; made once. */
  seeds(): readonly Uint8Array[];
  /** Pieces of the grammar that are put in now and then. */
  readonly words?: readonly (string | Uint8Array)[];
  /** Gives what was read, to be weighed; refuses by throwing. A round trip that must hold is asserted here. */
  parse(input: Uint8Array): unknown;
  /** Errors that are refusals beside `OperatingError`; each with its reason where it is given. */
  readonly isRefusal?: (error: unknown) => boolean;
  /** Ends what `parse` has started. */
  close?(): Promise<void>;
  /** Weight of what is read, at most, by bytes of input. Default 64. */
  readonly weightPerByteMax?: number;
}

/** Whether the error is one of ours: refused with a code, and no broken invariant. */
export function isOwnRefusal(error: unknown): boolean {
  return error instanceof OperatingError && !(error instanceof AssertionFailure);
}

/** Whether a library has thrown it, for parsers whose callers answer for whatever theirs throws. */
export function isOfLibrary(error: unknown): boolean {
  const frame = error instanceof Error ? /\n\s+at .*/.exec(error.stack ?? '')?.[0] : undefined;
  return frame?.includes('/node_modules/') ?? false;
}

/** Nothing of what a parser gives is lazy: this walks it all. Bytes count as bytes, texts as letters, all else as 16. */
export function weigh(value: unknown): number {
  const seen = new Set<unknown>();
  const waiting: unknown[] = [value];
  let weight = 0;
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === 'string' || next instanceof Uint8Array) weight += next.length;
    else weight += 16;
    if (typeof next !== 'object' || next === null || next instanceof Uint8Array || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof Map || next instanceof Set) for (const item of next) waiting.push(item);
    else for (const [key, item] of Object.entries(next)) waiting.push(key, item);
  }
  return weight;
}

export const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
export const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8');

/** The input as pieces of uneven sizes, always the same for the same input. */
export function cut(input: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let size = 1 + ((input.length * 7 + (input[0] ?? 0)) % 23);
  for (let at = 0; at < input.length; at += size, size = 1 + ((size * 5 + (input[at] ?? 0)) % 97)) {
    pieces.push(input.subarray(at, at + size));
  }
  return pieces;
}

export async function* stream(input: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* cut(input);
}

/** All of an iteration, not more than a parser may make of the largest input. */
export async function drain(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}
