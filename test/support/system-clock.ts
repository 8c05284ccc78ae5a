/** The machine's time, for tests against real programs. */
import type { Clock } from '../../src/base/index.ts';

export const systemClock: Clock = {
  now: () => performance.now(),
  wallNanos: () => BigInt(Date.now()) * 1_000_000n,
  after: (delayMs, act) => {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
};
