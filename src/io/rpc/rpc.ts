/**
 * Calls to members and the methods served to them.
 *
 * A call takes the shortest way there is: to this peer itself in the process, without wire and policy; to our own kind over
 * one long-lived stream; to others, such as Go peers, as gorpc with a stream per call. All three end in the same handlers.
 */
import type { Clock, Logger, Startable } from '../../base/index.ts';
import { errorCode, errorMessage, OperatingError } from '../../base/index.ts';
import type { CallOptions, Rpc, Streams } from '../../cluster/ports.ts';
import type { PeerId, RpcMethod, RpcStreamMethod } from '../../model/index.ts';
import { throwIfCancelled, watchDeadline } from './deadline.ts';
import { rpcError, unreachable } from './errors.ts';
import { multiplexedProtocol } from './frames.ts';
import { GorpcClient, gorpcProtocol } from './gorpc-client.ts';
import { GorpcServer } from './gorpc-server.ts';
import { type Link, MultiplexedClient } from './multiplexed-client.ts';
import { MultiplexedServer } from './multiplexed-server.ts';
import { type HandlersOf, isUnary, nameOf, Registry, ServerCall } from './registry.ts';

const callTimeoutMsDefault = 120_000;
const callsMaxDefault = 4096;

/** Limits of the RPC, and what it offers. */
export interface RpcOptions {
  /** Limit of a unary call that names none; default 2 minutes. Streaming calls have none of their own. */
  readonly callTimeoutMs?: number;
  /** Calls served at once, per protocol; default 4096. */
  readonly callsMax?: number;
  /** Whether to use and offer the protocol between our own peers; default true. */
  readonly isMultiplexed?: boolean;
}

/** What the RPC needs of others. */
export interface RpcDeps {
  readonly streams: Streams;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether a peer may call methods of the class `trusted`. */
  readonly isTrusted: (peer: PeerId) => boolean;
}

/** The port `Rpc` with the serving side. */
export interface RpcNode extends Rpc, Startable {
  /** Serves a service: one handler for each row. */
  register<Rows extends object>(rows: Rows, handlers: HandlersOf<Rows>): void;
}

/**
 * Makes the RPC of a peer. Calls can be made at once; others are served from `start` on.
 *
 * **Errors** of calls: what the handler threw, its code and outcome kept when the other side is one of ours or this peer;
 * from Go peers `rpc/application` with the text and unknown outcome. `rpc/authorization`, `rpc/server`, `rpc/unreachable` and
 * `rpc/busy` are refused; `rpc/connection-lost`, `rpc/timeout`, `rpc/cancelled` and `rpc/bad-reply` unknown.
 */
export function createRpc(options: RpcOptions, deps: RpcDeps): RpcNode {
  return new RoutingRpc(options, { ...deps, logger: deps.logger.scope('rpc') });
}

class RoutingRpc implements RpcNode {
  readonly #deps: RpcDeps;
  readonly #isMultiplexed: boolean;
  readonly #registry: Registry;
  readonly #gorpc: GorpcClient;
  readonly #multiplexed: MultiplexedClient;
  readonly #gorpcServer: GorpcServer;
  readonly #multiplexedServer: MultiplexedServer;
  readonly #callTimeoutMs: number;
  #state: 'new' | 'started' | 'stopped' = 'new';

  constructor(options: RpcOptions, deps: RpcDeps) {
    const { streams, clock, logger } = deps;
    const callsMax = options.callsMax ?? callsMaxDefault;
    this.#deps = deps;
    this.#isMultiplexed = options.isMultiplexed ?? true;
    this.#callTimeoutMs = options.callTimeoutMs ?? callTimeoutMsDefault;
    this.#registry = new Registry(deps.isTrusted);
    this.#gorpc = new GorpcClient(streams, clock, this.#callTimeoutMs);
    this.#multiplexed = new MultiplexedClient(streams, clock, this.#callTimeoutMs);
    this.#gorpcServer = new GorpcServer({ registry: this.#registry, clock, logger, callsMax });
    this.#multiplexedServer = new MultiplexedServer({ registry: this.#registry, logger, callsMax });
  }

