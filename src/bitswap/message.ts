/**
 * The bitswap message (protobuf, `bitswap/message/pb/message.proto` of boxo), versions 1.0 to 1.2:
 * wants and cancels, blocks with the prefix of their CID, and who has what.
 */
import { CID } from 'multiformats/cid';
import { utf8Encode, varintRead, varintSize, varintWrite } from '../base/index.ts';
import { bitswapError } from './errors.ts';
import { cidPrefix } from './multihash.ts';

/** Larger messages are refused, as Go refuses them (go-libp2p `network.MessageSizeMax`). */
export const messageBytesMax: number = 4 * 1024 * 1024;
/** Larger CIDs are refused; boxo's limit. */
const cidBytesMax = 168;

export interface WantEntry {
  readonly cid: CID;
  readonly cancel: boolean;
  /** `have`: only whether; `block`: the bytes. */
  readonly want: 'block' | 'have';
  readonly sendDontHave: boolean;
}

export interface BlockEntry {
  readonly prefix: Uint8Array;
  readonly data: Uint8Array;
}

export interface OutgoingBlock {
  readonly cid: CID;
  readonly data: Uint8Array;
}

export interface Presence {
  readonly cid: CID;
  readonly has: boolean;
}

export interface IncomingMessage {
  readonly wants: readonly WantEntry[];
  /** The wants replace all earlier ones. */
  readonly isFull: boolean;
  readonly blocks: readonly BlockEntry[];
  readonly presences: readonly Presence[];
}

export interface OutgoingMessage {
  readonly wants: readonly WantEntry[];
  readonly blocks: readonly OutgoingBlock[];
  readonly presences: readonly Presence[];
}

/** The prefix that blocks of version 1.0, which carry none, stand for. */
const oldPrefix = Uint8Array.of(0, 0x70, 0x12, 0x20);

// ---------------------------------------------------------------------------------------------------- encoding

/** One field of a message: either a number or bytes. */
type Field = readonly [number: number, value: number | Uint8Array | readonly Field[]];

/** The message behind its length, ready for the stream. `isOld`: blocks as version 1.0 has them. */
export function encodeFrame(message: OutgoingMessage, isOld = false): Uint8Array {
  const fields: Field[] = [];
  if (message.wants.length > 0) {
    fields.push([1, message.wants.map((entry): Field => [1, wantFields(entry)])]);
  }
  for (const { cid, data } of message.blocks) {
    fields.push(
      isOld
        ? [2, data]
        : [
            3,
            [
              [1, cidPrefix(cid)],
              [2, data],
            ],
          ],
    );
  }
  for (const { cid, has } of message.presences) {
    fields.push([
      4,
      has
        ? [[1, cid.bytes]]
        : [
            [1, cid.bytes],
            [2, 1],
          ],
    ]);
  }
  const size = fieldsSize(fields);
  const frame = new Uint8Array(varintSize(size) + size);
  writeFields(frame, varintWrite(frame, 0, size), fields);
  return frame;
}

function wantFields({ cid, cancel, want, sendDontHave }: WantEntry): readonly Field[] {
  const fields: Field[] = [
    [1, cid.bytes],
    [2, 1],
  ];
  if (cancel) fields.push([3, 1]);
  if (want === 'have') fields.push([4, 1]);
  if (sendDontHave) fields.push([5, 1]);
  return fields;
}

function valueSize(value: Field[1]): number {
  if (typeof value === 'number') return varintSize(value);
  const size = value instanceof Uint8Array ? value.length : fieldsSize(value);
  return varintSize(size) + size;
}

function fieldsSize(fields: readonly Field[]): number {
  // Field numbers are below 16: the tag takes one byte.
  let size = 0;
  for (const [, value] of fields) size += 1 + valueSize(value);
  return size;
}

function writeFields(target: Uint8Array, offset: number, fields: readonly Field[]): number {
  let at = offset;
  for (const [number, value] of fields) {
    target[at++] = (number << 3) | (typeof value === 'number' ? 0 : 2);
    if (typeof value === 'number') {
      at = varintWrite(target, at, value);
    } else if (value instanceof Uint8Array) {
      at = varintWrite(target, at, value.length);
      target.set(value, at);
      at += value.length;
    } else {
      at = writeFields(target, varintWrite(target, at, fieldsSize(value)), value);
    }
  }
  return at;
}

// ---------------------------------------------------------------------------------------------------- decoding

