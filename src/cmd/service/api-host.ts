/** A libp2p host that serves one HTTP API and nothing else. Source: Go `api/common/api.go` `setupLibp2p`. */
import { privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { Logger } from '../../base/index.ts';
import type { Host, Streams } from '../../cluster/ports.ts';
import { type ApiServer, libp2pHttpProtocol } from '../../http/kit/index.ts';
import { parseIdentity } from '../../io/config/index.ts';
import { createHost } from '../../io/p2p/index.ts';
import type { HttpApiConfig } from '../../model/config/index.ts';

/**
 * Starts the host that the configuration describes; `undefined` when it describes none. It is in no private network: what
 * protects the API there is its authentication. `where` names the section. Throws `config/bad-file`, `p2p/listen`.
 */
export async function startApiHost(
  config: HttpApiConfig,
  api: Pick<ApiServer, 'acceptStream'>,
  { log, where }: { readonly log: Logger; readonly where: string },
): Promise<Host | undefined> {
  const { id, privateKey, libp2pListenMultiaddress: listen } = config;
  if (listen.length === 0) return undefined;
  const identity = parseIdentity(id, privateKey, where);
  const host = await createHost(
    { privateKey: privateKeyToProtobuf(identity.privateKey), secret: null, listen, pubsub: null },
    { logger: log },
  );
  serveStreams(host.streams, api);
  try {
    await host.start();
  } catch (error) {
    await host.stop();
    throw error;
  }
  return host;
}

/** Serves the API to whoever opens a stream of its protocol. */
export function serveStreams(streams: Streams, api: Pick<ApiServer, 'acceptStream'>): void {
  streams.handle(libp2pHttpProtocol, (stream) => api.acceptStream(stream));
}
