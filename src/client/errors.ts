/**
 * What can go wrong with a request, as one error with the status of the answer.
 */
import { OperatingError, type Outcome } from '../base/index.ts';

/** What a request error carries beside code and text. */
export interface RequestErrorOptions {
  readonly status: number;
  readonly cause?: unknown;
  readonly outcome?: Outcome;
}

/**
 * A request that failed. Codes: `client/unreachable` (no answer; status 0), `client/refused` (the peer answered with
 * an error), `client/stream` (a list broke off; status 500), `client/bad-answer` (not what the API promises).
 */
export class RequestError extends OperatingError {
  override readonly name = 'RequestError';
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;

  constructor(code: string, message: string, options: RequestErrorOptions) {
    super(code, message, { cause: options.cause, outcome: options.outcome ?? 'refused' });
    this.status = options.status;
  }
}
