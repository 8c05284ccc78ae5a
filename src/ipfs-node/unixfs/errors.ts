/** Failures of reading and writing files. The texts are Kubo's where Kubo has one: its clients match them. */
import { OperatingError } from '../../base/index.ts';

/** Stable codes of this room's failures. */
export type UnixfsErrorCode =
  | 'unixfs/bad-path'
  | 'unixfs/unsupported-path'
  | 'unixfs/no-link'
  | 'unixfs/not-a-file'
  | 'unixfs/bad-node'
  | 'unixfs/bad-name'
  | 'unixfs/closed';

/** An error of this room. */
export function unixfsError(code: UnixfsErrorCode, message: string, cause?: unknown): OperatingError {
  return new OperatingError(code, message, cause === undefined ? {} : { cause });
}
