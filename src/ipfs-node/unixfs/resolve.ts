/**
 * From a path to the node it names: through unixfs folders (sharded ones included), plain dag-pb links, and the maps and
 * lists of dag-cbor and dag-json.
 */
import * as dagCbor from '@ipld/dag-cbor';
import * as dagJson from '@ipld/dag-json';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { resolvers } from 'ipfs-unixfs-exporter';
import { CID } from 'multiformats/cid';
import type { AbortOptions, BlockReader } from '../ports.ts';
import { unixfsError } from './errors.ts';
import { decodeObject, decodePb } from './links.ts';
import { type IpfsPath, parsePath, quote } from './path.ts';
import { readableStorage, readBlock } from './storage.ts';

/** Where a path ends. */
export interface Resolved {
  readonly cid: CID;
  /** Names inside the block of `cid` that remain; empty when the path names a whole block. */
  readonly remainder: readonly string[];
}

/** Follows the path. Throws `unixfs/bad-path`, `unixfs/no-link`, `unixfs/bad-node`, and what the reader throws. */
export async function resolvePath(path: string, reader: BlockReader, options: AbortOptions = {}): Promise<Resolved> {
  return resolveSegments(parsePath(path), reader, options);
}

async function resolveSegments(path: IpfsPath, reader: BlockReader, options: AbortOptions): Promise<Resolved> {
  let cid = path.root;
  let rest = path.segments;
  while (rest.length > 0) {
    const step =
      cid.code === dagPb.code
        ? { cid: await childOfPb(cid, rest[0] ?? '', reader, options), remainder: rest.slice(1) }
        : await stepInObject(cid, rest, reader, options);
    if (step.cid === cid) return step;
    cid = step.cid;
    rest = step.remainder;
  }
  return { cid, remainder: [] };
}

async function childOfPb(cid: CID, name: string, reader: BlockReader, options: AbortOptions): Promise<CID> {
  const node = decodePb(cid, await readBlock(reader, cid, options));
  if (isSharded(node)) return childOfShard(cid, name, reader, options);
  const link = node.Links.find((candidate) => candidate.Name === name);
  if (link === undefined) throw noLink(cid, name);
  return link.Hash;
}

async function childOfShard(cid: CID, name: string, reader: BlockReader, options: AbortOptions): Promise<CID> {
  const resolver = resolvers[dagPb.code];
  const readOptions = options.signal === undefined ? {} : { signal: options.signal };
  try {
    for await (const found of resolver?.(cid, [name], readableStorage(reader), readOptions) ?? []) {
      if (found.name === name) return found.cid;
    }
  } catch (error) {
    if (!(error instanceof Error && error.name === 'NotFoundError')) throw error;
  }
  throw noLink(cid, name);
}

function isSharded(node: dagPb.PBNode): boolean {
  if (node.Data === undefined) return false;
  try {
    return UnixFS.unmarshal(node.Data).type === 'hamt-sharded-directory';
  } catch {
    // Data of another kind: a plain dag-pb node, whose links are followed by name.
    return false;
  }
}

async function stepInObject(
  cid: CID,
  segments: readonly string[],
  reader: BlockReader,
  options: AbortOptions,
): Promise<Resolved> {
  if (cid.code !== dagCbor.code && cid.code !== dagJson.code) throw noLink(cid, segments[0] ?? '');
  let value = decodeObject(cid, await readBlock(reader, cid, options));
  for (const [i, segment] of segments.entries()) {
    value = childValue(value, segment);
    const link = CID.asCID(value);
    if (link !== null) return { cid: link, remainder: segments.slice(i + 1) };
  }
  return { cid, remainder: segments };
}

/** The value inside a dag-cbor or dag-json value. Throws `unixfs/no-link`. */
export function childValue(value: unknown, segment: string): unknown {
  if (Array.isArray(value)) {
    if (/^\d{1,15}$/.test(segment) && Number(segment) < value.length) return value[Number(segment)];
  } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    if (Object.hasOwn(value, segment)) return Object.getOwnPropertyDescriptor(value, segment)?.value;
  }
  throw unixfsError('unixfs/no-link', `key not found: ${quote(segment)}`);
}

function noLink(cid: CID, name: string): Error {
  return unixfsError('unixfs/no-link', `no link named ${quote(name)} under ${cid}`);
}
