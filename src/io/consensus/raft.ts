/**
 * Agreement by Raft: the port `Consensus` over the engine, a durable log and a pinset.
 * Source: Go `consensus/raft/consensus.go`, `raft.go`; the texts of errors are theirs.
 */
import { type Clock, errorMessage, type Logger, OperatingError, type Random } from '../../base/index.ts';
import type { CallOptions, Consensus, Datastore, Pinset, Rpc } from '../../cluster/ports.ts';
import {
  bootstrapOps,
  type createRaft as createEngine,
  joinOps,
  type LogImage,
  type LogIndex,
  type Status,
} from '../../core/raft/index.ts';
import type { RaftConfig } from '../../model/config/index.ts';
import {
  type LogPosition,
  type Nothing,
  type PeerId,
  type Pin,
  type ProposeRequest,
  raftCommandCodec,
  raftLeaderMethods,
} from '../../model/index.ts';
import type { RpcNode } from '../rpc/index.ts';
import { type Answer, type DriverOptions, RaftDriver } from './driver.ts';
import { givenUp, noLeader, noLeaderInTime, refusal, stopped } from './errors.ts';
import { LatePinset } from './late-pinset.ts';
import type { RaftData, RaftStorage, RaftTransport, ReplicatedPinset } from './ports.ts';
import { Writes } from './writes.ts';

/** Who the peer is and how it starts. */
export interface RaftConsensusOptions {
  readonly self: PeerId;
  /** Join a running cluster: data of an earlier life is moved away, and the peer waits to be added. */
  readonly isJoining: boolean;
  readonly config: RaftConfig;
}

/** The world of a Raft peer: everything that the simulator replaces. */
export interface RaftConsensusDeps {
  readonly storage: RaftStorage;
  readonly transport: RaftTransport;
  /** Calls the leader, and serves what followers ask when this peer leads. Not started yet. */
  readonly rpc: Rpc & Pick<RpcNode, 'register'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Makes the engine; for the simulator, which looks on. Default: the engine as it is. */
  readonly createEngine?: typeof createEngine;
  /** Opens the pinset over the store of `storage`; it tells its observer of what is applied. */
  readonly openPinset: (store: Datastore) => ReplicatedPinset;
  /** The disk, or an invariant, has failed: this peer is read-only from now on. Called at most once. */
  readonly onFailure: (cause: Error) => void;
  /** Role, term, leader or configuration have changed. Must not throw. */
  readonly onStatus?: (status: Status) => void;
}

const neverJoined = 'this peer was to join a cluster that has not answered yet: start it with --bootstrap to ask again';

/** How long `stop` waits for a disk that does not answer. */
const stopTimeoutMs = 3000;

/**
 * Makes the consensus of a peer.
 *
 * **Errors** of `start`: those of the storage, `store/damaged`, `raft/state-ahead`, `raft/state-behind`. Of writes:
 * `consensus/no-leader`, `consensus/timeout`, `consensus/busy`, `consensus/too-large`, `consensus/read-only`,
 * `consensus/cancelled`, `consensus/stopped`, and what the leader answered; `outcome` tells whether the write may still happen.
 */
export function createRaft(options: RaftConsensusOptions, deps: RaftConsensusDeps): Consensus {
  return new RaftConsensus(options, { ...deps, logger: deps.logger.scope('raft') });
}

interface Running {
  readonly data: RaftData;
  readonly driver: RaftDriver;
  readonly state: ReplicatedPinset;
  readonly writes: Writes;
}

class RaftConsensus implements Consensus {
  readonly #options: RaftConsensusOptions;
  readonly #deps: RaftConsensusDeps;
  readonly #pinset = new LatePinset();
  #running: Running | undefined;
  #starting: Promise<void> | undefined;
  #life: 'new' | 'starting' | 'started' | 'stopped' = 'new';

  constructor(options: RaftConsensusOptions, deps: RaftConsensusDeps) {
    this.#options = options;
    this.#deps = deps;
    deps.rpc.register(raftLeaderMethods, {
      Propose: (request) => this.#servePropose(request),
      Read: () => this.#serveRead(),
    });
  }

