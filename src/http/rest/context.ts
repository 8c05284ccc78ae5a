/** What a handler works with. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClusterApi } from '../../cluster/ports.ts';
import { parseQuery, type Query, type Time } from '../../model/index.ts';

export interface Context {
  readonly cluster: ClusterApi;
  readonly response: ServerResponse;
  /** Headers of every form of the answer. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly query: Query;
  /** The body of a request that has one; empty otherwise. */
  readonly body: string;
  /** Aborted when the client goes away before its answer is complete. */
  readonly signal: AbortSignal;
  /** A path parameter, decoded; empty when the route has none of that name. */
  param(name: string): string;
  now(): Time;
}

export interface ContextOptions {
  readonly cluster: ClusterApi;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: string;
  readonly body: string;
  readonly now: () => Time;
}

/** Query and abort signal are made when first asked for: most requests need neither. */
export function createContext(options: ContextOptions): Context {
  const { response } = options;
  let query: Query | undefined;
  let signal: AbortSignal | undefined;
  return {
    cluster: options.cluster,
    response,
    headers: options.headers,
    body: options.body,
    now: options.now,
    param: (name) => options.params[name] ?? '',
    get query() {
      query ??= parseQuery(options.query);
      return query;
    },
    get signal() {
      signal ??= abortedWhenGone(response);
      return signal;
    },
  };
}

function abortedWhenGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
