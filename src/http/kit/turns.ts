/**
 * Requests that a client sends without waiting for answers (pipelining) are handled one after the other, as by Go's
 * net/http. Node would begin them all at once, which lets one connection do any amount of work.
 */
import type { IncomingMessage } from 'node:http';
import type { CountedResponse } from './counted-response.ts';

/** Answers one request. */
export type RequestHandler = (request: IncomingMessage, response: CountedResponse) => void;

/** Requests that wait on one connection; one that sends more is closed. */
const waitingMax = 256;

/** The same handler, called for the next request of a connection when the answer before has left. */
export function inTurn(handler: RequestHandler): RequestHandler {
  const lines = new WeakMap<object, [IncomingMessage, CountedResponse][]>();
  const begin = (request: IncomingMessage, response: CountedResponse): void => {
    const { socket } = request;
    response.once('close', () => {
      // What follows an answer that ended the connection was not asked for by this client, or in vain.
      const next = socket.writable ? lines.get(socket)?.shift() : undefined;
      if (next === undefined) lines.delete(socket);
      else begin(...next);
    });
    handler(request, response);
  };
  return (request, response) => {
    const line = lines.get(request.socket);
    if (!request.socket.writable) return;
    if (line === undefined) {
      lines.set(request.socket, []);
      begin(request, response);
    } else if (line.length < waitingMax) {
      line.push([request, response]);
    } else {
      request.socket.destroy();
    }
  };
}
