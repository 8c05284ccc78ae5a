/** `block/…`: single blocks. */
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import { errorMessage } from '../../../base/index.ts';
import type { Operation } from '../../ports.ts';
import { parsePath, readBlock } from '../../unixfs/index.ts';
import { argument, type Call, type Command, readAll } from '../command.ts';
import { rpcError } from '../errors.ts';
import { codecCode, hasher } from '../multicodec.ts';
import { resolveAll, withOperation, withReader } from '../reading.ts';

/** Bytes of a block that other nodes take; boxo `BlockSizeLimit`. */
const blockSizeSoftMax: number = 2 * 1024 * 1024;
/** Bytes with `allow-big-block`: held in memory as a whole. */
const blockSizeHardMax: number = 64 * 1024 * 1024;

/** `block/*`. */
export const blockCommands: readonly Command[] = [
  { path: 'block/put', upload: 'data', run: put },
  { path: 'block/get', args: ['cid'], run: get },
  { path: 'block/stat', args: ['cid'], run: stat },
  { path: 'block/rm', args: ['cid'], run: rm },
];

/** The limit of a request's blocks, and the error above it. */
export function blockLimit(call: Call): { readonly sizeMax: number; tooLarge(): Error } {
  const isBigAllowed = call.query.boolean('allow-big-block', false);
  return {
    sizeMax: isBigAllowed ? blockSizeHardMax : blockSizeSoftMax,
    tooLarge: () =>
      rpcError(
        'ipfs-rpc/bad-block',
        isBigAllowed
          ? `produced block is over ${blockSizeHardMax / 1024 / 1024}MiB: this node does not store such blocks`
          : "produced block is over 2MiB: big blocks can't be exchanged with other peers. consider using UnixFS for " +
              'automatic chunking of bigger files, or pass --allow-big-block to override',
      ),
  };
}

async function put(call: Call): Promise<void> {
  const { query, answer } = call;
  const toCid = cidMaker(call);
  const isPinned = query.boolean('pin', false);
  const limit = blockLimit(call);
  await withOperation(call, async (operation) => {
    for await (const part of call.parts()) {
      const bytes = await readAll(part.content, limit.sizeMax, limit.tooLarge);
      const cid = toCid(bytes);
      await operation.put(cid, bytes);
      await keep(call, operation, isPinned ? cid : undefined);
      await answer.line({ Key: cid.toString(), Size: bytes.length });
    }
  });
}

/** An answer means that the block survives a power cut. */
async function keep(call: Call, operation: Operation, pinned: CID | undefined): Promise<void> {
  if (pinned === undefined) await operation.flush();
  else await call.node.pins.add(pinned, { operation, signal: call.signal });
}

/** From the options `cid-codec`, `mhtype`, `mhlen`, or `format` of old clients. */
function cidMaker(call: Call): (bytes: Uint8Array) => CID {
  const { query } = call;
  const format = query.text('format', '');
  const hash = hasher(query.text('mhtype', 'sha2-256'), query.integer('mhlen', -1));
  const isDefaultHash = query.text('mhtype', 'sha2-256') === 'sha2-256' && query.integer('mhlen', -1) < 0;
  // `format=v0` and `format=protobuf` with the default hash mean a version 0 CID (Kubo `block.go`).
  if (format === 'v0' || (format === 'protobuf' && isDefaultHash)) {
    if (!isDefaultHash) throw rpcError('ipfs-rpc/bad-option', 'format v0 takes hash sha2-256 only');
    return (bytes) => CID.createV0(hash(bytes) as Parameters<typeof CID.createV0>[0]);
  }
  const codec = format === '' ? codecCode(query.text('cid-codec', 'raw')) : codecOfFormat(format);
  return (bytes) => CID.createV1(codec, hash(bytes));
}

function codecOfFormat(format: string): number {
  if (format === 'protobuf') return dagPb.code;
  return codecCode(format === 'cbor' ? 'dag-cbor' : format);
}

async function get(call: Call): Promise<void> {
  await withReader(call, async (reader) => {
    const [cid] = await resolveAll(call, reader, [argument(call)]);
    if (cid === undefined) return;
    const bytes = await readBlock(reader, cid, { signal: call.signal });
    await call.answer.bytes({ contentType: 'application/vnd.ipld.raw' }, once(bytes));
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function stat(call: Call): Promise<void> {
  const { node, answer, signal } = call;
  await withReader(call, async (reader) => {
    const [cid] = await resolveAll(call, reader, [argument(call)]);
    if (cid === undefined) return;
    const size = (await node.blocks.size(cid)) ?? (await readBlock(reader, cid, { signal })).length;
    await answer.json({ Key: cid.toString(), Size: size });
  });
}

async function rm(call: Call): Promise<void> {
  const { query, node, answer } = call;
  const force = query.boolean('force', false);
  const quiet = query.boolean('quiet', false);
  const cids = query.args.map((text) => {
    const path = parsePath(text);
    if (path.segments.length === 0) return path.root;
    throw rpcError('ipfs-rpc/bad-option', `invalid path "${text}": expected a CID`);
  });
  for (const cid of cids) {
    try {
      await node.removeBlock(cid, { signal: call.signal });
      if (!quiet) await answer.line({ Hash: cid.toString() });
    } catch (error) {
      if (call.signal.aborted) throw error;
      if (force && !(await node.blocks.has(cid))) continue;
      await answer.line({ Hash: cid.toString(), Error: errorMessage(error) });
    }
  }
}
