/** One peer of a world: the real consensus over virtual clock, network and disk, looked on by the checkers. */
import { errorCode, OperatingError, type SeededRandom, silentLogger } from '../../base/index.ts';
import { openPinset } from '../../cluster/index.ts';
import type { Consensus } from '../../cluster/ports.ts';
import {
  createRaft as createEngine,
  type Input,
  type Output,
  type Raft,
  type RaftOptions,
  type Request,
  type Status,
} from '../../core/raft/index.ts';
import {
  createRaft,
  type RaftConsensusOptions,
  type RaftStorage,
  type ReplicatedPinset,
} from '../../io/consensus/index.ts';
import { methods, nothing, type PeerId } from '../../model/index.ts';
import type { PeerView } from '../checkers/peer-view.ts';
import type { DiskImage } from '../image.ts';
import { over } from '../over.ts';
import type { Plants } from '../plants.ts';
import type { VirtualDisk } from './disk.ts';
import type { Network, Port } from './network.ts';
import { type Scheduler, VirtualClock } from './scheduler.ts';

export interface WorldPeerDeps {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly random: SeededRandom;
  readonly disk: VirtualDisk;
  readonly config: RaftConsensusOptions['config'];
  /** The spare peer is not one of the first members; it waits to be added. */
  readonly isSpare: boolean;
  /** What the configuration does not say. */
  readonly engine: Partial<RaftOptions>;
  /** Planted bugs. */
  readonly plants: Plants;
  /** Each input of the engine, before it is stepped. */
  readonly onInput: (peer: WorldPeer, input: Input) => void;
  /** Each output of the engine, before the shell sees it. What it throws is a finding. */
  readonly onOutput: (peer: WorldPeer, output: Output, incoming: ReadonlyMap<number, Request>) => void;
  /** Around the pinset, each time it is opened. */
  readonly watchPinset: (peer: WorldPeer, pinset: ReplicatedPinset) => ReplicatedPinset;
  /** It takes part from now on, after a start or after its disk was repaired. */
  readonly onEngine: (peer: WorldPeer) => void;
  readonly onFailure: (peer: WorldPeer, cause: unknown) => void;
}

interface Life {
  readonly consensus: Consensus;
  readonly clock: VirtualClock;
  readonly port: Port;
}

export class WorldPeer implements PeerView {
  readonly id: PeerId;
  readonly name: string;
  readonly #deps: WorldPeerDeps;
  #raft: Raft | undefined;
  #life: Life | undefined;
  #lives = 0;
  #hasFailed = false;
  #hasStarted = false;

  constructor(name: string, id: PeerId, deps: WorldPeerDeps) {
    this.name = name;
    this.id = id;
    this.#deps = deps;
  }

  get isUp(): boolean {
    return this.#life !== undefined;
  }

  /** It is up, and read-only: its disk has failed. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Its disk has failed when it was started, which ends it. */
  get cannotStart(): boolean {
    return this.#life !== undefined && this.#hasFailed && !this.#hasStarted;
  }

  /** Its log or state could not be written. */
  diskFailed(): void {
    this.#hasFailed = true;
  }

  get storage(): VirtualDisk {
    return this.#deps.disk;
  }

  get disk(): DiskImage {
    return this.#deps.disk.image;
  }

