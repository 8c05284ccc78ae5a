/** Bitswap: the server, the client, and one link per connected peer, over streams that the caller provides. */
import type { CID } from 'multiformats/cid';
import { type Clock, errorMessage, type Logger } from '../base/index.ts';
import { BitswapClient, type BitswapSession } from './client.ts';
import { FrameReader } from './frames.ts';
import { decodeMessage } from './message.ts';
import { bitswapProtocols, PeerLink } from './peer-link.ts';
import type { BitswapNetwork, BitswapStream, BlockSource } from './ports.ts';
import { BitswapServer } from './server.ts';

/** The world that bitswap runs in. */
export interface BitswapDeps {
  readonly network: BitswapNetwork;
  readonly source: BlockSource;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What has gone over the wires since the start. */
export interface BitswapCounters {
  readonly blocksReceived: number;
  readonly dataReceivedBytes: number;
  readonly dupBlocksReceived: number;
  readonly dupDataReceivedBytes: number;
  readonly blocksSent: number;
  readonly dataSentBytes: number;
  readonly messagesReceived: number;
}

/** Exchanges blocks with the peers that it is told of. */
export interface Bitswap {
  /** Protocol ids to handle, newest first. */
  readonly protocols: readonly string[];
  /** A peer that speaks bitswap is connected. Told twice is no harm. */
  peerConnected(peer: string): void;
  peerDisconnected(peer: string): void;
  /** Takes an incoming stream; resolves when it has ended. Never rejects. */
  handleStream(peer: string, stream: BitswapStream): Promise<void>;
  /** `peers`: whom to ask first. */
  session(options?: { readonly peers?: readonly string[] }): BitswapSession;
  /** A block is here now: ends own wants for it and serves those who wait. */
  notify(cid: CID, block: Uint8Array): void;
  /** What this node waits for. */
  wantlist(): readonly CID[];
  /** What a peer waits for from us. */
  wantlistOf(peer: string): readonly CID[];
  peers(): readonly string[];
  counters(): BitswapCounters;
  stop(): void;
}

/** Bitswap over the given streams; serves and fetches until `stop`. */
export function createBitswap(deps: BitswapDeps): Bitswap {
  return new BitswapNode(deps);
}

class BitswapNode implements Bitswap {
  readonly protocols = bitswapProtocols;
  readonly #deps: BitswapDeps;
  readonly #client: BitswapClient;
  readonly #server: BitswapServer;
  readonly #links = new Map<string, PeerLink>();
  /** The end of the handling of each peer's latest message: messages of one peer are handled in order. */
  readonly #turns = new Map<string, Promise<void>>();
  #blocksSent = 0;
  #dataSentBytes = 0;
  #messagesReceived = 0;
  #isStopped = false;

  constructor(deps: BitswapDeps) {
    this.#deps = deps;
    this.#client = new BitswapClient(deps.clock);
    this.#server = new BitswapServer(deps.source);
  }

  peerConnected(peer: string): void {
    if (this.#isStopped || this.#links.has(peer)) return;
    const link: PeerLink = new PeerLink(peer, {
      ...this.#deps,
      onLost: () => {
        if (this.#links.get(peer) === link) this.peerDisconnected(peer);
      },
      onSent: ({ blocks, bytes }) => {
        this.#blocksSent += blocks;
        this.#dataSentBytes += bytes;
      },
    });
    this.#links.set(peer, link);
    this.#client.peerConnected(link);
  }

  peerDisconnected(peer: string): void {
    this.#links.get(peer)?.close();
    this.#links.delete(peer);
    this.#server.peerLost(peer);
    this.#client.peerLost(peer);
  }

  async handleStream(peer: string, stream: BitswapStream): Promise<void> {
    // Whoever sends bitswap speaks it, whatever identify has or has not said yet.
    this.peerConnected(peer);
    const frames = new FrameReader();
    try {
      for (;;) {
        const chunk = await stream.read();
        if (chunk === null || this.#isStopped) break;
        for (const frame of frames.push(chunk)) await this.#inTurn(peer, frame);
      }
      await stream.closeWrite();
    } catch (error) {
      stream.reset();
      this.#deps.logger.debug('Bitswap stream ended', { peer, cause: errorMessage(error) });
    }
  }

  session(options: { readonly peers?: readonly string[] } = {}): BitswapSession {
    return this.#client.session(options.peers);
  }

  notify(cid: CID, block: Uint8Array): void {
    this.#client.deliverLocal(cid, block);
    this.#server.notify(cid);
  }

  wantlist(): readonly CID[] {
    return this.#client.wantlist();
  }

  wantlistOf(peer: string): readonly CID[] {
    return this.#server.wantlistOf(peer);
  }

  peers(): readonly string[] {
    return [...this.#links.keys()];
  }

  counters(): BitswapCounters {
    return {
      ...this.#client.stat,
      blocksSent: this.#blocksSent,
      dataSentBytes: this.#dataSentBytes,
      messagesReceived: this.#messagesReceived,
    };
  }

  stop(): void {
    this.#isStopped = true;
    this.#client.stop();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  async #inTurn(peer: string, frame: Uint8Array): Promise<void> {
    const before = this.#turns.get(peer);
    const turn = (before ?? Promise.resolve()).then(() => this.#onMessage(peer, frame));
    const settled = turn.catch(() => {});
    this.#turns.set(peer, settled);
    try {
      await turn;
    } finally {
      if (this.#turns.get(peer) === settled) this.#turns.delete(peer);
    }
  }

  async #onMessage(peer: string, frame: Uint8Array): Promise<void> {
    const message = decodeMessage(frame);
    this.#messagesReceived += 1;
    const link = this.#links.get(peer);
    if (link === undefined) return;
    for (const block of message.blocks) this.#client.onBlock(peer, block);
    for (const presence of message.presences) this.#client.onPresence(peer, presence);
    if (message.wants.length > 0 || message.isFull) {
      await this.#server.onWants(link, message.wants, message.isFull);
    }
  }
}
