/**
 * Lists, maps and structs.
 */
import { assert, compareBytes, concatBytes, errorMessage, utf8Encode } from '../../base/index.ts';
import { jsonText } from './json-text.ts';
import type { MsgpackReader } from './msgpack-reader.ts';
import type { MsgpackWriter } from './msgpack-writer.ts';
import { badJson, describe } from './scalars.ts';
import type { JsonType, Type, WireType } from './type.ts';

/** Items of a list and entries of a map, where nothing else is said. */
const countMax = 65_536;
const keyBytesMax = 65_536;

/** A slice; nil is `null`. */
export function listType<T>(item: Type<T>, limit: number = countMax): Type<readonly T[] | null> {
  return {
    ...wireListType(item, limit),
    print(value) {
      if (value === null) return 'null';
      let text = '[';
      for (let i = 0; i < value.length; i++) {
        // The index is below the length.
        text += (i === 0 ? '' : ',') + item.print(value[i] as T);
      }
      return `${text}]`;
    },
    parse(value) {
      if (value === undefined || value === null) return null;
      if (!Array.isArray(value)) throw badJson(`expected a list, found ${describe(value)}`);
      return value.map((element, index) => within(`[${index}]`, () => item.parse(element)));
    },
    schema: { type: ['array', 'null'], items: item.schema },
  };
}

/** A slice in its msgpack form only. */
export function wireListType<T>(item: WireType<T>, limit: number = countMax): WireType<readonly T[] | null> {
  return {
    zero: null,
    isZero: (value) => value === null,
    write(writer, value) {
      if (value === null) return writer.nil();
      writer.arrayHeader(value.length);
      for (const element of value) item.write(writer, element);
    },
    read(reader) {
      if (reader.isNil()) return null;
      const count = reader.arrayHeader(limit);
      const list: T[] = [];
      for (let i = 0; i < count; i++) list.push(item.read(reader));
      return list;
    },
  };
}

/** A map with text keys; nil is `null`. */
export function mapType<V>(value: Type<V>): Type<Readonly<Record<string, V>> | null> {
  return {
    zero: null,
    isZero: (map) => map === null,
    write(writer, map) {
      if (map === null) return writer.nil();
      const keys = Object.keys(map);
      // An empty map would keep the entries of the command before in a Go follower; nil clears them.
      if (writer.explicit && keys.length === 0) return writer.nil();
      writer.mapHeader(keys.length);
      for (const key of keys) {
        writer.string(key);
        value.write(writer, map[key] as V); // an own key
      }
    },
    read(reader) {
      if (reader.isNil()) return null;
      const map: Record<string, V> = {};
      for (let count = reader.mapHeader(countMax); count > 0; count--) {
        const key = reader.isNil() ? '' : reader.string(keyBytesMax);
        setEntry(map, key, value.read(reader));
      }
      return map;
    },
    print(map) {
      if (map === null) return 'null';
      let text = '{';
      for (const key of sortedKeys(map)) {
        text += `${text.length === 1 ? '' : ','}${jsonText(key)}:${value.print(map[key] as V)}`; // an own key
      }
      return `${text}}`;
    },
    parse(json) {
      if (json === undefined || json === null) return null;
      if (typeof json !== 'object' || Array.isArray(json)) throw badJson(`expected an object, found ${describe(json)}`);
      const map: Record<string, V> = {};
      for (const [key, element] of Object.entries(json)) {
        setEntry(
          map,
          key,
          within(key, () => value.parse(element)),
        );
      }
      return map;
    },
    schema: { type: ['object', 'null'], additionalProperties: value.schema },
  };
}

/** A map that is never nil here; an empty one is left out where Go leaves out nil. */
export function presentMapType<V>(value: Type<V>): Type<Readonly<Record<string, V>>> {
  const map = mapType(value);
  const zero: Readonly<Record<string, V>> = Object.freeze({});
  return {
    zero,
    isZero: (entries) => Object.keys(entries).length === 0,
    write: map.write,
    read: (reader) => map.read(reader) ?? zero,
    print: map.print,
    parse: (json) => map.parse(json) ?? zero,
    schema: { type: 'object', additionalProperties: value.schema },
  };
}