  /** Of the last life, when it is down. Throws before the first. */
  get raft(): Raft {
    if (this.#raft === undefined) throw new TypeError(`${this.name} has not started yet`);
    return this.#raft;
  }

  get hasStarted(): boolean {
    return this.#raft !== undefined;
  }

  /** `undefined` while it takes no part. */
  get status(): Status | undefined {
    return this.#life === undefined || this.#hasFailed ? undefined : this.#raft?.status();
  }

  /** `undefined` while it is down. */
  get consensus(): Consensus | undefined {
    return this.#life?.consensus;
  }

  boot(): void {
    if (this.#life !== undefined) return;
    const { scheduler, network, random, disk, config, isSpare, engine, plants } = this.#deps;
    const clock = new VirtualClock(scheduler);
    const port = network.connect(this.id, clock);
    const rpc = (plants.rpc ?? same)(network.rpc(port));
    const life = `life ${++this.#lives}`;
    const real = createRaft(
      { self: this.id, isJoining: isSpare && disk.isEmpty, config },
      {
        storage: planted(disk, plants),
        transport: network.transport(port),
        rpc,
        clock,
        random: random.derive(life),
        logger: silentLogger,
        openPinset: (store) => {
          const pinset = openPinset(store, { log: silentLogger, observer: quiet });
          return this.#deps.watchPinset(this, (plants.pinset ?? same)(pinset));
        },
        onFailure: (cause) => this.#fails(cause),
        createEngine: (deps, options) => {
          const raft = createEngine({ ...deps, rules: plants.rules ?? {} }, { ...options, ...engine });
          return this.#observed((plants.engine ?? same)(raft));
        },
      },
    );
    const consensus = (plants.consensus ?? same)(real);
    rpc.register(methods.Consensus, {
      LogPin: async (pin) => {
        await consensus.logPin(pin);
        return nothing;
      },
      LogUnpin: async (pin) => {
        await consensus.logUnpin(pin);
        return nothing;
      },
      AddPeer: async (peer) => {
        await consensus.addPeer(peer);
        return nothing;
      },
      RmPeer: async (peer) => {
        await consensus.rmPeer(peer);
        return nothing;
      },
      Peers: () => consensus.peers(),
    });
    this.#life = { consensus, clock, port };
    this.#hasFailed = false;
    this.#hasStarted = false;
    consensus.start().then(
      () => {
        this.#hasStarted = true;
      },
      (cause: unknown) => {
        // It was stopped before it had started.
        if (errorCode(cause) !== 'consensus/stopped') this.#fails(cause);
      },
    );
  }

  #fails(cause: unknown): void {
    this.#hasFailed = true;
    this.#deps.onFailure(this, cause);
  }

  /** @returns what the disk kept, for the trace; `undefined` when it was down. */
  crash(): string | undefined {
    if (this.#life === undefined) return undefined;
    this.#life.clock.stop();
    this.#deps.network.disconnect(this.#life.port);
    this.#life = undefined;
    return this.#deps.disk.crash();
  }

  /** @returns how many timers it has left behind. Never resolves when it crashes meanwhile. */
  async stop(): Promise<number> {
    const life = this.#life;
    if (life === undefined) return 0;
    await life.consensus.stop();
    if (this.#life !== life) return 0;
    const { timers } = life.clock;
    life.clock.stop();
    this.#deps.network.disconnect(life.port);
    this.#life = undefined;
    // What a slow disk has not done by now it need not do; the process is gone.
    this.#deps.disk.crash();
    return timers;
  }

  setClockRate(rate: number): void {
    this.#life?.clock.setRate(rate);
  }

  #observed(raft: Raft): Raft {
    this.#raft = raft;
    this.#hasFailed = false;
    this.#deps.onEngine(this);
    const incoming = new Map<number, Request>();
    return {
      step: (input) => {
        if (input.type === 'request') incoming.set(input.token, input.request);
        this.#deps.onInput(this, input);
        raft.step(input);
      },
      take: () => {
        const output = raft.take();
        this.#deps.onOutput(this, output, incoming);
        for (const { token } of output.replies) incoming.delete(token);
        return output;
      },
      status: () => raft.status(),
      matches: () => raft.matches(),
      entry: (index) => raft.entry(index),
      baseAt: (index) => raft.baseAt(index),
    };
  }
}

function planted(disk: VirtualDisk, { image = same, log = same, state = same }: Plants): RaftStorage {
  return over<RaftStorage>(disk, {
    open: async () => {
      const data = await disk.open();
      const seen = over(data.log, { load: async () => image(await data.log.load()) });
      return { ...data, log: over(seen, log(seen)), state: state(data.state) };
    },
  });
}

function same<T>(value: T): T {
  return value;
}

const quiet = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };

/** Whether the failed act may still happen. */
export function isRefused(error: unknown): boolean {
  return error instanceof OperatingError && error.outcome === 'refused';
}
