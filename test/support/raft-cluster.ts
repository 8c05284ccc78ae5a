/**
 * Raft peers of one process: real shells, real engines, real stores on disk; a virtual clock and a network in memory that a test
 * can cut. Disks work in real time, so waiting means: let the disks finish, then let a little virtual time pass, until done.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Logger, OperatingError, SeededRandom, silentLogger } from '../../src/base/index.ts';
import { openPinset } from '../../src/cluster/index.ts';
import type { CallOptions, Consensus, Datastore, PinsetObserver, Rpc } from '../../src/cluster/ports.ts';
import {
  createRaft,
  type RaftConsensusOptions,
  type RaftHandler,
  type RaftTransport,
} from '../../src/io/consensus/index.ts';
import { createRaftFolder } from '../../src/io/store/index.ts';
import type { RaftConfig } from '../../src/model/config/index.ts';
import { type PeerId, peerIdFromBytes, type RpcMethod } from '../../src/model/index.ts';
import { FakeClock } from './fake-clock.ts';

export const raftConfig: RaftConfig = {
  dataFolder: '',
  initPeerset: [],
  waitForLeaderTimeoutMs: 15_000,
  networkTimeoutMs: 10_000,
  commitRetries: 1,
  commitRetryDelayMs: 200,
  backupsRotate: 6,
  heartbeatTimeoutMs: 1000,
  electionTimeoutMs: 1000,
  commitTimeoutMs: 50,
  maxAppendEntries: 64,
  trailingLogs: 10_240,
  snapshotIntervalMs: 120_000,
  snapshotThreshold: 8192,
  leaderLeaseTimeoutMs: 500,
};

/** Valid ids, in ascending order. */
export function peerIds(count: number): readonly PeerId[] {
  const ids: PeerId[] = [];
  for (let n = 0; n < count; n++) {
    const hash = createHash('sha256').update(`peer ${n}`).digest();
    ids.push(peerIdFromBytes(Uint8Array.of(0x12, 32, ...hash)));
  }
  return ids.sort();
}

type Handler = (argument: never, context: never) => unknown;

export interface TestPeer {
  readonly id: PeerId;
  readonly consensus: Consensus;
  /** What the observer was told. */
  readonly seen: string[];
  readonly failures: Error[];
  /** Messages and calls end here from now on. */
  isDead: boolean;
  /** Its log cannot be written. */
  isDiskFull: boolean;
  /** Its log is not written before this resolves. */
  diskHangs: Promise<void> | undefined;
  /** The probe does not find that out. */
  isProbeBlind: boolean;
  /** Its data cannot be opened, with this error. */
  openError: OperatingError | undefined;
}

/** How one request or call between two peers fares. `lose-answer`: it is handled, and the asker hears nothing of it. */
export type Fate = 'deliver' | 'lose' | 'lose-answer';

interface StartOptions extends Partial<Pick<RaftConsensusOptions, 'isJoining' | 'joinsOnce' | 'bootstrapPeers'>> {
  readonly initPeerset?: readonly PeerId[];
}

export interface RaftClusterOptions {
  /** Default: a new one. */
  readonly folder?: string;
  readonly config?: RaftConfig;
  /** Default: the virtual one. */
  readonly clock?: Clock;
}

export class RaftCluster {
  /** The time of the peers, unless `make` was given another. */
  readonly clock: FakeClock = new FakeClock();
  readonly peers: Map<PeerId, TestPeer> = new Map<PeerId, TestPeer>();
  readonly raftHandlers: Map<PeerId, RaftHandler> = new Map<PeerId, RaftHandler>();
  readonly rpcHandlers: Map<PeerId, Map<string, Handler>> = new Map<PeerId, Map<string, Handler>>();
  /** Names of rpc calls between peers. */
  readonly calls: string[] = [];
  /** What becomes of everything that travels; `kind` is `raft` or the name of a method. */
  fate: (from: PeerId, to: PeerId, kind: string) => Fate = () => 'deliver';
  logger: Logger = silentLogger;
  readonly folder: string;
  readonly #config: RaftConfig;
  /** Acts of disks under way: time stands still meanwhile. */
  #diskActs = 0;
  readonly #clock: Clock;
  #generation = 0;

  private constructor(folder: string, { config = raftConfig, clock }: RaftClusterOptions) {
    this.folder = folder;
    this.#config = config;
    this.#clock = clock ?? this.clock;
  }

  static async make(options: RaftClusterOptions = {}): Promise<RaftCluster> {
    return new RaftCluster(options.folder ?? (await mkdtemp(join(tmpdir(), 'raft-cluster-'))), options);
  }

  /** Starts a peer on what the last one of that name left. */
  async start(id: PeerId, options: StartOptions = {}): Promise<TestPeer> {
    const peer = this.prepare(id, options);
    await peer.consensus.start();
    return peer;
  }

