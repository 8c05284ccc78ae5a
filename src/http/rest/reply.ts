/** The forms of an answer. Source: Go `api/common/api.go` `SendResponse`, `StreamResponse`. */
import { endOfStreamJson } from '../../model/index.ts';
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

/** What is known of a list when it has ended. */
export interface ListEnd {
  /** Lines that were sent. */
  items: number;
  /** Cursor of the next page; empty when there is none. */
  next: string;
}

/** A list whose lines were put together already; they count themselves. A page tells where it ends. */
export function sendChunks(
  context: Context,
  print: (end: ListEnd) => AsyncIterable<Uint8Array>,
  isPage: boolean = false,
): Promise<void> {
  const end: ListEnd = { items: 0, next: '' };
  const hasEndRecord = wantsEndRecord(context) || isPage;
  return sendList(context, print(end), hasEndRecord ? end : undefined);
}

/** A list of items. */
export function sendItems<T>(context: Context, items: AsyncIterable<T>, print: (item: T) => string): Promise<void> {
  const end: ListEnd = { items: 0, next: '' };
  return sendList(context, printEach(items, print, end), wantsEndRecord(context) ? end : undefined);
}

/** Whoever reads no trailers asks for the end of a list to be in the list. */
function wantsEndRecord(context: Context): boolean {
  return readFlag(context, 'end-record');
}

function sendList(
  context: Context,
  lines: AsyncIterable<string | Uint8Array>,
  end: ListEnd | undefined,
): Promise<void> {
  const { response, headers } = context;
  const failed = (error: unknown): { readonly status: number; readonly body: string } => context.failure(error);
  if (end === undefined) return sendLines({ response, headers, lines, failed });
  const endLine = (failure: string): string =>
    endOfStreamJson.print({
      endOfStream: true,
      items: end.items,
      errors: failure === '' ? [] : [failure],
      // A page that has failed is asked for again.
      next: failure === '' ? end.next : '',
    });
  return sendLines({ response, headers, lines, failed, endLine });
}

async function* printEach<T>(items: AsyncIterable<T>, print: (item: T) => string, end: ListEnd): AsyncIterable<string> {
  for await (const item of items) {
    end.items += 1;
    yield print(item);
  }
}
