/**
 * `pin/add`, `pin/rm`, `pin/ls`, `pin/update` on the cluster's pinset.
 *
 * Beyond the reference: all `arg`s count, and all of them are checked before the first is acted on; `recursive=false` and
 * `name` are honoured; `pin/ls` takes `type` and tells the mode of direct pins. Pinning goes on when the client leaves.
 */
import { errorCode, errorMessage } from '../../base/index.ts';
import { Cid, defaultPinOptions, type Pin, type PinMode } from '../../model/index.ts';
import { ProxyError } from './errors.ts';
import { drained } from './forward.ts';
import { beginLines, endLines, type Hijacked, sendJson } from './hijacked.ts';
import { type CheckedPath, checkPath } from './path.ts';

/** Characters of lines gathered before they are written. */
const writeLength = 32 * 1024;

/** `pin/add`. */
export async function pinAdd(call: Hijacked): Promise<void> {
  const options = { ...defaultPinOptions, mode: modeOf(call.query), name: call.query.get('name') ?? '' };
  const paths = checkedArgs(call);
  const pins: string[] = [];
  for (const { text } of paths) pins.push((await call.cluster.pinPath({ path: text, ...options })).cid.toString());
  sendJson(call, 200, JSON.stringify({ Pins: pins }));
}

/** `pin/rm`. */
export async function pinRm(call: Hijacked): Promise<void> {
  const paths = checkedArgs(call);
  // What is certainly not there is refused before anything is removed.
  for (const { cid } of paths) if (cid !== undefined) call.cluster.pinGet(cid);
  const pins: string[] = [];
  for (const { text } of paths) pins.push((await call.cluster.unpinPath(text)).cid.toString());
  sendJson(call, 200, JSON.stringify({ Pins: pins }));
}

/** `pin/update`. */
export async function pinUpdate(call: Hijacked): Promise<void> {
  const [from, to] = call.args;
  if (from === undefined) throw new ProxyError(400, 'argument "from-path" is required');
  if (to === undefined) throw new ProxyError(400, 'argument "to-path" is required');
  const source = checkNamed(from, 'from-path');
  const target = checkNamed(to, 'to-path');
  const unpinText = call.query.get('unpin');
  const sourceCid = source.cid ?? (await resolve(call, source.text));
  const pin = await call.cluster.pinPath({ path: target.text, ...defaultPinOptions, pinUpdate: sourceCid });
  // Moving a pin to where it is must not remove it.
  if (unpinText !== 'false' && !pin.cid.equals(sourceCid)) await call.cluster.unpin(sourceCid);
  sendJson(call, 200, JSON.stringify({ Pins: [sourceCid.toString(), pin.cid.toString()] }));
}

/** `pin/ls`. */
export async function pinLs(call: Hijacked): Promise<void> {
  const isStream = call.query.get('stream') === 'true' || call.query.get('s') === 'true';
  const type = call.query.get('type') ?? 'all';
  if (!['all', 'recursive', 'direct', 'indirect'].includes(type)) {
    throw new ProxyError(500, `invalid type '${type}', must be one of {direct, indirect, recursive, all}`);
  }
  const isListed = (pin: Pin): boolean => type === 'all' || pin.mode === type;
  if (call.args.length > 0) listSome(call, isListed, isStream);
  else if (isStream) await streamAll(call, isListed);
  else await listAll(call, isListed);
}

function listSome(call: Hijacked, isListed: (pin: Pin) => boolean, isStream: boolean): void {
  const pins = call.args.map((arg) => pinOf(call, arg, isListed));
  if (isStream) {
    const lines = pins.map((pin) => JSON.stringify({ Cid: pin.cid.toString(), Type: pin.mode }));
    sendJson(call, 200, lines.join('\n'));
    return;
  }
  const keys = Object.fromEntries(pins.map((pin) => [pin.cid.toString(), { Type: pin.mode }]));
  sendJson(call, 200, JSON.stringify({ Keys: keys }));
}

