/** Server-sent events over `fetch`, so that credentials go with them; lost connections are made again where they were. */
import { type OperatingError, pause } from '../base/index.ts';
import { RequestError } from './errors.ts';
import { backoffMs, type Exchange } from './exchange.ts';
import type { EventsOptions, ServerEvent } from './types.ts';

/** A peer says something every 15 s. */
const silenceMaxMs = 45_000;
const delayMaxMs = 10_000;
const attemptsDefault = 10;
const eventLengthMax = 67_108_864;

/** Never ends by itself; fails when no peer is there any more, and when one refuses. */
export async function* followEvents(exchange: Exchange, options: EventsOptions = {}): AsyncIterable<ServerEvent> {
  const { types, attempts = attemptsDefault, signal } = options;
  let last = options.lastEventId;
  let failures = 0;
  for (;;) {
    const connection = new Connection(exchange, signal);
    let failure: OperatingError = new RequestError('client/cut', 'The events broke off', { status: 0 });
    try {
      for await (const event of connection.read(pathOf(types, last))) {
        last = event.id === '' ? last : event.id;
        yield event;
      }
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (signal?.aborted === true)
        throw new RequestError('client/aborted', error.message, { status: 0, cause: error });
      // One that starts, or a proxy before one that is gone.
      if (error.status !== 0 && error.status < 500) throw error;
      failure = error;
    }
    failures = connection.isHeard ? 1 : failures + 1;
    if (failures >= attempts) throw failure;
    await pause(exchange.clock, backoffMs(failures - 1, exchange.random, delayMaxMs), signal);
  }
}

/** In the query rather than in the header `Last-Event-ID`, which browsers send to other hosts only where it was allowed. */
function pathOf(types: readonly string[] | undefined, last: string | undefined): string {
  const query: string[] = [];
  if (types !== undefined) query.push(`types=${types.map(encodeURIComponent).join(',')}`);
  if (last !== undefined) query.push(`last-event-id=${encodeURIComponent(last)}`);
  return `/events${query.length === 0 ? '' : '?'}${query.join('&')}`;
}

/** One answer of a peer, which ends when it says nothing for too long. */
class Connection {
  readonly #exchange: Exchange;
  readonly #signal: AbortSignal | undefined;
  readonly #silence = new AbortController();
  #cancel: () => void = () => undefined;
  isHeard = false;

  constructor(exchange: Exchange, signal: AbortSignal | undefined) {
    this.#exchange = exchange;
    this.#signal = signal;
  }

  async *read(path: string): AsyncIterable<ServerEvent> {
    const ends = [this.#silence.signal, ...(this.#signal === undefined ? [] : [this.#signal])];
    this.#watch();
    try {
      const call = { method: 'GET', path, headers: { Accept: 'text/event-stream' }, isEndless: true } as const;
      const { body } = await this.#exchange.open(call, { signal: AbortSignal.any(ends) });
      yield* eventsOf(this.#heard(body));
    } finally {
      this.#cancel();
    }
  }

  async *#heard(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of body) {
      this.isHeard = true;
      this.#watch();
      yield chunk;
    }
  }

  #watch(): void {
    this.#cancel();
    this.#cancel = this.#exchange.clock.after(silenceMaxMs, () => this.#silence.abort());
  }
}

/**
 * Events of a body. One that is not whole at the end is none.
 * Source: HTML Standard, section 9.2.6 "Interpreting an event stream"; line ends are LF or CR LF.
 */
async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncIterable<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let id = '';
  let type = '';
  let data: string[] = [];
  let length = 0;
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true });
    // Only the new part can end a line: a long one must not be searched again for each piece.
    const end = text.lastIndexOf('\n');
    const lines = end < 0 ? [] : (rest + text.slice(0, end)).split('\n');
    rest = end < 0 ? rest + text : text.slice(end + 1);
    if (rest.length + length > eventLengthMax) throw tooLong();
    for (const ended of lines) {
      const line = ended.endsWith('\r') ? ended.slice(0, -1) : ended;
      const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
      if (line === '') {
        if (data.length > 0) yield { id, type: type === '' ? 'message' : type, data: data.join('\n') };
        type = '';
        data = [];
        length = 0;
      } else if (field === 'id') id = value;
      else if (field === 'event') type = value;
      else if (field === 'data') {
        data.push(value);
        length += value.length + 1;
        if (length > eventLengthMax) throw tooLong();
      }
    }
  }
}

const tooLong = (): RequestError => new RequestError('client/bad-answer', 'An event is too long', { status: 200 });
