import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import * as dagCbor from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { AddRpc, type AddRpcParts } from '../../../test/support/add-rpc.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { errorCode, OperatingError, silentLogger } from '../../base/index.ts';
import type { AddOptions, UploadEntry } from '../../cluster/ports.ts';
import { type AddedOutput, Cid, type NodeWithMeta, type Pin, parseAddParams, parseQuery } from '../../model/index.ts';
import { createAdder } from './adder.ts';

const peers = ['12D3KooWFirst', '12D3KooWSecond', '12D3KooWThird'] as const;
const [self] = peers;

async function* once(bytes: Uint8Array | string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(bytes as Uint8Array);
}

const file = (path: string, content: Uint8Array | string): UploadEntry => ({
  path,
  type: 'file',
  absPath: '',
  content: once(content),
});

async function* entriesOf(...entries: readonly UploadEntry[]): AsyncGenerator<UploadEntry> {
  yield* entries;
}

function noise(size: number, seed = 0): Buffer {
  const pieces: Buffer[] = [];
  for (let i = 0; i * 64 < size; i++) pieces.push(createHash('sha512').update(`noise ${seed} ${i}`).digest());
  return Buffer.concat(pieces).subarray(0, size);
}

/** A cluster that keeps what it is given; `change` replaces parts of it. */
class Stage {
  readonly stored = new Map<string, Set<string>>(peers.map((peer) => [peer, new Set()]));
  readonly pins: Pin[] = [];
  readonly unpinned: string[] = [];
  readonly restored: string[] = [];
  readonly clock = new FakeClock();
  readonly rpc: AddRpc;

  constructor(change: Partial<AddRpcParts> = {}) {
    this.rpc = new AddRpc({
      allocate: () => [...peers],
      store: (peer, blocks) => this.keep(peer, blocks),
      pin: (pin) => {
        this.pins.push(pin);
      },
      unpin: ({ cid }) => this.unpinned.push(cid.key),
      restore: ({ cid }) => this.restored.push(cid.key),
      ...change,
    });
  }

  async keep(peer: string, blocks: AsyncIterable<NodeWithMeta>): Promise<void> {
    for await (const { cid } of blocks) this.stored.get(peer)?.add(cid.key);
  }

  add(query: string, entries: AsyncIterable<UploadEntry>, options?: AddOptions): AsyncIterable<AddedOutput> {
    const params = parseAddParams(parseQuery(query), { seconds: 0, nanos: 0 });
    const adder = createAdder({ self, rpc: this.rpc, clock: this.clock, logger: silentLogger });
    return adder.add(entries, params, options);
  }

  async all(query: string, entries: AsyncIterable<UploadEntry>, options?: AddOptions): Promise<AddedOutput[]> {
    const outputs: AddedOutput[] = [];
    for await (const output of this.add(query, entries, options)) outputs.push(output);
    return outputs;
  }

  /** Nothing is left of an add that has ended. */
  assertIdle(): void {
    assert.equal(this.rpc.streams, 0);
    assert.equal(this.clock.pendingCount, 0);
  }
}

const refused = async (): Promise<never> => {
  throw new OperatingError('ipfs/unreachable', 'connection refused');
};

