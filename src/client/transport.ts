/**
 * How requests reach a peer. The client knows only this; what it needs of HTTP is little, but trailers are part of it:
 * they tell a complete list from one that broke off, and `fetch` does not show them.
 */
import { errorMessage } from '../base/index.ts';
import { RequestError } from './errors.ts';

/** One request. */
export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path and query, percent-encoded, beginning with a slash. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
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
export type Transport = (request: TransportRequest) => Promise<TransportResponse>;

/** Where requests go. */
export interface FetchTransportOptions {
  /** Where the API is, such as `http://127.0.0.1:9094`. */
  readonly url: string;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
}

/** A transport over `fetch`, for browsers and everything else. It cannot see errors that come after a list has begun. */
export function fetchTransport(options: FetchTransportOptions): Transport {
  const base = options.url.replace(/\/+$/, '');
  const send = options.fetch ?? globalThis.fetch;
  return async (request) => {
    const { method, path, headers, body, signal } = request;
    const url = base + path;
    let response: Response;
    try {
      response = await send(url, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      throw unreachable(method, url, error);
    }
    return { status: response.status, body: bytesOf(response.body), streamErrors: () => [] };
  };
}

/** Tries one transport after the other until one gets an answer, whatever it is. The last failure is the one reported. */
export function failoverTransport(transports: readonly [Transport, ...Transport[]]): Transport {
  return async (request) => {
    let failure: unknown;
    for (const transport of transports) {
      try {
        return await transport(request);
      } catch (error) {
        if (!(error instanceof RequestError) || error.status !== 0 || request.signal?.aborted === true) throw error;
        failure = error;
      }
    }
    throw failure;
  };
}

/** So much of a URL is shown: where it leads to, and not a whole list of options. */
const urlLengthMax = 300;

/** The error of an exchange without an answer, worded as the Go client words it. */
export function unreachable(method: string, url: string, cause: unknown): RequestError {
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const shown = url.length > urlLengthMax ? `${url.slice(0, urlLengthMax)}…` : url;
  return new RequestError('client/unreachable', `${verb} "${shown}": ${errorMessage(cause)}`, {
    status: 0,
    cause,
    outcome: method === 'GET' ? 'refused' : 'unknown',
  });
}

async function* bytesOf(stream: ReadableStream<Uint8Array> | null): AsyncIterable<Uint8Array> {
  if (stream === null) return;
  // Not all engines make web streams iterable.
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
