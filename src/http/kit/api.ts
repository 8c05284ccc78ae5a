/**
 * An API of a peer: a table of routes, handlers, and how errors are printed, behind the chain that all APIs share: access
 * log, authentication, cross-origin rules, redirects, router, handler. Source: Go `api/common/api.go`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorMessage, type Logger } from '../../base/index.ts';
import type { ByteStream } from '../../cluster/ports.ts';
import type { Time } from '../../model/index.ts';
import { type AccessLog, accessLine, openAccessLog, remoteHost } from './access-log.ts';
import { ApiCall } from './api-call.ts';
import { Authenticator, type Credentials } from './auth.ts';
import { type CorsOptions, corsAnswer } from './cors.ts';
import type { CountedResponse } from './counted-response.ts';
import { networkOf, RateLimit } from './rate-limit.ts';
import { createRouter, type RoutePattern } from './router.ts';
import { bindServer, type HttpLimits } from './server.ts';
import { StreamConnection } from './stream-connection.ts';
import { parseTarget, type Redirect, redirectOf } from './target.ts';
import type { TlsFiles } from './tls.ts';
import type { RequestHandler } from './turns.ts';
import { plainAndClose, sendWhole } from './whole.ts';

/** Settings that all APIs have. Source: Go `api/common/config.go`. */
export interface ApiOptions {
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[];
  readonly limits: HttpLimits;
  readonly tls?: TlsFiles;
  /** Who may do what; absent: everybody may do everything. */
  readonly credentials?: Credentials;
  readonly cors: CorsOptions;
  /** Added to every answer of a handler, name to values. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** Where the access log goes; absent: to the log of the peer. */
  readonly accessLogFile?: string;
  /** Requests of one remote address, and of one user, in a minute; absent or 0: any number. */
  readonly rateLimitPerMinute?: number;
}

/** A row of a route table. */
export interface ApiRoute extends RoutePattern {
  /** Names the handler. */
  readonly id: string;
  /** What it takes to use it. none: nothing at all, for `GET` only; read: any credentials; write: full ones. */
  readonly access: 'none' | 'read' | 'write';
}

/** What one API has of its own. */
export interface ApiDefinition<R extends ApiRoute> {
  /** In the order in which they are matched. */
  readonly routes: readonly R[];
  /** Answers, or rejects with what `printError` tells: a `RequestError` has its status, anything else is 500. */
  readonly handle: (route: R, call: ApiCall) => Promise<unknown>;
  /** The body of an answer that tells an error, line end included. */
  readonly printError: (status: number, message: string) => string;
}

/** What the chain works with. */
export interface ApiDeps {
  readonly log: Logger;
  readonly now: () => Time;
  /** Whether the token with this hash counts no more. Absent: none is revoked. */
  readonly isRevoked?: (hash: string) => boolean;
}

/** An API, listening. */
export interface ApiServer {
  /** Multiaddrs with their real ports. */
  addresses(): readonly string[];
  /** Serves HTTP over a libp2p stream. */
  acceptStream(stream: ByteStream): void;
  /** Begins to answer; requests that came before wait until then. */
  serve<R extends ApiRoute>(definition: ApiDefinition<R>, deps: ApiDeps): void;
  /** Idempotent. Answers in progress get about a second. */
  close(): Promise<void>;
}

/** Takes the configured addresses. Throws `http/listen`, `http/bad-address`, `http/log-file`. */
export async function bindApi(options: ApiOptions): Promise<ApiServer> {
  const { listen, limits, tls, accessLogFile } = options;
  const accessLog = accessLogFile === undefined ? undefined : await openAccessLog(accessLogFile);
  try {
    const server = await bindServer({ listen, limits, ...(tls === undefined ? {} : { tls }) });
    return {
      addresses: server.addresses,
      acceptStream: (stream) => server.accept(new StreamConnection(stream)),
      close: async () => {
        await server.close();
        await accessLog?.close();
      },
      serve: (definition, deps) =>
        server.serve(createChain(definition, options, deps, accessLog?.write ?? ((line) => deps.log.info(line)))),
    };
  } catch (error) {
    await accessLog?.close();
    throw error;
  }
}

function createChain<R extends ApiRoute>(
  definition: ApiDefinition<R>,
  options: ApiOptions,
  deps: ApiDeps,
  logAccess: AccessLog['write'],
): RequestHandler {
  const chain = new Chain(definition, options, deps, logAccess);
  return (request, response) => {
    chain.answer(request, response).catch((error: unknown) => {
      deps.log.error('request handler failed', { error: errorMessage(error) });
      response.destroy();
    });
  };
}

class Chain<R extends ApiRoute> {
  readonly #definition: ApiDefinition<R>;
  readonly #options: ApiOptions;
  readonly #deps: ApiDeps;
  readonly #logAccess: AccessLog['write'];
  readonly #rateLimit: RateLimit;
  readonly #headers: Readonly<Record<string, string | string[]>>;
  readonly #authenticator: Authenticator | undefined;
  readonly #router: ReturnType<typeof createRouter<R>>;
  /** Paths that GET may have without credentials: as they are written, no other spelling. */
  readonly #openPaths: ReadonlySet<string>;

