/** Failures of bitswap that callers tell apart. */
import { OperatingError } from '../base/index.ts';

/** Stable codes: a peer broke the protocol, a CID has a hash that cannot be checked, bitswap or a session was stopped. */
export type BitswapErrorCode = 'bitswap/bad-message' | 'bitswap/unknown-hash' | 'bitswap/stopped';

export function bitswapError(code: BitswapErrorCode, message: string, cause?: unknown): OperatingError {
  return new OperatingError(code, message, cause === undefined ? {} : { cause });
}
