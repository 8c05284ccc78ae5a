import { AssertionFailure, errorCode, errorMessage } from '../base/index.ts';

/** A checker saw something that must never happen. */
export class Finding extends Error {
  override readonly name = 'Finding';
  readonly code = 'sim/finding';
  /** What planted bugs and reports refer to. */
  readonly checker: string;

  constructor(checker: string, message: string, options?: ErrorOptions) {
    super(`${checker}: ${message}`, options);
    this.checker = checker;
  }
}

/** Fails unless the condition holds; the text is made only then. */
export function expect(condition: boolean, checker: string, text: () => string): asserts condition {
  if (!condition) throw new Finding(checker, text());
}

/** The engine's own assertions are findings like any other. */
export function asFinding(error: unknown): Finding {
  if (error instanceof Finding) return error;
  // The engine refuses to start from a log and a state that cannot be of one peer.
  const isTorn = errorCode(error) === 'raft/state-ahead' || errorCode(error) === 'raft/state-behind';
  // It has found out what the checkers look for.
  const isDiverged = errorCode(error) === 'raft/diverged';
  if (isDiverged) return new Finding('committed entries equal', errorMessage(error), { cause: error });
  const checker = isTorn ? 'state and log' : error instanceof AssertionFailure ? 'assertion' : 'exception';
  return new Finding(checker, errorMessage(error), { cause: error });
}
