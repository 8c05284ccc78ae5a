/** Content that someone else serves. */
import { errorCode, errorMessage, OperatingError } from '../../../base/index.ts';

/** The body of the answer to a GET; redirections are followed. Throws `ctl/fetch`. */
export async function* contentOfUrl(url: URL): AsyncIterable<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw failed(url, problemOf(url, cause), cause);
  }
  if (!response.ok) throw failed(url, `got non-2XX status code ${response.status}: ${response.statusText}`, undefined);
  try {
    if (response.body !== null) yield* response.body;
  } catch (error) {
    throw failed(url, errorMessage(error), error);
  }
}

function failed(url: URL, problem: string, cause: unknown): OperatingError {
  return new OperatingError('ctl/fetch', `Get "${url.href}": ${problem}`, { cause });
}

function problemOf(url: URL, cause: unknown): string {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const dial = `dial tcp ${url.hostname}:${port}`;
  if (errorCode(cause) === 'ECONNREFUSED') return `${dial}: connect: connection refused`;
  if (errorCode(cause) === 'ENOTFOUND') return `${dial}: lookup failed: no such host`;
  return errorMessage(cause);
}