describe('adding', () => {
  it('brings all blocks to all peers and pins the root there', async () => {
    const stage = new Stage();
    const [output] = await stage.all(
      'replication-min=1&replication-max=3&name=n',
      entriesOf(file('f', noise(1_000_000))),
    );
    const cid = output?.cid?.key ?? '';
    for (const peer of peers) assert.ok(stage.stored.get(peer)?.size === 5 && stage.stored.get(peer)?.has(cid));
    assert.equal(stage.pins.length, 1);
    assert.deepEqual([stage.pins[0]?.cid.key, stage.pins[0]?.name, stage.pins[0]?.allocations], [cid, 'n', [...peers]]);
    stage.assertIdle();
  });

  it('goes on without peers that fail, and says nothing to the client', async () => {
    const stage = new Stage({ store: (peer, blocks) => (peer === peers[1] ? refused() : stage.keep(peer, blocks)) });
    const content = noise(9_000_000);
    const [output] = await stage.all('', entriesOf(file('f', content)));
    assert.ok(stage.stored.get(peers[2])?.has(output?.cid?.key ?? ''));
    assert.equal(stage.pins.length, 1);
    stage.assertIdle();
  });

  it('does not take a peer that ends after the first of several blocks for one that has all', async () => {
    const released = Promise.withResolvers<void>();
    const store = async (_peer: string, blocks: AsyncIterable<NodeWithMeta>): Promise<void> => {
      await released.promise;
      for await (const _ of blocks) return;
    };
    const stage = new Stage({ store });
    const reading = async (): Promise<void> => {
      // All blocks wait when the file is told of, and their end is known in the next turn.
      for await (const _ of stage.add('', entriesOf(file('f', noise(600_000))))) setImmediate(released.resolve);
    };
    await assert.rejects(reading, (error) => errorCode(error) === 'add/no-destination');
    assert.deepEqual(stage.pins, []);
    stage.assertIdle();
  });

  it('fails and pins nothing when no peer takes blocks', async () => {
    for (const size of [10, 9_000_000]) {
      const stage = new Stage({ store: refused });
      await assert.rejects(stage.all('', entriesOf(file('f', noise(size)))), {
        code: 'add/no-destination',
        message: 'failed to put block on all destinations',
      });
      assert.deepEqual(stage.pins, []);
      stage.assertIdle();
    }
  });

  it('fails when a peer ends its stream before it has all blocks', async () => {
    const stage = new Stage({ allocate: () => [peers[1]], store: async () => {} });
    await assert.rejects(stage.all('', entriesOf(file('f', 'x'))), { code: 'add/no-destination' });
    assert.deepEqual(stage.pins, []);
  });

  it('gives up a peer that takes nothing for five minutes', async () => {
    const hanging = Promise.withResolvers<void>();
    const stage = new Stage({
      store: async (peer, blocks, signal) => {
        if (peer !== peers[1]) return await stage.keep(peer, blocks);
        hanging.resolve();
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
      },
    });
    const adding = stage.all('', entriesOf(file('f', 'x')));
    await hanging.promise;
    // The others have stored everything by the time that this one is given up.
    while (stage.pins.length === 0) {
      await stage.clock.advance(300_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await adding;
    stage.assertIdle();
  });

  it('holds the upload back when a peer is slow, whatever its size', async () => {
    const gate = Promise.withResolvers<void>();
    let read = 0;
    const stage = new Stage({
      store: async (peer, blocks) => {
        if (peer === peers[1]) await gate.promise;
        await stage.keep(peer, blocks);
      },
    });
    const upload = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 400; i++) {
        read += 65_536;
        yield noise(65_536, i);
      }
    };
    const adding = stage.all('', entriesOf({ path: 'f', type: 'file', absPath: '', content: upload() }));
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(read < 3_000_000, `${read} bytes were read`);
    gate.resolve();
    await adding;
    assert.equal(read, 400 * 65_536);
    stage.assertIdle();
  });

  it('leaves nothing behind when it is aborted, at whatever point, a thousand times', async () => {
    for (let i = 0; i < 1000; i++) {
      const stage = new Stage();
      const ending = new AbortController();
      const upload = async function* (): AsyncGenerator<Uint8Array> {
        for (let piece = 0; piece < i % 7; piece++) yield noise(1000);
        ending.abort();
        // A client that says no more and does not leave.
        await new Promise(() => {});
      };
      const entries = entriesOf(file('g', 'g'), { path: 'f', type: 'file', absPath: '', content: upload() });
      const query = i % 2 === 0 ? 'chunker=size-500' : 'chunker=size-500&shard=true&shard-size=2000&replication=1';
      await assert.rejects(stage.all(query, entries, { signal: ending.signal }), { code: 'add/cancelled' });
      assert.ok(stage.pins.every(({ type }) => type === 'shard-pin'));
      assert.equal(stage.unpinned.length, stage.pins.length);
      stage.assertIdle();
    }
  });

  it('ends when its reader leaves', async () => {
    const stage = new Stage();
    const many = async function* (): AsyncGenerator<UploadEntry> {
      for (let i = 0; ; i++) yield file(`${i}`, `${i}`);
    };
    for await (const _ of stage.add('', many())) break;
    assert.deepEqual(stage.pins, []);
    stage.assertIdle();
  });

  it('with local=true sends blocks to this peer only, which is among the pinned', async () => {
    const stage = new Stage({ allocate: () => [peers[1], peers[2]] });
    await stage.all('local=true&replication=2', entriesOf(file('f', 'x')));
    assert.deepEqual(
      [...stage.stored].map(([, blocks]) => blocks.size),
      [1, 0, 0],
    );
    assert.deepEqual(stage.pins[0]?.allocations, [peers[1], self]);
    const none = new Stage({ allocate: () => [] });
    await none.all('local=true', entriesOf(file('f', 'x')));
    assert.deepEqual(none.pins[0]?.allocations, [self]);
  });

  it('pins the last root, or each as an IPFS node does', async () => {
    const upload = (): AsyncIterable<UploadEntry> => entriesOf(file('a', 'a'), file('b', 'b'));
    const one = new Stage();
    const outputs = await one.all('', upload());
    assert.deepEqual(
      one.pins.map(({ cid }) => cid.key),
      [outputs[1]?.cid?.key],
    );
    const each = new Stage();
    await each.all('', upload(), { asNode: true });
    assert.deepEqual(
      each.pins.map(({ cid }) => cid.key),
      outputs.map(({ cid }) => cid?.key),
    );
  });

  it('answers uploads without content with an error', async () => {
    const stage = new Stage();
    for (const query of ['', 'format=car', 'shard=true']) {
      await assert.rejects(stage.all(query, entriesOf()), { code: 'add/no-content' });
    }
    // As the reference: the folder that wraps everything is there.
    const [wrap] = await stage.all('wrap-with-directory=true', entriesOf());
    assert.equal(wrap?.cid?.key, 'QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn');
  });

  it('takes names as odd as clients make them', async () => {
    const stage = new Stage();
    const names = ['ünï ☃', 'a\\', ' ', '...', 'a\nb', '%2F', 'x'.repeat(300), '\u{1F600}'];
    const outputs = await stage.all(
      'wrap-with-directory=true',
      entriesOf(...names.map((name) => file(`d/${name}`, name))),
    );
    assert.deepEqual(
      outputs.slice(0, -2).map(({ name }) => name),
      names.map((name) => `d/${name}`),
    );
  });

  it('refuses a file where a folder is, and a folder where a file is', async () => {
    for (const paths of [
      ['d', 'd/x'],
      ['d/x/y', 'd/x'],
    ]) {
      const stage = new Stage();
      const entries = entriesOf(...paths.map((path) => file(path, 'x')));
      await assert.rejects(stage.all('wrap-with-directory=true', entries), { code: 'unixfs/bad-name' });
      assert.deepEqual(stage.pins, []);
    }
  });
});

