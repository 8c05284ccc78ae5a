import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { encode as encodeDagCbor } from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { collect } from '../../test/support/collect.ts';
import { settle } from '../../test/support/fake-clock.ts';
import { MemoryCluster } from '../../test/support/memory-cluster.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { OperatingError, pause } from '../base/index.ts';
import {
  type Cid,
  defaultPinOptions,
  type GlobalPinInfo,
  globalPinInfoOf,
  type PinOptions,
  stateKey,
  timeFromNanos,
  trackerStatusBits,
} from '../model/index.ts';
import type { PeerOptions } from './peer.ts';

async function started(t: TestContext, count: number, options: Partial<PeerOptions> = {}): Promise<MemoryCluster> {
  const cluster = new MemoryCluster();
  await cluster.start(count, options);
  t.after(() => cluster.stop());
  return cluster;
}

const asked = (more: Partial<PinOptions> = {}): PinOptions => ({ ...defaultPinOptions, ...more });
const factors = (min: number, max: number): Partial<PinOptions> => ({
  replicationFactorMin: min,
  replicationFactorMax: max,
});
const statuses = (info: GlobalPinInfo): string[] => Object.values(info.peerMap).map((entry) => entry.status);

test('Peer: a pin is agreed on, pinned everywhere, shown, and removed', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  const cid = cidNumber(1);
  const pin = await peer.pin(cid, asked({ name: 'one' }));
  assert.deepEqual([pin.name, pin.allocations, pin.replicationFactorMin], ['one', [], -1]);
  await settle();
  const info = await cluster.node(1).peer.status(cid);
  assert.deepEqual(statuses(info), ['pinned', 'pinned', 'pinned']);
  assert.equal(info.name, 'one');
  assert.deepEqual(
    Object.values(info.peerMap)
      .map((entry) => entry.peername)
      .sort(),
    ['peer-0', 'peer-1', 'peer-2'],
  );
  assert.equal(peer.pinGet(cid).name, 'one');
  assert.equal((await peer.unpin(cid)).name, 'one');
  await settle();
  assert.deepEqual(statuses(await peer.status(cid)), ['unpinned', 'unpinned', 'unpinned']);
  assert.throws(() => peer.pinGet(cid), { code: 'cluster/not-pinned', message: 'pin is not part of the pinset' });
});

test('Peer: allocates by factors, keeps to them, and asks only the allocated', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  const pin = await peer.pin(cidNumber(1), asked(factors(1, 2)));
  assert.equal(pin.allocations?.length, 2);
  await settle();
  cluster.calls.length = 0;
  const info = await peer.status(cidNumber(1));
  assert.deepEqual(statuses(info).sort(), ['pinned', 'pinned', 'remote']);
  assert.ok(cluster.calls.filter((call) => call.endsWith('PinTracker.Status')).length <= 2);
  const again = await peer.pin(cidNumber(1), asked({ ...factors(1, 2), name: 'renamed' }));
  assert.deepEqual([again.allocations, again.name], [pin.allocations, 'renamed']);
  await assert.rejects(peer.pin(cidNumber(2), asked(factors(4, 5))), {
    message:
      'not enough peers to allocate CID. Needed at least: 4. Wanted at most: 5. Available candidates: 3. See logs for more info.',
  });
});

test('Peer: what another peer has acknowledged can be unpinned at once', async (t) => {
  const cluster = await started(t, 3);
  cluster.late = 1;
  const cid = cidNumber(1);
  await cluster.node(0).peer.pin(cid, asked());
  assert.equal(cluster.node(1).pinset.has(cid), false);
  await cluster.node(1).peer.unpin(cid);
  assert.equal(cluster.node(0).pinset.has(cid), false);
});

