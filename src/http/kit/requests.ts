/** Requests that are answered before any handler sees them, or in another way than Node does by itself. Source: Go net/http `server.go`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { plainAndClose, sendWhole } from './whole.ts';

/** Go golang.org/x/net/http/httpguts `ValidHostHeader`. */
const hostPattern = /^[\w!$%&'()*+,\-.:;=[\]~]*$/;

/** Status, and the words of its line; the body is the same unless it is given. */
interface Refusal {
  readonly status: number;
  readonly words: string;
  readonly body?: string;
}

/** Answers what is no request of HTTP/1, or whose end two readers would see in different places. @returns whether it did. */
export function isRefused(request: IncomingMessage, response: ServerResponse): boolean {
  const refusal = refusalOf(request);
  if (refusal === undefined) return false;
  const { status, words, body = `${status} ${words}` } = refusal;
  response.sendDate = false;
  response.statusMessage = words;
  sendWhole(response, status, plainAndClose, body);
  return true;
}

function refusalOf({ httpVersion, headers, rawHeaders }: IncomingMessage): Refusal | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    if (httpVersion === '0.9') return { status: 400, words: 'Bad Request' };
    return { status: 505, words: 'HTTP Version Not Supported: unsupported protocol version' };
  }
  const { host, 'transfer-encoding': encoding } = headers;
  // Node gives the body without the chunks and leaves what is in them as it is.
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') {
    return { status: 501, words: 'Not Implemented', body: 'Unsupported transfer encoding' };
  }
  if (host === undefined) {
    return httpVersion === '1.1' ? { status: 400, words: 'Bad Request: missing required Host header' } : undefined;
  }
  if (!hostPattern.test(host)) return { status: 400, words: 'Bad Request: malformed Host header' };
  // Node keeps the first and tells nothing of the others.
  return hostCount(rawHeaders) > 1 ? { status: 400, words: 'Bad Request' } : undefined;
}

function hostCount(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

/**
 * The client waits to be told that its body is wanted: it is told when the body is first read. When it gets its answer without,
 * Node closes the connection, since nobody can know whether it sends the body all the same.
 */
export function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && (length === undefined || Number(length) === 0)) return;
  const { _read: read } = request;
  request._read = function (size) {
    request._read = read;
    if (!response.headersSent && !response.destroyed) response.writeContinue();
    read.call(this, size);
  };
}

/** Another expectation than `100-continue`. */
export function failExpectation(_: IncomingMessage, response: ServerResponse): void {
  response.shouldKeepAlive = false;
  sendWhole(response, 417, {}, '');
}

/** `CONNECT` would make a tunnel of the connection, which nothing here does. */
export function refuseTunnel(_: IncomingMessage, connection: Duplex): void {
  connection.on('error', () => {});
  connection.end('HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', () =>
    connection.destroy(),
  );
}
