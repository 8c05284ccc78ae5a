/**
 * The base of all expected failures, and the assertion for unexpected ones.
 *
 * Operating errors (bad input, a peer that is gone, a full disk) are `OperatingError`s with a stable `code`; code that
 * decides on an error compares `code`, never the text and never with `instanceof`. Programmer errors are assertions
 * and end the peer.
 */

/** What is known of an act that failed: certainly not done and never will be, or possibly done. */
export type Outcome = 'refused' | 'unknown';

/** What an operating error carries beside code and text. */
export interface OperatingErrorOptions {
  readonly cause?: unknown;
  /** Default `refused`. */
  readonly outcome?: Outcome;
}

/** A failure that is expected to happen and that someone handles by its `code`. */
export class OperatingError extends Error {
  override readonly name: string = 'OperatingError';
  /** Stable, `<room>/<kind>`, such as `raft/not-leader`. */
  readonly code: string;
  readonly outcome: Outcome;

  constructor(code: string, message: string, options: OperatingErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.outcome = options.outcome ?? 'refused';
  }
}

/** The `code` of an error, whatever it is; the empty string when it has none. */
export function errorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

/** The text of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Checks an invariant of our own code. A failure is a bug and ends the peer; remote input never reaches one. */
export function assert(condition: boolean, mustHold: string): asserts condition {
  if (!condition) throw new AssertionFailure(mustHold);
}

/** A broken invariant: never handled, it ends the peer. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
  readonly code = 'base/assertion';
  constructor(mustHold: string) {
    super(`Assertion failed: ${mustHold}`);
  }
}
