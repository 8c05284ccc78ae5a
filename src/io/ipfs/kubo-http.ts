/**
 * Requests to a Kubo RPC: one connection pool, bounded waits, one kind of error for each way of failing, and the
 * knowledge whether the node can be reached at all.
 */
import { type Dispatcher, Pool } from 'undici';
import { type Cancel, type Clock, errorCode, errorMessage } from '../../base/index.ts';
import { formatGoDuration } from '../../model/index.ts';
import type { Endpoint } from './endpoint.ts';
import { aborted, badAnswer, failureOfBody, isBadHttp, KuboError, timedOut, unreachable } from './errors.ts';
import { asRecord, ndjson } from './ndjson.ts';
import { ShortAnswer } from './short-answer.ts';

/** Bodies of errors and of single answers. A cut answer is refused, not shortened. */
const bodyLengthMax = 32 * 1024 * 1024;
const connectTimeoutMs = 10_000;

export interface KuboHttpOptions {
  readonly endpoint: Endpoint;
  /** Acts, questions and uploads under way at once; further ones wait for a connection of their kind. */
  readonly actsMax: number;
  readonly questionsMax: number;
  readonly uploadsMax: number;
}

export interface KuboRequest {
  /** Below `/api/v0/`, with the query. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  /** Limit for the answer to begin, and then for each further piece of it; 0: none. */
  readonly idleTimeoutMs: number;
  /** Default false: a question, unless it has a body. `post` is an act always. */
  readonly isAct?: boolean;
  /** Makes it an upload. */
  readonly upload?: { readonly contentType: string; readonly body: Buffer };
}

/** What ends a `post`: an `AbortSignal` with room for one listener, which costs a tenth. */
export interface Cut {
  readonly isCut: boolean;
  readonly reason: unknown;
  /** Called once, when it becomes cut. */
  onCut: (() => void) | undefined;
}

/** A client of one node. `onReached` and `onLost` tell how each request met the node, before the request ends. */
export class KuboHttp {
  readonly #acts: Pool;
  readonly #questions: Pool;
  readonly #uploads: Pool;
  readonly #origin: string;
  readonly #clock: Clock;
  readonly #onReached: () => void;
  readonly #onLost: (error: Error) => void;

  constructor(
    options: KuboHttpOptions,
    deps: { readonly clock: Clock; readonly onReached: () => void; readonly onLost: (error: Error) => void },
  ) {
    const { origin, socketPath } = options.endpoint;
    this.#origin = origin;
    this.#clock = deps.clock;
    this.#onReached = deps.onReached;
    this.#onLost = deps.onLost;
    const poolOf = (connections: number): Pool =>
      new Pool(origin, {
        connections,
        // Never pipelined: a slow pin must not hold up what comes behind it.
        pipelining: 1,
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: { timeout: connectTimeoutMs, ...(socketPath === undefined ? {} : { socketPath }) },
      });
    this.#acts = poolOf(options.actsMax);
    this.#questions = poolOf(options.questionsMax);
    this.#uploads = poolOf(options.uploadsMax);
  }

