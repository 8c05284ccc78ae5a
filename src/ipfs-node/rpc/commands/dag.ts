/** `dag/…`: values, and whole graphs as CAR files. */
import { CarBlockIterator, CarWriter } from '@ipld/car';
import { CID } from 'multiformats/cid';
import { errorMessage } from '../../../base/index.ts';
import { isBlockOf, isCheckable } from '../../../bitswap/index.ts';
import type { Operation } from '../../ports.ts';
import { childValue, parsePath, quote, readBlock, resolvePath } from '../../unixfs/index.ts';
import { carSections } from '../car-sections.ts';
import { argument, type Call, type Command, readAll } from '../command.ts';
import { rpcError } from '../errors.ts';
import { hasher, valueCodec, valueCodecOf } from '../multicodec.ts';
import { withOperation, withReader } from '../reading.ts';
import { blockLimit } from './block.ts';

/** Blocks of an import that are written together. */
const importBatchBlocks = 256;
const importBatchBytes = 4 * 1024 * 1024;
/** Roots of all files of one import; each is pinned. */
const importRootsMax = 100_000;

/** `dag/*`. */
export const dagCommands: readonly Command[] = [
  { path: 'dag/put', upload: 'object data', run: put },
  { path: 'dag/get', args: ['ref'], run: get },
  { path: 'dag/resolve', args: ['ref'], run: resolve },
  { path: 'dag/import', upload: 'path', run: importCars },
  { path: 'dag/export', args: ['root'], run: exportCar },
  { path: 'dag/stat', args: ['root'], run: stat },
];

async function put(call: Call): Promise<void> {
  const { query, answer, node, signal } = call;
  const input = valueCodec(query.text('input-codec', 'dag-json'));
  const store = valueCodec(query.text('store-codec', 'dag-cbor'));
  const hash = hasher(query.text('hash', 'sha2-256'), -1);
  const isPinned = query.boolean('pin', false);
  const limit = blockLimit(call);
  await withOperation(call, async (operation) => {
    for await (const part of call.parts()) {
      const given = await readAll(part.content, limit.sizeMax, limit.tooLarge);
      const bytes = convert(given, input.code, store.code);
      if (bytes.length > limit.sizeMax) throw limit.tooLarge();
      const cid = CID.createV1(store.code, hash(bytes));
      await operation.put(cid, bytes);
      if (isPinned) await node.pins.add(cid, { operation, signal });
      else await operation.flush();
      await answer.line({ Cid: { '/': cid.toString() } });
    }
  });
}

function convert(bytes: Uint8Array, inputCode: number, storeCode: number): Uint8Array {
  const input = valueCodecOf(inputCode);
  const store = valueCodecOf(storeCode);
  try {
    return store.encode(input.decode(bytes));
  } catch (error) {
    throw rpcError('ipfs-rpc/bad-block', `cannot store ${input.name} as ${store.name}: ${errorMessage(error)}`, error);
  }
}

