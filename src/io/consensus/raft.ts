/**
 * Agreement by Raft: the port `Consensus` over the engine, a durable log and a pinset.
 * Source: Go `consensus/raft/consensus.go`, `raft.go`; the texts of errors are theirs.
 */
import {
  type Clock,
  errorCode,
  errorMessage,
  type Logger,
  LogLimit,
  OperatingError,
  pause,
  type Random,
} from '../../base/index.ts';
import type { CallOptions, Consensus, Datastore, Pinset, Rpc, WriteOptions } from '../../cluster/ports.ts';
import {
  type Base,
  bootstrapOps,
  type createRaft as createEngine,
  joinOps,
  type LogImage,
  type LogIndex,
  type PreviousLog,
  type Status,
  type Term,
  termBehind,
} from '../../core/raft/index.ts';
import type { RaftConfig } from '../../model/config/index.ts';
import {
  type ChangeRequest,
  decodePin,
  type LogPosition,
  methods,
  type Nothing,
  nothing,
  type PeerId,
  type Pin,
  type ProposeRequest,
  raftCommandCodec,
  raftLeaderMethods,
} from '../../model/index.ts';
import type { RpcNode } from '../rpc/index.ts';
import { decodeBase } from './base-tag.ts';
import { type Answer, type DriverOptions, RaftDriver } from './driver.ts';
import { givenUp, noLeader, noReadIndex, notAppliedInTime, refusal, stopped, unconfirmedRead } from './errors.ts';
import { LatePinset } from './late-pinset.ts';
import { isMember, membersOf, membersOfImage, previousLogOf, reaches } from './membership.ts';
import type { RaftData, RaftStorage, RaftTransport, ReplicatedPinset } from './ports.ts';
import { replay } from './replay.ts';
import { refusalOfChange, Writes } from './writes.ts';

/** Who the peer is and how it starts. */
export interface RaftConsensusOptions {
  readonly self: PeerId;
  /** Join a running cluster: data of another cluster is moved away, and the peer waits to be added. */
  readonly isJoining: boolean;
  /** A peer that is a member by its own data goes on with it, whoever is to be joined, and asks nobody. Default false. */
  readonly joinsOnce?: boolean;
  /**
   * Peers of the cluster to be joined. Data that names one of them as a fellow member is kept, and so is data of a member that none of
   * them disowns: a voter that threw it away would forget what it has acknowledged, and whom it gave its vote.
   */
  readonly bootstrapPeers?: readonly PeerId[];
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
  /**
   * An invariant is broken, or the data is damaged: this peer is read-only, and must end. Called at most once. A failed disk is
   * waited for.
   */
  readonly onFailure: (cause: Error) => void;
  /** The disk takes writes again, and the state was opened anew: it may have more than the pinset's observer was told of. */
  readonly onReopened?: () => void;
  /** Role, term, leader or configuration have changed. Must not throw. */
  readonly onStatus?: (status: Status) => void;
}

const waitsToJoin =
  'this peer is a member of nothing: it was removed from its cluster, or was to join one that has not answered yet. Start it with ' +
  '--bootstrap <address of a member> to join; after "state cleanup" it begins a cluster of its own';

const unsureOfRemoval =
  'this peer may have been removed, but not all members confirm that: it keeps its data, and asks them again';

const memberAlready = 'this peer is a member already and keeps its data: --bootstrap is for the first start';
const unsureOfCluster =
  'this peer keeps its data: it is a member of a cluster, and no bootstrap peer answers that it is in another one';

/** How long another peer may take to say who its members are: with that it tells of its IPFS node, for which it waits up to 5 s. */
const askTimeoutMs = 10_000;

/** Between questions of a member that hears no leader: whether it is one still. An election is over by then. */
const askIntervalMs = 15_000;

/** How long `stop` waits for a disk that does not answer. */
const stopTimeoutMs = 3000;

/** Between looks whether a failed disk takes writes again: the first, and, doubled each time, the longest. */
const reopenDelayMinMs = 1000;
const reopenDelayMaxMs = 30_000;
/** What may be over by itself. Any other failure of log or state, damage above all, ends the peer. */
const passingFailures = ['store/full', 'store/io', 'store/locked'];

