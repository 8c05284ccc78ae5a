/** Newline-delimited JSON, as it comes from the wire. */
import { briefJson } from '../../base/index.ts';
import { badAnswer } from './errors.ts';

/** Longer lines are no answer of an IPFS node that we ask for. */
const lineLengthMax = 4 * 1024 * 1024;

/**
 * The objects of each piece of the stream, in order; a piece without a complete line gives nothing.
 * **Errors**: `ipfs/bad-answer`.
 */
export async function* ndjson(path: string, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<unknown[], void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    const end = rest.lastIndexOf('\n');
    if (end < 0 && rest.length > lineLengthMax) throw badAnswer(path, `a line longer than ${lineLengthMax}`);
    if (end < 0) continue;
    const lines = rest.slice(0, end).split('\n');
    rest = rest.slice(end + 1);
    const values = parseAll(path, lines);
    if (values.length > 0) yield values;
  }
  const last = parseAll(path, [rest + decoder.decode()]);
  if (last.length > 0) yield last;
}

function parseAll(path: string, lines: readonly string[]): unknown[] {
  const values: unknown[] = [];
  for (const line of lines) {
    if (line.trim() === '') continue;
    try {
      values.push(JSON.parse(line));
    } catch (error) {
      throw badAnswer(path, `not JSON: ${line.slice(0, 200)}`, error);
    }
  }
  return values;
}

/** A value of JSON that has to be an object. **Errors**: `ipfs/bad-answer`. */
export function asRecord(path: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badAnswer(path, `not an object: ${briefJson(value)}`);
  }
  // An object of JSON has string keys and unknown values.
  return value as Record<string, unknown>;
}