describe('sharded adding', () => {
  const query = 'shard=true&shard-size=300000&chunker=size-100000&name=s&replication=1';

  it('pins shards, their list and the content, which lead to each other', async () => {
    const stage = new Stage({ allocate: () => [peers[1]] });
    const outputs = await stage.all(query, entriesOf(file('f', noise(1_000_000))));
    const shards = stage.pins.slice(0, -2);
    const [list, meta] = stage.pins.slice(-2);
    assert.equal(shards.length, 5);
    for (const [i, shard] of shards.entries()) {
      assert.deepEqual(
        [shard.type, shard.name, shard.maxDepth, shard.allocations, shard.reference?.key],
        ['shard-pin', `s-shard-${i}`, 1, [peers[1]], shards[i - 1]?.cid.key],
      );
    }
    assert.deepEqual(
      [list?.type, list?.name, list?.maxDepth, list?.reference?.key],
      ['clusterdag-pin', 's-clusterDAG', 0, meta?.cid.key],
    );
    assert.deepEqual([meta?.type, meta?.name, meta?.reference?.key], ['meta-pin', 's', list?.cid.key]);
    assert.equal(outputs.at(-1)?.name, 's-clusterDAG');
    assert.ok(stage.stored.get(self)?.has(list?.cid.key ?? ''));
    stage.assertIdle();
  });

  it('takes back what it has pinned when the content is refused, and leaves what was there before', async () => {
    const first = new Stage();
    await first.all(query, entriesOf(file('f', noise(1_000_000))));
    const known = first.pins[0];
    const stage = new Stage({
      find: (cid) => (known !== undefined && cid.equals(known.cid) ? known : undefined),
      pin: (pin) => {
        if (pin.type === 'meta-pin') throw new OperatingError('cluster/refused-pin', 'cannot repin');
        stage.pins.push(pin);
      },
    });
    await assert.rejects(stage.all(query, entriesOf(file('f', noise(1_000_000)))), { message: 'cannot repin' });
    assert.deepEqual(stage.restored, [known?.cid.key]);
    assert.deepEqual(
      stage.unpinned.toSorted(),
      stage.pins
        .map(({ cid }) => cid.key)
        .filter((key) => key !== known?.cid.key)
        .sort(),
    );
  });

  it('leaves its shards when it is not known whether the content is pinned', async () => {
    const stage = new Stage({
      pin: ({ type }) => {
        if (type === 'meta-pin') throw new OperatingError('consensus/timeout', 'no answer', { outcome: 'unknown' });
      },
    });
    await assert.rejects(stage.all(query, entriesOf(file('f', noise(1_000_000)))), { code: 'consensus/timeout' });
    assert.deepEqual(stage.unpinned, []);
  });

  it('refuses blocks that fit into no shard', async () => {
    const stage = new Stage();
    await assert.rejects(stage.all('shard=true&shard-size=100', entriesOf(file('f', noise(1000)))), {
      message: "block doesn't fit in empty shard: shard size too small?",
    });
    assert.deepEqual(stage.pins, []);
    stage.assertIdle();
  });
});

