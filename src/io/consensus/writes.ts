/**
 * The way of one write to the log, from whichever peer was asked.
 *
 * The leader puts it into its log; others ask the leader. Trying again is safe only when the last try *cannot* take effect any
 * more, otherwise an old value could come back over a newer one. This is known
 *
 * 1. when a try was refused;
 * 2. when the leader did not answer, but an entry of a later term has been applied here: an entry of the leader's term that is
 *    not in the log by then never will be, and the request itself is refused by leaders of other terms (`ProposeRequest`).
 *    If a command with the same bytes was applied in that term, it may be ours or another client's: then a linearizable read
 *    tells whether the state is as asked for, which is as good as done; if not, the outcome stays unknown.
 *
 * A conditional write (`onlyIf`) is judged by the leader, against all of its log (`pins-at-log-end.ts`). A try that may have happened is
 * never repeated, so none is ever refused for what an earlier one of its own has written. A leader that leads no more may refuse for what
 * is long over: a linearizable read here confirms the refusal, and when that shows what was expected, it is tried again.
 *
 * So a leader that dies with requests under way costs its clients a second or two, and no error. A Go leader knows neither
 * terms nor positions in its calls: after a lost answer the outcome is unknown, and nothing is repeated.
 */
import { crc32 } from 'node:zlib';
import {
  assert,
  bytesEqual,
  type Clock,
  errorCode,
  errorMessage,
  type Logger,
  OperatingError,
  type Outcome,
} from '../../base/index.ts';
import type { CallOptions, Pinset, Rpc, WriteOptions } from '../../cluster/ports.ts';
import type { Configuration, ConfigurationChange, Entry, LogIndex, Status, Term } from '../../core/raft/index.ts';
import {
  encodePin,
  methods,
  nothing,
  type PeerId,
  type Pin,
  type RaftCommand,
  raftCommandCodec,
  raftLeaderMethods,
  type Time,
} from '../../model/index.ts';
import type { Answer, RaftDriver } from './driver.ts';
import { asUnknown, changed, givenUp, noLeaderInTime, notCommittedInTime, refusal } from './errors.ts';
import { isMember } from './membership.ts';
import { isStoredAs } from './pins-at-log-end.ts';

const epoch: Time = { seconds: 0, nanos: 0 };

/** Larger commands would hold up everyone's log. */
const commandBytesMax = 1 << 20;

export interface WritesOptions {
  readonly self: PeerId;
  /** How long a write may look for a leader that takes it. */
  readonly waitForLeaderTimeoutMs: number;
  /** How long one request to the leader may take. */
  readonly networkTimeoutMs: number;
  /** The reference tries this often again on the leader, and within each try this often again to reach it. */
  readonly commitRetries: number;
  readonly commitRetryDelayMs: number;
  /** After a leader could not be reached, how long the next one may take to appear. */
  readonly newLeaderMs: number;
}

export interface WritesDeps {
  readonly driver: RaftDriver;
  readonly pinset: Pinset;
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How one try has ended; `index` is absent when a Go leader has answered. */
type Try =
  | { readonly outcome: 'applied'; readonly index: LogIndex | undefined }
  | { readonly outcome: 'refused'; readonly error: Error }
  | { readonly outcome: 'unknown'; readonly error: Error };

interface Wait {
  readonly endMs: number;
  readonly signal: AbortSignal | undefined;
  /** `unknown` while something is under way that may take effect. */
  outcome: Outcome;
}

/** A command that the leader was asked to take. */
interface Forwarded {
  readonly term: Term;
  readonly bytes: Uint8Array;
  /** The same bytes were applied here, in that term. */
  isSeen: boolean;
}

interface Write extends Wait {
  readonly command: RaftCommand;
  readonly bytes: Uint8Array;
  /** What the pinset must have in its place. */
  readonly onlyIf: Pin | undefined;
}

export class Writes {
  readonly #options: WritesOptions;
  readonly #deps: WritesDeps;
  /** The last term whose leader was found to have no `RaftLeader` service, 0 before. */
  #foreignTerm: Term = 0;
  /** Without an answer yet, by the checksums of their bytes: every applied entry is looked up here. */
  readonly #forwarded = new Map<number, Set<Forwarded>>();

