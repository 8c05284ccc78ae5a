/** Errors of the plain client's own; the others come through as they are. */
import { OperatingError } from '../../base/index.ts';
import { type PinStatus, shown } from '../../plain/index.ts';

/** Code `client/bad-argument`: names the argument, what was found and what was expected. */
export function badArgument(where: string, found: unknown, expected: string, cause?: unknown): OperatingError {
  const text = `Cannot use ${where}: found ${shown(found)}, expected ${expected}`;
  return new OperatingError('client/bad-argument', text, { cause });
}

/** What timers take; a longer time would end at once. Source: HTML Standard, section 8.7 "Timers". */
const timeMaxMs = 2_147_483_647;

/** Whether it is a time in milliseconds that can be waited for. */
export function isTime(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= timeMaxMs;
}

export const timeExpected: string = `milliseconds, more than 0 and at most ${timeMaxMs}`;

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
