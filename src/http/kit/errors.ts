/** Failures of the HTTP layer itself. */
import { OperatingError } from '../../base/index.ts';

/** `code`: `http/listen` (address cannot be used) or `http/bad-address` (not an address to listen on). */
export class HttpError extends OperatingError {
  override readonly name = 'HttpError';
}
