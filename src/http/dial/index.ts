/** HTTP over libp2p from the client's side. Loads all of libp2p: programs import it when they are asked for such an address. */

export { createPeerDialer, type PeerDialer, type PeerDialerOptions } from './dialer.ts';
export { resolveDnsaddr } from './dnsaddr.ts';
