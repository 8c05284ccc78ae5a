/**
 * Calls in the Go peer's wire form: one stream per call, bare msgpack values, no lengths.
 * Source: go-libp2p-gorpc `client.go`; `gorpc-server.ts` is the other side.
 */
import type { Clock } from '../../base/clock.ts';
import type { ByteStream, CallOptions, Streams } from '../../cluster/ports.ts';
import {
  type PeerId,
  type RpcMethod,
  type RpcResponse,
  type RpcStreamMethod,
  rpcResponseCodec,
  serviceIdCodec,
} from '../../model/index.ts';
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

  constructor(streams: Streams, clock: Clock, callTimeoutMs: number) {
    this.#streams = streams;
    this.#clock = clock;
    this.#callTimeoutMs = callTimeoutMs;
  }

  async call<A, R>(peer: PeerId, method: RpcMethod<A, R>, argument: A, options: CallOptions): Promise<R> {
    const name = nameOf(method);
    const request = Buffer.concat([headerOf(method), method.argument.encode(argument)]);
    const stream = await this.#open(peer, name, options);
    let given: Error | undefined;
    const unwatch = watchDeadline(this.#clock, options, this.#callTimeoutMs, name, (cause) => {
      given = cause;
      stream.reset();
    });
    try {
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
      stream.reset();
      throw given ?? asRpcError(error);
    } finally {
      unwatch();
    }
  }

  async *stream<A, R>(
    peer: PeerId,
    method: RpcStreamMethod<A, R>,
    args: readonly A[] | AsyncIterable<A>,
    options: CallOptions,
  ): AsyncGenerator<R, void, undefined> {
    const name = nameOf(method);
    const stream = await this.#open(peer, name, options);
    let given: Error | undefined;
    const unwatch = watchDeadline(this.#clock, options, Number.POSITIVE_INFINITY, name, (cause) => {
      given = cause;
      stream.reset();
    });
    let isDone = false;
    try {
      sendArguments(stream, method, args, (error) => {
        given ??= error;
      });
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
      throw given ?? asRpcError(error);
    } finally {
      unwatch();
      if (!isDone) stream.reset();
    }
  }

  async #open(peer: PeerId, name: string, options: CallOptions): Promise<ByteStream> {
    throwIfCancelled(options.signal, name);
    try {
      return await this.#streams.open(peer, gorpcProtocol, options);
    } catch (error) {
      throwIfCancelled(options.signal, name);
      throw unreachable(error);
    }
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