test('Peer: refuses with the texts of the reference, and acts on nothing refused', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  const cid = cidNumber(1);
  const past = timeFromNanos(cluster.clock.wallNanos() - 1_000_000_000n);
  const refused: [Partial<PinOptions>, string][] = [
    [factors(3, 2), 'cluster.replication_factor_min is larger than max'],
    [factors(-2, 2), 'cluster.replication_factor_min is wrong'],
    [factors(-1, 2), 'cluster.replication_factor_min and max must be -1 when one of them is'],
    [{ expireAt: past }, 'pin.ExpireAt set before current time'],
    [{ pinUpdate: cidNumber(9) }, 'pin is not part of the pinset'],
  ];
  for (const [options, message] of refused) await assert.rejects(peer.pin(cid, asked(options)), { message });
  await assert.rejects(peer.unpin(cid), { message: 'pin is not part of the pinset' });
  assert.equal(cluster.node(0).pinset.count(), 0);
  await peer.pin(cid, asked());
  await assert.rejects(peer.pin(cid, asked({ mode: 'direct' })), {
    message:
      'cannot repin a CID which is already pinned in recursive mode (new pin is pinned as direct). Unpin it first.',
  });
  await assert.rejects(peer.pinObject(pinOf(cid, { type: 'shard-pin', maxDepth: 1 })), {
    message:
      'cannot repin CID with different tracking method, clear state with pin rm to proceed. New: shard-pin. Was: pin',
  });
  await peer.pinObject(pinOf(cidNumber(2), { type: 'shard-pin', maxDepth: 1 }));
  await assert.rejects(peer.unpin(cidNumber(2)), {
    message: 'cannot unpin a shard directly. Unpin content root CID instead',
  });
});

test('Peer: mode=direct is honoured, and direct pins are listed as pinned', async (t) => {
  const cluster = await started(t, 2);
  const { peer, ipfs } = cluster.node(0);
  const pin = await peer.pin(cidNumber(1), asked({ mode: 'direct' }));
  assert.deepEqual([pin.mode, pin.maxDepth], ['direct', 0]);
  await settle();
  assert.equal(ipfs.held.get(cidNumber(1).toString()), 'direct');
  const [info] = await collect(peer.statusAll(0));
  assert.deepEqual(info && statuses(info), ['pinned', 'pinned']);
});

test('Peer: a pin update takes over everything but what the request names', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  const from = await peer.pin(cidNumber(1), asked({ ...factors(1, 2), name: 'old', metadata: { a: '1' } }));
  const to = await peer.pin(cidNumber(2), asked({ pinUpdate: cidNumber(1), metadata: { b: '2' } }));
  assert.deepEqual([to.name, to.metadata, to.allocations], ['old', { a: '1' }, from.allocations]);
  assert.ok(to.pinUpdate?.equals(cidNumber(1)));
  assert.equal(peer.pinGet(cidNumber(1)).name, 'old', 'the source stays');
});

test('status of all: one failing peer marks only the CIDs allocated to it (R29)', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  const dead = cluster.node(2).id;
  const alive = [cluster.node(0).id, cluster.node(1).id];
  await peer.pinObject(pinOf(cidNumber(1), { ...factors(1, 2), allocations: alive }));
  await peer.pinObject(pinOf(cidNumber(2), { ...factors(1, 2), allocations: [cluster.node(0).id, dead] }));
  await peer.pinObject(pinOf(cidNumber(3)));
  await settle();
  cluster.cut(dead);
  const infos = await collect(peer.statusAll(0));
  const ofDead = Object.fromEntries(infos.map((info) => [info.cid.toString(), info.peerMap[dead]?.status]));
  assert.deepEqual(ofDead, {
    [cidNumber(1).toString()]: undefined,
    [cidNumber(2).toString()]: 'cluster_error',
    [cidNumber(3).toString()]: 'cluster_error',
  });
  assert.equal(infos.find((info) => info.cid.equals(cidNumber(2)))?.peerMap[dead]?.error, 'dial backoff');
  assert.deepEqual(
    infos.map((info) => stateKey(info.cid)),
    infos.map((info) => stateKey(info.cid)).sort(),
  );
});

