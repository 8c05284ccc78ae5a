/** The machine's time and randomness, where a caller gives no other. */
import type { Clock, Random } from '../base/index.ts';

/** `performance` and timers. */
export const systemClock: Pick<Clock, 'now' | 'after'> = {
  now: () => performance.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
};

/** `Math.random`. */
export const systemRandom: Random = { integer: (limit) => Math.floor(Math.random() * limit) };
