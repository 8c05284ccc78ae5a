/** What ends a peer: the first signal asks it to stop, within a limit; the third ends the process. */
import type { Readable } from 'node:stream';
import type { Logger } from '../../base/index.ts';

export interface Signals {
  /** Resolves at the first signal, or when the input ends. */
  readonly first: Promise<'signal'>;
  /** Starts the limit without a signal. Idempotent. */
  startLimit(): void;
  /** Nothing runs any more: signals have their usual effect again, and the limit is off. */
  done(): void;
}

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * From now on one signal ends the process within the limit, whatever it is doing. So does the end of `input`, if there is
 * one: the system closes a pipe when the process at its other end dies, however it dies.
 */
export function listenToSignals(log: Logger, limitMs: number, input?: Readable): Signals {
  const first = Promise.withResolvers<'signal'>();
  let count = 0;
  let limit: NodeJS.Timeout | undefined;
  const startLimit = (): void => {
    limit ??= setTimeout(() => {
      log.error(`did not stop within ${limitMs / 1000} s, ending now`);
      process.exit(1);
    }, limitMs);
  };
  const stopOn = (cause: string): void => {
    log.info(`stopping on ${cause}`);
    startLimit();
    first.resolve('signal');
  };
  const onSignal = (name: string): void => {
    count++;
    if (count === 1) stopOn(name);
    else if (count === 2) log.warn('still stopping; one more signal ends the process at once');
    else process.exit(1);
  };
  const onInputEnd = (): void => stopOn('the end of the input');
  for (const name of names) process.on(name, onSignal);
  // Every end of a stream, a broken one included, closes it.
  input
    ?.once('close', onInputEnd)
    .on('error', () => {})
    .resume();
  return {
    first: first.promise,
    startLimit,
    done() {
      clearTimeout(limit);
      for (const name of names) process.off(name, onSignal);
      input?.off('close', onInputEnd).pause();
    },
  };
}