/** One field of a struct: where it is in the model, and what it is called on the wire and in JSON. */
export interface Field<T> {
  readonly property: string & keyof T;
  readonly wireKey: string;
  readonly isWireOptional: boolean;
  readonly type: WireType<unknown>;
}

export interface JsonField<T> extends Field<T> {
  readonly jsonKey: string;
  readonly isJsonOptional: boolean;
  readonly type: Type<unknown>;
}

/** `wire` and `json` are the keys; a `?` behind one means that zero values are left out. */
export function field<T>(): <K extends string & keyof T>(
  property: K,
  wire: string,
  json: string,
  type: Type<T[K]>,
) => JsonField<T> {
  return (property, wire, json, type) => ({
    ...wireField<T>()(property, wire, type),
    jsonKey: json.replace('?', ''),
    isJsonOptional: json.endsWith('?'),
    // `struct` reads and writes the property with this type only, whose T[K] the signature has checked.
    type: type as Type<unknown>,
  });
}

/** A field of a struct that has no JSON form. */
export function wireField<T>(): <K extends string & keyof T>(
  property: K,
  wire: string,
  type: WireType<T[K]>,
) => Field<T> {
  return (property, wire, type) => ({
    property,
    wireKey: wire.replace('?', ''),
    isWireOptional: wire.endsWith('?'),
    type: type as WireType<unknown>, // as in `field`
  });
}

/** A struct: a map whose keys are the fields in the given order. */
export function structType<T extends object>(fields: readonly JsonField<T>[]): Type<T> {
  return { ...wireStructType(fields), ...jsonStructType(fields) };
}

/** A struct that stands for Go's zero value when it is `null`. */
export function nullableType<T>(type: Type<T>): Type<T | null> {
  return {
    zero: null,
    isZero: (value) => value === null || type.isZero(value),
    write: (writer, value) => type.write(writer, value ?? type.zero),
    read: (reader) => (reader.isNil() ? null : type.read(reader)),
    print: (value) => type.print(value ?? type.zero),
    parse: (value) => (value === undefined || value === null ? null : type.parse(value)),
    schema: type.schema,
  };
}

export function wireStructType<T extends object>(fields: readonly Field<T>[]): WireType<T> {
  const rows = fields.map((row) => ({ ...row, key: encodedKey(row.wireKey) }));
  const indexOfKey = new Map(rows.map((row, index) => [row.wireKey, index]));
  const zero = zeroOf(fields);
  const isZero = (value: T): boolean => rows.every((row) => row.type.isZero(value[row.property]));

  function write(writer: MsgpackWriter, value: T): void {
    let count = 0;
    for (const row of rows) if (isWritten(row, writer, value)) count++;
    writer.mapHeader(count);
    for (const row of rows) {
      if (!isWritten(row, writer, value)) continue;
      writer.encoded(row.key);
      row.type.write(writer, value[row.property]);
    }
  }

  function read(reader: MsgpackReader): T {
    if (reader.isNil()) return zero;
    const value = { ...zero } as Record<string, unknown>;
    if (reader.isArray()) readPositional(reader, value);
    else readKeyed(reader, value);
    return value as T; // every property of `zero`, each replaced by what its own type has read
  }

  function readKeyed(reader: MsgpackReader, value: Record<string, unknown>): void {
    let expected = 0;
    for (let count = reader.mapHeader(countMax); count > 0; count--) {
      // Fields come in order in all but hand-made messages: look at the next ones before asking the map.
      let row = rows[expected++];
      while (row !== undefined && !reader.consumes(row.key)) row = rows[expected++];
      if (row !== undefined) {
        value[row.property] = row.type.read(reader);
        continue;
      }
      const key = reader.isNil() ? '' : reader.string(keyBytesMax);
      const index = indexOfKey.get(key);
      row = index === undefined ? undefined : rows[index];
      if (row !== undefined) value[row.property] = row.type.read(reader);
      else if (reader.strict) throw reader.fail(`unknown field "${key.slice(0, 64)}"`);
      else reader.skip();
    }
  }

  function readPositional(reader: MsgpackReader, value: Record<string, unknown>): void {
    const count = reader.arrayHeader(countMax);
    for (let i = 0; i < count; i++) {
      const row = rows[i];
      if (row !== undefined) value[row.property] = row.type.read(reader);
      else reader.skip();
    }
  }

  return { zero, isZero, write, read };
}