async function get(call: Call): Promise<void> {
  const output = valueCodec(call.query.text('output-codec', 'dag-json'));
  await withReader(call, async (reader) => {
    const { cid, remainder } = await resolvePath(argument(call), reader, { signal: call.signal });
    let value = valueCodecOf(cid.code).decode(await readBlock(reader, cid, { signal: call.signal }));
    for (const segment of remainder) value = childValue(value, segment);
    await call.answer.bytes({ contentType: 'text/plain' }, once(output.encode(value)));
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function resolve(call: Call): Promise<void> {
  await withReader(call, async (reader) => {
    const { cid, remainder } = await resolvePath(argument(call), reader, { signal: call.signal });
    const rest = remainder.length === 0 ? '' : `/${remainder.join('/')}`;
    await call.answer.json({ Cid: { '/': cid.toString() }, RemPath: rest });
  });
}

async function exportCar(call: Call): Promise<void> {
  const { node, signal, answer } = call;
  const { root, segments } = parsePath(argument(call));
  await withReader(call, async (reader) => {
    const cid = segments.length === 0 ? root : (await resolvePath(argument(call), reader, { signal })).cid;
    const blocks = node.walk([cid], reader, { signal })[Symbol.asyncIterator]();
    // The first block is here before the head leaves, so that a missing root is a proper error.
    const first = await blocks.next();
    const { writer, out } = CarWriter.create([cid]);
    const written = (async () => {
      for (let next = first; !next.done; next = await blocks.next()) {
        const { cid: blockCid, bytes } = next.value;
        if (blockCid.multihash.code !== 0 && bytes !== undefined) await writer.put({ cid: blockCid, bytes });
      }
      await writer.close();
    })();
    try {
      await answer.bytes({ contentType: 'application/vnd.ipld.car' }, untilFailed(out, written));
      await written;
    } finally {
      written.catch(() => {});
      await blocks.return?.();
    }
  });
}

/** The archive's bytes until it ends or its source fails, which the archive itself does not tell. */
async function* untilFailed(out: AsyncIterable<Uint8Array>, source: Promise<void>): AsyncGenerator<Uint8Array> {
  const failed = source.then(
    () => new Promise<never>(() => {}),
    (error: unknown) => Promise.reject(error),
  );
  failed.catch(() => {});
  const bytes = out[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([bytes.next(), failed]);
    if (next.done === true) return;
    yield next.value;
  }
}

interface ImportStats {
  blockCount: number;
  bytes: number;
}

async function importCars(call: Call): Promise<void> {
  const { query, answer, node, signal } = call;
  const arePinned = query.boolean('pin-roots', true);
  const showStats = query.boolean('stats', false);
  const silent = query.boolean('silent', false);
  const limit = blockLimit(call);
  const roots = new Map<string, CID>();
  const stats: ImportStats = { blockCount: 0, bytes: 0 };
  await withOperation(call, async (operation) => {
    let fileCount = 0;
    for await (const part of call.parts()) {
      fileCount += 1;
      await importCar(part.content, limit.sizeMax, operation, roots, stats);
    }
    if (fileCount === 0) throw rpcError('ipfs-rpc/bad-upload', 'expected a file argument');
    await operation.flush();
    // All files first, then the pins: a bad second file leaves no pins of the first.
    for (const [text, cid] of arePinned ? roots : []) {
      const pinError = await node.pins.add(cid, { operation, signal, offline: true }).then(
        () => '',
        (error: unknown) => errorMessage(error),
      );
      if (signal.aborted) throw signal.reason;
      if (!silent || pinError !== '') await answer.line({ Root: { Cid: { '/': text }, PinErrorMsg: pinError } });
    }
  });
  if (showStats) await answer.line({ Stats: { BlockCount: stats.blockCount, BlockBytesCount: stats.bytes } });
}

async function importCar(
  content: AsyncIterable<Uint8Array>,
  sizeMax: number,
  operation: Operation,
  roots: Map<string, CID>,
  stats: ImportStats,
): Promise<void> {
  let last = '';
  try {
    const car = await CarBlockIterator.fromIterable(carSections(content, sizeMax));
    for (const root of await car.getRoots()) {
      roots.set(root.toString(), root);
      if (roots.size > importRootsMax) throw rpcError('ipfs-rpc/bad-car', `more than ${importRootsMax} roots`);
    }
    let batch: { cid: CID; bytes: Uint8Array }[] = [];
    let batchBytes = 0;
    for await (const block of car) {
      checkHash(block.cid, block.bytes);
      batch.push(block);
      batchBytes += block.bytes.length;
      stats.blockCount += 1;
      stats.bytes += block.bytes.length;
      last = block.cid.toString();
      if (batch.length < importBatchBlocks && batchBytes < importBatchBytes) continue;
      await operation.putMany(batch);
      batch = [];
      batchBytes = 0;
    }
    await operation.putMany(batch);
  } catch (error) {
    const reason = errorMessage(error).replace(/^Unexpected end of data$/, 'unexpected EOF');
    throw rpcError(
      'ipfs-rpc/bad-car',
      last === '' ? reason : `import failed after block ${quote(last)}: ${reason}`,
      error,
    );
  }
}

function checkHash(cid: CID, bytes: Uint8Array): void {
  if (!isCheckable(cid)) {
    const code = cid.multihash.code.toString(16);
    throw rpcError('ipfs-rpc/bad-block', `cannot check block ${cid}: hash function 0x${code} is not supported`);
  }
  if (!isBlockOf(cid, bytes)) {
    throw rpcError('ipfs-rpc/bad-block', `mismatch in content integrity, expected: ${cid}`);
  }
}

async function stat(call: Call): Promise<void> {
  const { query, node, answer, signal } = call;
  await withReader(call, async (reader) => {
    const seen = new Set<string>();
    let totalSize = 0;
    let countedSize = 0;
    const dags: object[] = [];
    for (const path of query.args) {
      const { cid } = await resolvePath(path, reader, { signal });
      let size = 0;
      let count = 0;
      for await (const visit of node.walk([cid], reader, { signal })) {
        const bytes = visit.bytes?.length ?? 0;
        size += bytes;
        count += 1;
        const key = Buffer.from(visit.cid.multihash.bytes).toString('latin1');
        if (!seen.has(key)) totalSize += bytes;
        seen.add(key);
      }
      countedSize += size;
      dags.push({ Cid: cid.toString(), Size: size, NumBlocks: count });
    }
    await answer.line({
      UniqueBlocks: seen.size,
      TotalSize: totalSize,
      ...(countedSize > totalSize ? { SharedSize: countedSize - totalSize } : {}),
      Ratio: totalSize === 0 ? 0 : countedSize / totalSize,
      DagStats: dags,
    });
  });
}
