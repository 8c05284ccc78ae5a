/** Which pins expire next. Bounded: of very many only the soonest are known, and it is told up to when. */
import type { Cid } from '../model/index.ts';

/** About 15 MB. */
const knownMax = 65_536;

/** A pin that is due at some time. */
export interface DuePin {
  readonly cid: Cid;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** How often it was put off. */
  readonly delays: number;
}

export class DuePins {
  readonly #pins = new Map<string, DuePin>();
  readonly #max: number;
  /** What is due from then on may be missing. */
  #horizonMs = Number.POSITIVE_INFINITY;

  constructor(max: number = knownMax) {
    this.#max = max;
  }

  /** Milliseconds since the epoch from which on pins may be due that are not known here. */
  get horizonMs(): number {
    return this.#horizonMs;
  }

  /** Due then, and not when it was before. */
  set(cid: Cid, atMs: number): void {
    this.#put({ cid, atMs, delays: 0 });
  }

  /** Due then, for it was in vain when it was due. */
  putOff(cid: Cid, atMs: number): void {
    this.#put({ cid, atMs, delays: (this.#pins.get(cid.key)?.delays ?? 0) + 1 });
  }

  /** The same, of what is not known yet: this may be older news. */
  suggest(cid: Cid, atMs: number): void {
    if (!this.#pins.has(cid.key)) this.set(cid, atMs);
  }

  delete(cid: Cid): void {
    this.#pins.delete(cid.key);
  }

  /** Before all pins are suggested again. */
  clear(): void {
    this.#pins.clear();
    this.#horizonMs = Number.POSITIVE_INFINITY;
  }

  /** What is due by then. */
  dueBy(nowMs: number): DuePin[] {
    return [...this.#pins.values()].filter(({ atMs }) => atMs <= nowMs);
  }

  /** When the next one is due, or may be. */
  nextMs(): number {
    let next = this.#horizonMs;
    for (const { atMs } of this.#pins.values()) if (atMs < next) next = atMs;
    return next;
  }

  #put(pin: DuePin): void {
    if (pin.atMs >= this.#horizonMs) {
      this.#pins.delete(pin.cid.key);
      return;
    }
    this.#pins.set(pin.cid.key, pin);
    if (this.#pins.size > this.#max) this.#halve();
  }

  /** Forgets those that are due last. */
  #halve(): void {
    const byTime = [...this.#pins].sort(([, a], [, b]) => a.atMs - b.atMs);
    const half = this.#max / 2;
    for (const [key, { atMs }] of byTime.slice(half)) {
      this.#pins.delete(key);
      this.#horizonMs = Math.min(this.#horizonMs, atMs);
    }
    // Others that are due with the first one that is forgotten would make it look as if that time were complete.
    for (const [key, { atMs }] of byTime) if (atMs >= this.#horizonMs) this.#pins.delete(key);
  }
}
