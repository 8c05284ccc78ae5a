/** Changes of inputs, drawn from a seeded generator: some know the form of the input, all may break it. */
import { concatBytes, type Random, varintEncode } from '../../src/base/index.ts';
import type { InputForm } from './target.ts';

/** Larger inputs find nothing that smaller ones do not, and take long. */
export const inputBytesMax: number = 64 * 1024;

type Pieces = readonly Uint8Array[];

const chosen = <T>(random: Random, items: readonly T[]): T | undefined =>
  items[random.integer(Math.max(1, items.length))];

/** An input made of one of the seeds by a few changes. */
export function mutated(random: Random, form: InputForm, seeds: Pieces, words: Pieces): Uint8Array {
  if (random.integer(50) === 0) return randomBytes(random, random.integer(300));
  let input = chosen(random, seeds) ?? new Uint8Array();
  for (let change = 1 + random.integer(4); change > 0; change -= 1) {
    input = changeOf(random, form)(random, input, seeds, words).subarray(0, inputBytesMax);
  }
  return input;
}

type Change = (random: Random, input: Uint8Array, seeds: Pieces, words: Pieces) => Uint8Array;

const plain: readonly Change[] = [
  flipBit,
  setByte,
  insertBytes,
  remove,
  repeat,
  splice,
  setNumber,
  insertWord,
  truncate,
];
const byForm: Readonly<Record<InputForm, readonly Change[]>> = {
  bytes: [],
  text: [changeText, changeText, insertWord],
  json: [changeJson, changeJson, changeJson, changeText],
  msgpack: [changeMsgpack, changeMsgpack, changeMsgpack],
  protobuf: [changeField, changeField, changeField],
};

function changeOf(random: Random, form: InputForm): Change {
  const special = byForm[form];
  const isSpecial = special.length > 0 && random.integer(2) === 0;
  return chosen(random, isSpecial ? special : plain) ?? flipBit;
}

function randomBytes(random: Random, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => random.integer(256));
}

function replaced(input: Uint8Array, start: number, end: number, middle: Uint8Array): Uint8Array {
  return concatBytes([input.subarray(0, start), middle, input.subarray(end)]);
}

function rangeOf(random: Random, length: number): [start: number, end: number] {
  const start = random.integer(length + 1);
  const size =
    random.integer(4) === 0 ? random.integer(length - start + 1) : Math.min(random.integer(9), length - start);
  return [start, start + size];
}

function flipBit(random: Random, input: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(input);
  if (copy.length > 0) {
    const at = random.integer(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.integer(8));
  }
  return copy;
}

function setByte(random: Random, input: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(input);
  if (copy.length > 0)
    copy[random.integer(copy.length)] = chosen(random, [0, 1, 0x7f, 0x80, 0xff, random.integer(256)]) ?? 0;
  return copy;
}

function insertBytes(random: Random, input: Uint8Array): Uint8Array {
  const at = random.integer(input.length + 1);
  return replaced(input, at, at, randomBytes(random, 1 + random.integer(8)));
}

function remove(random: Random, input: Uint8Array): Uint8Array {
  const [start, end] = rangeOf(random, input.length);
  return replaced(input, start, end, new Uint8Array());
}

/** Many times now and then: what grows with depth or number shows. */
function repeat(random: Random, input: Uint8Array): Uint8Array {
  const [start, end] = rangeOf(random, input.length);
  const part = input.subarray(start, end);
  const times = random.integer(8) === 0 ? random.integer(5_000) : 1 + random.integer(4);
  const count = Math.min(times, Math.floor(inputBytesMax / Math.max(1, part.length)));
  return replaced(input, start, start, concatBytes(Array.from({ length: count }, () => part)));
}

function splice(random: Random, input: Uint8Array, seeds: Pieces): Uint8Array {
  const other = chosen(random, seeds) ?? input;
  const [start, end] = rangeOf(random, other.length);
  const [from, to] = rangeOf(random, input.length);
  return replaced(input, from, to, other.subarray(start, end));
}

function truncate(random: Random, input: Uint8Array): Uint8Array {
  return input.subarray(0, random.integer(input.length + 1));
}

const numbers = [
  0,
  1,
  0x7f,
  0x80,
  0xff,
  0x7fff,
  0xffff,
  0x10000,
  0x7fffffff,
  0x80000000,
  0xffffffff,
  2 ** 53 - 1,
  2 ** 53,
];

/** A length or count in one of the usual codings. */
function numberBytes(random: Random): Uint8Array {
  const value = chosen(random, numbers) ?? 0;
  const bytes = Buffer.alloc(8);
  switch (random.integer(5)) {
    case 0:
      return varintEncode(Math.min(value, 2 ** 53 - 1));
    case 1:
      bytes.writeUInt32LE(value % 2 ** 32);
      return bytes.subarray(0, 4);
    case 2:
      bytes.writeUInt32BE(value % 2 ** 32);
      return bytes.subarray(0, 4);
    case 3:
      bytes.writeBigUInt64BE(BigInt(value));
      return bytes;
    default:
      return Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, random.integer(3));
  }
}

