import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode as encodeDagCbor } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryIpfs } from '../../test/support/memory-ipfs.ts';
import { MemoryPinset } from '../../test/support/memory-pinset.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { readExchanges } from '../../test/support/rest-vectors.ts';
import { OperatingError, silentLogger } from '../base/index.ts';
import { type Cid, type Metric, type PeerId, type Pin, timeFromNanos } from '../model/index.ts';
import { Allocator } from './allocator.ts';
import { Pinner, type PinnerOptions } from './pinner.ts';
import type { Consensus, PeerMonitor } from './ports.ts';

const members: readonly PeerId[] = ['a', 'b', 'c', 'd'];
const trusted: ReadonlySet<PeerId> = new Set(['a', 'b']);

interface World {
  readonly pinner: Pinner;
  readonly pinset: MemoryPinset;
  readonly ipfs: MemoryIpfs;
  readonly clock: FakeClock;
  /** Writes in order, such as `unpin bafk…`. */
  readonly writes: string[];
  /** Fails the write if it is this one. */
  failing: string;
  /** Pins that come with the next wait for what others have written. */
  readonly others: Pin[];
  block: () => Promise<Uint8Array>;
}

function world(options: Partial<PinnerOptions> = {}): World {
  const pinset = new MemoryPinset();
  const ipfs = new MemoryIpfs();
  const clock = new FakeClock();
  const write = async (what: string): Promise<void> => {
    if (what === made.failing) throw new OperatingError('consensus/no-leader', 'no leader');
    made.writes.push(what);
  };
  // Proof: a pinner calls nothing else.
  const consensus = {
    pinset: () => pinset,
    peers: async () => members,
    isTrustedPeer: (peer) => trusted.has(peer),
    waitForSync: async () => pinset.add(...made.others),
    logPin: async (pin) => {
      await write(`pin ${pin.cid}`);
      pinset.add(pin);
    },
    logUnpin: async (pin) => {
      await write(`unpin ${pin.cid}`);
      pinset.remove(pin.cid);
    },
  } as Partial<Consensus> as Consensus;
  const monitor = {
    latestOf: (name, peer) => (name === 'freespace' ? { ...freespace, peer } : undefined),
  } as Partial<PeerMonitor> as PeerMonitor;
  const all: PinnerOptions = {
    replicationFactorMin: -1,
    replicationFactorMax: -1,
    allocateBy: ['freespace'],
    pinOnlyOnTrustedPeers: false,
    pinOnlyOnUntrustedPeers: false,
    followerMode: false,
    ...options,
  };
  const allocator = new Allocator(all, { consensus, monitor, clock, logger: silentLogger });
  const pinner = new Pinner(all, { consensus, allocator, ipfs, clock });
  const made: World = {
    ...{ pinner, pinset, ipfs, clock },
    writes: [],
    failing: '',
    others: [],
    block: async () => encodeDagCbor({}),
  };
  ipfs.blockGet = () => made.block();
  return made;
}

const freespace: Metric = {
  name: 'freespace',
  peer: '',
  value: '1',
  expire: 2n ** 62n,
  valid: true,
  weight: 1n,
  partitionable: false,
  receivedAt: 0n,
};

const [root, dag, first, second, bystander] = [1, 2, 3, 4, 5].map(cidNumber) as [Cid, Cid, Cid, Cid, Cid];
const link = (cid: Cid): CID => CID.decode(cid.bytes);
const meta = pinOf(root, { type: 'meta-pin', reference: dag, maxDepth: 0, mode: 'direct' });
const clusterDag = pinOf(dag, { type: 'clusterdag-pin', reference: root, maxDepth: 0, mode: 'direct' });
const shards = [first, second].map((cid) => pinOf(cid, { type: 'shard-pin', maxDepth: 1 }));

test('Pinner: unpinning a meta pin removes its shards, then their list, then itself', async () => {
  const at = world();
  at.pinset.add(meta, clusterDag, ...shards);
  at.block = async () => encodeDagCbor({ 0: link(first), 1: link(second) });
  assert.deepEqual(await at.pinner.unpin(root), meta);
  assert.deepEqual(
    at.writes,
    [first, second, dag, root].map((cid) => `unpin ${cid}`),
  );
});

