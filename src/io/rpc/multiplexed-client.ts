/** The calling side of the protocol of `frames.ts`: one stream per peer, opened at the first call. */
import type { Clock } from '../../base/index.ts';
import { errorMessage } from '../../base/index.ts';
import type { ByteStream, CallOptions, Streams } from '../../cluster/ports.ts';
import type { PeerId, RpcMethod, RpcStreamMethod } from '../../model/index.ts';
import { throwIfCancelled, watchDeadline } from './deadline.ts';
import { connectionLost, errorOfFailure, rpcError } from './errors.ts';
import {
  decodeCredit,
  decodeFailure,
  encodeFrame,
  encodeName,
  FrameWriter,
  frameKinds,
  multiplexedProtocol,
  PartStore,
  readFrames,
} from './frames.ts';
import { nameOf } from './registry.ts';
import { valueBytesMax } from './value-reader.ts';
import { ValueReceiver, ValueSender } from './value-streams.ts';

/** Calls under way to one peer; beyond, calls are refused instead of piling up behind a peer that does not answer. */
const callsPerPeerMax = 16_384;

export class MultiplexedClient {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #callTimeoutMs: number;
  readonly #links = new Map<PeerId, Link>();
  readonly #opening = new Map<PeerId, Promise<Link>>();

  constructor(streams: Streams, clock: Clock, callTimeoutMs: number) {
    this.#streams = streams;
    this.#clock = clock;
    this.#callTimeoutMs = callTimeoutMs;
  }

  /** The stream to a peer, opened when there is none. Rejects as `Streams.open` does. */
  link(peer: PeerId, options: CallOptions): Link | Promise<Link> {
    return this.#links.get(peer) ?? this.#opening.get(peer) ?? this.#open(peer, options);
  }

