/** Sends requests, again where that is safe, and reads the forms of answers: one document, none, a list. */
import { type Clock, errorCode, errorMessage, pause, type Random, utf8Encode } from '../base/index.ts';
import { apiErrorJson, type Json } from '../model/index.ts';
import { RequestError } from './errors.ts';
import { mayRepeat } from './failover.ts';
import { linesOf, textOf } from './lines.ts';
import { systemClock, systemRandom } from './system.ts';
import { type Transport, type TransportRequest, type TransportResponse, unreachable } from './transport.ts';

/** A user and its password, a token, or what gets a token: it is asked again when the last one was not accepted. */
export type Credentials =
  | { readonly user: string; readonly password: string }
  | { readonly token: string | (() => string | Promise<string>) };

/** What every call takes. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** How requests are sent. */
export interface ExchangeOptions {
  /** Sent with every request. */
  readonly credentials?: Credentials;
  /** Milliseconds for one call, its attempts and all of its answer included. Default: no limit. */
  readonly timeoutMs?: number;
  /**
   * How often a call is tried again when there was no answer, or it broke off before anything of it was given out, and doing it twice
   * comes to the same as doing it once. Default 0.
   */
  readonly retries?: number;
  readonly clock?: Pick<Clock, 'after'>;
  readonly random?: Random;
}

/** The items of a list, read from the network while they are iterated; each iteration asks anew. */
export interface List<T> extends AsyncIterable<T> {
  /**
   * What the last iteration has come to: `true` when the peer has said that this was all; `unknown` when all that came is whole, and the
   * peer cannot say more (a Go peer, through `fetch`); `false` when it has failed; `undefined` before the end.
   */
  readonly complete: boolean | 'unknown' | undefined;
  /** After the last item of a page: the cursor of the next page, if there is one. */
  readonly next: string | undefined;
}

/** What an iteration has come to. */
export interface ListResult {
  complete: List<unknown>['complete'];
  next: string | undefined;
}

/** A list that is made anew for each iteration. */
export function listOf<T>(iterate: (result: ListResult) => AsyncGenerator<T, void>): List<T> {
  let last: ListResult = { complete: undefined, next: undefined };
  return {
    get complete() {
      return last.complete;
    },
    get next() {
      return last.next;
    },
    [Symbol.asyncIterator]() {
      last = { complete: undefined, next: undefined };
      return iterate(last);
    },
  };
}

/** What is asked. */
export interface Call extends Omit<TransportRequest, 'headers' | 'signal'> {
  readonly headers?: Readonly<Record<string, string>>;
  /** Neither limits nor other attempts: the answer is to be read for as long as it lasts. */
  readonly isEndless?: boolean;
  /** Only failures are told at the end of the list, where they can be seen. */
  readonly endsSilently?: boolean;
  /** Items at most of a page, which is given out when it is whole, and can be asked for again until then. */
  readonly pageSize?: number;
}

const retryDelayMs = 200;
const retryDelayMaxMs = 5000;

/** How long to wait before the next attempt, `attempt` counted from 0: twice as long each time, half of it by chance. */
export function backoffMs(attempt: number, random: Random, maxMs: number = retryDelayMaxMs): number {
  const delay = Math.min(maxMs, retryDelayMs * 2 ** Math.min(attempt, 16));
  return delay / 2 + random.integer(Math.ceil(delay / 2) + 1);
}

/** What limits a call: the caller's signal and its time. */
interface Limits {
  readonly caller: AbortSignal | undefined;
  readonly signal: AbortSignal | undefined;
}

export class Exchange {
  readonly #transport: Transport;
  readonly #credentials: Credentials | undefined;
  readonly #options: ExchangeOptions;
  readonly clock: Pick<Clock, 'after'>;
  readonly random: Random;
  /** The last one that was got, and what is getting the next one. */
  #token: Promise<string> | undefined;

  constructor(transport: Transport, options: ExchangeOptions) {
    this.#transport = transport;
    this.#credentials = options.credentials;
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? systemRandom;
  }

  /** Whether the end of a list must be asked for. */
  get hidesTrailers(): boolean {
    return this.#transport.hidesTrailers === true;
  }

  async object<T>(call: Call, json: Json<T>, options?: RequestOptions): Promise<T> {
    return this.text(call, options, (text, status) => parsed(json, text, status));
  }

  async nothing(call: Call, options?: RequestOptions): Promise<void> {
    await this.text(call, options, () => undefined);
  }

  /** The whole body of an answer that is no refusal. */
  async text<T>(
    call: Call,
    options: RequestOptions | undefined,
    read: (text: string, status: number) => T,
  ): Promise<T> {
    const limits = this.#limits(options);
    for (let attempt = 0; ; attempt += 1) {
      try {
        const response = await this.#send(call, limits);
        const text = await textOf(response.body);
        checkStatus(response.status, text);
        return read(text, response.status);
      } catch (error) {
        await this.#again(call, error, attempt, limits);
      }
    }
  }

