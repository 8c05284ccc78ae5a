/**
 * The HTTP API of a peer: the table in `model/routes.ts` behind the common chain.
 * Source: Go `api/rest/restapi.go`.
 */
import type { Logger } from '../../base/index.ts';
import type { ByteStream } from '../../cluster/ports.ts';
import { apiErrorJson, routes } from '../../model/index.ts';
import { type ApiOptions, bindApi } from '../kit/index.ts';
import { type ContextDeps, createContext } from './context.ts';
import { handlers } from './handlers.ts';
import { SharedLists } from './shared-lists.ts';

/** What the HTTP API answers from. */
export interface RestDeps extends Omit<ContextDeps, 'lists'> {
  readonly log: Logger;
}

/** The HTTP API, listening. */
export interface RestApi {
  /** Multiaddrs with their real ports. */
  addresses(): readonly string[];
  /** Begins to answer; requests that came before wait until then. */
  serve(deps: RestDeps): void;
  /** Serves HTTP over a libp2p stream. */
  acceptStream(stream: ByteStream): void;
  /** Idempotent. Answers in progress get about a second. */
  close(): Promise<void>;
}

/** Takes the configured addresses. Throws `http/listen`, `http/bad-address`. */
export async function bindRestApi(options: ApiOptions): Promise<RestApi> {
  const server = await bindApi(options);
  const lists = new SharedLists();
  return {
    addresses: server.addresses,
    acceptStream: server.acceptStream,
    close: server.close,
    serve: (deps) =>
      server.serve(
        {
          routes,
          handle: (route, call) => handlers[route.id](createContext(call, { ...deps, lists })),
          printError: (code, message) => `${apiErrorJson.print({ code, message })}\n`,
        },
        { ...deps, isRevoked: (hash) => deps.cluster.isTokenRevoked(hash) },
      ),
  };
}
