/**
 * A type of the model in all its forms. One row of a struct names a field once and thereby fixes its msgpack key,
 * its JSON key, when either is left out, and both codecs.
 */
import type { Codec } from '../codec.ts';
import type { JsonSchema } from '../json-schema.ts';
import { badEncoding, MsgpackReader, truncated } from './msgpack-reader.ts';
import { MsgpackWriter } from './msgpack-writer.ts';

/** The msgpack form. */
export interface WireType<T> {
  /** What an absent field and a nil decode to: Go's zero value. */
  readonly zero: T;
  /** Whether Go's `omitempty` leaves the value out. */
  isZero(value: T): boolean;
  write(writer: MsgpackWriter, value: T): void;
  read(reader: MsgpackReader): T;
}

/** The JSON form. */
export interface JsonType<T> {
  readonly zero: T;
  isZero(value: T): boolean;
  /** Compact JSON text as Go's `encoding/json` writes it. */
  print(value: T): string;
  /** From a parsed JSON value; `null` and absent become zero. Throws `OperatingError` `model/bad-json`. */
  parse(value: unknown): T;
  /** What `print` writes, for descriptions of the API. */
  readonly schema: JsonSchema;
}

export interface Type<T> extends WireType<T>, JsonType<T> {}

/** Longest value that a stream may carry; a block is at most 4 MiB, a list of freed keys can be long. */
const valueSizeBytesMax = 67_108_864;

const writer = new MsgpackWriter();

export interface CodecOptions {
  /** Write every field, zero or not. */
  readonly explicit?: boolean;
  /** Refuse unknown fields. */
  readonly strict?: boolean;
}

/** The codec of a type. */
export function codecOf<T>(type: WireType<T>, options: CodecOptions = {}): Codec<T> {
  const { explicit = false, strict = false } = options;
  return {
    encode(value) {
      writer.reset(explicit);
      type.write(writer, value);
      return writer.finish();
    },
    decode(bytes) {
      const reader = new MsgpackReader(bytes, 0, strict);
      const value = type.read(reader);
      if (reader.offset < bytes.length) {
        throw badEncoding(`${bytes.length - reader.offset} bytes follow the value`, reader.offset);
      }
      return value;
    },
    decodeAt(bytes, offset) {
      const reader = new MsgpackReader(bytes, offset, strict);
      try {
        const value = type.read(reader);
        return { value, end: reader.offset };
      } catch (error) {
        if (error !== truncated) throw error;
        const size = bytes.length - offset;
        if (size > valueSizeBytesMax) throw badEncoding(`a value longer than ${valueSizeBytesMax} bytes`, offset);
        return undefined;
      }
    },
  };
}