  /** One JSON object. */
  async json(request: KuboRequest): Promise<Record<string, unknown>> {
    const text = new TextDecoder().decode(await this.bytes(request));
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw badAnswer(request.path, `not JSON: ${text.slice(0, 200)}`, error);
    }
    return asRecord(request.path, value);
  }

  /** The whole body. */
  async bytes(request: KuboRequest): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this.#pieces(request)) {
      length += piece.length;
      if (length > bodyLengthMax) throw badAnswer(request.path, `longer than ${bodyLengthMax} bytes`);
      pieces.push(piece);
    }
    return Buffer.concat(pieces, length);
  }

  /** Objects of a streaming answer, as many together as arrived together. A cut stream is an error. */
  async *lines(request: KuboRequest): AsyncGenerator<readonly Record<string, unknown>[], void> {
    for await (const values of ndjson(request.path, this.#pieces(request))) {
      yield values.map((value) => asRecord(request.path, value));
    }
  }

  /**
   * The lines of a small answer, as they come, without a limit of time: the caller cuts. For pins, of which there are
   * many; `lines` does the same for three times the processor time.
   */
  async post(path: string, cut: Cut, onLine: (line: Record<string, unknown>) => void): Promise<void> {
    if (cut.isCut) throw aborted(this.#urlOf(path), cut.reason);
    for (let mayRepeat = true; ; mayRepeat = false) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const answer = new ShortAnswer({ path, onReached: this.#onReached, onLine, resolve, reject });
      cut.onCut = () => answer.abort(aborted(this.#urlOf(path), cut.reason));
      try {
        this.#acts.dispatch({ path: `/api/v0/${path}`, method: 'POST' }, answer);
        return await promise;
      } catch (error) {
        if (mayRepeat && !answer.isBegun && isStaleConnection(error)) continue;
        if (error instanceof Error && errorCode(error).startsWith('ipfs/')) throw error;
        throw this.#noAnswer(path, error);
      } finally {
        cut.onCut = undefined;
      }
    }
  }

  /** Ends everything that is under way. */
  async close(): Promise<void> {
    await Promise.all([this.#acts.destroy(), this.#questions.destroy(), this.#uploads.destroy()]);
  }

  async *#pieces(request: KuboRequest): AsyncGenerator<Uint8Array, void> {
    const watch = new Watch(this.#clock, request.idleTimeoutMs, request.signal);
    const url = this.#urlOf(request.path);
    let isWhole = false;
    try {
      const answer = await this.#send(request, watch.signal);
      this.#onReached();
      watch.renew();
      if (answer.statusCode !== 200) throw await failureOf(request.path, answer);
      for await (const piece of answer.body) {
        watch.renew();
        yield piece;
        watch.renew();
      }
      const streamError = answer.trailers['x-stream-error'];
      isWhole = true;
      if (streamError !== undefined) throw new KuboError(request.path, answer.statusCode, String(streamError));
    } catch (error) {
      throw this.#translate(url, error, watch, request);
    } finally {
      // Gives the connection back when the reader left before the end.
      if (!isWhole) watch.abort();
      watch.end();
    }
  }

  #urlOf(path: string): string {
    return `${this.#origin}/api/v0/${path}`;
  }

  async #send({ path, isAct, upload }: KuboRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const pool = upload !== undefined ? this.#uploads : isAct === true ? this.#acts : this.#questions;
    const options: Dispatcher.RequestOptions = {
      path: `/api/v0/${path}`,
      method: 'POST',
      signal,
      ...(upload === undefined ? {} : { body: upload.body, headers: { 'content-type': upload.contentType } }),
    };
    try {
      return await pool.request(options);
    } catch (error) {
      if (signal.aborted || !isStaleConnection(error)) throw error;
      return await pool.request(options);
    }
  }

  #translate(url: string, error: unknown, watch: Watch, request: KuboRequest): Error {
    if (watch.isExpired) return timedOut(url, formatGoDuration(request.idleTimeoutMs));
    if (request.signal?.aborted === true) return aborted(url, request.signal.reason);
    if (error instanceof Error && errorCode(error).startsWith('ipfs/')) return error;
    return this.#noAnswer(request.path, error);
  }

  /** The connection is gone, or what came over it is no HTTP: only the former says that the node is away. */
  #noAnswer(path: string, error: unknown): Error {
    if (isBadHttp(error)) return badAnswer(path, `not HTTP: ${errorMessage(error)}`, error);
    const lost = unreachable(this.#urlOf(path), error);
    this.#onLost(lost);
    return lost;
  }
}

/** Aborts a request when the caller does, or when nothing came for too long. */
class Watch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #abort = (): void => this.#controller.abort(this.#outer?.reason);
  #lastMs: number;
  #cancel: Cancel | undefined;
  isExpired = false;

  constructor(clock: Clock, limitMs: number, outer: AbortSignal | undefined) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#outer = outer;
    this.#lastMs = clock.now();
    if (outer?.aborted === true) this.#abort();
    outer?.addEventListener('abort', this.#abort, { once: true });
    if (limitMs > 0) this.#arm(limitMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Only stamps the time: re-arming a timer for each piece would cost more than reading the piece. */
  renew(): void {
    this.#lastMs = this.#clock.now();
  }

  end(): void {
    this.#cancel?.();
    this.#outer?.removeEventListener('abort', this.#abort);
  }

  abort(): void {
    this.#controller.abort();
  }

  #arm(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      const restMs = this.#lastMs + this.#limitMs - this.#clock.now();
      if (restMs > 0) return this.#arm(restMs);
      this.isExpired = true;
      this.#controller.abort();
    });
  }
}

/** The node may close an idle connection just when we use it. All acts can be repeated, so one more try is safe. */
function isStaleConnection(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(errorCode(error));
}

async function failureOf(path: string, answer: Dispatcher.ResponseData): Promise<Error> {
  let text = '';
  for await (const piece of answer.body) {
    text += Buffer.from(piece).toString();
    if (text.length > 64 * 1024) break;
  }
  return failureOfBody(path, answer.statusCode, text);
}