test('a slow peer is bounded: in a status of all a hung one costs its deadline only (R29)', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  for (let n = 0; n < 20; n += 1) await peer.pin(cidNumber(n), asked());
  await settle();
  const hung = cluster.node(1).id;
  cluster.onCall = (to, method, signal) =>
    to === hung && method === 'PinTracker.StatusBlocks'
      ? new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new OperatingError('x/y', 'gone'))))
      : undefined;
  const all = collect(peer.statusAll(0));
  await cluster.clock.advance(14_000);
  const pending = await Promise.race([all.then(() => 'done'), settle().then(() => 'waiting')]);
  assert.equal(pending, 'waiting');
  await cluster.clock.advance(2000);
  const infos = await all;
  assert.equal(infos.length, 20);
  for (const info of infos) assert.equal(info.peerMap[hung]?.error, 'no answer within 15s');
});

test('status of all: a member that lists what is no CID fails alone', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  await peer.pin(cidNumber(1), asked());
  await settle();
  const { id: bad, tracker } = cluster.node(1);
  tracker.statusPages = async function* () {
    const key = 'A",{';
    yield [
      {
        key,
        status: 'pinned',
        timestamp: null,
        error: '',
        attemptCount: 0,
        priorityPin: false,
        pin: pinOf(cidNumber(1)),
      },
    ];
  };
  const infos = await collect(peer.statusAll(0));
  const statuses = infos.map(({ cid, peerMap }) => [
    cid.toString(),
    ...cluster.members.map((id) => peerMap[id]?.status),
  ]);
  const expected = cluster.members.map((id) => (id === bad ? 'cluster_error' : 'pinned'));
  assert.deepEqual(statuses, [[cidNumber(1).toString(), ...expected]]);
  assert.match(infos[0]?.peerMap[bad]?.error ?? '', /base32/);
});

test('status of all: Go peers are asked in their way, and ours in theirs, with one result', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  const [a, b] = [cluster.node(0).id, cluster.node(1).id];
  for (let n = 0; n < 10; n += 1)
    await peer.pin(cidNumber(n), asked({ name: `n ${n}`, origins: [], metadata: { n: String(n) } }));
  await peer.pinObject(pinOf(cidNumber(10), { ...factors(1, 2), allocations: [a, b], name: 'two' }));
  await cluster.clock.advance(1000);
  // Refused by the tracker's node: rows with an error, a time and attempts.
  cluster.node(1).ipfs.onAct = () => {
    throw new OperatingError('ipfs/full', 'no space left');
  };
  await peer.pin(cidNumber(11), asked());
  await peer.unpin(cidNumber(0));
  await cluster.clock.advance(1000);
  const seen: unknown[] = [];
  for (const answersInOrder of [true, false]) {
    for (const id of cluster.members) if (!answersInOrder) cluster.foreign.add(id);
    for (const filter of [0, trackerStatusBits.pinned, trackerStatusBits.pin_error | trackerStatusBits.unpin_error]) {
      seen.push(await collect(peer.statusAll(filter)));
    }
  }
  assert.deepEqual(cluster.calls.filter((call) => /Status(All|Blocks)$/.test(call)).length, 12);
  assert.deepEqual(seen.slice(0, 3), seen.slice(3));
  const [all, pinned, failed] = seen as GlobalPinInfo[][];
  assert.deepEqual([all?.length, pinned?.length, failed?.length], [12, 11, 2]);
  const unpinning = all?.find(({ cid }) => cid.equals(cidNumber(0)));
  assert.deepEqual([unpinning?.name, Object.keys(unpinning?.peerMap ?? {})], ['n 0', [b]]);
});

