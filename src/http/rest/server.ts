/**
 * The HTTP API of a peer. Chain: access log, authentication, cross-origin rules, redirects, router, handler.
 * Source: Go `api/common/api.go`, `api/rest/restapi.go`; the routes come from the table in `model/routes.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorMessage, type Logger } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import { type Route, routes, type Time } from '../../model/index.ts';
import { bindServer, corsAnswer } from '../kit/index.ts';
import { accessLine } from './access-log.ts';
import { checkBasicAuth } from './auth.ts';
import { createContext } from './context.ts';
import { type Handler, handlers } from './handlers.ts';
import type { RestOptions } from './options.ts';
import { answerHeaders, errorBody, sendError } from './reply.ts';
import { createRouter } from './router.ts';
import { parseTarget, redirectOf } from './target.ts';

/** Largest request body that is read, in bytes; only `POST /peers` has one here. */
const bodySizeBytesMax = 64 * 1024;

/** What the HTTP API answers from. */
export interface RestDeps {
  readonly cluster: ClusterApi;
  readonly log: Logger;
  readonly now: () => Time;
}

/** The HTTP API, listening. */
export interface RestApi {
  /** Multiaddrs with their real ports. */
  addresses(): readonly string[];
  /** Begins to answer; requests that came before wait until then. */
  serve(deps: RestDeps): void;
  /** Idempotent. Answers in progress get about a second. */
  close(): Promise<void>;
}

/** Takes the configured addresses. Throws `http/listen`, `http/bad-address`. */
export async function bindRestApi(options: RestOptions): Promise<RestApi> {
  const { listen, limits, tls } = options;
  const server = await bindServer({ listen, limits, ...(tls === undefined ? {} : { tls }) });
  return {
    addresses: server.addresses,
    close: server.close,
    serve: (deps) => {
      const handle = createHandler(options, deps);
      server.serve((request, response) => {
        handle(request, response).catch((error: unknown) => {
          deps.log.error('request handler failed', { error: errorMessage(error) });
          response.destroy();
        });
      });
    },
  };
}

type RequestListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

function createHandler(options: RestOptions, deps: RestDeps): RequestListener {
  const router = createRouter<Route>(routes);
  const headers = answerHeaders(options.headers);
  const headersWithError = (more: Record<string, string | string[]>): Record<string, string | string[]> => ({
    ...headers,
    ...more,
  });
  return async (request, response) => {
    const method = request.method ?? '';
    const target = parseTarget(request.url ?? '/');
    if (target === undefined) {
      // Go's net/http refuses such a request before any handler sees it: no log line, no authentication, no `Vary`.
      response.sendDate = false;
      response
        .writeHead(400, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' })
        .end('400 Bad Request');
      return;
    }
    logWhenDone(deps.log, request, response);

    if (options.credentials !== undefined && method !== 'OPTIONS' && !(method === 'GET' && target.path === '/health')) {
      const result = checkBasicAuth(options.credentials, request.headers.authorization);
      if (!result.isAllowed) {
        response.writeHead(401, headersWithError({ 'WWW-Authenticate': [...result.challenges] }));
        response.end(errorBody(401, result.message));
        return;
      }
    }

    const cors = corsAnswer(options.cors, {
      method,
      origin: request.headers.origin,
      requestMethod: oneValue(request.headers['access-control-request-method']),
      requestHeaders: oneValue(request.headers['access-control-request-headers']),
    });
    for (const [name, value] of Object.entries(cors.headers)) response.setHeader(name, value);
    if (cors.isPreflight) {
      response.writeHead(204).end();
      return;
    }

    const redirect = redirectOf(target);
    if (redirect !== undefined) {
      sendRedirect(response, method, redirect);
      return;
    }
    const match = router(method, target.path);
    if (match.status !== 200) {
      if (match.status === 405) response.writeHead(405).end();
      else response.writeHead(404, headers).end(errorBody(404, 'not found'));
      return;
    }
    await answer(deps, handlers[match.route.id], {
      request,
      response,
      headers,
      params: match.params,
      query: target.query,
    });
  };
}

interface Matched {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: string;
}

async function answer(deps: RestDeps, handler: Handler, matched: Matched): Promise<void> {
  const context = createContext({
    ...matched,
    cluster: deps.cluster,
    now: deps.now,
    body: await readBody(matched.request),
  });
  try {
    await handler(context);
  } catch (error) {
    if (!context.response.destroyed) deps.log.debug('sending error response', { error: errorMessage(error) });
    sendError(context, error);
  }
}

/** Nothing is read of a request without a body, which is nearly every one; a body that is too long is cut off. */
async function readBody(request: IncomingMessage): Promise<string> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === '0')) return '';
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // The end of an ordinary iteration would take the connection with it, and the answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > bodySizeBytesMax) break;
      chunks.push(chunk as Buffer);
    }
    // What is still to come is dropped, so that the client gets to read the answer.
    request.resume();
  } catch {
    // The client is gone or sent a broken body; the handler decides on what came.
  }
  return Buffer.concat(chunks).toString('utf8');
}

function sendRedirect(
  response: ServerResponse,
  method: string,
  redirect: { readonly status: number; readonly location: string },
): void {
  if (redirect.status !== 307 || method !== 'GET') {
    response.writeHead(redirect.status, { Location: redirect.location }).end();
    return;
  }
  // Go's net/http `Redirect` sends a short page with answers to GET.
  const escaped = redirect.location
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&#34;');
  response.writeHead(307, { Location: redirect.location, 'Content-Type': 'text/html; charset=utf-8' });
  response.end(`<a href="${escaped}">Temporary Redirect</a>.\n\n`);
}

function oneValue(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function logWhenDone(log: Logger, request: IncomingMessage, response: ServerResponse): void {
  // Asked now: a request that was broken off has no socket any more.
  const { remoteAddress } = request.socket;
  response.once('close', () => log.info(accessLine(request, response, remoteAddress)));
}