function pinOf(call: Hijacked, arg: string, isListed: (pin: Pin) => boolean): Pin {
  const cid = Cid.parse(arg.replace(/^\/ipfs\/(?=[^/]+$)/, ''));
  try {
    const pin = call.cluster.pinGet(cid);
    if (isListed(pin)) return pin;
  } catch (error) {
    if (errorCode(error) !== 'cluster/not-pinned') throw error;
  }
  throw new ProxyError(500, `Error: path '${arg}' is not pinned`);
}

async function streamAll(call: Hijacked, isListed: (pin: Pin) => boolean): Promise<void> {
  beginLines(call);
  const failure = await writePins(call, isListed, (pin) => `{"Cid":"${pin.cid}","Type":"${pin.mode}"}\n`);
  endLines(call, failure);
}

async function listAll(call: Hijacked, isListed: (pin: Pin) => boolean): Promise<void> {
  call.response.writeHead(200, { ...call.headers, Trailer: 'X-Stream-Error' });
  let separator = '{"Keys":{';
  const failure = await writePins(call, isListed, (pin) => {
    const text = `${separator}"${pin.cid}":{"Type":"${pin.mode}"}`;
    separator = ',';
    return text;
  });
  // A list that broke off is left unfinished, so that nobody takes it for the whole.
  if (failure === '') call.response.write(separator === ',' ? '}}' : '{"Keys":{}}');
  endLines(call, failure);
}

/** @returns why it ended early; empty when all pins are written or the client is gone. */
async function writePins(
  call: Hijacked,
  isListed: (pin: Pin) => boolean,
  format: (pin: Pin) => string,
): Promise<string> {
  const { response } = call;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  let text = '';
  const flush = async (): Promise<void> => {
    const ready = text;
    text = '';
    if (ready !== '' && !response.destroyed && !response.write(ready)) await drained(response);
  };
  try {
    for await (const page of call.cluster.pins({ signal: gone.signal })) {
      for (const pin of page) if (isListed(pin)) text += format(pin);
      if (text.length >= writeLength) await flush();
      if (response.destroyed) return '';
    }
    await flush();
    return '';
  } catch (error) {
    await flush();
    return errorMessage(error);
  }
}

/** All arguments, checked. None at all fails as an empty one does in the reference. */
function checkedArgs(call: Hijacked): CheckedPath[] {
  const args = call.args.length === 0 ? [''] : call.args;
  return args.map((arg) => {
    try {
      return checkPath(arg);
    } catch (error) {
      throw new ProxyError(500, `Error parsing IPFS Path: ${errorMessage(error)}`, error);
    }
  });
}

function checkNamed(arg: string, name: string): CheckedPath {
  try {
    return checkPath(arg);
  } catch (error) {
    throw new ProxyError(500, `error parsing "${name}" argument: ${errorMessage(error)}`, error);
  }
}

function modeOf(query: URLSearchParams): PinMode {
  const recursive = query.get('recursive');
  return query.get('type') === 'direct' || recursive === 'false' || recursive === '0' ? 'direct' : 'recursive';
}

/** Time for the node to follow a path, which may need the network. */
const resolveTimeoutMs = 60_000;
/** Bytes of the node's answer: one path. */
const resolveSizeMax = 64 * 1024;

/** The CID at the end of a path, which the node finds out. */
async function resolve(call: Hijacked, path: string): Promise<Cid> {
  const answer = await call.upstream.send({
    method: 'POST',
    path: `/api/v0/resolve?arg=${encodeURIComponent(path)}`,
    headers: [],
    body: null,
    signal: AbortSignal.timeout(resolveTimeoutMs),
  });
  let text = '';
  for await (const chunk of answer.body) {
    text += String(chunk);
    if (text.length > resolveSizeMax)
      throw new ProxyError(500, `cannot resolve ${path}: the node's answer is too long`);
  }
  const cid = answer.status === 200 ? /"Path":"\/ipfs\/([^"/]+)/.exec(text)?.[1] : undefined;
  if (cid === undefined) throw new ProxyError(500, `cannot resolve ${path}: ${text.trim().slice(0, 500)}`);
  return Cid.parse(cid);
}