  register<Rows extends object>(rows: Rows, handlers: HandlersOf<Rows>): void {
    this.#registry.register(rows, handlers);
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'started';
    const { streams } = this.#deps;
    streams.handle(gorpcProtocol, (stream) => {
      if (this.#state === 'started') this.#gorpcServer.accept(stream);
      else stream.reset();
    });
    if (!this.#isMultiplexed) return;
    streams.handle(multiplexedProtocol, (stream) => {
      if (this.#state === 'started') this.#multiplexedServer.accept(stream);
      else stream.reset();
    });
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#multiplexed.stop();
    this.#gorpcServer.stop();
    this.#multiplexedServer.stop();
  }

  async call<A, R>(peer: PeerId, method: RpcMethod<A, R>, argument: A, options: CallOptions = {}): Promise<R> {
    if (peer === this.#deps.streams.self || peer === '') return this.#callSelf(method, argument, options);
    const link = await this.#linkTo(peer, nameOf(method), options);
    return link === undefined
      ? this.#gorpc.call(peer, method, argument, options)
      : this.#multiplexed.call(link, method, argument, options);
  }

  async *stream<A, R>(
    peer: PeerId,
    method: RpcStreamMethod<A, R>,
    args: readonly A[] | AsyncIterable<A>,
    options: CallOptions = {},
  ): AsyncGenerator<R, void, undefined> {
    if (peer === this.#deps.streams.self || peer === '') {
      yield* this.#streamSelf(method, args, options);
      return;
    }
    const link = await this.#linkTo(peer, nameOf(method), options);
    yield* link === undefined
      ? this.#gorpc.stream(peer, method, args, options)
      : this.#multiplexed.stream(link, method, args, options);
  }

  /** The long-lived stream to a peer, or `undefined` when it does not offer one. */
  async #linkTo(peer: PeerId, name: string, options: CallOptions): Promise<Link | undefined> {
    if (this.#state === 'stopped') throw rpcError('stopped', `Cannot call ${name}: this peer is stopping`);
    if (!this.#isMultiplexed) return undefined;
    const protocols = this.#deps.streams.protocolsOf(peer);
    if (protocols !== undefined && !protocols.includes(multiplexedProtocol)) return undefined;
    throwIfCancelled(options.signal, name);
    try {
      const link = this.#multiplexed.link(peer, options);
      return link instanceof Promise ? await this.#within(link, options, name) : link;
    } catch (error) {
      if (errorCode(error).startsWith('rpc/')) throw error;
      // Not identified yet when asked, and now known not to offer it.
      if (errorCode(error) === 'p2p/unsupported-protocol') return undefined;
      throw unreachable(error);
    }
  }

  /** Waits for a stream that others may share; giving up does not end it for them, and nothing was sent. */
  async #within(link: Promise<Link>, options: CallOptions, name: string): Promise<Link> {
    const { promise, reject } = Promise.withResolvers<never>();
    const unwatch = watchDeadline(this.#deps.clock, options, this.#callTimeoutMs, name, (cause) => {
      reject(new OperatingError(errorCode(cause), errorMessage(cause), { cause, outcome: 'refused' }));
    });
    try {
      return await Promise.race([link, promise]);
    } finally {
      unwatch();
    }
  }

  async #callSelf<A, R>(method: RpcMethod<A, R>, argument: A, options: CallOptions): Promise<R> {
    const name = nameOf(method);
    throwIfCancelled(options.signal, name);
    const entry = this.#registry.find(name);
    if (!isUnary(entry)) throw rpcError('server', `${name} is a streaming method`);
    const call = new ServerCall(this.#deps.streams.self);
    if (options.signal === undefined && options.timeoutMs === undefined) {
      // Proof of the cast: the handler was registered for the row of this name.
      return (await entry.handler(argument, call)) as R;
    }
    const { promise, reject } = Promise.withResolvers<never>();
    const unwatch = watchDeadline(this.#deps.clock, options, Number.POSITIVE_INFINITY, name, (cause) => {
      // First the reason, then what the handler makes of it.
      reject(cause);
      call.cancel();
    });
    try {
      // As above.
      return (await Promise.race([entry.handler(argument, call), promise])) as R;
    } finally {
      unwatch();
    }
  }

  async *#streamSelf<A, R>(
    method: RpcStreamMethod<A, R>,
    args: readonly A[] | AsyncIterable<A>,
    options: CallOptions,
  ): AsyncGenerator<R, void, undefined> {
    const name = nameOf(method);
    throwIfCancelled(options.signal, name);
    const entry = this.#registry.find(name);
    if (isUnary(entry)) throw rpcError('server', `${name} is not a streaming method`);
    const call = new ServerCall(this.#deps.streams.self);
    let given: Error | undefined;
    const unwatch = watchDeadline(this.#deps.clock, options, Number.POSITIVE_INFINITY, name, (cause) => {
      given = cause;
      call.cancel();
    });
    try {
      for await (const value of entry.handler(asAsync(args), call)) {
        if (given !== undefined) throw given;
        // Proof of the cast: the handler was registered for the row of this name.
        yield value as R;
      }
      if (given !== undefined) throw given;
    } catch (error) {
      throw given ?? error;
    } finally {
      unwatch();
      call.cancel();
    }
  }
}

async function* asAsync<A>(args: readonly A[] | AsyncIterable<A>): AsyncGenerator<A, void, undefined> {
  yield* args;
}
