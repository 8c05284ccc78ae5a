/** Failures of importing. The texts are those of Kubo and the reference where they have one. */
import { OperatingError } from '../base/index.ts';

/** Stable codes of this room's failures. */
export type ImportErrorCode = 'unixfs/bad-option' | 'unixfs/bad-name' | 'unixfs/too-deep';

/** An error of this room. */
export function importError(code: ImportErrorCode, message: string): OperatingError {
  return new OperatingError(code, message);
}