/**
 * Makes the consensus of a peer.
 *
 * **Errors** of `start`: those of the storage, `store/damaged`, `raft/state-ahead`, `raft/state-behind`. Of writes:
 * `consensus/no-leader`, `consensus/timeout`, `consensus/busy`, `consensus/changed`, `consensus/too-large`, `consensus/read-only`,
 * `consensus/cancelled`, `consensus/stopped`, and what the leader answered; `outcome` tells whether the write may still happen.
 */
export function createRaft(options: RaftConsensusOptions, deps: RaftConsensusDeps): Consensus {
  return new RaftConsensus(options, { ...deps, logger: deps.logger.scope('raft') });
}

interface Opened {
  readonly data: RaftData;
  readonly image: LogImage;
  readonly state: ReplicatedPinset;
  readonly previousLog: PreviousLog | undefined;
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
  readonly #pinset: LatePinset = new LatePinset((error) => this.#running?.driver.fail(error));
  #running: Running | undefined;
  #starting: Promise<void> | undefined;
  /** Waits for a failed disk. */
  #reopening: Promise<void> | undefined;
  /** The state alone, while the rest cannot be opened. */
  #reading: Datastore | undefined;
  /** The peer was told to end. */
  #isLost = false;
  #isClean = false;
  /** When the other members may be asked again whether this peer is one. */
  #nextAskMs = 0;
  readonly #logLimit: LogLimit;
  readonly #stopping = new AbortController();
  #life: 'new' | 'starting' | 'started' | 'stopped' = 'new';

  constructor(options: RaftConsensusOptions, deps: RaftConsensusDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#logLimit = new LogLimit(deps.clock);
    deps.rpc.register(raftLeaderMethods, {
      Propose: (request) => this.#servePropose(request),
      Change: (request) => this.#serveChange(request),
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
    try {
      await this.#run(await this.#openToStart());
    } catch (error) {
      this.#life = 'stopped';
      throw error;
    }
    this.#life = 'started';
  }

  /** Takes part with this data, or closes it again and rejects. */
  async #run({ data, image: found, state, previousLog }: Opened): Promise<void> {
    const { clock, random, transport, rpc, logger, createEngine, onStatus } = this.#deps;
    const { self, config } = this.#options;
    try {
      const image = await this.#begun(data.log, found, state);
      await replay(state, image, logger);
      if (previousLog !== undefined && !reaches(image, previousLog)) {
        const { index, term } = previousLog;
        logger.info('votes for no log that is older than the one that this peer has put away', { index, term });
      }
      if (this.#life === 'stopped') throw stopped();
      const driver: RaftDriver = new RaftDriver(
        {
          self,
          clock,
          random,
          log: data.log,
          image,
          state,
          ...(previousLog && { previousLog }),
          snapshots: data.snapshots,
          transport,
          logger,
          onFailure: (error) => this.#onFailure(error),
          ...(createEngine && { createEngine }),
          ...(onStatus && { onStatus }),
        },
        driverOptions(config),
      );
      const writes = new Writes(writesOptions(self, config), { driver, pinset: state, rpc, clock, logger });
      this.#running = { data, driver, state, writes };
      this.#pinset.become(state);
      transport.handle((from, request, body) => driver.handle(from, request, body));
      driver.start();
    } catch (error) {
      await closeData(data);
      throw this.#cannotStart(error);
    }
  }

  /** Says where, of what the parts say about themselves. */
  #cannotStart(cause: unknown): unknown {
    if (!(cause instanceof OperatingError)) return cause;
    return new OperatingError(cause.code, `Cannot start from "${this.#deps.storage.path}": ${cause.message}`, {
      cause,
    });
  }

  /** A broken invariant, or a state of another cluster, ends the peer; a disk may be full for a while. */
  #onFailure(error: OperatingError): void {
    if (!(error.cause instanceof OperatingError) || !passingFailures.includes(error.cause.code)) {
      this.#isLost = true;
      this.#deps.onFailure(error);
      return;
    }
    const { storage, logger } = this.#deps;
    logger.error('this peer is read-only until its disk takes writes again', {
      path: storage.path,
      cause: error.cause.message,
    });
    this.#reopening ??= this.#reopen();
  }

