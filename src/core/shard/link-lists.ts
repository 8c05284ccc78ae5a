/**
 * Lists of CIDs as blocks: DAG-CBOR maps from the index, as decimal text, to a link. For the blocks of a shard, and for the shards of
 * content. Source: Go `adder/sharding/dag.go` `makeDAG`.
 */
import { concatBytes, utf8Encode } from '../../base/index.ts';
import type { Cid } from '../../model/index.ts';

/** Links of one block; more of them go into several, and one that lists these. Go `MaxLinks`. */
const linksMax = 5984;

/** A block with its CID. */
export interface ListBlock {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
}

/** The root first, then what it links to, if the list needs more than one block. `cidOf` makes the CID of a DAG-CBOR block. */
export function linkLists(
  cids: readonly Cid[],
  cidOf: (bytes: Uint8Array) => Cid,
): readonly [ListBlock, ...ListBlock[]] {
  const blockOf = (links: readonly Cid[]): ListBlock => {
    const bytes = encodeMap(links);
    return { cid: cidOf(bytes), bytes };
  };
  if (cids.length <= linksMax) return [blockOf(cids)];
  const leaves: ListBlock[] = [];
  // The reference has an empty last leaf where the others are all full; its CIDs depend on that.
  for (let i = 0; i <= Math.floor(cids.length / linksMax); i++) {
    leaves.push(blockOf(cids.slice(i * linksMax, (i + 1) * linksMax)));
  }
  return [blockOf(leaves.map(({ cid }) => cid)), ...leaves];
}

/** Keys in canonical order, which is that of the indexes: shorter ones first, then bytewise. */
function encodeMap(links: readonly Cid[]): Uint8Array {
  const parts: Uint8Array[] = [head(majorMap, links.length)];
  for (const [index, { bytes }] of links.entries()) {
    const key = utf8Encode(String(index));
    // A link: tag 42, then the CID behind a zero byte.
    parts.push(head(majorText, key.length), key, linkTag, head(majorBytes, bytes.length + 1), zero, bytes);
  }
  return concatBytes(parts);
}

const majorBytes = 2;
const majorText = 3;
const majorMap = 5;
const linkTag = Uint8Array.of(0xd8, 42);
const zero = Uint8Array.of(0);

/** The head of a CBOR item (RFC 8949 section 3): type and length. */
function head(major: number, length: number): Uint8Array {
  const type = major << 5;
  if (length < 24) return Uint8Array.of(type | length);
  if (length < 0x100) return Uint8Array.of(type | 24, length);
  return Uint8Array.of(type | 25, length >> 8, length & 0xff);
}
