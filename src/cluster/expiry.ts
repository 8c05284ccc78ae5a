/**
 * Pins that expire are removed when their time has come, each by one member.
 *
 * The nearest to the CID among the trusted members that are alive removes it at once; when the pin is still there after one
 * `state_sync_interval`, the next nearest does, and so on: a member may be alive and hang, and a Go peer looks only that often (Go
 * `cluster.go` `StateSync`). Two views of who is alive can differ, so a removal is of exactly the pin that has expired: whoever comes second,
 * or comes upon a pin that was given more time meanwhile, changes nothing.
 *
 * The pinset keeps pins that expire in the order of their times. One timer is set for the earliest turn; it is set anew when a pin comes
 * that expires before it.
 */
import { type Clock, errorCode, errorMessage, type Logger, LogLimit } from '../base/index.ts';
import type { Cid, PeerId, Pin } from '../model/index.ts';
import { ClosestPeer } from './closest.ts';
import { InFlight } from './in-flight.ts';
import { Loop } from './loop.ts';
import type { MemberView, MemberWatch } from './member-watch.ts';
import type { Pinner } from './pinner.ts';
import type { Consensus, PinsetObserver } from './ports.ts';

export interface ExpiryOptions {
  /** Between turns of members, and between tries; nobody waits longer for the next look. */
  readonly stateSyncIntervalMs: number;
  readonly monitorPingIntervalMs: number;
}

export interface ExpiryDeps {
  readonly self: PeerId;
  readonly consensus: Consensus;
  readonly watch: Pick<MemberWatch, 'look'>;
  readonly pinner: Pick<Pinner, 'unpinExactly'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Removals at once: they share log writes. */
const inFlightMax = 64;
const pageSize = 256;
/** Pins whose removal failed, remembered until they are tried again. When there are more, all wait. */
const failedMax = 4096;
/** Until the next try when nothing could be written: consensus has waited for a leader by then. */
const blockedMs = 15_000;
/** Pause after a round, for each pin that is due and was left to others: to read one takes about a tenth of that. */
const pauseMsPerPin = 0.1;

/**
 * When a member may remove a pin, in wall-clock milliseconds: `turn` members are nearer. Those that were not there to see the pin expire
 * count from when they have begun to look.
 */
export function removalMs(expiresMs: number, beganMs: number, turn: number, intervalMs: number): number {
  return Math.max(expiresMs, beganMs) + turn * intervalMs;
}

export class Expiry {
  /** To be told of what is applied. */
  readonly observer: Pick<PinsetObserver, 'onPin' | 'onReplaced'>;
  readonly #options: ExpiryOptions;
  readonly #deps: ExpiryDeps;
  readonly #loop: Loop;
  readonly #logLimit: LogLimit;
  /** When the first round began. */
  #beganMs: number | undefined;
  /** The next round comes then at the latest, by the wall clock; `undefined` while one is running. */
  #armedMs: number | undefined;
  /** The earliest expiry that was noticed while a round was running. */
  #noticedMs = Number.POSITIVE_INFINITY;
  #pauseEndMs = 0;
  /** Pins that the last round has left to others, or for later. */
  #left = 0;
  /** Nothing can be written at present. */
  #isBlocked = false;
  /** When those may be tried again whose removal failed, by CID. */
  readonly #failed = new Map<string, number>();

  constructor(options: ExpiryOptions, deps: ExpiryDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#logLimit = new LogLimit(deps.clock);
    this.#loop = new Loop('expiry of pins', options.stateSyncIntervalMs, deps, (signal) => this.#timedRound(signal));
    this.observer = {
      onPin: ({ expireAt }) => {
        // The epoch means never, too.
        if (expireAt !== null && expireAt.seconds > 0) this.#notice(expireAt.seconds * 1000);
      },
      onReplaced: () => this.#notice(Number.NEGATIVE_INFINITY),
    };
  }

  /** Looks now, and from then on whenever there is something to do. */
  wake(): void {
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  #notice(expiresMs: number): void {
    this.#noticedMs = Math.min(this.#noticedMs, expiresMs);
    if (this.#armedMs === undefined || expiresMs >= this.#armedMs) return;
    this.#armedMs = expiresMs;
    this.#loop.startIn(this.#delayTo(expiresMs));
  }

  async #timedRound(signal: AbortSignal): Promise<number> {
    this.#armedMs = undefined;
    this.#left = 0;
    this.#noticedMs = Number.POSITIVE_INFINITY;
    let nextMs: number | undefined;
    try {
      nextMs = await this.#round(signal);
    } finally {
      this.#pauseEndMs = this.#deps.clock.now() + pauseMsPerPin * this.#left;
      const latestMs = this.#wallMs() + this.#options.stateSyncIntervalMs;
      // One that fails is followed by the next after a whole interval, unless something has happened meanwhile.
      this.#armedMs = Math.min(nextMs ?? latestMs, this.#noticedMs, latestMs);
      this.#loop.startIn(this.#delayTo(this.#armedMs));
    }
    return this.#delayTo(this.#armedMs);
  }

