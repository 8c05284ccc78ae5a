/**
 * One pin of a Raft snapshot, which is nothing but such records one after the other.
 * Source: Go `state/dsstate/datastore.go` `serialEntry`, `State.Marshal`.
 */
import type { Codec } from './codec.ts';
import { wireField, wireStructType } from './schema/containers.ts';
import { codecOf, type WireType } from './schema/type.ts';

/** What the state holds under one key. When read, views into what was read from. */
export interface SnapshotRecord {
  /** The bytes of `stateKey`. */
  readonly key: Uint8Array;
  /** What `encodePin` makes. */
  readonly value: Uint8Array;
}

/** Base32 of a CID of 1 KiB, which no CID has. */
const keyBytesMax = 2048;
/** Metadata can make a pin long; what is longer than this is not read anywhere. */
const valueBytesMax = 16_777_216;

const record = wireField<SnapshotRecord>();

/** Fields that a later version may add are skipped. */
export const snapshotRecordCodec: Codec<SnapshotRecord> = codecOf(
  wireStructType<SnapshotRecord>([
    record('key', 'k', viewType(keyBytesMax)),
    record('value', 'v', viewType(valueBytesMax)),
  ]),
);

/** Bytes as a view into the buffer, without a copy. */
function viewType(sizeBytesMax: number): WireType<Uint8Array> {
  const zero = new Uint8Array(0);
  return {
    zero,
    isZero: (value) => value.length === 0,
    write: (writer, value) => writer.raw(value),
    read: (reader) => (reader.isNil() ? zero : reader.raw(sizeBytesMax)),
  };
}