  async start(): Promise<void> {
    if (this.#life !== 'new') return;
    this.#life = 'starting';
    this.#starting = this.#start();
    await this.#starting;
  }

  async #start(): Promise<void> {
    const { storage, clock, random, transport, rpc, logger, onFailure } = this.#deps;
    const { self, config } = this.#options;
    const { data, image: found } = await this.#open();
    try {
      const state = this.#deps.openPinset(data.state);
      const image = await this.#begun(data.log, found, state.applied);
      if (this.#life === 'stopped') throw stopped();
      const driver = new RaftDriver(
        {
          self,
          clock,
          random,
          log: data.log,
          image,
          state,
          transport,
          logger,
          onFailure,
          ...(this.#deps.createEngine && { createEngine: this.#deps.createEngine }),
          ...(this.#deps.onStatus && { onStatus: this.#deps.onStatus }),
        },
        driverOptions(config),
      );
      const writes = new Writes(writesOptions(self, config), { driver, pinset: state, rpc, clock, logger });
      this.#running = { data, driver, state, writes };
      this.#pinset.become(state);
      transport.handle((from, request) => driver.handle(from, request));
      driver.start();
    } catch (error) {
      await Promise.all([data.log.close(), data.state.close()]);
      this.#life = 'stopped';
      if (error instanceof OperatingError) {
        throw new OperatingError(error.code, `Cannot start from "${storage.path}": ${error.message}`, { cause: error });
      }
      throw error;
    }
    this.#life = 'started';
  }

  async stop(): Promise<void> {
    if (this.#life === 'stopped') return;
    this.#life = 'stopped';
    this.#pinset.end();
    const running = this.#running;
    // A start that is under way finds out when its files are open, and closes them.
    if (running === undefined) return this.#atMost(stopTimeoutMs, this.#starting?.catch(() => {}) ?? Promise.resolve());
    this.#deps.transport.close();
    const { data, driver } = running;
    const closed = driver.stop().then(() => Promise.all([data.log.close(), data.state.close()]));
    await this.#atMost(stopTimeoutMs, closed);
  }

  async ready({ timeoutMs, signal }: CallOptions = {}): Promise<void> {
    const { driver } = this.#use();
    const { self, config } = this.#options;
    const wait = async (isDone: () => boolean, action: string, limitMs: number): Promise<void> => {
      await driver.changes.until(() => isDone() || undefined, {
        timeoutMs: timeoutMs ?? limitMs,
        signal,
        onTimeout: () => new OperatingError('consensus/not-ready', `error ${action}: context deadline exceeded`),
        onAbort: () => givenUp('The wait for consensus', signal, 'refused'),
      });
    };
    const limitMs = config.waitForLeaderTimeoutMs;
    await wait(() => driver.status.leader !== undefined, 'waiting for leader', limitMs);
    await wait(() => isVoter(driver.status, self), 'waiting to become a Voter', limitMs);
    // A long log may take long; as long as it goes on, it is waited for.
    const goal = driver.status.lastIndex;
    while (driver.applied < goal) {
      const before = driver.applied;
      await wait(() => driver.applied > before, 'waiting for consensus updates', limitMs);
    }
  }

  logPin(pin: Pin, options?: CallOptions): Promise<void> {
    return this.#write((writes) => writes.log({ type: 'pin', pin }, options));
  }

  logUnpin(pin: Pin, options?: CallOptions): Promise<void> {
    return this.#write((writes) => writes.log({ type: 'unpin', pin }, options));
  }

  addPeer(peer: PeerId, options?: CallOptions): Promise<void> {
    const server = { id: peer, suffrage: 'voter' as const };
    return this.#write(async (writes) => {
      await writes.change({ type: 'add', server }, options);
      await this.#seen(({ configuration }) => configuration.servers.some(({ id }) => id === peer));
    });
  }

  rmPeer(peer: PeerId, options?: CallOptions): Promise<void> {
    return this.#write(async (writes) => {
      await writes.change({ type: 'remove', peer }, options);
      await this.#seen(({ configuration }) => configuration.servers.every(({ id }) => id !== peer));
    });
  }

  async peers(): Promise<readonly PeerId[]> {
    const { servers } = this.#use().driver.status.configuration;
    return servers.map(({ id }) => id).sort();
  }

  leader(): PeerId {
    const { leader } = this.#use().driver.status;
    if (leader === undefined) throw noLeader();
    return leader;
  }

  pinset(): Pinset {
    return this.#pinset;
  }

  async waitForSync(options: CallOptions = {}): Promise<void> {
    const { driver, writes } = this.#use();
    // A Go leader does not tell its index: what has come here by now is all that can be waited for.
    const index = (await writes.readIndex(options)) ?? driver.status.lastIndex;
    await driver.changes.until(() => driver.applied >= index || undefined, {
      timeoutMs: options.timeoutMs ?? this.#options.config.waitForLeaderTimeoutMs,
      signal: options.signal,
      onTimeout: () => noLeaderInTime('refused'),
      onAbort: () => givenUp('The wait for updates', options.signal, 'refused'),
    });
  }

  isTrustedPeer(): boolean {
    return true;
  }

