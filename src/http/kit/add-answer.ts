/**
 * The answer to an upload: lines while the body is still being read, or one array at the end; the connection ends with it.
 * Source: Go `adder/adderutils/adderutils.go` `AddMultipartHTTPHandler`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorCode, errorMessage, OperatingError } from '../../base/index.ts';
import { drained, headerSafe } from './stream.ts';
import type { UploadPart } from './upload.ts';

/** How long a client that is still sending has to read the answer before the connection is cut. */
const lingerMs = 2_000;
/** Characters of an array: it is held in memory until its status is known. */
const arrayLengthMax = 32 * 1024 * 1024;

/** One answer to an upload. */
export interface AddAnswer {
  readonly response: ServerResponse;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Finished JSON texts, without line ends. */
  readonly lines: AsyncIterable<string>;
  /** Status and body that tell a failure, where nothing was sent yet. */
  readonly failed: (error: unknown) => { readonly status: number; readonly body: string };
  /** The last line, from the number of lines and what went wrong; absent: none. For clients that cannot read trailers. */
  readonly endLine?: (items: number, errors: readonly string[]) => string;
}

/**
 * Lines as they come. The status is 200 whatever happens, since it leaves before the outcome is known: a failure is told in the trailer
 * `X-Stream-Error`, which is not there when all went well. With `waits`, the status leaves with the first line, and what fails before has
 * one of its own. Resolves when the answer has left or the client is gone; never rejects.
 */
export async function streamAdded(answer: AddAnswer & { readonly waits: boolean }): Promise<void> {
  const { response, headers, lines, endLine, failed, waits } = answer;
  const begin = (): void => {
    if (response.headersSent) return;
    response.writeHead(200, { ...addHeaders(headers), 'X-Chunked-Output': '1', Trailer: 'X-Stream-Error' });
  };
  if (!waits) begin();
  let items = 0;
  let failure: string | undefined;
  try {
    for await (const line of lines) {
      items += 1;
      begin();
      // Whoever reads slowly holds the add back.
      if (!response.write(`${line}\n`) && !(await drained(response))) return;
      if (response.destroyed) return;
    }
  } catch (error) {
    if (response.destroyed) return;
    if (!response.headersSent) {
      const { status, body } = failed(error);
      response.writeHead(status, { ...addHeaders(headers), 'Content-Length': Buffer.byteLength(body) }).end(body);
      return;
    }
    failure = errorMessage(error);
  }
  if (response.destroyed) return;
  begin();
  if (endLine !== undefined) response.write(`${endLine(items, failure === undefined ? [] : [failure])}\n`);
  if (failure !== undefined) response.addTrailers({ 'X-Stream-Error': headerSafe(failure) });
  response.end();
}

/** Everything in one array, or one failure with its status. */
export async function sendAdded({ response, headers, lines, failed }: AddAnswer): Promise<void> {
  const texts: string[] = [];
  let length = 0;
  let status = 200;
  let body: string;
  try {
    for await (const line of lines) {
      length += line.length;
      if (length > arrayLengthMax) {
        throw new OperatingError(
          'http/too-long',
          'the answer is too long for one array: expected stream-channels=true',
        );
      }
      texts.push(line);
      if (response.destroyed) return;
    }
    body = `[${texts.join(',')}]\n`;
  } catch (error) {
    ({ status, body } = failed(error));
  }
  if (response.destroyed) return;
  response.writeHead(status, { ...addHeaders(headers), 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

/** One content type, whatever is configured: clients of IPFS nodes choose their decoder by it. */
function addHeaders(configured: AddAnswer['headers']): Record<string, string | string[]> {
  return { ...configured, 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' };
}

/**
 * Ends the connection with the answer, and not before the client, who may still be sending, has had time to read it: data that comes
 * for a closed socket makes the client's system throw away what has arrived. Call it before anything is sent.
 * Source: Go net/http `rstAvoidanceDelay`.
 */
export function closeAfterAnswer(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Connection', 'close');
  const { socket } = request;
  const destroySoon = socket.destroySoon?.bind(socket);
  if (destroySoon === undefined) return;
  // What Node ends the connection with.
  socket.destroySoon = () => {
    if (request.complete) return destroySoon();
    socket.end();
    // Read and dropped.
    request.resume();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
  };
}

/**
 * The parts of a body that may end too early, in the way of the reference: what there is of a file counts as the whole file, and then
 * the upload fails. So a client sees how far it came.
 */
export async function* untilTruncated(parts: AsyncIterable<UploadPart>): AsyncGenerator<UploadPart> {
  let isTruncated = false;
  const quiet = async function* (content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* content;
    } catch (error) {
      if (errorCode(error) !== 'http/truncated-upload') throw error;
      isTruncated = true;
    }
  };
  for await (const part of parts) {
    yield part.type === 'file' ? { ...part, content: quiet(part.content) } : part;
    if (isTruncated) throw new OperatingError('http/truncated-upload', 'multipart: NextPart: EOF');
  }
}
