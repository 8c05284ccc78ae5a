import type { Clock } from '../../src/base/index.ts';

/** Lets no time pass: what waits goes on at once. Keeps for how long it would have waited. */
export class HastyClock implements Pick<Clock, 'now' | 'after'> {
  readonly delays: number[] = [];

  now(): number {
    return 0;
  }

  after(delayMs: number, act: () => void): () => void {
    this.delays.push(delayMs);
    queueMicrotask(act);
    return () => undefined;
  }
}
