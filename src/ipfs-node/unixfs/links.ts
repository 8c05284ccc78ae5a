/** The links of a block, by its codec. */
import * as dagCbor from '@ipld/dag-cbor';
import * as dagJson from '@ipld/dag-json';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import { errorMessage } from '../../base/index.ts';
import { unixfsError } from './errors.ts';

/** One link of a dag-pb node. */
export interface NamedLink {
  readonly name: string;
  readonly cid: CID;
  /** Cumulative size as the parent states it; 0 when it does not. */
  readonly sizeBytes: number;
}

/** Links in their order in the block. Throws `unixfs/bad-node` when the bytes are not of the codec. */
export function linksOf(cid: CID, bytes: Uint8Array): NamedLink[] {
  if (cid.code === dagPb.code) {
    return decodePb(cid, bytes).Links.map((link) => ({
      name: link.Name ?? '',
      cid: link.Hash,
      sizeBytes: link.Tsize ?? 0,
    }));
  }
  if (cid.code !== dagCbor.code && cid.code !== dagJson.code) return [];
  const found: NamedLink[] = [];
  collect(decodeObject(cid, bytes), found);
  return found;
}

/** Throws `unixfs/bad-node`. */
export function decodePb(cid: CID, bytes: Uint8Array): dagPb.PBNode {
  try {
    return dagPb.decode(bytes);
  } catch (error) {
    throw unixfsError('unixfs/bad-node', `cannot decode block ${cid} as dag-pb: ${errorMessage(error)}`, error);
  }
}

/** The value of a dag-cbor or dag-json block. Throws `unixfs/bad-node`. */
export function decodeObject(cid: CID, bytes: Uint8Array): unknown {
  const codec = cid.code === dagCbor.code ? dagCbor : dagJson;
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw unixfsError('unixfs/bad-node', `cannot decode block ${cid} as ${codec.name}: ${errorMessage(error)}`, error);
  }
}

/** Depth is bounded by the decoders' own recursion. */
function collect(value: unknown, found: NamedLink[]): void {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  const cid = CID.asCID(value);
  if (cid !== null) {
    found.push({ name: '', cid, sizeBytes: 0 });
    return;
  }
  for (const child of Array.isArray(value) ? value : Object.values(value)) collect(child, found);
}
