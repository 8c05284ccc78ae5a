/**
 * Blocks in batches that one `block/put` can take: all of a batch have one codec and one hash function, which are options of the
 * request and not of its parts. The reference takes those of the first block for all (Go `ipfshttp.go` `BlockStream`), so that others
 * end up under CIDs that nobody knows.
 */
import { randomUUID } from 'node:crypto';
import { varintRead } from '../../base/index.ts';
import type { Cid, NodeWithMeta } from '../../model/index.ts';
import { hashNameOf } from '../../multihash/index.ts';
import { ipfsFailure } from './errors.ts';

/** Bytes of blocks that are gathered: enough to make the request cheap, little enough to hold a few times. */
const batchBytesMax = 2 * 1024 * 1024;
/** Blocks without bytes count too. */
const blockBytesExtra = 128;

/** Blocks for one request. */
export interface BlockBatch {
  /** Codec, hash and length, as `block/put` takes them. */
  readonly query: string;
  readonly blocks: readonly { readonly cid: Cid; readonly data: Uint8Array }[];
}

const noData = new Uint8Array();
const identityCode = 0;
const codecNames: ReadonlyMap<number, string> = new Map([
  [0x51, 'cbor'],
  [0x55, 'raw'],
  [0x70, 'dag-pb'],
  [0x71, 'dag-cbor'],
  [0x72, 'libp2p-key'],
  [0x78, 'git-raw'],
  [0x85, 'dag-jose'],
  [0x0129, 'dag-json'],
  [0x0200, 'json'],
]);

/** The blocks, sorted into batches; at most one batch's worth of bytes is held. Throws `ipfs/bad-block` for CIDs that no node can make. */
export async function* blockBatches(blocks: AsyncIterable<NodeWithMeta>): AsyncGenerator<BlockBatch> {
  let groups = new Map<string, BlockBatch['blocks'][number][]>();
  let size = 0;
  const batches = function* (): Generator<BlockBatch> {
    for (const [query, members] of groups) yield { query, blocks: members };
  };
  for await (const { cid, data } of blocks) {
    const query = putQuery(cid);
    // What is in the CID itself is nowhere else.
    if (query === undefined) continue;
    const group = groups.get(query) ?? [];
    groups.set(query, group);
    group.push({ cid, data: data ?? noData });
    size += (data?.length ?? 0) + blockBytesExtra;
    if (size < batchBytesMax) continue;
    yield* batches();
    groups = new Map();
    size = 0;
  }
  yield* batches();
}

function putQuery(cid: Cid): string | undefined {
  const multihash = cid.multihash;
  const code = varintRead(multihash, 0);
  const length = varintRead(multihash, code?.end ?? 0);
  if (code?.value === identityCode) return undefined;
  const codec = codecNames.get(cid.codec);
  const hash = hashNameOf(code?.value ?? -1);
  if (codec === undefined) throw badBlock(cid, `codec 0x${cid.codec.toString(16)}`);
  if (hash === undefined) throw badBlock(cid, `hash function 0x${code?.value.toString(16)}`);
  return `cid-codec=${codec}&mhtype=${hash}&mhlen=${length?.value}`;
}

function badBlock(cid: Cid, what: string): Error {
  return ipfsFailure('ipfs/bad-block', `Cannot store block "${cid}": ${what} is not known`);
}

/** The body of the request, and its type. */
export function multipartOf({ blocks }: BlockBatch): { readonly contentType: string; readonly body: Buffer } {
  // Random, so that no block can contain it on purpose.
  const boundary = randomUUID();
  const pieces: Uint8Array[] = [];
  for (const { cid, data } of blocks) {
    const head =
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${cid}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n';
    pieces.push(Buffer.from(head), data, lineEnd);
  }
  pieces.push(Buffer.from(`--${boundary}--\r\n`));
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: Buffer.concat(pieces) };
}

const lineEnd = Buffer.from('\r\n');
