/** One peer of a world: the real consensus over virtual clock, network and disk, looked on by the checkers. */
import { OperatingError, type SeededRandom, silentLogger } from '../../base/index.ts';
import { openPinset } from '../../cluster/index.ts';
import type { Consensus } from '../../cluster/ports.ts';
import {
  createRaft as createEngine,
  type Output,
  type Raft,
  type Request,
  type Rules,
  type Status,
} from '../../core/raft/index.ts';
import { createRaft, type RaftConsensusOptions } from '../../io/consensus/index.ts';
import { methods, nothing, type PeerId } from '../../model/index.ts';
import type { PeerView } from '../checkers/peer-view.ts';
import type { DiskImage } from '../image.ts';
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
  /** Planted bugs. */
  readonly rules: Partial<Rules>;
  /** Each output of the engine, before the shell sees it. What it throws is a finding. */
  readonly onOutput: (peer: WorldPeer, output: Output, incoming: ReadonlyMap<number, Request>) => void;
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

  constructor(name: string, id: PeerId, deps: WorldPeerDeps) {
    this.name = name;
    this.id = id;
    this.#deps = deps;
  }

  get isUp(): boolean {
    return this.#life !== undefined;
  }

  get image(): DiskImage {
    return this.#deps.disk.image;
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

  get status(): Status | undefined {
    return this.#life === undefined ? undefined : this.#raft?.status();
  }

  /** `undefined` while it is down. */
  get consensus(): Consensus | undefined {
    return this.#life?.consensus;
  }

  boot(onStarted: () => void): void {
    if (this.#life !== undefined) return;
    const { scheduler, network, random, disk, config, isSpare, rules } = this.#deps;
    const clock = new VirtualClock(scheduler);
    const port = network.connect(this.id, clock);
    const rpc = network.rpc(port);
    const life = `life ${++this.#lives}`;
    const consensus = createRaft(
      { self: this.id, isJoining: isSpare && disk.isEmpty, config },
      {
        storage: disk,
        transport: network.transport(port),
        rpc,
        clock,
        random: random.derive(life),
        logger: silentLogger,
        openPinset: (store) => openPinset(store, { log: silentLogger, observer: quiet }),
        onFailure: (cause) => this.#deps.onFailure(this, cause),
        createEngine: (deps, options) => this.#observed(createEngine({ ...deps, rules }, options)),
      },
    );
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
    consensus.start().then(onStarted, (cause: unknown) => this.#deps.onFailure(this, cause));
  }

  /** @returns what the disk kept, for the trace; `undefined` when it was down. */
  crash(): string | undefined {
    if (this.#life === undefined) return undefined;
    this.#life.clock.stop();
    this.#deps.network.disconnect(this.#life.port);
    this.#life = undefined;
    return this.#deps.disk.crash();
  }

  async stop(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    await life.consensus.stop();
    life.clock.stop();
    this.#deps.network.disconnect(life.port);
    this.#life = undefined;
  }

  setClockRate(rate: number): void {
    this.#life?.clock.setRate(rate);
  }

  #observed(raft: Raft): Raft {
    this.#raft = raft;
    const incoming = new Map<number, Request>();
    return {
      step: (input) => {
        if (input.type === 'request') incoming.set(input.token, input.request);
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

const quiet = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };

/** Whether the failed act may still happen. */
export function isRefused(error: unknown): boolean {
  return error instanceof OperatingError && error.outcome === 'refused';
}
