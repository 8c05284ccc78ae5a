/** Signals that end a peer: the first asks it to stop, within a limit; the third ends the process. */
import type { Logger } from '../../base/index.ts';

export interface Signals {
  /** Resolves at the first signal. */
  readonly first: Promise<'signal'>;
  /** Starts the limit without a signal. Idempotent. */
  startLimit(): void;
  /** Nothing runs any more: signals have their usual effect again, and the limit is off. */
  done(): void;
}

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** From now on one signal ends the process within the limit, whatever it is doing. */
export function listenToSignals(log: Logger, limitMs: number): Signals {
  const first = Promise.withResolvers<'signal'>();
  let count = 0;
  let limit: NodeJS.Timeout | undefined;
  const startLimit = (): void => {
    limit ??= setTimeout(() => {
      log.error(`did not stop within ${limitMs / 1000} s, ending now`);
      process.exit(1);
    }, limitMs);
  };
  const onSignal = (name: string): void => {
    count++;
    if (count === 1) {
      log.info(`stopping on ${name}`);
      startLimit();
      first.resolve('signal');
    } else if (count === 2) log.warn('still stopping; one more signal ends the process at once');
    else process.exit(1);
  };
  for (const name of names) process.on(name, onSignal);
  return {
    first: first.promise,
    startLimit,
    done() {
      clearTimeout(limit);
      for (const name of names) process.off(name, onSignal);
    },
  };
}
