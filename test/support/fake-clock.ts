/** Time that passes only when a test says so. */
import type { Cancel, Clock } from '../../src/base/index.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();
  readonly #startNanos = 1_700_000_000_000_000_000n;

  now(): number {
    return this.#nowMs;
  }

  wallNanos(): bigint {
    return this.#startNanos + BigInt(Math.round(this.#nowMs)) * 1_000_000n;
  }

  after(delayMs: number, act: () => void): Cancel {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, act };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get pendingCount(): number {
    return this.#timers.size;
  }

  /** Lets the time pass: timers act in order, and what they set going runs as far as it can before the next one. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.act();
      await settle();
    }
    this.#nowMs = endMs;
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 10; round += 1) await new Promise((resolve) => setImmediate(resolve));
}
