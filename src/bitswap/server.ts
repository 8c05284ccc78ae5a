/**
 * The serving side: what each peer wants from us. A want that cannot be served stays in the peer's ledger until the
 * block arrives (`notify`), the peer cancels it, or the peer leaves.
 */
import type { CID } from 'multiformats/cid';
import type { WantEntry } from './message.ts';
import { blockKey, isCheckable } from './multihash.ts';
import type { PeerLink } from './peer-link.ts';
import type { BlockSource } from './ports.ts';

/** Unserved wants of one peer; further ones are refused (boxo has the same limit). */
const ledgerWantsMax = 1024;
/** Entries of one message that are looked at. */
const messageEntriesMax = 4096;
/** Up to this size a question for presence is answered with the block itself, as boxo does. */
const haveAsBlockBytesMax = 1024;
/** Entries looked up before other work gets its turn. */
const lookupsPerTurn = 200;

export class BitswapServer {
  readonly #source: BlockSource;
  /** Unserved wants by peer and CID text. */
  readonly #ledgers = new Map<string, { readonly link: PeerLink; readonly wants: Map<string, WantEntry> }>();
  /** Peers that wait for a block. */
  readonly #waiting = new Map<string, Set<string>>();

  constructor(source: BlockSource) {
    this.#source = source;
  }

  /** Answers what is here and remembers the rest. One call per peer at a time. */
  async onWants(link: PeerLink, entries: readonly WantEntry[], isFull: boolean): Promise<void> {
    if (isFull) this.peerLost(link.peer);
    let looked = 0;
    for (const entry of entries.slice(0, messageEntriesMax)) {
      if (entry.cancel) {
        this.#forget(link.peer, entry.cid);
        link.dropAnswer(entry.cid);
        continue;
      }
      this.#serve(link, entry);
      looked += 1;
      if (looked % lookupsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** A block has arrived here: serves those who wait for it. */
  notify(cid: CID): void {
    if (this.#waiting.size === 0) return;
    const peers = this.#waiting.get(blockKey(cid));
    if (peers === undefined) return;
    for (const peer of [...peers]) {
      const ledger = this.#ledgers.get(peer);
      if (ledger === undefined) continue;
      // Any CID of this content may be the one that was asked for.
      for (const entry of [...ledger.wants.values()]) {
        if (blockKey(entry.cid) === blockKey(cid)) {
          this.#forget(peer, entry.cid);
          this.#serve(ledger.link, entry);
        }
      }
    }
  }

  peerLost(peer: string): void {
    const ledger = this.#ledgers.get(peer);
    if (ledger === undefined) return;
    for (const entry of [...ledger.wants.values()]) this.#forget(peer, entry.cid);
    this.#ledgers.delete(peer);
  }

  /** What a peer waits for. */
  wantlistOf(peer: string): CID[] {
    return [...(this.#ledgers.get(peer)?.wants.values() ?? [])].map((entry) => entry.cid);
  }

  #serve(link: PeerLink, entry: WantEntry): void {
    const { cid, want, sendDontHave } = entry;
    const size = isCheckable(cid) ? this.#source.size(cid) : undefined;
    if (size === undefined) {
      this.#remember(link, entry);
      if (sendDontHave) link.answer({ cid, has: false });
    } else if (want === 'have' && size > haveAsBlockBytesMax) {
      link.answer({ cid, has: true });
    } else {
      link.sendBlock(cid, sendDontHave);
    }
  }

  #remember(link: PeerLink, entry: WantEntry): void {
    let ledger = this.#ledgers.get(link.peer);
    if (ledger === undefined) {
      ledger = { link, wants: new Map() };
      this.#ledgers.set(link.peer, ledger);
    }
    if (ledger.wants.size >= ledgerWantsMax) return;
    ledger.wants.set(entry.cid.toString(), entry);
    const key = blockKey(entry.cid);
    const waiting = this.#waiting.get(key) ?? new Set();
    waiting.add(link.peer);
    this.#waiting.set(key, waiting);
  }

  #forget(peer: string, cid: CID): void {
    const wants = this.#ledgers.get(peer)?.wants;
    if (wants?.delete(cid.toString()) !== true) return;
    const key = blockKey(cid);
    for (const entry of wants.values()) if (blockKey(entry.cid) === key) return;
    const waiting = this.#waiting.get(key);
    waiting?.delete(peer);
    if (waiting?.size === 0) this.#waiting.delete(key);
  }
}