function setNumber(random: Random, input: Uint8Array): Uint8Array {
  const number = numberBytes(random);
  const at = random.integer(input.length + 1);
  return replaced(input, at, random.integer(2) === 0 ? at : Math.min(input.length, at + number.length), number);
}

function insertWord(random: Random, input: Uint8Array, _seeds: Pieces, words: Pieces): Uint8Array {
  const word = chosen(random, words);
  if (word === undefined) return insertBytes(random, input);
  const [start, end] = rangeOf(random, input.length);
  return replaced(input, start, random.integer(2) === 0 ? start : end, word);
}

const textPieces = [
  ...[
    '',
    '%',
    '%00',
    '%ff',
    '%2f',
    '+',
    '&',
    '=',
    '/',
    '//',
    '..',
    '.',
    ';',
    ',',
    ':',
    '"',
    '\\',
    '\r\n',
    '\n',
    '\0',
    ' ',
  ],
  ...[
    '-1',
    '0',
    '1e309',
    '99999999999999999999',
    '0x10',
    'NaN',
    'true',
    'null',
    '__proto__',
    'constructor',
    'toString',
  ],
  ...['\ud800', '\u{1f600}', 'é', '\ufeff', 'İ', 'a'.repeat(300), '9'.repeat(400), '('.repeat(50)],
];

/** A word, a number or a sign is replaced. */
function changeText(random: Random, input: Uint8Array): Uint8Array {
  const text = Buffer.from(input).toString('utf8');
  const tokens = text.match(/[A-Za-z_]+|\d+|[^A-Za-z_\d]/g) ?? [];
  const at = random.integer(tokens.length + 1);
  const piece = random.integer(4) === 0 ? (chosen(random, tokens) ?? '') : (chosen(random, textPieces) ?? '');
  tokens.splice(at, random.integer(2), piece);
  return Buffer.from(tokens.join(''), 'utf8');
}

const jsonValues: readonly unknown[] = [
  ...[null, true, '', 0, -1, 1.5, 1e308, 2 ** 53, [], {}, [[]], 'a', '\ud800', '2020-01-01T00:00:00Z', { '/': 'a' }],
  ...[[null], { __proto__: null }, '0', '9'.repeat(30), 'x'.repeat(5_000), Array.from({ length: 2_000 }, () => null)],
];

/** A value somewhere in it is replaced, removed, doubled or wrapped. What is no JSON is changed as text. */
function changeJson(random: Random, input: Uint8Array): Uint8Array {
  if (random.integer(40) === 0) return nested(random);
  try {
    const changed = changedValue(random, JSON.parse(Buffer.from(input).toString('utf8')));
    return Buffer.from(changed === undefined ? '' : JSON.stringify(changed), 'utf8');
  } catch {
    // Broken, or too deep to be walked, by an earlier change.
    return changeText(random, input);
  }
}

function nested(random: Random): Uint8Array {
  const depth = random.integer(20_000);
  const [open, close] = random.integer(2) === 0 ? ['[', ']'] : ['{"a":', '}'];
  return Buffer.from(`${open?.repeat(depth)}1${random.integer(2) === 0 ? close?.repeat(depth) : ''}`);
}

function changedValue(random: Random, value: unknown): unknown {
  const isLeaf = typeof value !== 'object' || value === null;
  if (isLeaf || random.integer(6) === 0) return chosen(random, [chosen(random, jsonValues), [value], { a: value }]);
  const entries: [string, unknown][] = Object.entries(value);
  const at = random.integer(Math.max(1, entries.length));
  const entry = entries[at];
  if (entry === undefined || random.integer(5) === 0) {
    const name = chosen(random, [...entries.map(([key]) => key), '__proto__', 'extra', '']) ?? '';
    entries.splice(at, random.integer(2), [name, chosen(random, jsonValues)]);
  } else entries[at] = [entry[0], changedValue(random, entry[1])];
  if (Array.isArray(value)) return entries.map(([, item]) => item);
  const changed: Record<string, unknown> = {};
  for (const [key, item] of entries)
    Object.defineProperty(changed, key, { value: item, enumerable: true, configurable: true });
  return changed;
}

/** Where a value of msgpack begins: tags with short contents, read without trust. */
function msgpackStarts(input: Uint8Array): number[] {
  const starts: number[] = [];
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  for (let at = 0; at < input.length && starts.length < 10_000; ) {
    starts.push(at);
    const tag = input[at] ?? 0;
    const size = tag >= 0xa0 && tag <= 0xbf ? tag & 0x1f : (msgpackSizes[tag] ?? 0);
    const hasLength8 = tag === 0xc4 || tag === 0xd9;
    const hasLength16 = tag === 0xc5 || tag === 0xda;
    let length = size;
    if (hasLength8 && at + 1 < input.length) length += view.getUint8(at + 1);
    if (hasLength16 && at + 2 < input.length) length += view.getUint16(at + 1);
    at += 1 + length;
  }
  return starts;
}

