/**
 * Folders: plain ones, and those with so many names that they are sharded (a HAMT).
 * Source: boxo `ipld/unixfs/io/directory.go`, `ipld/unixfs/hamt/hamt.go`; Kubo's defaults.
 */
import { murmur3128 } from '@multiformats/murmur3';
import { compareBytes, utf8Encode } from '../base/index.ts';
import { importError } from './errors.ts';
import { type Block, type CidFormat, folderNode, type NamedChild, shardNode } from './nodes.ts';

/** Bytes of names and CIDs from which on a folder is sharded; boxo `uio.HAMTShardingSize`, `SizeEstimationLinks`. */
const plainBytesMax = 256 * 1024;
/** Bytes of the hash of a name: each is a step down the tree. */
const hashSize = 8;

/** One folder, finished. */
export interface Folder {
  /** Its root. */
  readonly root: Block;
  /** Names in the order in which Kubo lists them. */
  readonly names: readonly string[];
}

/** Stores a folder of these children. Throws `unixfs/too-deep` for names that share a hash. */
export async function storeFolder(
  children: readonly NamedChild[],
  format: CidFormat,
  put: (block: Block) => Promise<void>,
): Promise<Folder> {
  let size = 0;
  for (const { name, cid } of children) size += utf8Encode(name).length + cid.bytes.length;
  if (size > plainBytesMax) return await storeShards(children, format, put);
  const sorted = sortedByName(children);
  const root = folderNode(format, sorted);
  await put(root);
  return { root, names: sorted.map(({ name }) => name) };
}

function sortedByName(children: readonly NamedChild[]): NamedChild[] {
  const keyed = children.map((child) => ({ child, key: utf8Encode(child.name) }));
  return keyed.sort((a, b) => compareBytes(a.key, b.key)).map(({ child }) => child);
}

/** A child with the places it may take, one for each level. */
interface Placed {
  readonly child: NamedChild;
  readonly places: Uint8Array;
}

async function storeShards(
  children: readonly NamedChild[],
  format: CidFormat,
  put: (block: Block) => Promise<void>,
): Promise<Folder> {
  const placed: Placed[] = [];
  for (const child of children) {
    // Its first half is what the reference takes for the 64-bit hash.
    const hash = await murmur3128.encode(utf8Encode(child.name));
    placed.push({ child, places: hash.subarray(0, hashSize) });
  }
  const names: string[] = [];
  const shard = async (members: readonly Placed[], level: number): Promise<Block> => {
    if (level === hashSize) throw importError('unixfs/too-deep', 'sharded directory too deep');
    const byPlace = Map.groupBy(members, ({ places }) => places[level] ?? 0);
    const places = [...byPlace.keys()].sort((a, b) => a - b);
    const links: NamedChild[] = [];
    for (const place of places) {
      const here = byPlace.get(place) ?? [];
      const prefix = place.toString(16).toUpperCase().padStart(2, '0');
      const [only] = here;
      if (here.length === 1 && only !== undefined) {
        names.push(only.child.name);
        links.push({ ...only.child, name: prefix + only.child.name });
      } else {
        const { cid, totalBytes } = await shard(here, level + 1);
        links.push({ name: prefix, cid, totalBytes });
      }
    }
    const node = shardNode(format, places, links);
    await put(node);
    return node;
  };
  return { root: await shard(placed, 0), names };
}