  call<A, R>(link: Link, method: RpcMethod<A, R>, argument: A, options: CallOptions): Promise<R> {
    return link.call(method, argument, options, this.#clock, this.#callTimeoutMs);
  }

  stream<A, R>(
    link: Link,
    method: RpcStreamMethod<A, R>,
    args: readonly A[] | AsyncIterable<A>,
    options: CallOptions,
  ): AsyncGenerator<R, void, undefined> {
    return link.stream(method, args, options, this.#clock);
  }

  stop(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #open(peer: PeerId, { timeoutMs }: CallOptions): Promise<Link> {
    // Not with the caller's signal: others may be waiting for the same stream.
    const opening = this.#streams.open(peer, multiplexedProtocol, timeoutMs === undefined ? {} : { timeoutMs }).then(
      (stream) => {
        const link = new Link(stream, () => {
          if (this.#links.get(peer) === link) this.#links.delete(peer);
        });
        this.#opening.delete(peer);
        this.#links.set(peer, link);
        return link;
      },
      (error: unknown) => {
        this.#opening.delete(peer);
        throw error;
      },
    );
    this.#opening.set(peer, opening);
    return opening;
  }
}

interface PendingCall {
  readonly decode: (bytes: Uint8Array) => void;
  readonly fail: (error: Error) => void;
}

interface PendingStream {
  readonly sender: ValueSender;
  readonly receiver: ValueReceiver;
}

/** One stream with its calls. */
export class Link {
  readonly #stream: ByteStream;
  readonly #writer: FrameWriter;
  readonly #calls = new Map<number, PendingCall>();
  readonly #valueStreams = new Map<number, PendingStream>();
  readonly #parts = new PartStore(valueBytesMax);
  #lastId = 0;
  #lost: Error | undefined;

  constructor(stream: ByteStream, onLost: () => void) {
    this.#stream = stream;
    this.#writer = new FrameWriter(stream);
    readFrames(stream, (kind, id, body) => this.#onFrame(kind, id, body)).then(
      () =>
        this.#onLost(
          rpcError('connection-lost', `${stream.remotePeer} ended its stream`, { outcome: 'unknown' }),
          onLost,
        ),
      (error: unknown) => this.#onLost(connectionLost(error), onLost),
    );
  }

  close(): void {
    this.#stream.reset();
  }

  call<A, R>(
    method: RpcMethod<A, R>,
    argument: A,
    options: CallOptions,
    clock: Clock,
    timeoutMsDefault: number,
  ): Promise<R> {
    const name = nameOf(method);
    throwIfCancelled(options.signal, name);
    this.#checkRoom();
    const bytes = method.argument.encode(argument);
    const id = this.#nextId();
    return new Promise<R>((resolve, reject) => {
      const unwatch = watchDeadline(clock, options, timeoutMsDefault, name, (cause) => {
        this.#forget(id);
        this.#writer.send(encodeFrame(frameKinds.cancel, id));
        unwatch();
        reject(cause);
      });
      this.#calls.set(id, {
        decode: (reply) => {
          unwatch();
          try {
            resolve(method.reply.decode(reply));
          } catch (error) {
            reject(badReply(name, error));
          }
        },
        fail: (error) => {
          unwatch();
          reject(error);
        },
      });
      this.#writer.sendMessage(frameKinds.call, id, wireName(method), bytes);
    });
  }

  async *stream<A, R>(
    method: RpcStreamMethod<A, R>,
    args: readonly A[] | AsyncIterable<A>,
    options: CallOptions,
    clock: Clock,
  ): AsyncGenerator<R, void, undefined> {
    const name = nameOf(method);
    throwIfCancelled(options.signal, name);
    this.#checkRoom();
    const id = this.#nextId();
    const sender = new ValueSender(id, this.#writer);
    const receiver = new ValueReceiver(id, this.#writer);
    this.#valueStreams.set(id, { sender, receiver });
    const unwatch = watchDeadline(clock, options, Number.POSITIVE_INFINITY, name, (cause) => receiver.fail(cause));
    let isDone = false;
    try {
      this.#writer.sendBulk(encodeFrame(frameKinds.open, id, wireName(method)));
      sendArguments(sender, method, args, (error) => receiver.fail(error));
      yield* receiver.values(method.reply);
      isDone = true;
    } finally {
      unwatch();
      // Still known here: the server has neither ended nor failed the call.
      if (!isDone && this.#valueStreams.has(id)) this.#writer.sendBulk(encodeFrame(frameKinds.cancel, id));
      this.#valueStreams.delete(id);
      sender.fail(rpcError('cancelled', `The call of ${name} is over`));
    }
  }

  #onFrame(kind: number, id: number, body: Buffer): void {
    switch (kind) {
      case frameKinds.part:
        if (this.#calls.has(id)) this.#parts.add(id, body);
        return;
      case frameKinds.reply: {
        const reply = this.#parts.complete(id, body);
        if (reply !== undefined) this.#take(id)?.decode(reply);
        return;
      }
      case frameKinds.error: {
        const error = errorOfFailure(decodeFailure(body));
        this.#take(id)?.fail(error);
        this.#endStream(id, error);
        return;
      }
      case frameKinds.data:
        this.#valueStreams.get(id)?.receiver.push(body);
        return;
      case frameKinds.end:
        this.#endStream(id, undefined);
        return;
      case frameKinds.credit:
        this.#valueStreams.get(id)?.sender.addCredit(decodeCredit(body));
        return;
      default:
        throw rpcError('bad-reply', `Cannot read a frame of kind ${kind} from ${this.#stream.remotePeer}`);
    }
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#calls.get(id);
    if (call !== undefined) this.#calls.delete(id);
    return call;
  }

  #endStream(id: number, error: Error | undefined): void {
    const stream = this.#valueStreams.get(id);
    if (stream === undefined) return;
    this.#valueStreams.delete(id);
    if (error === undefined) stream.receiver.end();
    else stream.receiver.fail(error);
    stream.sender.fail(error ?? rpcError('cancelled', 'The call is over'));
  }

  #forget(id: number): void {
    this.#calls.delete(id);
    this.#parts.drop(id);
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    return this.#lastId;
  }

  #checkRoom(): void {
    if (this.#lost !== undefined) throw rpcError('unreachable', errorMessage(this.#lost), { cause: this.#lost });
    const { remotePeer } = this.#stream;
    if (this.#calls.size + this.#valueStreams.size >= callsPerPeerMax) {
      throw rpcError('busy', `Cannot call ${remotePeer}: ${callsPerPeerMax} calls are under way`);
    }
  }

  #onLost(error: Error, onLost: () => void): void {
    this.#lost = error;
    onLost();
    this.#stream.reset();
    for (const call of this.#calls.values()) call.fail(error);
    this.#calls.clear();
    for (const id of [...this.#valueStreams.keys()]) this.#endStream(id, error);
  }
}

const wireNames = new WeakMap<object, Uint8Array>();

/** The name of a method as frames carry it, made once. */
function wireName(method: { readonly service: string; readonly name: string }): Uint8Array {
  let name = wireNames.get(method);
  if (name === undefined) {
    name = encodeName(nameOf(method));
    wireNames.set(method, name);
  }
  return name;
}

function sendArguments<A, R>(
  sender: ValueSender,
  method: RpcStreamMethod<A, R>,
  args: readonly A[] | AsyncIterable<A>,
  onFailure: (error: Error) => void,
): void {
  let isSending = false;
  const send = async (): Promise<void> => {
    for await (const argument of args) {
      const bytes = method.argument.encode(argument);
      isSending = true;
      await sender.send(bytes);
      isSending = false;
    }
    sender.end();
  };
  send().catch((error: unknown) => {
    // While sending, the failure is the call's own end, which its reader knows better.
    if (!isSending) onFailure(error instanceof Error ? error : rpcError('application', String(error)));
  });
}

function badReply(name: string, cause: unknown): Error {
  return rpcError('bad-reply', `Cannot read the reply to ${name}: ${errorMessage(cause)}`, {
    cause,
    outcome: 'unknown',
  });
}
