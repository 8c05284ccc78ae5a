/** Recorded HTTP exchanges: read, send, and bring into a form in which only what must be equal is left. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';

export interface Exchange {
  readonly name: string;
  readonly endpoint: string;
  readonly note?: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    /** Of bodies that are no text. */
    readonly body_base64?: string;
  };
  readonly response: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string | readonly string[]>>;
    readonly body: string;
    readonly trailers?: readonly (readonly [string, string])[] | Readonly<Record<string, string | readonly string[]>>;
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
  readonly trailers: ReadonlyMap<string, readonly string[]>;
}

export async function readExchanges(
  name: string,
  endpoint: 'restapi' | 'pinsvcapi' = 'restapi',
): Promise<readonly Exchange[]> {
  const file = join(import.meta.dirname, '..', 'vectors', 'rest', `${name}.json`);
  return (JSON.parse(await readFile(file, 'utf8')) as { cases: Exchange[] }).cases.filter(
    (one) => one.endpoint === endpoint,
  );
}

/** Sends the request as it was recorded: `path` goes out as it is. */
export async function send(base: string, request: Exchange['request']): Promise<Answer> {
  const { method, path, headers } = request;
  const { hostname, port } = new URL(base);
  const body = bodyOf(request);
  // Node sends no length with the body of a GET by itself.
  const isChunked = headers?.['Transfer-Encoding'] === 'chunked';
  const length = body === undefined || isChunked ? {} : { 'Content-Length': body.length };
  const sending = httpRequest({ hostname, port, method, path, headers: { ...length, ...headers }, agent: false });
  sending.end(body);
  const [response] = (await once(sending, 'response')) as [import('node:http').IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: grouped(response.rawHeaders),
    body: Buffer.concat(chunks).toString('utf8'),
    trailers: grouped(response.rawTrailers),
  };
}

function bodyOf({ body, body_base64: encoded, headers }: Exchange['request']): Buffer | undefined {
  const bytes =
    encoded === undefined ? (body === undefined ? undefined : Buffer.from(body)) : Buffer.from(encoded, 'base64');
  if (bytes === undefined || headers?.['Transfer-Encoding'] !== 'chunked') return bytes;
  // Recorded as it went over the wire; Node cuts it again.
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (size === 0) return Buffer.concat(pieces);
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

function grouped(raw: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    found.set(name, [...(found.get(name) ?? []), raw[i + 1] ?? '']);
  }
  return found;
}

/** Headers that follow from how the body is sent, or that say something of one connection only. */
const unequalHeaders: ReadonlySet<string> = new Set([
  'date',
  'connection',
  'keep-alive',
  'content-length',
  'transfer-encoding',
]);

/** `name: value` lines in order of names. `Trailer` is left out of answers without a body, where Node cannot send it. */
export function comparableHeaders(headers: Iterable<readonly [string, readonly string[]]>, status: number): string[] {
  return [...headers]
    .filter(([name]) => !unequalHeaders.has(name) && !(name === 'trailer' && status === 204))
    .flatMap(([name, values]) => values.map((value) => `${name}: ${value}`))
    .sort();
}

export function recordedHeaders({ response }: Exchange): Iterable<readonly [string, readonly string[]]> {
  return Object.entries(response.headers).map(([name, value]) => [
    name.toLowerCase(),
    typeof value === 'string' ? [value] : value,
  ]);
}
