/**
 * One request handler behind any number of listening sockets, with the limits of the configuration.
 *
 * Life cycle: `bind` takes the sockets, so that a port in use is known before anything else starts; `serve` begins to
 * answer; `close` lets running answers end for a moment, then ends them.
 */
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { errorCode, errorMessage } from '../../base/index.ts';
import { formatSocketAddress, parseSocketAddress, type SocketAddress } from './address.ts';
import { CountedResponse } from './counted-response.ts';
import { HttpError } from './errors.ts';
import { continueWhenRead, failExpectation, isRefused, refuseTunnel } from './requests.ts';
import { expectTls, type TlsFiles, tlsOptions } from './tls.ts';
import { inTurn, type RequestHandler } from './turns.ts';
import { protectSocket, removeStaleSocket } from './unix-socket.ts';

/** Time that answers in progress get when the server closes. */
const closeGraceMs = 1_000;
/** Go adds this to `MaxHeaderBytes` before it refuses (net/http `initialReadLimitSize`). */
const headerSlopBytes = 4096;
/** Connections of one address that is listened on; more are closed at once. */
const connectionsMax = 16_384;
/** A client that has its answer gets so long to end a body that nobody reads any more. */
const restOfBodyMs = 5_000;
/** After so long a silence the system asks whether the other side is still there (Go `net.ListenConfig.KeepAlive`). */
const keepAliveProbeMs = 15_000;

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

/** Where to listen, and how much to take. */
export interface HttpServerOptions {
  /** Multiaddrs; see `parseSocketAddress`. */
  readonly listen: readonly string[];
  readonly limits: HttpLimits;
  readonly tls?: TlsFiles;
}

/** Sockets that listen. */
export interface BoundServer {
  /** Where it really listens, ports filled in. */
  addresses(): readonly string[];
  /** From now on requests are answered, those of one connection one after the other; those that came before wait until then. */
  serve(handler: RequestHandler): void;
  /** Serves a connection that came in another way than through a socket: HTTP/1.1, as it is, without TLS. */
  accept(connection: Duplex): void;
  /** Idempotent. Takes about a second at most. */
  close(): Promise<void>;
}

type CountingServer = http.Server<typeof IncomingMessage, typeof CountedResponse>;

/** Takes all sockets or none. Throws `http/listen` with the address and the cause, or `http/bad-address`. */
export async function bindServer(options: HttpServerOptions): Promise<BoundServer> {
  const addresses = options.listen.map(parseSocketAddress);
  const { limits, tls } = options;
  const servers: CountingServer[] = [];
  const connections = new Set<Duplex>();
  const waiting: [IncomingMessage, CountedResponse][] = [];
  let handler: RequestHandler | undefined;
  const onRequest = inTurn((request, response) => {
    if (isRefused(request, response)) return;
    if (handler === undefined) waiting.push([request, response]);
    else handler(request, response);
  });
  const latest = new WeakMap<Duplex, CountedResponse>();
  const create = (files: TlsFiles | undefined): CountingServer => {
    const server = createServer(limits, files);
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      refuse(error, socket, latest.get(socket)),
    );
    const begin = (request: IncomingMessage, response: CountedResponse): void => {
      latest.set(request.socket, response);
      take(request, response, limits, onRequest);
    };
    server.on('request', begin);
    server.on('checkContinue', (request, response) => {
      continueWhenRead(request, response);
      begin(request, response);
    });
    server.on('checkExpectation', failExpectation);
    server.on('connect', refuseTunnel);
    server.prependListener('connection', (connection: Duplex) => {
      connections.add(connection);
      connection.once('close', () => connections.delete(connection));
    });
    return server;
  };
  // Listens nowhere: connections are handed to it. It is told that it listens, or it would not look at headers that do not come.
  const unbound = create(undefined);
  unbound.emit('listening');
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeAll(servers, unbound, connections);
    return closing;
  };

  for (const address of addresses) {
    const server = create(tls);
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
    accept: (connection) => {
      if (closing === undefined) unbound.emit('connection', connection);
      else connection.destroy();
    },
    close,
  };
}

function createServer(limits: HttpLimits, tls: TlsFiles | undefined): CountingServer {
  const { readTimeoutMs, writeTimeoutMs, idleTimeoutMs } = limits;
  // Node refuses a longer time for a part than for the whole.
  const headerTimeoutMs = atMost(limits.readHeaderTimeoutMs, readTimeoutMs);
  const handshakeTimeoutMs = atMost(headerTimeoutMs, writeTimeoutMs);
  const settings = {
    ServerResponse: CountedResponse,
    maxHeaderSize: limits.maxHeaderBytes + headerSlopBytes,
    headersTimeout: headerTimeoutMs,
    // Node's own default (300 s) would cut long uploads.
    requestTimeout: readTimeoutMs,
    connectionsCheckingInterval: checkingIntervalMs(limits),
    keepAliveTimeout: idleTimeoutMs,
    keepAliveTimeoutBuffer: 0,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveProbeMs,
    // `take` refuses in the reference's words.
    requireHostHeader: false,
    noDelay: true,
  };
  const server =
    tls === undefined
      ? http.createServer(settings)
      : https.createServer({ ...settings, ...tlsOptions(tls, handshakeTimeoutMs) });
  if (server instanceof https.Server) expectTls(server, handshakeTimeoutMs);
  server.maxConnections = connectionsMax;
  return server;
}