  /**
   * Waits until the disk takes writes, then opens everything anew: what a failed write has left behind is found out as after a
   * crash. Meanwhile the state is there to be read.
   */
  async #reopen(): Promise<void> {
    const { storage, logger } = this.#deps;
    let told = '';
    try {
      for (let delayMs = reopenDelayMinMs; ; delayMs = Math.min(2 * delayMs, reopenDelayMaxMs)) {
        await pause(this.#deps.clock, delayMs, this.#stopping.signal);
        const running = this.#running;
        if (this.#life !== 'started' || this.#isLost || running === undefined) return;
        try {
          await storage.probe();
          await this.#takePartAgain(running);
          // It may have failed again by now.
          if (this.#running?.driver.ended === undefined) return;
        } catch (error) {
          if (this.#life !== 'started') return;
          if (!passingFailures.includes(errorCode(error))) {
            this.#isLost = true;
            this.#deps.onFailure(error instanceof Error ? error : new Error(errorMessage(error)));
            return;
          }
          if (errorCode(error) !== told) logger.warn('the disk still fails', { error: errorMessage(error) });
          told = errorCode(error);
        }
      }
    } finally {
      // At once: the next failure may come before whoever waits for the end of this one.
      this.#reopening = undefined;
    }
  }

  /** Rejects when that cannot be; then the state is opened alone, to be read. */
  async #takePartAgain(running: Running): Promise<void> {
    const { storage, logger } = this.#deps;
    await running.driver.stop();
    this.#pinset.suspend();
    await closeData(running.data);
    await this.#closeReading();
    try {
      await this.#run(await this.#open());
      this.#deps.onReopened?.();
    } catch (error) {
      await this.#openToRead();
      throw error;
    }
    logger.info('the disk takes writes again: this peer takes part again', { path: storage.path });
  }

  /** As it is, without a replay: nothing can be written, and what this process has written is there to be read. */
  async #openToRead(): Promise<void> {
    try {
      this.#reading = await this.#deps.storage.openState();
      this.#pinset.become(this.#openPinset(this.#reading));
    } catch (error) {
      await this.#closeReading();
      this.#deps.logger.warn('the pinset cannot be read meanwhile', { error: errorMessage(error) });
    }
  }

  async #closeReading(): Promise<void> {
    const reading = this.#reading;
    this.#reading = undefined;
    await reading?.close();
  }

