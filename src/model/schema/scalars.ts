/**
 * The types without parts, as Go's RPC codec and `encoding/json` write them.
 */
import { copyBytes, errorCode, errorMessage, noBytes, OperatingError } from '../../base/index.ts';
import { Cid } from '../cid.ts';
import { multiaddrFromBytes, multiaddrToBytes } from '../multiaddr.ts';
import type { Multiaddr, PeerId } from '../peer.ts';
import { parsePeerId, peerIdFromBytes, peerIdToBytes } from '../peer-id.ts';
import { formatTime, parseTime, type Time, zeroTimeSeconds } from '../time.ts';
import { jsonText } from './json-text.ts';
import type { MsgpackReader } from './msgpack-reader.ts';
import type { Type, WireType } from './type.ts';

/** Names, metadata values, error texts. */
const textBytesMax = 4_194_304;
/** Blocks and Raft log entries. */
const bytesMax = 33_554_432;
/** Ids, CIDs and addresses are far shorter. */
const idBytesMax = 1024;
/** 0000-01-01 and 9999-12-31T23:59:59: what RFC 3339 can say. */
const secondsMin = -62_167_219_200;
const secondsMax = 253_402_300_799;

export const boolType: Type<boolean> = {
  zero: false,
  isZero: (value) => !value,
  write: (writer, value) => writer.boolean(value),
  read: (reader) => !reader.isNil() && reader.boolean(),
  print: (value) => (value ? 'true' : 'false'),
  parse: (value) => expectJson(value ?? false, 'boolean', 'true or false'),
  schema: { type: 'boolean' },
};

export const textType: Type<string> = {
  zero: '',
  isZero: (value) => value === '',
  write: (writer, value) => writer.string(value),
  read: (reader) => (reader.isNil() ? '' : reader.string(textBytesMax)),
  print: jsonText,
  parse: (value) => expectJson(value ?? '', 'string', 'a text'),
  schema: { type: 'string' },
};

