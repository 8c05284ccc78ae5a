/**
 * Pins as stores keep them: protobuf `api.pb.Pin`, the value under a state key, in Raft snapshots and in CRDT deltas.
 * Written by hand because every pin of every list passes here.
 * Source: Go `api/pb/types.proto`, `api/types.go` `Pin.ProtoMarshal`, `Pin.ProtoUnmarshal`.
 *
 * Not stored: user allocations, mode (derived from the depth), fractions of seconds.
 */
import {
  base32UpperDecode,
  base32UpperEncode,
  compareBytes,
  errorMessage,
  noBytes,
  OperatingError,
  utf8Decode,
  utf8Encode,
  varintRead,
  varintSize,
  varintWrite,
} from '../base/index.ts';
import { Cid } from './cid.ts';
import { multiaddrFromBytes, multiaddrToBytes } from './multiaddr.ts';
import type { PeerId } from './peer.ts';
import { peerIdFromBytes, peerIdToBytes } from './peer-id.ts';
import type { Pin, PinType } from './pin.ts';
import type { Time } from './time.ts';

/** A pin's value is refused beyond this; metadata is what can make it long. */
const pinBytesMax = 16_777_216;
/** By stored value. */
export const storedPinTypes: readonly PinType[] = ['bad', 'pin', 'meta-pin', 'clusterdag-pin', 'shard-pin'];
const varintWire = 0;
const bytesWire = 2;

/** Key of a pin in the state, without slash or namespace: upper-case base32 of all CID bytes. */
export function stateKey(cid: Cid): string {
  return base32UpperEncode(cid.bytes);
}

/** The CID of a state key, with or without the leading slash. Throws `OperatingError` `model/bad-cid`. */
export function cidOfStateKey(key: string): Cid {
  let bytes: Uint8Array;
  try {
    bytes = base32UpperDecode(key.startsWith('/') ? key.slice(1) : key);
  } catch (error) {
    throw new OperatingError('model/bad-cid', `invalid cid: state key "${key.slice(0, 128)}": ${errorMessage(error)}`);
  }
  return Cid.decode(bytes);
}

// ---------------------------------------------------------------------------------------------------- encoding

/** The stored value of a pin. */
export function encodePin(pin: Pin): Uint8Array {
  const allocations = (pin.allocations ?? []).map(peerIdToBytes);
  const options = new OptionParts(pin);
  const type = Math.max(storedPinTypes.indexOf(pin.type), 0);
  const depth = zigzag(pin.maxDepth);
  const seconds = storedSeconds(pin.timestamp);
  const size =
    bytesFieldSize(pin.cid.bytes) +
    numberFieldSize(type) +
    allocations.reduce((sum, id) => sum + elementSize(id.length), 0) +
    numberFieldSize(depth) +
    (pin.reference === null ? 0 : bytesFieldSize(pin.reference.bytes)) +
    elementSize(options.size) +
    numberFieldSize(seconds);
  const target = new ProtobufTarget(size);
  target.bytesField(1, pin.cid.bytes);
  target.numberField(2, type);
  for (const id of allocations) target.element(3, id);
  target.numberField(4, depth);
  if (pin.reference !== null) target.bytesField(5, pin.reference.bytes);
  target.header(6, options.size);
  options.write(target);
  target.numberField(7, seconds);
  return target.bytes;
}

class OptionParts {
  readonly size: number;
  readonly #min: number;
  readonly #max: number;
  readonly #name: Uint8Array;
  readonly #shardSize: number;
  readonly #pinUpdate: Uint8Array;
  readonly #expireAt: number;
  readonly #origins: readonly Uint8Array[];
  readonly #metadata: readonly (readonly [Uint8Array, Uint8Array])[];

