/** One request as its handler sees it, and the forms of an answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorMessage } from '../../base/index.ts';
import { parseQuery, type Query } from '../../model/index.ts';
import type { Authenticator, Principal } from './auth.ts';
import { RequestError, statusOf } from './request-error.ts';
import { sendWhole } from './whole.ts';

/** Largest body that is read as one text, in bytes; bodies that may be larger are streamed. */
const textSizeBytesMax = 64 * 1024;
/** A client that has not sent it by then is cut off. */
const textTimeoutMs = 30_000;

/** What a call is made of. */
export interface ApiCallParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Headers of every form of the answer. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Who asks; `undefined` when no credentials are configured, or the route needs none. */
  readonly principal: Principal | undefined;
  /** `undefined` when no credentials are configured. */
  readonly authenticator: Authenticator | undefined;
  readonly params: Readonly<Record<string, string | undefined>>;
  /** Query string without `?`. */
  readonly search: string;
  /** The body of an answer that tells an error, line end included. */
  readonly printError: (status: number, message: string) => string;
}

/** A request that has reached its route. Query and abort signal are made when first asked for: most need neither. */
export class ApiCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly principal: Principal | undefined;
  readonly authenticator: Authenticator | undefined;
  readonly #parts: ApiCallParts;
  #query: Query | undefined;
  #signal: AbortSignal | undefined;

  constructor(parts: ApiCallParts) {
    this.request = parts.request;
    this.response = parts.response;
    this.headers = parts.headers;
    this.principal = parts.principal;
    this.authenticator = parts.authenticator;
    this.#parts = parts;
  }

  /** The parameters of the query string. */
  get query(): Query {
    this.#query ??= parseQuery(this.#parts.search);
    return this.#query;
  }

  /** Aborted when the client goes away before its answer is complete. */
  get signal(): AbortSignal {
    this.#signal ??= abortedWhenGone(this.response);
    return this.#signal;
  }

  /** A path parameter, decoded; empty when the route has none of that name. */
  param(name: string): string {
    return this.#parts.params[name] ?? '';
  }

  /**
   * The body, as UTF-8. Throws a `RequestError`: 413 when it is longer than 64 KiB, 400 when it was broken off
   * or has not come within 30 s. What is
   * left of a body that nobody reads is dropped, so that the client gets to read the answer.
   */
  async text(): Promise<string> {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const late = setTimeout(() => this.request.destroy(), textTimeoutMs);
    try {
      // The end of an ordinary iteration would take the connection with it, and the answer.
      for await (const chunk of this.request.iterator({ destroyOnReturn: false })) {
        // Proof: no encoding is set on the request.
        const bytes = chunk as Buffer;
        sizeBytes += bytes.length;
        if (sizeBytes > textSizeBytesMax) break;
        chunks.push(bytes);
      }
    } catch (error) {
      throw new RequestError(400, `error reading request body: ${errorMessage(error)}`);
    } finally {
      clearTimeout(late);
    }
    if (sizeBytes > textSizeBytesMax) {
      throw new RequestError(413, `request body is longer than ${textSizeBytesMax} bytes`);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Answers at once and whole. Does nothing when the client has gone or was answered already. */
  send(status: number, body: string): void {
    const { response } = this;
    if (response.destroyed || response.headersSent) return;
    sendWhole(response, status, this.headers, body);
  }

  /** Status and body that tell a failure. */
  failure(error: unknown): { readonly status: number; readonly body: string } {
    const status = statusOf(error);
    return { status, body: this.#parts.printError(status, errorMessage(error)) };
  }
}

/** 200 and a JSON document. */
export async function sendJson(call: ApiCall, text: string): Promise<void> {
  call.send(200, `${text}\n`);
}

/** 204. */
export async function sendNothing(call: ApiCall): Promise<void> {
  call.send(204, '');
}

function abortedWhenGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.destroyed) controller.abort();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