  /** Makes a peer without starting it. */
  prepare(id: PeerId, options: StartOptions = {}): TestPeer {
    const { initPeerset = [], isJoining = false, joinsOnce = false, bootstrapPeers = [] } = options;
    const seen: string[] = [];
    const failures: Error[] = [];
    const observer: PinsetObserver = {
      onPin: (pin) => seen.push(`pin ${pin.name}`),
      onUnpin: (pin) => seen.push(`unpin ${pin.cid}`),
      onReplaced: () => seen.push('replaced'),
    };
    const handlers = new Map<string, Handler>();
    const folder = createRaftFolder(join(this.folder, id, 'raft'), { backupsRotate: raftConfig.backupsRotate });
    const peer: Omit<TestPeer, 'id' | 'consensus' | 'seen' | 'failures'> = {
      isDead: false,
      isDiskFull: false,
      isProbeBlind: false,
      openError: undefined,
      diskHangs: undefined,
    };
    const consensus = createRaft(
      { self: id, isJoining, joinsOnce, bootstrapPeers, config: { ...this.#config, initPeerset } },
      {
        storage: {
          ...folder,
          open: async () => {
            if (peer.openError !== undefined) throw peer.openError;
            const data = await this.#timed(folder.open());
            const { log, state, snapshots, previousLog } = data;
            const write: typeof log.write = async (ops) => {
              // Virtual time goes on meanwhile.
              if (peer.diskHangs !== undefined) await peer.diskHangs;
              if (peer.isDiskFull) throw noRoom();
              await this.#timed(log.write(ops));
            };
            return {
              snapshots: {
                list: () => snapshots.list(),
                create: async (base, roomBytes) => {
                  const writer = await this.#timed(snapshots.create(base, roomBytes));
                  return {
                    write: (bytes) => this.#timed(writer.write(bytes)),
                    finish: () => this.#timed(writer.finish()),
                    discard: () => this.#timed(writer.discard()),
                  };
                },
                read: (snapshot) => this.#timedSteps(snapshots.read(snapshot)),
                delete: (snapshot) => this.#timed(snapshots.delete(snapshot)),
              },
              log: { load: () => this.#timed(log.load()), write, close: () => this.#timed(log.close()) },
              state: this.#timedStore(state),
              previousLog,
            };
          },
          beginAnew: (ops, previous) => this.#timed(folder.beginAnew(ops, previous)),
          forgetPreviousLog: () => this.#timed(folder.forgetPreviousLog()),
          openState: async () => this.#timedStore(await this.#timed(folder.openState())),
          probe: async () => {
            if (peer.isDiskFull && !peer.isProbeBlind) throw noRoom();
          },
        },
        transport: this.#transport(id, peer),
        rpc: this.#rpc(id, peer, handlers),
        clock: this.#clock,
        random: new SeededRandom(`${id} ${this.#generation++}`),
        logger: this.logger,
        openPinset: (store) => openPinset(store, { log: silentLogger, observer }),
        onFailure: (cause) => failures.push(cause),
        onReopened: () => seen.push('reopened'),
      },
    );
    this.rpcHandlers.set(id, handlers);
    handlers.set('Consensus.AddPeer', (other: PeerId) => consensus.addPeer(other));
    handlers.set('Cluster.ID', async () => ({ clusterPeers: await consensus.peers() }));
    handlers.set('Consensus.RmPeer', (other: PeerId) => consensus.rmPeer(other));
    const made: TestPeer = Object.assign(peer, { id, consensus, seen, failures });
    this.peers.set(id, made);
    return made;
  }

  /** Nothing of the peer is heard any more; then it lets go of its files. */
  async kill(id: PeerId): Promise<void> {
    const peer = this.peer(id);
    peer.isDead = true;
    await this.until(peer.consensus.stop().then(() => true));
  }

  peer(id: PeerId): TestPeer {
    const peer = this.peers.get(id);
    if (peer === undefined) throw new RangeError(`no peer ${id}`);
    return peer;
  }

  /** The peer that leads, in the eyes of all that live. */
  async leader(): Promise<TestPeer> {
    const agreed = (): TestPeer | undefined => {
      const living = [...this.peers.values()].filter(({ isDead }) => !isDead);
      const named = new Set(living.map(({ consensus }) => leaderOf(consensus)));
      const [only] = named;
      return named.size === 1 && only !== undefined ? this.peers.get(only) : undefined;
    };
    await this.untilTrue(() => agreed() !== undefined);
    const leader = agreed();
    if (leader === undefined) throw new RangeError('the leader is gone');
    return leader;
  }

  others({ id }: TestPeer): TestPeer[] {
    return [...this.peers.values()].filter((peer) => peer.id !== id && !peer.isDead);
  }

  /** Lets time pass until the promise settles; rejects when `limitMs` of virtual time were not enough. */
  async until<T>(promise: Promise<T>, limitMs: number = 60_000): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.untilTrue(() => isSettled, limitMs);
    return promise;
  }

  async untilTrue(isDone: () => boolean, limitMs: number = 60_000): Promise<void> {
    const endMs = this.clock.now() + limitMs;
    while (!isDone()) {
      if (this.clock.now() >= endMs) throw new RangeError(`not within ${limitMs} ms of virtual time`);
      await this.#diskTime();
      if (isDone()) return;
      await this.clock.advance(20);
    }
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    await this.untilTrue(() => this.clock.now() >= endMs, ms + 1000);
  }

  async end(): Promise<void> {
    for (const { id, isDead } of [...this.peers.values()]) if (!isDead) await this.kill(id);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Turns of the event loop until nothing is under way on a disk, and a few more for what follows from it. */
  async #diskTime(): Promise<void> {
    for (let calm = 0; calm < 20; calm = this.#diskActs === 0 ? calm + 1 : 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #timedStore(store: Datastore): Datastore {
    return {
      get: (key) => store.get(key),
      batch: (ops, options) => this.#timed(store.batch(ops, options)),
      scan: (range, options) => this.#timedSteps(store.scan(range, options)),
      scanText: (range, options) => this.#timedSteps(store.scanText(range, options)),
      close: () => this.#timed(store.close()),
    };
  }

  async *#timedSteps<T>(steps: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    const reader = steps[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#timed(reader.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await reader.return?.();
    }
  }

  async #timed<T>(act: Promise<T>): Promise<T> {
    this.#diskActs++;
    try {
      return await act;
    } finally {
      this.#diskActs--;
    }
  }

