/**
 * Sees the real world coming in: timers, files, sockets, thread pool. What runs there is not in the seed's hands, so that a run
 * which touches it does not repeat. The functions that leave no trace throw while a simulation runs.
 */
import { createHook } from 'node:async_hooks';
import { Finding } from '../finding.ts';

/** Of the scheduler itself, and of promises and queues that a drain empties. */
const harmless: ReadonlySet<string> = new Set(['Immediate', 'Microtask', 'TickObject', 'PROMISE']);

/** Of a stack, to find out whose resource it is. */
const framesMax = 20;

/** Runs `act` under watch. Rejects with a finding when something came from outside. */
export async function withoutLeaks<T>(act: () => Promise<T>): Promise<T> {
  let leak: Finding | undefined;
  const hook = createHook({
    init(_id, type) {
      if (leak !== undefined || harmless.has(type)) return;
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = framesMax;
      const { stack = '' } = new Error(type);
      Error.stackTraceLimit = stackTraceLimit;
      // The test runner has timers of its own.
      if (stack.includes('/src/')) leak = new Finding('leaks', `${type} was made in a simulation\n${stack}`);
    },
    trackPromises: false,
  });
  const restore = banClocks();
  hook.enable();
  try {
    const result = await act();
    if (leak !== undefined) throw leak;
    return result;
  } finally {
    hook.disable();
    restore();
  }
}

function banClocks(): () => void {
  const { random } = Math;
  const { now } = Date;
  const performanceNow = performance.now;
  const ban = (name: string) => (): never => {
    throw new Finding('leaks', `${name} was asked in a simulation`);
  };
  Math.random = ban('Math.random');
  Date.now = ban('Date.now');
  performance.now = ban('performance.now');
  return () => {
    Math.random = random;
    Date.now = now;
    performance.now = performanceNow;
  };
}
