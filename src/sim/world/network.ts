/**
 * The virtual network: messages of the engine, which may be lost, late, overtaken or handled twice; lanes, which streams are made of,
 * and on which things are late, but neither lost nor overtaken; and what may be lost without being sent again.
 */
import { OperatingError, type SeededRandom } from '../../base/index.ts';
import type { Entry, Request, Response } from '../../core/raft/index.ts';
import type { RaftHandler, RaftTransport } from '../../io/consensus/index.ts';
import type { PeerId } from '../../model/index.ts';
import type { VirtualHost } from './host.ts';
import type { Scheduler, VirtualClock } from './scheduler.ts';

export interface NetworkOptions {
  readonly latencyMs: number;
  /** Of 100 messages. */
  slowPercent: number;
  readonly slowMsMax: number;
  /** Pieces of a snapshot take up to so much longer. */
  snapshotDelayMsMax: number;
  lossPercent: number;
  copyPercent: number;
}

/** TCP's. */
const resendMs = 200;
/** Of 100 cuts, so many end the connection under way, and within this time. */
const breakPercent = 30;
const breakMsMax = 2000;
/** A connection without a sign of life for so long is given up: the real host's interval and timeout of liveness. */
const silenceMsMax = 25_000;

/** One life of a peer on the network. */
export interface Port {
  readonly id: PeerId;
  readonly clock: VirtualClock;
  isAlive: boolean;
  /** Connections and streams of this life; set while it is made. */
  host: VirtualHost | undefined;
  raftHandler: RaftHandler | undefined;
}

/** A row of things from one peer to another, none of which gets lost or overtakes another: a direction of a stream. */
export type Lane = (arrive: () => void) => void;

/** One direction between two peers. */
interface Link {
  /** The lanes that have come to a cut: they go on when it is mended. */
  stalled: (() => void)[];
  /** The last cut. */
  cut: object | undefined;
  /** How many faults cut it at the moment. */
  cuts: number;
  /** On lanes. What a peer has sent arrives also when it is gone. */
  underWay: number;
  /** Its own, so that a message more here shifts nothing elsewhere. */
  readonly random: SeededRandom;
  /** Of connections, streams and what is published. */
  readonly hostRandom: SeededRandom;
}

type RaftCallOptions = Parameters<RaftTransport['call']>[2];

/** All ways between all peers. */
export class Network {
  readonly options: NetworkOptions;
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  /** From whom to whom. */
  readonly #links = new Map<PeerId, Map<PeerId, Link>>();
  /** The present life of each peer that is up. */
  readonly #ports = new Map<PeerId, Port>();

  constructor(options: NetworkOptions, scheduler: Scheduler, random: SeededRandom) {
    this.options = options;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  connect(id: PeerId, clock: VirtualClock): Port {
    const port: Port = { id, clock, isAlive: true, host: undefined, raftHandler: undefined };
    this.#ports.set(id, port);
    return port;
  }

  disconnect(port: Port): void {
    port.isAlive = false;
    port.host?.died();
    if (this.#ports.get(port.id) === port) this.#ports.delete(port.id);
  }

  /** The present life of a peer. */
  portOf(id: PeerId): Port | undefined {
    return this.#ports.get(id);
  }

  cut(from: PeerId, to: PeerId): void {
    const link = this.#link(from, to);
    link.cuts++;
    if (link.cuts > 1) return;
    const connection = this.#ports.get(from)?.host?.connectionTo(to);
    if (connection === undefined) return;
    const { hostRandom: random } = link;
    const cut = {};
    link.cut = cut;
    // Some connections do not outlive a cut, however short.
    if (isChance(random, breakPercent)) this.#scheduler.after(random.integer(breakMsMax), () => connection.lose());
    this.#scheduler.after(silenceMsMax, () => {
      if (link.cut === cut && link.cuts > 0) connection.lose();
    });
  }

  mend(from: PeerId, to: PeerId): void {
    const link = this.#link(from, to);
    if (link.cuts === 0) return;
    link.cuts--;
    if (link.cuts === 0) this.#release(link);
  }

  mendAll(): void {
    for (const links of this.#links.values()) {
      for (const link of links.values()) {
        link.cuts = 0;
        this.#release(link);
      }
    }
  }