describe('adding a CAR file', () => {
  const blockOf = (data: Uint8Array): { readonly cid: Uint8Array; readonly data: Uint8Array } => ({
    cid: Buffer.concat([Buffer.from([1, 0x55, 0x12, 0x20]), createHash('sha256').update(data).digest()]),
    data,
  });
  const varint = (value: number): Buffer => {
    const bytes: number[] = [];
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
    return Buffer.from([...bytes, rest]);
  };
  const section = (bytes: Uint8Array): Buffer => Buffer.concat([varint(bytes.length), bytes]);
  const carOf = (
    roots: readonly Uint8Array[],
    blocks: readonly { cid: Uint8Array; data: Uint8Array }[],
    version = 1,
  ): Buffer =>
    Buffer.concat([
      section(dagCbor.encode({ version, roots: roots.map((root) => CID.decode(root)) })),
      ...blocks.map(({ cid, data }) => section(Buffer.concat([cid, data]))),
    ]);
  const whole = blockOf(Buffer.from('content'));
  const good = carOf([whole.cid], [whole, blockOf(Buffer.from('more'))]);

  it('stores its blocks and pins its root, of version 1 and 2', async () => {
    const frame = Buffer.alloc(40);
    frame.writeBigUInt64LE(60n, 16);
    frame.writeBigUInt64LE(BigInt(good.length), 24);
    const pragma = Buffer.from('0aa16776657273696f6e02', 'hex');
    const second = Buffer.concat([pragma, frame, Buffer.alloc(9), good, Buffer.from('an index')]);
    for (const car of [good, second]) {
      const stage = new Stage();
      const outputs = await stage.all('format=car', entriesOf(file('c.car', car)));
      assert.deepEqual(
        outputs.map(({ name, cid, bytes, size }) => [name, cid?.key, bytes, size]),
        [['c.car', Cid.decode(whole.cid).key, 11, 7]],
      );
      assert.equal(stage.stored.get(self)?.size, 2);
      assert.equal(stage.pins.length, 1);
    }
  });

  it('refuses hostile and broken ones without a pin', async () => {
    const flipped = Buffer.from(good);
    flipped[flipped.length - 1] = 0;
    const data = Buffer.from('short');
    const four = createHash('sha256').update(data).digest().subarray(0, 4);
    const short = { cid: Buffer.concat([Buffer.from([1, 0x55, 0x12, 4]), four]), data };
    const huge = Buffer.concat([carOf([whole.cid], []), varint(2 ** 40), Buffer.alloc(1000)]);
    const cars: readonly (readonly [string, Buffer, RegExp])[] = [
      ['nothing', Buffer.alloc(0), /unexpected EOF/],
      ['no CAR', Buffer.from('hello\n'), /EOF|header/],
      ['cut off', good.subarray(0, -3), /unexpected EOF/],
      ['another block than it says', flipped, /mismatch in content integrity/],
      ['a digest of four bytes', carOf([short.cid], [short]), /has 4 bytes, expected at least 20/],
      ['a section of a terabyte', huge, /malformed car; a section of 1099511627776 bytes/],
      [
        'a header of a terabyte',
        Buffer.concat([varint(2 ** 40), Buffer.alloc(1000)]),
        /a header of 1099511627776 bytes/,
      ],
      ['a length without an end', Buffer.alloc(100, 0xff), /a length is no number/],
      ['two roots', carOf([whole.cid, whole.cid], [whole]), /only CAR files with a single root are supported/],
      ['no root', carOf([], [whole]), /only CAR files with a single root are supported/],
      ['no blocks', carOf([whole.cid], []), /there is no block/],
      ['version 7', carOf([whole.cid], [whole], 7), /invalid car version: 7/],
      [
        'a frame that leads nowhere',
        Buffer.concat([Buffer.from('0aa16776657273696f6e02', 'hex'), Buffer.alloc(40)]),
        /data at 0/,
      ],
    ];
    for (const [what, car, message] of cars) {
      const stage = new Stage();
      await assert.rejects(stage.all('format=car', entriesOf(file('c', car))), message, what);
      assert.deepEqual(stage.pins, [], what);
      stage.assertIdle();
    }
  });

  it('refuses any bytes with a code', async () => {
    for (let i = 0; i < good.length; i++) {
      const changed = Buffer.from(good);
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      const stage = new Stage();
      try {
        await stage.all('format=car', entriesOf(file('c', changed)));
      } catch (error) {
        assert.match(errorCode(error), /^add\//, `byte ${i}`);
      }
    }
  });
});
