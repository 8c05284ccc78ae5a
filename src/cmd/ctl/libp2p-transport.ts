/**
 * The client's transport to the API of a peer over libp2p. All of libp2p is loaded with the first request, and only for this.
 * Source: Go `api/rest/client/transports.go` `enableLibp2p`, `api/rest/client/client.go` `resolveAddr`.
 */
import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorCode, errorMessage, OperatingError } from '../../base/index.ts';
import { type Transport, unreachable } from '../../client/index.ts';
import type { PeerDialer } from '../../http/dial/index.ts';
import { type Multiaddr, type PeerId, peerIdOfMultiaddr } from '../../model/index.ts';
import type { Endpoint } from './endpoint.ts';
import { abortText, exchange } from './node-transport.ts';

type Libp2pEndpoint = Extract<Endpoint, { readonly kind: 'libp2p' }>;

export interface Libp2pTransportOptions {
  /** Of the cluster, or `null` where the API has a libp2p host of its own. */
  readonly secret: Uint8Array | null;
  /** The text records of a name, for `/dnsaddr`. Default: as the system finds them. */
  readonly lookUp?: (name: string) => Promise<readonly (readonly string[])[]>;
}

export interface Libp2pTransport {
  readonly transport: Transport;
  /** Ends the connection, which would keep the program running. */
  close(): Promise<void>;
}

interface Way {
  readonly peer: PeerId;
  readonly dialer: PeerDialer;
}

/** A stream for each request, on one connection. What a `/dnsaddr` stands for is tried in order. */
export function libp2pTransport({ address }: Libp2pEndpoint, options: Libp2pTransportOptions): Libp2pTransport {
  let way: Way | undefined;
  const transport: Transport = async (request) => {
    const { method, path, headers, signal } = request;
    let peer = peerIdOfMultiaddr(address) ?? address;
    try {
      let connection: Duplex;
      if (way === undefined) [way, connection] = await firstWay(address, options, signal);
      else connection = await way.dialer.connect(signal);
      peer = way.peer;
      const sent = { method, path, headers: { Host: peer, ...headers }, createConnection: () => connection };
      return await exchange(httpRequest({ ...sent, ...(signal === undefined ? {} : { signal }) }), request);
    } catch (error) {
      const text = signal?.aborted === true ? abortText(signal) : errorMessage(error);
      const cause = new OperatingError('ctl/transport', text, { cause: error });
      throw unreachable(method, `libp2p://${peer}${path}`, cause);
    }
  };
  return {
    transport,
    close: async () => {
      await way?.dialer.close();
    },
  };
}

/** The first address that answers, with a connection through it. Throws what the last one failed with. */
async function firstWay(
  address: Multiaddr,
  { secret, lookUp }: Libp2pTransportOptions,
  signal: AbortSignal | undefined,
): Promise<[Way, Duplex]> {
  const { createPeerDialer, resolveDnsaddr } = await import('../../http/dial/index.ts');
  let failure: unknown;
  for (const one of await resolveDnsaddr(address, lookUp)) {
    const peer = peerIdOfMultiaddr(one) ?? '';
    const dialer = await createPeerDialer({ address: one, secret });
    try {
      return [{ peer, dialer }, await dialer.connect(signal)];
    } catch (error) {
      await dialer.close();
      failure = dialFailure(error, one, secret !== null);
      if (signal?.aborted === true) break;
    }
  }
  throw failure;
}

/** As the Go client tells it. Source: go-libp2p `p2p/net/swarm` `DialError`. */
function dialFailure(error: unknown, address: Multiaddr, hasSecret: boolean): unknown {
  const code = errorCode(error);
  if (code !== 'p2p/unreachable' && code !== 'p2p/wrong-secret') return error;
  const reason = errorMessage(error).replace(/^Cannot connect to \S+ at "[^"]*": /, '');
  const [, ip = '', , port = ''] = address.split('/').slice(1);
  const host = ip.includes(':') ? `[${ip}]` : ip;
  let problem = reason;
  if (reason === 'connection refused')
    problem = `dial tcp${address.startsWith('/ip6/') ? '6' : '4'} ${host}:${port}: connect: ${reason}`;
  // What a private network sends looks like noise, and breaks off in many ways.
  else if (!hasSecret && !/^connection |^no answer|identity key|peer id/i.test(reason))
    problem = 'failed to negotiate security protocol: incoming message was too large';
  const dialled = address.replace(/\/p2p\/.*/, '');
  const text = `failed to dial: failed to dial ${peerIdOfMultiaddr(address)}: all dials failed\n  * [${dialled}] ${problem}`;
  return new OperatingError('ctl/dial', text, { cause: error });
}
