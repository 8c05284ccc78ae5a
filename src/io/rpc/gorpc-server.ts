/**
 * Serves calls in the Go peer's wire form.
 * Source: go-libp2p-gorpc `server.go`.
 */
import type { Clock, Logger } from '../../base/index.ts';
import { errorCode, errorMessage } from '../../base/index.ts';
import type { ByteStream } from '../../cluster/ports.ts';
import { type RpcErrorType, rpcResponseCodec, type ServiceId, serviceIdCodec } from '../../model/index.ts';
import { failureOf, rpcError } from './errors.ts';
import { isUnary, type Registry, ServerCall, type StreamEntry, type UnaryEntry } from './registry.ts';
import { ValueReader } from './value-reader.ts';

/** How long a caller may keep a finished call's stream open. */
const lingerMs = 30_000;
/** How long a caller may take to send its header and first argument. */
const requestTimeoutMs = 30_000;

const nil = Uint8Array.of(0xc0);

export interface GorpcServerDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls served at once over all peers. */
  readonly callsMax: number;
}

export class GorpcServer {
  readonly #deps: GorpcServerDeps;
  readonly #active = new Set<ByteStream>();

  constructor(deps: GorpcServerDeps) {
    this.#deps = deps;
  }

  /** Takes an inbound stream. */
  accept(stream: ByteStream): void {
    this.#active.add(stream);
    this.#serve(stream)
      .catch((error: unknown) => {
        this.#deps.logger.debug('a call was broken off', { from: stream.remotePeer, cause: errorMessage(error) });
        stream.reset();
      })
      .finally(() => this.#active.delete(stream));
  }

  stop(): void {
    for (const stream of this.#active) stream.reset();
  }

  async #serve(stream: ByteStream): Promise<void> {
    const cancelTimer = this.#deps.clock.after(requestTimeoutMs, () => stream.reset());
    const reader = new ValueReader(stream);
    let id: ServiceId = { service: '', method: '' };
    try {
      let argument: Uint8Array | null;
      let entry: UnaryEntry;
      try {
        const header = await reader.next();
        if (header === null) throw rpcError('cancelled', 'the caller ended the stream before it named a method');
        id = serviceIdCodec.decode(header);
        if (this.#active.size > this.#deps.callsMax) {
          throw rpcError('busy', `too many calls at once, ${this.#deps.callsMax} are served`);
        }
        const found = this.#deps.registry.authorize(`${id.service}.${id.method}`, stream.remotePeer);
        if (!isUnary(found)) {
          cancelTimer();
          await this.#serveStream(stream, reader, id, found);
          return;
        }
        entry = found;
        argument = await reader.next();
        if (argument === null) throw rpcError('cancelled', 'the caller ended the stream before its argument');
      } finally {
        cancelTimer();
      }
      await this.#serveUnary(stream, id, entry, argument);
    } catch (error) {
      if (stream.signal.aborted) throw error;
      const errorType = errorCode(error) === 'rpc/authorization' ? 'authorization' : 'server';
      await this.#finish(stream, [failedHeader(id, errorMessage(error), errorType), nil]);
    }
  }

  async #serveUnary(
    stream: ByteStream,
    id: ServiceId,
    { method, handler }: UnaryEntry,
    bytes: Uint8Array,
  ): Promise<void> {
    const argument = method.argument.decode(bytes);
    const call = new ServerCall(stream.remotePeer);
    const remoteEnd = untilEnd(stream).then(() => call.cancel());
    let reply: Uint8Array[];
    try {
      const value = await handler(argument, call);
      reply = [succeededHeader(id), method.reply.encode(value)];
    } catch (error) {
      reply = [failedHeader(id, failureOf(error).text, 'application'), nil];
    }
    await this.#finish(stream, reply, remoteEnd);
  }

  async #serveStream(
    stream: ByteStream,
    reader: ValueReader,
    id: ServiceId,
    { method, handler }: StreamEntry,
  ): Promise<void> {
    const call = new ServerCall(stream.remotePeer);
    stream.signal.addEventListener('abort', () => call.cancel(), { once: true });
    let argumentError: Error | undefined;
    const args = async function* (): AsyncGenerator<unknown, void, undefined> {
      try {
        for (let value = await reader.next(); value !== null; value = await reader.next()) {
          yield method.argument.decode(value);
        }
      } catch (error) {
        argumentError = error instanceof Error ? error : rpcError('server', String(error));
        throw error;
      }
    };
    const header = succeededHeader(id);
    try {
      for await (const value of handler(args(), call)) {
        await stream.write(Buffer.concat([header, method.reply.encode(value)]));
      }
    } catch (error) {
      if (stream.signal.aborted) throw error;
      const type = error === argumentError ? 'server' : 'application';
      await this.#finish(stream, [failedHeader(id, failureOf(error).text, type), nil]);
      return;
    }
    await this.#finish(stream, []);
  }

  /** Sends the last bytes and waits a while for the caller to end its side, so that both sides free the stream. */
  async #finish(stream: ByteStream, last: readonly Uint8Array[], remoteEnd?: Promise<void>): Promise<void> {
    const cancelTimer = this.#deps.clock.after(lingerMs, () => stream.reset());
    try {
      if (last.length > 0) await stream.write(Buffer.concat(last));
      await stream.closeWrite();
      await (remoteEnd ?? untilEnd(stream));
    } finally {
      cancelTimer();
    }
  }
}

function succeededHeader(serviceId: ServiceId): Uint8Array {
  return rpcResponseCodec.encode({ serviceId, error: '', errorType: 'application' });
}

function failedHeader(serviceId: ServiceId, error: string, errorType: RpcErrorType): Uint8Array {
  return rpcResponseCodec.encode({ serviceId, error, errorType });
}

/** Reads on until the caller ends its side or resets the stream; never rejects. */
async function untilEnd(stream: ByteStream): Promise<void> {
  try {
    while ((await stream.read()) !== null);
  } catch {
    // A reset is an end too: whoever waits for it looks at the stream's signal for the difference.
  }
}
