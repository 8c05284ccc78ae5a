/**
 * An HTTP server that answers what a test tells it and remembers what it was asked.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface FakeAnswer {
  readonly status?: number;
  /** A whole body, or the lines of a list. */
  readonly body?: string | readonly string[];
  /** Values of the trailer `X-Stream-Error`. */
  readonly trailers?: readonly string[];
  /** The connection breaks off then: before the head, or after what there is of the body. */
  readonly cut?: 'head' | 'body';
  readonly contentType?: string;
}

export interface FakeApi {
  readonly host: string;
  readonly url: string;
  readonly port: number;
  /** `METHOD path?query`, in order. */
  readonly requests: readonly string[];
  /** Headers of the last request. */
  lastHeaders(): IncomingMessage['headers'];
  /** Bodies of the requests that were read to their end, in order. */
  readonly bodies: readonly string[];
  close(): Promise<void>;
}

/** Where it listens, unless on a free port of the loopback. */
export interface FakeApiOptions {
  readonly socketPath?: string;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** `undefined` as an answer leaves the request hanging. */
export async function startFakeApi(
  answer: (method: string, path: string, count: number, headers: IncomingMessage['headers']) => FakeAnswer | undefined,
  { socketPath, tls }: FakeApiOptions = {},
): Promise<FakeApi> {
  const requests: string[] = [];
  const bodies: string[] = [];
  let headers: IncomingMessage['headers'] = {};
  const listener: RequestListener = (request, response) => {
    headers = request.headers;
    requests.push(`${request.method} ${request.url}`);
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (text: string) => {
      body += text;
    });
    // Answered when all was sent, so that no client fails with what it has still to send.
    request.once('end', () => {
      bodies.push(body);
      const given = answer(request.method ?? '', request.url ?? '', bodies.length, request.headers);
      if (given !== undefined) send(response, given);
    });
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(socketPath, resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' ? (address as AddressInfo).port : 0; // listening
  return {
    host: socketPath === undefined ? `/ip4/127.0.0.1/tcp/${port}` : `/unix${socketPath}`,
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    bodies,
    lastHeaders: () => headers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, answer: FakeAnswer): void {
  const { status = 200, body = '', trailers, cut, contentType = 'application/json' } = answer;
  if (cut === 'head') {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    'Content-Type': contentType,
    ...(trailers === undefined || status === 204 ? {} : { Trailer: 'X-Stream-Error' }),
  });
  for (const part of typeof body === 'string' ? [body] : body) {
    if (part !== '') response.write(typeof body === 'string' ? part : `${part}\n`);
  }
  if (cut === 'body') {
    // What was written leaves first.
    response.write('', () => response.destroy());
    return;
  }
  if (trailers !== undefined && status !== 204)
    response.addTrailers(trailers.map((text): [string, string] => ['X-Stream-Error', text]));
  response.end();
}