  #release(link: Link): void {
    const { stalled } = link;
    link.stalled = [];
    for (const resume of stalled) resume();
  }

  lane(from: PeerId, to: PeerId): Lane {
    const link = this.#link(from, to);
    const { hostRandom: random } = link;
    const scheduler = this.#scheduler;
    /** On the way; an event is planned for the first one, or waits for the end of a cut. */
    const queue: { readonly atMs: number; readonly arrive: () => void }[] = [];
    const plan = (delayMs: number): void => void scheduler.after(delayMs, step);
    const step = (): void => {
      if (link.cuts > 0) {
        link.stalled.push(() => plan(resendMs));
        return;
      }
      for (let first = queue[0]; first !== undefined && first.atMs <= scheduler.now; first = queue[0]) {
        queue.shift();
        link.underWay--;
        first.arrive();
      }
      if (queue[0] !== undefined) plan(queue[0].atMs - scheduler.now);
    };
    return (arrive) => {
      const resentMs = isChance(random, this.options.lossPercent) ? resendMs : 0;
      const delayMs = this.#delayMs(random) + resentMs;
      queue.push({ atMs: scheduler.now + delayMs, arrive });
      link.underWay++;
      if (queue.length === 1) plan(delayMs);
    };
  }

  /** Arrives after a while, or not: what is published, and requests to connect. */
  post(from: PeerId, to: PeerId, arrive: () => void): void {
    const link = this.#link(from, to);
    this.#deliver(link, link.hostRandom, 1, arrive);
  }

  #carry(from: PeerId, to: PeerId, copies: number, arrive: () => void): void {
    const link = this.#link(from, to);
    this.#deliver(link, link.random, copies, arrive);
  }

  /** Delivers after a while, if the way is free when it leaves and when it arrives. Any number of times, mostly once. */
  #deliver(link: Link, random: SeededRandom, copies: number, arrive: () => void): void {
    const { lossPercent } = this.options;
    if (link.cuts > 0 || isChance(random, lossPercent)) return;
    for (let copy = 0; copy < copies; copy++) {
      const againMs = copy === 0 ? 0 : random.integer(500);
      this.#scheduler.after(this.#delayMs(random) + againMs, () => {
        if (link.cuts === 0) arrive();
      });
    }
  }

  transport(port: Port): RaftTransport {
    return {
      call: (to, request, options) => this.#callRaft(port, to, request, options),
      handle: (handler) => {
        port.raftHandler = handler;
      },
      close: () => {
        port.raftHandler = undefined;
      },
    };
  }

  async #callRaft(port: Port, to: PeerId, request: Request, options: RaftCallOptions): Promise<Response> {
    const { signal, body } = options;
    // A stream carries it: not lost in part, nor twice, but it may break.
    const pieces: Uint8Array[] = [];
    if (body !== undefined) for await (const bytes of body.chunks) pieces.push(...cutUp(bytes));
    return await new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const back = (act: () => void): void => {
        this.#carry(to, port.id, 1, () => {
          if (port.isAlive) act();
        });
      };
      const isCopied = body === undefined && isChance(this.#link(port.id, to).random, this.options.copyPercent);
      const copy = copyOf(request);
      this.#carry(port.id, to, isCopied ? 2 : 1, () => {
        const handler = this.#ports.get(to)?.raftHandler;
        if (handler === undefined) return back(() => reject(refused(to)));
        const arriving = body && { ...body, chunks: this.#stream(port, to, pieces, signal) };
        handler(port.id, copy, arriving).then(
          (response) => back(() => resolve({ ...response })),
          (error: unknown) => back(() => reject(error)),
        );
      });
    });
  }

  /** Pieces arrive one after the other, until the way is cut or the sender is gone: then the receiver sees it break, or nothing. */
  #stream(port: Port, to: PeerId, pieces: readonly Uint8Array[], signal: AbortSignal): ReadableStream<Uint8Array> {
    const link = this.#link(port.id, to);
    const { random } = link;
    let isOpen = true;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        const next = (at: number): void => {
          const slowMs = random.integer(Math.max(1, this.options.snapshotDelayMsMax));
          this.#scheduler.after((this.#delayMs(random) + slowMs) / 2, () => {
            if (!isOpen) return;
            if (link.cuts > 0 || !port.isAlive || signal.aborted) {
              if (random.integer(2) === 0) controller.error(broken());
              return;
            }
            const piece = pieces[at];
            if (piece === undefined) return controller.close();
            controller.enqueue(piece);
            next(at + 1);
          });
        };
        next(0);
      },
      cancel: () => {
        isOpen = false;
      },
    });
  }

  /** Whether a message of one peer would arrive at the other now, chance aside. */
  isOpen(from: PeerId, to: PeerId): boolean {
    return this.#ports.has(from) && this.#ports.has(to) && this.#link(from, to).cuts === 0;
  }

  /** Whether something that one has sent on a stream will arrive at the other, if nothing comes between. */
  isArriving(from: PeerId, to: PeerId): boolean {
    const { cuts, underWay } = this.#link(from, to);
    return cuts === 0 && underWay > 0;
  }

  #link(from: PeerId, to: PeerId): Link {
    let links = this.#links.get(from);
    if (links === undefined) {
      links = new Map();
      this.#links.set(from, links);
    }
    let link = links.get(to);
    if (link === undefined) {
      link = {
        cuts: 0,
        underWay: 0,
        cut: undefined,
        stalled: [],
        random: this.#random.derive(`${from}>${to}`),
        hostRandom: this.#random.derive(`${from}>${to}/host`),
      };
      links.set(to, link);
    }
    return link;
  }

  #delayMs(random: SeededRandom): number {
    const { latencyMs, slowPercent, slowMsMax } = this.options;
    const usual = (latencyMs * (50 + random.integer(100))) / 100;
    return isChance(random, slowPercent) ? usual + random.integer(slowMsMax) : usual;
  }
}

function isChance(random: SeededRandom, percent: number): boolean {
  return percent > 0 && random.integer(100) < percent;
}

/** About three, so that something can happen in between. */
function cutUp(bytes: Uint8Array): Uint8Array[] {
  const size = Math.max(1, Math.ceil(bytes.length / 3));
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size));
}

function broken(): OperatingError {
  return new OperatingError('rpc/connection-lost', 'the stream broke', { outcome: 'unknown' });
}

function refused(to: PeerId): OperatingError {
  return new OperatingError('rpc/unreachable', `"${to}" is down`);
}

/** Entries are copied: a peer that changed one would change it for all. */
function copyOf(request: Request): Request {
  if (request.type !== 'append') return { ...request };
  return { ...request, entries: request.entries.map(copyOfEntry) };
}

function copyOfEntry(entry: Entry): Entry {
  if (entry.type === 'command') return { ...entry, data: entry.data.slice() };
  if (entry.type !== 'configuration') return { ...entry };
  const servers = entry.configuration.servers.map((server) => ({ ...server }));
  return { ...entry, configuration: { servers } };
}
