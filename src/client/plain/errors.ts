/** Errors of the plain client's own; the others come through as they are. */
import { OperatingError } from '../../base/index.ts';
import { type PinStatus, shown } from '../../plain/index.ts';

/** Code `client/bad-argument`: names the argument, what was found and what was expected. */
export function badArgument(where: string, found: unknown, expected: string, cause?: unknown): OperatingError {
  const text = `Cannot use ${where}: found ${shown(found)}, expected ${expected}`;
  return new OperatingError('client/bad-argument', text, { cause });
}

/**
 * A status that was waited for was not reached. Codes: `client/not-reached` when the time is over, `client/hopeless` when too many
 * peers have failed for that.
 */
export class WaitError extends OperatingError {
  override readonly name = 'WaitError';
  /** What the last look has shown; `undefined` when there was none. */
  readonly last: PinStatus | undefined;

  constructor(code: string, message: string, last: PinStatus | undefined) {
    super(code, message);
    this.last = last;
  }
}
