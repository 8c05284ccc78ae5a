/**
 * Large answers, passed on as the bytes that come: the head is read, and what follows it goes from socket to socket, chunk sizes and
 * trailers as the node has written them. Reading and writing each chunk anew would take three times the processor time.
 *
 * Both connections end with the answer. So nobody has to know here where it ends, and a client always sees when it is cut short: its
 * chunks or its length are not complete.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { noBytes, OperatingError } from '../../base/index.ts';

/** Of the node's answer. Go's clients take 1 MiB; Kubo's answers have some hundred bytes. */
const headBytesMax = 65_536;
/** To reach the node. Once reached it may take as long as it likes. */
const connectTimeoutMs = 10_000;

/** Commands whose answers can be large, below `/api/v0`. */
const bulkCommands: ReadonlySet<string> = new Set(['cat', 'get', 'dag/export']);

/** Whether an answer is worth a connection of its own: a large one may come, and a client that knows chunks gets it. */
export function isBulk(command: readonly string[] | undefined, request: IncomingMessage): boolean {
  return (
    command !== undefined &&
    bulkCommands.has(command.join('/')) &&
    request.httpVersionMinor > 0 &&
    (request.method === 'POST' || request.method === 'GET') &&
    request.headers['transfer-encoding'] === undefined &&
    (request.headers['content-length'] ?? '0') === '0'
  );
}

/** The node's answer so far: flat list of header names and values. */
export interface SplicedHead {
  readonly status: number;
  readonly headers: readonly string[];
}

/** Takes bytes of the node's, and tells when they may be written over. False: no more for now, until the socket is told to resume. */
export type Receive = (bytes: Uint8Array, done: () => void) => boolean;

export interface SpliceOptions {
  /** Begins to connect to the node. */
  readonly connect: (receive: Receive) => Socket;
  /** Of the request to the node: request line and headers, with their empty line. */
  readonly head: string;
  readonly response: ServerResponse;
  /** Sends the head of the answer, for a connection that ends with it. */
  readonly sendHead: (head: SplicedHead) => void;
}

/** Resolves when the answer has left. Rejects when the node fails before it has begun; later failures break the connection off. */
export function splice({ connect, head, response, sendHead }: SpliceOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const answer = new AnswerHead();
  let hasBegun = false;
  let isOver = false;
  /** What follows the head, once it is whole. */
  const begin = (bytes: Uint8Array): Uint8Array => {
    const rest = answer.read(bytes);
    if (rest === undefined) return noBytes;
    hasBegun = true;
    response.shouldKeepAlive = false;
    sendHead(answer);
    // The chunks come ready-made. Without them, and without a length, the answer ends with the connection; here it is sent in chunks.
    if (answer.isChunked) response.chunkedEncoding = false;
    return rest;
  };
  const socket = connect((bytes, done) => {
    try {
      const body = hasBegun ? bytes : begin(bytes);
      if (body.length > 0) return response.write(body, done);
    } catch (error) {
      fail(error);
    }
    done();
    return true;
  });
  const fail = (error: unknown): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(late);
    socket.destroy();
    if (hasBegun) response.destroy();
    reject(error);
  };
  const late = setTimeout(
    () => fail(new OperatingError('http/no-node', 'the node cannot be reached in time')),
    connectTimeoutMs,
  );
  const isReady = 'encrypted' in socket ? 'secureConnect' : 'connect';
  socket.once(isReady, () => {
    clearTimeout(late);
    socket.write(head, 'latin1');
  });
  socket.on('error', fail);
  socket.on('end', () => {
    if (!hasBegun)
      return fail(new OperatingError('http/no-node', 'the node has closed the connection without an answer'));
    isOver = true;
    response.end();
    resolve();
  });
  socket.on('close', () => fail(new OperatingError('http/no-node', 'the node has broken the connection off')));
  response.on('drain', () => socket.resume());
  response.once('close', () => {
    isOver = true;
    clearTimeout(late);
    socket.destroy();
    resolve();
  });
  return promise;
}

/** The head of an answer, as it comes. Source: RFC 9112, sections 2 to 5. */
class AnswerHead implements SplicedHead {
  status = 0;
  headers: readonly string[] = [];
  isChunked = false;
  #text = '';

  /** What follows the head; `undefined` while it is not whole. Throws `http/bad-answer`. */
  read(bytes: Uint8Array): Uint8Array | undefined {
    // One byte is one letter: where the head ends in the text is where it ends in the bytes.
    this.#text += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      if (end < 0) {
        if (this.#text.length > headBytesMax) throw badAnswer(`its head has more than ${headBytesMax} bytes`);
        return undefined;
      }
      this.#parse(this.#text.slice(0, end));
      const restLength = this.#text.length - end - 4;
      // What comes before the answer proper (100 to 199) is of no use to the client, which has sent everything.
      if (this.status >= 200) return bytes.subarray(bytes.length - restLength);
      this.#text = this.#text.slice(end + 4);
    }
  }

  #parse(text: string): void {
    const [first = '', ...lines] = text.split('\r\n');
    const status = /^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/.exec(first)?.[1];
    if (status === undefined) throw badAnswer(`it begins with ${JSON.stringify(first.slice(0, 80))}`);
    this.status = Number(status);
    const headers: string[] = [];
    this.isChunked = false;
    for (const line of lines) {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (name === undefined || value === undefined)
        throw badAnswer(`it has the line ${JSON.stringify(line.slice(0, 80))}`);
      headers.push(name, value);
      if (name.toLowerCase() !== 'transfer-encoding') continue;
      if (value.toLowerCase() !== 'chunked') throw badAnswer(`it is sent as ${JSON.stringify(value)}`);
      this.isChunked = true;
    }
    const hasLength = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-length');
    if (this.isChunked && hasLength) throw badAnswer('it has both chunks and a length');
    this.headers = headers;
  }
}

function badAnswer(what: string): OperatingError {
  return new OperatingError('http/bad-answer', `the node's answer cannot be read: ${what}`);
}
