/**
 * Blocks of files and folders, byte for byte as Kubo makes them: dag-pb nodes with unixfs data, raw leaves.
 */
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { varintEncode } from '../base/index.ts';
import { digestOf } from '../multihash/index.ts';
import { importError } from './errors.ts';

const sha256Code = 0x12;
const rawCode = 0x55;
/** Children of a node of a sharded folder; boxo `uio.DefaultShardWidth`. */
const shardWidth = 256;
/** The hash that places names in sharded folders: murmur3-x64-64. */
const shardHashCode = 0x22n;

/** How CIDs are made. */
export interface CidFormat {
  /** Of everything but raw leaves, whose version is 1 always. */
  readonly version: 0 | 1;
  /** Multihash code. */
  readonly hashCode: number;
}

/** A block with its place in a DAG. */
export interface Block {
  readonly cid: CID;
  readonly bytes: Uint8Array;
  /** Bytes of the block and of all below it, as often as it is linked. */
  readonly totalBytes: number;
}

/** What a parent needs to know of a child. */
export interface Child {
  readonly cid: CID;
  readonly totalBytes: number;
  /** Bytes of content. */
  readonly contentBytes: number;
}

/** A named child of a folder. */
export interface NamedChild {
  readonly name: string;
  readonly cid: CID;
  readonly totalBytes: number;
}

/** Throws `unixfs/bad-option` for a hash that version 0 has no room for. */
export function checkCidFormat({ version, hashCode }: CidFormat): void {
  // The text of go-cid, which the reference ends up with.
  if (version === 0 && hashCode !== sha256Code)
    throw importError('unixfs/bad-option', 'invalid cid: invalid v0 prefix');
}

export function rawLeaf(format: CidFormat, bytes: Uint8Array): Block {
  return { cid: CID.createV1(rawCode, multihashOf(format, bytes)), bytes, totalBytes: bytes.length };
}

/** A leaf of a file; `raw` in trickle DAGs. Put together by hand: the libraries would copy the content twice more. */
export function pbLeaf(format: CidFormat, type: 'file' | 'raw', content: Uint8Array): Block {
  const size = varintEncode(content.length);
  // Fields of unixfs `Data`: 1 type, 2 data, 3 size of the content.
  const inner = [
    Uint8Array.of(0x08, type === 'file' ? 2 : 0),
    ...(content.length === 0 ? [] : [Uint8Array.of(0x12), size, content]),
    Uint8Array.of(0x18),
    size,
  ];
  const innerSize = inner.reduce((sum, piece) => sum + piece.length, 0);
  return pbBlock(format, Buffer.concat([Uint8Array.of(0x0a), varintEncode(innerSize), ...inner]), 0);
}

/** A node of a file above its leaves. */
export function fileNode(format: CidFormat, children: readonly Child[]): Block {
  const data = new UnixFS({ type: 'file', blockSizes: children.map(({ contentBytes }) => BigInt(contentBytes)) });
  return pbNode(
    format,
    data,
    children.map(({ cid, totalBytes }) => ({ name: '', cid, totalBytes })),
  );
}

export function symlinkNode(format: CidFormat, target: Uint8Array): Block {
  return pbNode(format, new UnixFS({ type: 'symlink', data: target }), []);
}

export function folderNode(format: CidFormat, children: readonly NamedChild[]): Block {
  return pbNode(format, new UnixFS({ type: 'directory' }), children);
}

/** A node of a sharded folder; `places` says which of its children it has. */
export function shardNode(format: CidFormat, places: readonly number[], children: readonly NamedChild[]): Block {
  const bits = new Uint8Array(shardWidth / 8);
  for (const place of places) {
    const at = bits.length - 1 - (place >> 3);
    bits[at] = (bits[at] ?? 0) | (1 << (place & 7));
  }
  // Big-endian and without zeros in front (go-bitfield `Bytes`).
  const data = bits.subarray(bits.findIndex((byte) => byte !== 0));
  return pbNode(
    format,
    new UnixFS({ type: 'hamt-sharded-directory', data, hashType: shardHashCode, fanout: BigInt(shardWidth) }),
    children,
  );
}

function pbNode(format: CidFormat, data: UnixFS, children: readonly NamedChild[]): Block {
  const node = dagPb.prepare({
    Data: data.marshal(),
    Links: children.map(({ name, cid, totalBytes }) => ({ Name: name, Hash: cid, Tsize: totalBytes })),
  });
  const below = children.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  return pbBlock(format, dagPb.encode(node), below);
}

function pbBlock(format: CidFormat, bytes: Uint8Array, below: number): Block {
  const multihash = multihashOf(format, bytes);
  const cid =
    format.version === 0
      ? CID.createV0(multihash as Parameters<typeof CID.createV0>[0])
      : CID.createV1(dagPb.code, multihash);
  return { cid, bytes, totalBytes: bytes.length + below };
}

function multihashOf({ hashCode }: CidFormat, bytes: Uint8Array): ReturnType<typeof createDigest> {
  // Known: the code was found by its name in the same table.
  return createDigest(hashCode, digestOf(hashCode, bytes) ?? new Uint8Array());
}
