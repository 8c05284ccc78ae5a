/**
 * The headers of gorpc: which method is called, and how it went.
 * Source: go-libp2p-gorpc `ServiceID`, `Response`, `ErrorType`; spec of the wire form: msgpack maps with raw strings.
 */
import { rpcError } from './errors.ts';

/** Service and method names together, as Go limits them. */
const nameBytesMax = 256;
const entriesMax = 64;

/** Go `ErrorType`. */
export const errorTypes = { application: 0, server: 1, client: 2, authorization: 3 } as const;

export interface ServiceId {
  readonly service: string;
  readonly method: string;
}

export interface ResponseHeader {
  /** Empty when the call succeeded. */
  readonly error: string;
  readonly errorType: number;
}

/** `{Name, Method}`. */
export function encodeServiceId({ service, method }: ServiceId): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x82), raw('Name'), raw(service), raw('Method'), raw(method)]);
}

/** `{Service, Error?, ErrType?}`; zero values are left out. */
export function encodeResponse(id: ServiceId, error = '', errorType = 0): Uint8Array {
  const count = 1 + (error === '' ? 0 : 1) + (errorType === 0 ? 0 : 1);
  const parts = [Uint8Array.of(0x80 | count), raw('Service'), encodeServiceId(id)];
  if (error !== '') parts.push(raw('Error'), raw(error));
  if (errorType !== 0) parts.push(raw('ErrType'), Uint8Array.of(errorType));
  return Buffer.concat(parts);
}

/** Throws `rpc/server`. */
export function decodeServiceId(bytes: Uint8Array): ServiceId {
  const reader = new HeaderReader(bytes);
  let service = '';
  let method = '';
  reader.entries((key) => {
    if (key === 'Name') service = reader.text();
    else if (key === 'Method') method = reader.text();
    else reader.skip();
  });
  if (service.length + method.length > nameBytesMax) throw badHeader('the method name is too long');
  return { service, method };
}

/** Throws `rpc/server`. */
export function decodeResponse(bytes: Uint8Array): ResponseHeader {
  const reader = new HeaderReader(bytes);
  let error = '';
  let errorType = 0;
  reader.entries((key) => {
    if (key === 'Error') error = reader.text();
    else if (key === 'ErrType') errorType = reader.smallInt();
    else reader.skip();
  });
  return { error, errorType };
}

function raw(text: string): Uint8Array {
  const body = Buffer.from(text);
  const { length } = body;
  if (length < 32) return Buffer.concat([Uint8Array.of(0xa0 | length), body]);
  if (length < 0x1_0000) return Buffer.concat([Uint8Array.of(0xda, length >>> 8, length & 0xff), body]);
  const head = Buffer.alloc(5);
  head[0] = 0xdb;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, body]);
}

function badHeader(reason: string): Error {
  return rpcError('server', `Cannot read a call header: ${reason}`);
}

/** Reads the few forms that headers consist of; one complete value is known to be there. */
class HeaderReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  entries(onKey: (key: string) => void): void {
    const tag = this.#byte();
    let count: number;
    if (tag === 0xc0) count = 0;
    else if (tag >= 0x80 && tag < 0x90) count = tag & 0x0f;
    else if (tag === 0xde) count = this.#uint(2);
    else throw badHeader('not a map');
    if (count > entriesMax) throw badHeader(`${count} entries, ${entriesMax} allowed`);
    for (let i = 0; i < count; i++) onKey(this.text());
  }

  text(): string {
    const tag = this.#byte();
    if (tag === 0xc0) return '';
    let length: number;
    if (tag >= 0xa0 && tag < 0xc0) length = tag & 0x1f;
    else if (tag === 0xd9 || tag === 0xc4) length = this.#uint(1);
    else if (tag === 0xda || tag === 0xc5) length = this.#uint(2);
    else if (tag === 0xdb || tag === 0xc6) length = this.#uint(4);
    else throw badHeader('a text was expected');
    const end = this.#at + length;
    if (end > this.#bytes.length) throw badHeader('a text ends too early');
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  smallInt(): number {
    const tag = this.#byte();
    if (tag === 0xc0) return 0;
    if (tag < 0x80) return tag;
    if (tag === 0xcc || tag === 0xd0) return this.#uint(1);
    if (tag === 0xcd || tag === 0xd1) return this.#uint(2);
    if (tag === 0xce || tag === 0xd2) return this.#uint(4);
    if (tag === 0xcf || tag === 0xd3) return this.#uint(4) * 2 ** 32 + this.#uint(4);
    throw badHeader('a small number was expected');
  }

  /** Only what a header may hold beside the known fields: texts, numbers and maps of them. */
  skip(depth = 0): void {
    const tag = this.#bytes[this.#at] ?? 0xc1;
    if (depth > 4) throw badHeader('it is nested too deeply');
    if ((tag >= 0x80 && tag < 0x90) || tag === 0xde) {
      this.entries(() => this.skip(depth + 1));
    } else if (tag < 0x80 || tag === 0xc0 || (tag >= 0xcc && tag <= 0xd3)) {
      this.smallInt();
    } else if (tag >= 0xe0 || tag === 0xc2 || tag === 0xc3) {
      this.#at += 1;
    } else {
      this.text();
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw badHeader('it ends too early');
    this.#at += 1;
    return byte;
  }

  #uint(bytes: number): number {
    if (this.#at + bytes > this.#bytes.length) throw badHeader('it ends too early');
    const value = this.#bytes.readUIntBE(this.#at, bytes);
    this.#at += bytes;
    return value;
  }
}