interface ReadField {
  readonly number: number;
  /** Varint fields have a value, the others bytes. */
  readonly value: number;
  readonly bytes: Uint8Array;
}

/** Blocks are views of `bytes`. Throws `bitswap/bad-message`. */
export function decodeMessage(bytes: Uint8Array): IncomingMessage {
  const wants: WantEntry[] = [];
  const blocks: BlockEntry[] = [];
  const presences: Presence[] = [];
  let isFull = false;
  for (const field of readFields(bytes)) {
    if (field.number === 1) {
      for (const inner of readFields(field.bytes)) {
        if (inner.number === 1) wants.push(decodeWant(inner.bytes));
        else if (inner.number === 2) isFull = inner.value !== 0;
      }
    } else if (field.number === 2) blocks.push({ prefix: oldPrefix, data: field.bytes });
    else if (field.number === 3) blocks.push(decodeBlock(field.bytes));
    else if (field.number === 4) presences.push(decodePresence(field.bytes));
  }
  return { wants, isFull, blocks, presences };
}

function decodeWant(bytes: Uint8Array): WantEntry {
  let cid: CID | undefined;
  let cancel = false;
  let want: WantEntry['want'] = 'block';
  let sendDontHave = false;
  for (const field of readFields(bytes)) {
    if (field.number === 1) cid = decodeCid(field.bytes);
    else if (field.number === 3) cancel = field.value !== 0;
    else if (field.number === 4) want = field.value === 1 ? 'have' : 'block';
    else if (field.number === 5) sendDontHave = field.value !== 0;
  }
  if (cid === undefined) throw malformed('a want without a CID');
  return { cid, cancel, want, sendDontHave };
}

function decodeBlock(bytes: Uint8Array): BlockEntry {
  let prefix: Uint8Array = new Uint8Array(0);
  let data: Uint8Array = new Uint8Array(0);
  for (const field of readFields(bytes)) {
    if (field.number === 1) prefix = field.bytes;
    else if (field.number === 2) data = field.bytes;
  }
  return { prefix, data };
}

function decodePresence(bytes: Uint8Array): Presence {
  let cid: CID | undefined;
  let has = true;
  for (const field of readFields(bytes)) {
    if (field.number === 1) cid = decodeCid(field.bytes);
    else if (field.number === 2) has = field.value === 0;
  }
  if (cid === undefined) throw malformed('a presence without a CID');
  return { cid, has };
}

function decodeCid(bytes: Uint8Array): CID {
  if (bytes.length > cidBytesMax) throw malformed(`a CID of ${bytes.length} bytes, at most ${cidBytesMax} expected`);
  try {
    // A copy: the CID may live long after the message, in a ledger.
    return CID.decode(bytes.slice());
  } catch (error) {
    throw bitswapError('bitswap/bad-message', 'Cannot read bitswap message: bytes that are no CID', error);
  }
}

function* readFields(bytes: Uint8Array): Generator<ReadField> {
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    const number = Math.floor(tag.value / 8);
    const wire = tag.value % 8;
    if (wire === 0) {
      const { value, end } = readVarint(bytes, tag.end);
      yield { number, value, bytes: nothing };
      at = end;
    } else if (wire === 2) {
      const length = readVarint(bytes, tag.end);
      const end = length.end + length.value;
      if (end > bytes.length) throw malformed(`a field of ${length.value} bytes where fewer are left`);
      yield { number, value: 0, bytes: bytes.subarray(length.end, end) };
      at = end;
    } else if (wire === 1 || wire === 5) {
      at = tag.end + (wire === 1 ? 8 : 4);
      if (at > bytes.length) throw malformed('an unfinished field');
    } else {
      throw malformed(`wire type ${wire}`);
    }
  }
}

const nothing = utf8Encode('');

function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } {
  // Negative int32 fields take ten bytes; of those only the end matters here.
  let end = at;
  while (end < bytes.length && end - at < 10 && (bytes[end] ?? 0) >= 128) end += 1;
  if (end >= bytes.length || end - at >= 10) throw malformed('an unfinished number');
  if (end - at >= 8) return { value: Number.MAX_SAFE_INTEGER, end: end + 1 };
  const read = varintRead(bytes, at);
  if (read === undefined) throw malformed('an unfinished number');
  return read;
}

function malformed(what: string): Error {
  return bitswapError('bitswap/bad-message', `Cannot read bitswap message: it has ${what}`);
}
