/**
 * `pin/ls` of the cluster's pinset: every pin, whoever holds it.
 *
 * Beyond the reference, as in Kubo: several arguments, paths, `type`, `names`, `name`, and the mode of direct pins. Unlike a
 * node, the cluster knows roots only: nothing is listed as indirect.
 */
import { errorCode, errorMessage } from '../../base/index.ts';
import { Cid, type Pin } from '../../model/index.ts';
import { drained } from '../kit/index.ts';
import { ProxyError } from './errors.ts';
import { beginLines, endLines, type Hijacked, sendJson } from './hijacked.ts';
import { booleanOption, textOption } from './options.ts';
import { checkPath } from './path.ts';
import { resolvePath } from './resolve.ts';

/** Characters of lines gathered before they are written. */
const writeLength = 32 * 1024;
const types = ['direct', 'indirect', 'recursive', 'all'] as const;

interface Listing {
  readonly type: (typeof types)[number];
  /** Part of the names of the pins to list; empty: any. */
  readonly namePart: string;
  readonly hasNames: boolean;
  readonly isStream: boolean;
}

/** `pin/ls`. */
export async function pinLs(call: Hijacked): Promise<void> {
  const listing = listingOf(call.query);
  if (call.args.length > 0) await listSome(call, listing);
  else if (listing.isStream) await streamAll(call, listing);
  else await listAll(call, listing);
}

function listingOf(query: URLSearchParams): Listing {
  const text = textOption(query, 'type', 't') ?? 'all';
  const type = types.find((candidate) => candidate === text);
  if (type === undefined) {
    throw new ProxyError(500, `invalid type '${text}', must be one of {direct, indirect, recursive, all}`);
  }
  const namePart = textOption(query, 'name', 'n') ?? '';
  return {
    type,
    namePart,
    hasNames: booleanOption(query, false, 'names') || namePart !== '',
    isStream: booleanOption(query, false, 'stream', 's'),
  };
}

function isListed({ type, namePart }: Listing, pin: Pin): boolean {
  return (type === 'all' || pin.mode === type) && pin.name.includes(namePart);
}

/** Field order is Kubo's. */
function lineOf({ hasNames }: Listing, pin: Pin): string {
  const name = hasNames && pin.name !== '' ? `,"Name":${JSON.stringify(pin.name)}` : '';
  return `{"Cid":"${pin.cid}"${name},"Type":"${pin.mode}"}`;
}

/** Without names there is none in the reference; Kubo then has an empty one. */
function keyValue({ hasNames }: Listing, pin: Pin): string {
  return `{"Type":"${pin.mode}"${hasNames ? `,"Name":${JSON.stringify(pin.name)}` : ''}}`;
}

async function listSome(call: Hijacked, listing: Listing): Promise<void> {
  const pins: Pin[] = [];
  for (const arg of call.args) pins.push(pinOf(call, listing, arg, await cidOf(call, arg)));
  if (listing.isStream) {
    sendJson(call, 200, pins.map((pin) => `${lineOf(listing, pin)}\n`).join(''));
    return;
  }
  const values = new Map(pins.map((pin) => [pin.cid.toString(), keyValue(listing, pin)]));
  sendJson(call, 200, `{"Keys":{${[...values].map(([cid, value]) => `"${cid}":${value}`).join(',')}}}`);
}

/** A bare CID is parsed as the reference parses it, with its text when it is none. */
async function cidOf(call: Hijacked, arg: string): Promise<Cid> {
  return arg.includes('/') ? await resolvePath(call, checkPath(arg)) : Cid.parse(arg);
}

function pinOf(call: Hijacked, { type }: Listing, arg: string, cid: Cid): Pin {
  try {
    const pin = call.cluster.pinGet(cid);
    if (type === 'all' || pin.mode === type) return pin;
  } catch (error) {
    if (errorCode(error) !== 'cluster/not-pinned') throw error;
  }
  throw new ProxyError(500, `Error: path '${arg}' is not pinned`);
}

async function streamAll(call: Hijacked, listing: Listing): Promise<void> {
  beginLines(call);
  endLines(call, await writePins(call, listing, (pin) => `${lineOf(listing, pin)}\n`));
}

async function listAll(call: Hijacked, listing: Listing): Promise<void> {
  call.response.writeHead(200, { ...call.headers, Trailer: 'X-Stream-Error' });
  let separator = '{"Keys":{';
  const failure = await writePins(call, listing, (pin) => {
    const text = `${separator}"${pin.cid}":${keyValue(listing, pin)}`;
    separator = ',';
    return text;
  });
  // A list that broke off is left unfinished, so that nobody takes it for the whole.
  if (failure === '') call.response.write(separator === ',' ? '}}' : '{"Keys":{}}');
  endLines(call, failure);
}

/** @returns why it ended early; empty when all pins are written or the client is gone. */
async function writePins(call: Hijacked, listing: Listing, format: (pin: Pin) => string): Promise<string> {
  const { response, signal } = call;
  let text = '';
  const flush = async (): Promise<void> => {
    const ready = text;
    text = '';
    if (ready !== '' && !response.destroyed && !response.write(ready)) await drained(response);
  };
  try {
    for await (const page of call.cluster.pins({ signal })) {
      for (const pin of page) if (isListed(listing, pin)) text += format(pin);
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
