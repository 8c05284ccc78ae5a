/** An iteration that ends at once when its signal does. */
import { cancelled } from './errors.ts';

/**
 * The same items. Throws `add/cancelled` when the signal is aborted, also while the source is silent: it is told to stop and not waited
 * for.
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  // One listener for all items: one each would be kept for as long as the signal lives.
  let giveUp: (error: Error) => void = () => {};
  const onAbort = (): void => giveUp(cancelled(signal));
  signal.addEventListener('abort', onAbort);
  let isEnded = false;
  try {
    for (;;) {
      if (signal.aborted) throw cancelled(signal);
      const result = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
      });
      if (result.done === true) {
        isEnded = true;
        return;
      }
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Its own failure has no one to go to any more.
    if (!isEnded) iterator.return?.()?.catch(() => {});
  }
}
