/**
 * The asking side: wants and the sessions that they belong to.
 *
 * A session is one operation (a pin, a read) and the peers that had something for it. Its first want asks everybody
 * whether they have the block; later ones go straight to the session peer with the least to do. A peer that says no, is
 * slow or leaves is replaced; a want that nobody can serve stays with all of them and is said again now and then.
 */
import type { CID } from 'multiformats/cid';
import type { Cancel, Clock } from '../base/index.ts';
import { bitswapError } from './errors.ts';
import type { BlockEntry, Presence } from './message.ts';
import { blockKey, cidFromPrefix, isBlockEmpty, isCheckable } from './multihash.ts';
import type { PeerLink } from './peer-link.ts';

/** A peer that was asked for a block is passed over after so long, or 8 times its usual delay if that is more. */
const slowMsMin = 1000;
const slowLatencyFactor = 8;
/** Everybody is asked again after so long, then after twice that, up to the maximum. */
const broadcastMsMin = 5000;
const broadcastMsMax = 60_000;
const tickMs = 500;
/** Wants of a peer that were just withdrawn: an answer to them still makes it a session peer. */
const lateMax = 1024;

interface Waiter {
  readonly session: WantSession;
  readonly resolve: (block: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
}

interface Want {
  readonly key: string;
  readonly cid: CID;
  readonly waiters: Set<Waiter>;
  /** Peers that were ever asked: all must be told of the end. */
  readonly asked: Map<string, { readonly kind: 'have' | 'block'; readonly atMs: number }>;
  /** Peers that said no, or were too slow. */
  readonly passedOver: Set<string>;
  readonly havers: Set<string>;
  /** Who has been asked for the block itself. */
  blockPeer: string | undefined;
  broadcastAtMs: number;
  broadcastDelayMs: number;
}

interface Peer {
  readonly link: PeerLink;
  /** Wants that this peer was asked for the block of. */
  readonly open: Set<string>;
  /** Wants that this peer was asked about in any way. */
  readonly asked: Set<string>;
  readonly late: Map<string, readonly WantSession[]>;
  latencyMs: number | undefined;
}

/** A group of wants that share their peers. Close it when the operation ends. */
export interface BitswapSession {
  /**
   * The block, verified, from a peer; waits until there is one, the signal aborts or the session closes.
   * Throws `bitswap/unknown-hash` for a CID that cannot be verified, `bitswap/stopped` after `close`.
   */
  want(cid: CID, options?: { readonly signal?: AbortSignal | undefined }): Promise<Uint8Array>;
  close(): void;
}

export interface ClientStat {
  blocksReceived: number;
  dataReceivedBytes: number;
  dupBlocksReceived: number;
  dupDataReceivedBytes: number;
}

export class BitswapClient {
  readonly stat: ClientStat = {
    blocksReceived: 0,
    dataReceivedBytes: 0,
    dupBlocksReceived: 0,
    dupDataReceivedBytes: 0,
  };
  readonly #clock: Clock;
  readonly #wants = new Map<string, Want>();
  readonly #peers = new Map<string, Peer>();
  readonly #sessions = new Set<WantSession>();
  #cancelTick: Cancel | undefined;
  #isStopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `peers`: whom to ask first, when it is known who has the blocks. */
  session(peers: readonly string[] = []): BitswapSession {
    const session = new WantSession(this, peers);
    if (this.#isStopped) session.close();
    else this.#sessions.add(session);
    return session;
  }

  wantlist(): CID[] {
    return [...this.#wants.values()].map((want) => want.cid);
  }

  stop(): void {
    this.#isStopped = true;
    for (const session of [...this.#sessions]) session.close();
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  // ------------------------------------------------------------------------------------------------ peers

  peerConnected(link: PeerLink): void {
    this.#peers.set(link.peer, { link, open: new Set(), asked: new Set(), late: new Map(), latencyMs: undefined });
    for (const want of this.#wants.values()) this.#ask(want, link.peer, 'have');
  }

  peerLost(peerId: string): void {
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return;
    this.#peers.delete(peerId);
    for (const session of this.#sessions) session.peers.delete(peerId);
    for (const key of peer.asked) {
      const want = this.#wants.get(key);
      if (want === undefined) continue;
      want.asked.delete(peerId);
      want.havers.delete(peerId);
      want.passedOver.delete(peerId);
      if (want.blockPeer === peerId) {
        want.blockPeer = undefined;
        this.#askNext(want);
      }
    }
  }

  // ------------------------------------------------------------------------------------------------ wants

  addWaiter(cid: CID, waiter: Waiter): void {
    const key = blockKey(cid);
    const existing = this.#wants.get(key);
    if (existing !== undefined) {
      existing.waiters.add(waiter);
      return;
    }
    const want: Want = {
      key,
      cid,
      waiters: new Set([waiter]),
      asked: new Map(),
      passedOver: new Set(),
      havers: new Set(),
      blockPeer: undefined,
      broadcastAtMs: this.#clock.now() + broadcastMsMin,
      broadcastDelayMs: broadcastMsMin,
    };
    this.#wants.set(key, want);
    this.#askNext(want);
    this.#scheduleTick();
  }

  removeWaiter(cid: CID, waiter: Waiter): void {
    const want = this.#wants.get(blockKey(cid));
    if (want?.waiters.delete(waiter) === true && want.waiters.size === 0) this.#end(want, undefined);
  }

  sessionClosed(session: WantSession): void {
    this.#sessions.delete(session);
  }

  /** The block has come by another way, such as an add on this node. */
  deliverLocal(cid: CID, block: Uint8Array): void {
    if (this.#wants.size === 0) return;
    const want = this.#wants.get(blockKey(cid));
    if (want !== undefined) this.#finish(want, block, undefined);
  }

  // ------------------------------------------------------------------------------------------------ answers

  onPresence(peerId: string, { cid, has }: Presence): void {
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return;
    const want = this.#wants.get(blockKey(cid));
    if (want === undefined) {
      if (has) this.#joinLate(peer, blockKey(cid));
      return;
    }
    if (has) {
      this.#join(want, peerId);
      want.havers.add(peerId);
      if (want.blockPeer === undefined) this.#ask(want, peerId, 'block');
      return;
    }
    peer.open.delete(want.key);
    want.havers.delete(peerId);
    want.passedOver.add(peerId);
    if (want.blockPeer !== peerId) return;
    want.blockPeer = undefined;
    this.#askNext(want);
  }

  onBlock(peerId: string, { prefix, data }: BlockEntry): void {
    const peer = this.#peers.get(peerId);
    // Nothing was asked of this peer: not worth the hashing.
    if (peer === undefined || (peer.asked.size === 0 && peer.late.size === 0)) return;
    const cid = cidFromPrefix(prefix, data);
    if (cid === undefined) return;
    this.stat.blocksReceived += 1;
    this.stat.dataReceivedBytes += data.length;
    const key = blockKey(cid);
    const want = this.#wants.get(key);
    if (want === undefined) {
      this.stat.dupBlocksReceived += 1;
      this.stat.dupDataReceivedBytes += data.length;
      this.#joinLate(peer, key);
      return;
    }
    const ask = want.asked.get(peerId);
    if (ask?.kind === 'block') {
      const sample = this.#clock.now() - ask.atMs;
      peer.latencyMs = peer.latencyMs === undefined ? sample : peer.latencyMs * 0.8 + sample * 0.2;
    }
    this.#join(want, peerId);
    // A copy of its own: the message that it came in holds up to 4 MiB.
    this.#finish(want, data.slice(), peerId);
  }

  #join(want: Want, peerId: string): void {
    for (const { session } of want.waiters) session.peers.add(peerId);
  }

  /** A second source often answers when the first has already delivered; it is one all the same. */
  #joinLate(peer: Peer, key: string): void {
    for (const session of peer.late.get(key) ?? []) if (!session.isClosed) session.peers.add(peer.link.peer);
    peer.late.delete(key);
  }

  // ------------------------------------------------------------------------------------------------ asking

  /** The best known source, else everybody. */
  #askNext(want: Want): void {
    const best = this.#bestPeer(want);
    if (best !== undefined) {
      this.#ask(want, best, 'block');
      return;
    }
    for (const peerId of this.#peers.keys()) {
      if (!want.asked.has(peerId)) this.#ask(want, peerId, 'have');
    }
  }

  #bestPeer(want: Want): string | undefined {
    let best: string | undefined;
    let bestOpen = Number.POSITIVE_INFINITY;
    const consider = (peerId: string): void => {
      const peer = this.#peers.get(peerId);
      if (peer === undefined || want.passedOver.has(peerId) || peer.open.size >= bestOpen) return;
      best = peerId;
      bestOpen = peer.open.size;
    };
    for (const peerId of want.havers) consider(peerId);
    for (const { session } of want.waiters) for (const peerId of session.peers) consider(peerId);
    return best;
  }

  #ask(want: Want, peerId: string, kind: 'have' | 'block'): void {
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return;
    want.asked.set(peerId, { kind, atMs: this.#clock.now() });
    peer.asked.add(want.key);
    if (kind === 'block') {
      want.blockPeer = peerId;
      peer.open.add(want.key);
    }
    peer.link.want({ cid: want.cid, cancel: false, want: kind, sendDontHave: true });
  }

  #finish(want: Want, block: Uint8Array, from: string | undefined): void {
    const waiters = [...want.waiters];
    this.#end(want, from);
    for (const waiter of waiters) waiter.resolve(block);
  }

  /** Strikes the want, and tells everybody who was asked: Go keeps it in its ledger even after saying no. */
  #end(want: Want, from: string | undefined): void {
    this.#wants.delete(want.key);
    const sessions = [...new Set([...want.waiters].map((waiter) => waiter.session))];
    for (const peerId of want.asked.keys()) {
      const peer = this.#peers.get(peerId);
      if (peer === undefined) continue;
      peer.open.delete(want.key);
      peer.asked.delete(want.key);
      if (peerId === from) {
        peer.link.settle(want.cid);
        continue;
      }
      peer.link.cancel(want.cid);
      if (want.passedOver.has(peerId) || sessions.length === 0) continue;
      if (peer.late.size >= lateMax) {
        for (const oldest of peer.late.keys()) {
          peer.late.delete(oldest);
          break;
        }
      }
      peer.late.set(want.key, sessions);
    }
  }

  // ------------------------------------------------------------------------------------------------ time

  #scheduleTick(): void {
    this.#cancelTick ??= this.#clock.after(tickMs, () => {
      this.#cancelTick = undefined;
      this.#tick(this.#clock.now());
      if (this.#wants.size > 0 && !this.#isStopped) this.#scheduleTick();
    });
  }

  #tick(nowMs: number): void {
    for (const want of this.#wants.values()) {
      this.#passOverSlow(want, nowMs);
      if (nowMs < want.broadcastAtMs) continue;
      want.broadcastDelayMs = Math.min(want.broadcastDelayMs * 2, broadcastMsMax);
      want.broadcastAtMs = nowMs + want.broadcastDelayMs;
      want.passedOver.clear();
      for (const peerId of this.#peers.keys()) if (peerId !== want.blockPeer) this.#ask(want, peerId, 'have');
    }
  }

  #passOverSlow(want: Want, nowMs: number): void {
    const peerId = want.blockPeer;
    const ask = peerId === undefined ? undefined : want.asked.get(peerId);
    if (peerId === undefined || ask === undefined) return;
    const latencyMs = this.#peers.get(peerId)?.latencyMs ?? 0;
    if (nowMs - ask.atMs < Math.max(slowMsMin, slowLatencyFactor * latencyMs)) return;
    // Its answer still counts, should it come.
    want.passedOver.add(peerId);
    want.blockPeer = undefined;
    this.#askNext(want);
  }
}

class WantSession implements BitswapSession {
  readonly peers: Set<string>;
  isClosed = false;
  readonly #client: BitswapClient;
  readonly #open = new Set<() => void>();

