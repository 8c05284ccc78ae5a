/**
 * Blocks in shards, each with peers of its own: a shard is pinned when it is full, and at the end the list of shards and, as a meta pin,
 * the content. What a failed add has pinned is taken back, since no user could remove it.
 * Source: Go `adder/sharding/dag_service.go`, `shard.go`.
 */
import { errorMessage, OperatingError } from '../../base/index.ts';
import { type ListBlock, linkLists, ShardContent } from '../../core/shard/index.ts';
import { type AddedOutput, type AddParams, Cid, type PeerId, type Pin } from '../../model/index.ts';
import { digestOf } from '../../multihash/index.ts';
import { BlockFan } from './block-fan.ts';
import type { AddedBlock, BlockSink } from './block-sink.ts';
import { dataPin } from './cluster-calls.ts';
import { addError } from './errors.ts';
import type { SinkDeps } from './single-sink.ts';

export interface ShardingDeps extends SinkDeps {
  /** Told of each shard, and of their list. */
  readonly tell: (output: AddedOutput) => Promise<void>;
}

/** The shard that is being filled. */
interface OpenShard {
  readonly peers: readonly PeerId[];
  readonly content: ShardContent;
  readonly fan: BlockFan;
}

/** A pin that was written, with what was there before. */
interface WrittenPin {
  readonly pin: Pin;
  readonly before: Pin | undefined;
}

export class ShardingSink implements BlockSink {
  readonly #params: AddParams;
  readonly #deps: ShardingDeps;
  /** Blocks that are in a shard: each goes into one only. */
  readonly #seen = new Set<string>();
  readonly #shards: Cid[] = [];
  readonly #written: WrittenPin[] = [];
  #open: OpenShard | undefined;
  /** The fan of the list of shards. */
  #listFan: BlockFan | undefined;
  #totalBytes = 0;
  /** The meta pin is there, or may be: then what it stands on stays. */
  #mayBePinned = false;

  constructor(params: AddParams, deps: ShardingDeps) {
    this.#params = params;
    this.#deps = deps;
  }

  async put(block: AddedBlock): Promise<void> {
    const { key } = block.cid;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#open ??= await this.#begin();
    if (!this.#open.content.add(block.cid, block.bytes.length)) {
      if (!this.#open.content.isEmpty) {
        await this.#close(this.#open);
        this.#open = await this.#begin();
      }
      if (!this.#open.content.add(block.cid, block.bytes.length)) {
        throw addError('add/shard-too-small', "block doesn't fit in empty shard: shard size too small?");
      }
    }
    await send(this.#open.fan, block);
  }

  allocations(): readonly PeerId[] {
    return this.#open?.peers ?? [];
  }

  /** The last root only: all shards are its. */
  async finish(roots: readonly Cid[]): Promise<void> {
    const root = roots.at(-1);
    if (this.#open === undefined || root === undefined)
      throw addError('add/no-content', 'there is no block in what was uploaded');
    await this.#close(this.#open);
    const { pin: options } = this.#params;
    const name = `${options.name}-clusterDAG`;
    const blocks = linkLists(this.#shards, dagCborCid);
    this.#listFan = new BlockFan([this.#deps.self], this.#deps);
    for (const block of blocks) await send(this.#listFan, asAdded(block));
    await this.#listFan.finish();
    const list = blocks[0].cid;
    await this.#deps.tell({ name, cid: list, bytes: 0, size: this.#totalBytes, allocations: null });
    // Everywhere, and the list alone: what it links to has pins of its own.
    await this.#pin({
      ...dataPin(list, options),
      ...{ name, replicationFactorMin: -1, replicationFactorMax: -1 },
      ...{ type: 'clusterdag-pin', maxDepth: 0, reference: root },
    });
    const meta: Pin = { ...dataPin(root, options), type: 'meta-pin', maxDepth: 0, reference: list };
    try {
      await this.#deps.calls.pin(meta);
    } catch (error) {
      this.#mayBePinned = error instanceof OperatingError ? error.outcome === 'unknown' : true;
      throw error;
    }
  }

  async abort(): Promise<void> {
    await this.#open?.fan.abort();
    await this.#listFan?.abort();
    const { logger, calls } = this.#deps;
    if (this.#mayBePinned) {
      logger.warn('a sharded add ended without an answer: its shards stay', { shards: this.#shards.length });
      return;
    }
    for (const { pin, before } of this.#written.toReversed()) {
      try {
        await calls.restore(pin, before);
      } catch (error) {
        logger.error('a shard of a failed add stays pinned', { cid: pin.cid.toString(), error: errorMessage(error) });
      }
    }
  }

  async #begin(): Promise<OpenShard> {
    const { pin } = this.#params;
    const { calls, logger } = this.#deps;
    const peers = await calls.allocate(pin);
    if (pin.replicationFactorMin < 0) logger.warn('shards go to all peers, which makes no sense: expected a factor');
    return { peers, content: new ShardContent(pin.shardSize), fan: new BlockFan(peers, this.#deps) };
  }

  async #close({ content, fan, peers }: OpenShard): Promise<void> {
    const number = this.#shards.length;
    const blocks = linkLists(content.cids, dagCborCid);
    for (const block of blocks) await send(fan, asAdded(block));
    await fan.finish();
    const { pin: options } = this.#params;
    const { cid } = blocks[0];
    await this.#pin({
      ...dataPin(cid, options),
      ...{ name: `${options.name}-shard-${number}`, shardSize: content.sizeBytes },
      ...{ type: 'shard-pin', maxDepth: 1, reference: this.#shards.at(-1) ?? null },
      allocations: options.replicationFactorMin < 0 ? [] : peers,
    });
    this.#shards.push(cid);
    this.#totalBytes += content.sizeBytes;
    this.#open = undefined;
    await this.#deps.tell({
      name: `shard-${number}`,
      cid,
      bytes: 0,
      size: content.sizeBytes,
      allocations: peers,
    });
  }

  async #pin(pin: Pin): Promise<void> {
    const { calls } = this.#deps;
    const before = await calls.find(pin.cid);
    this.#written.push({ pin, before });
    await calls.pin(pin);
  }
}

async function send(fan: BlockFan, { cid, bytes, totalBytes }: AddedBlock): Promise<void> {
  await fan.send({ cid, data: bytes, cumulativeSize: totalBytes });
}

function asAdded({ cid, bytes }: ListBlock): AddedBlock {
  return { cid, bytes, totalBytes: bytes.length };
}

/** Version, codec, hash function and digest length of the CIDs of lists: 1, dag-cbor, sha2-256, 32. */
const dagCborPrefix = Uint8Array.of(0x01, 0x71, 0x12, 0x20);

function dagCborCid(bytes: Uint8Array): Cid {
  return Cid.decode(Buffer.concat([dagCborPrefix, digestOf(0x12, bytes) ?? new Uint8Array()]));
}
