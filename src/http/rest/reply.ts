/** The forms of an answer. Source: Go `api/common/api.go` `SendResponse`, `StreamResponse`. */
import { RequestError, sendLines } from '../kit/index.ts';
import type { Context } from './context.ts';

export { RequestError, sendJson, sendNothing } from '../kit/index.ts';

/** A parameter of ours. Whoever misspells what it asks for must not believe that it got it. */
export function readFlag(context: Context, name: string): boolean {
  const value = context.query.get(name);
  if (value === '' || value === 'false') return false;
  if (value === 'true') return true;
  throw new RequestError(400, `parameter ${name}: found ${JSON.stringify(value)}, expected "true" or "false"`);
}

/** A list whose lines were put together already. */
export function sendChunks(context: Context, lines: AsyncIterable<Uint8Array>): Promise<void> {
  return sendList(context, lines);
}

/** A list of items. */
export function sendItems<T>(context: Context, items: AsyncIterable<T>, print: (item: T) => string): Promise<void> {
  return sendList(context, printEach(items, print));
}

function sendList(context: Context, lines: AsyncIterable<string | Uint8Array>): Promise<void> {
  const { response, headers } = context;
  return sendLines({ response, headers, lines, failed: (error) => context.failure(error) });
}

async function* printEach<T>(items: AsyncIterable<T>, print: (item: T) => string): AsyncIterable<string> {
  for await (const item of items) yield print(item);
}
