/**
 * The client's transport to the API of a peer over libp2p. All of libp2p is loaded with the first request, and only for this.
 * Source: Go `api/rest/client/transports.go` `enableLibp2p`.
 */
import { request as httpRequest } from 'node:http';
import { errorMessage, OperatingError } from '../../base/index.ts';
import { type Transport, unreachable } from '../../client/index.ts';
import type { PeerDialer } from '../../http/dial/index.ts';
import type { Endpoint } from './endpoint.ts';
import { abortText, exchange } from './node-transport.ts';

type Libp2pEndpoint = Extract<Endpoint, { readonly kind: 'libp2p' }>;

export interface Libp2pTransport {
  readonly transport: Transport;
  /** Ends the connection, which would keep the program running. */
  close(): Promise<void>;
}

/** `secret` is that of the cluster, or `null` where the API has a libp2p host of its own. A stream for each request. */
export function libp2pTransport({ address, peer }: Libp2pEndpoint, secret: Uint8Array | null): Libp2pTransport {
  let dialer: Promise<PeerDialer> | undefined;
  const open = async (): Promise<PeerDialer> => {
    const { createPeerDialer } = await import('../../http/dial/index.ts');
    return createPeerDialer({ address, secret });
  };
  const transport: Transport = async ({ method, path, headers, body, signal }) => {
    try {
      dialer ??= open();
      const connection = await (await dialer).connect(signal);
      const options = { method, path, headers: { Host: peer, ...headers }, createConnection: () => connection };
      return await exchange(httpRequest({ ...options, ...(signal === undefined ? {} : { signal }) }), body);
    } catch (error) {
      const text = signal?.aborted === true ? abortText(signal) : errorMessage(error);
      const cause = new OperatingError('ctl/transport', text, { cause: error });
      throw unreachable(method, `libp2p://${peer}${path}`, cause);
    }
  };
  return {
    transport,
    close: async () => {
      await (await dialer)?.close();
    },
  };
}