test('status of all: a member whose version does not know our way is asked in that of Go', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  for (let n = 0; n < 10; n += 1) await peer.pin(cidNumber(n), asked({ name: `n ${n}` }));
  await settle();
  const expected = await collect(peer.statusAll(0));
  const old = cluster.node(1).id;
  for (const code of ['rpc/server', 'rpc/authorization'] as const) {
    cluster.onCall = (to, method) => {
      if (to !== old || method !== 'PinTracker.StatusBlocks') return;
      throw new OperatingError(code, "rpc: can't find method StatusBlocks");
    };
    assert.deepEqual(await collect(peer.statusAll(0)), expected);
  }
});

test('status of all: behind a place it goes on as the whole list does, whoever the members are', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  for (let n = 0; n < 12; n += 1) await peer.pin(cidNumber(n), asked({ name: `n ${n}` }));
  await settle();
  // An operation on a pin that has left the pinset: its row has no other place than its key.
  for (const node of cluster.nodes) {
    node.ipfs.onAct = () => {
      throw new OperatingError('ipfs/full', 'no space left');
    };
  }
  await peer.unpin(cidNumber(5));
  await settle();
  const filter = trackerStatusBits.pinned | trackerStatusBits.unpin_error;
  const whole = await collect(peer.statusAll(filter));
  assert.equal(whole.length, 12);
  const old = cluster.node(1).id;
  const unknown = (to: string, method: string): undefined => {
    if (to === old && method === 'PinTracker.StatusBlocksAfter') {
      throw new OperatingError('rpc/server', "rpc: can't find method StatusBlocksAfter");
    }
  };
  for (const kind of ['ours', 'older', 'Go'] as const) {
    cluster.onCall = kind === 'older' ? unknown : () => undefined;
    if (kind === 'Go') cluster.foreign.add(cluster.node(2).id);
    for (let at = 0; at < whole.length; at += 1) {
      const cid = whole[at]?.cid ?? cidNumber(0);
      const rows = (await collect(peer.statusPages(filter, { after: stateKey(cid) }))).flat();
      assert.deepEqual(rows.map(globalPinInfoOf), whole.slice(at + 1), `${kind}, behind row ${at}`);
      const own = (await collect(peer.statusPagesLocal(0, { after: stateKey(cid) }))).flat();
      assert.equal(own.length, whole.length - at - 1);
    }
  }
  assert.ok(cluster.calls.some((call) => call.endsWith('PinTracker.StatusBlocksAfter')));
});

test('status of one: a silent peer costs its limit, a former member nothing', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  const former = '12D3KooWPgrsxW35QMq6oSHkd94DgBnNRyS1SEiQMApTJoS4DQug';
  await peer.pinObject(pinOf(cidNumber(1), { ...factors(1, 2), allocations: [cluster.node(0).id, former] }));
  await settle();
  const info = await peer.status(cidNumber(1));
  assert.deepEqual(
    [info.peerMap[former]?.status, info.peerMap[cluster.node(0).id]?.status],
    ['cluster_error', 'pinned'],
  );
});

test('Peer lists all members; one that is gone with its error', async (t) => {
  const cluster = await started(t, 3);
  cluster.cut(cluster.node(2).id);
  const ids = await collect(cluster.node(0).peer.peers());
  assert.deepEqual(ids.map((id) => id.error).sort(), ['', '', 'dial backoff']);
  const own = ids.find((id) => id.id === cluster.node(0).id);
  assert.deepEqual([own?.peername, own?.ipfs?.id], ['peer-0', `ipfs-${cluster.node(0).id}`]);
  assert.deepEqual(own?.clusterPeers, cluster.members);
  const graph = await cluster.node(0).peer.connectGraph();
  assert.deepEqual(graph.clusterLinks?.[cluster.node(2).id], []);
  assert.deepEqual(graph.clusterLinks?.[cluster.node(0).id], [cluster.node(1).id]);
});

