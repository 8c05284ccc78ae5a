/** One request that the proxy answers itself, and the forms of its answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorMessage, type Logger } from '../../base/index.ts';
import type { ClusterApi } from '../../cluster/ports.ts';
import { headerSafe } from '../kit/index.ts';
import { ProxyError } from './errors.ts';
import type { Upstream } from './upstream.ts';

/** What the proxy needs of the cluster. */
export type ProxyCluster = Pick<
  ClusterApi,
  'add' | 'pin' | 'pinPath' | 'unpin' | 'unpinPath' | 'pinGet' | 'pins' | 'status' | 'repoStat' | 'repoGc'
>;

export interface Hijacked {
  readonly cluster: ProxyCluster;
  readonly upstream: Upstream;
  readonly log: Logger;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of every answer; see `NodeHeaders`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Path arguments first, then every `arg`. */
  readonly args: readonly string[];
  readonly query: URLSearchParams;
  /** What was asked for, from the first `/` on. */
  readonly path: string;
  /** What follows the `?` in it. */
  readonly search: string;
  /** Aborted when the client is gone, or the request's `timeout` is over. Pinning goes on all the same. */
  readonly signal: AbortSignal;
}

/** Answers with one JSON text. */
export function sendJson(call: Hijacked, status: number, text: string): void {
  if (call.response.destroyed || call.response.headersSent) return;
  call.response.writeHead(status, { ...call.headers, 'Content-Length': Buffer.byteLength(text) });
  call.response.end(text);
}

/** The error answer, without a line end as in the reference. */
export function sendError(call: Hijacked, error: unknown): void {
  const status = error instanceof ProxyError ? error.status : 500;
  const body = JSON.stringify({ Message: errorMessage(error), Code: 0, Type: 'error' });
  if (call.response.headersSent) endLines(call, errorMessage(error));
  else sendJson(call, status, body);
}

/** Begins an answer of lines. */
export function beginLines(call: Hijacked): void {
  call.response.writeHead(200, { ...call.headers, 'X-Chunked-Output': '1', Trailer: 'X-Stream-Error' });
}

/** Ends an answer of lines; an empty text means that all went well. */
export function endLines(call: Hijacked, error: string): void {
  if (call.response.destroyed) return;
  if (error !== '') call.response.addTrailers({ 'X-Stream-Error': headerSafe(error) });
  call.response.end();
}
