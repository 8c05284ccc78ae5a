/**
 * How entries and the hard state of the Raft log lie on disk.
 *
 * | record | after the frame |
 * |---|---|
 * | entry | u64 index, u64 term, u8 type, u64 appendedAt + 1 (0: absent), data |
 * | hard state | u64 term, UTF-8 votedFor (empty: nobody) |
 *
 * The frame is u8 format, u32 CRC-32 of all behind it. Integers are big-endian. The index is under the checksum, so that an
 * entry under the wrong key is found out too. Data of a configuration is JSON: rare, small, and readable in a dump.
 */
import { crc32 } from 'node:zlib';
import { noBytes, OperatingError, utf8Decode, utf8Encode } from '../../base/index.ts';
import type { Configuration, Entry, HardState, Server } from '../../core/raft/index.ts';

const format = 1;
const frameSize = 5;
const entryHeadSize = 25;
/** Position is the value on disk. */
const entryTypes = ['command', 'noop', 'barrier', 'configuration'] as const;

/** The record of one entry. */
export function encodeEntry(entry: Entry): Uint8Array {
  const data = entryData(entry);
  const record = new Uint8Array(frameSize + entryHeadSize + data.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(frameSize, BigInt(entry.index));
  view.setBigUint64(frameSize + 8, BigInt(entry.term));
  view.setUint8(frameSize + 16, entryTypes.indexOf(entry.type));
  view.setBigUint64(frameSize + 17, entry.appendedAt === undefined ? 0n : entry.appendedAt + 1n);
  record.set(data, frameSize + entryHeadSize);
  return framed(record, view);
}

/** The record of the hard state. */
export function encodeHardState(state: HardState): Uint8Array {
  const votedFor = utf8Encode(state.votedFor ?? '');
  const record = new Uint8Array(frameSize + 8 + votedFor.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(frameSize, BigInt(state.term));
  record.set(votedFor, frameSize + 8);
  return framed(record, view);
}

/** Throws `OperatingError` `store/damaged` with what is wrong with the record. */
export function decodeEntry(record: Uint8Array): Entry {
  const body = unframed(record, entryHeadSize);
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const index = Number(view.getBigUint64(0));
  const term = Number(view.getBigUint64(8));
  const type = entryTypes[view.getUint8(16)];
  const appendedAt = view.getBigUint64(17);
  const data = body.subarray(entryHeadSize);
  const base = appendedAt === 0n ? { index, term } : { index, term, appendedAt: appendedAt - 1n };
  switch (type) {
    case 'command':
      return { ...base, type, data };
    case 'noop':
    case 'barrier':
      return { ...base, type };
    case 'configuration':
      return { ...base, type, configuration: decodeConfiguration(data) };
    default:
      throw damaged(`entry type ${view.getUint8(16)} is unknown`);
  }
}

/** Throws `OperatingError` `store/damaged`. */
export function decodeHardState(record: Uint8Array): HardState {
  const body = unframed(record, 8);
  const term = Number(new DataView(body.buffer, body.byteOffset, body.length).getBigUint64(0));
  const votedFor = utf8Decode(body.subarray(8));
  return { term, votedFor: votedFor === '' ? undefined : votedFor };
}

function entryData(entry: Entry): Uint8Array {
  if (entry.type === 'command') return entry.data;
  if (entry.type === 'configuration') return utf8Encode(JSON.stringify(entry.configuration.servers));
  return noBytes;
}

function decodeConfiguration(data: Uint8Array): Configuration {
  // The checksum held, so these are bytes of `entryData`.
  return { servers: JSON.parse(utf8Decode(data)) as Server[] };
}

function framed(record: Uint8Array, view: DataView): Uint8Array {
  view.setUint8(0, format);
  view.setUint32(1, crc32(record.subarray(frameSize)));
  return record;
}

function unframed(record: Uint8Array, sizeMin: number): Uint8Array {
  if (record.length < frameSize + sizeMin) throw damaged(`the record has ${record.length} bytes only`);
  if (record[0] !== format) throw damaged(`record format ${record[0]} is unknown, expected ${format}`);
  // A plain view: LevelDB hands out Buffers, whose `slice` does not copy.
  const body = new Uint8Array(record.buffer, record.byteOffset + frameSize, record.length - frameSize);
  const expected = new DataView(record.buffer, record.byteOffset, record.length).getUint32(1);
  if (crc32(body) !== expected) throw damaged('its checksum does not match');
  return body;
}

function damaged(text: string): OperatingError {
  return new OperatingError('store/damaged', text);
}