  #transport(self: PeerId, peer: { readonly isDead: boolean }): RaftTransport {
    return {
      call: (to, request, { signal, body }) =>
        new Promise((resolve, reject) => {
          const lost = (): void => reject(new OperatingError('test/lost', 'lost', { outcome: 'unknown' }));
          signal.addEventListener('abort', lost, { once: true });
          const fate = this.fate(self, to, 'raft');
          const handler = this.raftHandlers.get(to);
          if (peer.isDead || fate === 'lose' || handler === undefined || this.peers.get(to)?.isDead !== false) return;
          // As bytes would be: nobody shares what he sent.
          handler(self, structuredClone(request), body).then((response) => {
            if (this.fate(to, self, 'raft') !== 'lose' && fate === 'deliver') resolve(structuredClone(response));
          }, lost);
        }),
      handle: (handler) => this.raftHandlers.set(self, handler),
      close: () => {},
    };
  }

  #rpc(self: PeerId, peer: { readonly isDead: boolean }, handlers: Map<string, Handler>) {
    const rpc: Rpc & { register(rows: object, given: object): void } = {
      register: (rows, given) => {
        for (const [name, handler] of Object.entries(given)) {
          const row = Object.entries(rows).find(([key]) => key === name)?.[1] as RpcMethod<unknown, unknown>;
          handlers.set(`${row.service}.${row.name}`, handler as Handler);
        }
      },
      call: (to, method, argument, options = {}) => this.#call(self, peer, to, method, argument, options),
      stream: () => {
        throw new RangeError('consensus has no streaming calls');
      },
    };
    return rpc;
  }

  #call<A, R>(
    self: PeerId,
    peer: { readonly isDead: boolean },
    to: PeerId,
    method: RpcMethod<A, R>,
    argument: A,
    { timeoutMs = 120_000, signal }: CallOptions,
  ): Promise<R> {
    const name = `${method.service}.${method.name}`;
    this.calls.push(name);
    return new Promise((resolve, reject) => {
      const fail = (code: string, outcome: 'refused' | 'unknown') => (): void =>
        reject(new OperatingError(code, code, { outcome }));
      const cancel = this.#clock.after(timeoutMs, fail('rpc/timeout', 'unknown'));
      signal?.addEventListener('abort', fail('rpc/cancelled', 'unknown'), { once: true });
      const target = this.peers.get(to);
      const fate = this.fate(self, to, name);
      if (target === undefined || target.isDead) return fail('rpc/unreachable', 'refused')();
      if (peer.isDead || fate === 'lose') return;
      const handler = this.rpcHandlers.get(to)?.get(name);
      if (handler === undefined) return fail('rpc/server', 'refused')();
      const request = method.argument.decode(method.argument.encode(argument));
      Promise.resolve(handler(request as never, {} as never)).then(
        (reply) => {
          if (fate !== 'deliver' || target.isDead || this.fate(to, self, name) === 'lose') return;
          cancel();
          resolve(reply as R);
        },
        (error: unknown) => {
          cancel();
          reject(error);
        },
      );
    });
  }
}

function noRoom(): OperatingError {
  return new OperatingError('store/full', 'no room');
}

function leaderOf(consensus: Consensus): PeerId | undefined {
  try {
    return consensus.leader();
  } catch {
    // Nobody is known to lead, or the peer is not running.
    return undefined;
  }
}