test('Pinner: an unpin of a meta pin that was interrupted can be repeated, wherever it was', async () => {
  for (const failing of [first, second, dag, root]) {
    const at = world();
    at.pinset.add(meta, clusterDag, ...shards);
    at.block = async () => encodeDagCbor({ 0: link(first), 1: link(second) });
    at.failing = `unpin ${failing}`;
    await assert.rejects(at.pinner.unpin(root), { code: 'consensus/no-leader' });
    assert.ok(at.pinset.has(root), 'the content is there until all is done');
    at.failing = '';
    await at.pinner.unpin(root);
    assert.equal(at.pinset.count(), 0, `interrupted at ${failing}`);
  }
});

test('Pinner: a list of shards is believed about shards only', async () => {
  const at = world();
  at.pinset.add(meta, clusterDag, ...shards, pinOf(bystander));
  at.block = async () => encodeDagCbor({ 0: link(first), 1: link(bystander), 2: link(root), 3: link(dag) });
  await at.pinner.unpin(root);
  assert.ok(at.pinset.has(bystander));
  assert.ok(at.pinset.has(second), 'not in the list');
  // The reference of a meta pin can name anything as well.
  at.pinset.add(pinOf(root, { type: 'meta-pin', reference: bystander }));
  await at.pinner.unpin(root);
  assert.ok(at.pinset.has(bystander));
});

test('Pinner: a meta pin whose list is gone from the pinset can be unpinned', async () => {
  const at = world();
  at.pinset.add(meta);
  at.block = () => Promise.reject(new TypeError('nobody asks for it'));
  await at.pinner.unpin(root);
  assert.equal(at.pinset.count(), 0);
});

test('Pinner: a list of shards that cannot be had or read is an error, and nothing is removed', async () => {
  const deep = new Uint8Array(200_000).fill(0x81);
  const cases: readonly (readonly [() => Promise<Uint8Array>, RegExp])[] = [
    [
      () => Promise.reject(new TypeError('blockstore: block not found')),
      /^error reading clusterDAG block from ipfs: blockstore/,
    ],
    [async () => Uint8Array.of(1, 2, 3), /^error parsing clusterDAG block: /],
    [async () => deep, /^error parsing clusterDAG block: /],
    [async () => encodeDagCbor(7), /^error parsing clusterDAG block: not a map$/],
    [
      async () => new Uint8Array(4_194_305),
      /^error parsing clusterDAG block: 4194305 bytes, expected at most 4194304$/,
    ],
  ];
  for (const [block, message] of cases) {
    const at = world();
    at.pinset.add(meta, clusterDag, ...shards);
    at.block = block;
    await assert.rejects(at.pinner.unpin(root), { code: 'cluster/refused-pin', message });
    assert.deepEqual(at.writes, []);
  }
  const unset = world();
  unset.pinset.add(pinOf(root, { type: 'meta-pin' }));
  await assert.rejects(unset.pinner.unpin(root), { message: 'metaPin.Reference is unset' });
});

test('Pinner: thousands of shards go with bounded writes in flight', async () => {
  const at = world();
  const many = Array.from({ length: 5984 }, (_, n) => cidNumber(100 + n));
  at.pinset.add(meta, clusterDag, ...many.map((cid) => pinOf(cid, { type: 'shard-pin', maxDepth: 1 })));
  at.block = async () => encodeDagCbor(Object.fromEntries(many.map((cid, n) => [n, link(cid)])));
  await at.pinner.unpin(root);
  assert.equal(at.pinset.count(), 0);
});

test('Pinner: what sharded content is made of is refused in the words of the reference', async () => {
  const at = world();
  at.pinset.add(meta, clusterDag, ...shards);
  const acts: Readonly<Record<string, () => Promise<unknown>>> = {
    'unpin-shard-directly': () => at.pinner.unpin(first),
    'unpin-clusterdag-directly': () => at.pinner.unpin(dag),
    'pin-shard-as-data': () => at.pinner.pin(pinOf(first)),
    'pin-update-from-meta': () => at.pinner.pin(pinOf(bystander, { pinUpdate: root })),
  };
  const exchanges = await readExchanges('shards');
  for (const [name, act] of Object.entries(acts)) {
    const body = exchanges.find((exchange) => exchange.name === name)?.response.body ?? '';
    await assert.rejects(act, { message: (JSON.parse(body) as { message: string }).message }, name);
  }
  assert.deepEqual(at.writes, []);
});

