/** One line a request: the Apache common log format without the time, which the log has itself. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** `host "request line" status`. */
export function accessLine(
  request: IncomingMessage,
  response: ServerResponse,
  remoteAddress: string | undefined,
): string {
  const host = remoteAddress?.replace(/^::ffff:/, '') ?? '@';
  // `JSON.stringify` escapes what could forge a line.
  return `${host} ${JSON.stringify(`${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}`)} ${response.statusCode}`;
}
