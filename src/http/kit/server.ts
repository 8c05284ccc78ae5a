/**
 * One request handler behind any number of listening sockets, with the limits of the configuration.
 *
 * Life cycle: `bind` takes the sockets, so that a port in use is known before anything else starts; `serve` begins to
 * answer; `close` lets running answers end for a moment, then ends them.
 */
import { once } from 'node:events';
import { unlink } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { errorCode, errorMessage } from '../../base/index.ts';
import { formatSocketAddress, parseSocketAddress, type SocketAddress } from './address.ts';
import { HttpError } from './errors.ts';

/** Time that answers in progress get when the server closes. */
const closeGraceMs = 1_000;

/** Go adds this to `MaxHeaderBytes` before it refuses (net/http `initialReadLimitSize`). */
const headerSlopBytes = 4096;

/** Milliseconds; 0 means no limit. */
export interface HttpLimits {
  /** Whole request. */
  readonly readTimeoutMs: number;
  readonly readHeaderTimeoutMs: number;
  /** Whole response. */
  readonly writeTimeoutMs: number;
  /** Between requests of one connection. */
  readonly idleTimeoutMs: number;
  /** Bytes of request line and headers. */
  readonly maxHeaderBytes: number;
}

/** Certificate and key. */
export interface TlsFiles {
  /** PEM. */
  readonly cert: string | Uint8Array;
  /** PEM. */
  readonly key: string | Uint8Array;
}

/** Where to listen, and how much to take. */
export interface HttpServerOptions {
  /** Multiaddrs; see `parseSocketAddress`. */
  readonly listen: readonly string[];
  readonly limits: HttpLimits;
  readonly tls?: TlsFiles;
}

/** Answers one request. */
export type RequestHandler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** Sockets that listen. */
export interface BoundServer {
  /** Where it really listens, ports filled in. */
  addresses(): readonly string[];
  /** From now on requests are answered; those that came before wait in between. */
  serve(handler: RequestHandler): void;
  /** Idempotent. Takes about a second at most. */
  close(): Promise<void>;
}

/** Takes all sockets or none. Throws `http/listen` with the address and the cause, or `http/bad-address`. */
export async function bindServer(options: HttpServerOptions): Promise<BoundServer> {
  const addresses = options.listen.map(parseSocketAddress);
  const servers: http.Server[] = [];
  const waiting: [http.IncomingMessage, http.ServerResponse][] = [];
  let handler: RequestHandler | undefined;
  const onRequest: RequestHandler = (request, response) => {
    if (handler === undefined) waiting.push([request, response]);
    else handler(request, response);
  };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeAll(servers);
    return closing;
  };

  for (const address of addresses) {
    const server = createServer(options, onRequest);
    try {
      await listen(server, address);
    } catch (error) {
      await close();
      throw listenError(address, error);
    }
    servers.push(server);
  }
  return {
    addresses: () => servers.map((server, i) => boundAddress(server, addresses[i])),
    serve: (next) => {
      handler = next;
      for (const [request, response] of waiting.splice(0)) next(request, response);
    },
    close,
  };
}

function createServer(options: HttpServerOptions, onRequest: RequestHandler): http.Server {
  const { limits } = options;
  const settings = {
    maxHeaderSize: limits.maxHeaderBytes + headerSlopBytes,
    headersTimeout: limits.readHeaderTimeoutMs,
    // Node's own default (300 s) would cut long uploads.
    requestTimeout: limits.readTimeoutMs,
    connectionsCheckingInterval: checkingIntervalMs(limits),
    keepAliveTimeout: limits.idleTimeoutMs,
    keepAliveTimeoutBuffer: 0,
    noDelay: true,
  };
  const server =
    options.tls === undefined
      ? http.createServer(settings, onRequest)
      : https.createServer(
          {
            ...settings,
            cert: Buffer.from(options.tls.cert),
            key: Buffer.from(options.tls.key),
            minVersion: 'TLSv1.2',
          },
          onRequest,
        );
  if (limits.writeTimeoutMs > 0) {
    server.on('request', (_request, response: http.ServerResponse) =>
      response.setTimeout(limits.writeTimeoutMs, () => response.destroy()),
    );
  }
  // What cannot be parsed is answered as Go's net/http does, then the connection ends.
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.destroy();
    else
      socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`);
  });
  return server;
}

/** Node looks for requests that take too long every 30 s, whatever the limits are: here often enough to keep them. */
function checkingIntervalMs({ readTimeoutMs, readHeaderTimeoutMs }: HttpLimits): number {
  const shortest = Math.min(...[readTimeoutMs, readHeaderTimeoutMs].filter((limit) => limit > 0), 4 * 30_000);
  return Math.max(shortest / 4, 50);
}

async function listen(server: http.Server, address: SocketAddress): Promise<void> {
  if ('path' in address) await removeStaleSocket(address.path);
  server.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port });
  await once(server, 'listening');
}

/** A socket file that nobody listens on is left from a peer that was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  const probe = connect({ path });
  try {
    await once(probe, 'connect');
  } catch (error) {
    if (errorCode(error) === 'ECONNREFUSED') await unlink(path);
    return;
  } finally {
    probe.destroy();
  }
}

function listenError(address: SocketAddress, error: unknown): HttpError {
  const reason = errorCode(error) === 'EADDRINUSE' ? 'the address is in use by another program' : errorMessage(error);
  return new HttpError('http/listen', `Cannot listen on ${formatSocketAddress(address)}: ${reason}`, { cause: error });
}

function boundAddress(server: http.Server, asked: SocketAddress | undefined): string {
  const bound = server.address();
  if (bound !== null && typeof bound === 'object')
    return formatSocketAddress({ host: bound.address, port: bound.port });
  return asked === undefined ? '' : formatSocketAddress(asked);
}

async function closeAll(servers: readonly http.Server[]): Promise<void> {
  await Promise.all(
    servers.map(async (server) => {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const end = setTimeout(() => server.closeAllConnections(), closeGraceMs);
      await closed;
      clearTimeout(end);
    }),
  );
}