  list<T>(call: Call, json: Json<T>, options?: RequestOptions): List<T> {
    return listOf((result) => this.#items(call, json, options, result));
  }

  /** One document with all items, or `null` for none. */
  array<T>(call: Call, json: Json<T>, options?: RequestOptions): List<T> {
    const ask = (): Promise<readonly T[]> =>
      this.text(call, options, (text, status) => {
        const items = itemsOf(text, status);
        return items.map((item) => parsed(json, JSON.stringify(item), status));
      });
    return listOf(async function* (result) {
      result.complete = false;
      const items = await ask();
      result.complete = true;
      yield* items;
    });
  }

  /** An answer that is read while it comes; the first part of the head has been checked. */
  async open(call: Call, options?: RequestOptions): Promise<TransportResponse> {
    const response = await this.#send(call, this.#limits(options, call.isEndless));
    if (response.status === 200) return response;
    checkStatus(response.status, await textOf(response.body));
    throw notAList(response.status);
  }

  async *#items<T>(
    call: Call,
    json: Json<T>,
    options: RequestOptions | undefined,
    result: ListResult,
  ): AsyncGenerator<T, void> {
    const limits = this.#limits(options);
    const asked = this.hidesTrailers ? { ...call, path: withEndRecord(call.path) } : call;
    let given = 0;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const response = await this.#send(asked, limits);
        if (response.status !== 200 && response.status !== 204) {
          checkStatus(response.status, await textOf(response.body));
          throw notAList(response.status);
        }
        let end: EndRecord | undefined;
        let count = 0;
        // A peer that knows no pages sends more.
        let held: T[] | undefined = call.pageSize === undefined ? undefined : [];
        for await (const { lines, isEnded } of linesOf(response.body)) {
          for (const line of lines) {
            end = endRecordOf(line);
            if (end !== undefined) break;
            const isHalf = !isEnded && line.startsWith('{');
            const item = isHalf ? parsedLast(json, line) : parsed(json, line, response.status);
            count += 1;
            if (held !== undefined && held.length < (call.pageSize ?? 0)) {
              held.push(item);
              continue;
            }
            given = count;
            yield* held ?? [];
            held = undefined;
            yield item;
            // What has come already would hide it.
            if (limits.signal?.aborted === true) throw cut('the call was ended');
          }
        }
        if (end !== undefined && end.items !== count) throw cut(`the peer has sent ${end.items} items, ${count} came`);
        const trailers = response.streamErrors();
        const errors = (end?.errors ?? trailers).filter((text) => text !== '');
        if (errors.length > 0) throw new RequestError('client/stream', errors.join('; '), { status: 500 });
        given = count;
        yield* held ?? [];
        // A peer tells success with an empty trailer.
        const isTold =
          end !== undefined || trailers.length > 0 || response.status === 204 || call.endsSilently === true;
        result.complete = isTold ? true : 'unknown';
        result.next = end?.next;
        return;
      } catch (error) {
        result.complete = false;
        // What was given out once must not be given out again.
        if (given > 0) throw this.#told(error, limits);
        await this.#again(call, error, attempt, limits);
        result.complete = undefined;
      }
    }
  }

  #limits(options: RequestOptions | undefined, isEndless: boolean = false): Limits {
    const caller = options?.signal;
    const { timeoutMs } = this.#options;
    if (timeoutMs === undefined || isEndless) return { caller, signal: caller };
    const limit = AbortSignal.timeout(timeoutMs);
    return { caller, signal: caller === undefined ? limit : AbortSignal.any([caller, limit]) };
  }

  async #send(call: Call, { signal }: Limits): Promise<TransportResponse> {
    const request = async (authorization: string): Promise<TransportResponse> => {
      const { isEndless: _, endsSilently: __, pageSize: ___, headers, ...rest } = call;
      const response = await this.#transport({
        ...rest,
        headers: { ...headers, ...(authorization === '' ? {} : { Authorization: authorization }) },
        ...(signal === undefined ? {} : { signal }),
      });
      return { ...response, body: guarded(response.body, call.method, call.path) };
    };
    const credentials = this.#credentials;
    if (credentials === undefined || !('token' in credentials) || typeof credentials.token === 'string') {
      return request(fixedAuthorization(credentials));
    }
    const used = this.#tokenOf(credentials.token);
    const response = await request(`Bearer ${await used}`);
    const isGone = typeof call.body === 'object' && !call.body.isReplayable;
    if (response.status !== 401 || isGone) return response;
    await textOf(response.body);
    // Others may have got a new one meanwhile.
    if (this.#token === used) this.#token = undefined;
    return request(`Bearer ${await this.#tokenOf(credentials.token)}`);
  }

  #tokenOf(get: () => string | Promise<string>): Promise<string> {
    if (this.#token === undefined) {
      const token = Promise.resolve().then(get);
      this.#token = token;
      token.catch(() => {
        if (this.#token === token) this.#token = undefined;
      });
    }
    return this.#token;
  }

  /** Resolves when the call may be tried again, and throws what it has failed with otherwise. */
  async #again(call: Call, error: unknown, attempt: number, limits: Limits): Promise<void> {
    const told = this.#told(error, limits);
    const isAborted = (): boolean => limits.signal?.aborted === true;
    const isOver = attempt >= (this.#options.retries ?? 0) || isAborted();
    if (isOver || !(told instanceof RequestError) || told.status !== 0) throw told;
    if (!mayRepeat({ ...call, headers: {} }, told)) throw told;
    await pause(this.clock, backoffMs(attempt, this.random), limits.signal);
    if (isAborted()) throw this.#told(error, limits);
  }

  /** A failure without an answer, by what has ended it. */
  #told(error: unknown, { caller, signal }: Limits): unknown {
    if (!(error instanceof RequestError) || error.status !== 0 || signal?.aborted !== true) return error;
    const code = caller?.aborted === true ? 'client/aborted' : 'client/timeout';
    return new RequestError(code, error.message, { status: 0, cause: error, outcome: error.outcome });
  }
}

