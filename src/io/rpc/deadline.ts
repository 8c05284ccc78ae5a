/** The two ways in which a caller stops waiting: its time limit and its signal. */
import type { Cancel, Clock } from '../../base/index.ts';
import type { CallOptions } from '../../cluster/ports.ts';
import { rpcError } from './errors.ts';

/** Calls `act` once, with the cause, when the time is over or the signal aborts. @returns what ends the watch. */
export function watchDeadline(
  clock: Clock,
  options: CallOptions,
  timeoutMsDefault: number,
  name: string,
  act: (cause: Error) => void,
): Cancel {
  const { signal } = options;
  const timeoutMs = options.timeoutMs ?? timeoutMsDefault;
  const onAbort = (): void => act(cancelledBy(signal, name));
  signal?.addEventListener('abort', onAbort, { once: true });
  const cancelTimer = Number.isFinite(timeoutMs)
    ? clock.after(timeoutMs, () =>
        act(rpcError('timeout', `Cannot wait longer for ${name}: no reply in ${timeoutMs} ms`, { outcome: 'unknown' })),
      )
    : undefined;
  return () => {
    cancelTimer?.();
    signal?.removeEventListener('abort', onAbort);
  };
}

/** Throws when the signal has aborted already: nothing was sent then. */
export function throwIfCancelled(signal: AbortSignal | undefined, name: string): void {
  if (signal?.aborted === true) {
    throw rpcError('cancelled', `The call of ${name} was given up before it began`, { cause: signal.reason });
  }
}

function cancelledBy(signal: AbortSignal | undefined, name: string): Error {
  return rpcError('cancelled', `The call of ${name} was given up`, { cause: signal?.reason, outcome: 'unknown' });
}