/** Node looks for requests that take too long every 30 s, whatever the limits are: here often enough to keep them. */
function checkingIntervalMs({ readTimeoutMs, readHeaderTimeoutMs }: HttpLimits): number {
  const shortest = Math.min(...[readTimeoutMs, readHeaderTimeoutMs].filter((limit) => limit > 0), 4 * 30_000);
  return Math.max(shortest / 4, 50);
}

/** The shorter of two times, of which 0 is none. */
function atMost(timeMs: number, limitMs: number): number {
  if (timeMs === 0 || limitMs === 0) return timeMs || limitMs;
  return Math.min(timeMs, limitMs);
}

const isParseError = (error: NodeJS.ErrnoException): boolean => error.code?.startsWith('HPE_') === true;

/** What cannot be parsed is answered as Go's net/http does; one that is late, broken or fails at TLS gets no answer. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex, latest: CountedResponse | undefined): void {
  if (!socket.writable || !isParseError(error)) {
    socket.destroy();
    return;
  }
  if (latest?.destroyed === false) {
    if (latest.req.complete) {
      // It came behind requests that can be parsed: they get their answers first. The parser tells it with all that comes.
      if (latest.shouldKeepAlive) latest.once('close', () => socket.end());
      latest.shouldKeepAlive = false;
      return;
    }
    if (latest.headersSent) {
      // The rest of a body: no second answer into the first one.
      if (latest.writableEnded) socket.end();
      else socket.destroy();
      return;
    }
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`,
    () => socket.destroy(),
  );
}

function take(request: IncomingMessage, response: CountedResponse, limits: HttpLimits, next: RequestHandler): void {
  // A connection that breaks is told by `close`; its error has no other listener.
  request.on('error', () => {});
  response.on('error', () => {});
  // Node's parser drops what came with a request for another protocol, which it does not get.
  if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
  if (limits.writeTimeoutMs > 0) endAfter(limits.writeTimeoutMs, request, response);
  if (hasBody(request)) {
    response.once('finish', () => dropRest(request));
    linger(request, response);
  }
  next(request, response);
}

function hasBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0' } = headers;
  return length !== '0' || headers['transfer-encoding'] !== undefined;
}

function endAfter(timeMs: number, request: IncomingMessage, response: ServerResponse): void {
  const end = setTimeout(() => request.socket.destroy(), timeMs);
  response.once('close', () => clearTimeout(end));
}

/**
 * A socket that is closed while something is still coming resets the connection, over which a client on a slow network may
 * lose its answer: it is closed for writing first, as by Go net/http `closeWriteAndWait`.
 */
function linger(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  // Uncovers the socket's own one again.
  const forget = (): boolean => Reflect.deleteProperty(socket, 'destroySoon');
  socket.destroySoon = () => {
    forget();
    if (request.complete) {
      socket.destroySoon();
      return;
    }
    request.once('end', () => socket.destroy());
    socket.end();
  };
  response.once('close', forget);
}

function dropRest(request: IncomingMessage): void {
  if (request.complete) return;
  const { socket } = request;
  const end = setTimeout(() => socket.destroy(), restOfBodyMs);
  request.once('close', () => clearTimeout(end));
  request.resume();
}

async function listen(server: CountingServer, address: SocketAddress): Promise<void> {
  if ('path' in address) await removeStaleSocket(address.path);
  server.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port });
  await once(server, 'listening');
  if ('path' in address) await protectSocket(address.path);
}

function listenError(address: SocketAddress, error: unknown): HttpError {
  const reason = errorCode(error) === 'EADDRINUSE' ? 'the address is in use by another program' : errorMessage(error);
  return new HttpError('http/listen', `Cannot listen on ${formatSocketAddress(address)}: ${reason}`, { cause: error });
}

function boundAddress(server: CountingServer, asked: SocketAddress | undefined): string {
  const bound = server.address();
  if (bound !== null && typeof bound === 'object')
    return formatSocketAddress({ host: bound.address, port: bound.port });
  return asked === undefined ? '' : formatSocketAddress(asked);
}

async function closeAll(
  servers: readonly CountingServer[],
  unbound: CountingServer,
  connections: ReadonlySet<Duplex>,
): Promise<void> {
  const closed = servers.map(async (server) => {
    const end = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    await end;
  });
  // Closing one that does not listen ends nothing but its looking at headers.
  unbound.close();
  unbound.closeIdleConnections();
  const end = setTimeout(() => {
    // Those in the middle of a TLS handshake too, of which the server's own list knows nothing.
    for (const connection of connections) connection.destroy();
  }, closeGraceMs);
  await Promise.all(closed);
  await Promise.all([...connections].map((connection) => new Promise((done) => connection.once('close', done))));
  clearTimeout(end);
}
