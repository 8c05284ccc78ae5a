/** The content of files. */
import { exporter } from 'ipfs-unixfs-exporter';
import type { CID } from 'multiformats/cid';
import type { AbortOptions, BlockReader } from '../ports.ts';
import { unixfsError } from './errors.ts';
import { nodeInfo } from './list.ts';
import { readableStorage } from './storage.ts';

/**
 * Leaves read ahead. 16 of 256 KiB keep a network session busy; more only fills memory when the client is slow.
 */
const readConcurrency = 16;

/** Which part of a file. */
export interface CatOptions extends AbortOptions {
  /** Bytes to skip; default 0. */
  readonly offset?: number;
  /** Bytes to read at most; default all. */
  readonly length?: number;
}

/** Content whose size is known before it is read. */
export interface Content {
  readonly sizeBytes: number;
  bytes(): AsyncIterable<Uint8Array>;
}

/** A part of a file. Throws `unixfs/not-a-file` for folders and other nodes. */
export async function catFile(cid: CID, reader: BlockReader, options: CatOptions = {}): Promise<Content> {
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const info = await nodeInfo(cid, reader, signal);
  if (info.type === 'directory') throw unixfsError('unixfs/not-a-file', 'this dag node is a directory');
  if (info.type === 'other') throw unixfsError('unixfs/not-a-file', 'unknown node type');
  if (info.type === 'symlink') throw unixfsError('unixfs/not-a-file', 'this dag node is a symlink');
  const offset = Math.min(options.offset ?? 0, info.sizeBytes);
  const sizeBytes = Math.min(options.length ?? Number.POSITIVE_INFINITY, info.sizeBytes - offset);
  return {
    sizeBytes,
    bytes: async function* () {
      if (sizeBytes === 0) return;
      const entry = await exporter(cid, readableStorage(reader), signal);
      if (entry.type !== 'file' && entry.type !== 'raw' && entry.type !== 'identity') return;
      yield* entry.content({ offset, length: sizeBytes, blockReadConcurrency: readConcurrency, ...signal });
    },
  };
}