  /** @returns when there is something to do next, by the wall clock. */
  async #round(signal: AbortSignal): Promise<number> {
    const { self, consensus, watch } = this.#deps;
    const view = await watch.look();
    this.#beganMs ??= this.#wallMs();
    this.#forgetFailures();
    // It is still on its way in, or was removed.
    if (!view.members.includes(self)) return Number.POSITIVE_INFINITY;
    const turns = new Turns(view, this.#options, this.#deps, this.#wallMs() - this.#beganMs);
    const removals = new InFlight(inFlightMax);
    this.#isBlocked = false;
    let nextMs = turns.validMs + this.#wallMs();
    const isOver = (): boolean => signal.aborted || this.#isBlocked || this.#failed.size >= failedMax;
    reading: for await (const page of consensus.pinset().expiring({ signal, pageSize })) {
      for (const pin of page) {
        const expiresMs = (pin.expireAt?.seconds ?? 0) * 1000;
        if (expiresMs > this.#wallMs()) {
          nextMs = Math.min(nextMs, expiresMs);
          break reading;
        }
        this.#left++;
        // Shards go with the pin that refers to them.
        if (pin.type !== 'pin' && pin.type !== 'meta-pin') continue;
        const turnMs = removalMs(expiresMs, this.#beganMs, turns.of(pin.cid), this.#options.stateSyncIntervalMs);
        const atMs = Math.max(turnMs, this.#failed.get(pin.cid.key) ?? 0);
        if (atMs > this.#wallMs()) nextMs = Math.min(nextMs, atMs);
        else {
          this.#left--;
          await removals.begin(() => this.#remove(pin, signal));
        }
        if (isOver()) break reading;
      }
    }
    await removals.ended();
    if (this.#isBlocked) return this.#wallMs() + blockedMs;
    return isOver() ? Number.POSITIVE_INFINITY : nextMs;
  }

  async #remove(pin: Pin, signal: AbortSignal): Promise<void> {
    try {
      await this.#deps.pinner.unpinExactly(pin, { signal });
    } catch (error) {
      // Somebody else was here, or the pin was given more time.
      if (signal.aborted || errorCode(error) === 'consensus/changed') return;
      // Of one that has shards, they may be what cannot be read. Else, what keeps one write from the log keeps all others from it.
      if (pin.type === 'meta-pin') this.#failed.set(pin.cid.key, this.#wallMs() + this.#options.stateSyncIntervalMs);
      else this.#isBlocked = true;
      if (!this.#logLimit.allows('failed')) return;
      const cause = { cid: pin.cid.toString(), error: errorMessage(error) };
      this.#deps.logger.warn('could not unpin an expired pin, trying again later', cause);
    }
  }

  #forgetFailures(): void {
    const nowMs = this.#wallMs();
    for (const [key, untilMs] of this.#failed) if (untilMs <= nowMs) this.#failed.delete(key);
  }

  #delayTo(wallMs: number): number {
    return Math.max(Math.ceil(wallMs - this.#wallMs()), this.#pauseEndMs - this.#deps.clock.now(), 0);
  }

  #wallMs(): number {
    return Number(this.#deps.clock.wallNanos() / 1000n) / 1000;
  }
}

/**
 * Whose turn it is, as of one look at the members. Until all that are alive have been heard, those that were not heard yet are taken to be
 * alive: else every peer of a cluster that starts would be the nearest.
 */
class Turns {
  /** How long they hold, in milliseconds. */
  readonly validMs: number;
  readonly #self: PeerId;
  readonly #actors: ClosestPeer;

  constructor(
    { members, actors }: MemberView,
    { monitorPingIntervalMs }: ExpiryOptions,
    { self, consensus }: ExpiryDeps,
    runningMs: number,
  ) {
    const leftMs = 2 * monitorPingIntervalMs - runningMs;
    this.#self = self;
    this.#actors =
      leftMs > 0 ? new ClosestPeer([...members.filter((peer) => consensus.isTrustedPeer(peer)), self]) : actors;
    this.validMs = leftMs > 0 ? leftMs : Number.POSITIVE_INFINITY;
  }

  of(cid: Cid): number {
    return this.#actors.countNearer(this.#self, cid);
  }
}
