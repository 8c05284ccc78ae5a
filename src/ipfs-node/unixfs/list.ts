/** What is in a folder, and what a node is. */

import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { exporter } from 'ipfs-unixfs-exporter';
import type { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import type { AbortOptions, BlockReader } from '../ports.ts';
import { unixfsError } from './errors.ts';
import { decodePb, linksOf } from './links.ts';
import { readableStorage, readBlock } from './storage.ts';

/** Children whose blocks are read ahead. */
const readAhead = 32;

/** What a CID names. */
export interface NodeInfo {
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** Bytes of content, of a symlink of its target; else 0. */
  readonly sizeBytes: number;
  /** Of a symlink; else empty. */
  readonly target: string;
  /** Seconds since the epoch if the node has a time. */
  readonly mtimeSeconds?: number;
}

/** One entry of a directory. */
export interface ListedLink {
  readonly name: string;
  readonly cid: CID;
  /** Absent when it was not asked for. */
  readonly info?: NodeInfo;
}

/** How much to read. */
export interface ListOptions extends AbortOptions {
  /** Read every child to tell its type and size. */
  readonly resolve: boolean;
}

/** What kind of node a CID names; raw leaves are files. Reads one block. */
export async function nodeInfo(cid: CID, reader: BlockReader, options: AbortOptions = {}): Promise<NodeInfo> {
  if (cid.code !== raw.code && cid.code !== dagPb.code) return { type: 'other', sizeBytes: 0, target: '' };
  const bytes = await readBlock(reader, cid, options);
  if (cid.code === raw.code) return { type: 'file', sizeBytes: bytes.length, target: '' };
  const { Data } = decodePb(cid, bytes);
  const entry = Data === undefined ? undefined : unmarshal(cid, Data);
  return entry === undefined ? { type: 'other', sizeBytes: 0, target: '' } : infoOf(entry);
}

/** Links of a folder by name (sharded ones flattened), of anything else its links as they are. */
export async function* listNode(cid: CID, reader: BlockReader, options: ListOptions): AsyncGenerator<ListedLink> {
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const { type } = await nodeInfo(cid, reader, signal);
  if (type === 'file' && cid.code === raw.code) return;
  const source = type === 'directory' ? folderLinks(cid, reader, signal) : plainLinks(cid, reader, signal);
  if (!options.resolve) {
    yield* source;
    return;
  }
  // Children are read ahead, in order, so that a slow network does not cost one round trip for each.
  const pending: Promise<ListedLink>[] = [];
  for await (const link of source) {
    const next = withInfo(link, reader, signal);
    next.catch(() => {});
    pending.push(next);
    if (pending.length < readAhead) continue;
    const first = pending.shift();
    if (first !== undefined) yield await first;
  }
  for (const link of pending) yield await link;
}

async function withInfo(
  link: ListedLink & { size: number },
  reader: BlockReader,
  options: AbortOptions,
): Promise<ListedLink> {
  // A raw leaf needs no reading: its size is in the link.
  const info: NodeInfo =
    link.cid.code === raw.code
      ? { type: 'file', sizeBytes: link.size, target: '' }
      : await nodeInfo(link.cid, reader, options);
  return { name: link.name, cid: link.cid, info };
}

async function* folderLinks(
  cid: CID,
  reader: BlockReader,
  options: { signal?: AbortSignal },
): AsyncGenerator<ListedLink & { size: number }> {
  const folder = await exporter(cid, readableStorage(reader), options);
  if (folder.type !== 'directory') return;
  for await (const entry of folder.entries(options)) {
    yield { name: entry.name, cid: entry.cid, size: Number(entry.size) };
  }
}

async function* plainLinks(
  cid: CID,
  reader: BlockReader,
  options: AbortOptions,
): AsyncGenerator<ListedLink & { size: number }> {
  for (const link of linksOf(cid, await readBlock(reader, cid, options))) {
    yield { name: link.name, cid: link.cid, size: link.sizeBytes };
  }
}

function unmarshal(cid: CID, data: Uint8Array): UnixFS {
  try {
    return UnixFS.unmarshal(data);
  } catch (error) {
    throw unixfsError('unixfs/bad-node', `cannot read ${cid} as a file or folder`, error);
  }
}

function infoOf(entry: UnixFS): NodeInfo {
  const times = {
    ...(entry.mtime === undefined ? {} : { mtimeSeconds: Number(entry.mtime.secs) }),
  };
  if (entry.isDirectory()) return { type: 'directory', sizeBytes: 0, target: '', ...times };
  if (entry.type === 'symlink') {
    const target = Buffer.from(entry.data ?? []);
    return { type: 'symlink', sizeBytes: target.length, target: target.toString('utf8'), ...times };
  }
  return { type: 'file', sizeBytes: Number(entry.fileSize()), target: '', ...times };
}
