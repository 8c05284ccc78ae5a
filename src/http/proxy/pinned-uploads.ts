/**
 * `add`, and `block/put` and `dag/put` with `pin=true`: the node stores, and what it answers as pinned is pinned in the
 * cluster before its line goes on to the client.
 *
 * The node pins locally too, so that its gc cannot take the blocks before the members that are to hold them have
 * fetched them. A pin that the cluster refuses does not stop the stream: it is told in the trailer `X-Stream-Error`.
 */
import { errorMessage } from '../../base/index.ts';
import { type AddParams, Cid, defaultPinOptions, type PinOptions } from '../../model/index.ts';
import { drained } from '../kit/index.ts';
import { ProxyError } from './errors.ts';
import { forward, refuse, sendOn } from './forward.ts';
import { beginLines, endLines, type Hijacked } from './hijacked.ts';
import { booleanOption } from './options.ts';
import type { UpstreamAnswer } from './upstream.ts';

/** Characters of one line of the node's answer. */
const lineLengthMax = 1024 * 1024;
/** Failed pins that are told one by one. */
const errorsMax = 10;

/** `add`, of what only the node can do. */
export async function addThroughNode(call: Hijacked, { pin, wrap }: AddParams): Promise<void> {
  await pinLines(call, {
    path: withParameters(call, { silent: 'false' }),
    options: pin,
    isShown: !booleanOption(call.query, false, 'silent'),
    // As Kubo: every topmost part, or the folder that wraps them all, which has no name.
    rootOf: ({ Name, Hash }) => {
      if (typeof Name !== 'string' || typeof Hash !== 'string') return undefined;
      return (wrap ? Name === '' : !Name.includes('/')) ? Hash : undefined;
    },
  });
}

/** `block/put`. */
export async function blockPut(call: Hijacked): Promise<void> {
  await pinPut(call, ({ Key }) => (typeof Key === 'string' ? Key : undefined));
}

/** `dag/put`. */
export async function dagPut(call: Hijacked): Promise<void> {
  await pinPut(call, ({ Cid: link }) => {
    const text = typeof link === 'object' && link !== null && '/' in link ? link['/'] : undefined;
    return typeof text === 'string' ? text : undefined;
  });
}

type Line = Readonly<Record<string, unknown>>;

async function pinPut(call: Hijacked, rootOf: (line: Line) => string | undefined): Promise<void> {
  if (!booleanOption(call.query, false, 'pin')) {
    await forward(call.upstream, call.request, call.response, call);
    return;
  }
  await pinLines(call, {
    path: call.path,
    options: defaultPinOptions,
    isShown: true,
    rootOf,
  });
}

interface PinLinesOptions {
  readonly path: string;
  readonly options: PinOptions;
  /** Whether the client gets the lines. */
  readonly isShown: boolean;
  readonly rootOf: (line: Line) => string | undefined;
}

async function pinLines(call: Hijacked, how: PinLinesOptions): Promise<void> {
  const { response, request } = call;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const answer = await sendOn(call.upstream, request, how.path, gone.signal);
    if (answer.status !== 200) {
      await copyFailure(call, answer);
      return;
    }
    beginLines(call);
    const errors: string[] = [];
    for await (const line of linesOf(answer.body)) {
      await pinRoot(call, how, line, errors);
      if (how.isShown && !response.destroyed && !response.write(`${line}\n`)) await drained(response);
    }
    const failure = answer.trailers['x-stream-error'] ?? '';
    endLines(call, [failure, ...errors].filter((error) => error !== '').join('; '));
  } catch (error) {
    if (response.destroyed) return;
    call.log.debug('upload through the proxy failed', { error: errorMessage(error) });
    if (response.headersSent) endLines(call, errorMessage(error));
    else refuse(response);
  }
}

async function pinRoot(call: Hijacked, how: PinLinesOptions, line: string, errors: string[]): Promise<void> {
  const root = how.rootOf(parseLine(line));
  if (root === undefined) return;
  try {
    await call.cluster.pin(Cid.parse(root), how.options);
  } catch (error) {
    const text = `cannot pin ${root}: ${errorMessage(error)}`;
    call.log.warn('content was added but not pinned', { cid: root, error: errorMessage(error) });
    if (errors.length < errorsMax) errors.push(text);
    else if (errors.length === errorsMax) errors.push('and more');
  }
}

function parseLine(line: string): Line {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Line) : {};
  } catch {
    return {};
  }
}

/** A refusal of the node goes to the client as it is. */
async function copyFailure(call: Hijacked, answer: UpstreamAnswer): Promise<void> {
  const text = await answer.body.text();
  const type = answer.headers[answer.headers.findIndex((name) => name.toLowerCase() === 'content-type') + 1];
  call.response.writeHead(answer.status, {
    ...call.headers,
    'Content-Type': type ?? 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  call.response.end(text);
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
      if (end > start) yield rest.slice(start, end);
      start = end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > lineLengthMax) throw new ProxyError(502, "a line of the node's answer is too long");
  }
  if (rest !== '') yield rest;
}

function withParameters(call: Hijacked, changed: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(call.query);
  for (const [name, value] of Object.entries(changed)) if (query.has(name)) query.set(name, value);
  return `/api/v0/add?${query}`;
}
