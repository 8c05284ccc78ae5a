/** Expected failures of the network room. */
import { OperatingError, type Outcome } from '../../base/index.ts';

export type P2pErrorKind =
  /** No listening address works: port in use, address not of this machine. */
  | 'listen'
  /** An option that cannot be used: key, secret, address. */
  | 'bad-option'
  | 'bad-address'
  /** The peer could not be reached. */
  | 'unreachable'
  /** The other side does not use the same private network secret. */
  | 'wrong-secret'
  | 'no-address'
  | 'unsupported-protocol'
  /** The remote reset the stream. */
  | 'stream-reset'
  /** The connection under the stream is gone. */
  | 'stream-lost'
  /** The stream was reset, or its write side closed, by this side. */
  | 'stream-closed'
  | 'timeout'
  | 'stopped'
  | 'publish';

/** An expected failure of the network; nothing was sent unless `outcome` says `unknown`. */
export function p2pError(
  kind: P2pErrorKind,
  message: string,
  options: { readonly cause?: unknown; readonly outcome?: Outcome } = {},
): OperatingError {
  return new OperatingError(`p2p/${kind}`, message, options);
}