/** The last line of a list that was asked to tell its end. */
interface EndRecord {
  readonly items: number;
  readonly errors: readonly string[];
  readonly next: string | undefined;
}

function endRecordOf(line: string): EndRecord | undefined {
  if (!line.startsWith('{"end_of_stream":true')) return undefined;
  let read: { readonly items?: unknown; readonly errors?: unknown; readonly next?: unknown };
  try {
    read = JSON.parse(line);
  } catch {
    throw cut('half of the line that tells its end');
  }
  return {
    items: Number(read.items),
    errors: Array.isArray(read.errors) ? read.errors.map(String) : [],
    next: typeof read.next === 'string' && read.next !== '' ? read.next : undefined,
  };
}

function itemsOf(text: string, status: number): readonly unknown[] {
  let items: unknown;
  try {
    items = JSON.parse(text) ?? [];
  } catch (error) {
    throw new RequestError('client/cut', `The answer broke off: ${errorMessage(error)}`, { status: 0, cause: error });
  }
  if (Array.isArray(items)) return items;
  throw new RequestError('client/bad-answer', 'Cannot read answer: expected a list', { status });
}

function withEndRecord(path: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}end-record=true`;
}

/** An answer that breaks off counts as none. */
async function* guarded(body: AsyncIterable<Uint8Array>, method: string, path: string): AsyncIterable<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    const { message, outcome } = unreachable(method, path, error);
    throw new RequestError('client/cut', message, { status: 0, cause: error, outcome });
  }
}

function cut(what: string): RequestError {
  return new RequestError('client/cut', `The answer broke off: ${what}`, { status: 0 });
}

function notAList(status: number): RequestError {
  return new RequestError('client/bad-answer', 'expected streaming response with code 200/204', { status });
}

function fixedAuthorization(credentials: Credentials | undefined): string {
  if (credentials === undefined) return '';
  if ('token' in credentials) return `Bearer ${credentials.token}`;
  const bytes = utf8Encode(`${credentials.user}:${credentials.password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** The error of a refusal: what the peer says, or its whole body where that is not the API's error. */
function checkStatus(status: number, text: string): void {
  if (status < 400) return;
  let message = text;
  try {
    // A Go peer can append a second document to a refusal; the first one counts.
    const first = text.slice(0, text.indexOf('\n') < 0 ? undefined : text.indexOf('\n'));
    const error = apiErrorJson.parse(first.startsWith('{') ? first : text);
    if (error.message !== '') message = error.message;
  } catch {
    // Not from the API: a proxy's page, or an empty 405.
  }
  // Not JSON, and without a word on the limit.
  if (status === 431) message = `${message.trim()}: the request is longer than the peer's max_header_bytes allows`;
  throw new RequestError('client/refused', message === '' ? `status ${status} without a body` : message, { status });
}

/** A document that has no line end may be half of one. */
function parsedLast<T>(json: Json<T>, text: string): T {
  try {
    return json.parse(text);
  } catch (error) {
    throw new RequestError('client/cut', `The answer broke off: ${errorMessage(error)}`, { status: 0, cause: error });
  }
}

/** Throws `RequestError` `client/bad-answer`. */
function parsed<T>(json: Json<T>, text: string, status: number): T {
  try {
    return json.parse(text);
  } catch (error) {
    if (errorCode(error) !== 'model/bad-json') throw error;
    throw new RequestError('client/bad-answer', `Cannot read answer: ${errorMessage(error)}`, { status, cause: error });
  }
}
