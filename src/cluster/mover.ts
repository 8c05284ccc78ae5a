/**
 * Moves pins from one holder to another without a moment in which fewer hold them: the new holder is added, and the old one dropped when
 * the new one has the content. What is half done when the peer stops is a pin with one holder too many, which healing trims.
 */
import { bytesEqual, type Clock, errorMessage, type Logger, LogLimit, pause } from '../base/index.ts';
import { type Cid, encodePin, type PeerId, type Pin } from '../model/index.ts';
import type { AllocationWriter } from './allocation-writer.ts';
import { type HoldingDeps, wordOf } from './holding.ts';
import { InFlight } from './in-flight.ts';
import type { MemberWatch } from './member-watch.ts';
import type { Consensus } from './ports.ts';

/** One pin that is to be held by `to` instead of `from`. */
export interface Move {
  readonly cid: Cid;
  readonly from: PeerId;
  readonly to: PeerId;
}

/** What became of moves. */
export interface MoveCounts {
  readonly moved: number;
  /** The pin is not there any more, others have changed it meanwhile, or the new holder may get nothing new any more. */
  readonly skipped: number;
  /** The new holder did not get the content in time, or nothing could be written. */
  readonly failed: number;
}

export interface MoverOptions {
  /** Healing leaves a pin with too many holders alone for so long after it was written; see section `cluster`. */
  readonly stateSyncIntervalMs: number;
  /** How long a new holder may take for the content. Default: an hour. */
  readonly deadlineMs?: number;
}

export interface MoverDeps extends HoldingDeps {
  readonly consensus: Consensus;
  readonly watch: MemberWatch;
  readonly writer: AllocationWriter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Moves at once: each loads one IPFS node with one pin more than it would have. */
const inFlightMax = 8;
const pollMsMin = 500;
const pollMsMax = 10_000;
const triesMax = 5;
/**
 * Somebody waits for the end, and no other rebalance begins before it. What is not there within an hour most likely cannot be found, or
 * is better left where it is; of one that is only large the node has a part by then, which the next attempt goes on with.
 */
const deadlineMsDefault = 3_600_000;

type Outcome = keyof MoveCounts;

/** A move that is under way. */
interface Moving extends Move {
  /** The pin as it was found, but for its holders and time: who writes anything else of it means it to be as he has written it. */
  rest: Uint8Array | undefined;
}

/** `refused`: the new holder is lost, told to take nothing, or no member; `overtaken`: the pin is not as the mover left it. */
type Arrival = 'there' | 'late' | 'refused' | 'overtaken';

export class Mover {
  readonly #options: MoverOptions;
  readonly #deps: MoverDeps;
  readonly #logLimit: LogLimit;

  constructor(options: MoverOptions, deps: MoverDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#logLimit = new LogLimit(deps.clock);
  }

  /**
   * Resolves when all moves have ended, each in its own way; `onEnd` is told of each. A signal that is aborted leaves moves half done.
   * The moves are read as they are begun.
   */
  async run(
    moves: AsyncIterable<Move> | Iterable<Move>,
    signal: AbortSignal,
    onEnd: (move: Move, outcome: Outcome) => void = () => {},
  ): Promise<MoveCounts> {
    const counts = { moved: 0, skipped: 0, failed: 0 };
    const tasks = new InFlight(inFlightMax);
    for await (const move of moves) {
      if (signal.aborted) break;
      await tasks.begin(async () => {
        const outcome = await this.#outcomeOf(move, signal);
        counts[outcome] += 1;
        onEnd(move, outcome);
      });
    }
    await tasks.ended();
    return counts;
  }

  async #outcomeOf(move: Move, signal: AbortSignal): Promise<Outcome> {
    try {
      return await this.#move(move, signal);
    } catch (error) {
      if (!signal.aborted && this.#logLimit.allows('failed')) {
        this.#deps.logger.warn('could not move a pin', { cid: move.cid.toString(), error: errorMessage(error) });
      }
      return 'failed';
    }
  }