  async clean(): Promise<void> {
    if (this.#life !== 'stopped') {
      throw new OperatingError('consensus/running', 'consensus component is not shutdown');
    }
    await this.#deps.storage.moveAway();
  }

  #use(): Running {
    if (this.#life !== 'started' || this.#running === undefined) throw stopped();
    return this.#running;
  }

  async #write(act: (writes: Writes) => Promise<void>): Promise<void> {
    await act(this.#use().writes);
  }

  /** A change of members is done at the leader; here it is for those who ask next. */
  async #seen(isSeen: (status: Status) => boolean): Promise<void> {
    const { driver } = this.#use();
    await driver.changes
      .until(() => isSeen(driver.status) || undefined, {
        timeoutMs: this.#options.config.heartbeatTimeoutMs,
        onTimeout: stopped,
        onAbort: stopped,
      })
      .catch((error: unknown) =>
        this.#deps.logger.debug('the change of members has not come here yet', { error: errorMessage(error) }),
      );
  }

  async #open(): Promise<{ readonly data: RaftData; readonly image: LogImage }> {
    const { storage, logger } = this.#deps;
    const { isJoining } = this.#options;
    let data = await storage.open();
    try {
      let image = await data.log.load();
      if (isJoining && image.entries.length > 0) {
        logger.warn('joining with data of an earlier life, which is kept as a backup', { path: storage.path });
        await Promise.all([data.log.close(), data.state.close()]);
        await storage.moveAway();
        data = await storage.open();
        image = await data.log.load();
      }
      return { data, image };
    } catch (error) {
      this.#life = 'stopped';
      await Promise.all([data.log.close(), data.state.close()]);
      throw error;
    }
  }

  /** The log with its first record. One that is empty below a state has been lost, and is left as it is. */
  async #begun(log: RaftData['log'], image: LogImage, applied: LogIndex): Promise<LogImage> {
    const { self, isJoining, config } = this.#options;
    if (image.entries.length > 0 || applied > 0) return image;
    if (image.hard.term > 0) {
      if (!isJoining) this.#deps.logger.warn(neverJoined);
      return image;
    }
    await log.write(isJoining ? joinOps : bootstrapOps([...config.initPeerset, self]));
    return await log.load();
  }

  async #servePropose({ term, command }: ProposeRequest): Promise<LogPosition> {
    const { driver } = this.#use();
    // Whatever gets into the log is applied by everyone: it is read before.
    const { type } = raftCommandCodec.decode(command ?? new Uint8Array(0));
    if (command === null || type === 'unknown') {
      throw new OperatingError('consensus/bad-command', 'the type of the command is unknown');
    }
    return positionOf(await driver.propose(command, term));
  }

  async #serveRead(_: Nothing = {}): Promise<LogPosition> {
    return positionOf(await this.#use().driver.read());
  }

  async #atMost(limitMs: number, act: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#deps.clock.after(limitMs, resolve);
      const end = (): void => {
        cancel();
        resolve();
      };
      act.then(end, (error: unknown) => {
        this.#deps.logger.warn('stopped with an error', { error: errorMessage(error) });
        end();
      });
    });
  }
}

function positionOf(answer: Answer): LogPosition {
  if (answer.outcome === 'refused') throw refusal(answer.reason, answer.leader);
  return { index: answer.index };
}

function isVoter({ configuration }: Status, peer: PeerId): boolean {
  return configuration.servers.some(({ id, suffrage }) => id === peer && suffrage === 'voter');
}

/** The reference's times: a follower waits between one and two heartbeat timeouts, a leader sends ten in one. */
function driverOptions(config: RaftConfig): DriverOptions {
  const tickMs = Math.max(1, config.heartbeatTimeoutMs / 10);
  const electionTicks = Math.max(3, Math.round(config.heartbeatTimeoutMs / tickMs));
  return {
    tickMs,
    engine: {
      electionTicks,
      electionSpreadTicks: electionTicks,
      heartbeatTicks: 1,
      appendTimeoutTicks: Math.max(electionTicks, Math.ceil(config.networkTimeoutMs / tickMs)),
      entriesPerAppendMax: config.maxAppendEntries,
    },
  };
}

function writesOptions(self: PeerId, config: RaftConfig) {
  const { waitForLeaderTimeoutMs, networkTimeoutMs, commitRetries, commitRetryDelayMs, heartbeatTimeoutMs } = config;
  return {
    self,
    waitForLeaderTimeoutMs,
    networkTimeoutMs,
    commitRetries,
    commitRetryDelayMs,
    newLeaderMs: 2 * heartbeatTimeoutMs,
  };
}
