/**
 * Lists that grow with the pinset, as one JSON document a line, never collected.
 *
 * Form (Go `api/common` `StreamResponse`): 200 with the trailer `X-Stream-Error`, empty when all went well; 204 when
 * there was nothing; 500 with an error object when it failed before the first item. Readers that see no trailers may ask for a last line
 * that says how the list has ended.
 */
import type { ServerResponse } from 'node:http';
import { errorMessage } from '../../base/index.ts';

/** Characters gathered before a write; large enough for few system calls, small enough to keep memory flat. */
const writeChunkLength = 64 * 1024;

/** One streamed answer. */
export interface LineStreamOptions {
  readonly response: ServerResponse;
  /** Finished JSON texts without line ends, or the bytes of finished lines, as many as one write should have. */
  readonly lines: AsyncIterable<string | Uint8Array>;
  /** Headers of every form of the answer. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Status and body of an answer that failed before the first item. */
  readonly failed: (error: unknown) => { readonly status: number; readonly body: string };
  /**
   * Makes the line that ends the list, without its line end, when all items have left; with the failure that ended them, if one did.
   * Then an empty list has it too, and is no 204.
   */
  readonly endLine?: (failure: string) => string;
}

/**
 * Writes the whole answer. Resolves when it has left or the client is gone, in which case the source is told to stop.
 * Never rejects.
 */
export async function sendLines(options: LineStreamOptions): Promise<void> {
  const { response, headers, failed, endLine } = options;
  // Clients of HTTP/1.0 know neither chunks nor trailers: the end of the connection is the end of the list.
  const isOld = response.req.httpVersionMinor === 0;
  const withTrailer = isOld ? headers : { ...headers, Trailer: 'X-Stream-Error', 'Transfer-Encoding': 'chunked' };
  const writer = createLineWriter(response);
  let streamError = '';
  try {
    for await (const item of options.lines) {
      if (item.length === 0) continue;
      if (!response.headersSent) response.writeHead(200, withTrailer);
      if (typeof item === 'string') writer.add(item);
      else writer.addBytes(item);
      if (!(await writer.hasRoom())) return;
    }
  } catch (error) {
    if (!response.headersSent) {
      const { status, body } = failed(error);
      response.writeHead(status, withTrailer);
      response.end(body);
      return;
    }
    streamError = errorMessage(error);
  }
  if (endLine !== undefined) {
    if (!response.headersSent && !response.destroyed) response.writeHead(200, withTrailer);
    writer.add(endLine(streamError));
  } else if (!response.headersSent) {
    // Node cannot announce a trailer on an answer without a body.
    response.writeHead(204, headers);
    response.end();
    return;
  }
  writer.flush();
  if (!isOld) response.addTrailers({ 'X-Stream-Error': headerSafe(streamError) });
  else if (streamError !== '') response.socket?.resetAndDestroy();
  response.end();
}

interface LineWriter {
  add(line: string): void;
  addBytes(lines: Uint8Array): void;
  flush(): void;
  /** Resolves when more may be added; false when the client is gone. */
  hasRoom(): Promise<boolean> | boolean;
}

/** Joins lines into few writes; what waits for the source to go on leaves at the end of the turn of the event loop. */
function createLineWriter(response: ServerResponse): LineWriter {
  let text = '';
  let scheduled = false;
  const flush = (): void => {
    if (text !== '' && !response.destroyed) response.write(text);
    text = '';
  };
  const flushLater = (): void => {
    scheduled = false;
    flush();
  };
  return {
    flush,
    add: (line) => {
      text += line;
      text += '\n';
      if (text.length >= writeChunkLength) flush();
      else if (!scheduled) {
        scheduled = true;
        setImmediate(flushLater);
      }
    },
    addBytes: (lines) => {
      flush();
      if (!response.destroyed) response.write(lines);
    },
    hasRoom: () => {
      if (response.destroyed) return false;
      return response.writableNeedDrain ? drained(response) : true;
    },
  };
}

/** Resolves when the client has read enough for more to be written; false when it is gone. */
export function drained(response: ServerResponse): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve(!response.destroyed);
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

/** Header and trailer values may not hold line ends or other control characters. */
export function headerSafe(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').replace(/[^\u0020-\u00ff]/g, '?');
}