  async stop(): Promise<void> {
    if (this.#life === 'stopped') return;
    this.#life = 'stopped';
    this.#stopping.abort();
    // A start that is under way finds out when its files are open, and closes them.
    await this.#atMost(stopTimeoutMs, Promise.all([this.#starting?.catch(() => {}), this.#reopening]));
    const running = this.#running;
    if (running !== undefined) await this.#handOver(running.driver);
    this.#pinset.end();
    this.#deps.transport.close();
    if (running === undefined) return;
    await this.#atMost(
      stopTimeoutMs,
      running.driver
        .stop()
        .then(() => closeData(running.data))
        .then(() => this.#closeReading()),
    );
  }

  /** A leader that goes sees to it that there is another one: nobody has to wait for an election timeout. */
  async #handOver(driver: RaftDriver): Promise<void> {
    const { role, configuration } = driver.status;
    if (role !== 'leader' || configuration.servers.length < 2 || driver.ended !== undefined) return;
    await this.#atMost(this.#options.config.heartbeatTimeoutMs, driver.transfer());
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

  logPin(pin: Pin, options?: WriteOptions): Promise<void> {
    return this.#write((writes) => writes.log({ type: 'pin', pin }, options));
  }

  logUnpin(pin: Pin, options?: WriteOptions): Promise<void> {
    // A Go leader's entries take what they lack from the entry before them (`model/raft-command.ts`): the next pin would have expired.
    const gone = { ...pin, expireAt: null };
    return this.#write((writes) => writes.log({ type: 'unpin', pin: gone }, options));
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
      await this.#seen((status) => !membersOf(status).includes(peer));
    });
  }

  async peers(): Promise<readonly PeerId[]> {
    return membersOf(this.#use().driver.status);
  }

  async isRemoved(options: CallOptions = {}): Promise<boolean> {
    if (this.#life !== 'started' || this.#running === undefined) return false;
    const { self } = this.#options;
    const { configuration, configurationIndex, commit, leader } = this.#running.driver.status;
    // Whoever is led is a member, or about to read in the log that it is one again.
    if (configurationIndex === 0 || leader !== undefined) return false;
    const others = configuration.servers.map(({ id }) => id).filter((id) => id !== self);
    const wasMember = isMember(configuration, self);
    if (wasMember) {
      // It may have been removed while it was away: nobody sends it anything then, so it asks when it hears nobody.
      const nowMs = this.#deps.clock.now();
      if (others.length === 0 || nowMs < this.#nextAskMs) return false;
      this.#nextAskMs = nowMs + askIntervalMs;
    }
    // That the removal in this log is committed is not enough: the log may be the beginning of one in which this peer is a member
    // again, and has acknowledged entries and voted since. And a Go leader does not tell that it is committed. When it is, a majority
    // of the others is enough: one of them would have what was committed after it. Else all of them have to know of it.
    const answers = await Promise.all(others.map((peer) => this.#membersBy(peer, options)));
    const disowns = (members: readonly PeerId[] | undefined): boolean => members?.includes(self) === false;
    const isCommitted = !wasMember && commit >= configurationIndex;
    const count = answers.filter(disowns).length;
    const isNamed = answers.some((members) => members?.includes(self));
    if (!isNamed && (isCommitted ? count * 2 > others.length : count === others.length)) return true;
    const isInDoubt = wasMember ? answers.some(disowns) : true;
    if (isInDoubt && this.#logLimit.allows('doubt')) this.#deps.logger.warn(unsureOfRemoval);
    return false;
  }

  /** What another peer says; `undefined` when it does not answer, or is no member of anything itself. */
  async #membersBy(peer: PeerId, options: CallOptions): Promise<readonly PeerId[] | undefined> {
    const { rpc, logger } = this.#deps;
    try {
      const { clusterPeers } = await rpc.call(peer, methods.Cluster.ID, nothing, {
        timeoutMs: askTimeoutMs,
        ...options,
      });
      return clusterPeers?.includes(peer) === true ? clusterPeers : undefined;
    } catch (error) {
      logger.debug('a peer does not tell its members', { peer, error: errorMessage(error) });
      return undefined;
    }
  }

  leader(): PeerId {
    const { driver } = this.#use();
    const { leader } = driver.status;
    if (leader === undefined || driver.ended !== undefined) throw noLeader();
    return leader;
  }

  pinset(): Pinset {
    return this.#pinset;
  }

  async waitForSync(options: CallOptions = {}): Promise<void> {
    // A Go leader does not tell its index: what has come here by now is all that can be waited for.
    await this.#readyToRead(options, ({ status }) => status.lastIndex);
  }

  async readBarrier(options: CallOptions = {}): Promise<void> {
    try {
      await this.#readyToRead(options, ({ status }) => {
        throw noReadIndex(status.leader);
      });
    } catch (error) {
      if (options.signal?.aborted === true) throw givenUp('The read', options.signal, 'refused');
      throw unconfirmedRead(error);
    }
  }

  /** Until what the leader's read index says is applied here; `withoutIndex` decides where a Go peer leads. */
  async #readyToRead(options: CallOptions, withoutIndex: (driver: RaftDriver) => LogIndex): Promise<void> {
    const { driver, writes } = this.#use();
    const { clock } = this.#deps;
    const endMs = clock.now() + (options.timeoutMs ?? this.#options.config.waitForLeaderTimeoutMs);
    const index = (await writes.readIndex(options)) ?? withoutIndex(driver);
    await driver.changes.until(() => driver.applied >= index || undefined, {
      timeoutMs: Math.max(0, endMs - clock.now()),
      signal: options.signal,
      onTimeout: () => notAppliedInTime(index, driver.applied),
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
    if (this.#isClean) return;
    const { storage } = this.#deps;
    const data = await storage.open();
    let image: LogImage;
    try {
      image = await data.log.load();
    } finally {
      await closeData(data);
    }
    // Started again as it was, this peer must not become a cluster of its own that acknowledges what no other one will ever see. And
    // whoever has missed this peer's removal may ask it for its vote still.
    if (!isEmpty(image)) await storage.beginAnew(joinOps(image.hard), previousLogOf(image, data.previousLog));
    this.#isClean = true;
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

  async #open(): Promise<Opened> {
    const data = await this.#deps.storage.open();
    try {
      const image = await data.log.load();
      return { data, image, state: this.#openPinset(data.state), previousLog: data.previousLog };
    } catch (error) {
      await closeData(data);
      throw error;
    }
  }

  #openPinset(store: Datastore): ReplicatedPinset {
    try {
      return this.#deps.openPinset(store);
    } catch (error) {
      throw this.#cannotStart(error);
    }
  }

  /** Data of another cluster is moved away. */
  async #openToStart(): Promise<Opened> {
    const { storage, logger } = this.#deps;
    const { self, isJoining, joinsOnce = false } = this.#options;
    const opened = await this.#open();
    if (!isJoining) return opened;
    if (isEmpty(opened.image)) return await this.#withoutOtherCluster(opened);
    const members = membersOfImage(opened.image, opened.state.applied);
    if (joinsOnce && members.includes(self)) return opened;
    const whyKept = await this.#whyKept(members);
    if (whyKept !== undefined) {
      logger.warn(whyKept);
      return opened;
    }
    logger.warn('joining with data of another cluster, which is kept as a backup', { path: storage.path });
    const previous = previousLogOf(opened.image, opened.previousLog);
    const isOther = await this.#isOfOtherCluster(previous, opened.image.base.index > 0);
    await closeData(opened.data);
    if (isOther) await storage.beginAnew(joinOps(), undefined);
    else await storage.beginAnew(joinOps(opened.image.hard), previous);
    return await this.#open();
  }

  /** A peer that was removed from one cluster and joins another votes there as if it had never been in the first. */
  async #withoutOtherCluster(opened: Opened): Promise<Opened> {
    const { previousLog } = opened;
    if (previousLog === undefined || !(await this.#isOfOtherCluster(previousLog, true))) return opened;
    this.#deps.logger.info('joining another cluster than the one that this peer was removed from');
    await this.#deps.storage.forgetPreviousLog();
    return { ...opened, previousLog: undefined };
  }

  /**
   * Whether nobody who could know this peer from a log that it puts away is of the cluster that it joins: it was alone there, or the
   * bootstrap peers name none of them. Only then it may forget what it has acknowledged. `mayHaveForgotten`: the log does not tell of
   * all members that there were.
   */
  async #isOfOtherCluster({ members }: PreviousLog, mayHaveForgotten: boolean): Promise<boolean> {
    const { self, bootstrapPeers = [] } = this.#options;
    const known = members.filter((peer) => peer !== self);
    if (known.length === 0) return !mayHaveForgotten;
    const answers = await this.#membersByAll(bootstrapPeers.filter((peer) => peer !== self));
    const told = answers.filter((answer) => answer !== undefined);
    return told.length > 0 && told.every((answer) => !answer.some((peer) => known.includes(peer)));
  }

  /**
   * A bootstrap peer that the log knows is of the same cluster. One that it does not know may have joined while this peer was away,
   * and is asked. Only when one answers, and does not name this peer, the data is of no use to anybody.
   */
  async #whyKept(members: readonly PeerId[]): Promise<string | undefined> {
    const { self, bootstrapPeers = [] } = this.#options;
    if (!members.includes(self) || members.length === 1) return undefined;
    const others = bootstrapPeers.filter((peer) => peer !== self);
    if (others.some((peer) => members.includes(peer))) return memberAlready;
    const answers = await this.#membersByAll(others);
    if (answers.some((answer) => answer?.includes(self))) return memberAlready;
    return answers.every((answer) => answer === undefined) ? unsureOfCluster : undefined;
  }

  #membersByAll(peers: readonly PeerId[]): Promise<readonly (readonly PeerId[] | undefined)[]> {
    const options = { signal: this.#stopping.signal };
    return Promise.all(peers.map((peer) => this.#membersBy(peer, options)));
  }

  /** The log with its first record. One that is empty below a state has been lost, and is left as it is. */
  async #begun(log: RaftData['log'], image: LogImage, state: ReplicatedPinset): Promise<LogImage> {
    const { self, isJoining, config } = this.#options;
    const restored = state.restoredTag && decodeBase(state.restoredTag);
    if (restored !== undefined && state.applied === restored.index && isAhead(restored, image)) {
      // The engine replaces no state before the term is on disk: no crash has done this.
      if (image.hard.term < restored.term) throw termBehind(image.hard.term, restored.term);
      this.#deps.logger.info('finishing the installation of a snapshot', { index: restored.index });
      await log.write([{ type: 'reset', base: restored }]);
      return await log.load();
    }
    if (!isEmpty(image) || state.applied > 0) return image;
    if (image.hard.term > 0) {
      if (!isJoining) this.#deps.logger.warn(waitsToJoin);
      return image;
    }
    await log.write(isJoining ? joinOps() : bootstrapOps([...config.initPeerset, self]));
    return await log.load();
  }

  async #servePropose({ term, command, onlyIf }: ProposeRequest): Promise<LogPosition> {
    const { driver } = this.#use();
    // Whatever gets into the log is applied by everyone: it is read before.
    const { type, pin } = raftCommandCodec.decode(command ?? new Uint8Array(0));
    if (command === null || type === 'unknown') {
      throw new OperatingError('consensus/bad-command', 'the type of the command is unknown');
    }
    const condition = onlyIf === null ? {} : { onlyIf: decodePin(onlyIf, pin.cid) };
    return positionOf(await driver.propose(command, { fence: term, ...condition }));
  }

  async #serveChange({ term, peer, isRemoval }: ChangeRequest): Promise<LogPosition> {
    const change = isRemoval
      ? { type: 'remove' as const, peer }
      : { type: 'add' as const, server: { id: peer, suffrage: 'voter' as const } };
    const { driver } = this.#use();
    const { status } = driver;
    // Only the leader of that term, and then it is refused without any effect.
    if (status.role !== 'leader' || status.term !== term) throw refusal('not-leader', status.leader);
    const answer = await driver.change(change);
    if (answer.outcome === 'refused') throw refusalOfChange(change, answer);
    return positionOf(answer);
  }

  async #serveRead(_: Nothing = {}): Promise<LogPosition> {
    return positionOf(await this.#use().driver.read());
  }

  /** Whatever comes of it, but not longer. */
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

/** Both, whatever the other does. */
async function closeData({ log, state }: RaftData): Promise<void> {
  await Promise.all([log.close(), state.close()]);
}

function isEmpty({ base, entries }: LogImage): boolean {
  return entries.length === 0 && base.index === 0;
}

/** Whether a crash has come between a restored state and its log: the log does not know the entry that the state is of. */
function isAhead({ index, term }: Base, { base, entries }: LogImage): boolean {
  if (index < base.index) return false;
  const known: Term | undefined = index === base.index ? base.term : entries[index - base.index - 1]?.term;
  return known !== term;
}

function isVoter({ configuration }: Status, peer: PeerId): boolean {
  return configuration.servers.some(({ id, suffrage }) => id === peer && suffrage === 'voter');
}

/**
 * The reference's times: a follower waits between one and two heartbeat timeouts, a candidate between one and two election
 * timeouts, a leader sends ten heartbeats in a timeout. `commit_timeout` bounds how late a follower learns of a commit when
 * nothing else is sent; here it is told at once.
 */
function driverOptions(config: RaftConfig): DriverOptions {
  const tickMs = Math.max(1, config.heartbeatTimeoutMs / 10);
  const ticks = (ms: number): number => Math.round(ms / tickMs);
  const electionTicks = Math.max(3, ticks(config.heartbeatTimeoutMs));
  return {
    tickMs,
    engine: {
      electionTicks,
      electionSpreadTicks: electionTicks,
      candidateTicks: Math.max(electionTicks, ticks(config.electionTimeoutMs)),
      leaseTicks: Math.min(Math.max(2, ticks(config.leaderLeaseTimeoutMs)), electionTicks),
      heartbeatTicks: 1,
      appendTimeoutTicks: Math.max(electionTicks, Math.ceil(config.networkTimeoutMs / tickMs)),
      entriesPerAppendMax: config.maxAppendEntries,
    },
    snapshots: {
      intervalMs: config.snapshotIntervalMs,
      threshold: config.snapshotThreshold,
      trailing: config.trailingLogs,
      networkTimeoutMs: config.networkTimeoutMs,
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
