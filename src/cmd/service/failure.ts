/** A failure as the user sees it: one line, the exit code 1. */
import { errorCode, errorMessage } from '../../base/index.ts';

/** A failed action, told as `error <doing>: <cause>`. */
export class Failure extends Error {
  override readonly name = 'Failure';
  constructor(doing: string, cause: unknown) {
    super(`error ${doing}: ${innermost(cause)}`, { cause });
  }
}

/** Does the action; what it throws becomes a `Failure`. */
export async function attempt<T>(doing: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw new Failure(doing, error);
  }
}

/** The line of any error: bugs keep their stack, for they are to be reported. */
export function lineOf(error: unknown): string {
  if (error instanceof Failure) return oneLine(error.message);
  const isExpected = errorCode(error) !== '' && errorCode(error) !== 'base/assertion';
  return isExpected ? oneLine(`error: ${errorMessage(error)}`) : `error: ${Object(error).stack ?? errorMessage(error)}`;
}

function innermost(error: unknown): string {
  return oneLine(errorMessage(error));
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}
