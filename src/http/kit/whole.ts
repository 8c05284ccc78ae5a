/** Answers that are known whole when they begin. */
import type { ServerResponse } from 'node:http';

/** Headers of a refusal that no API has written; the connection ends with it. */
export const plainAndClose: Readonly<Record<string, string>> = {
  'Content-Type': 'text/plain; charset=utf-8',
  Connection: 'close',
};

/** Sends head and body in one write. */
export function sendWhole(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string | string[]>>,
  body: string,
): void {
  response.statusCode = status;
  // With `writeHead` Node would not know the length any more, and send chunks.
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}
