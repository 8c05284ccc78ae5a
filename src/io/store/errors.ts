/** What a failure of the file system means for the one who runs the peer. */
import { errorCode, errorMessage, OperatingError } from '../../base/index.ts';

/** The system's names for "no room": the disk, or the user's share of it. */
const fullCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/**
 * `store/full` when there was no room, `store/io` otherwise; errors that have a code of this room stay as they are. The act may
 * have been done nevertheless.
 */
export function storeError(action: string, error: unknown): OperatingError {
  if (error instanceof OperatingError && error.code.startsWith('store/')) return error;
  const code = fullCodes.has(errorCode(error)) ? 'store/full' : 'store/io';
  return new OperatingError(code, `${action}: ${errorMessage(error)}`, { cause: error, outcome: 'unknown' });
}

/** Runs the act and says what failed in the words of this room. */
export async function attempt<T>(action: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw storeError(action, error);
  }
}
