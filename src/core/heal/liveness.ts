/**
 * Which members are alive, missing, or gone for good. Pure: time and what was seen are arguments.
 *
 * A member whose ping has run out is missing; one that stays missing for longer than its grace period is gone, and its pins may
 * move. One that comes and goes is given more time with each return, so that a bad link or a restart moves nothing: moving pins
 * to and fro costs more than waiting. Unlike the reference, which acts on the first expired ping (Go `cluster.go`
 * `handleAlerts`).
 */
import type { PeerId } from '../../model/index.ts';

/** `alive`: its ping is fresh; `missing`: it has run out; `gone`: for longer than the grace period. */
export type Life = 'alive' | 'missing' | 'gone';

/** What decides between missing and gone. */
export interface LivenessOptions {
  /** How long a member may be missing before it is gone, in milliseconds. */
  readonly gracePeriodMs: number;
}

/** How a member is, and since when by the clock of the caller. */
export interface MemberLife {
  readonly life: Life;
  readonly sinceMs: number;
  /** Whether it was ever alive. */
  readonly isKnown: boolean;
}

/** Each return within the window doubles the grace period, so often at most: 2 minutes become 64. */
const doublingsMax = 5;
/** Returns count for so many grace periods: an hour at the default of 2 minutes. */
const windowGraces = 30;
/** A pause between two looks counts as absence up to this part of the grace period: it may be ours, such as a laptop's sleep. */
const lookPartMax = 1 / 4;

interface Member {
  life: Life;
  sinceMs: number;
  isKnown: boolean;
  /** For how long it has been seen missing. */
  missedMs: number;
  /** When it came back, the newest last; at most `doublingsMax`. */
  returnsMs: number[];
}

/** Follows the members from look to look. */
export class LivenessWatch {
  readonly #graceMs: number;
  readonly #members = new Map<PeerId, Member>();
  #lookedMs: number | undefined;

  constructor(options: LivenessOptions) {
    this.#graceMs = options.gracePeriodMs;
  }

  /**
   * Takes in who is a member and who has a fresh ping. One that was never heard of is missing since the first look at it. `between`: who
   * had a fresh ping at some time since the last look; looks may be far apart, and who came back and went again has not been missing on.
   */
  look(
    nowMs: number,
    members: Iterable<PeerId>,
    alive: ReadonlySet<PeerId>,
    between: ReadonlySet<PeerId> = new Set(),
  ): void {
    const stepMs = Math.min(nowMs - (this.#lookedMs ?? nowMs), this.#graceMs * lookPartMax);
    this.#lookedMs = nowMs;
    const left = new Set(this.#members.keys());
    for (const peer of members) {
      left.delete(peer);
      const member = this.#members.get(peer);
      if (member !== undefined) this.#follow(member, nowMs, stepMs, alive.has(peer), between.has(peer));
      else {
        const isKnown = alive.has(peer);
        const life = isKnown ? 'alive' : 'missing';
        this.#members.set(peer, { life, sinceMs: nowMs, isKnown, missedMs: 0, returnsMs: [] });
      }
    }
    for (const peer of left) this.#members.delete(peer);
  }

  /** `undefined`: no member as of the last look. */
  of(peer: PeerId): MemberLife | undefined {
    return this.#members.get(peer);
  }

  /** How long the member may be missing now. */
  graceOf(peer: PeerId): number {
    return this.#graceAfter(this.#members.get(peer)?.returnsMs.length ?? 0);
  }

  #follow(member: Member, nowMs: number, stepMs: number, isAlive: boolean, wasBetween: boolean): void {
    const windowMs = this.#graceMs * windowGraces;
    member.returnsMs = member.returnsMs.filter((returnMs) => nowMs - returnMs < windowMs);
    const become = (life: Life): void => {
      member.life = life;
      member.sinceMs = nowMs;
    };
    if ((isAlive || wasBetween) && member.life !== 'alive') {
      // Who was never alive does not return.
      if (member.isKnown) member.returnsMs = [...member.returnsMs, nowMs].slice(-doublingsMax);
      member.isKnown = true;
      become('alive');
    }
    if (isAlive) return;
    if (member.life === 'alive') {
      member.missedMs = 0;
      become('missing');
    } else {
      member.missedMs += stepMs;
      if (member.life === 'missing' && member.missedMs > this.#graceAfter(member.returnsMs.length)) become('gone');
    }
  }

  #graceAfter(returns: number): number {
    return this.#graceMs * 2 ** returns;
  }
}
