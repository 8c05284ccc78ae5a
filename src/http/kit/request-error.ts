/** How a handler refuses a request. */
import { errorCode, OperatingError } from '../../base/index.ts';

/** A refusal with the status that its client gets. */
export class RequestError extends OperatingError {
  override readonly name = 'RequestError';
  readonly status: number;

  constructor(status: number, message: string) {
    super('http/bad-request', message);
    this.status = status;
  }
}

/** What a failed request is answered: what a refusal says, 404 for a pin that is not there, 500 for all else. */
export function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  // Go `api/common/api.go` `SendResponse`.
  return errorCode(error) === 'cluster/not-pinned' ? 404 : 500;
}
