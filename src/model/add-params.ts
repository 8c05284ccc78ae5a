/**
 * Parameters of adding content in a query string.
 * Source: Go `api/add.go` `AddParamsFromQuery`, `ToQueryString`. The error texts are the reference's.
 */
import { OperatingError } from '../base/index.ts';
import type { PinOptions } from './pin.ts';
import { parsePinOptions, pinOptionsParameters } from './pin-options-query.ts';
import type { Query } from './query.ts';
import type { Time } from './time.ts';

/** Bytes of a shard when nothing else is asked for. Source: Go `api/add.go` `DefaultShardSize`. */
export const shardSizeDefault = 104_857_600;

/** How content is added. */
export interface AddParams {
  /** Of what is pinned: recursively, whatever is asked for; `pinUpdate` means nothing. */
  readonly pin: PinOptions;
  readonly layout: 'balanced' | 'trickle';
  /** Checked when the first file comes: `size-262144`, `rabin`, `buzhash`, … */
  readonly chunker: string;
  /** Name in the multihash table, checked when the first file comes. */
  readonly hash: string;
  readonly format: 'unixfs' | 'car';
  /** Blocks go to this peer's IPFS node only; the others fetch them. */
  readonly local: boolean;
  /** Only for the client, which decides what to upload. */
  readonly recursive: boolean;
  /** Only for the client. */
  readonly hidden: boolean;
  readonly wrap: boolean;
  /** Cuts the content into shards with allocations of their own. */
  readonly shard: boolean;
  readonly progress: boolean;
  /** 0 or 1; others are refused when the first file comes. */
  readonly cidVersion: number;
  readonly rawLeaves: boolean;
  /** Lines as they come, instead of one array at the end. */
  readonly streamChannels: boolean;
  readonly nocopy: boolean;
  /** Blocks are stored and nothing is pinned. */
  readonly noPin: boolean;
}

/** Reads the parameters; the first bad one is reported. `now` is where `expire-in` counts from. Throws `model/bad-pin-options`, `model/bad-add-params`. */
export function parseAddParams(query: Query, now: Time): AddParams {
  // Evaluated in the order of the reference, so that the same parameter is complained about first.
  const pin: PinOptions = { ...parsePinOptions(query, now), mode: 'recursive', pinUpdate: null };
  const layout = readWord(query, 'layout', 'balanced', 'trickle');
  const format = readWord(query, 'format', 'unixfs', 'car');
  const local = readFlag(query, 'local', false);
  const recursive = readFlag(query, 'recursive', false);
  const hidden = readFlag(query, 'hidden', false);
  const wrap = readFlag(query, 'wrap-with-directory', false);
  const shard = readFlag(query, 'shard', false);
  const progress = readFlag(query, 'progress', false);
  const cidVersion = readVersion(query.get('cid-version'));
  const rawLeaves = readFlag(query, 'raw-leaves', cidVersion > 0);
  const streamChannels = readFlag(query, 'stream-channels', true);
  const nocopy = readFlag(query, 'nocopy', false);
  const noPin = readFlag(query, 'no-pin', false);
  return {
    // The reference has no default here, and then fails: a block fits into no shard.
    pin: shard && pin.shardSize === 0 ? { ...pin, shardSize: shardSizeDefault } : pin,
    chunker: query.get('chunker') || 'size-262144',
    hash: query.get('hash') || 'sha2-256',
    ...{ layout, format, local, recursive, hidden, wrap, shard, progress },
    ...{ cidVersion, rawLeaves, streamChannels, nocopy, noPin },
  };
}

/** The parameters as the Go client sends them, all of them always. */
export function addParameters(params: AddParams): Record<string, string> {
  return {
    ...pinOptionsParameters(params.pin),
    shard: String(params.shard),
    local: String(params.local),
    recursive: String(params.recursive),
    layout: params.layout,
    chunker: params.chunker,
    'raw-leaves': String(params.rawLeaves),
    hidden: String(params.hidden),
    'wrap-with-directory': String(params.wrap),
    progress: String(params.progress),
    'cid-version': String(params.cidVersion),
    hash: params.hash,
    'stream-channels': String(params.streamChannels),
    nocopy: String(params.nocopy),
    format: params.format,
    'no-pin': String(params.noPin),
  };
}

/** The first word is the default. */
function readWord<A extends string, B extends string>(query: Query, name: string, first: A, second: B): A | B {
  const text = query.get(name);
  if (text === '' || text === first) return first;
  if (text === second) return second;
  throw bad(`${name} parameter is invalid`);
}

const trueWords: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const falseWords: ReadonlySet<string> = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** Words of Go's `strconv.ParseBool`. */
function readFlag(query: Query, name: string, otherwise: boolean): boolean {
  const text = query.get(name);
  if (text === '') return otherwise;
  if (trueWords.has(text)) return true;
  if (falseWords.has(text)) return false;
  throw bad(`parameter ${name} invalid`);
}

function readVersion(text: string): number {
  if (text === '') return 0;
  const value = Number(text);
  if (!/^[+-]?[0-9]+$/.test(text) || !Number.isSafeInteger(value)) throw bad('parameter cid-version invalid');
  return value;
}

function bad(message: string): OperatingError {
  return new OperatingError('model/bad-add-params', message);
}