/** `int`, `int64` where a double is enough. */
export const intType: Type<number> = {
  zero: 0,
  isZero: (value) => value === 0,
  write: (writer, value) => writer.int(value),
  read: (reader) => (reader.isNil() ? 0 : reader.int(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
  print: String,
  parse: (value) => integer(value, Number.MIN_SAFE_INTEGER),
  schema: { type: 'integer' },
};

/** `uint64` where a double is enough. */
export const uintType: Type<number> = {
  ...intType,
  write: (writer, value) => writer.uint(value),
  read: (reader) => (reader.isNil() ? 0 : reader.int(0, Number.MAX_SAFE_INTEGER)),
  parse: (value) => integer(value, 0),
  schema: { type: 'integer', minimum: 0 },
};

/** `int64` with all its digits. */
export const int64Type: Type<bigint> = {
  zero: 0n,
  isZero: (value) => value === 0n,
  write: (writer, value) => writer.int64(value),
  read: (reader) => (reader.isNil() ? 0n : reader.int64()),
  print: String,
  parse: (value) => (typeof value === 'bigint' ? value : BigInt(integer(value, Number.MIN_SAFE_INTEGER))),
  schema: { type: 'integer', format: 'int64', description: 'May have more digits than a double holds' },
};

export const floatType: Type<number> = {
  zero: 0,
  isZero: (value) => value === 0,
  write: (writer, value) => writer.float64(value),
  read: (reader) => (reader.isNil() ? 0 : reader.float64()),
  print: printFloat,
  parse: (value) => expectJson(value ?? 0, 'number', 'a number'),
  schema: { type: 'number' },
};

/** `[]byte`; nil is `null`. */
export const bytesType: WireType<Uint8Array | null> = {
  zero: null,
  isZero: (value) => value === null,
  write: (writer, value) => (value === null ? writer.nil() : writer.raw(value)),
  read(reader) {
    if (reader.isNil()) return null;
    if (!reader.isArray()) return copyBytes(reader.raw(bytesMax));
    const bytes = new Uint8Array(reader.arrayHeader(65_536));
    for (let i = 0; i < bytes.length; i++) bytes[i] = reader.isNil() ? 0 : reader.int(0, 255);
    return bytes;
  },
};

/** A peer id that may be empty. Go's decoder takes nil for the empty one, but not an empty raw. */
export const peerIdType: Type<PeerId> = {
  zero: '',
  isZero: (value) => value === '',
  write: (writer, value) => (value === '' ? writer.nil() : writer.raw(peerIdToBytes(value))),
  read: (reader) => (reader.isNil() ? '' : readId(reader, peerIdFromBytes)),
  print: jsonText,
  parse: (value) => {
    const text = expectJson(value ?? '', 'string', 'a peer id');
    return text === '' ? '' : orBadJson(() => parsePeerId(text));
  },
  schema: { type: 'string', description: 'A peer id; empty when it is not known' },
};

/** A CID; Go's zero value is `Cid.undefined`. */
export const cidType: Type<Cid> = {
  zero: Cid.undefined,
  isZero: (value) => !value.isDefined,
  write: (writer, value) => (value.isDefined ? writer.raw(value.bytes) : writer.nil()),
  read: (reader) => (reader.isNil() ? Cid.undefined : readId(reader, Cid.decode)),
  print: (value) => (value.isDefined ? `"${value.toString()}"` : 'null'),
  parse: (value) => parseCid(value) ?? Cid.undefined,
  schema: { type: 'string', description: 'A CID' },
};

/** A CID that may be missing. */
export const optionalCidType: Type<Cid | null> = {
  zero: null,
  isZero: (value) => value === null,
  write: (writer, value) => cidType.write(writer, value ?? Cid.undefined),
  read: (reader) => (reader.isNil() ? null : readId(reader, Cid.decode)),
  print: (value) => cidType.print(value ?? Cid.undefined),
  parse: parseCid,
  schema: { type: ['string', 'null'], description: 'A CID, or null' },
};

/** A multiaddr; in JSON its text is handed on as it is. */
export const multiaddrType: Type<Multiaddr> = {
  zero: '',
  isZero: (value) => value === '',
  write: (writer, value) => (value === '' ? writer.nil() : writer.raw(multiaddrToBytes(value))),
  read: (reader) => (reader.isNil() ? '' : readId(reader, multiaddrFromBytes)),
  print: jsonText,
  parse: (value) => expectJson(value ?? '', 'string', 'a multiaddress'),
  schema: { type: 'string', description: 'A multiaddress' },
};

/** `time.Time` in the RPC codec: the payload of a msgpack timestamp in a raw. */
export const timeType: Type<Time | null> = {
  zero: null,
  isZero: (value) => value === null,
  write(writer, value) {
    if (value === null) return writer.nil();
    const { seconds, nanos } = value;
    const small = seconds >= 0 && seconds < 0x4_0000_0000;
    const bytes = new Uint8Array(small ? (nanos === 0 && seconds <= 0xffffffff ? 4 : 8) : 12);
    const view = new DataView(bytes.buffer);
    if (bytes.length === 4) view.setUint32(0, seconds);
    else if (bytes.length === 8) {
      view.setUint32(0, nanos * 4 + Math.floor(seconds / 0x1_0000_0000));
      view.setUint32(4, seconds % 0x1_0000_0000);
    } else {
      view.setUint32(0, nanos);
      view.setBigInt64(4, BigInt(seconds));
    }
    writer.raw(bytes);
  },
  read(reader) {
    if (reader.isNil()) return null;
    return checkedTime(reader, reader.timestamp());
  },
  print: (value) => `"${formatTime(value)}"`,
  parse: (value) => {
    const text = expectJson(value ?? '0001-01-01T00:00:00Z', 'string', 'a time');
    return orBadJson(() => parseTime(text));
  },
  schema: { type: 'string', format: 'date-time', description: '0001-01-01T00:00:00Z means none' },
};

/** Refuses what RFC 3339 cannot say; Go's zero time becomes `null`. */
export function checkedTime(
  reader: MsgpackReader,
  time: { readonly seconds: number; readonly nanos: number },
): Time | null {
  if (time.seconds < secondsMin || time.seconds > secondsMax) throw reader.fail('time outside of the years 0 to 9999');
  return time.seconds === zeroTimeSeconds && time.nanos === 0 ? null : { seconds: time.seconds, nanos: time.nanos };
}

export interface NamedValue<N extends string> {
  readonly name: N;
  readonly value: number;
}

/**
 * An enumeration: numbers on the wire, names in JSON. What is unknown becomes `fallback`, so that one new value of a
 * later release does not make a whole list unreadable.
 */
export function enumType<N extends string>(
  values: Readonly<Record<N, number>>,
  options: {
    readonly fallback: N;
    readonly zero: N;
    readonly unsigned?: boolean;
    readonly jsonNames?: Partial<Record<N, string>>;
  },
): Type<N> {
  // Object.entries widens the keys of a Record to string.
  const entries = Object.entries(values) as [N, number][];
  const nameOfNumber = new Map<number, N>(entries.map(([name, number]) => [number, name]));
  const jsonOfName = new Map<N, string>(entries.map(([name]) => [name, options.jsonNames?.[name] ?? name]));
  const nameOfJson = new Map<string, N>([...jsonOfName].map(([name, json]) => [json, name]));
  return {
    zero: options.zero,
    isZero: (value) => values[value] === 0,
    write: (writer, value) => (options.unsigned ? writer.uint(values[value]) : writer.int(values[value])),
    read: (reader) =>
      reader.isNil() ? options.zero : (nameOfNumber.get(reader.int(-0x80000000, 0x7fffffff)) ?? options.fallback),
    print: (value) => `"${jsonOfName.get(value) ?? value}"`,
    parse: (value) => {
      if (value === undefined || value === null) return options.zero;
      return nameOfJson.get(expectJson(value, 'string', 'a name')) ?? options.fallback;
    },
    schema: { type: 'string', enum: [...jsonOfName.values()] },
  };
}

/** The error of JSON that is not what it should be. */
export function badJson(problem: string, cause?: unknown): OperatingError {
  return new OperatingError('model/bad-json', problem, { cause });
}

interface JsonKinds {
  readonly string: string;
  readonly number: number;
  readonly boolean: boolean;
}

function expectJson<K extends keyof JsonKinds>(value: unknown, kind: K, expected: string): JsonKinds[K] {
  if (typeof value === kind) return value as JsonKinds[K]; // typeof has just said so
  throw badJson(`expected ${expected}, found ${describe(value)}`);
}

/** What was found instead, short enough for an error. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function integer(value: unknown, min: number): number {
  const number = typeof value === 'bigint' ? Number(value) : (value ?? 0);
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > Number.MAX_SAFE_INTEGER) {
    throw badJson(`expected an integer${min === 0 ? ' of at least 0' : ''}, found ${describe(value)}`);
  }
  return number;
}

function parseCid(value: unknown): Cid | null {
  if (value === undefined || value === null || value === '') return null;
  const text = typeof value === 'object' && '/' in value ? value['/'] : value;
  return orBadJson(() => Cid.parse(expectJson(text, 'string', 'a CID')));
}

function orBadJson<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw errorCode(error) === 'model/bad-json' ? error : badJson(errorMessage(error), error);
  }
}

function readId<T>(reader: MsgpackReader, convert: (bytes: Uint8Array) => T): T {
  const bytes = reader.raw(idBytesMax);
  if (bytes.length === noBytes.length) throw reader.fail('empty bytes where an id or address is expected');
  try {
    return convert(bytes);
  } catch (error) {
    throw reader.fail(errorMessage(error));
  }
}

/** Go's form of a float: exponents below 1e-6 and from 1e21 on, with at least two digits only when negative. */
function printFloat(value: number): string {
  if (!Number.isFinite(value)) return '0';
  return String(value).replace(/e-(\d)$/, 'e-0$1');
}
