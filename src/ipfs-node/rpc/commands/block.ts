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

/** Bytes of blocks that share a sync. */
const groupBytesMax: number = 4 * 1024 * 1024;
/** What a block takes beside its bytes. */
const blockBytesExtra = 1024;

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
    const group = new PutGroup(operation, (line) => answer.line(line));
    const parts = call.parts()[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = parts.next();
        // Told when it is waited for.
        next.catch(() => {});
        // What has come is answered before more is waited for.
        if (group.isLarge || !(await isReady(next))) await group.answer();
        const result = await next;
        if (result.done === true) break;
        const bytes = await readAll(result.value.content, limit.sizeMax, limit.tooLarge);
        const cid = toCid(bytes);
        group.put(cid, bytes);
        if (!isPinned) continue;
        await group.stored();
        await call.node.pins.add(cid, { operation, signal: call.signal });
      }
      await group.answer();
    } finally {
      // The operation keeps its blocks from gc until the last of them is there.
      await group.stored().catch(() => {});
      await parts.return?.(undefined);
    }
  });
}

/** Blocks that reach the disk together; an answer means that the block survives a power cut. */
class PutGroup {
  readonly #operation: Operation;
  readonly #tell: (line: object) => Promise<void>;
  #puts: Promise<void>[] = [];
  #lines: object[] = [];
  #bytes = 0;

  constructor(operation: Operation, tell: (line: object) => Promise<void>) {
    this.#operation = operation;
    this.#tell = tell;
  }

  get isLarge(): boolean {
    return this.#bytes >= groupBytesMax;
  }

  put(cid: CID, bytes: Uint8Array): void {
    const putting = this.#operation.put(cid, bytes);
    // Told when it is waited for.
    putting.catch(() => {});
    this.#puts.push(putting);
    this.#lines.push({ Key: cid.toString(), Size: bytes.length });
    this.#bytes += bytes.length + blockBytesExtra;
  }

  async stored(): Promise<void> {
    await Promise.all(this.#puts);
  }

  async answer(): Promise<void> {
    if (this.#lines.length === 0) return;
    await this.stored();
    await this.#operation.flush();
    const lines = this.#lines;
    this.#puts = [];
    this.#lines = [];
    this.#bytes = 0;
    for (const line of lines) await this.#tell(line);
  }
}

/** Whether it resolves in this turn of the event loop. */
async function isReady(promise: Promise<unknown>): Promise<boolean> {
  const turn = new Promise<boolean>((resolve) => setImmediate(resolve, false));
  const done = promise.then(
    () => true,
    () => true,
  );
  return await Promise.race([done, turn]);
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
