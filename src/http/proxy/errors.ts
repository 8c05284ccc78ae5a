/** Failures of the proxy. Texts of the reference are Go `api/ipfsproxy/ipfsproxy.go`'s. */
import { OperatingError } from '../../base/index.ts';

/** A refusal with the status that its client gets. */
export class ProxyError extends OperatingError {
  override readonly name = 'ProxyError';
  readonly status: number;

  constructor(status: number, message: string, cause?: unknown) {
    super('proxy/bad-request', message, cause === undefined ? {} : { cause });
    this.status = status;
  }
}