  constructor(definition: ApiDefinition<R>, options: ApiOptions, deps: ApiDeps, logAccess: AccessLog['write']) {
    this.#definition = definition;
    this.#options = options;
    this.#deps = deps;
    this.#logAccess = logAccess;
    this.#rateLimit = new RateLimit(options.rateLimitPerMinute ?? 0);
    this.#headers = answerHeaders(options.headers);
    const { credentials } = options;
    const { now, isRevoked = () => false } = deps;
    this.#authenticator = credentials === undefined ? undefined : new Authenticator(credentials, { now, isRevoked });
    this.#router = createRouter(definition.routes);
    this.#openPaths = new Set(definition.routes.filter(({ access }) => access === 'none').map(({ path }) => path));
  }

  async answer(request: IncomingMessage, response: CountedResponse): Promise<void> {
    const method = request.method ?? '';
    const target = parseTarget(request.url ?? '/');
    if (target === undefined) {
      // Go's net/http refuses such a request before any handler sees it: no log line, no authentication, no `Vary`.
      response.sendDate = false;
      sendWhole(response, 400, plainAndClose, '400 Bad Request');
      return;
    }
    // Asked now: a request that was broken off has no socket any more.
    const host = remoteHost(request);
    response.once('close', () => this.#logAccess(accessLine(host, request, response, this.#deps.now())));

    const crossOrigin = corsAnswer(this.#options.cors, {
      method,
      origin: request.headers.origin,
      requestMethod: oneValue(request.headers['access-control-request-method']),
      requestHeaders: oneValue(request.headers['access-control-request-headers']),
    });
    // A page is to see why it is refused; to all others the refusal is that of the reference, without these headers.
    if (request.headers.origin !== undefined) setHeaders(response, crossOrigin.headers);

    const isOpen = method === 'OPTIONS' || (method === 'GET' && this.#openPaths.has(target.path));
    // Whoever guesses passwords is held up before it is told whether they are right.
    if (!isOpen && host !== localHost && !this.#mayPass(response, `address ${networkOf(host)}`)) return;
    const entry = isOpen ? undefined : this.#authenticator?.check(request.headers.authorization);
    if (entry?.isAllowed === false) {
      this.#refuse(response, 401, entry.message, { 'WWW-Authenticate': [...entry.challenges] });
      return;
    }
    if (entry !== undefined && !this.#mayPass(response, `user ${entry.principal.user}`)) return;
    setHeaders(response, crossOrigin.headers);
    if (crossOrigin.isPreflight) {
      response.writeHead(204).end();
      return;
    }

    const redirect = redirectOf(target);
    if (redirect !== undefined) {
      sendRedirect(response, method, redirect);
      return;
    }
    const match = this.#router(method, target.path);
    if (match.status === 405) {
      sendWhole(response, 405, {}, '');
      return;
    }
    if (match.status === 404) {
      this.#refuse(response, 404, 'not found');
      return;
    }
    const principal = entry?.principal;
    if (principal?.access === 'read' && match.route.access === 'write') {
      this.#refuse(response, 403, 'forbidden: these credentials may read only');
      return;
    }
    await this.#handle(
      match.route,
      new ApiCall({
        request,
        response,
        headers: this.#headers,
        principal,
        authenticator: this.#authenticator,
        params: match.params,
        search: target.query,
        printError: this.#definition.printError,
      }),
    );
  }

  async #handle(route: R, call: ApiCall): Promise<void> {
    try {
      await this.#definition.handle(route, call);
    } catch (error) {
      if (!call.response.destroyed) this.#deps.log.debug('sending error response', { error: errorMessage(error) });
      const { status, body } = call.failure(error);
      call.send(status, body);
    }
  }

  #refuse(
    response: ServerResponse,
    status: number,
    message: string,
    more: Record<string, string | string[]> = {},
  ): void {
    sendWhole(response, status, { ...this.#headers, ...more }, this.#definition.printError(status, message));
  }

  #mayPass(response: ServerResponse, name: string): boolean {
    const seconds = this.#rateLimit.take(name, performance.now());
    if (seconds === 0) return true;
    const message = `too many requests: wait ${seconds} s`;
    this.#refuse(response, 429, message, { 'Retry-After': String(seconds) });
    return false;
  }
}

/** `remoteHost` of whoever comes through a unix socket: somebody of this machine, whom its file mode lets in. */
const localHost = '@';
const jsonType = 'application/json';

/** Configured headers, then the type of the body: both are sent where a header is configured that is also set here. */
function answerHeaders(configured: Readonly<Record<string, readonly string[]>>): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  let types: string[] = [];
  for (const [name, values] of Object.entries(configured)) {
    if (name.toLowerCase() === 'content-type') types = [...values];
    else headers[name] = [...values];
  }
  headers['Content-Type'] = types.length === 0 ? jsonType : [...types, jsonType];
  return headers;
}

function sendRedirect(response: ServerResponse, method: string, redirect: Redirect): void {
  if (redirect.status !== 307 || method !== 'GET') {
    sendWhole(response, redirect.status, { Location: redirect.location }, '');
    return;
  }
  // Go's net/http `Redirect` sends a short page with answers to GET.
  const escaped = redirect.location
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&#34;');
  const headers = { Location: redirect.location, 'Content-Type': 'text/html; charset=utf-8' };
  sendWhole(response, 307, headers, `<a href="${escaped}">Temporary Redirect</a>.\n\n`);
}

function oneValue(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const name in headers) response.setHeader(name, headers[name] ?? '');
}
