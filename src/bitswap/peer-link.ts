/**
 * What leaves for one peer: wants, cancels, answers and blocks share one long-lived stream, opened when needed.
 * Everything that is queued in one turn of the event loop goes into one message.
 */
import type { CID } from 'multiformats/cid';
import type { Clock, Logger } from '../base/index.ts';
import { errorMessage } from '../base/index.ts';
import { encodeFrame, type OutgoingBlock, type Presence, type WantEntry } from './message.ts';
import { blockKey } from './multihash.ts';
import type { BitswapNetwork, BitswapStream, BlockSource } from './ports.ts';

/** In the order of preference. */
export const bitswapProtocols: readonly string[] = [
  '/ipfs/bitswap/1.2.0',
  '/ipfs/bitswap/1.1.0',
  '/ipfs/bitswap/1.0.0',
  '/ipfs/bitswap',
];

/** Wants of one message; Go's ledger takes 1,024. */
const messageWantsMax = 512;
/** A message is filled up to this many bytes of blocks; one larger block goes alone. */
const messageBlockBytes = 1024 * 1024;
/** Small blocks of one message, so that the first ones are not held up by the reading of many. */
const messageBlocksMax = 128;
/** Bytes handed to the stream at once, so that other streams get their turn. */
const pieceBytes = 64 * 1024;
/** Answers waiting for one peer; further ones are dropped, and the peer asks again. */
const answersMax = 8192;
/** A peer that takes none of a message for so long loses the stream. */
const sendTimeoutMs = 30_000;
const openTimeoutMs = 10_000;
/** Attempts to open a stream before the peer counts as gone. */
const attemptsMax = 3;
const retryDelayMs = 500;

export interface PeerLinkDeps {
  readonly network: BitswapNetwork;
  readonly source: BlockSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The peer cannot be reached by bitswap; the link has ended. */
  readonly onLost: () => void;
  readonly onSent: (message: { readonly blocks: number; readonly bytes: number }) => void;
}

/** The outgoing side of one connected peer. */
export class PeerLink {
  readonly peer: string;
  readonly #deps: PeerLinkDeps;
  readonly #abort = new AbortController();
  #stream: BitswapStream | undefined;
  #isOld = false;
  #isWorking = false;

  #wants = new Map<string, WantEntry>();
  /** Wants that the peer knows of, to be said again on a new stream. */
  readonly #sentWants = new Map<string, WantEntry>();
  #presences = new Map<string, Presence>();
  readonly #blocks = new Map<string, { readonly cid: CID; readonly sendDontHave: boolean }>();

  constructor(peer: string, deps: PeerLinkDeps) {
    this.peer = peer;
    this.#deps = deps;
  }

  want(entry: WantEntry): void {
    this.#wants.set(blockKey(entry.cid), entry);
    this.#wake();
  }

  /** Withdraws a want; says so only if the peer has heard of it. */
  cancel(cid: CID): void {
    const key = blockKey(cid);
    this.#wants.delete(key);
    const sent = this.#sentWants.get(key);
    if (sent === undefined) return;
    this.#sentWants.delete(key);
    this.#wants.set(key, { ...sent, cancel: true, sendDontHave: false });
    this.#wake();
  }

  /** The peer has sent the block and thereby struck the want from its list. */
  settle(cid: CID): void {
    const key = blockKey(cid);
    const waiting = this.#wants.get(key);
    if (waiting !== undefined && !waiting.cancel) this.#wants.delete(key);
    this.#sentWants.delete(key);
  }

