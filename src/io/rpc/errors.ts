/**
 * Failures of calls. The text of an error that a remote method returned is kept as it is: Go clients and scripts read it.
 */
import { errorCode, errorMessage, OperatingError, type Outcome } from '../../base/index.ts';

export type RpcErrorKind =
  /** The called method itself failed. */
  | 'application'
  /** The server has no such method, or cannot read the argument. */
  | 'server'
  | 'authorization'
  /** No stream to the peer could be opened. */
  | 'unreachable'
  /** The connection was lost while the call was under way. */
  | 'connection-lost'
  | 'bad-reply'
  /** An argument that can be read, but makes no sense. */
  | 'bad-argument'
  | 'timeout'
  | 'cancelled'
  /** Too many calls at once. */
  | 'busy'
  | 'too-large'
  | 'stopped'
  | 'not-supported';

/** A failed call; `outcome` tells whether the method may have done its work. */
export function rpcError(
  kind: RpcErrorKind,
  message: string,
  options: { readonly cause?: unknown; readonly outcome?: Outcome } = {},
): OperatingError {
  return new OperatingError(`rpc/${kind}`, message, options);
}

/** What is told to a caller of a failed method. */
export interface Failure {
  readonly code: string;
  readonly text: string;
  readonly outcome: Outcome;
}

const codePattern = /^[a-z0-9-]{1,40}\/[a-z0-9-]{1,60}$/;

/** What to tell of anything that a handler threw. */
export function failureOf(error: unknown): Failure {
  const code = errorCode(error);
  const isExpected = codePattern.test(code);
  const outcome = isExpected && error instanceof Object && 'outcome' in error && error.outcome === 'refused';
  return {
    code: isExpected ? code : 'rpc/application',
    // An error without text would read as success on the wire.
    text: errorMessage(error) || 'unknown error',
    outcome: outcome ? 'refused' : 'unknown',
  };
}

/** The error of a failure that one of our own peers told. */
export function errorOfFailure({ code, text, outcome }: Failure): OperatingError {
  return new OperatingError(codePattern.test(code) ? code : 'rpc/application', text, { outcome });
}

/** A stream that could not be opened: nothing was sent. */
export function unreachable(error: unknown): OperatingError {
  return rpcError('unreachable', errorMessage(error), { cause: error });
}

/** A stream that broke: the method may have run. */
export function connectionLost(error: unknown): OperatingError {
  return rpcError('connection-lost', errorMessage(error), { cause: error, outcome: 'unknown' });
}