test('Pinner: an update takes over everything but CID, name and an expiry that is ahead', async () => {
  const at = world();
  const now = at.clock.wallNanos();
  const from = pinOf(first, {
    name: 'old',
    metadata: { k: 'v' },
    origins: ['/ip4/1.2.3.4/tcp/1'],
    replicationFactorMin: 1,
    replicationFactorMax: 2,
    allocations: ['a', 'b'],
    maxDepth: 0,
    mode: 'direct',
    expireAt: timeFromNanos(now + 5_000_000_000n),
  });
  at.pinset.add(from);
  const asked = {
    pinUpdate: first,
    metadata: { other: 'x' },
    replicationFactorMin: 3,
    replicationFactorMax: 3,
    userAllocations: ['c'],
  };
  const timestamp = timeFromNanos(now);
  const taken = { ...from, cid: second, pinUpdate: first, timestamp };
  assert.deepEqual(await at.pinner.pin(pinOf(second, asked)), taken);
  const past = timeFromNanos(now - 1n);
  assert.deepEqual(await at.pinner.pin(pinOf(second, { ...asked, name: 'new', expireAt: past })), {
    ...taken,
    name: 'new',
  });
  const ahead = timeFromNanos(now + 9_000_000_000n);
  assert.deepEqual(await at.pinner.pin(pinOf(second, { ...asked, expireAt: ahead })), { ...taken, expireAt: ahead });
  assert.ok(at.pinset.has(first), 'the old pin stays');
  // Of itself it is an ordinary pin.
  const own = await at.pinner.pin(pinOf(first, { pinUpdate: first, maxDepth: 0, name: 'again' }));
  assert.deepEqual([own.name, own.metadata, own.pinUpdate], ['again', null, first]);
});

test('Pinner: an update of what is not pinned, not data, or over another type is refused', async () => {
  const at = world();
  at.pinset.add(meta, ...shards, pinOf(bystander));
  const update = (from: Cid, to: Cid): Promise<Pin> => at.pinner.pin(pinOf(to, { pinUpdate: from }));
  await assert.rejects(update(cidNumber(99), bystander), { code: 'cluster/not-pinned' });
  await assert.rejects(update(root, bystander), { message: 'this pin type cannot be updated' });
  await assert.rejects(update(bystander, first), { message: /different tracking method/ });
  assert.deepEqual(at.writes, []);
});

test('Pinner: what another peer has acknowledged a moment ago can be updated and unpinned', async () => {
  const at = world();
  at.others.push(pinOf(first));
  await at.pinner.pin(pinOf(second, { pinUpdate: first }));
  const later = world();
  later.others.push(pinOf(first));
  assert.equal((await later.pinner.unpin(first)).cid, first);
});

test('Pinner: the depth decides on the mode', async () => {
  const at = world();
  assert.equal((await at.pinner.pin(pinOf(first, { maxDepth: 0, mode: 'recursive' }))).mode, 'direct');
  assert.equal((await at.pinner.pin(pinOf(second, { maxDepth: -1, mode: 'direct' }))).mode, 'recursive');
});

test('pin_only_on_trusted_peers and pin_only_on_untrusted_peers decide on who is given a pin', async () => {
  const asked = pinOf(first, { replicationFactorMin: 2, replicationFactorMax: 4, userAllocations: ['d', 'a'] });
  const allocated = async (options: Partial<PinnerOptions>): Promise<readonly PeerId[]> =>
    [...((await world(options).pinner.pin(asked)).allocations ?? [])].sort();
  assert.deepEqual(await allocated({}), ['a', 'b', 'c', 'd']);
  assert.deepEqual(await allocated({ pinOnlyOnTrustedPeers: true }), ['a', 'b']);
  assert.deepEqual(await allocated({ pinOnlyOnUntrustedPeers: true }), ['c', 'd']);
});

test('replication_factor_min and replication_factor_max are those of pins that ask for none', async () => {
  const at = world({ replicationFactorMin: 1, replicationFactorMax: 3 });
  const pin = await at.pinner.pin(pinOf(first, { replicationFactorMin: 0, replicationFactorMax: 0 }));
  assert.deepEqual([pin.replicationFactorMin, pin.replicationFactorMax, pin.allocations?.length], [1, 3, 3]);
});

test('follower_mode refuses every write, before it looks at what is asked', async () => {
  const at = world({ followerMode: true });
  const refusal = { message: 'this peer is configured to be in follower mode. Write operations are disabled' };
  await assert.rejects(at.pinner.pin(pinOf(first, { replicationFactorMin: 9 })), refusal);
  await assert.rejects(at.pinner.pin(pinOf(first, { pinUpdate: second })), refusal);
  await assert.rejects(at.pinner.unpin(first), refusal);
});
