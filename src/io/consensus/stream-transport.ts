/**
 * Raft messages over streams, as Go peers send and expect them.
 *
 * To each peer there are up to three long-lived streams: one for appends, one for heartbeats and one for votes. Requests on a
 * stream are answered in order, and an append or a vote waits for the other's disk, which a heartbeat never must. A request that is
 * given up takes its stream with it. Each snapshot has a stream of its own, which ends with the answer.
 * Source: hashicorp/raft `net_transport.go`; go-libp2p-raft `transport.go` for the protocol id.
 */
import { type Cancel, type Clock, errorCode, errorMessage, type Logger, OperatingError } from '../../base/index.ts';
import type { ByteStream, Streams } from '../../cluster/ports.ts';
import type { Request, Response } from '../../core/raft/index.ts';
import { type PeerId, raftRpcTypes } from '../../model/index.ts';
import { multiplexedProtocol, ValueReader } from '../rpc/index.ts';
import type { RaftCallOptions, RaftHandler, RaftTransport, SnapshotBody } from './ports.ts';
import {
  decodeRequest,
  decodeResponse,
  decodeSnapshotRequest,
  encodeError,
  encodeRequest,
  encodeResponse,
  isHeartbeat,
} from './wire.ts';

/** Go go-libp2p-raft `RaftProtocol`. */
export const raftProtocol = '/raft/1.0.0/rpc';

/** Requests of one peer that may be answered at once; one of ours has three streams, one of Go opens more. */
const streamsPerPeerMax = 64;

/**
 * A Go peer that is just starting takes entries some 20 to 50 ms before it can apply them, and what it applies in that time ends it
 * (Go `consensus/raft/consensus.go`: `NewConsensus` serves the protocol, `SetClient` comes later). So one that could not be reached
 * is left in peace for a while when it is back, but for heartbeats. Leaders of its own kind hit that window seldom, since they
 * try a lost peer less and less often.
 */
const goStartMs = 1000;

/** What the transport sends over, and where it tells of lost streams. */
export interface StreamTransportDeps {
  readonly streams: Streams;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The transport between real peers. It serves as soon as it is made; streams that come before `handle` are reset. */
export function createStreamTransport(deps: StreamTransportDeps): RaftTransport {
  return new StreamTransport(deps);
}

class StreamTransport implements RaftTransport {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Peers that could not be reached, or whose stream was lost. */
  readonly #lost = new Set<PeerId>();
  /** Until when those that are back are left in peace, by the clock. */
  readonly #calmUntilMs = new Map<PeerId, number>();
  readonly #lanes = new Map<string, Lane>();
  readonly #served = new Map<PeerId, Set<ByteStream>>();
  #handler: RaftHandler | undefined;
  /** Snapshots under way. */
  readonly #sending = new Set<ByteStream>();

