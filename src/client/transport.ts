/**
 * How requests reach a peer. The client knows only this; what it needs of HTTP is little, but trailers are part of it:
 * they tell a complete list from one that broke off, and `fetch` does not show them.
 */
import { errorCode, errorMessage } from '../base/index.ts';
import { RequestError } from './errors.ts';
import { piecesOfStream } from './web-stream.ts';

/** Content that goes to a peer. */
export interface RequestBody {
  /** Whether it can be read again, for another attempt. */
  readonly isReplayable: boolean;
  /** The bytes, from the first. Called once unless it is replayable. */
  stream(): AsyncIterable<Uint8Array>;
  /**
   * The same as one object, for engines that cannot send a stream. Files in it stay where they are; streams are read, and rejects with
   * the signal's reason when that fires meanwhile.
   */
  blob(signal?: AbortSignal): Promise<Blob>;
  /** Wants to be told how many bytes of the blob were sent so far, where that is seen. */
  readonly onSent?: (bytes: number) => void;
}

/** One request. */
export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path and query, percent-encoded, beginning with a slash. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | RequestBody;
  /** Whether doing it twice comes to the same as doing it once. Default: of a GET. */
  readonly isRepeatable?: boolean;
  readonly signal?: AbortSignal;
}

/** The head of an answer, and its body to come. */
export interface TransportResponse {
  readonly status: number;
  /** Bytes as they come. Iterated once, to the end or with an early return, which ends the exchange. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Values of the trailer `X-Stream-Error`, once the body has ended; empty when the transport cannot see them. */
  streamErrors(): readonly string[];
}

/**
 * Carries out one exchange; resolves when the head of the answer is there.
 * Rejects with `RequestError` `client/unreachable` when there is no answer.
 */
export interface Transport {
  (request: TransportRequest): Promise<TransportResponse>;
  /** It cannot see trailers: lists are asked to tell their end themselves. Default false. */
  readonly hidesTrailers?: boolean;
}

/** Where requests go. */
export interface FetchTransportOptions {
  /** Where the API is, such as `http://127.0.0.1:9094`. */
  readonly url: string;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Whether that can send what is still being made. Default: in Node, Deno and Bun; browsers can over HTTP/2 only. */
  readonly canStream?: boolean;
}

/** A transport over `fetch`, for browsers and everything else. It cannot see errors that come after a list has begun. */
export function fetchTransport(options: FetchTransportOptions): Transport {
  const base = options.url.replace(/\/+$/, '');
  // Called without an object: browsers refuse `fetch` of another one.
  const send = options.fetch ?? ((...args: Parameters<typeof fetch>) => globalThis.fetch(...args));
  const canStream = options.canStream ?? isServerRuntime();
  const exchange = async (request: TransportRequest): Promise<TransportResponse> => {
    const { method, path, headers, body, signal } = request;
    const url = base + path;
    let response: Response;
    try {
      const sent = body === undefined ? {} : await bodyOf(body, canStream, signal);
      const init = { method, headers, ...sent, ...(signal === undefined ? {} : { signal }) };
      const onSent = sent.body instanceof Blob && typeof body === 'object' ? body.onSent : undefined;
      response =
        onSent === undefined || options.fetch !== undefined
          ? await send(url, init)
          : await tellingSend(url, init, onSent);
    } catch (error) {
      throw unreachable(method, url, error);
    }
    return {
      status: response.status,
      body: response.body === null ? nothing() : piecesOfStream(response.body),
      streamErrors: () => [],
    };
  };
  return Object.assign(exchange, { hidesTrailers: true });
}

/** Where `fetch` streams request bodies over HTTP/1.1. */
function isServerRuntime(): boolean {
  const { process, Deno } = globalThis as { readonly process?: { readonly versions?: object }; readonly Deno?: object };
  return Deno !== undefined || process?.versions !== undefined;
}

async function bodyOf(
  body: string | RequestBody,
  canStream: boolean,
  signal: AbortSignal | undefined,
): Promise<RequestInit> {
  if (typeof body === 'string') return { body };
  if (!canStream) return { body: await body.blob(signal) };
  // Proof of the cast: `duplex` is missing in the types of this library, and asked for by the standard.
  return { body: streamOf(body.stream()), duplex: 'half' } as RequestInit;
}

/** As much of a browser's `XMLHttpRequest` as is used. Source: XMLHttpRequest Standard. */
interface TellingRequest {
  readonly upload: { onprogress: (event: { readonly loaded: number }) => void };
  readonly status: number;
  readonly response: Blob;
  responseType: 'blob';
  onload: () => void;
  onerror: () => void;
  onabort: () => void;
  onloadend: () => void;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  send(body: Blob): void;
  abort(): void;
}

const statusesWithoutBody: readonly number[] = [204, 205, 304];

/** What `fetch` does, and tells how much of the body was sent, which `fetch` cannot. Without `XMLHttpRequest` it is `fetch`. */
async function tellingSend(url: string, init: RequestInit, onSent: (bytes: number) => void): Promise<Response> {
  const { XMLHttpRequest } = globalThis as { readonly XMLHttpRequest?: new () => TellingRequest };
  const { method = 'GET', headers, body, signal } = init;
  if (XMLHttpRequest === undefined || !(body instanceof Blob)) return globalThis.fetch(url, init);
  signal?.throwIfAborted();
  const request = new XMLHttpRequest();
  const stop = (): void => request.abort();
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  request.onload = () => {
    const { status, response } = request;
    resolve(new Response(statusesWithoutBody.includes(status) ? null : response, { status }));
  };
  request.onerror = () => reject(new TypeError('Failed to fetch'));
  request.onabort = () => reject(signal?.reason);
  request.onloadend = () => signal?.removeEventListener('abort', stop);
  request.upload.onprogress = ({ loaded }) => onSent(loaded);
  request.responseType = 'blob';
  request.open(method, url);
  for (const [name, value] of new Headers(headers)) request.setRequestHeader(name, value);
  signal?.addEventListener('abort', stop, { once: true });
  request.send(body);
  return promise;
}

async function* nothing(): AsyncIterable<never> {}

function streamOf(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

/** So much of a URL is shown: where it leads to, and not a whole list of options. */
const urlLengthMax = 300;

/** Nobody was there to take the request. */
const neverSent = new Set(['ECONNREFUSED', 'ConnectionRefused', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH']);

/** The error of an exchange without an answer, worded as the Go client words it. */
export function unreachable(method: string, url: string, cause: unknown): RequestError {
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const shown = url.length > urlLengthMax ? `${url.slice(0, urlLengthMax)}…` : url;
  return new RequestError('client/unreachable', `${verb} "${shown}": ${errorMessage(cause)}`, {
    status: 0,
    cause,
    outcome: method === 'GET' || wasNeverSent(cause) ? 'refused' : 'unknown',
  });
}

function wasNeverSent(cause: unknown): boolean {
  let error = cause;
  for (let depth = 0; depth < 4 && error instanceof Error; depth += 1) {
    if (neverSent.has(errorCode(error))) return true;
    error = error.cause;
  }
  return false;
}
