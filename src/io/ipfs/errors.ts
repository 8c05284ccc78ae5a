/** Failures of the IPFS node. Texts of answered errors are the reference's: Go `ipfsconn/ipfshttp`. */
import { errorMessage, OperatingError } from '../../base/index.ts';

/** The node answered with an error of its own; `kuboMessage` is its text. */
export class KuboError extends OperatingError {
  override readonly name = 'KuboError';
  readonly statusCode: number;
  readonly kuboMessage: string;

  constructor(path: string, statusCode: number, kuboMessage: string) {
    super('ipfs/refused', `IPFS error (${path}). Code: ${statusCode}. Message: ${kuboMessage}`);
    this.statusCode = statusCode;
    this.kuboMessage = kuboMessage;
  }
}

/** Something answered, but not in the language of an IPFS node. */
function notKubo(path: string, statusCode: number, body: string): OperatingError {
  const text = `IPFS request failed (is it running?) (${path}). Code ${statusCode}: ${body.slice(0, 1024)}`;
  return new OperatingError('ipfs/not-kubo', text);
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
  return new OperatingError('ipfs/unreachable', `Post "${url}": ${causeText(cause)}`, { cause, outcome: 'unknown' });
}

/** No answer, or no more of it, in the time given. */
export function timedOut(url: string, limit: string): OperatingError {
  return new OperatingError('ipfs/timeout', `Post "${url}": no answer within ${limit}`, { outcome: 'unknown' });
}

/** The caller gave up. */
export function aborted(url: string, cause: unknown): OperatingError {
  return new OperatingError('ipfs/aborted', `Post "${url}": aborted`, { cause, outcome: 'unknown' });
}

/** The node said something that cannot be understood. */
export function badAnswer(path: string, problem: string, cause?: unknown): OperatingError {
  return new OperatingError('ipfs/bad-answer', `Cannot read the answer of IPFS to "${path}": ${problem}`, { cause });
}

/** Connection attempts to several addresses fail as one error without a text of its own. */
function causeText(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(errorMessage).join(', ');
  return errorMessage(cause);
}
