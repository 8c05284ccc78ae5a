/**
 * Calls in the Go peer's wire form: one stream per call, bare msgpack values, no lengths.
 * Source: go-libp2p-gorpc `client.go`; `gorpc-server.ts` is the other side.
 */
import type { Clock } from '../../base/index.ts';
import type { ByteStream, CallOptions, Streams } from '../../cluster/ports.ts';
import {
  type PeerId,
  type RpcMethod,
  type RpcResponse,
  type RpcStreamMethod,
  rpcResponseCodec,
  serviceIdCodec,
} from '../../model/index.ts';
import { CallGate } from './call-gate.ts';
import { throwIfCancelled, watchDeadline } from './deadline.ts';
import { connectionLost, rpcError, unreachable } from './errors.ts';
import { nameOf } from './registry.ts';
import { ValueReader } from './value-reader.ts';

/** Go `RPCProtocol`. */
export const gorpcProtocol = '/ipfscluster/1.0/rpc';

export class GorpcClient {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #callTimeoutMs: number;
  readonly #gate = new CallGate();

  constructor(streams: Streams, clock: Clock, callTimeoutMs: number) {
    this.#streams = streams;
    this.#clock = clock;
    this.#callTimeoutMs = callTimeoutMs;
  }

  async call<A, R>(peer: PeerId, method: RpcMethod<A, R>, argument: A, options: CallOptions): Promise<R> {
    const name = nameOf(method);
    const request = Buffer.concat([headerOf(method), method.argument.encode(argument)]);
    const attempt = new Attempt(this.#clock, options, this.#callTimeoutMs, name);
    try {
      const stream = await this.#open(peer, attempt);
      // Our side stays open until the reply is here: a Go server takes its end for a cancellation.
      await stream.write(request);
      const reader = new ValueReader(stream);
      const header = await responseHeader(reader, name);
      if (header === null) throw rpcError('bad-reply', `${peer} ended ${name} without a reply`, { outcome: 'unknown' });
      const value = await reader.next();
      if (header.error !== '') throw remoteError(header);
      if (value === null) throw rpcError('bad-reply', `${peer} ended ${name} without a value`, { outcome: 'unknown' });
      const reply = decodeReply(method, value);
      stream.closeWrite().catch(() => stream.reset());
      return reply;
    } catch (error) {
      throw attempt.fail(error);
    } finally {
      this.#finish(peer, attempt);
    }
  }

  async *stream<A, R>(
    peer: PeerId,
    method: RpcStreamMethod<A, R>,
    args: readonly A[] | AsyncIterable<A>,
    options: CallOptions,
  ): AsyncGenerator<R, void, undefined> {
    const name = nameOf(method);
    const attempt = new Attempt(this.#clock, options, Number.POSITIVE_INFINITY, name);
    let isDone = false;
    try {
      const stream = await this.#open(peer, attempt);
      sendArguments(stream, method, args, (error) => attempt.giveUp(error));
      const reader = new ValueReader(stream);
      for (;;) {
        const header = await responseHeader(reader, name);
        if (header === null) break;
        const value = await reader.next();
        if (header.error !== '') throw remoteError(header);
        if (value === null)
          throw rpcError('bad-reply', `${peer} ended ${name} without a value`, { outcome: 'unknown' });
        yield decodeReply(method, value);
      }
      isDone = true;
    } catch (error) {
      throw attempt.fail(error);
    } finally {
      if (!isDone) attempt.stream?.reset();
      this.#finish(peer, attempt);
    }
  }

  async #open(peer: PeerId, attempt: Attempt): Promise<ByteStream> {
    throwIfCancelled(attempt.options.signal, attempt.name);
    const place = this.#gate.enter(peer, (endWait) => {
      attempt.endWait = endWait;
    });
    if (place !== undefined) await place;
    attempt.isInside = true;
    try {
      attempt.stream = await this.#streams.open(peer, gorpcProtocol, attempt.options);
    } catch (error) {
      throwIfCancelled(attempt.options.signal, attempt.name);
      throw unreachable(error);
    }
    if (attempt.given !== undefined) throw attempt.given;
    return attempt.stream;
  }

  #finish(peer: PeerId, attempt: Attempt): void {
    attempt.unwatch();
    if (attempt.isInside) this.#gate.leave(peer);
  }
}

/** One call with what can end it early. */
class Attempt {
  readonly options: CallOptions;
  readonly name: string;
  readonly unwatch: () => void;
  stream: ByteStream | undefined;
  isInside = false;
  /** Ends the waiting for a place. */
  endWait: ((cause: Error) => void) | undefined;
  /** Why this side gave the call up. */
  given: Error | undefined;

  constructor(clock: Clock, options: CallOptions, timeoutMsDefault: number, name: string) {
    this.options = options;
    this.name = name;
    this.unwatch = watchDeadline(clock, options, timeoutMsDefault, name, (cause) => this.giveUp(cause));
  }

  giveUp(cause: Error): void {
    this.given ??= cause;
    this.endWait?.(cause);
    this.stream?.reset();
  }

  /** The error to throw: our own reason goes before what it did to the stream. */
  fail(error: unknown): Error {
    this.stream?.reset();
    return this.given ?? asRpcError(error);
  }
}

const headers = new WeakMap<object, Uint8Array>();

/** The header of a method, made once. */
function headerOf(method: { readonly service: string; readonly name: string }): Uint8Array {
  let header = headers.get(method);
  if (header === undefined) {
    header = serviceIdCodec.encode({ service: method.service, method: method.name });
    headers.set(method, header);
  }
  return header;
}

/** Sends all arguments, then ends our side. A failure of the source resets the stream, which ends the call. */
function sendArguments<A, R>(
  stream: ByteStream,
  method: RpcStreamMethod<A, R>,
  args: readonly A[] | AsyncIterable<A>,
  onFailure: (error: Error) => void,
): void {
  const send = async (): Promise<void> => {
    const header = stream.write(headerOf(method));
    for await (const argument of args) await stream.write(method.argument.encode(argument));
    await header;
    await stream.closeWrite();
  };
  send().catch((error: unknown) => {
    // A stream that is gone tells the reading side by itself.
    if (!stream.signal.aborted) onFailure(asRpcError(error));
    stream.reset();
  });
}

async function responseHeader(reader: ValueReader, name: string): Promise<RpcResponse | null> {
  const bytes = await reader.next();
  if (bytes === null) return null;
  try {
    return rpcResponseCodec.decode(bytes);
  } catch (error) {
    throw rpcError('bad-reply', `Cannot read the reply to ${name}`, { cause: error, outcome: 'unknown' });
  }
}

function decodeReply<A, R>(method: RpcMethod<A, R> | RpcStreamMethod<A, R>, bytes: Uint8Array): R {
  try {
    return method.reply.decode(bytes);
  } catch (error) {
    throw rpcError('bad-reply', `Cannot read the reply to ${nameOf(method)}`, { cause: error, outcome: 'unknown' });
  }
}

/** A Go peer does not tell whether a failed method did its work; only the RPC layer's own refusals are certain. */
function remoteError({ error, errorType }: RpcResponse): Error {
  if (errorType === 'authorization') return rpcError('authorization', error);
  if (errorType === 'server') return rpcError('server', error);
  return rpcError('application', error, { outcome: 'unknown' });
}

function asRpcError(error: unknown): Error {
  const isOurs = error instanceof Error && 'code' in error && String(error.code).startsWith('rpc/');
  return isOurs ? error : connectionLost(error);
}