  constructor(client: BitswapClient, peers: readonly string[]) {
    this.#client = client;
    this.peers = new Set(peers);
  }

  want(cid: CID, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Uint8Array> {
    const { signal } = options;
    if (this.isClosed) return Promise.reject(closed(cid));
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (cid.multihash.code === 0) return Promise.resolve(cid.multihash.digest);
    // Go answers HAVE for an empty block and never sends it (boxo `Engine.MessageReceived`); there is but one.
    if (isBlockEmpty(cid)) return Promise.resolve(new Uint8Array(0));
    if (!isCheckable(cid)) {
      const text = `Cannot fetch "${cid}": its hash function 0x${cid.multihash.code.toString(16)} cannot be verified`;
      return Promise.reject(bitswapError('bitswap/unknown-hash', text));
    }
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#open.delete(giveUp);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        session: this,
        resolve: (block) => {
          done();
          resolve(block);
        },
        reject: (reason) => {
          done();
          this.#client.removeWaiter(cid, waiter);
          reject(reason);
        },
      };
      const onAbort = (): void => waiter.reject(signal?.reason);
      const giveUp = (): void => waiter.reject(closed(cid));
      this.#open.add(giveUp);
      signal?.addEventListener('abort', onAbort);
      this.#client.addWaiter(cid, waiter);
    });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const giveUp of [...this.#open]) giveUp();
    this.#client.sessionClosed(this);
  }
}

function closed(cid: CID): Error {
  return bitswapError('bitswap/stopped', `Cannot fetch "${cid}": the session was closed`);
}
