/**
 * The reader of a small line-by-line answer, such as that of a pin. It takes the client's events directly: without
 * streams and iterators between, a pin costs a third of the processor time.
 */
import type { Dispatcher } from 'undici';
import { badAnswer, failureOfBody, KuboError } from './errors.ts';
import { asRecord } from './ndjson.ts';

/** Such answers are short; a longer one is not read on. */
const textLengthMax = 1024 * 1024;

export interface ShortAnswerDeps {
  readonly path: string;
  /** The node has begun to answer. */
  readonly onReached: () => void;
  /** Each line as it comes. Must not throw. */
  readonly onLine: (line: Record<string, unknown>) => void;
  readonly resolve: () => void;
  /** What the node or the connection has failed with, not yet told apart. */
  readonly reject: (error: unknown) => void;
}

export class ShortAnswer implements Dispatcher.DispatchHandler {
  readonly #deps: ShortAnswerDeps;
  #controller: Dispatcher.DispatchController | undefined;
  #statusCode = 0;
  #text = '';
  #isEnded = false;
  #abortReason: Error | undefined;

  constructor(deps: ShortAnswerDeps) {
    this.#deps = deps;
  }

  /** The node has said something, so that the request must not be sent again. */
  get isBegun(): boolean {
    return this.#statusCode !== 0;
  }

  /** Ends the request, now or as soon as it begins. */
  abort(reason: Error): void {
    if (this.#isEnded) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
    this.#end(() => this.#deps.reject(reason));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#abortReason !== undefined) controller.abort(this.#abortReason);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number): void {
    this.#statusCode = statusCode;
    this.#deps.onReached();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#text += chunk.toString();
    if (this.#text.length > textLengthMax) {
      this.abort(badAnswer(this.#deps.path, `longer than ${textLengthMax} letters`));
    } else if (this.#statusCode === 200) this.#takeLines();
  }

  onResponseEnd(
    _controller: Dispatcher.DispatchController,
    trailers: Record<string, string | string[] | undefined>,
  ): void {
    const { path } = this.#deps;
    const streamError = trailers['x-stream-error'];
    if (this.#statusCode !== 200) this.#fail(failureOfBody(path, this.#statusCode, this.#text));
    else if (streamError !== undefined) this.#fail(new KuboError(path, this.#statusCode, String(streamError)));
    else {
      this.#text += '\n';
      this.#takeLines();
      this.#end(this.#deps.resolve);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #takeLines(): void {
    for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
      const line = this.#text.slice(0, end).trim();
      this.#text = this.#text.slice(end + 1);
      if (line === '') continue;
      const record = this.#recordOf(line);
      if (record === undefined) return;
      this.#deps.onLine(record);
    }
  }

  /** `undefined`: it is none, and the request has ended with that. */
  #recordOf(line: string): Record<string, unknown> | undefined {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      this.abort(badAnswer(this.#deps.path, `not JSON: ${line.slice(0, 200)}`, error));
      return undefined;
    }
    try {
      return asRecord(this.#deps.path, value);
    } catch (error) {
      // `asRecord` fails with an operating error and nothing else.
      this.abort(error as Error);
      return undefined;
    }
  }

  #fail(error: Error): void {
    this.#end(() => this.#deps.reject(error));
  }

  #end(tell: () => void): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    tell();
  }
}
