/** Failures of adding. The texts are the reference's where it has one: Go `adder`. */
import { OperatingError, type OperatingErrorOptions } from '../../base/index.ts';

/** Stable codes of this room's failures. */
export type AddErrorCode =
  | 'add/bad-option'
  | 'add/bad-car'
  | 'add/no-content'
  | 'add/no-destination'
  | 'add/not-pinned'
  | 'add/stalled'
  | 'add/shard-too-small'
  | 'add/cancelled';

/** An error of this room. */
export function addError(code: AddErrorCode, message: string, options: OperatingErrorOptions = {}): OperatingError {
  return new OperatingError(code, message, options);
}

/** Whoever wanted it has gone. */
export function cancelled(signal: AbortSignal): OperatingError {
  return addError('add/cancelled', 'context canceled', { cause: signal.reason, outcome: 'unknown' });
}