  constructor({ streams, clock, logger }: StreamTransportDeps) {
    this.#streams = streams;
    this.#clock = clock;
    this.#logger = logger;
    streams.handle(raftProtocol, (stream) => this.#accept(stream));
  }

  call(peer: PeerId, request: Request, { signal, body }: RaftCallOptions): Promise<Response> {
    if (request.type === 'snapshot') return this.#sendSnapshot(peer, request, signal, body);
    const kind = request.type !== 'append' ? 'votes' : isHeartbeat(request) ? 'heartbeats' : 'appends';
    const key = `${kind} ${peer}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      const opened = kind === 'appends' ? this.#openCalm(peer) : this.#open(peer);
      lane = new Lane(this.#streams.self, opened, () => {
        this.#lanes.delete(key);
        // One that was only kept waiting tells nothing of the peer.
        if (kind === 'appends' && !opened.isWaiting()) this.#lost.add(peer);
      });
      this.#lanes.set(key, lane);
    }
    return lane.call(request, signal);
  }

  handle(handler: RaftHandler): void {
    this.#handler = handler;
  }

  close(): void {
    this.#handler = undefined;
    for (const lane of [...this.#lanes.values()]) lane.close(lost('this peer is stopping'));
    for (const stream of [...this.#sending]) stream.reset();
    for (const streams of [...this.#served.values()]) for (const stream of streams) stream.reset();
  }

  #open(peer: PeerId): Opening {
    const aborter = new AbortController();
    const stream = this.#streams.open(peer, raftProtocol, { signal: aborter.signal });
    stream.catch(() => {
      if (!aborter.signal.aborted) this.#lost.add(peer);
    });
    return { stream, abort: (reason) => aborter.abort(reason), isWaiting: () => false };
  }

  /** As `#open`, but a Go peer that was away has the time to start. */
  #openCalm(peer: PeerId): Opening {
    const { stream, abort } = this.#open(peer);
    let end: Cancel = () => {};
    let isWaiting = false;
    let isAborted = false;
    const calm = stream.then(async (opened) => {
      const isOurs = this.#streams.protocolsOf(peer)?.includes(multiplexedProtocol) ?? false;
      if (this.#lost.delete(peer) && !isOurs) this.#calmUntilMs.set(peer, this.#clock.now() + goStartMs);
      // A request that is given up meanwhile ends this stream, and the next one waits for what is left.
      const leftMs = this.#calmLeftMs(peer);
      if (leftMs === 0 || isAborted) return opened;
      isWaiting = true;
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(leftMs, resolve);
        end = () => {
          cancel();
          resolve();
        };
      });
      isWaiting = false;
      return opened;
    });
    return {
      stream: calm,
      isWaiting: () => isWaiting,
      abort: (reason) => {
        isAborted = true;
        abort(reason);
        end();
      },
    };
  }

  #calmLeftMs(peer: PeerId): number {
    const leftMs = Math.max(0, (this.#calmUntilMs.get(peer) ?? 0) - this.#clock.now());
    if (leftMs === 0) this.#calmUntilMs.delete(peer);
    return leftMs;
  }

  async #sendSnapshot(
    peer: PeerId,
    request: Request,
    signal: AbortSignal,
    body: SnapshotBody | undefined,
  ): Promise<Response> {
    if (body === undefined) throw lost('the snapshot is not there any more');
    const stream = await this.#streams.open(peer, raftProtocol, { signal });
    const abort = (): void => stream.reset();
    this.#sending.add(stream);
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (signal.aborted) throw lost('the snapshot was given up');
      await stream.write(encodeRequest(this.#streams.self, request, body.sizeBytes));
      for await (const bytes of body.chunks) await stream.write(bytes);
      const reader = new ValueReader(stream);
      const [error, answer] = [await reader.next(), await reader.next()];
      if (error === null || answer === null) throw lost('the peer ended the stream');
      const response = decodeResponse('snapshot', error, answer);
      await stream.closeWrite();
      return response;
    } catch (error) {
      stream.reset();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#sending.delete(stream);
    }
  }

  #accept(stream: ByteStream): void {
    const handler = this.#handler;
    const streams = this.#served.get(stream.remotePeer) ?? new Set();
    if (handler === undefined || streams.size >= streamsPerPeerMax) {
      stream.reset();
      return;
    }
    this.#served.set(stream.remotePeer, streams.add(stream));
    serve(stream, this.#streams.self, handler)
      .catch((error: unknown) => {
        stream.reset();
        this.#logger.debug('raft stream ended', { peer: stream.remotePeer, error: errorMessage(error) });
      })
      .finally(() => {
        streams.delete(stream);
        if (streams.size === 0) this.#served.delete(stream.remotePeer);
      });
  }
}

/** Answers the requests of a stream, one after the other, until it ends. */
async function serve(stream: ByteStream, self: PeerId, handler: RaftHandler): Promise<void> {
  const reader = new ValueReader(stream);
  for (;;) {
    const type = await reader.next();
    if (type === null) break;
    const body = await reader.next();
    if (body === null) throw lost('the stream ended within a request');
    const read = type.length === 1 && type[0] === raftRpcTypes.installSnapshot ? reader : undefined;
    await stream.write(await answer(stream.remotePeer, self, type, body, handler, read));
    // Nobody sends more after a snapshot, and after a refused one its bytes are still to come.
    if (read !== undefined) break;
  }
  await stream.closeWrite();
}

/** Rejects for what is no message at all: the stream is reset then. */
async function answer(
  from: PeerId,
  self: PeerId,
  type: Uint8Array,
  body: Uint8Array,
  handler: RaftHandler,
  reader: ValueReader | undefined,
): Promise<Uint8Array> {
  let request: Request;
  let snapshot: SnapshotBody | undefined;
  try {
    if (reader !== undefined) {
      const { sizeBytes } = decodeSnapshotRequest(body);
      snapshot = { sizeBytes, chunks: reader.raw(sizeBytes) };
    }
    request = decodeRequest(type.length === 1 ? (type[0] ?? 0xff) : 0xff, body);
  } catch (error) {
    if (errorCode(error) !== 'consensus/unsupported') throw error;
    return encodeError(errorMessage(error));
  }
  const sender = 'leader' in request ? request.leader : request.type === 'vote' ? request.candidate : from;
  if (sender !== from) return encodeError(`the request names "${sender}" as its sender, but "${from}" has sent it`);
  return encodeResponse(self, await handler(from, request, snapshot));
}

interface Pending {
  readonly type: Request['type'];
  resolve(response: Response): void;
  reject(error: Error): void;
}

/** A stream that is not open yet. After `abort` it may open nevertheless. */
interface Opening {
  readonly stream: Promise<ByteStream>;
  abort(reason: Error): void;
  /** It is open, and the peer has not had its time to start. */
  isWaiting(): boolean;
}

/** One stream to one peer, opened with the first request. */
class Lane {
  readonly #self: PeerId;
  readonly #onClosed: () => void;
  /** In the order of the requests on the stream. */
  readonly #pending: Pending[] = [];
  /** Requests that wait for the stream to be open. */
  readonly #unsent: Uint8Array[] = [];
  readonly #opening: Opening;
  #open: ByteStream | undefined;
  #closed: Error | undefined;