  async #move({ cid, from, to }: Move, signal: AbortSignal): Promise<Outcome> {
    const move: Moving = { cid, from, to, rest: undefined };
    if (!(await this.#mayTake(to))) return 'skipped';
    /** So many hold it afterwards too. */
    let least = 0;
    const isBegun = await this.#change(move, signal, (holders, pin) => {
      least = Math.min(holders.length, pin.replicationFactorMax);
      return holders.includes(to) ? holders : [...holders, to];
    });
    if (!isBegun) return 'skipped';
    const isOneTooMany = (holders: readonly PeerId[], pin: Pin): boolean =>
      holders.length > Math.max(least, pin.replicationFactorMin);
    const arrival = await this.#arrival(move, signal);
    if (arrival === 'overtaken') return 'skipped';
    if (arrival === 'there') {
      // Others may have taken the pin off the new holder meanwhile, or want more holders.
      const isMoved = await this.#change(move, signal, (holders, pin) =>
        holders.includes(to) && isOneTooMany(holders, pin) ? holders.filter((peer) => peer !== from) : undefined,
      );
      return isMoved ? 'moved' : 'skipped';
    }
    await this.#change(move, signal, (holders, pin) =>
      isOneTooMany(holders, pin) ? holders.filter((peer) => peer !== to) : undefined,
    );
    if (arrival === 'refused') return 'skipped';
    if (this.#logLimit.allows('late')) {
      this.#deps.logger.warn('a pin stays where it was: its new holder did not get it in time', {
        cid: cid.toString(),
        to,
      });
    }
    return 'failed';
  }

  /** Whether the member may get new pins. One that is missing may come back within its grace period, and is waited for. */
  async #mayTake(peer: PeerId): Promise<boolean> {
    const { standings, cordons } = await this.#deps.watch.look();
    return standings.get(peer) === 'stays' && cordons.get(peer) === 'none';
  }

  /** Waits until the new holder has the content; meanwhile the pin is written again now and then, so that healing leaves it alone. */
  async #arrival(move: Moving, signal: AbortSignal): Promise<Arrival> {
    const { clock } = this.#deps;
    const endMs = clock.now() + (this.#options.deadlineMs ?? deadlineMsDefault);
    const renewMs = this.#options.stateSyncIntervalMs / 2;
    let renewAtMs = clock.now() + renewMs;
    for (let pollMs = pollMsMin; ; pollMs = Math.min(pollMs * 2, pollMsMax)) {
      if ((await wordOf(this.#deps, move.to, move.cid, signal)) === 'holds') return 'there';
      if (!(await this.#mayTake(move.to))) return 'refused';
      if (clock.now() >= endMs) return 'late';
      await pause(clock, Math.min(pollMs, renewMs), signal);
      signal.throwIfAborted();
      if (clock.now() < renewAtMs) continue;
      renewAtMs = clock.now() + renewMs;
      const isUnderWay = await this.#change(
        move,
        signal,
        (holders) => (holders.includes(move.to) ? holders : undefined),
        true,
      );
      if (!isUnderWay) return 'overtaken';
    }
  }

  /** `false`: the pin is not there, or a user has written it, or `from` holds it no more, or `changed` wants nothing. */
  async #change(
    move: Moving,
    signal: AbortSignal,
    changed: (holders: readonly PeerId[], pin: Pin) => readonly PeerId[] | undefined,
    isRenewal = false,
  ): Promise<boolean> {
    const { consensus, writer } = this.#deps;
    for (let tries = 0; tries < triesMax; tries += 1) {
      const pin: Pin | undefined = consensus.pinset().get(move.cid);
      const before = pin?.allocations ?? [];
      if (pin === undefined || !before.includes(move.from)) return false;
      const rest = restOf(pin);
      move.rest ??= rest;
      if (!bytesEqual(rest, move.rest)) return false;
      const after = changed(before, pin);
      if (after === undefined) return false;
      if (after.length === before.length && !isRenewal) return true;
      await writer.turn(signal);
      if (await writer.write(pin, after, { signal })) return true;
    }
    return false;
  }
}

function restOf(pin: Pin): Uint8Array {
  return encodePin({ ...pin, allocations: null, timestamp: null });
}
