/**
 * The stream multiplexer of a connection with five changes.
 *
 * 1. Frames of one event-loop turn leave as one write: one encryption and one system call instead of one per frame.
 * 2. The remote is told that it may send more when half of what it may send has come, as Go does. The stock way tells it for each
 *    piece that comes, which makes as many frames back.
 * 3. Inbound streams of this peer's own protocols are negotiated here. The stock way costs a peer-store write, a count of
 *    all streams and several timers for each stream, and a Go peer opens one stream per call.
 * 4. Outbound streams can be opened without waiting for the remote to agree to the protocol.
 * 5. Bytes of libp2p's own protocols are counted here; those of ours are where they are read and written (`byte-stream.ts`), for this
 *    costs each stream too much.
 *
 * Everything else (identify, ping, gossipsub) takes the stock way.
 */
import { type YamuxMuxerInit, yamux } from '@chainsafe/libp2p-yamux';
import type { Connection, MessageStream, Stream, StreamMessageEvent, StreamMuxerFactory } from '@libp2p/interface';
import { Uint8ArrayList } from 'uint8arraylist';
import { p2pError } from './errors.ts';
import { type Proposal, readProposal } from './negotiation.ts';
import { spareLengthErrors } from './noise-frames.ts';
import type { Traffic } from './traffic.ts';
import { OncePerTurn } from './turn.ts';

/** Joined frames are sent at once when they reach this size, so that a turn of bulk writing does not pile up. */
const joinedBytesMax = 256 * 1024;
/** Go gives a dialer a minute; whoever shares the secret and opens a stream has something to say soon. */
const negotiationTimeoutMs = 10_000;

const yamuxOptions: YamuxMuxerInit = {
  // A Go peer opens one stream per call and several at once right after the handshake.
  maxInboundStreams: 8192,
  maxOutboundStreams: 8192,
  maxEarlyStreams: 1024,
  keepAliveInterval: 30_000,
  streamOptions: {
    // Calls may take as long as they take.
    inactivityTimeout: 0,
    initialStreamWindowSize: 256 * 1024,
    // The window must stay below the read buffer: a paused stream is reset when its buffer overflows.
    maxStreamWindowSize: 2 * 1024 * 1024,
    maxReadBufferLength: 4 * 1024 * 1024,
  },
};

/** A stream that a remote opened and whose protocol is agreed. */
export interface InboundStream {
  readonly stream: Stream;
  readonly protocol: string;
  /** Bytes that came with the negotiation. */
  readonly early: Uint8Array;
  readonly muxer: Muxer;
}

export interface InboundStreams {
  isOurs(protocol: string): boolean;
  accept(inbound: InboundStream): void;
}

export type Muxer = ReturnType<StreamMuxerFactory['createStreamMuxer']>;

/** Makes the muxers of all connections of a host. */
export function muxerFactory(inbound: InboundStreams, traffic: Traffic): () => StreamMuxerFactory {
  return () => {
    const factory = yamux(yamuxOptions)();
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => {
        const muxer = factory.createStreamMuxer(connection);
        spareLengthErrors(connection);
        joinWrites(muxer, connection);
        countOutbound(muxer, traffic);
        interceptInbound(muxer, inbound, traffic);
        spareWindowUpdates(muxer);
        return muxer;
      },
    };
  };
}

/** The muxer under a connection; it is there at run time, but not in the public type. */
export function muxerOf(connection: Connection): Muxer | undefined {
  if (!('muxer' in connection)) return undefined;
  const muxer = connection.muxer;
  const isMuxer = typeof muxer === 'object' && muxer !== null && 'createStream' in muxer;
  // Proof of the cast: the property is what `createStreamMuxer` above returned.
  return isMuxer ? (muxer as Muxer) : undefined;
}

interface JoinableMuxer extends Muxer {
  send(data: Uint8Array | Uint8ArrayList): boolean;
  readonly streams: (Stream & { onMuxerNeedsDrain(): void })[];
}

function joinWrites(muxer: JoinableMuxer, connection: MessageStream): void {
  let joined = new Uint8ArrayList();
  const flush = (): boolean => {
    if (joined.byteLength === 0) return true;
    const batch = joined;
    joined = new Uint8ArrayList();
    try {
      // As one piece: what is below would cut, list and encrypt each frame's head and body by themselves.
      return connection.send(batch.subarray());
    } catch {
      // The connection is closing: its close event ends all streams.
      return true;
    }
  };
  const turn = new OncePerTurn(() => {
    if (!flush()) holdStreams();
  }, atEndOfTurn);
  const holdStreams = (): void => {
    for (const stream of muxer.streams) stream.onMuxerNeedsDrain();
  };
  muxer.send = (data) => {
    joined.append(data);
    if (joined.byteLength >= joinedBytesMax) {
      const hasRoom = flush();
      if (!hasRoom) holdStreams();
      return hasRoom;
    }
    turn.ask();
    // False promises a drain event, which comes only if the connection itself waits for one.
    return !connection.writableNeedsDrain;
  };
  const close = muxer.close.bind(muxer);
  muxer.close = async (options) => {
    await close(options);
    flush();
  };
}

interface WindowedStream {
  sendWindowUpdate(): void;
}

interface WindowedMuxer {
  onCreateStream(): WindowedStream;
  onRemoteStream(stream: WindowedStream): void;
}

function spareWindowUpdates(muxer: WindowedMuxer): void {
  const create = muxer.onCreateStream.bind(muxer);
  const onRemote = muxer.onRemoteStream.bind(muxer);
  muxer.onCreateStream = () => spared(create());
  muxer.onRemoteStream = (stream) => onRemote(spared(stream));
}

