/**
 * Pin options in a query string.
 * Source: Go `api/types.go` `PinOptions.FromQuery`, `PinOptions.ToQuery`. The error texts are the reference's.
 */
import { errorMessage, OperatingError } from '../base/index.ts';
import { Cid } from './cid.ts';
import { parseGoDuration } from './duration.ts';
import { parseMultiaddr, peerIdOfMultiaddr } from './multiaddr.ts';
import type { Multiaddr, PeerId } from './peer.ts';
import { parsePeerId } from './peer-id.ts';
import type { PinOptions } from './pin.ts';
import { formatQuery, type Query } from './query.ts';
import { formatTime, parseTime, type Time, timeFromNanos, timeToNanos } from './time.ts';

const metadataPrefix = 'meta-';
const expireInMinMs = 1000;

/** What is pinned when nothing is asked for. */
export const defaultPinOptions: PinOptions = Object.freeze({
  replicationFactorMin: 0,
  replicationFactorMax: 0,
  name: '',
  mode: 'recursive',
  shardSize: 0,
  userAllocations: null,
  expireAt: null,
  metadata: null,
  pinUpdate: null,
  origins: null,
});

/**
 * Reads pin options; the first bad parameter is reported. `now` is where `expire-in` counts from.
 * Throws `OperatingError` `model/bad-pin-options`.
 */
export function parsePinOptions(query: Query, now: Time): PinOptions {
  // Evaluated in the order of the reference, so that the same parameter is complained about first.
  const replication = query.get('replication');
  const replicationFactorMin = readInteger('replication-min', replication || query.get('replication-min'));
  const replicationFactorMax = readInteger('replication-max', replication || query.get('replication-max'));
  const shardSize = readShardSize(query.get('shard-size'));
  const userAllocations = readPeerIds(query.get('user-allocations'));
  const expireAt = readExpiry(query, now);
  const metadata = readMetadata(query);
  const pinUpdate = readPinUpdate(query.get('pin-update'));
  const origins = readOrigins(query.get('origins'));
  return {
    replicationFactorMin,
    replicationFactorMax,
    name: query.get('name'),
    mode: query.get('mode') === 'direct' ? 'direct' : 'recursive',
    shardSize,
    userAllocations,
    expireAt,
    metadata,
    pinUpdate,
    origins,
  };
}

/** The parameters as the Go client sends them: the first six always, the others when they are set. */
export function pinOptionsParameters(options: PinOptions): Record<string, string> {
  const parameters: Record<string, string> = {
    mode: options.mode,
    name: options.name,
    'replication-max': String(options.replicationFactorMax),
    'replication-min': String(options.replicationFactorMin),
    'shard-size': String(options.shardSize),
    'user-allocations': (options.userAllocations ?? []).join(','),
  };
  if (options.expireAt !== null) parameters['expire-at'] = formatTime(options.expireAt);
  for (const [key, value] of Object.entries(options.metadata ?? {})) {
    if (key !== '') parameters[metadataPrefix + key] = value;
  }
  if (options.pinUpdate !== null) parameters['pin-update'] = options.pinUpdate.toString();
  if (options.origins !== null && options.origins.length > 0) parameters.origins = options.origins.join(',');
  return parameters;
}

/** The query string with nothing but pin options. */
export function formatPinOptions(options: PinOptions): string {
  return formatQuery(pinOptionsParameters(options));
}

function readInteger(name: string, text: string): number {
  if (text === '') return 0;
  const value = Number(text);
  if (!/^[+-]?[0-9]+$/.test(text) || !Number.isSafeInteger(value)) throw bad(`parameter ${name} invalid`);
  return value;
}

function readShardSize(text: string): number {
  if (text === '') return 0;
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value)) throw bad('parameter shard_size is invalid');
  return value;
}

/** Ids that cannot be read are dropped without a word, as in the reference. */
function readPeerIds(text: string): readonly PeerId[] | null {
  if (text === '') return null;
  const ids: PeerId[] = [];
  for (const part of text.split(',')) {
    try {
      ids.push(parsePeerId(part));
    } catch {
      // Not a peer id.
    }
  }
  return ids;
}

function readExpiry(query: Query, now: Time): Time | null {
  const at = query.get('expire-at');
  if (at !== '') return orBad('expire-at cannot be parsed', () => parseTime(at));
  const text = query.get('expire-in');
  if (text === '') return null;
  const milliseconds = orBad('expire-in cannot be parsed', () => parseGoDuration(text));
  if (milliseconds < expireInMinMs) throw bad('expire-in duration too short');
  return timeFromNanos(timeToNanos(now) + BigInt(Math.round(milliseconds * 1e6)));
}

function readMetadata(query: Query): Record<string, string> {
  const entries: [string, string][] = [];
  for (const name of query.names()) {
    const key = name.startsWith(metadataPrefix) ? name.slice(metadataPrefix.length) : '';
    if (key !== '') entries.push([key, query.get(name)]);
  }
  return Object.fromEntries(entries);
}

function readPinUpdate(text: string): Cid | null {
  return text === '' ? null : orBad('error decoding update option parameter', () => Cid.parse(text));
}

function readOrigins(text: string): readonly Multiaddr[] | null {
  if (text === '') return null;
  return text.split(',').map((part) => {
    const origin = orBad('error decoding multiaddress', () => parseMultiaddr(part));
    if (peerIdOfMultiaddr(origin) === undefined) {
      throw bad('multiaddress does not contain peer ID: protocol not found in multiaddr');
    }
    return origin;
  });
}

function orBad<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw bad(`${what}: ${errorMessage(error)}`, error);
  }
}

function bad(message: string, cause?: unknown): OperatingError {
  return new OperatingError('model/bad-pin-options', message, { cause });
}
