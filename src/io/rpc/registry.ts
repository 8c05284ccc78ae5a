/** The methods that this peer serves, and who may call them. */
import type { PeerId, RpcMethod, RpcStreamMethod, RpcTrust } from '../../model/index.ts';
import { rpcError } from './errors.ts';

/** What a handler knows of its call. */
export interface CallContext {
  /** The caller; this peer itself for calls from inside the process. */
  readonly from: PeerId;
  /** Aborted when the caller gave up or is gone. */
  readonly signal: AbortSignal;
}

/** Serves a method with one argument and one reply; what it throws is told to the caller. */
export type UnaryHandler<A, R> = (argument: A, context: CallContext) => Promise<R> | R;
/**
 * Serves a method with streams of arguments and replies. The iteration is ended early when the caller leaves; arguments need
 * not be read.
 */
export type StreamHandler<A, R> = (args: AsyncIterable<A>, context: CallContext) => AsyncIterable<R>;

/** The handler that a row of the method table asks for. */
export type HandlerOf<M> =
  M extends RpcMethod<infer A, infer R>
    ? UnaryHandler<A, R>
    : M extends RpcStreamMethod<infer A, infer R>
      ? StreamHandler<A, R>
      : never;

/** Handlers for all rows of a service, under the names of the rows. */
export type HandlersOf<Rows> = { readonly [Name in keyof Rows]: HandlerOf<Rows[Name]> };

interface EntryOf<Method, Handler> {
  readonly method: Method;
  readonly handler: Handler;
}
/** A row with its handler; which types they have in common was checked at registration. */
export type UnaryEntry = EntryOf<RpcMethod<unknown, unknown>, UnaryHandler<unknown, unknown>>;
export type StreamEntry = EntryOf<RpcStreamMethod<unknown, unknown>, StreamHandler<unknown, unknown>>;
export type Entry = UnaryEntry | StreamEntry;

export function isUnary(entry: Entry): entry is UnaryEntry {
  return entry.method.kind === 'unary';
}

export class Registry {
  readonly #entries = new Map<string, Entry>();
  readonly #services = new Set<string>();
  readonly #isTrusted: (peer: PeerId) => boolean;

  constructor(isTrusted: (peer: PeerId) => boolean) {
    this.#isTrusted = isTrusted;
  }

  register<Rows extends object>(rows: Rows, handlers: HandlersOf<Rows>): void {
    for (const key of Object.keys(rows)) {
      // Proof of the casts: `HandlersOf` demands under each key the handler of the row under the same key.
      const entry = {
        method: rows[key as keyof Rows],
        handler: handlers[key as keyof Rows],
      } as unknown as Entry;
      this.#services.add(entry.method.service);
      this.#entries.set(nameOf(entry.method), entry);
    }
  }

  /** A handler for a call from inside the process. Throws `rpc/server` when there is none. */
  find(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    const dot = name.indexOf('.');
    const service = name.slice(0, dot);
    // Texts of go-libp2p-gorpc `server.go` `serverCall`, read by Go callers.
    throw this.#services.has(service)
      ? rpcError('server', `rpc: can't find method ${name.slice(dot + 1)}`)
      : rpcError('server', `rpc: can't find service ${service}`);
  }

  /** A handler for a call from another peer. Throws `rpc/server` and `rpc/authorization`. */
  authorize(name: string, from: PeerId): Entry {
    const entry = this.find(name);
    if (!this.#isAllowed(entry.method.trust, from)) {
      // Text of go-libp2p-gorpc `newAuthorizationError`.
      throw rpcError('authorization', `client does not have permissions to call ${name}`);
    }
    return entry;
  }

  #isAllowed(trust: RpcTrust, from: PeerId): boolean {
    return trust === 'open' || (trust === 'trusted' && this.#isTrusted(from));
  }
}

/** `Service.Method`, the name of a method on the wire of our own protocol and in texts. */
export function nameOf(method: { readonly service: string; readonly name: string }): string {
  return `${method.service}.${method.name}`;
}

/** The context of a call; most handlers never look at the signal, so it is made when asked for. */
export class ServerCall implements CallContext {
  readonly from: PeerId;
  #aborter: AbortController | undefined;
  #isCancelled = false;

  constructor(from: PeerId) {
    this.from = from;
  }

  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#isCancelled) this.#aborter.abort(cancelled());
    }
    return this.#aborter.signal;
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#aborter?.abort(cancelled());
  }
}

/** Text of Go `context.Canceled`, which a handler's error ends up with. */
function cancelled(): Error {
  return rpcError('cancelled', 'context canceled', { outcome: 'unknown' });
}
