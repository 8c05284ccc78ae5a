/** The dialling side of HTTP over libp2p: connections to the HTTP API of one peer, each a stream to it. */

import type { Duplex } from 'node:stream';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { type Logger, OperatingError, silentLogger } from '../../base/index.ts';
import { createHost } from '../../io/p2p/index.ts';
import { type Multiaddr, peerIdOfMultiaddr } from '../../model/index.ts';
import { libp2pHttpProtocol, StreamConnection } from '../kit/index.ts';

/** Where to, and through which network. */
export interface PeerDialerOptions {
  /** Of a peer, with its id at the end: `/ip4/…/tcp/…/p2p/…`. */
  readonly address: Multiaddr;
  /** The cluster's secret, 32 bytes, for the peer's own host; `null` for the host that an API has for itself. */
  readonly secret: Uint8Array | null;
  /** Milliseconds; default 30 s. */
  readonly dialTimeoutMs?: number;
  readonly logger?: Logger;
}

/** Opens connections. One libp2p connection carries all of them. */
export interface PeerDialer {
  /**
   * A connection that HTTP can be spoken over, for one request or several. Throws `p2p/unreachable`, `p2p/wrong-secret`, and
   * `p2p/unsupported-protocol` when the peer has no API there.
   */
  connect(signal?: AbortSignal): Promise<Duplex>;
  close(): Promise<void>;
}

/** Go `api/rest/client` `DefaultTimeout` of dialling. */
const dialTimeoutMsDefault = 30_000;

/** A dialer under an identity of its own, made anew. Throws `dial/bad-address`. */
export async function createPeerDialer(options: PeerDialerOptions): Promise<PeerDialer> {
  const { address, secret, dialTimeoutMs = dialTimeoutMsDefault, logger = silentLogger } = options;
  const peer = peerIdOfMultiaddr(address);
  if (peer === undefined) {
    const text = `Cannot reach an API over libp2p at "${address}": expected /ip4/…/tcp/…/p2p/<id>`;
    throw new OperatingError('dial/bad-address', text);
  }
  const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
  const host = await createHost({ privateKey, secret, listen: [], pubsub: null, dialTimeoutMs }, { logger });
  await host.start();
  const call = (signal: AbortSignal | undefined) => ({
    timeoutMs: dialTimeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    connect: async (signal) => {
      await host.connect(address, call(signal));
      return new StreamConnection(await host.streams.open(peer, libp2pHttpProtocol, call(signal)));
    },
    close: () => host.stop(),
  };
}
