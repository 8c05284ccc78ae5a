/**
 * A `Datastore` that knows its values again: before each stands the CRC-32 (u32, big-endian) of key and value. LevelDB has checksums
 * in its tables and does not compare them when it reads (`verify_checksums`, which `classic-level` does not offer).
 */
import { OperatingError } from '../../base/index.ts';
import type { Datastore, DatastoreEntry, DatastoreOp, TextEntry } from '../../cluster/ports.ts';
import { crc32OfBytes, crc32OfText } from './checksum.ts';

const checksumBytes = 4;

/**
 * Over a store that nobody else writes to; `folder` is for texts. `get`, `scan` and `scanText` fail with `store/damaged`, a scan of keys
 * alone does not.
 */
export function checkedDatastore(store: Datastore, folder: string): Datastore {
  const read = (key: Uint8Array, stored: Uint8Array): Uint8Array => {
    if (!isRight(stored, crc32OfBytes(key, 0, 0))) throw damaged(folder, Buffer.from(key).toString('latin1'));
    return stored.subarray(checksumBytes);
  };
  const readText = (key: string, stored: Uint8Array): Uint8Array => {
    if (!isRight(stored, crc32OfText(key, 0))) throw damaged(folder, key);
    return stored.subarray(checksumBytes);
  };
  return {
    get(key) {
      const stored = store.get(key);
      return stored && read(key, stored);
    },
    batch: (ops, options) => store.batch(ops.map(withChecksum), options),
    async *scan(range, options) {
      for await (const page of store.scan(range, options)) {
        yield options?.keysOnly === true ? page : page.map(([key, stored]): DatastoreEntry => [key, read(key, stored)]);
      }
    },
    async *scanText(range, options) {
      for await (const page of store.scanText(range, options)) {
        yield page.map(([key, stored]): TextEntry => [key, readText(key, stored)]);
      }
    },
    close: () => store.close(),
  };
}

/** Whether the checksum that it begins with is that of its key and the rest. */
function isRight(stored: Uint8Array, ofKey: number): boolean {
  return stored.length >= checksumBytes && checksumAt(stored) === crc32OfBytes(stored, checksumBytes, ofKey);
}

function checksumAt(stored: Uint8Array): number {
  // The length was checked.
  return (
    (((stored[0] as number) << 24) |
      ((stored[1] as number) << 16) |
      ((stored[2] as number) << 8) |
      (stored[3] as number)) >>>
    0
  );
}

function withChecksum(op: DatastoreOp): DatastoreOp {
  if (op.type === 'del') return op;
  const value = new Uint8Array(checksumBytes + op.value.length);
  const checksum = crc32OfBytes(op.value, 0, crc32OfBytes(op.key, 0, 0));
  new DataView(value.buffer).setUint32(0, checksum);
  value.set(op.value, checksumBytes);
  return { type: 'put', key: op.key, value };
}

function damaged(folder: string, key: string): OperatingError {
  const name = key.replace(/[^ -~]/g, '?');
  const hint = 'restore the folder from a backup, or move it away and let this peer join again with --bootstrap';
  const what = 'is damaged, or of an early version that kept no checksums';
  const text = `The state in "${folder}" ${what}: the value of "${name}" does not match its checksum; ${hint}`;
  return new OperatingError('store/damaged', text);
}
