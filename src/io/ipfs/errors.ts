/** Failures of the IPFS node. Texts of answered errors are the reference's: Go `ipfsconn/ipfshttp`. */
import { errorCode, errorMessage, OperatingError, type OperatingErrorOptions } from '../../base/index.ts';
import type { IpfsFailureCode } from '../../model/index.ts';

/** All failures of the connector are made here, so that each has a code that others know. */
export function ipfsFailure(
  code: IpfsFailureCode,
  message: string,
  options: OperatingErrorOptions = {},
): OperatingError {
  return new OperatingError(code, message, options);
}

/** How operating systems, Kubo and our own node say that there is no room. */
const fullPattern =
  /no space left|quota exceeded|disk (is )?full|not enough (disk )?space|storage (limit|max)\w* (reached|exceeded)/i;

/** The node answered with an error of its own; `kuboMessage` is its text. */
export class KuboError extends OperatingError {
  override readonly name = 'KuboError';
  readonly statusCode: number;
  readonly kuboMessage: string;

  constructor(path: string, statusCode: number, kuboMessage: string) {
    const code: IpfsFailureCode = fullPattern.test(kuboMessage) ? 'ipfs/full' : 'ipfs/refused';
    super(code, `IPFS error (${path}). Code: ${statusCode}. Message: ${kuboMessage}`);
    this.statusCode = statusCode;
    this.kuboMessage = kuboMessage;
  }
}

/** Something answered, but not in the language of an IPFS node. */
function notKubo(path: string, statusCode: number, body: string): OperatingError {
  const text = `IPFS request failed (is it running?) (${path}). Code ${statusCode}: ${body.slice(0, 1024)}`;
  return ipfsFailure('ipfs/not-kubo', text);
}

/** What an answer other than success says. */
export function failureOfBody(path: string, statusCode: number, text: string): Error {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'Message' in body && typeof body.Message === 'string') {
      return new KuboError(path, statusCode, body.Message);
    }
  } catch {
    // Not an IPFS node's way to say no: reported as it came.
  }
  return notKubo(path, statusCode, text);
}

/** No answer because there is no connection. */
export function unreachable(url: string, cause: unknown): OperatingError {
  return ipfsFailure('ipfs/unreachable', `Post "${url}": ${causeText(cause)}`, { cause, outcome: 'unknown' });
}

/** What came over the connection that is no HTTP, or more of it than anyone should send. */
export function isBadHttp(error: unknown): boolean {
  const isUnparsable = error instanceof Error && error.name === 'HTTPParserError';
  return isUnparsable || ['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'].includes(errorCode(error));
}

/** No answer, or no more of it, in the time given. */
export function timedOut(url: string, limit: string): OperatingError {
  return ipfsFailure('ipfs/timeout', `Post "${url}": no answer within ${limit}`, { outcome: 'unknown' });
}

/** The caller gave up. */
export function aborted(url: string, cause: unknown): OperatingError {
  return ipfsFailure('ipfs/aborted', `Post "${url}": aborted`, { cause, outcome: 'unknown' });
}

/** The node said something that cannot be understood. */
export function badAnswer(path: string, problem: string, cause?: unknown): OperatingError {
  return ipfsFailure('ipfs/bad-answer', `Cannot read the answer of IPFS to "${path}": ${problem}`, { cause });
}

/** Connection attempts to several addresses fail as one error without a text of its own. */
function causeText(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(errorMessage).join(', ');
  return errorMessage(cause);
}
