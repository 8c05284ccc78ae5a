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
 * A request that failed. Codes: `client/unreachable` (no answer), `client/cut` (the answer broke off), `client/timeout` and
 * `client/aborted` (the limit was over, the signal fired, before the answer was whole): all with status 0; `client/refused` (the peer
 * answered with an error), `client/stream` (the peer could not complete a list; status 500), `client/bad-answer` (not what the API
 * promises). `outcome` is `unknown` where the peer may have done what it was asked.
 */
export class RequestError extends OperatingError {
  override readonly name = 'RequestError';
  /** HTTP status; 0 when there was no whole answer. */
  readonly status: number;

  constructor(code: string, message: string, options: RequestErrorOptions) {
    super(code, message, { cause: options.cause, outcome: options.outcome ?? 'refused' });
    this.status = options.status;
  }
}
