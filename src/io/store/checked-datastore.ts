/**
 * A `Datastore` that knows its values again: before each stands the CRC-32 (u32, big-endian) of key and value. LevelDB has checksums
 * in its tables and does not compare them when it reads (`verify_checksums`, which `classic-level` does not offer).
 */
import { crc32 } from 'node:zlib';
import { OperatingError } from '../../base/index.ts';
import type { Datastore, DatastoreEntry, DatastoreOp } from '../../cluster/ports.ts';

const checksumBytes = 4;

/** Over a store that nobody else writes to; `folder` is for texts. `get` and `scan` fail with `store/damaged`, a scan of keys alone does not. */
export function checkedDatastore(store: Datastore, folder: string): Datastore {
  const read = (key: Uint8Array, stored: Uint8Array): Uint8Array => {
    const value = stored.subarray(checksumBytes);
    const isRight = stored.length >= checksumBytes && checksumAt(stored) === crc32(value, crc32(key));
    if (!isRight) throw damaged(folder, key);
    return value;
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
    close: () => store.close(),
  };
}

function checksumAt(stored: Uint8Array): number {
  // The length was checked.
  const [a = 0, b = 0, c = 0, d = 0] = [stored[0], stored[1], stored[2], stored[3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function withChecksum(op: DatastoreOp): DatastoreOp {
  if (op.type === 'del') return op;
  const value = new Uint8Array(checksumBytes + op.value.length);
  new DataView(value.buffer).setUint32(0, crc32(op.value, crc32(op.key)));
  value.set(op.value, checksumBytes);
  return { type: 'put', key: op.key, value };
}

function damaged(folder: string, key: Uint8Array): OperatingError {
  const name = Buffer.from(key)
    .toString('latin1')
    .replace(/[^ -~]/g, '?');
  const hint = 'restore the folder from a backup, or move it away and let this peer join again with --bootstrap';
  const what = 'is damaged, or of an early version that kept no checksums';
  const text = `The state in "${folder}" ${what}: the value of "${name}" does not match its checksum; ${hint}`;
  return new OperatingError('store/damaged', text);
}