  constructor(pin: Pin) {
    this.#min = zigzag(pin.replicationFactorMin);
    this.#max = zigzag(pin.replicationFactorMax);
    this.#name = utf8Encode(pin.name);
    this.#shardSize = pin.shardSize;
    this.#pinUpdate = pin.pinUpdate?.bytes ?? noBytes;
    this.#expireAt = storedSeconds(pin.expireAt);
    this.#origins = pin.origins === null ? none : pin.origins.map(multiaddrToBytes);
    this.#metadata = pin.metadata === null ? none : storedMetadata(pin.metadata);
    let size = numberFieldSize(this.#min) + numberFieldSize(this.#max) + bytesFieldSize(this.#name);
    size += numberFieldSize(this.#shardSize) + bytesFieldSize(this.#pinUpdate) + numberFieldSize(this.#expireAt);
    for (const origin of this.#origins) size += elementSize(origin.length);
    for (const [key, value] of this.#metadata) size += elementSize(bytesFieldSize(key) + bytesFieldSize(value));
    this.size = size;
  }

  write(target: ProtobufTarget): void {
    target.numberField(1, this.#min);
    target.numberField(2, this.#max);
    target.bytesField(3, this.#name);
    target.numberField(4, this.#shardSize);
    target.bytesField(7, this.#pinUpdate);
    target.numberField(8, this.#expireAt);
    for (const origin of this.#origins) target.element(9, origin);
    for (const [key, value] of this.#metadata) {
      target.header(10, bytesFieldSize(key) + bytesFieldSize(value));
      target.bytesField(1, key);
      target.bytesField(2, value);
    }
  }
}

const none: readonly never[] = [];

/** Sorted by keys, in their UTF-8 order. */
function storedMetadata(metadata: Readonly<Record<string, string>>): [Uint8Array, Uint8Array][] {
  return Object.entries(metadata)
    .map(([key, value]): [Uint8Array, Uint8Array] => [utf8Encode(key), utf8Encode(value)])
    .sort((a, b) => compareBytes(a[0], b[0]));
}

/** Writes fields whose sizes were summed up before. Zero and empty fields are left out, as proto3 wants. */
class ProtobufTarget {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  numberField(field: number, value: number): void {
    if (value === 0) return;
    this.bytes[this.#at++] = (field << 3) | varintWire;
    this.#at = varintWrite(this.bytes, this.#at, value);
  }

  bytesField(field: number, value: Uint8Array): void {
    if (value.length > 0) this.element(field, value);
  }

  /** An item of a repeated field, written even when it is empty. */
  element(field: number, value: Uint8Array): void {
    this.header(field, value.length);
    this.bytes.set(value, this.#at);
    this.#at += value.length;
  }

  header(field: number, length: number): void {
    this.bytes[this.#at++] = (field << 3) | bytesWire;
    this.#at = varintWrite(this.bytes, this.#at, length);
  }
}

function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

function elementSize(length: number): number {
  return 1 + varintSize(length) + length;
}

function bytesFieldSize(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : elementSize(bytes.length);
}

function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

/** A signed number from its stored form. */
export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Whole seconds; the epoch itself and times before it count as unset, as they would not fit Go's unsigned field. */
export function storedSeconds(time: Time | null): number {
  return time === null || time.seconds < 0 ? 0 : time.seconds;
}

// ---------------------------------------------------------------------------------------------------- decoding

/**
 * A pin from its stored value. The state key, not the value, decides which CID it is: pass it where it is known.
 * Throws `OperatingError` `model/bad-encoding`.
 */
export function decodePin(bytes: Uint8Array, cid?: Cid): Pin {
  if (bytes.length > pinBytesMax) throw bad(`${bytes.length} bytes, at most ${pinBytesMax}`);
  try {
    return readPin(new ProtobufSource(bytes, 0, bytes.length), cid);
  } catch (error) {
    throw bad(errorMessage(error), error);
  }
}

/**
 * When the pin of a stored value expires, in seconds since the epoch; 0: never. Reads no more than that, for it is asked of every pin that
 * is replaced. Throws `OperatingError` `model/bad-encoding`.
 */
export function storedExpirySeconds(bytes: Uint8Array): number {
  const source = new ProtobufSource(bytes, 0, bytes.length);
  let seconds = 0;
  while (source.next()) {
    if (!source.is(6, bytesWire)) {
      source.skip();
      continue;
    }
    seconds = 0;
    const options = source.nested();
    while (options.next()) {
      if (options.is(8, varintWire)) seconds = options.number();
      else options.skip();
    }
  }
  return seconds;
}

function readPin(source: ProtobufSource, cid: Cid | undefined): Pin {
  let stored = Cid.undefined;
  let type: PinType = 'bad';
  const allocations: PeerId[] = [];
  let maxDepth = 0;
  let reference: Cid | null = null;
  let timestamp: Time | null = null;
  let options = noOptions;
  while (source.next()) {
    if (source.is(1, bytesWire))
      stored = cid === undefined ? (lenientCid(source.view()) ?? Cid.undefined) : source.skipTo(cid);
    else if (source.is(2, varintWire)) type = storedPinTypes[source.number()] ?? 'bad';
    else if (source.is(3, bytesWire)) allocations.push(peerIdFromBytes(source.view()));
    else if (source.is(4, varintWire)) maxDepth = unzigzag(source.number());
    else if (source.is(5, bytesWire)) reference = lenientCid(source.view());
    else if (source.is(6, bytesWire)) options = readOptions(source.nested());
    else if (source.is(7, varintWire)) timestamp = timeOf(source.number());
    else source.skip();
  }
  return {
    ...options,
    mode: maxDepth === 0 ? 'direct' : 'recursive',
    cid: cid ?? stored,
    type,
    allocations,
    maxDepth,
    reference,
    timestamp,
  };
}

type StoredOptions = Pick<
  Pin,
  | 'replicationFactorMin'
  | 'replicationFactorMax'
  | 'name'
  | 'mode'
  | 'shardSize'
  | 'userAllocations'
  | 'expireAt'
  | 'metadata'
  | 'pinUpdate'
  | 'origins'
>;

/** What Go reads from a value without options. */
const noOptions: StoredOptions = {
  replicationFactorMin: 0,
  replicationFactorMax: 0,
  name: '',
  mode: 'recursive',
  shardSize: 0,
  userAllocations: null,
  expireAt: null,
  metadata: null,
  pinUpdate: null,
  origins: Object.freeze([]),
};

function readOptions(source: ProtobufSource): StoredOptions {
  let { replicationFactorMin, replicationFactorMax, name, shardSize, expireAt, pinUpdate } = noOptions;
  let metadata: Record<string, string> | null = null;
  let origins: string[] | null = null;
  while (source.next()) {
    if (source.is(1, varintWire)) replicationFactorMin = unzigzag(source.number());
    else if (source.is(2, varintWire)) replicationFactorMax = unzigzag(source.number());
    else if (source.is(3, bytesWire)) name = source.text();
    else if (source.is(4, varintWire)) shardSize = source.number();
    else if (source.is(6, bytesWire) || source.is(10, bytesWire)) {
      // 6 is the old map, 10 the sorted list: entries look the same.
      metadata ??= {};
      const [key, value] = readEntry(source.nested());
      Object.defineProperty(metadata, key, { value, enumerable: true, configurable: true, writable: true });
    } else if (source.is(7, bytesWire)) pinUpdate = lenientCid(source.view());
    else if (source.is(8, varintWire)) expireAt = timeOf(source.number());
    else if (source.is(9, bytesWire)) {
      origins ??= [];
      origins.push(multiaddrFromBytes(source.view()));
    } else source.skip();
  }
  return {
    replicationFactorMin,
    replicationFactorMax,
    name,
    mode: 'recursive',
    shardSize,
    userAllocations: null,
    expireAt,
    metadata,
    pinUpdate,
    origins: origins ?? noOptions.origins,
  };
}

function readEntry(source: ProtobufSource): readonly [string, string] {
  let key = '';
  let value = '';
  while (source.next()) {
    if (source.is(1, bytesWire)) key = source.text();
    else if (source.is(2, bytesWire)) value = source.text();
    else source.skip();
  }
  return [key, value];
}

/** Go takes a CID that it cannot read for a missing one. */
function lenientCid(bytes: Uint8Array): Cid | null {
  try {
    return bytes.length === 0 ? null : Cid.decode(bytes);
  } catch {
    // Not an error in the reference either; the key of the pin is what counts.
    return null;
  }
}

function timeOf(seconds: number): Time | null {
  return seconds === 0 ? null : { seconds, nanos: 0 };
}

/** Walks the fields of one message. */
class ProtobufSource {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #tag = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Moves to the next field. @returns false at the end. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.#tag = this.number();
    return true;
  }

  is(field: number, wire: number): boolean {
    return this.#tag === ((field << 3) | wire);
  }

  number(): number {
    const byte = this.#bytes[this.#at] ?? 0;
    if (byte < 128 && this.#at < this.#end) {
      this.#at++;
      return byte;
    }
    const varint = varintRead(this.#bytes, this.#at);
    if (varint === undefined || varint.end > this.#end) throw bad('the value ends within a number');
    this.#at = varint.end;
    return varint.value;
  }

  view(): Uint8Array {
    const length = this.number();
    const start = this.#at;
    if (start + length > this.#end) throw bad('the value ends within a field');
    this.#at = start + length;
    return this.#bytes.subarray(start, this.#at);
  }

  text(): string {
    return utf8Decode(this.view());
  }

  nested(): ProtobufSource {
    const view = this.view();
    const start = this.#at - view.length;
    return new ProtobufSource(this.#bytes, start, this.#at);
  }

  /** Passes over a length-delimited field whose content is known already. */
  skipTo<T>(known: T): T {
    this.view();
    return known;
  }

  skip(): void {
    const wire = this.#tag & 7;
    if (wire === varintWire) this.#skipVarint();
    else if (wire === bytesWire) this.view();
    else if (wire === 1) this.#pass(8);
    else if (wire === 5) this.#pass(4);
    else throw bad(`wire type ${wire}`);
  }

  /** Unknown numbers may be beyond what a double holds. */
  #skipVarint(): void {
    for (let count = 0; count < 10; count++) {
      if (this.#at >= this.#end) break;
      if ((this.#bytes[this.#at++] ?? 0) < 128) return;
    }
    throw bad('the value ends within a number');
  }

  #pass(count: number): void {
    if (this.#at + count > this.#end) throw bad('the value ends within a field');
    this.#at += count;
  }
}

function bad(problem: string, cause?: unknown): OperatingError {
  const text = problem.startsWith('Cannot decode pin: ') ? problem : `Cannot decode pin: ${problem}`;
  return new OperatingError('model/bad-encoding', text, { cause });
}