test('Peer: members learn all addresses of each other by RPC, and introduce their IPFS nodes', async (t) => {
  const cluster = await started(t, 3);
  for (const node of cluster.nodes) {
    assert.deepEqual(
      [...node.addressBook.keys()].sort(),
      cluster.members.filter((id) => id !== node.id),
    );
    assert.equal(node.ipfs.connected.length >= 2, true);
  }
});

test('Peer: metrics are published though IPFS is down, ping with the last known IPFS id', async (t) => {
  const cluster = await started(t, 2);
  const { ipfs, id } = cluster.node(1);
  ipfs.setUp(false);
  await cluster.clock.advance(60_000);
  const ping = cluster
    .node(0)
    .peer.metrics('ping')
    .find((metric) => metric.peer === id);
  assert.match(ping?.value ?? '', /"ipfs_id":"ipfs-12D3/);
  assert.equal(cluster.node(0).peer.metrics('freespace').length, 1);
  const answer = await cluster.node(1).peer.id();
  assert.match(answer.ipfs?.error ?? '', /connection refused/);
});

test('Peer: an IPFS node that hangs does not make its peer flap, however short the interval of pings', async (t) => {
  const cluster = await started(t, 2, { monitorPingIntervalMs: 2000 });
  const { ipfs } = cluster.node(1);
  ipfs.onId = async (timeoutMs) => {
    await pause(cluster.clock, timeoutMs, new AbortController().signal);
    throw new Error('the node did not answer in time');
  };
  await cluster.clock.advance(60_000);
  assert.deepEqual(cluster.node(0).peer.alerts(), []);
  ipfs.onId = async () => {};
});

test('Peer: pins expire once, by one peer, and on time (R41)', async (t) => {
  const cluster = await started(t, 3);
  const { peer, pinset } = cluster.node(0);
  const soon = timeFromNanos(cluster.clock.wallNanos() + 10_000_000_000n);
  for (let n = 0; n < 10; n += 1) await peer.pin(cidNumber(n), asked({ expireAt: soon }));
  await peer.pin(cidNumber(99), asked());
  await cluster.clock.advance(9000);
  assert.equal(pinset.count(), 11);
  await cluster.clock.advance(1000);
  assert.equal(pinset.count(), 1);
  const removals = cluster.nodes.map((node) => node.ipfs.acts.filter((act) => act.startsWith('unpin')).length);
  assert.deepEqual(removals, [10, 10, 10]);
});

test('Peer: a pin that its user writes again while it is moved stays as the user wants it', async (t) => {
  const cluster = await started(t, 3, { disableRepinning: false });
  const { peer, pinset } = cluster.node(0);
  const [a, b, c] = cluster.members as [string, string, string];
  await peer.pinObject(pinOf(cidNumber(1), { ...factors(2, 2), allocations: [a, c] }));
  let hasRaced = false;
  cluster.onWrite = async () => {
    cluster.onWrite = () => {};
    hasRaced = true;
    await peer.pinObject(pinOf(cidNumber(1), { ...factors(1, 1), name: 'newer', allocations: [b] }));
  };
  cluster.cut(c);
  await cluster.clock.advance(300_000);
  assert(hasRaced);
  const { name, allocations } = pinset.get(cidNumber(1)) ?? pinOf(cidNumber(1));
  assert.deepEqual([name, allocations], ['newer', [b]]);
});

test('Peer: content with shards expires as a whole, unless it was written again', async (t) => {
  const cluster = await started(t, 3);
  const { peer, pinset } = cluster.node(0);
  const [meta, dag, ...shards] = [1, 2, 3, 4].map(cidNumber) as [Cid, Cid, ...Cid[]];
  const block = encodeDagCbor(Object.fromEntries(shards.map(({ bytes }, n) => [n, CID.decode(bytes)])));
  for (const { ipfs } of cluster.nodes) ipfs.blocks.set(dag.key, block);
  const write = async (): Promise<void> => {
    const expireAt = timeFromNanos(cluster.clock.wallNanos() + 10_000_000_000n);
    for (const cid of shards) await peer.pinObject(pinOf(cid, { type: 'shard-pin', maxDepth: 1, expireAt }));
    await peer.pinObject(pinOf(dag, { type: 'clusterdag-pin', maxDepth: 0, reference: meta, expireAt }));
    await peer.pinObject(pinOf(meta, { type: 'meta-pin', reference: dag, expireAt }));
  };
  await write();
  await cluster.clock.advance(9000);
  await write();
  await cluster.clock.advance(9000);
  assert.equal(pinset.count(), 4);
  await cluster.clock.advance(1000);
  assert.equal(pinset.count(), 0);

  // A removal that has ended before its last step.
  await write();
  cluster.onWrite = (_, pin) => {
    if (pin.type === 'meta-pin') throw new OperatingError('consensus/stopped', 'consensus is shutdown');
  };
  await cluster.clock.advance(10_000);
  assert.deepEqual([pinset.count(), pinset.has(meta)], [1, true]);
  cluster.onWrite = () => {};
  await cluster.clock.advance(300_000);
  assert.equal(pinset.count(), 0);
});

test('Peer: alerts keep flowing with repinning disabled', async (t) => {
  const cluster = await started(t, 2);
  const { peer } = cluster.node(0);
  const other = cluster.node(1).id;
  for (let death = 1; death <= 3; death += 1) {
    cluster.cut(other);
    await cluster.clock.advance(60_000);
    assert.equal(peer.alerts().filter((alert) => alert.name === 'ping').length, death);
    cluster.join(other);
    await cluster.clock.advance(30_000);
  }
});

test('Peer: a peer that others have removed notices', async (t) => {
  const cluster = await started(t, 3);
  const { peer, id } = cluster.node(2);
  await cluster.node(0).peer.peerRemove(id);
  let isRemoved = false;
  void peer.removed.then(() => {
    isRemoved = true;
  });
  await cluster.clock.advance(6000);
  assert.equal(isRemoved, true);
});

test('Peer: a peer that starts with data that has its removal ends, unless it is led on', async (t) => {
  const cluster = await started(t, 2);
  const { peer, id } = await cluster.addOutsider();
  let isRemoved = false;
  void peer.removed.then(() => {
    isRemoved = true;
  });
  cluster.returning.add(id);
  await peer.start();
  await cluster.clock.advance(20_000);
  assert.equal(isRemoved, false);
  cluster.returning.delete(id);
  await cluster.clock.advance(20_000);
  assert.equal(isRemoved, true);
});

test('Peer: a peer that is led on past its removal has not been removed', async (t) => {
  const cluster = await started(t, 3);
  const { peer, id } = cluster.node(2);
  let isRemoved = false;
  void peer.removed.then(() => {
    isRemoved = true;
  });
  cluster.returning.add(id);
  await cluster.node(0).peer.peerRemove(id);
  await cluster.clock.advance(6000);
  assert.equal(isRemoved, false);
  cluster.returning.delete(id);
  await cluster.clock.advance(6000);
  assert.equal(isRemoved, true);
});

test('Peer: a peer that asks to be taken in again does not end because it was removed', async (t) => {
  const cluster = await started(t, 3);
  const { peer, id } = cluster.node(2);
  let isRemoved = false;
  void peer.removed.then(() => {
    isRemoved = true;
  });
  cluster.cut(id);
  cluster.isConfirming = false;
  void peer.bootstrap([`/ip4/127.0.0.1/tcp/1000/p2p/${cluster.node(0).id}`]);
  await cluster.clock.advance(1000);
  cluster.members = cluster.members.filter((member) => member !== id);
  await cluster.clock.advance(20_000);
  assert.equal(isRemoved, false);
  cluster.join(id);
  cluster.isConfirming = true;
  await cluster.clock.advance(20_000);
  assert.deepEqual([isRemoved, cluster.members.includes(id)], [false, true]);
  // And when it is removed again it ends.
  await cluster.node(0).peer.peerRemove(id);
  await cluster.clock.advance(6000);
  assert.equal(isRemoved, true);
});

test('Peer: adding a peer does not wait for the disk that its address is saved to', async (t) => {
  const cluster = new MemoryCluster();
  t.after(() => cluster.stop());
  const saved: string[] = [];
  let isHanging = false;
  let thaw = (): void => {};
  cluster.addressFile = {
    path: 'peerstore',
    save: async (addresses) => {
      if (isHanging) await new Promise<void>((resolve) => (thaw = resolve));
      saved.push(...addresses);
    },
  };
  await cluster.start(2);
  const { id } = await cluster.addOutsider();
  isHanging = true;
  let added = '';
  void cluster
    .node(0)
    .peer.peerAdd(id)
    .then((answer) => {
      added = answer.id;
    });
  await cluster.clock.advance(100);
  assert.equal(added, id);
  const isSaved = (): boolean => saved.some((address) => address.endsWith(id));
  assert.equal(isSaved(), false);
  isHanging = false;
  thaw();
  await cluster.clock.advance(3000);
  assert.equal(isSaved(), true);
});

test('Peer: a follower refuses writes and shows itself only', async (t) => {
  const cluster = await started(t, 2, { followerMode: true });
  const { peer } = cluster.node(0);
  const message = 'this peer is configured to be in follower mode. Write operations are disabled';
  await assert.rejects(peer.pin(cidNumber(1), asked()), { message });
  await assert.rejects(peer.unpin(cidNumber(1)), { message });
  assert.deepEqual(Object.keys((await peer.status(cidNumber(1))).peerMap), [cluster.node(0).id]);
});

test('Peer: recovers one and all on every peer, past failures', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  for (let n = 0; n < 5; n += 1) await peer.pin(cidNumber(n), asked());
  await cluster.clock.advance(1000);
  for (const node of cluster.nodes) node.ipfs.held.clear();
  const info = await peer.recover(cidNumber(0));
  assert.deepEqual(statuses(info), ['pin_queued', 'pin_queued', 'pin_queued']);
  cluster.cut(cluster.node(2).id);
  const recovered = await collect(peer.recoverAll());
  assert.equal(recovered.length, 4);
  assert.deepEqual(statuses(recovered[0] as GlobalPinInfo).sort(), ['cluster_error', 'pin_queued', 'pin_queued']);
  await cluster.clock.advance(1000);
  assert.equal(cluster.node(1).ipfs.held.size, 5);
});

test('Peer: garbage collection and room of all members', async (t) => {
  const cluster = await started(t, 3);
  const { peer } = cluster.node(0);
  assert.deepEqual(await peer.repoStat(), { repoSize: 900, storageMax: 3000 });
  cluster.cut(cluster.node(1).id);
  assert.deepEqual(await peer.repoStat(), { repoSize: 600, storageMax: 2000 });
  const { peerMap } = await peer.repoGc();
  assert.deepEqual(
    cluster.members.map((id) => peerMap[id]?.error),
    ['', 'dial backoff', ''],
  );
});

test('Peer: stops whatever state it is in', async () => {
  const cluster = new MemoryCluster();
  await cluster.start(2);
  cluster.node(0).ipfs.onAct = () => new Promise(() => {});
  await cluster.node(0).peer.pin(cidNumber(1), asked());
  cluster.cut(cluster.node(1).id);
  const startMs = cluster.clock.now();
  const stopped = Promise.all(cluster.nodes.map((node) => node.peer.stop()));
  let endMs = 0;
  void stopped.then(() => {
    endMs = cluster.clock.now();
  });
  await cluster.clock.advance(6000);
  await stopped;
  assert.ok(endMs - startMs <= 5000, `${endMs - startMs}`);
});
