/**
 * Adding content: what is uploaded becomes blocks, which flow to the peers that will hold them while the upload goes on; what is finished
 * is told as it comes, and at the end the root is pinned. Nothing is kept that grows with the content, but the names of open folders and,
 * of sharded adds, CIDs. Source: Go `adder/adder.go`.
 */
import type { Clock, Logger } from '../../base/index.ts';
import type { Adder, AddOptions, Rpc, UploadEntry } from '../../cluster/ports.ts';
import { type AddedOutput, type AddParams, Cid, type PeerId } from '../../model/index.ts';
import { hashCodeOf } from '../../multihash/index.ts';
import { type Block, type ImportOptions, importEntries } from '../../unixfs/index.ts';
import type { BlockSink } from './block-sink.ts';
import { openCar } from './car.ts';
import { ClusterCalls } from './cluster-calls.ts';
import { addError } from './errors.ts';
import { Outputs } from './outputs.ts';
import { ShardingSink } from './sharding-sink.ts';
import { SingleSink } from './single-sink.ts';
import { untilAborted } from './until-aborted.ts';

/** What an adder works with. */
export interface AdderDeps {
  readonly self: PeerId;
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Makes an adder, which can do any number of adds at once. */
export function createAdder(deps: AdderDeps): Adder {
  return { add: (entries, params, options) => add(deps, entries, params, options) };
}

/** Whoever makes blocks runs beside whoever reads what is told, so that a shard or progress is told before its file is finished. */
async function* add(
  deps: AdderDeps,
  entries: AsyncIterable<UploadEntry>,
  params: AddParams,
  options: AddOptions = {},
): AsyncGenerator<AddedOutput> {
  const ending = new AbortController();
  const signal = options.signal === undefined ? ending.signal : AbortSignal.any([options.signal, ending.signal]);
  const outputs = new Outputs<AddedOutput>();
  const working = work({ ...deps, signal, asNode: options.asNode === true }, entries, params, outputs).then(
    () => outputs.end(),
    (error: unknown) => outputs.fail(error),
  );
  try {
    yield* outputs.items();
  } finally {
    ending.abort();
    await working;
  }
}

type WorkDeps = AdderDeps & { readonly signal: AbortSignal; readonly asNode: boolean };

async function work(
  deps: WorkDeps,
  entries: AsyncIterable<UploadEntry>,
  params: AddParams,
  outputs: Outputs<AddedOutput>,
): Promise<void> {
  const sinkDeps = { ...deps, calls: new ClusterCalls(deps) };
  const sink: BlockSink = params.shard
    ? new ShardingSink(params, { ...sinkDeps, tell: (output) => outputs.push(output) })
    : new SingleSink(params, sinkDeps);
  try {
    const make = params.format === 'car' ? addCar : addUnixfs;
    const { signal, asNode } = deps;
    const roots = await make(untilAborted(entries, signal), params, { sink, outputs, signal, asNode });
    await sink.finish(asNode ? roots : roots.slice(-1));
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

interface MakeDeps {
  readonly sink: BlockSink;
  readonly outputs: Outputs<AddedOutput>;
  readonly signal: AbortSignal;
  readonly asNode: boolean;
}

/** Gives the roots. */
async function addUnixfs(
  entries: AsyncIterable<UploadEntry>,
  params: AddParams,
  { sink, outputs, signal, asNode }: MakeDeps,
): Promise<readonly Cid[]> {
  const put = (block: Block): Promise<void> => sink.put({ ...block, cid: Cid.decode(block.cid.bytes) });
  const onProgress = (path: string, bytes: number): Promise<void> => {
    // Whoever reads a file in the reference does not know the topmost folder.
    const name = params.wrap || asNode ? path : path.split('/').slice(1).join('/');
    return outputs.push({ name, cid: null, bytes, size: 0, allocations: null });
  };
  const roots: Cid[] = [];
  const checked = checkedEntries(entries, params, signal);
  const deps = { put, ...(params.progress ? { onProgress } : {}) };
  for await (const { path, cid: made, totalBytes, isRoot } of importEntries(checked, importOptions(params), deps)) {
    const cid = Cid.decode(made.bytes);
    if (isRoot) roots.push(cid);
    await outputs.push({ name: path, cid, bytes: 0, size: totalBytes, allocations: sink.allocations() });
  }
  if (roots.length === 0) throw addError('add/no-content', 'there is no file or folder in what was uploaded');
  return roots;
}

/** The first entry only. Its root need not be among its blocks: the rest of it may have been added before. */
async function addCar(
  entries: AsyncIterable<UploadEntry>,
  { wrap }: AddParams,
  { sink, outputs, signal }: MakeDeps,
): Promise<readonly Cid[]> {
  for await (const { path, type, content } of entries) {
    if (wrap) throw addError('add/bad-option', 'cannot wrap a CAR file upload');
    if (type !== 'file') throw addError('add/bad-car', 'expected CAR file is not of type file');
    const car = await openCar(untilAborted(content, signal));
    let bytes = 0;
    let size = 0;
    for await (const block of car.blocks()) {
      bytes += block.bytes.length;
      if (block.contentBytes > 0) size = block.contentBytes;
      await sink.put(block);
    }
    await outputs.push({ name: path, cid: car.root, bytes, size, allocations: sink.allocations() });
    return [car.root];
  }
  throw addError('add/no-content', 'there is no CAR file in what was uploaded');
}

async function* checkedEntries(
  entries: AsyncIterable<UploadEntry>,
  { nocopy }: AddParams,
  signal: AbortSignal,
): AsyncGenerator<UploadEntry> {
  for await (const entry of entries) {
    if (nocopy && entry.type === 'file' && entry.absPath === '') {
      throw addError('add/bad-option', "missing file path or URL, can't create filestore reference");
    }
    yield { ...entry, content: untilAborted(entry.content, signal) };
  }
}

/** Throws `add/bad-option`. */
function importOptions(params: AddParams): ImportOptions {
  const { cidVersion: version } = params;
  if (version !== 0 && version !== 1) {
    throw addError('add/bad-option', `bad CID Version: unknown CID version: ${version}`);
  }
  const hashCode = hashCodeOf(params.hash.toLowerCase());
  if (hashCode === undefined) throw addError('add/bad-option', 'hash function name not known');
  return {
    format: { version, hashCode },
    rawLeaves: params.rawLeaves,
    chunker: params.chunker,
    isTrickle: params.layout === 'trickle',
    wraps: params.wrap,
    storesWorkFolders: params.shard,
  };
}
