/**
 * The IPFS proxy: looks like the IPFS node's RPC, but what concerns pins is done by the cluster. Everything else is passed
 * through. Source: Go `api/ipfsproxy/ipfsproxy.go`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorMessage, type Logger } from '../../base/index.ts';
import type { IpfsProxyConfig } from '../../model/config/index.ts';
import { parseGoDuration } from '../../model/index.ts';
import { type AccessLog, accessLine, bindServer, isOriginAllowed, openAccessLog, remoteHost } from '../kit/index.ts';
import { add } from './add.ts';
import { ProxyError } from './errors.ts';
import { forward, forwardBulk } from './forward.ts';
import { type Hijacked, type ProxyCluster, sendError } from './hijacked.ts';
import { NodeHeaders } from './node-headers.ts';
import { pinLs } from './pin-list.ts';
import { blockPut, dagPut } from './pinned-uploads.ts';
import { pinAdd, pinRm, pinUpdate } from './pins.ts';
import { repoGc, repoStat } from './repo.ts';
import { isBulk } from './splice.ts';
import { parseTarget } from './target.ts';
import { createUpstream, type Upstream } from './upstream.ts';

/** What the proxy works with. */
export interface ProxyDeps {
  readonly cluster: ProxyCluster;
  readonly log: Logger;
}

/** The proxy, listening. */
export interface IpfsProxy {
  /** Multiaddrs with their real ports. */
  addresses(): readonly string[];
  /** Begins to answer; requests that came before wait until then. */
  serve(deps: ProxyDeps): void;
  /** Idempotent. Answers in progress get about a second. */
  close(): Promise<void>;
}

interface Route {
  readonly handle: (call: Hijacked) => Promise<void>;
  /** Whether it changes something: then pages that the node keeps away are kept away here too. */
  readonly isChange: boolean;
}

/** Longest timer of Node. */
const timerMaxMs = 2 ** 31 - 1;

const hijackedMethods = new Set(['POST', 'GET', 'PUT']);

const routes: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['pin/add', { handle: pinAdd, isChange: true }],
  ['pin/rm', { handle: pinRm, isChange: true }],
  ['pin/ls', { handle: pinLs, isChange: false }],
  ['pin/update', { handle: pinUpdate, isChange: true }],
  ['add', { handle: add, isChange: true }],
  ['repo/stat', { handle: repoStat, isChange: false }],
  ['repo/gc', { handle: repoGc, isChange: true }],
  ['block/put', { handle: blockPut, isChange: true }],
  ['dag/put', { handle: dagPut, isChange: true }],
]);

/**
 * Takes the configured addresses, and opens `logFile` as it stands there. Throws `http/listen`, `http/bad-address`, `http/log-file`.
 */
export async function bindProxy(config: IpfsProxyConfig): Promise<IpfsProxy> {
  const accessLog = config.logFile === '' ? undefined : await openAccessLog(config.logFile);
  try {
    return await bindLogged(config, accessLog);
  } catch (error) {
    await accessLog?.close();
    throw error;
  }
}

async function bindLogged(config: IpfsProxyConfig, accessLog: AccessLog | undefined): Promise<IpfsProxy> {
  const upstream = createUpstream(config);
  const server = await bindServer({ listen: config.listenMultiaddress, limits: config });
  return {
    addresses: server.addresses,
    close: async () => {
      await server.close();
      await upstream.close();
      await accessLog?.close();
    },
    serve: (deps) => {
      const nodeHeaders = new NodeHeaders(config, { upstream, log: deps.log, now: () => performance.now() });
      server.serve((request, response) => {
        // A socket that breaks is told by `close`; its error has no other listener.
        response.on('error', () => {});
        request.on('error', () => {});
        if (accessLog !== undefined) {
          // Asked now: a request that was broken off has no socket any more.
          const host = remoteHost(request);
          response.once('close', () => {
            const at = { seconds: Math.floor(Date.now() / 1000), nanos: 0 };
            accessLog.write(accessLine(host, request, response, at));
          });
        }
        answer({ ...deps, upstream, nodeHeaders }, request, response).catch((error: unknown) => {
          deps.log.error('request handler failed', { error: errorMessage(error) });
          response.destroy();
        });
      });
    },
  };
}

interface Serving extends ProxyDeps {
  readonly upstream: Upstream;
  readonly nodeHeaders: NodeHeaders;
}

async function answer(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { cluster, log, upstream, nodeHeaders } = serving;
  const { path, command, search } = parseTarget(request.url ?? '');
  if (path === undefined) {
    // `*`, or nothing that a node could be asked for.
    response.writeHead(400, { 'Content-Length': 0 }).end();
    return;
  }
  const found = command !== undefined && hijackedMethods.has(request.method ?? '') ? routeOf(command) : undefined;
  if (found === undefined) {
    const pass = isBulk(command, request) ? forwardBulk : forward;
    await pass(upstream, request, response, { path, log });
    return;
  }
  const query = new URLSearchParams(search);
  const args = query.getAll('arg');
  const { localPort } = request.socket;
  const headers = await nodeHeaders.of(request);
  // Nothing would tell a handler any more that the client has left.
  if (response.destroyed) return;
  if (found.route.isChange && !isPageAllowed(request, localPort, headers)) {
    response.writeHead(403, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }).end('403 - Forbidden\n');
    return;
  }
  const ending = new AbortController();
  response.once('close', () => ending.abort(new ProxyError(499, 'the client has left')));
  const call: Hijacked = {
    cluster,
    log,
    upstream,
    request,
    response,
    headers,
    args: found.pathArg === undefined ? args : [found.pathArg, ...args],
    query,
    path,
    search,
    signal: ending.signal,
  };
  let timer: NodeJS.Timeout | undefined;
  try {
    timer = startTimeout(query, ending);
    await found.route.handle(call);
  } catch (error) {
    sendError(call, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Kubo's option `timeout` of every command: ends what is waited for. */
function startTimeout(query: URLSearchParams, ending: AbortController): NodeJS.Timeout | undefined {
  const text = query.get('timeout');
  if (text === null || text === '') return undefined;
  let timeoutMs: number;
  try {
    timeoutMs = parseGoDuration(text);
  } catch (error) {
    throw new ProxyError(400, `option "timeout": ${errorMessage(error)}`, error);
  }
  const end = (): void => ending.abort(new ProxyError(500, 'context deadline exceeded'));
  return setTimeout(end, Math.min(Math.max(timeoutMs, 0), timerMaxMs));
}

/** What the node does itself for what is passed on: only pages of origins that it allows may change anything. */
function isPageAllowed(
  request: IncomingMessage,
  port: number | undefined,
  headers: Readonly<Record<string, string>>,
): boolean {
  if (request.headers.origin !== undefined && headers['Access-Control-Allow-Origin'] !== undefined) return true;
  return isOriginAllowed(request.headers, port);
}

interface FoundRoute {
  readonly route: Route;
  /** The rest of the path, which is the first argument. */
  readonly pathArg: string | undefined;
}

/** The hijacked route of a command, if it is one. As in Kubo, what follows its name is an argument. */
function routeOf(command: readonly string[]): FoundRoute | undefined {
  for (const length of [1, 2]) {
    const route = routes.get(command.slice(0, length).join('/'));
    if (route === undefined) continue;
    const rest = command.slice(length).join('/');
    const isPath = /^ip[fnl][sd]\//.test(rest);
    return { route, pathArg: rest === '' ? undefined : isPath ? `/${rest}` : rest };
  }
  return undefined;
}
