/**
 * The IPFS Pinning Service API, version 1.0.0, over the pinset of the cluster: the table in `model/pinsvc-routes.ts` behind the
 * common chain. A pin's request id is its CID, of which a cluster has one pin only.
 * Source: its specification; where that leaves a choice, Go `api/pinsvcapi`.
 */
import type { Logger } from '../../base/index.ts';
import type { ByteStream, ClusterApi } from '../../cluster/ports.ts';
import { pinsvcFailureJson, pinsvcRoutes, type Time } from '../../model/index.ts';
import { type ApiOptions, bindApi } from '../kit/index.ts';
import { handlers } from './handlers.ts';

/** What the pinning service answers from. */
export interface PinsvcDeps {
  readonly cluster: ClusterApi;
  readonly log: Logger;
  readonly now: () => Time;
}

/** The pinning service, listening. */
export interface PinsvcApi {
  /** Multiaddrs with their real ports. */
  addresses(): readonly string[];
  /** Begins to answer; requests that came before wait until then. */
  serve(deps: PinsvcDeps): void;
  /** Serves HTTP over a libp2p stream. */
  acceptStream(stream: ByteStream): void;
  /** Idempotent. Answers in progress get about a second. */
  close(): Promise<void>;
}

/** Takes the configured addresses. Throws `http/listen`, `http/bad-address`. */
export async function bindPinsvcApi(options: ApiOptions): Promise<PinsvcApi> {
  const server = await bindApi(options);
  return {
    addresses: server.addresses,
    acceptStream: server.acceptStream,
    close: server.close,
    serve: (deps) =>
      server.serve(
        {
          routes: pinsvcRoutes,
          handle: (route, call) => handlers[route.id](call, deps.cluster),
          printError: (status, details) =>
            `${pinsvcFailureJson.print({ error: { reason: reasonOf(status), details } })}\n`,
        },
        { ...deps, isRevoked: (hash) => deps.cluster.isTokenRevoked(hash) },
      ),
  };
}

/** Words for machines, by the examples of the specification. */
function reasonOf(status: number): string {
  return reasons[status] ?? (status < 500 ? 'BAD_REQUEST' : 'INTERNAL_SERVER_ERROR');
}

const reasons: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  413: 'PAYLOAD_TOO_LARGE',
  429: 'TOO_MANY_REQUESTS',
  501: 'NOT_IMPLEMENTED',
  503: 'SERVICE_UNAVAILABLE',
};