  constructor(self: PeerId, opening: Opening, onClosed: () => void) {
    this.#self = self;
    this.#opening = opening;
    this.#onClosed = onClosed;
    opening.stream.then((stream) => this.#read(stream)).catch((error: unknown) => this.close(asError(error)));
  }

  call(request: Request, signal: AbortSignal): Promise<Response> {
    return new Promise((resolve, reject) => {
      const abort = (): void => this.close(lost('the request was given up'));
      const settle = (): void => signal.removeEventListener('abort', abort);
      if (signal.aborted) return reject(lost('the request was given up'));
      // First, for when it throws the answers must still find their requests.
      const bytes = encodeRequest(this.#self, request);
      signal.addEventListener('abort', abort, { once: true });
      this.#pending.push({
        type: request.type,
        resolve: (response) => {
          settle();
          resolve(response);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.#send(bytes);
    });
  }

  /** Fails all requests under way; the next one opens a new stream. */
  close(error: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#onClosed();
    this.#opening.abort(error);
    this.#open?.reset();
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }

  #send(bytes: Uint8Array): void {
    if (this.#open === undefined) this.#unsent.push(bytes);
    else this.#write(this.#open, bytes);
  }

  /** Writes of one turn leave together. */
  #write(stream: ByteStream, bytes: Uint8Array): void {
    stream.write(bytes).catch((error: unknown) => this.close(asError(error)));
  }

  async #read(stream: ByteStream): Promise<void> {
    if (this.#closed !== undefined) return stream.reset();
    this.#open = stream;
    for (const bytes of this.#unsent.splice(0)) this.#write(stream, bytes);
    const reader = new ValueReader(stream);
    for (;;) {
      const error = await reader.next();
      const body = error === null ? null : await reader.next();
      if (error === null || body === null) throw lost('the peer ended the stream');
      const pending = this.#pending.shift();
      if (pending === undefined) throw lost('the peer answered what was not asked');
      try {
        pending.resolve(decodeResponse(pending.type, error, body));
      } catch (failure) {
        pending.reject(asError(failure));
        // A refusal is an answer; bytes that are none leave no way to find the next one.
        if (errorCode(failure) !== 'consensus/refused') throw failure;
      }
    }
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : lost(errorMessage(thrown));
}

function lost(text: string): OperatingError {
  return new OperatingError('consensus/connection-lost', `The raft stream is lost: ${text}`, { outcome: 'unknown' });
}
