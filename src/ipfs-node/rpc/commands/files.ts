/** `add`, `cat`, `ls`, `get`: files and folders. */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { CID } from 'multiformats/cid';
import { hashCodeOf } from '../../../multihash/index.ts';
import { type Block, type CidFormat, type Imported, type ImportOptions, importEntries } from '../../../unixfs/index.ts';
import type { BlockReader } from '../../ports.ts';
import {
  catFile,
  type ListedLink,
  linksOf,
  listNode,
  nodeInfo,
  parsePath,
  readBlock,
  resolvePath,
  tarOf,
} from '../../unixfs/index.ts';
import { argument, type Call, type Command } from '../command.ts';
import { rpcError } from '../errors.ts';
import type { Query } from '../query.ts';
import { withOperation, withReader } from '../reading.ts';

/** `add`, `cat`, `ls`, `get`. */
export const fileCommands: readonly Command[] = [
  { path: 'add', upload: 'path', run: add },
  { path: 'cat', args: ['ipfs-path'], run: cat },
  { path: 'ls', args: ['ipfs-path'], run: ls },
  { path: 'get', args: ['ipfs-path'], run: get },
];

/** Options of Kubo that change what is made and that this node does not have: refused rather than ignored. */
const unsupportedFlags = ['inline', 'preserve-mode', 'preserve-mtime', 'dereference-args'];
const unsupportedValues = [
  'to-files',
  'mode',
  'mtime',
  'mtime-nsecs',
  'max-file-links',
  'max-directory-links',
  'max-hamt-fanout',
];

/** Bytes of blocks on their way to the disk: a group of the block store. */
const putWindowBytes = 8 * 1024 * 1024;
/** What a block takes beside its bytes. */
const putBytesExtra = 1024;

async function add(call: Call): Promise<void> {
  const { query, answer, node, signal } = call;
  const options = addOptions(query);
  const onlyHash = query.boolean('only-hash', false);
  const isPinned = query.boolean('pin', true) && !onlyHash;
  const showProgress = query.boolean('progress', false);
  const silent = query.boolean('silent', false);
  const pinName = query.text('pin-name', '');
  await withOperation(call, async (operation) => {
    const puts = new PutWindow((block) => operation.put(block.cid, block.bytes));
    const put = onlyHash ? async (): Promise<void> => {} : puts.put.bind(puts);
    const onProgress = (path: string, bytes: number): Promise<void> =>
      answer.line({ Name: path, ...(bytes === 0 ? {} : { Bytes: bytes }) });
    const entries = abortable(call.parts(), signal);
    let count = 0;
    try {
      for await (const added of importEntries(entries, options, { put, ...(showProgress ? { onProgress } : {}) })) {
        count += 1;
        await puts.settled();
        // The line of a root says "added and pinned", so it waits for the pin.
        if (added.isRoot && isPinned)
          await node.pins.add(added.cid, { operation, name: pinName, signal, offline: true });
        else if (added.isRoot && !onlyHash) await operation.flush();
        if (!silent) await answer.line(addedLine(added, options.wraps));
      }
    } finally {
      // The operation keeps its blocks from gc until the last of them is there.
      await puts.settled();
    }
    if (count === 0) throw rpcError('ipfs-rpc/bad-upload', 'expected a file argument');
  });
}

/** Lets a bounded number of puts run beside the making of further blocks. */
class PutWindow {
  readonly #store: (block: Block) => Promise<void>;
  readonly #running = new Set<Promise<void>>();
  #bytes = 0;
  #failure: unknown;

  constructor(store: (block: Block) => Promise<void>) {
    this.#store = store;
  }

