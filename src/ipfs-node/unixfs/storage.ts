/** The node's blocks in the form that the unixfs libraries take. */

import type { ReadableStorage } from 'ipfs-unixfs-exporter';
import type { CID } from 'multiformats/cid';
import { identity } from 'multiformats/hashes/identity';
import type { AbortOptions, BlockReader } from '../ports.ts';

/** Where an exporter reads from. */
export function readableStorage(reader: BlockReader): ReadableStorage {
  return {
    async *get(cid, options) {
      yield await readBlock(reader, cid, options?.signal === undefined ? {} : { signal: options.signal });
    },
  };
}

/** The block; the data of an identity CID is in the CID itself. */
export async function readBlock(reader: BlockReader, cid: CID, options: AbortOptions = {}): Promise<Uint8Array> {
  return cid.multihash.code === identity.code ? cid.multihash.digest : await reader.get(cid, options);
}