/** Bytes behind the tag, lengths included. */
const msgpackSizes: Readonly<Record<number, number>> = {
  ...{ 196: 1, 197: 2, 198: 4, 202: 4, 203: 8, 204: 1, 205: 2, 206: 4, 207: 8, 208: 1, 209: 2, 210: 4 },
  ...{ 211: 8, 212: 2, 213: 3, 214: 5, 215: 9, 216: 17, 217: 1, 218: 2, 219: 4, 220: 2, 221: 4, 222: 2, 223: 4 },
};

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');

const msgpackValues: Pieces = [
  ...[
    'c0',
    'c2',
    'c3',
    '00',
    '7f',
    'ff',
    '80',
    '90',
    'a0',
    'a161',
    '81a161c0',
    '91c0',
    'cbffefffffffffffff',
    'cb7ff8000000000000',
  ],
  ...[
    'cfffffffffffffffff',
    'd38000000000000000',
    'ddffffffff',
    'dfffffffff',
    'dbffffffff',
    'c6ffffffff',
    'dcffff',
    'deffff',
    'daffff',
  ],
  ...[
    'd6ff00000000',
    'd7ffffffffffffffffff',
    'c70cff000000000000000000000000',
    'c1',
    'a8ffffffffffffffff',
    'dd7fffffff',
  ],
].map(hex);

function changeMsgpack(random: Random, input: Uint8Array): Uint8Array {
  const starts = msgpackStarts(input);
  const which = random.integer(Math.max(1, starts.length));
  const start = starts[which] ?? 0;
  const end = starts[which + 1] ?? input.length;
  switch (random.integer(5)) {
    case 0:
      return replaced(input, start, end, chosen(random, msgpackValues) ?? input);
    case 1:
      return replaced(input, start, end, new Uint8Array());
    case 2:
      return replaced(input, start, start, input.subarray(start, end));
    case 3: {
      // More or fewer values announced than there are.
      const copy = Uint8Array.from(input);
      if (start < copy.length) copy[start] = (copy[start] ?? 0) + (random.integer(2) === 0 ? 1 : 255);
      return copy;
    }
    default: {
      const tag = chosen(random, ['91', '81a161', 'dc0001']) ?? '91';
      const depth = 1 + random.integer(random.integer(10) === 0 ? 20_000 : 5);
      return replaced(input, start, start, Buffer.from(tag.repeat(depth), 'hex'));
    }
  }
}

interface Field {
  readonly number: number;
  readonly wire: number;
  readonly start: number;
  readonly end: number;
}

/** The fields of a message as far as it is one. */
function fieldsOf(input: Uint8Array): Field[] {
  const fields: Field[] = [];
  const varint = (from: number): { value: number; end: number } | undefined => {
    let value = 0;
    for (let at = from; at < input.length && at < from + 8; at += 1) {
      const byte = input[at] ?? 0;
      value += (byte & 0x7f) * 2 ** (7 * (at - from));
      if (byte < 0x80) return { value, end: at + 1 };
    }
    return undefined;
  };
  for (let at = 0; at < input.length; ) {
    const tag = varint(at);
    if (tag === undefined) return fields;
    const wire = tag.value % 8;
    const number = varint(tag.end);
    const end =
      wire === 0
        ? number?.end
        : wire === 2 && number !== undefined
          ? number.end + number.value
          : wire === 1
            ? tag.end + 8
            : wire === 5
              ? tag.end + 4
              : undefined;
    if (end === undefined || end > input.length) return fields;
    fields.push({ number: Math.floor(tag.value / 8), wire, start: at, end });
    at = end;
  }
  return fields;
}

function changeField(random: Random, input: Uint8Array, seeds: Pieces, words: Pieces): Uint8Array {
  const fields = fieldsOf(input);
  const field = chosen(random, fields);
  if (field === undefined) return insertBytes(random, input);
  const bytes = input.subarray(field.start, field.end);
  switch (random.integer(6)) {
    case 0:
      return replaced(input, field.start, field.end, new Uint8Array());
    case 1: {
      const times = random.integer(6) === 0 ? random.integer(2_000) : 2;
      return replaced(input, field.start, field.start, concatBytes(Array.from({ length: times }, () => bytes)));
    }
    case 2: {
      const other = chosen(random, fields) ?? field;
      return replaced(input, field.start, field.start, input.subarray(other.start, other.end));
    }
    case 3: {
      const tag = varintEncode(field.number * 8 + random.integer(8));
      return replaced(input, field.start, field.end, concatBytes([tag, bytes.subarray(1)]));
    }
    case 4: {
      // The content is changed, and its length put right.
      if (field.wire !== 2) return setNumber(random, input);
      const content = input.subarray(field.start + 2, field.end);
      const inner = (chosen(random, plain) ?? flipBit)(random, content, seeds, words);
      return replaced(
        input,
        field.start,
        field.end,
        concatBytes([bytes.subarray(0, 1), varintEncode(inner.length), inner]),
      );
    }
    default: {
      const number = chosen(random, [0, 1, field.number + 1, 15, 16, 2 ** 28]) ?? 1;
      const tag = varintEncode(number * 8 + (random.integer(2) === 0 ? 0 : 2));
      return replaced(input, field.start, field.start, concatBytes([tag, numberBytes(random)]));
    }
  }
}