  /** Resolves when there is room for the next one. Throws what an earlier one failed with. */
  async put(block: Block): Promise<void> {
    while (this.#bytes >= putWindowBytes) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
    const size = block.bytes.length + putBytesExtra;
    this.#bytes += size;
    const running = this.#store(block)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#bytes -= size;
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function addedLine(added: Imported, isWrapped: boolean): object {
  const cid = added.cid.toString();
  // Content without a name goes by its CID; the wrapping folder has no name.
  const name = added.path === '' && !isWrapped ? cid : added.path;
  return { Name: name, Hash: cid, Size: String(added.totalBytes) };
}

async function* abortable<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const item of source) {
    if (signal.aborted) throw signal.reason;
    yield item;
  }
}

function addOptions(query: Query): ImportOptions {
  const version = query.integer('cid-version', 0);
  if (version !== 0 && version !== 1) throw rpcError('ipfs-rpc/bad-option', `unknown CID version: ${version}`);
  if (query.boolean('nocopy', false)) {
    throw rpcError('ipfs-rpc/bad-option', 'nocopy is not supported by this node: files are copied into the repo');
  }
  const hash = query.text('hash', 'sha2-256');
  const hashCode = hashCodeOf(hash.toLowerCase());
  if (hashCode === undefined) throw rpcError('ipfs-rpc/bad-option', `unrecognized hash function: "${hash}"`);
  if (hash !== 'sha2-256' && version === 0 && query.has('cid-version')) {
    throw rpcError('ipfs-rpc/bad-option', 'CIDv0 only supports sha2-256');
  }
  for (const name of unsupportedFlags) {
    if (query.boolean(name, false)) throw unsupported(name);
  }
  for (const name of unsupportedValues) {
    if (query.text(name, '') !== '') throw unsupported(name);
  }
  // Another hash than version 0 has makes it version 1, as in Kubo.
  const format: CidFormat = { version: hash === 'sha2-256' ? version : 1, hashCode };
  return {
    format,
    rawLeaves: query.has('raw-leaves') ? query.boolean('raw-leaves', false) : format.version === 1,
    chunker: query.text('chunker', ''),
    isTrickle: query.boolean('trickle', false),
    wraps: query.boolean('wrap-with-directory', false),
  };
}

function unsupported(name: string): Error {
  return rpcError('ipfs-rpc/bad-option', `option "${name}" is not supported by this node`);
}

async function cat(call: Call): Promise<void> {
  const { query, answer, signal } = call;
  let offset = query.integer('offset', 0, 'int64');
  let left = query.has('length') ? query.integer('length', 0, 'int64') : Number.POSITIVE_INFINITY;
  if (offset < 0) throw rpcError('ipfs-rpc/bad-option', 'cannot specify negative offset');
  if (left < 0) throw rpcError('ipfs-rpc/bad-option', 'cannot specify negative length');
  for (const path of query.args) parsePath(path);
  await withReader(call, async (reader) => {
    const parts: AsyncIterable<Uint8Array>[] = [];
    let total = 0;
    // Offset and length go over all files together, as in Kubo.
    for (const path of query.args) {
      const { cid } = await resolveWhole(path, reader, signal);
      const file = await catFile(cid, reader, { offset, length: left, signal });
      const whole = (await nodeInfo(cid, reader, { signal })).sizeBytes;
      offset = Math.max(0, offset - whole);
      left -= file.sizeBytes;
      total += file.sizeBytes;
      parts.push(file.bytes());
    }
    await answer.bytes({ contentType: 'text/plain', contentLength: total }, concatenated(parts));
  });
}

async function* concatenated(parts: readonly AsyncIterable<Uint8Array>[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield* part;
}

/** A path that ends at a whole node. */
async function resolveWhole(path: string, reader: BlockReader, signal: AbortSignal): Promise<{ cid: CID }> {
  const { cid, remainder } = await resolvePath(path, reader, { signal });
  if (remainder.length === 0) return { cid };
  throw rpcError('ipfs-rpc/bad-option', `cannot read "${path}": /${remainder.join('/')} is a value inside ${cid}`);
}

async function ls(call: Call): Promise<void> {
  const { query, answer, signal } = call;
  const isStream = query.boolean('stream', false);
  const withType = query.boolean('resolve-type', true);
  const withSize = query.boolean('size', true);
  for (const path of query.args) parsePath(path);
  await withReader(call, async (reader) => {
    const links = async function* (path: string): AsyncGenerator<object> {
      const { cid } = await resolveWhole(path, reader, signal);
      for await (const link of listNode(cid, reader, { resolve: withType || withSize, signal })) yield linkLine(link);
    };
    if (isStream) {
      for (const path of query.args) {
        for await (const link of links(path)) await answer.line({ Objects: [{ Hash: path, Links: [link] }] });
      }
    } else await answer.jsonText(objectsText(query.args, links));
  });
}

async function* objectsText(
  paths: readonly string[],
  links: (path: string) => AsyncIterable<object>,
): AsyncGenerator<string> {
  let before = '{"Objects":[';
  for (const path of paths) {
    before += `{"Hash":${JSON.stringify(path)},"Links":[`;
    for await (const link of links(path)) {
      yield before + JSON.stringify(link);
      before = ',';
    }
    yield `${before === ',' ? '' : before}]}`;
    before = ',';
  }
  yield ']}\n';
}

/** Numbers of unixfs types as Kubo's `ls` shows them. */
const typeNumbers = { directory: 1, file: 2, symlink: 4, other: 0 } as const;

function linkLine({ name, cid, info }: ListedLink): object {
  return {
    Name: name,
    Hash: cid.toString(),
    Size: info?.sizeBytes ?? 0,
    Type: info === undefined ? 0 : typeNumbers[info.type],
    Target: info?.target ?? '',
    Mode: 0,
    ModTime: info?.mtimeSeconds === undefined ? '0001-01-01T00:00:00Z' : isoSeconds(info.mtimeSeconds),
  };
}

function isoSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

async function get(call: Call): Promise<void> {
  const { query, answer, signal } = call;
  const path = argument(call);
  const isCompressed = query.boolean('compress', false);
  const isArchive = query.boolean('archive', false);
  const level = query.integer('compression-level', -1);
  if (level < -1 || level > 9) {
    throw rpcError('ipfs-rpc/bad-option', 'compression level must be between 1 and 9');
  }
  await withReader(call, async (reader) => {
    const { cid } = await resolveWhole(path, reader, signal);
    const info = await nodeInfo(cid, reader, { signal });
    if (info.type === 'other') throw rpcError('ipfs-rpc/bad-option', 'unknown node type');
    // A single file is compressed as it is unless an archive is asked for.
    const isPlain = isCompressed && !isArchive && info.type === 'file';
    const content = isPlain
      ? (await catFile(cid, reader, { signal })).bytes()
      : tarOf(parsePath(path).segments.at(-1) ?? cid.toString(), cid, reader, { signal, modified: new Date() });
    const contentLength = info.type === 'file' ? info.sizeBytes : await dagSize(cid, reader, signal);
    if (!isCompressed) await answer.bytes({ contentType: 'application/x-tar', contentLength }, content);
    else await answer.bytes({ contentType: 'application/gzip', contentLength }, gzipped(content, level));
  });
}

/** Cumulative size as the root block states it. */
async function dagSize(cid: CID, reader: BlockReader, signal: AbortSignal): Promise<number> {
  const bytes = await readBlock(reader, cid, { signal });
  return linksOf(cid, bytes).reduce((sum, link) => sum + link.sizeBytes, bytes.length);
}

async function* gzipped(content: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level });
  const done = pipeline(Readable.from(content, { objectMode: false }), gzip);
  done.catch(() => {});
  try {
    for await (const bytes of gzip) yield bytes;
    await done;
  } finally {
    gzip.destroy();
  }
}
