/**
 * Passing a request through: path, query, body, status, headers and trailers unchanged, both ways as they come.
 * Source: Go `net/http/httputil.ReverseProxy`, as set up in `api/ipfsproxy`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { errorMessage, type Logger } from '../../base/index.ts';
import { ProxyError } from './errors.ts';
import { splice } from './splice.ts';
import type { AnswerFlow, Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.ts';

/** Of one connection only (RFC 9110, 7.6.1); `expect` has been answered by our server. */
const hopHeaders = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** As `forward`, for answers that can be large. */
export async function forwardBulk(
  upstream: Upstream,
  request: IncomingMessage,
  response: ServerResponse,
  { path, log }: { readonly path: string; readonly log: Logger },
): Promise<void> {
  const lines = [`${request.method} ${path} HTTP/1.1`, 'Connection: close'];
  const headers = [...pairs(forwardedHeaders(request))];
  if (!headers.some(([name]) => name.toLowerCase() === 'host')) lines.push(`Host: ${upstream.host}`);
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  try {
    await splice({
      connect: (receive) => upstream.connect(receive),
      head: `${lines.join('\r\n')}\r\n\r\n`,
      response,
      sendHead: (head) => sendHead(request, response, head),
    });
  } catch (error) {
    if (!response.destroyed) log.debug('request to the IPFS node failed', { error: errorMessage(error) });
    refuse(response);
  }
}

/** Passes the request through. Never rejects: an unreachable node is 502 with an empty body, as in the reference. */
export async function forward(
  upstream: Upstream,
  request: IncomingMessage,
  response: ServerResponse,
  { path, log }: { readonly path: string; readonly log: Logger },
): Promise<void> {
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  let flow: AnswerFlow | undefined;
  const gone = (): void => {
    flow?.abort(new ProxyError(499, 'the client has left'));
    finish();
  };
  response.once('close', gone);
  response.on('drain', () => flow?.resume());
  upstream.pass(upstreamRequest(request, path), {
    onStart: (started) => {
      flow = started;
      if (response.destroyed) gone();
    },
    onHead: (status, headers) => {
      if (!response.destroyed && status >= 200) sendHead(request, response, { status, headers });
    },
    onData: (bytes) => {
      if (!response.destroyed && !response.write(bytes)) flow?.pause();
    },
    onEnd: (trailers) => {
      flow = undefined;
      const found = [...pairs(trailers)];
      if (found.length > 0) response.addTrailers(found);
      response.end();
    },
    onError: (error) => {
      flow = undefined;
      if (!response.destroyed) log.debug('request to the IPFS node failed', { error: errorMessage(error) });
      refuse(response);
      finish();
    },
  });
  await done;
}

/** Sends the client's request to the node under a path that may differ from what was asked. */
export async function sendOn(
  upstream: Upstream,
  request: IncomingMessage,
  path: string,
  signal: AbortSignal,
): Promise<UpstreamAnswer> {
  return await upstream.send({ ...upstreamRequest(request, path), signal });
}

function upstreamRequest(request: IncomingMessage, path: string): Omit<UpstreamRequest, 'signal'> {
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  return {
    method: request.method ?? 'POST',
    path,
    headers: forwardedHeaders(request),
    body: hasBody ? bodyOf(request) : null,
  };
}

/**
 * The client's body as a stream of its own: it is destroyed when the node cannot be reached or answers early, and the
 * client's connection, on which the answer is yet to be sent, must not be.
 */
function bodyOf(request: IncomingMessage): PassThrough {
  const body = new PassThrough({ highWaterMark: 256 * 1024 });
  body.on('error', () => {});
  body.on('close', () => {
    // What the client still sends is read and dropped, so that it gets to read the answer.
    request.unpipe(body);
    request.resume();
  });
  request.on('close', () => {
    if (!request.complete) body.destroy(new ProxyError(400, 'the client has left'));
  });
  request.pipe(body);
  return body;
}

/** Status 502 and nothing else; a body that has begun is cut off, so that it is not taken for a whole one. */
export function refuse(response: ServerResponse): void {
  if (response.destroyed) return;
  if (response.headersSent) response.destroy();
  else response.writeHead(502, { 'Content-Length': 0 }).end();
}

function forwardedHeaders(request: IncomingMessage): string[] {
  const dropped = connectionHeaders(request.headers.connection);
  const headers: string[] = [];
  let forwardedFor = request.socket.remoteAddress ?? '';
  for (const [name, value] of pairs(request.rawHeaders)) {
    const lower = name.toLowerCase();
    if (lower === 'x-forwarded-for') forwardedFor = `${value}, ${forwardedFor}`;
    else if (!hopHeaders.has(lower) && !dropped.has(lower)) headers.push(name, value);
  }
  if (forwardedFor !== '') headers.push('X-Forwarded-For', forwardedFor);
  return headers;
}

function sendHead(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Pick<UpstreamAnswer, 'status' | 'headers'>,
): void {
  const all = [...pairs(answer.headers)];
  const names = new Set(all.map(([name]) => name.toLowerCase()));
  const connection = all.find(([name]) => name.toLowerCase() === 'connection')?.[1];
  const dropped = connectionHeaders(connection);
  // Trailers need chunks: no length, a body, and a client that knows them.
  const isChunked =
    !names.has('content-length') &&
    request.method !== 'HEAD' &&
    request.httpVersionMinor > 0 &&
    answer.status !== 204 &&
    answer.status !== 304;
  const headers: string[] = [];
  for (const [name, value] of all) {
    const lower = name.toLowerCase();
    if (hopHeaders.has(lower) || dropped.has(lower) || (lower === 'trailer' && !isChunked)) continue;
    headers.push(name, value);
  }
  response.sendDate = !names.has('date');
  response.writeHead(answer.status, headers);
  // A stream whose first byte is far away has begun all the same.
  response.flushHeaders();
}

function connectionHeaders(connection: string | undefined): Set<string> {
  return new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
}

function* pairs(flat: readonly string[]): Generator<[name: string, value: string]> {
  for (let i = 0; i + 1 < flat.length; i += 2) yield [flat[i] ?? '', flat[i + 1] ?? ''];
}
