/** Known addresses of peers, in memory; the most useful address of a peer comes first. */
import { CODE_P2P, CODE_TCP, type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { PeerId } from '../../model/index.ts';

/** A peer behind changing addresses must not grow for ever; the oldest address goes first. */
const addressesPerPeerMax = 32;
/** Far above the size of any cluster. The peer that was longest without news goes first. */
const peersMax = 4096;

export class AddressBook {
  readonly #addresses = new Map<PeerId, Set<string>>();

  /** Addresses with `/p2p/<peer>`, in the order in which they should be tried. */
  of(peer: PeerId): readonly string[] {
    return [...(this.#addresses.get(peer) ?? [])];
  }

  /** Puts an address in front: it has just worked. */
  confirm(peer: PeerId, address: string): void {
    const known = this.#addresses.get(peer) ?? [];
    this.#put(peer, new Set([address, ...known]));
  }

  /** Adds behind what is known. */
  add(peer: PeerId, addresses: readonly string[]): void {
    if (addresses.length > 0) this.#put(peer, new Set([...(this.#addresses.get(peer) ?? []), ...addresses]));
  }

  /** Where the peer itself says that it listens: tried right after what has worked last, before what it may have left. */
  tell(peer: PeerId, addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    const [best, ...others] = this.#addresses.get(peer) ?? [];
    this.#put(peer, new Set([...(best === undefined ? [] : [best]), ...addresses, ...others]));
  }

  forget(peer: PeerId): void {
    this.#addresses.delete(peer);
  }

  #put(peer: PeerId, addresses: Set<string>): void {
    this.#addresses.delete(peer);
    this.#addresses.set(
      peer,
      addresses.size > addressesPerPeerMax ? new Set([...addresses].slice(0, addressesPerPeerMax)) : addresses,
    );
    if (this.#addresses.size <= peersMax) return;
    const [oldest] = this.#addresses.keys();
    if (oldest !== undefined) this.#addresses.delete(oldest);
  }
}

/** An address that this host can dial, and the peer that it names. */
export interface PeerAddress {
  readonly peer: PeerId | undefined;
  readonly text: string;
  readonly address: Multiaddr;
}

/** Reads an address; `undefined` when it is none, or for a transport that this host does not have. */
export function parsePeerAddress(text: string): PeerAddress | undefined {
  let address: Multiaddr;
  try {
    address = multiaddr(text);
  } catch {
    return undefined;
  }
  const components = address.getComponents();
  if (!isTcp(components)) return undefined;
  const peer = components.findLast((component) => component.code === CODE_P2P)?.value;
  return { peer, text: address.toString(), address };
}

/** Plain TCP over IP or a DNS name, with or without a peer id; no relays, web sockets, QUIC. */
function isTcp(components: readonly { readonly code: number; readonly name: string }[]): boolean {
  const [host, port, peer, more] = components;
  if (host === undefined || port?.code !== CODE_TCP || more !== undefined) return false;
  if (peer !== undefined && peer.code !== CODE_P2P) return false;
  return ['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(host.name);
}

/** Whether a listening address can be used by this host; others are skipped without a word, as the Go peer does. */
export function isListenable(text: string): boolean {
  return parsePeerAddress(text) !== undefined;
}
