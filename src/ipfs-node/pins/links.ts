/** The CIDs that a block links to, found without building what else is in it. */
import * as dagCbor from '@ipld/dag-cbor';
import * as dagJson from '@ipld/dag-json';
import { CID } from 'multiformats/cid';
import { errorMessage, varintRead } from '../../base/index.ts';
import { nodeError } from '../errors.ts';

const dagPbCode = 0x70;
/** Codecs whose blocks have no links: raw, cbor, json, libp2p-key. */
const leafCodes: ReadonlySet<number> = new Set([0x55, 0x51, 0x0200, 0x72]);

/** Whether blocks of this CID cannot have links, so that they need not be read to walk a DAG. */
export function isLeaf(cid: CID): boolean {
  return leafCodes.has(cid.code);
}

/**
 * Links in their order, repeated ones too. Each CID has memory of its own.
 * Throws `ipfs-node/bad-block` for a codec that is not known, and for bytes that are not of the codec.
 */
export function linksOf(cid: CID, bytes: Uint8Array): CID[] {
  try {
    if (cid.code === dagPbCode) return pbLinks(bytes);
    if (isLeaf(cid)) return [];
    if (cid.code === dagCbor.code) return collectLinks(dagCbor.decode(bytes));
    if (cid.code === dagJson.code) return collectLinks(dagJson.decode(bytes));
  } catch (error) {
    throw nodeError('ipfs-node/bad-block', `Cannot read the links of block "${cid}": ${errorMessage(error)}`, error);
  }
  const code = cid.code.toString(16);
  throw nodeError('ipfs-node/bad-block', `Cannot read the links of block "${cid}": its codec 0x${code} is not known`);
}

/** dag-pb: field 2 is a link, whose field 1 is the CID; field 1 is data. */
function pbLinks(bytes: Uint8Array): CID[] {
  const links: CID[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { number, start, end } = pbField(bytes, at, bytes.length);
    if (number === 2) links.push(pbLink(bytes, start, end));
    else if (number !== 1) throw nodeError('ipfs-node/bad-block', `field ${number} in a dag-pb node`);
    at = end;
  }
  return links;
}

function pbLink(bytes: Uint8Array, start: number, end: number): CID {
  // The CID is the first field in every encoder known, and required.
  const field = pbField(bytes, start, end);
  if (field.number !== 1) throw nodeError('ipfs-node/bad-block', 'a dag-pb link without a CID');
  return CID.decode(bytes.slice(field.start, field.end));
}

function pbField(bytes: Uint8Array, at: number, limit: number): { number: number; start: number; end: number } {
  const tag = bytes[at] ?? 0;
  const length = varintRead(bytes, at + 1);
  if ((tag & 7) !== 2 || tag >= 128 || length === undefined || length.end + length.value > limit) {
    throw nodeError('ipfs-node/bad-block', 'a malformed dag-pb field');
  }
  return { number: tag >> 3, start: length.end, end: length.end + length.value };
}

function collectLinks(root: unknown): CID[] {
  const links: CID[] = [];
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const value = stack.pop();
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) continue;
    const cid = CID.asCID(value);
    if (cid !== null) links.push(CID.decode(cid.bytes.slice()));
    else {
      // One by one: the arguments of one call are limited, the items of a list are not.
      const children: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
      for (let i = children.length - 1; i >= 0; i--) stack.push(children[i]);
    }
  }
  return links;
}
