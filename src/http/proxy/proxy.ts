/**
 * The IPFS proxy: looks like the IPFS node's RPC, but what concerns pins is done by the cluster. Everything else is passed
 * through. Source: Go `api/ipfsproxy/ipfsproxy.go`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorMessage, type Logger } from '../../base/index.ts';
import type { IpfsProxyConfig } from '../../model/config/index.ts';
import { bindServer, isOriginAllowed } from '../kit/index.ts';
import { forward } from './forward.ts';
import { type Hijacked, type ProxyCluster, sendError } from './hijacked.ts';
import { NodeHeaders } from './node-headers.ts';
import { add, blockPut, dagPut } from './pinned-uploads.ts';
import { pinAdd, pinLs, pinRm, pinUpdate } from './pins.ts';
import { repoGc, repoStat } from './repo.ts';
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
  /** Whether an argument may be the rest of the path. */
  readonly hasPathArg: boolean;
  /** Whether it changes something: then pages that the node keeps away are kept away here too. */
  readonly isChange: boolean;
}

const prefix = '/api/v0/';
const hijackedMethods = new Set(['POST', 'GET', 'PUT']);

const routes: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['pin/add', { handle: pinAdd, hasPathArg: true, isChange: true }],
  ['pin/rm', { handle: pinRm, hasPathArg: true, isChange: true }],
  ['pin/ls', { handle: pinLs, hasPathArg: true, isChange: false }],
  ['pin/update', { handle: pinUpdate, hasPathArg: false, isChange: true }],
  ['add', { handle: add, hasPathArg: false, isChange: true }],
  ['repo/stat', { handle: repoStat, hasPathArg: false, isChange: false }],
  ['repo/gc', { handle: repoGc, hasPathArg: false, isChange: true }],
  ['block/put', { handle: blockPut, hasPathArg: false, isChange: true }],
  ['dag/put', { handle: dagPut, hasPathArg: false, isChange: true }],
]);

/** Takes the configured addresses. Throws `http/listen`, `http/bad-address`. */
export async function bindProxy(config: IpfsProxyConfig): Promise<IpfsProxy> {
  const upstream = createUpstream(config);
  const server = await bindServer({
    listen: config.listenMultiaddress,
    limits: {
      readTimeoutMs: config.readTimeoutMs,
      readHeaderTimeoutMs: config.readHeaderTimeoutMs,
      writeTimeoutMs: config.writeTimeoutMs,
      idleTimeoutMs: config.idleTimeoutMs,
      maxHeaderBytes: config.maxHeaderBytes,
    },
  });
  return {
    addresses: server.addresses,
    close: async () => {
      await server.close();
      await upstream.close();
    },
    serve: (deps) => {
      const nodeHeaders = new NodeHeaders(config, { upstream, log: deps.log, now: () => performance.now() });
      server.serve((request, response) => {
        // A socket that breaks is told by `close`; its error has no other listener.
        response.on('error', () => {});
        request.on('error', () => {});
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
  const found = routeOf(request);
  if (found === undefined) {
    await forward(upstream, request, response, log);
    return;
  }
  const query = new URLSearchParams(found.search);
  const args = query.getAll('arg');
  const { localPort } = request.socket;
  const headers = await nodeHeaders.of(request);
  if (found.route.isChange && !isPageAllowed(request, localPort, headers)) {
    response.writeHead(403, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }).end('403 - Forbidden\n');
    return;
  }
  const call: Hijacked = {
    cluster,
    log,
    upstream,
    request,
    response,
    headers,
    args: found.pathArg === undefined ? args : [found.pathArg, ...args],
    query,
    search: found.search,
  };
  try {
    await found.route.handle(call);
  } catch (error) {
    sendError(call, error);
  }
}

interface FoundRoute {
  readonly route: Route;
  readonly pathArg: string | undefined;
  readonly search: string;
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

/** The hijacked route of a request, if it is one. The path counts as the node reads it: decoded, so no spelling leads past. */
function routeOf(request: IncomingMessage): FoundRoute | undefined {
  const [rawPath = '', search = ''] = splitOnce(request.url ?? '', '?');
  const path = decoded(rawPath);
  if (!hijackedMethods.has(request.method ?? '') || !path?.startsWith(prefix)) return undefined;
  const rest = path.slice(prefix.length);
  const route = routes.get(rest);
  if (route !== undefined) return { route, pathArg: undefined, search };
  const [group = '', name = '', ...argument] = rest.split('/');
  const withArg = routes.get(`${group}/${name}`);
  if (withArg?.hasPathArg !== true || argument.length === 0) return undefined;
  const pathArg = argument.join('/');
  return { route: withArg, pathArg: pathArg === '' ? undefined : pathArg, search };
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not ours to judge: the node refuses it.
    return undefined;
  }
}
