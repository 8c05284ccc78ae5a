/** The serving side of the protocol of `frames.ts`. */

import type { Logger } from '../../base/index.ts';
import { errorMessage } from '../../base/index.ts';
import type { ByteStream } from '../../cluster/ports.ts';
import { failureOf, rpcError } from './errors.ts';
import {
  decodeCredit,
  decodeName,
  encodeFailure,
  encodeFrame,
  FrameWriter,
  frameKinds,
  PartStore,
  readFrames,
} from './frames.ts';
import { isUnary, type Registry, ServerCall, type StreamEntry, type UnaryEntry } from './registry.ts';
import { valueBytesMax } from './value-reader.ts';
import { ValueReceiver, ValueSender } from './value-streams.ts';

export interface MultiplexedServerDeps {
  readonly registry: Registry;
  readonly logger: Logger;
  /** Calls served at once on one stream. */
  readonly callsMax: number;
}

export class MultiplexedServer {
  readonly #deps: MultiplexedServerDeps;
  readonly #active = new Set<ByteStream>();

  constructor(deps: MultiplexedServerDeps) {
    this.#deps = deps;
  }

  /** Takes an inbound stream and serves calls on it until it ends. */
  accept(stream: ByteStream): void {
    this.#active.add(stream);
    const session = new Session(stream, this.#deps);
    session
      .run()
      .catch((error: unknown) => {
        this.#deps.logger.debug('the stream of a caller ended', {
          from: stream.remotePeer,
          cause: errorMessage(error),
        });
      })
      .finally(() => {
        session.cancelAll();
        stream.reset();
        this.#active.delete(stream);
      });
  }

  stop(): void {
    for (const stream of this.#active) stream.reset();
  }
}

interface ActiveCall {
  readonly call: ServerCall;
  readonly sender?: ValueSender;
  readonly receiver?: ValueReceiver;
}

const noHead = new Uint8Array(0);

class Session {
  readonly #stream: ByteStream;
  readonly #deps: MultiplexedServerDeps;
  readonly #writer: FrameWriter;
  readonly #parts = new PartStore(valueBytesMax);
  readonly #active = new Map<number, ActiveCall>();

  constructor(stream: ByteStream, deps: MultiplexedServerDeps) {
    this.#stream = stream;
    this.#deps = deps;
    this.#writer = new FrameWriter(stream);
  }

  run(): Promise<void> {
    return readFrames(
      this.#stream,
      (kind, id, body) => this.#onFrame(kind, id, body),
      () => this.#writer.room(),
    );
  }

  cancelAll(): void {
    for (const id of [...this.#active.keys()]) this.#cancel(id);
  }

  #onFrame(kind: number, id: number, body: Buffer): void {
    switch (kind) {
      case frameKinds.part:
        this.#parts.add(id, body);
        return;
      case frameKinds.call: {
        const { name, rest } = decodeName(body);
        const argument = this.#parts.complete(id, rest);
        if (argument !== undefined) this.#begin(id, name, argument);
        return;
      }
      case frameKinds.open:
        this.#begin(id, decodeName(body).name, undefined);
        return;
      case frameKinds.data:
        this.#active.get(id)?.receiver?.push(body);
        return;
      case frameKinds.end:
        this.#active.get(id)?.receiver?.end();
        return;
      case frameKinds.credit:
        this.#active.get(id)?.sender?.addCredit(decodeCredit(body));
        return;
      case frameKinds.cancel:
        this.#parts.drop(id);
        this.#cancel(id);
        return;
      default:
        throw rpcError('server', `Cannot read a frame of kind ${kind} from ${this.#stream.remotePeer}`);
    }
  }

  /** @param argument absent for a call with streams of values */
  #begin(id: number, name: string, argument: Uint8Array | undefined): void {
    if (this.#active.has(id)) throw rpcError('server', `${this.#stream.remotePeer} began call ${id} twice`);
    try {
      if (this.#active.size >= this.#deps.callsMax) {
        throw rpcError('busy', `too many calls at once, ${this.#deps.callsMax} are served`);
      }
      const entry = this.#deps.registry.authorize(name, this.#stream.remotePeer);
      if (isUnary(entry)) {
        if (argument === undefined) throw rpcError('server', `${name} takes one argument`);
        this.#serveUnary(id, entry, argument);
      } else {
        if (argument !== undefined) throw rpcError('server', `${name} takes a stream of arguments`);
        const call = new ServerCall(this.#stream.remotePeer);
        this.#serveStream(id, entry, call).catch((error: unknown) => {
          if (!call.isCancelled) this.#fail(id, error);
        });
      }
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #serveUnary(id: number, { method, handler }: UnaryEntry, bytes: Uint8Array): void {
    const call = new ServerCall(this.#stream.remotePeer);
    const result = handler(method.argument.decode(bytes), call);
    const reply = (value: unknown): void => {
      this.#active.delete(id);
      if (!call.isCancelled) this.#writer.sendMessage(frameKinds.reply, id, noHead, method.reply.encode(value));
    };
    if (!(result instanceof Promise)) {
      reply(result);
      return;
    }
    this.#active.set(id, { call });
    result.then(reply).catch((error: unknown) => {
      if (!call.isCancelled) this.#fail(id, error);
    });
  }

  async #serveStream(id: number, { method, handler }: StreamEntry, call: ServerCall): Promise<void> {
    const sender = new ValueSender(id, this.#writer);
    const receiver = new ValueReceiver(id, this.#writer);
    this.#active.set(id, { call, sender, receiver });
    for await (const value of handler(receiver.values(method.argument), call)) {
      await sender.send(method.reply.encode(value));
    }
    // Until the last values have gone out, the caller's credit must find its way here.
    sender.end(encodeFrame(frameKinds.end, id), () => this.#active.delete(id));
  }

  #fail(id: number, error: unknown): void {
    const frame = encodeFrame(frameKinds.error, id, encodeFailure(failureOf(error)));
    const sender = this.#active.get(id)?.sender;
    if (sender === undefined) {
      this.#active.delete(id);
      this.#writer.send(frame);
    } else {
      sender.end(frame, () => this.#active.delete(id));
    }
  }

  #cancel(id: number): void {
    const active = this.#active.get(id);
    if (active === undefined) return;
    this.#active.delete(id);
    active.call.cancel();
    const cause = rpcError('cancelled', 'context canceled', { outcome: 'unknown' });
    active.sender?.fail(cause);
    active.receiver?.fail(cause);
  }
}
