/** What an operator is told of healing: that it begins, how far it is once a minute, and what it came to. */
import { type Clock, type Logger, LogLimit } from '../base/index.ts';
import type { PeerId } from '../model/index.ts';
import type { MemberView } from './member-watch.ts';

/** What a sweep has come to so far. */
export interface SweepCounts {
  readonly moved: number;
  readonly dropped: number;
  readonly short: number;
  readonly left: number;
  /** Holders that have not told that they hold a pin, with how many pins wait for each. */
  readonly awaited: ReadonlyMap<PeerId, number>;
  readonly isStuck: boolean;
}

const nothingMore = { moved: 0, dropped: 0 };
/** Peers that a line names. */
const namedMax = 5;

interface Episode {
  readonly sinceMs: number;
  // In the sweeps that have ended.
  moved: number;
  dropped: number;
  /** The sweep that left nothing to wait for. */
  last: SweepCounts | undefined;
}

export class HealLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limit: LogLimit;
  /** From the first write to the sweep that leaves nothing to wait for. */
  #episode: Episode | undefined;
  #toldShort = 0;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#limit = new LogLimit(clock);
  }

  /** In the middle of a sweep. */
  goOn(view: MemberView, sweep: SweepCounts): void {
    if (sweep.moved + sweep.dropped === 0) return;
    if (this.#episode === undefined) this.#begin(view);
    else this.#progress(this.#episode, sweep, sweep);
  }

  /** At the end of a sweep. */
  pause(view: MemberView, sweep: SweepCounts): void {
    if (sweep.moved + sweep.dropped > 0 && this.#episode === undefined) this.#begin(view);
    const isWaiting = sweep.isStuck || sweep.left > sweep.short;
    const episode = this.#episode;
    if (episode !== undefined) {
      episode.moved += sweep.moved;
      episode.dropped += sweep.dropped;
      episode.last = isWaiting ? undefined : sweep;
      if (isWaiting) this.#progress(episode, sweep, nothingMore);
    }
    this.tick();
    if (isWaiting) return;
    if (sweep.short > 0 && sweep.short !== this.#toldShort && this.#limit.allows('short')) {
      this.#logger.warn('pins stay below their minimum: too few peers can take them', { pins: sweep.short });
    }
    this.#toldShort = sweep.short;
  }

  /** Now and then. An end that may not be told yet waits, and what comes meanwhile counts to it. */
  tick(): void {
    const episode = this.#episode;
    if (episode?.last === undefined || !this.#limit.allows('end')) return;
    const seconds = Math.round((this.#clock.now() - episode.sinceMs) / 1000);
    const { moved, dropped, last } = episode;
    this.#logger.info('healing has ended', { moved, dropped, seconds, belowMinimum: last.short });
    this.#episode = undefined;
  }

  #progress(episode: Episode, { left, awaited }: SweepCounts, more: Pick<SweepCounts, 'moved' | 'dropped'>): void {
    if (!this.#limit.allows('progress')) return;
    const counts = { moved: episode.moved + more.moved, dropped: episode.dropped + more.dropped };
    const most = [...awaited].sort(([, a], [, b]) => b - a).map(([peer, pins]) => `${peer} (${pins})`);
    const waits = most.length === 0 ? {} : { waitsFor: named(most) };
    this.#logger.info('healing goes on', { ...counts, unfinished: left, ...waits });
  }

  #begin(view: MemberView): void {
    this.#episode = { sinceMs: this.#clock.now(), moved: 0, dropped: 0, last: undefined };
    if (!this.#limit.allows('begin')) return;
    this.#limit.allows('progress');
    this.#logger.info('healing begins', {
      members: view.members.length,
      gone: named(view.gone),
      draining: named(view.draining),
    });
  }
}

function named(peers: readonly string[]): string {
  const shown = peers.slice(0, namedMax).join(' ');
  return peers.length > namedMax ? `${shown} and ${peers.length - namedMax} more` : shown;
}