  constructor(options: WritesOptions, deps: WritesDeps) {
    this.#options = options;
    this.#deps = deps;
    deps.driver.onApplied((entry) => this.#onApplied(entry));
  }

  /** Resolves when the command is applied at the leader, and here unless a Go peer leads. */
  async log(command: RaftCommand, { timeoutMs, signal, onlyIf }: WriteOptions = {}): Promise<void> {
    const { clock, pinset } = this.#deps;
    assert(onlyIf === undefined || onlyIf.cid.equals(command.pin.cid), 'a write depends on the pin that it replaces');
    const { waitForLeaderTimeoutMs, commitRetries } = this.#options;
    if (this.#deps.driver.ended !== undefined) throw this.#deps.driver.ended;
    const bytes = raftCommandCodec.encode(command);
    if (bytes.length > commandBytesMax) {
      const text = `Cannot ${command.type} "${command.pin.cid}": ${bytes.length} bytes, at most ${commandBytesMax}`;
      throw new OperatingError('consensus/too-large', text);
    }
    const endMs = clock.now() + (timeoutMs ?? waitForLeaderTimeoutMs);
    const write: Write = { command, bytes, onlyIf, endMs, signal, outcome: 'refused' };
    const triesMax = (commitRetries + 1) ** 2;
    for (let count = 1; ; ) {
      const leader = await this.#leader(write);
      const isHere = leader === this.#options.self;
      const result = isHere ? await this.#tryHere(write) : await this.#tryThere(leader, write);
      if (result.outcome === 'applied') {
        // A Go leader tells its followers of a commit only with the next entries, or 50 to 100 ms later (hashicorp/raft
        // `Config.CommitTimeout`): its own followers do not wait for that either.
        if (result.index !== undefined) await this.#appliedHere(result.index, write);
        return;
      }
      // It takes nothing until that is over, which is no failed try; the time limit of the write still holds.
      const isHandingOver = isHere && errorCode(result.error) === 'consensus/not-leader';
      if (result.outcome === 'unknown') throw asUnknown(result.error);
      if (errorCode(result.error) === 'consensus/changed' && !(await this.#isAsExpected(write))) {
        throw changed(command, pinset.get(command.pin.cid));
      }
      if (count === triesMax && !isHandingOver) throw result.error;
      if (!isHandingOver) count++;
      this.#deps.logger.warn('trying a refused write again', { count, leader, error: result.error.message });
      await this.#changeOf(leader, write);
    }
  }

  /**
   * Adds or removes a member. Repeated only when the last try has had no effect, and never will: one that has happened, and was undone
   * by somebody else since, would happen again. When its outcome is unknown the members decide.
   */
  async change(change: ConfigurationChange, { timeoutMs, signal }: CallOptions = {}): Promise<void> {
    const { driver, clock, logger } = this.#deps;
    const { waitForLeaderTimeoutMs, commitRetries } = this.#options;
    const endMs = clock.now() + (timeoutMs ?? waitForLeaderTimeoutMs);
    const wait: Wait = { endMs, signal, outcome: 'refused' };
    const triesMax = (commitRetries + 1) ** 2;
    const { restores } = driver;
    let isSeen = false;
    const unlisten = driver.onApplied((entry) => {
      if (entry.type === 'configuration') isSeen ||= isMemberAfter(change) === hasMember(entry.configuration, change);
    });
    try {
      for (let count = 1; ; count++) {
        const leader = await this.#leader(wait);
        const { term } = driver.status;
        wait.outcome = 'unknown';
        try {
          return await this.#tryChange(leader, change, wait);
        } catch (error) {
          if (driver.ended !== undefined || clock.now() >= endMs || signal?.aborted === true) throw error;
          if (failedTry(error).outcome === 'unknown') {
            if (await this.#isChanged(change, wait)) return;
            // As with writes: nothing of that term which is not applied here by now can ever be.
            const isOver = driver.lastAppliedTerm > term && this.#foreignTerm !== term;
            if (!isOver || isSeen || driver.restores > restores) throw asUnknown(error);
          }
          if (errorCode(error) === 'consensus/last-voter' || count === triesMax) throw error;
          wait.outcome = 'refused';
          logger.warn('trying a change of members again', { count, leader, error: errorMessage(error) });
        }
        await this.#changeOf(leader, wait);
      }
    } finally {
      unlisten();
    }
  }

  async #tryChange(leader: PeerId, change: ConfigurationChange, wait: Wait): Promise<void> {
    const { driver, rpc } = this.#deps;
    if (leader === this.#options.self) {
      const answer = await this.#within(driver.change(change), wait);
      if (answer.outcome === 'refused' && answer.reason !== 'unchanged') throw refusalOfChange(change, answer);
      return;
    }
    const peer = peerOf(change);
    const options = this.#callOptions(wait);
    const { term } = driver.status;
    if (this.#foreignTerm !== term) {
      const request = { term, peer, isRemoval: change.type === 'remove' };
      try {
        await rpc.call(leader, raftLeaderMethods.Change, request, options);
        return;
      } catch (error) {
        if (errorCode(error) === 'consensus/unchanged') return;
        if (!isForeign(error)) throw error;
        this.#noteForeign(leader, term);
      }
    }
    const { AddPeer, RmPeer } = methods.Consensus;
    await rpc.call(leader, change.type === 'add' ? AddPeer : RmPeer, peer, options);
  }

  /** Whether the members are as asked for, in what is committed by now. One that is being staged is waited for. */
  async #isChanged(change: ConfigurationChange, wait: Wait): Promise<boolean> {
    const { driver, logger } = this.#deps;
    const { signal } = wait;
    try {
      const index = await this.readIndex({ timeoutMs: this.#leftMs(wait), ...(signal && { signal }) });
      const goal = index ?? driver.status.lastIndex;
      return await this.#until(() => (driver.applied < goal ? undefined : isInForce(change, driver.status)), wait);
    } catch (error) {
      logger.debug('what became of a change of members is not known', { error: errorMessage(error) });
      return false;
    }
  }

  /** The log index up to which a read sees all that was committed before; `undefined` when a Go peer leads. */
  async readIndex({ timeoutMs, signal }: CallOptions = {}): Promise<LogIndex | undefined> {
    const { driver, rpc, clock } = this.#deps;
    const endMs = clock.now() + (timeoutMs ?? this.#options.waitForLeaderTimeoutMs);
    const write: Wait = { endMs, signal, outcome: 'refused' };
    for (;;) {
      const leader = await this.#leader(write);
      const { term } = driver.status;
      try {
        if (leader === this.#options.self) {
          const answer = await this.#within(driver.read(), write);
          if (answer.outcome === 'applied') return answer.index;
        } else if (this.#foreignTerm === term) return undefined;
        else return (await rpc.call(leader, raftLeaderMethods.Read, nothing, this.#callOptions(write))).index;
      } catch (error) {
        if (isForeign(error)) this.#noteForeign(leader, term);
        else if (driver.ended !== undefined || clock.now() >= endMs || signal?.aborted === true) throw error;
      }
      if (this.#foreignTerm !== term) await this.#changeOf(leader, write);
    }
  }

  /** Who leads, as soon as anybody does. */
  #leader(write: Wait): Promise<PeerId> {
    const { driver, clock } = this.#deps;
    return driver.changes.until(() => driver.status.leader, {
      timeoutMs: Math.max(0, write.endMs - clock.now()),
      signal: write.signal,
      onTimeout: () => noLeaderInTime(write.outcome),
      onAbort: () => givenUp('The wait for a leader', write.signal, write.outcome),
    });
  }

  async #tryHere(write: Write): Promise<Try> {
    write.outcome = 'unknown';
    const { bytes, onlyIf } = write;
    const answer = await this.#within(this.#deps.driver.propose(bytes, onlyIf && { onlyIf }), write);
    write.outcome = 'refused';
    return tryOf(answer);
  }

  async #tryThere(leader: PeerId, write: Write): Promise<Try> {
    const { driver, rpc } = this.#deps;
    const { term } = driver.status;
    if (this.#foreignTerm === term) return this.#tryForeign(leader, write);
    // Listens before it asks: the entry can be applied here before the leader's answer comes.
    const forwarded: Forwarded = { term, bytes: write.bytes, isSeen: false };
    const unlisten = this.#listenFor(forwarded);
    // What a snapshot brought nobody has seen: it may be in there.
    const { restores } = driver;
    write.outcome = 'unknown';
    let answer: Try | undefined;
    const onlyIf = write.onlyIf === undefined ? null : encodePin(write.onlyIf);
    const call = rpc
      .call(leader, raftLeaderMethods.Propose, { term, command: write.bytes, onlyIf }, this.#callOptions(write))
      .then(
        ({ index }) => {
          answer = { outcome: 'applied', index };
        },
        (error: unknown) => {
          answer = failedTry(error);
        },
      );
    const check = (): Try | 'seen' | 'lost' | undefined => {
      if (answer !== undefined && answer.outcome !== 'unknown') return answer;
      // Nothing of that term which is not applied here yet can ever be. As long as it goes on, the request may still come to the
      // leader, late, and undo what was done since: that the same bytes were applied says nothing, they may be another client's.
      if (driver.lastAppliedTerm <= term) return undefined;
      return forwarded.isSeen || driver.restores > restores ? 'seen' : 'lost';
    };
    try {
      const result = await this.#until(check, write, call);
      if (result === 'seen') return await this.#tryByState(write);
      write.outcome = 'refused';
      if (result === 'lost') return { outcome: 'refused', error: superseded(term) };
      if (result.outcome !== 'refused' || !isForeign(result.error)) return result;
    } finally {
      unlisten();
    }
    this.#noteForeign(leader, term);
    return this.#tryForeign(leader, write);
  }

  /** By term, for a Go peer may be replaced by one of ours. */
  #noteForeign(leader: PeerId, term: Term): void {
    const { status } = this.#deps.driver;
    if (status.leader === leader && status.term === term) this.#foreignTerm = term;
  }

  #listenFor(forwarded: Forwarded): () => void {
    const checksum = crc32(forwarded.bytes);
    const alike = this.#forwarded.get(checksum) ?? new Set();
    this.#forwarded.set(checksum, alike.add(forwarded));
    return () => {
      alike.delete(forwarded);
      if (alike.size === 0) this.#forwarded.delete(checksum);
    };
  }

  #onApplied(entry: Entry): void {
    if (this.#forwarded.size === 0 || entry.type !== 'command') return;
    for (const forwarded of this.#forwarded.get(crc32(entry.data)) ?? []) {
      forwarded.isSeen ||= forwarded.term === entry.term && bytesEqual(forwarded.bytes, entry.data);
    }
  }

  /** Whether the write is done, as far as anyone can see. */
  async #tryByState(write: Write): Promise<Try> {
    write.outcome = 'unknown';
    let index: LogIndex | undefined;
    try {
      const { signal } = write;
      index = await this.readIndex({ timeoutMs: this.#leftMs(write), ...(signal && { signal }) });
    } catch (error) {
      // The read was refused; the write may be done.
      throw asUnknown(error);
    }
    await this.#appliedHere(index, write);
    if (isEffective(this.#deps.pinset, write.command)) return { outcome: 'applied', index };
    return { outcome: 'unknown', error: notCommittedInTime('unknown') };
  }

  /** Whether the pinset has what the write is to replace, in all that is committed by now as far as the leader can tell. */
  async #isAsExpected(write: Write): Promise<boolean> {
    const { driver, pinset } = this.#deps;
    const { command, onlyIf, signal } = write;
    const index = await this.readIndex({ timeoutMs: this.#leftMs(write), ...(signal && { signal }) });
    // A Go leader does not tell its index.
    const goal = index ?? driver.status.lastIndex;
    await this.#until(() => driver.applied >= goal || undefined, write);
    return onlyIf === undefined || isStoredAs(pinset.get(command.pin.cid), onlyIf);
  }

  /** Asks a leader of the reference. It knows no conditions. */
  async #tryForeign(leader: PeerId, write: Write): Promise<Try> {
    const { rpc, pinset } = this.#deps;
    const { command, onlyIf } = write;
    if (onlyIf !== undefined && !(await this.#isAsExpected(write))) {
      return { outcome: 'refused', error: changed(command, pinset.get(command.pin.cid)) };
    }
    const method = command.type === 'pin' ? methods.Consensus.LogPin : methods.Consensus.LogUnpin;
    try {
      await rpc.call(leader, method, forGoLeader(command.pin), this.#callOptions(write));
      return { outcome: 'applied', index: undefined };
    } catch (error) {
      return failedTry(error);
    }
  }

  /** Reads here see the write. It is safe already, so that a peer that lags does not make it fail. */
  async #appliedHere(index: LogIndex | undefined, { command, signal }: Write): Promise<void> {
    const { driver, pinset } = this.#deps;
    await driver.changes
      .until(() => (index === undefined ? isEffective(pinset, command) : driver.applied >= index) || undefined, {
        timeoutMs: this.#options.newLeaderMs,
        signal,
        onTimeout: () => notCommittedInTime('unknown'),
        onAbort: () => givenUp('The wait for the own log', signal, 'unknown'),
      })
      .catch((error: unknown) => this.#deps.logger.debug('a write is not applied here yet', { error }));
  }

  /** After a refusal: until somebody else leads or the term is another one, but not for long. */
  async #changeOf(leader: PeerId, write: Wait): Promise<void> {
    const { driver, clock } = this.#deps;
    const { term } = driver.status;
    const delayMs = leader === this.#options.self ? this.#options.commitRetryDelayMs : this.#options.newLeaderMs;
    const isOver = await driver.changes
      .until(() => (driver.status.leader === leader && driver.status.term === term ? undefined : true), {
        timeoutMs: Math.min(delayMs, Math.max(0, write.endMs - clock.now())),
        signal: write.signal,
        onTimeout: waited,
        onAbort: () => givenUp('The wait for a leader', write.signal, write.outcome),
      })
      .catch((error: unknown) => {
        if (errorCode(error) !== 'consensus/waited') throw error;
        return false;
      });
    if (!isOver && clock.now() >= write.endMs) throw noLeaderInTime(write.outcome);
  }

  #within<T>(act: Promise<T>, wait: Wait): Promise<T> {
    let settled: { readonly value: T } | { readonly error: unknown } | undefined;
    const wake = act.then(
      (value) => {
        settled = { value };
      },
      (error: unknown) => {
        settled = { error };
      },
    );
    return this.#until(() => settled, wait, wake).then((end) => {
      if ('error' in end) throw end.error;
      return end.value;
    });
  }

  async #until<T>(check: () => T | undefined, wait: Wait, wake?: Promise<unknown>): Promise<T> {
    const { driver } = this.#deps;
    try {
      return await driver.changes.until(check, {
        ...(wake && { wake }),
        timeoutMs: this.#leftMs(wait),
        signal: wait.signal,
        onTimeout: () =>
          driver.status.leader === undefined ? noLeaderInTime(wait.outcome) : notCommittedInTime(wait.outcome),
        onAbort: () => givenUp('The write', wait.signal, wait.outcome),
      });
    } catch (error) {
      // This peer has ended; what it had sent has not.
      if (wait.outcome === 'unknown' && driver.ended !== undefined) throw asUnknown(error);
      throw error;
    }
  }

  #leftMs({ endMs }: Wait): number {
    return Math.max(0, endMs - this.#deps.clock.now());
  }

  #callOptions(write: Wait): CallOptions {
    const timeoutMs = Math.min(this.#options.networkTimeoutMs, this.#leftMs(write));
    return write.signal === undefined ? { timeoutMs } : { timeoutMs, signal: write.signal };
  }
}

/** Whether the state is as after the command. */
function isEffective(pinset: Pinset, { type, pin }: RaftCommand): boolean {
  const present = pinset.get(pin.cid);
  if (type !== 'pin') return present === undefined;
  return isStoredAs(present, pin);
}

/**
 * A Go leader leaves out what is empty, and then Go peers take it from the entry before (`model/raft-command.ts`). A pin that never expires
 * would go with one that does. The epoch is not left out, and means never as well (Go `api/types.go` `Pin.ExpiredAt`).
 */
function forGoLeader(pin: Pin): Pin {
  return pin.expireAt === null ? { ...pin, expireAt: epoch } : pin;
}

/** `undefined`: it is under way. */
function isInForce(change: ConfigurationChange, status: Status): boolean | undefined {
  const { configuration, configurationIndex, commit } = status;
  if (hasMember(configuration, change) !== isMemberAfter(change)) return false;
  const isStaged =
    change.type === 'add' &&
    configuration.servers.some(({ id, suffrage }) => id === change.server.id && suffrage !== change.server.suffrage);
  return isStaged || commit < configurationIndex ? undefined : true;
}

function hasMember(configuration: Configuration, change: ConfigurationChange): boolean {
  return isMember(configuration, peerOf(change));
}

function isMemberAfter({ type }: ConfigurationChange): boolean {
  return type === 'add';
}

function peerOf(change: ConfigurationChange): PeerId {
  return change.type === 'add' ? change.server.id : change.peer;
}

function tryOf(answer: Answer): Try {
  if (answer.outcome === 'applied') return { outcome: 'applied', index: answer.index };
  return { outcome: 'refused', error: refusal(answer.reason, answer.leader) };
}

function failedTry(error: unknown): Try {
  const isRefused = error instanceof Error && 'outcome' in error && error.outcome === 'refused';
  const cause = error instanceof Error ? error : new OperatingError('consensus/failed', String(error));
  return { outcome: isRefused ? 'refused' : 'unknown', error: cause };
}

/** A new voter may have been staged before it was refused, and then it may become one all the same. */
export function refusalOfChange(
  { type }: ConfigurationChange,
  { reason, leader }: Extract<Answer, { outcome: 'refused' }>,
): OperatingError {
  const error = refusal(reason, leader);
  const isStaged = type === 'add' && (reason === 'not-leader' || reason === 'superseded');
  return isStaged ? asUnknown(error) : error;
}

/** A Go peer finds neither our service nor, before that, a rule that lets us call it. */
function isForeign(error: unknown): boolean {
  return errorCode(error) === 'rpc/server' || errorCode(error) === 'rpc/authorization';
}

function superseded(term: Term): OperatingError {
  return new OperatingError('consensus/superseded', `leadership lost while committing log: term ${term} is over`);
}

function waited(): OperatingError {
  return new OperatingError('consensus/waited', 'nothing has changed');
}