function spared<T extends WindowedStream>(stream: T): T {
  const update = stream.sendWindowUpdate.bind(stream);
  // Proof of the cast: fields of the class, unchecked because they are private to its types.
  const window = stream as unknown as { readonly recvWindow: number; readonly recvWindowCapacity: number };
  let isFirst = true;
  stream.sendWindowUpdate = () => {
    // The first opens the stream, or accepts it.
    if (!isFirst && window.recvWindowCapacity * 2 > window.recvWindow) return;
    isFirst = false;
    update();
  };
  return stream;
}

/**
 * Calls back when what the turn has set going has run, replies of handlers included: a window update that is due when bytes
 * arrive then leaves together with the reply to them. Promises run after the first `nextTick` of a socket's event, and streams
 * hand over what was written in a `nextTick` of their own.
 */
function atEndOfTurn(act: () => void): void {
  queueMicrotask(() => process.nextTick(() => process.nextTick(act)));
}

interface Frame {
  readonly header: { readonly length: number };
}

/** What `YamuxStream` sends through, and takes what comes by; a test of the host counts what goes there. */
interface FramedStream {
  sendFrame(header: Frame['header'], data?: Uint8ArrayList): boolean;
  handleData(frame: Frame): void;
}

const createUncounted = new WeakMap<Muxer, Muxer['createStream']>();

/** A stream for one of this peer's own protocols: whoever uses it counts its bytes. */
export async function createOwnStream(muxer: Muxer): Promise<Stream> {
  return await (createUncounted.get(muxer)?.() ?? muxer.createStream());
}

function countOutbound(muxer: Muxer, traffic: Traffic): void {
  const create = muxer.createStream.bind(muxer);
  createUncounted.set(muxer, create);
  muxer.createStream = async (options) => countBytes(await create(options), traffic);
}

function countBytes<S extends Stream>(stream: S, traffic: Traffic): S {
  // Proof of the cast: streams of this muxer are `YamuxStream`.
  const framed = stream as unknown as FramedStream;
  const { sendFrame } = framed;
  framed.sendFrame = (header, data) => {
    // Other frames have something else in place of the length.
    if (data !== undefined) traffic.of(stream.protocol).totalOut += header.length;
    return sendFrame(header, data);
  };
  const handleData = framed.handleData.bind(stream);
  framed.handleData = (frame) => {
    const { length } = frame.header;
    // First: what names the protocol may bring the data with it.
    handleData(frame);
    traffic.of(stream.protocol).totalIn += length;
  };
  return stream;
}

type StreamListener = (event: CustomEvent<Stream>) => void;

function interceptInbound(muxer: Muxer, inbound: InboundStreams, traffic: Traffic): void {
  const addEventListener = muxer.addEventListener.bind(muxer);
  const intercept = (type: string, listener: unknown, options?: unknown): void => {
    if (type !== 'stream' || typeof listener !== 'function') {
      Reflect.apply(addEventListener, muxer, [type, listener, options]);
      return;
    }
    // Proof of the cast: a listener for 'stream' takes this event.
    const stock = listener as StreamListener;
    const ours = (event: CustomEvent<Stream>): void => negotiate(event, muxer, inbound, stock, traffic);
    Reflect.apply(addEventListener, muxer, [type, ours, options]);
  };
  // Proof of the cast: same parameters, passed on as they come.
  muxer.addEventListener = intercept as Muxer['addEventListener'];
}

/** Reads the proposal of an inbound stream; hands the stream on untouched when the protocol is not ours. */
function negotiate(
  event: CustomEvent<Stream>,
  muxer: Muxer,
  inbound: InboundStreams,
  stock: StreamListener,
  traffic: Traffic,
): void {
  const stream = event.detail;
  let received: Uint8Array | undefined;
  let isDone = false;
  const stop = (): void => {
    isDone = true;
    clearTimeout(timer);
    stream.removeEventListener('message', onMessage);
    stream.removeEventListener('close', stop);
    stream.removeEventListener('remoteCloseWrite', onEnd);
  };
  const giveUp = (text: string): void => {
    stop();
    stream.abort(p2pError('unsupported-protocol', text));
  };
  const timer = setTimeout(() => giveUp('no protocol was named in time'), negotiationTimeoutMs);
  // A frame may carry bytes and the end at once; the end is told first.
  const onEnd = (): void =>
    queueMicrotask(() => {
      if (!isDone) giveUp('the stream ended before a protocol was named');
    });
  const onMessage = (message: StreamMessageEvent): void => {
    const bytes = message.data.subarray();
    received = received === undefined ? bytes : Buffer.concat([received, bytes]);
    const proposal: Proposal = readProposal(received);
    if (proposal.kind === 'incomplete') return;
    stop();
    if (proposal.kind === 'protocol' && inbound.isOurs(proposal.protocol)) {
      traffic.of('').totalIn += proposal.end;
      stream.protocol = proposal.protocol;
      inbound.accept({ stream, protocol: proposal.protocol, early: received.subarray(proposal.end), muxer });
      return;
    }
    // In the event that delivered them, so the bytes are back before the stream can call itself ended.
    stream.unshift(received);
    traffic.of('').totalIn += received.length;
    countBytes(stream, traffic);
    stock(event);
  };
  stream.addEventListener('message', onMessage);
  stream.addEventListener('close', stop);
  stream.addEventListener('remoteCloseWrite', onEnd);
}
