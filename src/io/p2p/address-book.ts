/** Known addresses of peers, in memory; the most useful address of a peer comes first. */
import { CODE_P2P, CODE_TCP, type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { PeerId } from '../../model/index.ts';

/** Of each kind and peer: one behind changing addresses must not grow for ever. */
const addressesPerPeerMax = 32;
/** Far above the size of any cluster. The peer that was longest without news goes first. */
const peersMax = 4096;

interface Known {
  /** Was dialled with success last. */
  readonly confirmed: string | undefined;
  /** Where the peer says itself that it listens. */
  readonly told: readonly string[];
  /** From files, operators and other members, the oldest first. */
  readonly heard: readonly string[];
}

const nothingKnown: Known = { confirmed: undefined, told: [], heard: [] };

/** All addresses have `/p2p/<peer>`. */
export class AddressBook {
  readonly #peers = new Map<PeerId, Known>();

  /** All that is known, in the order in which it should be tried. */
  of(peer: PeerId): readonly string[] {
    const { confirmed, told, heard } = this.#known(peer);
    return [...new Set([...first(confirmed ?? heard[0]), ...told, ...heard])];
  }

  /** What is worth being kept and passed on: once the peer is reached, no longer what was only heard, which it may have left. */
  best(peer: PeerId): readonly string[] {
    const { confirmed, told } = this.#known(peer);
    return confirmed === undefined ? this.of(peer) : [...new Set([confirmed, ...told])];
  }

  /** It has just worked. */
  confirm(peer: PeerId, address: string): void {
    this.#put(peer, { ...this.#known(peer), confirmed: address });
  }

  /** Where the peer itself says that it listens, in place of what it said before. */
  tell(peer: PeerId, addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    this.#put(peer, { ...this.#known(peer), told: addresses.slice(0, addressesPerPeerMax) });
  }

  /** Known from elsewhere. What was heard first goes when there is too much. */
  add(peer: PeerId, addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    const known = this.#known(peer);
    this.#put(peer, { ...known, heard: [...new Set([...known.heard, ...addresses])].slice(-addressesPerPeerMax) });
  }

  forget(peer: PeerId): void {
    this.#peers.delete(peer);
  }

  #known(peer: PeerId): Known {
    return this.#peers.get(peer) ?? nothingKnown;
  }

  #put(peer: PeerId, known: Known): void {
    this.#peers.delete(peer);
    this.#peers.set(peer, known);
    if (this.#peers.size <= peersMax) return;
    const [oldest] = this.#peers.keys();
    if (oldest !== undefined) this.#peers.delete(oldest);
  }
}

function first(address: string | undefined): readonly string[] {
  return address === undefined ? [] : [address];
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
