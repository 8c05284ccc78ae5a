/**
 * The answer to one request, in the forms of Kubo's RPC: one object, objects line by line, or bytes.
 *
 * Nothing is sent before the first output, so that an early failure is a proper error answer; a later one travels in the
 * trailer `X-Stream-Error`. Every write waits for the client (back-pressure) and fails once it is gone.
 */
import type { ServerResponse } from 'node:http';
import { errorCode } from '../../base/index.ts';
import { headerSafe } from '../../http/kit/index.ts';
import { rpcError } from './errors.ts';

/** Characters of lines gathered before they are written at once. */
const lineBufferLength = 32 * 1024;

const streamHeaders = 'X-Stream-Output, X-Chunked-Output, X-Content-Length';
const commonHeaders = {
  'Access-Control-Allow-Headers': streamHeaders,
  'Access-Control-Expose-Headers': streamHeaders,
  Trailer: 'X-Stream-Error',
  Vary: 'Origin',
} as const;

export interface BytesHead {
  readonly contentType: string;
  /** Bytes of content, told in `X-Content-Length`. */
  readonly contentLength?: number;
}

/** Body of an error answer, with the fields that every Kubo client reads. */
function errorBody(message: string): string {
  return `${JSON.stringify({ Message: message, Code: 0, Type: 'error' })}\n`;
}

export class Answer {
  readonly #response: ServerResponse;
  readonly #server: string;
  #lines = '';
  #flushPlanned = false;

  constructor(response: ServerResponse, server: string) {
    this.#response = response;
    this.#server = server;
  }

  /** One object and the end. */
  async json(value: unknown): Promise<void> {
    this.#head({ 'Content-Type': 'application/json' });
    await this.#write(`${JSON.stringify(value)}\n`);
  }

  /** One object, too long to be held, as pieces of its text. */
  async jsonText(pieces: AsyncIterable<string>): Promise<void> {
    for await (const piece of pieces) {
      this.#head({ 'Content-Type': 'application/json' });
      await this.#gather(piece);
    }
  }

  /** Sends the head of an answer of lines at once, as a sign of life. */
  startLines(): void {
    this.#linesHead();
    this.#response.flushHeaders();
  }

  /** One more line. */
  async line(value: unknown): Promise<void> {
    this.#linesHead();
    await this.#gather(`${JSON.stringify(value)}\n`);
  }

  /** Bytes as they come. The head goes with the first of them. */
  async bytes(head: BytesHead, content: AsyncIterable<Uint8Array>): Promise<void> {
    const headers = {
      'Content-Type': head.contentType,
      'X-Stream-Output': '1',
      ...(head.contentLength === undefined ? {} : { 'X-Content-Length': String(head.contentLength) }),
    };
    for await (const bytes of content) {
      this.#head(headers);
      await this.#write(bytes);
    }
    this.#head(headers);
  }

  /** Ends an answer; one without any output is an empty list of lines. */
  async end(): Promise<void> {
    this.#linesHead();
    await this.#flush();
    this.#response.end();
  }

  /** Ends the answer with a failure: 400 with the text for a bad request, else 500 or the trailer. */
  fail(error: unknown, message: string): void {
    const response = this.#response;
    if (response.destroyed || response.writableEnded) return;
    if (!response.headersSent) {
      if (errorCode(error) === 'ipfs-rpc/bad-request') sendText(response, 400, message);
      else {
        this.#head({ 'Content-Type': 'application/json' }, 500);
        response.end(errorBody(message));
      }
      return;
    }
    if (this.#lines !== '') response.write(this.#lines);
    this.#lines = '';
    response.addTrailers({ 'X-Stream-Error': headerSafe(message) });
    response.end();
  }

  #linesHead(): void {
    this.#head({ 'Content-Type': 'application/json', 'X-Chunked-Output': '1' });
  }

  #head(headers: Record<string, string>, status = 200): void {
    if (!this.#response.headersSent) {
      this.#response.writeHead(status, { ...commonHeaders, Server: this.#server, ...headers });
    }
  }

  /** Lines of one turn leave together. */
  async #gather(text: string): Promise<void> {
    this.#lines += text;
    if (this.#lines.length >= lineBufferLength) await this.#flush();
    else if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      setImmediate(() => {
        this.#flushPlanned = false;
        // A client that is gone is noticed by the next write that is waited for.
        this.#flush().catch(() => {});
      });
    }
  }

  async #flush(): Promise<void> {
    const text = this.#lines;
    this.#lines = '';
    if (text !== '') await this.#write(text);
  }

  async #write(data: string | Uint8Array): Promise<void> {
    const response = this.#response;
    if (response.destroyed || response.writableEnded) throw gone();
    if (data.length === 0 || response.write(data)) return;
    await new Promise<void>((resolve, reject) => {
      const drained = (): void => end(resolve);
      const closed = (): void => end(() => reject(gone()));
      const end = (settle: () => void): void => {
        response.off('drain', drained).off('close', closed);
        settle();
      };
      response.on('drain', drained).on('close', closed);
    });
  }
}

/** A plain text answer, as go-ipfs-cmds gives to requests that reach no command. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = `${text}\n`;
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    Vary: 'Origin',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

function gone(): Error {
  return rpcError('ipfs-rpc/client-gone', 'the client has left');
}