/** A key of a struct as every Go peer and this one write it: the short form of raw. */
function encodedKey(key: string): Uint8Array {
  assert(key.length < 32, 'keys of structs have the short form of raw');
  return concatBytes([Uint8Array.of(0xa0 | key.length), utf8Encode(key)]);
}

function isWritten<T>(row: Field<T>, writer: MsgpackWriter, value: T): boolean {
  return !row.isWireOptional || writer.explicit || !row.type.isZero(value[row.property]);
}

function jsonStructType<T extends object>(fields: readonly JsonField<T>[]): JsonType<T> {
  const rows = fields.map((row) => ({ ...row, prefix: `${jsonText(row.jsonKey)}:` }));
  const zero = zeroOf(fields);
  return {
    zero,
    isZero: (value) => rows.every((row) => row.type.isZero(value[row.property])),
    print(value) {
      let text = '';
      for (const row of rows) {
        const part = value[row.property];
        if (row.isJsonOptional && isJsonEmpty(row, part)) continue;
        text += (text === '' ? '{' : ',') + row.prefix + row.type.print(part);
      }
      return text === '' ? '{}' : `${text}}`;
    },
    parse(json) {
      if (json === undefined || json === null) return zero;
      if (typeof json !== 'object' || Array.isArray(json)) throw badJson(`expected an object, found ${describe(json)}`);
      const source = json as Readonly<Record<string, unknown>>; // any object is one
      const value = { ...zero } as Record<string, unknown>;
      for (const row of rows) {
        const part = Object.hasOwn(source, row.jsonKey) ? source[row.jsonKey] : undefined;
        if (part !== undefined) value[row.property] = within(row.jsonKey, () => row.type.parse(part));
      }
      return value as T; // as in `read`
    },
    schema: {
      type: 'object',
      properties: Object.fromEntries(fields.map(({ jsonKey, type }) => [jsonKey, type.schema])),
      required: fields.filter(({ isJsonOptional }) => !isJsonOptional).map(({ jsonKey }) => jsonKey),
    },
  };
}

/** Unlike the wire's, the `omitempty` of JSON leaves out empty lists too. */
function isJsonEmpty<T>(row: JsonField<T>, value: unknown): boolean {
  return row.type.isZero(value) || (Array.isArray(value) && value.length === 0);
}

function zeroOf<T extends object>(fields: readonly Field<T>[]): T {
  // Every property of T has a row: `structType` callers list them all, and the vectors check it.
  return Object.freeze(Object.fromEntries(fields.map((row) => [row.property, row.type.zero]))) as T;
}

/** Sets an own property even for the key `__proto__`. */
function setEntry<V>(map: Record<string, V>, key: string, value: V): void {
  if (key === '__proto__')
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}

/** Keys in the order of their UTF-8 bytes, as Go sorts them. */
function sortedKeys(map: object): string[] {
  const keys = Object.keys(map);
  if (keys.length < 2) return keys;
  // UTF-16 order is UTF-8 order unless surrogates meet characters above them.
  return keys.some((key) => /[\ud800-\uffff]/.test(key))
    ? keys.sort((a, b) => compareBytes(utf8Encode(a), utf8Encode(b)))
    : keys.sort();
}

/** Adds the place to the error of what is read there. */
function within<T>(place: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw badJson(`${place}: ${errorMessage(error)}`.replace(/: \[/g, '['), error);
  }
}
