/** The forms of an answer. Source: Go `api/common/api.go` `SendResponse`, `StreamResponse`. */
import { errorCode, errorMessage, OperatingError } from '../../base/index.ts';
import { apiErrorJson, endOfStreamJson } from '../../model/index.ts';
import { sendLines } from '../kit/index.ts';
import type { Context } from './context.ts';

const jsonType = 'application/json';

/** A refusal with the status that its client gets. */
export class RequestError extends OperatingError {
  override readonly name = 'RequestError';
  readonly status: number;

  constructor(status: number, message: string) {
    super('rest/bad-request', message);
    this.status = status;
  }
}

/** A parameter of ours. Whoever misspells what it asks for must not believe that it got it. */
export function readFlag(context: Context, name: string): boolean {
  const value = context.query.get(name);
  if (value === '' || value === 'false') return false;
  if (value === 'true') return true;
  throw new RequestError(400, `parameter ${name}: found ${JSON.stringify(value)}, expected "true" or "false"`);
}

/** What a failed request is answered: 404 for a pin that is not there, what a refusal says, 500 for all else. */
function errorAnswer(error: unknown): { readonly status: number; readonly body: string } {
  const status = error instanceof RequestError ? error.status : errorCode(error) === 'cluster/not-pinned' ? 404 : 500;
  return { status, body: errorBody(status, errorMessage(error)) };
}

/** `{"code","message"}` and a line end. */
export function errorBody(code: number, message: string): string {
  return `${apiErrorJson.print({ code, message })}\n`;
}

/** Configured headers, then the type of the body: both are sent where a header is configured that is also set here. */
export function answerHeaders(
  configured: Readonly<Record<string, readonly string[]>>,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  let types: string[] = [];
  for (const [name, values] of Object.entries(configured)) {
    if (name.toLowerCase() === 'content-type') types = [...values];
    else headers[name] = [...values];
  }
  headers['Content-Type'] = types.length === 0 ? jsonType : [...types, jsonType];
  return headers;
}

export async function sendJson(context: Context, text: string): Promise<void> {
  end(context, 200, `${text}\n`);
}

export async function sendNothing(context: Context): Promise<void> {
  end(context, 204, '');
}

export function sendError(context: Context, error: unknown): void {
  const { status, body } = errorAnswer(error);
  end(context, status, body);
}

function end(context: Context, status: number, body: string): void {
  const { response } = context;
  // The client may have gone while the answer was made.
  if (response.destroyed || response.headersSent) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(context.headers)) response.setHeader(name, value);
  // Node then knows the length: head and body leave in one write, not in chunks.
  response.end(body);
}

/** What is known of a list when it has ended. */
export interface ListEnd {
  /** Lines that were sent. */
  items: number;
  /** Cursor of the next page; empty when there is none. */
  next: string;
}

/** A list whose lines were put together already; they count themselves. */
export function sendChunks(
  context: Context,
  print: (end: ListEnd) => AsyncIterable<Uint8Array>,
  hasEndRecord: boolean = wantsEndRecord(context),
): Promise<void> {
  const end: ListEnd = { items: 0, next: '' };
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
  if (end === undefined) return sendLines({ response, headers, lines, failed: errorAnswer });
  const endLine = (failure: string): string =>
    endOfStreamJson.print({
      endOfStream: true,
      items: end.items,
      errors: failure === '' ? [] : [failure],
      // A page that has failed is asked for again.
      next: failure === '' ? end.next : '',
    });
  return sendLines({ response, headers, lines, failed: errorAnswer, endLine });
}

async function* printEach<T>(items: AsyncIterable<T>, print: (item: T) => string, end: ListEnd): AsyncIterable<string> {
  for await (const item of items) {
    end.items += 1;
    yield print(item);
  }
}
