/** A file or a whole tree as a tar archive, streamed. */
import type { EventEmitter } from 'node:events';
import type { CID } from 'multiformats/cid';
import tar from 'tar-stream';
import type { AbortOptions, BlockReader } from '../ports.ts';
import { catFile } from './cat.ts';
import { unixfsError } from './errors.ts';
import { listNode, type NodeInfo, nodeInfo } from './list.ts';

/** Folders within folders; a path of more is no path of any file system. */
const depthMax = 1_000;

interface TreeEntry {
  readonly name: string;
  readonly cid: CID;
  readonly info: NodeInfo;
}

/**
 * The archive; its topmost entry is called `name`. Entries come depth first, as Kubo writes them. Throws
 * `unixfs/not-a-file` for nodes that are neither files nor folders, `unixfs/bad-name` for names that lead elsewhere.
 */
export async function* tarOf(
  name: string,
  cid: CID,
  reader: BlockReader,
  options: AbortOptions & { readonly modified: Date },
): AsyncGenerator<Uint8Array> {
  const pack = tar.pack();
  const filled = fill(pack, name, cid, reader, options).then(
    () => pack.finalize(),
    (error: unknown) => pack.destroy(error instanceof Error ? error : undefined),
  );
  try {
    // A byte stream: its types do not say so.
    yield* pack as AsyncIterable<Uint8Array>;
  } finally {
    // The reader of the archive may have left early: unblock the writer.
    pack.destroy();
    await filled;
  }
}

async function fill(
  pack: tar.Pack,
  name: string,
  cid: CID,
  reader: BlockReader,
  options: AbortOptions & { readonly modified: Date },
): Promise<void> {
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  for await (const entry of tree({ name, cid, info: await nodeInfo(cid, reader, signal) }, reader, signal, 0)) {
    await writeEntry(pack, entry, reader, { ...signal, modified: options.modified });
  }
}

async function* tree(
  entry: TreeEntry,
  reader: BlockReader,
  options: AbortOptions,
  depth: number,
): AsyncGenerator<TreeEntry> {
  yield entry;
  if (entry.info.type !== 'directory') return;
  if (depth >= depthMax) throw unixfsError('unixfs/bad-name', `folders nested deeper than ${depthMax}`);
  for await (const link of listNode(entry.cid, reader, { ...options, resolve: true })) {
    if (link.name === '' || link.name === '.' || link.name === '..' || /[/\0]/.test(link.name)) {
      throw unixfsError('unixfs/bad-name', `unsafe file name ${JSON.stringify(link.name)} in folder ${entry.cid}`);
    }
    const info = link.info ?? (await nodeInfo(link.cid, reader, options));
    yield* tree({ name: `${entry.name}/${link.name}`, cid: link.cid, info }, reader, options, depth + 1);
  }
}

async function writeEntry(
  pack: tar.Pack,
  entry: TreeEntry,
  reader: BlockReader,
  options: AbortOptions & { readonly modified: Date },
): Promise<void> {
  const { name, info } = entry;
  const mtime = info.mtimeSeconds === undefined ? options.modified : new Date(info.mtimeSeconds * 1000);
  if (info.type === 'directory') {
    pack.entry({ name, type: 'directory', mode: 0o755, mtime });
  } else if (info.type === 'symlink') {
    pack.entry({ name, type: 'symlink', linkname: info.target, mode: 0o777, mtime });
  } else if (info.type === 'file') {
    const content = await catFile(entry.cid, reader, options);
    const sink = pack.entry({ name, type: 'file', size: content.sizeBytes, mode: 0o644, mtime });
    for await (const bytes of content.bytes()) {
      if (!sink.write(bytes)) await eitherEvent(sink, 'drain');
    }
    sink.end(undefined);
    await eitherEvent(sink, 'finish');
  } else {
    throw unixfsError('unixfs/not-a-file', 'unknown node type');
  }
}

/** Waits for the event, or for the end of the archive when its reader has left. */
async function eitherEvent(sink: EventEmitter, name: 'drain' | 'finish'): Promise<void> {
  const closed = await new Promise<boolean>((resolve) => {
    const done = (): void => end(false);
    const gone = (): void => end(true);
    const end = (isClosed: boolean): void => {
      sink.off(name, done).off('close', gone).off('error', gone);
      resolve(isClosed);
    };
    sink.on(name, done).on('close', gone).on('error', gone);
  });
  if (closed) throw unixfsError('unixfs/closed', 'the reader of the archive has left');
}
