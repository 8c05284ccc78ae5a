/** The machine's time. */
import type { Clock } from '../../base/index.ts';

const nanosPerMs = 1_000_000;
/** Longer timers would fire at once (Node's limit). */
const delayMsMax = 2 ** 31 - 1;

/** `performance.now` and timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNanos: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * BigInt(nanosPerMs / 1000),
  after: (delayMs, act) => {
    const timer = setTimeout(act, Math.min(Math.max(Math.ceil(delayMs), 0), delayMsMax));
    return () => clearTimeout(timer);
  },
};
