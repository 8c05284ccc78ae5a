export { base32Decode, base32Encode, base32UpperDecode, base32UpperDecodeBytes, base32UpperEncode } from './base32.ts';
export { base58Decode, base58Encode } from './base58.ts';
export { BoundedQueue } from './bounded-queue.ts';
export { briefJson } from './brief-json.ts';
export {
  asciiDecode,
  asciiWrite,
  bytesEqual,
  compareBytes,
  concatBytes,
  copyBytes,
  hexDecode,
  hexEncode,
  noBytes,
  utf8Decode,
  utf8Encode,
} from './bytes.ts';
export type { Cancel, Clock } from './clock.ts';
export {
  AssertionFailure,
  assert,
  errorCode,
  errorMessage,
  OperatingError,
  type OperatingErrorOptions,
  type Outcome,
} from './errors.ts';
export { type FlagForm, rewriteGoArguments } from './go-arguments.ts';
export type { Startable } from './lifecycle.ts';
export { limitedLogger } from './limited-logger.ts';
export { LogLimit } from './log-limit.ts';
export { type LogFields, type Logger, silentLogger } from './logger.ts';
export { pause } from './pause.ts';
export { printable } from './printable.ts';
export { SeededRandom } from './prng.ts';
export type { Random } from './random.ts';
export { type Varint, varintEncode, varintRead, varintSize, varintWrite } from './varint.ts';
export { version } from './version.ts';