  answer(presence: Presence): void {
    if (this.#presences.size >= answersMax) return;
    this.#presences.set(presence.cid.toString(), presence);
    this.#wake();
  }

  sendBlock(cid: CID, sendDontHave: boolean): void {
    if (this.#blocks.size >= answersMax) return;
    this.#blocks.set(cid.toString(), { cid, sendDontHave });
    this.#wake();
  }

  /** The peer does not want an answer any more. */
  dropAnswer(cid: CID): void {
    const text = cid.toString();
    this.#blocks.delete(text);
    this.#presences.delete(text);
  }

  /** The peer has gone, or bitswap stops. */
  close(): void {
    this.#abort.abort();
    this.#stream?.reset();
    this.#stream = undefined;
  }

  #hasWork(): boolean {
    return this.#wants.size > 0 || this.#presences.size > 0 || this.#blocks.size > 0;
  }

  #wake(): void {
    if (this.#isWorking || this.#abort.signal.aborted) return;
    this.#isWorking = true;
    setImmediate(() => {
      this.#work().catch((error: unknown) => {
        this.#deps.logger.error('Bitswap cannot send', { peer: this.peer, cause: errorMessage(error) });
        this.#deps.onLost();
      });
    });
  }

  async #work(): Promise<void> {
    let attempts = 0;
    while (this.#hasWork() && !this.#abort.signal.aborted) {
      try {
        await this.#sendNext(await this.#openStream());
        attempts = 0;
      } catch (error) {
        if (this.#abort.signal.aborted) break;
        this.#dropStream();
        attempts += 1;
        if (attempts >= attemptsMax) {
          this.#deps.logger.debug('Bitswap gives up on a peer', { peer: this.peer, cause: errorMessage(error) });
          this.close();
          this.#deps.onLost();
          return;
        }
        await this.#delay(retryDelayMs * attempts);
      }
    }
    this.#isWorking = false;
  }

  async #openStream(): Promise<BitswapStream> {
    if (this.#stream !== undefined) return this.#stream;
    const timeout = new AbortController();
    const cancel = this.#deps.clock.after(openTimeoutMs, () => timeout.abort());
    try {
      const signal = AbortSignal.any([timeout.signal, this.#abort.signal]);
      const stream = await this.#deps.network.open(this.peer, bitswapProtocols, { signal });
      if (this.#abort.signal.aborted) stream.reset();
      this.#stream = stream;
      this.#isOld = !stream.protocol.endsWith('/1.2.0') && !stream.protocol.endsWith('/1.1.0');
      return stream;
    } finally {
      cancel();
    }
  }

  #dropStream(): void {
    this.#stream?.reset();
    this.#stream = undefined;
    // A new stream begins with what the peer may have missed.
    for (const [key, entry] of this.#sentWants) if (!this.#wants.has(key)) this.#wants.set(key, entry);
    this.#sentWants.clear();
  }

  async #sendNext(stream: BitswapStream): Promise<void> {
    const blocks = await this.#takeBlocks();
    const presences = [...this.#presences.values()];
    this.#presences = new Map();
    const wants = this.#takeWants();
    if (blocks.length + presences.length + wants.length === 0) return;
    const frame = encodeFrame({ wants, blocks, presences }, this.#isOld);
    for (let at = 0; at < frame.length; at += pieceBytes) {
      await this.#write(stream, frame.subarray(at, at + pieceBytes));
    }
    this.#deps.onSent({ blocks: blocks.length, bytes: blocks.reduce((sum, { data }) => sum + data.length, 0) });
  }

  async #write(stream: BitswapStream, piece: Uint8Array): Promise<void> {
    const cancel = this.#deps.clock.after(sendTimeoutMs, () => stream.reset());
    try {
      await stream.write(piece);
    } finally {
      cancel();
    }
  }

  #takeWants(): WantEntry[] {
    const wants: WantEntry[] = [];
    for (const [key, entry] of this.#wants) {
      if (wants.length === messageWantsMax) break;
      wants.push(entry);
      this.#wants.delete(key);
      if (!entry.cancel) this.#sentWants.set(key, entry);
    }
    return wants;
  }

  /** Reads what fits into one message, all at once: one read after the other would be as slow as the disk's queue. */
  async #takeBlocks(): Promise<OutgoingBlock[]> {
    const taken: [text: string, block: { readonly cid: CID; readonly sendDontHave: boolean }][] = [];
    let bytes = 0;
    for (const [text, block] of this.#blocks) {
      bytes += this.#deps.source.size(block.cid) ?? 0;
      if (taken.length > 0 && (bytes > messageBlockBytes || taken.length >= messageBlocksMax)) break;
      this.#blocks.delete(text);
      taken.push([text, block]);
    }
    const read = await Promise.all(taken.map(([, { cid }]) => this.#deps.source.get(cid)));
    const blocks: OutgoingBlock[] = [];
    for (const [i, [text, { cid, sendDontHave }]] of taken.entries()) {
      const data = read[i];
      if (data !== undefined) blocks.push({ cid, data });
      // Removed since it was promised.
      else if (sendDontHave) this.#presences.set(text, { cid, has: false });
    }
    return blocks;
  }

  #delay(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#abort;
      const cancel = this.#deps.clock.after(delayMs, done);
      function done(): void {
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
    });
  }
}
