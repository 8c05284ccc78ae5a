/**
 * The virtual network: messages of the engine, which may be lost, late, overtaken or handled twice, and calls to the leader, which
 * are not repeated. Everything is silence until the caller's own deadline, but a peer that is down refuses.
 */
import { errorCode, errorMessage, OperatingError, type SeededRandom } from '../../base/index.ts';
import type { CallOptions } from '../../cluster/ports.ts';
import type { Entry, Request, Response } from '../../core/raft/index.ts';
import type { RaftConsensusDeps, RaftTransport } from '../../io/consensus/index.ts';
import type { PeerId, RpcMethod } from '../../model/index.ts';
import type { Scheduler, VirtualClock } from './scheduler.ts';

export interface NetworkOptions {
  readonly latencyMs: number;
  /** Of 100 messages. */
  slowPercent: number;
  readonly slowMsMax: number;
  lossPercent: number;
  copyPercent: number;
}

/** Anything that can be called under its name. */
type Handler = (argument: unknown, context: { readonly from: PeerId; readonly signal: AbortSignal }) => unknown;

/** One life of a peer on the network. */
export interface Port {
  readonly id: PeerId;
  readonly clock: VirtualClock;
  isAlive: boolean;
  raftHandler: ((from: PeerId, request: Request) => Promise<Response>) | undefined;
  readonly services: Map<string, Handler>;
}

type ConsensusRpc = RaftConsensusDeps['rpc'];

export class Network {
  readonly options: NetworkOptions;
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  /** The present life of each peer that is up. */
  readonly #ports = new Map<PeerId, Port>();
  /** Directions that are cut, as `from>to`, with how many faults cut them. */
  readonly #cuts = new Map<string, number>();

  constructor(options: NetworkOptions, scheduler: Scheduler, random: SeededRandom) {
    this.options = options;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  connect(id: PeerId, clock: VirtualClock): Port {
    const port: Port = { id, clock, isAlive: true, raftHandler: undefined, services: new Map() };
    this.#ports.set(id, port);
    return port;
  }

  disconnect(port: Port): void {
    port.isAlive = false;
    if (this.#ports.get(port.id) === port) this.#ports.delete(port.id);
  }

  cut(from: PeerId, to: PeerId): void {
    const key = `${from}>${to}`;
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
  }

  mend(from: PeerId, to: PeerId): void {
    const key = `${from}>${to}`;
    const left = (this.#cuts.get(key) ?? 0) - 1;
    if (left > 0) this.#cuts.set(key, left);
    else this.#cuts.delete(key);
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  /** Delivers after a while, if the way is free when it leaves and when it arrives. Any number of times, mostly once. */
  #carry(from: PeerId, to: PeerId, copies: number, arrive: () => void): void {
    const { lossPercent } = this.options;
    if (this.#isCut(from, to) || this.#chance(lossPercent)) return;
    for (let copy = 0; copy < copies; copy++) {
      const againMs = copy === 0 ? 0 : this.#random.integer(500);
      this.#scheduler.after(this.#delayMs() + againMs, () => {
        if (!this.#isCut(from, to)) arrive();
      });
    }
  }

  transport(port: Port): RaftTransport {
    return {
      call: (to, request, { signal }) => this.#callRaft(port, to, request, signal),
      handle: (handler) => {
        port.raftHandler = handler;
      },
      close: () => {
        port.raftHandler = undefined;
      },
    };
  }

  #callRaft(port: Port, to: PeerId, request: Request, signal: AbortSignal): Promise<Response> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const back = (act: () => void): void => {
        this.#carry(to, port.id, 1, () => {
          if (port.isAlive) act();
        });
      };
      const copies = this.#chance(this.options.copyPercent) ? 2 : 1;
      const copy = copyOf(request);
      this.#carry(port.id, to, copies, () => {
        const handler = this.#ports.get(to)?.raftHandler;
        if (handler === undefined) return back(() => reject(refused(to)));
        handler(port.id, copy).then(
          (response) => back(() => resolve({ ...response })),
          (error: unknown) => back(() => reject(error)),
        );
      });
    });
  }

  rpc(port: Port): ConsensusRpc {
    return {
      call: (to, method, argument, options) => this.#callMethod(port, to, method, argument, options),
      stream: () => {
        throw new TypeError('Consensus calls no streaming method');
      },
      register: (rows, handlers) => {
        for (const [name, row] of Object.entries(rows)) {
          // Proof of the casts: `HandlersOf` demands under each key the handler of the row under the same key.
          const { service } = row as RpcMethod<unknown, unknown>;
          port.services.set(`${service}.${name}`, handlers[name as keyof typeof handlers] as Handler);
        }
      },
    };
  }

  /** Through the codecs both ways, so that peers share no objects. */
  #callMethod<A, R>(
    port: Port,
    to: PeerId,
    method: RpcMethod<A, R>,
    argument: A,
    options: CallOptions = {},
  ): Promise<R> {
    const bytes = method.argument.encode(argument);
    return new Promise((resolve, reject) => {
      const cancel = port.clock.after(options.timeoutMs ?? 10_000, () => {
        reject(new OperatingError('rpc/timeout', `no answer from "${to}" in time`, { outcome: 'unknown' }));
      });
      const back = (act: () => void): void => {
        this.#carry(to, port.id, 1, () => {
          if (!port.isAlive) return;
          cancel();
          act();
        });
      };
      options.signal?.addEventListener('abort', () => {
        cancel();
        reject(options.signal?.reason);
      });
      this.#carry(port.id, to, 1, () => {
        const handler = this.#ports.get(to)?.services.get(`${method.service}.${method.name}`);
        if (handler === undefined) return back(() => reject(refused(to)));
        const { signal } = new AbortController();
        Promise.resolve()
          .then(() => handler(method.argument.decode(bytes), { from: port.id, signal }))
          .then(
            (reply) => {
              // Proof of the cast: the handler was registered for this row.
              const replyBytes = method.reply.encode(reply as R);
              back(() => resolve(method.reply.decode(replyBytes)));
            },
            (error: unknown) => back(() => reject(sameError(error))),
          );
      });
    });
  }

  /** Whether a message of one peer would arrive at the other now, chance aside. */
  isOpen(from: PeerId, to: PeerId): boolean {
    return this.#ports.has(from) && this.#ports.has(to) && !this.#isCut(from, to);
  }

  #isCut(from: PeerId, to: PeerId): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  #chance(percent: number): boolean {
    return percent > 0 && this.#random.integer(100) < percent;
  }

  #delayMs(): number {
    const { latencyMs, slowPercent, slowMsMax } = this.options;
    const usual = (latencyMs * (50 + this.#random.integer(100))) / 100;
    return this.#chance(slowPercent) ? usual + this.#random.integer(slowMsMax) : usual;
  }
}

function refused(to: PeerId): OperatingError {
  return new OperatingError('rpc/unreachable', `"${to}" is down`);
}

/** What the other side learns of an error. */
function sameError(error: unknown): OperatingError {
  const outcome = error instanceof OperatingError ? error.outcome : 'unknown';
  return new OperatingError(errorCode(error), errorMessage(error), { outcome });
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
