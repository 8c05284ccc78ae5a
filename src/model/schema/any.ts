/**
 * Values without a schema, as `IPFSConnector.ConfigKey` answers them. Text and bytes cannot be told apart in this
 * msgpack dialect: raw is read as text.
 */
import type { MsgpackReader } from './msgpack-reader.ts';
import type { MsgpackWriter } from './msgpack-writer.ts';
import type { WireType } from './type.ts';

const depthMax = 32;
const countMax = 65_536;
const textBytesMax = 1_048_576;

export const anyType: WireType<unknown> = {
  zero: null,
  isZero: (value) => value === null || value === undefined,
  write: (writer, value) => write(writer, value, 0),
  read: (reader) => read(reader, 0),
};

function write(writer: MsgpackWriter, value: unknown, depth: number): void {
  if (depth > depthMax) writer.nil();
  else if (typeof value === 'string') writer.string(value);
  else if (typeof value === 'boolean') writer.boolean(value);
  else if (typeof value === 'bigint') writer.int64(value);
  else if (typeof value === 'number') Number.isSafeInteger(value) ? writer.int(value) : writer.float64(value);
  else if (value instanceof Uint8Array) writer.raw(value);
  else if (Array.isArray(value)) {
    writer.arrayHeader(value.length);
    for (const item of value) write(writer, item, depth + 1);
  } else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    writer.mapHeader(entries.length);
    for (const [key, item] of entries) {
      writer.string(key);
      write(writer, item, depth + 1);
    }
  } else writer.nil();
}

function read(reader: MsgpackReader, depth: number): unknown {
  if (depth > depthMax) throw reader.fail(`more than ${depthMax} levels`);
  if (reader.isNil()) return null;
  const tag = reader.peek();
  if (tag === 0xc2 || tag === 0xc3) return reader.boolean();
  if (tag < 0x80 || tag >= 0xe0 || (tag >= 0xca && tag <= 0xd3)) {
    const value = reader.float64OrInt64();
    return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  if (reader.isArray()) return Array.from({ length: reader.arrayHeader(countMax) }, () => read(reader, depth + 1));
  if (!reader.isMap()) return reader.string(textBytesMax);
  const map = new Map<string, unknown>();
  for (let count = reader.mapHeader(countMax); count > 0; count--)
    map.set(String(read(reader, depth + 1)), read(reader, depth + 1));
  return Object.fromEntries(map);
}
