import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { settle } from '../../test/support/fake-clock.ts';
import { type ClusterNode, MemoryCluster } from '../../test/support/memory-cluster.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { type Logger, SeededRandom, silentLogger } from '../base/index.ts';
import {
  type CordonMode,
  cordonModes,
  defaultPinOptions,
  type PeerId,
  type Pin,
  type PinOptions,
} from '../model/index.ts';
import { AllocationWriter } from './allocation-writer.ts';
import { MemberWatch } from './member-watch.ts';
import { Mover } from './mover.ts';
import type { PeerOptions } from './peer.ts';

const graceMs = 120_000;
/** Longer than a ping lives, a look and the grace period together. */
const lostMs = graceMs + 60_000;

interface Prepared {
  readonly cluster: MemoryCluster;
  /** In the order of ids. */
  readonly ids: readonly PeerId[];
  of(id: PeerId | undefined): ClusterNode;
  /** The `n`-th pin as everybody has it. */
  pin(n: number): Pin;
  holders(n: number): readonly PeerId[];
  /** Writes since the last call, by number of the pin. */
  written(): readonly number[];
}

async function started(
  t: TestContext,
  count: number,
  options: Partial<PeerOptions> = {},
  prepare: (cluster: MemoryCluster) => void = () => {},
): Promise<Prepared> {
  const cluster = new MemoryCluster();
  prepare(cluster);
  await cluster.start(count, { disableRepinning: false, ...options });
  t.after(() => cluster.stop());
  const ids = [...cluster.members];
  const pin = (n: number): Pin => cluster.node(0).pinset.get(cidNumber(n)) ?? assert.fail(`no pin ${n}`);
  const numbers = new Map(Array.from({ length: 300 }, (_, n) => [cidNumber(n).toString(), n] as const));
  let seen = 0;
  return {
    cluster,
    ids,
    of: (id) => cluster.nodes.find((node) => node.id === id) ?? assert.fail(`no node ${id}`),
    pin,
    holders: (n) => pin(n).allocations ?? [],
    written: () => {
      const fresh = cluster.writes.slice(seen);
      seen = cluster.writes.length;
      return fresh.map((write) => numbers.get(write.pin.cid.toString()) ?? -1);
    },
  };
}

const factors = (min: number, max: number): Partial<PinOptions> => ({
  replicationFactorMin: min,
  replicationFactorMax: max,
});
const asked = (more: Partial<PinOptions>): PinOptions => ({ ...defaultPinOptions, ...more });

/** Allocates pin `n` as told, whatever the allocator would choose. */
async function allocated(
  cluster: MemoryCluster,
  n: number,
  min: number,
  max: number,
  ids: readonly (PeerId | undefined)[],
) {
  const allocations = ids.map((id) => id ?? assert.fail('no such peer'));
  await cluster.node(0).peer.pinObject(pinOf(cidNumber(n), { ...factors(min, max), allocations, name: `pin ${n}` }));
}

/** How many IPFS nodes hold the pin in truth. */
const copies = (cluster: MemoryCluster, n: number): number =>
  cluster.nodes.filter((node) => node.ipfs.held.has(cidNumber(n).toString())).length;

/** Collects what operators would read. */
function recorder(): { readonly lines: string[]; readonly logger: Logger } {
  const lines: string[] = [];
  const line = (message: string, fields: object = {}): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { error: line, warn: line, info: line, debug: () => {}, scope: () => logger };
  return { lines, logger };
}

test('one lost peer: moves are exactly the pins below their minimum, each written once (R17)', async (t) => {
  const { cluster, ids, holders, written } = await started(t, 5);
  const [a, b, c, , e] = ids;
  for (let n = 0; n < 30; n += 1) {
    if (n < 10) await allocated(cluster, n, 2, 2, [n % 2 === 0 ? a : b, e]);
    else if (n < 20) await allocated(cluster, n, 1, 3, [a, b, e]);
    else await allocated(cluster, n, 2, 2, [a, c]);
  }
  await settle();
  written();
  cluster.cut(e ?? '');
  await cluster.clock.advance(graceMs - 10_000);
  assert.deepEqual(written(), [], 'nothing moves within the grace period');
  await cluster.clock.advance(lostMs);
  assert.deepEqual(
    [...written()].sort((x, y) => x - y),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  for (let n = 0; n < 30; n += 1) {
    assert.equal(holders(n).includes(e ?? ''), n >= 10 && n < 20, `pin ${n}`);
    assert.ok(copies(cluster, n) >= 2, `copies of pin ${n}`);
  }
  await cluster.clock.advance(2 * 3_600_000);
  assert.deepEqual(written(), [], 'and that is all');
});

test('a flapping peer moves none (R17)', async (t) => {
  const { cluster, ids, written } = await started(t, 4);
  const [a, , , d] = ids;
  for (let n = 0; n < 5; n += 1) await allocated(cluster, n, 2, 2, [a, d]);
  await settle();
  written();
  for (let flap = 0; flap < 10; flap += 1) {
    cluster.cut(d ?? '');
    await cluster.clock.advance(100_000);
    cluster.join(d ?? '');
    await cluster.clock.advance(40_000);
  }
  assert.deepEqual(written(), []);
});

test('replicas are within min..max again after the peer is back (R19)', async (t) => {
  const { cluster, ids, holders, pin, written } = await started(t, 4);
  const [a, b, c, d] = ids;
  await allocated(cluster, 0, 2, 2, [a, d]);
  await allocated(cluster, 1, 1, 2, [b, d]);
  await allocated(cluster, 2, 2, 3, [c, d]);
  await settle();
  cluster.cut(d ?? '');
  await cluster.clock.advance(lostMs + 10_000);
  assert.equal(holders(0).includes(d ?? ''), false);
  // Nobody else was free for a pin that had to have three: the lost peer kept its place.
  await allocated(cluster, 3, 3, 3, [a, b, d]);
  await cluster.clock.advance(60_000);
  assert.equal(holders(3).length, 3);
  written();
  cluster.join(d ?? '');
  await cluster.clock.advance(20 * 60_000);
  for (const n of [0, 1, 2, 3]) {
    const { replicationFactorMin: min, replicationFactorMax: max } = pin(n);
    assert.ok(copies(cluster, n) >= min && copies(cluster, n) <= max, `pin ${n}: ${copies(cluster, n)} copies`);
    assert.ok(holders(n).length <= max, `pin ${n}: ${holders(n)}`);
  }
});

test('a lost holder that has the last copy still has it when it comes back before the new ones have got it', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 4);
  const [a, b, c, d] = ids as [PeerId, PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 1, 1, [a]);
  await settle();
  assert.equal(copies(cluster, 0), 1);
  // Nobody else has the content: it cannot be fetched while its only holder is away.
  let isThere = false;
  for (const id of [b, c, d]) {
    of(id).ipfs.onAct = (act) => {
      if (act === 'pin' && !isThere) throw new Error('cannot be found');
    };
  }
  cluster.cut(a);
  await cluster.clock.advance(lostMs);
  const [next = ''] = holders(0).filter((peer) => peer !== a);
  assert.notEqual(next, '', 'somebody else is to get it');
  cluster.join(a);
  await cluster.clock.advance(60_000);
  assert.deepEqual([copies(cluster, 0), of(a).ipfs.held.size], [1, 1], 'it keeps what only it has');
  isThere = true;
  await cluster.clock.advance(1_200_000);
  assert.deepEqual([copies(cluster, 0), holders(0).length], [1, 1]);
});

test('too many replicas are trimmed once enough of the others hold the pin, the last chosen first (R19)', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 4, { stateSyncIntervalMs: 60_000 });
  const [a, b, c] = ids;
  const release = Promise.withResolvers<void>();
  of(b).ipfs.onAct = (act) => (act === 'pin' ? release.promise : undefined);
  await allocated(cluster, 0, 2, 2, [a, b, c]);
  await cluster.clock.advance(30_000);
  assert.equal(holders(0).length, 3, 'a move may be under way');
  await cluster.clock.advance(20 * 60_000);
  assert.deepEqual(holders(0), [a, c], 'one that does not hold it goes first');
  release.resolve();
});

test('dead ids in allocations are repaired (R18)', async (t) => {
  const { cluster, ids, holders } = await started(t, 4, { stateSyncIntervalMs: 60_000 });
  const [a, b] = ids;
  const dead = '12D3KooWQMUMsh9rjVc8GDPjTtkRLsXUyqZQSdMKYvojQ4cPijjJ';
  await allocated(cluster, 0, 2, 2, [a, dead]);
  await allocated(cluster, 1, 1, 3, [a, b, dead]);
  await allocated(cluster, 2, 1, 1, [dead]);
  await cluster.clock.advance(13 * 60_000);
  assert.equal(holders(0).length, 2);
  assert.deepEqual(holders(1), [a, b]);
  for (const n of [0, 1, 2]) assert.equal(holders(n).includes(dead), false, `pin ${n}`);
  assert.equal(copies(cluster, 2), 1);
});

test('allocations held by a follower that may not hold them are repaired, made before broken (R18)', async (t) => {
  const trustedOnly = { pinOnlyOnTrustedPeers: true, stateSyncIntervalMs: 60_000 };
  const { cluster, ids, holders, of } = await started(t, 4, trustedOnly);
  const [a, , , d] = ids;
  cluster.untrusted.add(d ?? '');
  await allocated(cluster, 0, 2, 2, [a, d]);
  of(d).ipfs.onAct = (act) => {
    if (act === 'unpin') assert.equal(copies(cluster, 0), 3, 'the follower lets go last');
  };
  await cluster.clock.advance(15 * 60_000);
  assert.equal(holders(0).length, 2);
  assert.equal(holders(0).includes(d ?? ''), false);
  assert.equal(copies(cluster, 0), 2);
});

for (const disableRepinning of [true, false]) {
  test(`the 1,000th alert is still delivered with disable_repinning ${disableRepinning} (R20)`, async (t) => {
    const { cluster, ids } = await started(t, 2, { disableRepinning, monitorPingIntervalMs: 3_600_000 });
    const [a, b] = ids;
    const node = cluster.nodes.find(({ id }) => id === a) ?? assert.fail();
    cluster.cut(b ?? '');
    let heard = 0;
    node.monitor.onAlert((alert) => (heard += alert.name === 'ping' ? 1 : 0));
    for (let death = 1; death <= 1000; death += 1) {
      const expire = cluster.clock.wallNanos() + 1_000_000_000n;
      const ping = node.monitor.latestOf('ping', a ?? '') ?? assert.fail();
      node.monitor.record({ ...ping, peer: b ?? '', expire });
      await cluster.clock.advance(15_000);
    }
    assert.equal(heard, 1000);
    assert.equal(node.peer.alerts().filter(({ name }) => name === 'ping').length > 900, true);
  });
}

test('the last peer is not drained while it holds what is for all', async (t) => {
  const cluster = new MemoryCluster();
  await cluster.start(1);
  t.after(() => cluster.stop());
  const { peer, id } = cluster.node(0);
  const state = async (): Promise<string | undefined> => (await peer.memberStates())[0]?.state;
  await peer.cordonPeer(id, 'draining');
  assert.equal(await state(), 'drained');
  await peer.pinObject(pinOf(cidNumber(1)));
  assert.equal(await state(), 'draining');
});

test('a drained peer ends with no allocation, and nobody lets go before enough others hold the pin', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 4);
  const [a, b, c, d] = ids;
  for (let n = 0; n < 20; n += 1) {
    if (n < 10) await allocated(cluster, n, 2, 2, [[a, b, c][n % 3], d]);
    else await allocated(cluster, n, 1, 3, [a, d]);
  }
  await cluster.clock.advance(1000);
  const gate = Promise.withResolvers<void>();
  for (const id of [a, b, c]) of(id).ipfs.onAct = (act) => (act === 'pin' ? gate.promise : undefined);
  of(d).ipfs.onAct = (act, cid) => {
    if (act !== 'unpin') return;
    const held = cluster.nodes.filter((node) => node.id !== d && node.ipfs.held.has(cid.toString())).length;
    const { replicationFactorMin: min } = cluster.node(0).pinset.get(cid) ?? assert.fail();
    assert.ok(held >= min, `${held} others hold it`);
  };
  await cluster.node(0).peer.cordonPeer(d ?? '', 'draining');
  await cluster.clock.advance(60_000);
  const states = async () => (await cluster.node(1).peer.memberStates()).find(({ peer }) => peer === d);
  // Those that have enough holders without it are gone from it; the others wait for their new holders.
  assert.deepEqual([(await states())?.state, (await states())?.pins], ['draining', 10]);
  for (let n = 0; n < 10; n += 1) assert.equal(holders(n).length, 3);
  gate.resolve();
  await cluster.clock.advance(120_000);
  assert.deepEqual([(await states())?.state, (await states())?.pins], ['drained', 0]);
  for (let n = 0; n < 20; n += 1) {
    assert.equal(holders(n).length, n < 10 ? 2 : 1);
    assert.equal(copies(cluster, n), n < 10 ? 2 : 1);
  }
});

test('whoever drains a peer is told whom the last pins wait for', async (t) => {
  const { lines, logger } = recorder();
  const { cluster, ids, of } = await started(t, 3, {}, (made) => {
    made.logger = logger;
  });
  const [a, b, c] = ids;
  for (let n = 0; n < 3; n += 1) await allocated(cluster, n, 2, 2, [a, c]);
  await cluster.clock.advance(1000);
  of(b).ipfs.onAct = async () => {
    throw new Error('disk full');
  };
  await cluster.node(0).peer.cordonPeer(c ?? '', 'draining');
  await cluster.clock.advance(300_000);
  const waits = lines.flatMap((line) => /^healing goes on .*"waitsFor":"([^"]+)"/.exec(line)?.[1] ?? []);
  assert.ok(waits.length > 0);
  for (const text of waits) assert.match(text, new RegExp(`^${b} \\([1-3]\\)$`));
});

test('right after a drain no pin is told as having too few replicas, while its holders take in that it was moved', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 4);
  const [a, , , d] = ids as [PeerId, PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 2, 2, [a, d]);
  await cluster.clock.advance(1000);
  const gate = Promise.withResolvers<void>();
  for (const id of ids) {
    const { held } = of(id).ipfs;
    of(id).ipfs.onAct = (act, cid) => (act === 'pin' && held.has(cid.toString()) ? gate.promise : undefined);
  }
  await cluster.node(0).peer.cordonPeer(d, 'draining');
  await cluster.clock.advance(60_000);
  assert.equal(holders(0).includes(d), false);
  await cluster.node(0).peer.cordonPeer(d, 'none');
  const { full, belowMin } = await cluster.node(0).peer.replication({ isVerified: true });
  assert.deepEqual([full, belowMin], [1, 0]);
  gate.resolve();
});

for (const [why, spoil] of [
  ['cannot pin', (node) => (node.ipfs.onAct = (act) => assert.notEqual(act, 'pin', 'disk full'))],
  ['has lost its IPFS node', (node) => node.ipfs.setUp(false)],
] as const satisfies readonly (readonly [string, (node: ClusterNode) => void])[]) {
  test(`a drain does not wait for a new holder that ${why} when another one can take the pin`, async (t) => {
    const { cluster, ids, holders, of, written } = await started(t, 4, { stateSyncIntervalMs: 60_000 });
    const [a, b, c, d] = ids as [PeerId, PeerId, PeerId, PeerId];
    await allocated(cluster, 0, 2, 2, [a, d]);
    await cluster.clock.advance(1000);
    let chosen: PeerId | undefined;
    for (const id of [b, c]) {
      of(id).ipfs.onAct = (act) => {
        if (act !== 'pin' || chosen !== undefined) return;
        chosen = id;
        spoil(of(id));
        throw new Error('not now');
      };
    }
    await cluster.node(0).peer.cordonPeer(d, 'draining');
    await cluster.clock.advance(30_000);
    assert.deepEqual(new Set(holders(0)), new Set([a, chosen, d]), 'it may yet get it');
    written();
    await cluster.clock.advance(300_000);
    const other = chosen === b ? c : b;
    assert.deepEqual([...holders(0)].sort(), [a, other].sort());
    assert.equal(of(other).ipfs.held.size, 1);
    assert.deepEqual(written(), [0, 0], 'it is chosen, and the drained one is dropped');
  });
}

test('a drain does not wait for a holder that does not say whether it holds the pin, and takes nothing from it', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 4, { stateSyncIntervalMs: 60_000 });
  const [a, b, c, d] = ids as [PeerId, PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 2, 3, [a, b, d]);
  await cluster.clock.advance(200_000);
  of(b).ipfs.setUp(false);
  await cluster.node(0).peer.cordonPeer(d, 'draining');
  await cluster.clock.advance(30_000);
  assert.deepEqual(holders(0), [a, b, d], 'it may soon say something');
  await cluster.clock.advance(300_000);
  assert.deepEqual(new Set(holders(0)), new Set([a, b, c]));
  assert.equal(of(c).ipfs.held.size, 1);
});

test('peers that are drained at once are not all waited for: those that the pins need stay their holders', async (t) => {
  const { cluster, ids, holders } = await started(t, 3);
  const [a, b, c] = ids as [PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 2, 2, [a, b]);
  await allocated(cluster, 1, 1, 2, [a, b]);
  await cluster.clock.advance(1000);
  await cluster.node(0).peer.cordonPeer(a, 'draining');
  await cluster.node(0).peer.cordonPeer(b, 'draining');
  await cluster.clock.advance(180_000);
  assert.equal(holders(0).length, 2);
  assert.ok(holders(0).includes(c));
  assert.deepEqual(holders(1), [c]);
  assert.deepEqual([copies(cluster, 0), copies(cluster, 1)], [2, 1]);
});

test('a new holder that has lost the pin, and does not know it, is told to get it', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 3);
  const [a, b, c] = ids;
  await allocated(cluster, 0, 2, 2, [a, c]);
  await cluster.clock.advance(1000);
  of(b).ipfs.onAct = async (act, cid) => {
    // Somebody else takes it off the node once.
    if (act !== 'pin') return;
    of(b).ipfs.onAct = () => {};
    cluster.clock.after(1, () => of(b).ipfs.held.delete(cid.toString()));
  };
  await cluster.node(0).peer.cordonPeer(c ?? '', 'draining');
  await cluster.clock.advance(60_000);
  assert.deepEqual(holders(0), [a, b]);
  assert.equal(of(b).ipfs.held.size, 1);
});

test('draining works although repinning is disabled, and moves nothing else', async (t) => {
  const { cluster, ids, holders, written } = await started(t, 5, { disableRepinning: true });
  const [a, b, c, d, e] = ids;
  await allocated(cluster, 0, 1, 1, [d]);
  await allocated(cluster, 1, 2, 2, [a, e]);
  await allocated(cluster, 2, 2, 2, [b, c]);
  cluster.cut(e ?? '');
  await cluster.clock.advance(lostMs);
  written();
  await cluster.node(0).peer.cordonPeer(d ?? '', 'draining');
  await cluster.clock.advance(120_000);
  assert.equal(holders(0).includes(d ?? ''), false);
  assert.equal(holders(0).length, 1);
  assert.deepEqual(holders(1), [a, e]);
  assert.deepEqual([...new Set(written())], [0]);
});

test('a cordoned peer keeps what it has, gets nothing new, and is as before when it is free', async (t) => {
  const { cluster, ids, holders, written } = await started(t, 3);
  const [a, b, c] = ids;
  await allocated(cluster, 0, 2, 2, [a, c]);
  await cluster.node(0).peer.cordonPeer(c ?? '', 'cordoned');
  await cluster.clock.advance(35_000);
  written();
  const { peer } = cluster.node(0);
  for (let n = 1; n < 4; n += 1) await peer.pin(cidNumber(n), asked(factors(1, 3)));
  for (let n = 1; n < 4; n += 1) assert.deepEqual([...holders(n)].sort(), [a, b]);
  assert.deepEqual(holders(0), [a, c]);
  const state = async () => (await cluster.node(1).peer.memberStates()).map(({ state, pins }) => `${state} ${pins}`);
  assert.deepEqual(await state(), ['alive 4', 'alive 3', 'cordoned 1']);
  const isSinceKnown = async () => (await cluster.node(1).peer.memberStates()).map(({ since }) => since !== null);
  assert.deepEqual(
    await isSinceKnown(),
    [true, true, false],
    'since when it is alive is not since when it is cordoned',
  );
  await cluster.node(1).peer.cordonPeer(c ?? '', 'none');
  await cluster.clock.advance(1000);
  await peer.pin(cidNumber(4), asked(factors(3, 3)));
  assert.deepEqual([...holders(4)].sort(), [a, b, c]);
  assert.deepEqual((await state())[2], 'alive 2');
  assert.deepEqual(await isSinceKnown(), [true, true, true]);
  await cluster.clock.advance(3_600_000);
  assert.equal(peer.alerts().filter(({ name }) => name === 'cordon').length, 0, 'nobody is alarmed');
});

test('what a peer was told outlives it, and a file that cannot be written changes nothing', async (t) => {
  let saved: CordonMode = 'draining';
  let isFull = false;
  const { cluster, ids } = await started(t, 3, {}, (made) => {
    made.cordonFile = {
      read: async () => saved,
      save: async (mode) => {
        if (isFull) throw new RangeError('no space left');
        saved = mode;
      },
    };
  });
  const told = async () => (await cluster.node(0).peer.memberStates()).map(({ cordon }) => cordon);
  assert.deepEqual(await told(), ['draining', 'draining', 'draining']);
  await cluster.node(0).peer.cordonPeer(ids[1] ?? '', 'none');
  assert.equal(saved, 'none');
  assert.deepEqual(await told(), ['draining', 'none', 'draining']);
  isFull = true;
  await assert.rejects(cluster.node(0).peer.cordonPeer(ids[2] ?? '', 'none'), /cannot be cordoned/);
  assert.deepEqual(await told(), ['draining', 'none', 'draining']);
});

test('of orders that come at once the last one holds, in the file too', async (t) => {
  let saved: CordonMode = 'none';
  const saves: { readonly mode: CordonMode; readonly gate: PromiseWithResolvers<void> }[] = [];
  const { cluster } = await started(t, 1, {}, (made) => {
    made.cordonFile = {
      read: async () => saved,
      save: async (mode) => {
        const gate = Promise.withResolvers<void>();
        saves.push({ mode, gate });
        await gate.promise;
        saved = mode;
      },
    };
  });
  const { peer } = cluster.node(0);
  const orders = [peer.cordon('draining'), peer.cordon('cordoned'), peer.cordon('none')];
  const failed = assert.rejects(orders[1] ?? Promise.resolve(), /no space left/);
  // Whichever is saved last is what the file has: those that are begun end the wrong way round.
  for (let turn = 0; turn < 4; turn += 1) {
    await settle();
    for (const { mode, gate } of saves.splice(0).reverse()) {
      if (mode === 'cordoned') gate.reject(new RangeError('no space left'));
      else gate.resolve();
      await settle();
    }
  }
  await cluster.clock.advance(1000);
  await Promise.all([orders[0], failed, orders[2]]);
  assert.deepEqual([saved, (await peer.memberStates())[0]?.cordon], ['none', 'none']);
});

test('cordoning is refused for who is no member, and for a peer that knows nothing of it', async (t) => {
  const { cluster, ids } = await started(t, 2);
  const { peer } = cluster.node(0);
  const stranger = '12D3KooWQMUMsh9rjVc8GDPjTtkRLsXUyqZQSdMKYvojQ4cPijjJ';
  await assert.rejects(peer.cordonPeer(stranger, 'cordoned'), { code: 'cluster/no-member' });
  cluster.onCall = (_, method) => {
    if (method === 'Cluster.Cordon') throw Object.assign(new RangeError('no'), { code: 'rpc/server' });
  };
  const other = ids.find((id) => id !== cluster.node(0).id) ?? '';
  await assert.rejects(peer.cordonPeer(other, 'draining'), {
    code: 'cluster/cannot-cordon',
    message: `${other} cannot be cordoned: its program knows nothing of it, or does not trust this peer`,
  });
});

test('a removed peer leaves no allocation behind, and what cannot be placed is told', async (t) => {
  const { lines, logger } = recorder();
  const { cluster, ids, holders } = await started(t, 3, {}, (made) => {
    made.logger = logger;
  });
  const [a, b, c] = ids;
  await allocated(cluster, 0, 2, 2, [a, c]);
  await allocated(cluster, 1, 1, 2, [a, c]);
  await allocated(cluster, 2, 3, 3, [a, b, c]);
  await allocated(cluster, 3, 1, 1, [c]);
  lines.length = 0;
  await cluster.node(0).peer.peerRemove(c ?? '');
  assert.deepEqual([...holders(0)].sort(), [a, b]);
  assert.deepEqual(holders(1), [a]);
  assert.deepEqual(holders(2), [a, b]);
  assert.equal(holders(3).length, 1);
  for (const n of [0, 1, 2, 3]) assert.equal(holders(n).includes(c ?? ''), false);
  assert.ok(
    lines.some((line) => /pins of the removed peer .*"moved":4,.*"belowMinimum":1/.test(line)),
    lines.join('\n'),
  );
  assert.ok(
    lines.some((line) => /held by it alone.*"pins":1/.test(line)),
    lines.join('\n'),
  );
});

for (const [count, told] of [
  [16, /^pins of the removed peer stay below their minimum \{.*"pins":16\}$/],
  [300, /^pins of the removed peer stay below their minimum, and an unknown number more: too many failed in a row \{/],
] as const) {
  test(`a removal whose ${count} pins cannot be written says what it knows of them`, async (t) => {
    const { lines, logger } = recorder();
    const { cluster, ids } = await started(t, 3, {}, (made) => {
      made.logger = logger;
    });
    const [a, , c] = ids;
    for (let n = 0; n < count; n += 1) await allocated(cluster, n, 2, 2, [a, c]);
    cluster.isWritable = false;
    lines.length = 0;
    await cluster.node(0).peer.peerRemove(c ?? '');
    const short = lines.filter((line) => line.includes('stay below their minimum'));
    assert.equal(short.length, 1);
    assert.match(short[0] ?? '', told);
  });
}

test('a peer is removed though its pins cannot be moved when repinning is disabled, which is told', async (t) => {
  const { lines, logger } = recorder();
  const { cluster, ids, holders } = await started(t, 3, { disableRepinning: true }, (made) => {
    made.logger = logger;
  });
  await allocated(cluster, 0, 2, 2, [ids[0], ids[2]]);
  await cluster.node(0).peer.peerRemove(ids[2] ?? '');
  assert.deepEqual(holders(0), [ids[0], ids[2]]);
  assert.ok(lines.some((line) => line.startsWith('repinning is disabled')));
});

test('a move never undoes what a user has written meanwhile', async (t) => {
  const { cluster, ids, pin, holders } = await started(t, 4);
  const [a, b, , d] = ids;
  await allocated(cluster, 0, 2, 2, [a, d]);
  await settle();
  cluster.cut(d ?? '');
  let isDone = false;
  cluster.onWrite = async (_, written) => {
    if (isDone || written.name !== 'pin 0') return;
    isDone = true;
    await cluster
      .node(0)
      .peer.pinObject(pinOf(cidNumber(0), { ...factors(2, 2), allocations: [b ?? '', d ?? ''], name: 'newer' }));
  };
  // Whoever the user has given it did not have it yet when it was asked: the lost one goes when others have it and the pin has settled.
  await cluster.clock.advance(lostMs + 600_000);
  assert.equal(isDone, true);
  assert.equal(pin(0).name, 'newer');
  assert.equal(holders(0).includes(b ?? ''), true);
  assert.equal(holders(0).includes(d ?? ''), false);
});

test('a pin that its user gives to a lost peer, while it leaves a drained one, stays there with repinning disabled', async (t) => {
  const { cluster, ids, pin, holders } = await started(t, 5, { disableRepinning: true });
  const [, , , d, e] = ids as [PeerId, PeerId, PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 1, 1, [d]);
  cluster.cut(e);
  await cluster.clock.advance(lostMs);
  let isDone = false;
  cluster.onWrite = async (_, written) => {
    if (isDone || written.name !== 'pin 0') return;
    isDone = true;
    await cluster.node(0).peer.pinObject(pinOf(cidNumber(0), { ...factors(1, 1), allocations: [e], name: 'newer' }));
  };
  await cluster.node(0).peer.cordonPeer(d, 'draining');
  await cluster.clock.advance(600_000);
  assert.deepEqual([isDone, pin(0).name, holders(0)], [true, 'newer', [e]]);
});

test('a peer that has lost most others moves nothing', async (t) => {
  const { cluster, ids, written } = await started(t, 5);
  for (let n = 0; n < 5; n += 1) await allocated(cluster, n, 2, 2, [ids[0], ids[n === 0 ? 1 : n]]);
  written();
  for (const id of ids.slice(2)) cluster.cut(id);
  await cluster.clock.advance(3_600_000);
  assert.deepEqual(written(), []);
});

test('moves are not faster than allowed', async (t) => {
  const { cluster, ids, written } = await started(t, 3, { repinMaxPerSecond: 2 });
  const [a, , c] = ids;
  for (let n = 0; n < 100; n += 1) await allocated(cluster, n, 2, 2, [a, c]);
  await settle();
  written();
  cluster.cut(c ?? '');
  await cluster.clock.advance(graceMs);
  const counts: number[] = [];
  for (let second = 0; second < 120; second += 1) {
    await cluster.clock.advance(1000);
    counts.push(written().length);
  }
  // Two peers act, each on the pins that it is nearest to.
  assert.ok(Math.max(...counts) <= 4 + 2, `${Math.max(...counts)} in a second`);
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    100,
  );
});

test('healing goes on where it was after writes were impossible', async (t) => {
  const { cluster, ids, holders } = await started(t, 4);
  const [a, , , d] = ids;
  for (let n = 0; n < 10; n += 1) await allocated(cluster, n, 2, 2, [a, d]);
  await settle();
  cluster.cut(d ?? '');
  cluster.isWritable = false;
  await cluster.clock.advance(lostMs + 300_000);
  for (let n = 0; n < 10; n += 1) assert.deepEqual(holders(n), [a, d]);
  cluster.isWritable = true;
  await cluster.clock.advance(120_000);
  for (let n = 0; n < 10; n += 1) assert.equal(holders(n).includes(d ?? ''), false);
});

test('a pin that cannot be written keeps no other from its place', async (t) => {
  const { cluster, ids, holders } = await started(t, 4);
  const [a, , , d] = ids;
  for (let n = 0; n < 30; n += 1) await allocated(cluster, n, 2, 2, [a, d]);
  await settle();
  cluster.cut(d ?? '');
  cluster.onWrite = (_, pin) => {
    if (pin.cid.equals(cidNumber(7))) throw new RangeError('no place for this one');
  };
  await cluster.clock.advance(lostMs + 60_000);
  for (let n = 0; n < 30; n += 1) assert.equal(holders(n).includes(d ?? ''), n === 7, `pin ${n}`);
});

test('pins that nobody can take are taken by the next peer that is free', async (t) => {
  const { cluster, ids, holders } = await started(t, 3);
  const [a, b, c] = ids;
  await cluster.node(0).peer.cordonPeer(b ?? '', 'cordoned');
  await cluster.clock.advance(60_000);
  await allocated(cluster, 0, 2, 2, [a, c]);
  cluster.cut(c ?? '');
  await cluster.clock.advance(lostMs + 600_000);
  assert.deepEqual(holders(0), [a, c]);
  await cluster.node(0).peer.cordonPeer(b ?? '', 'none');
  await cluster.clock.advance(60_000);
  assert.deepEqual(holders(0), [a, b]);
});

test('healing tells that it begins and what it came to, and a cause at most once a minute (R49)', async (t) => {
  const { lines, logger } = recorder();
  const { cluster, ids } = await started(t, 3, { repinMaxPerSecond: 1, stateSyncIntervalMs: 3_600_000 }, (made) => {
    made.logger = logger;
  });
  const [a, , c] = ids;
  for (let n = 0; n < 200; n += 1) await allocated(cluster, n, 2, 2, [a, c]);
  await settle();
  lines.length = 0;
  cluster.cut(c ?? '');
  await cluster.clock.advance(lostMs);
  cluster.isWritable = false;
  await cluster.clock.advance(180_000);
  cluster.isWritable = true;
  await cluster.clock.advance(600_000);
  const count = (begin: string): number => lines.filter((line) => line.startsWith(begin)).length;
  // Two peers heal.
  assert.equal(count('healing begins'), 2);
  assert.equal(count('healing has ended'), 2);
  assert.ok(count('healing goes on') >= 2 && count('healing goes on') <= 2 * 17, `${count('healing goes on')}`);
  assert.ok(count('could not move a pin') >= 2 && count('could not move a pin') <= 2 * 4);
  const moved = lines.flatMap((line) => /^healing has ended .*"moved":(\d+)/.exec(line)?.[1] ?? []);
  assert.equal(
    moved.reduce((sum, text) => sum + Number(text), 0),
    200,
  );
});

test('the share of Go peers, which heal by rules of their own, is taken care of by the others', async (t) => {
  const { cluster, ids, holders } = await started(t, 5);
  const [a, b, c, d, e] = ids as [PeerId, PeerId, PeerId, PeerId, PeerId];
  for (const id of [b, c, d]) cluster.foreign.add(id);
  for (let n = 0; n < 20; n += 1) await allocated(cluster, n, 2, 2, [b, e]);
  await settle();
  const by = cluster.writes.length;
  cluster.cut(e);
  await cluster.clock.advance(lostMs + 60_000);
  for (let n = 0; n < 20; n += 1) assert.equal(holders(n).includes(e), false);
  const moves = cluster.writes.slice(by);
  for (let n = 0; n < 20; n += 1) assert.ok(moves.some((write) => write.pin.cid.equals(cidNumber(n))));
  assert.ok(moves.filter((write) => write.by === a).length > 0);
});

test('what the nearest does not heal the next one does, an interval later', async (t) => {
  const { cluster, ids, holders } = await started(t, 4, { stateSyncIntervalMs: 60_000 });
  const [a, b, , d] = ids as [PeerId, PeerId, PeerId, PeerId];
  for (let n = 0; n < 20; n += 1) await allocated(cluster, n, 2, 2, [a, d]);
  await settle();
  cluster.cut(d);
  // It is alive and well, but for its way to the log.
  cluster.onWrite = (by) => {
    if (by === b) throw new RangeError('no way');
  };
  await cluster.clock.advance(lostMs);
  const left = () => Array.from({ length: 20 }, (_, n) => n).filter((n) => holders(n).includes(d)).length;
  assert.ok(left() > 0);
  await cluster.clock.advance(120_000);
  assert.equal(left(), 0);
});

test('one peer of five that heals takes care of all pins in the end', async (t) => {
  const { cluster, ids, holders } = await started(t, 5, { stateSyncIntervalMs: 60_000 }, (made) => {
    made.optionsOf = (position) => ({ disableRepinning: position !== 0 });
  });
  const [a, b, , , e] = ids;
  for (let n = 0; n < 60; n += 1) await allocated(cluster, n, 2, 2, [n % 2 === 0 ? a : b, e]);
  await settle();
  cluster.cut(e ?? '');
  // All that may be nearer get an interval each.
  await cluster.clock.advance(lostMs + 4 * 60_000 + 20_000);
  for (let n = 0; n < 60; n += 1) assert.equal(holders(n).includes(e ?? ''), false, `pin ${n}`);
});

test('whoever comes, goes, is drained and freed: in the end every pin is where its allocations say, within its bounds', async (t) => {
  const seed = Number(process.env.SEED ?? 1);
  t.diagnostic(`SEED=${seed}`);
  const random = new SeededRandom(seed);
  const { cluster, ids, of, pin, holders } = await started(t, 5, { stateSyncIntervalMs: 120_000 });
  const some = (): PeerId => ids[random.integer(ids.length)] ?? assert.fail();
  for (let n = 0; n < 30; n += 1) {
    const min = 1 + random.integer(3);
    await cluster.node(0).peer.pin(cidNumber(n), asked(factors(min, min + random.integer(2))));
  }
  const away = new Set<PeerId>();
  for (let event = 0; event < 40; event += 1) {
    const peer = some();
    const kind = random.integer(5);
    if (kind === 0 && away.size < 2) {
      away.add(peer);
      cluster.cut(peer);
    } else if (kind === 1) {
      away.delete(peer);
      cluster.join(peer);
    } else if (kind <= 3) {
      const mode = cordonModes[random.integer(3)] ?? 'none';
      await cluster
        .node(0)
        .peer.cordonPeer(peer, mode)
        .catch(() => {});
    } else of(peer).ipfs.setUp(!of(peer).ipfs.isUp());
    await cluster.clock.advance(20_000 + random.integer(400_000));
  }
  for (const id of ids) {
    cluster.join(id);
    of(id).ipfs.setUp(true);
    await of(id).peer.cordon('none');
  }
  await cluster.clock.advance(3_600_000);
  for (let n = 0; n < 30; n += 1) {
    const { replicationFactorMin: min, replicationFactorMax: max } = pin(n);
    const held = ids.filter((id) => of(id).ipfs.held.has(cidNumber(n).toString()));
    assert.deepEqual(held, [...holders(n)].sort(), `pin ${n}`);
    assert.ok(held.length >= min && held.length <= max, `pin ${n}: ${held.length} of ${min}/${max}`);
  }
});

test('a healer that is at work ends with its peer', async () => {
  const cluster = new MemoryCluster();
  await cluster.start(3, { disableRepinning: false, repinMaxPerSecond: 1 });
  const [a, , c] = [...cluster.members];
  for (let n = 0; n < 50; n += 1) await allocated(cluster, n, 2, 2, [a, c]);
  await settle();
  cluster.cut(c ?? '');
  await cluster.clock.advance(lostMs);
  const before = cluster.writes.length;
  await cluster.stop();
  await cluster.clock.advance(600_000);
  assert.ok(cluster.writes.length - before <= 2, 'nothing is written afterwards');
  assert.equal(cluster.clock.pendingCount, 0);
});

// ---------------------------------------------------------------------------------------------------- moves

interface MoverTestOptions {
  readonly deadlineMs?: number;
  readonly logger?: Logger;
}

function moverOf(cluster: MemoryCluster, node: ClusterNode, options: MoverTestOptions = {}): Mover {
  const { clock } = cluster;
  const consensus = cluster.consensusOf(node);
  const writer = new AllocationWriter(100, { consensus, clock });
  const { logger = silentLogger, ...rest } = options;
  const watch = new MemberWatch(
    node.id,
    { repinGracePeriodMs: graceMs, pinOnlyOnTrustedPeers: false, pinOnlyOnUntrustedPeers: false },
    { consensus, monitor: node.monitor, clock, answersInOrder: () => true },
  );
  const holding = { self: node.id, rpc: cluster.rpcOf(node), tracker: node.tracker };
  return new Mover({ stateSyncIntervalMs: 60_000, ...rest }, { ...holding, consensus, watch, writer, clock, logger });
}

const never = new AbortController().signal;

test('Mover: adds the new holder, waits until it has the content, drops the old one', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 4, { stateSyncIntervalMs: 60_000 });
  const [a, b, c, d] = ids as [PeerId, PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 2, 2, [a, b]);
  await settle();
  const gate = Promise.withResolvers<void>();
  of(c).ipfs.onAct = () => gate.promise;
  const moved = moverOf(cluster, of(d)).run([{ cid: cidNumber(0), from: b, to: c }], never);
  // Far longer than healing leaves a pin with too many holders alone.
  await cluster.clock.advance(3_600_000);
  assert.deepEqual(holders(0), [a, b, c]);
  gate.resolve();
  await cluster.clock.advance(20_000);
  assert.deepEqual(await moved, { moved: 1, skipped: 0, failed: 0 });
  assert.deepEqual(holders(0), [a, c]);
  await settle();
  assert.equal(copies(cluster, 0), 2);
});

test('Mover: what the new holder does not get in time stays where it was', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 3);
  const [a, b, c] = ids as [PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 1, 1, [a]);
  await settle();
  of(c).ipfs.onAct = () => new Promise(() => {});
  const moved = moverOf(cluster, of(b), { deadlineMs: 30_000 }).run([{ cid: cidNumber(0), from: a, to: c }], never);
  await cluster.clock.advance(60_000);
  assert.deepEqual(await moved, { moved: 0, skipped: 0, failed: 1 });
  assert.deepEqual(holders(0), [a]);
});

test('Mover: leaves alone what others have changed, and goes on with what was half done', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 3);
  const [a, b, c] = ids as [PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 1, 1, [b]);
  await allocated(cluster, 1, 1, 1, [a, c]);
  await settle();
  const moves = [0, 1, 2].map((n) => ({ cid: cidNumber(n), from: a, to: c }));
  const ends: string[] = [];
  const moved = moverOf(cluster, of(b)).run(moves, never, ({ cid }, outcome) => ends.push(`${cid} ${outcome}`));
  await cluster.clock.advance(20_000);
  assert.deepEqual(await moved, { moved: 1, skipped: 2, failed: 0 });
  assert.deepEqual([holders(0), holders(1), ends.length], [[b], [c], 3]);
});

test('Mover: the old holder stays when others have taken the pin off the new one, or ask for both', async (t) => {
  const { cluster, ids, holders, of, pin } = await started(t, 3);
  const [a, b, c] = ids as [PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 1, 1, [a]);
  await allocated(cluster, 1, 1, 1, [a]);
  await settle();
  const meanwhile = [
    { cid: cidNumber(0), holders: [a], min: 1 },
    { cid: cidNumber(1), holders: [a, c], min: 2 },
  ];
  cluster.onWrite = (_, { cid, allocations }) => {
    const at = meanwhile.findIndex((change) => change.cid.equals(cid));
    const change = meanwhile[at];
    // Just before the old holder is dropped.
    if (change === undefined || allocations?.includes(a) === true) return;
    meanwhile.splice(at, 1);
    const present = cluster.node(0).pinset.get(cid) ?? assert.fail();
    const factors = { replicationFactorMin: change.min, replicationFactorMax: change.min };
    cluster.agree('pin', { ...present, ...factors, allocations: change.holders, name: 'by the user' });
  };
  const moves = [0, 1].map((n) => ({ cid: cidNumber(n), from: a, to: c }));
  const moved = moverOf(cluster, of(b)).run(moves, never);
  await cluster.clock.advance(20_000);
  assert.deepEqual(await moved, { moved: 0, skipped: 2, failed: 0 });
  assert.deepEqual([holders(0), holders(1), pin(0).name, pin(1).name], [[a], [a, c], 'by the user', 'by the user']);
});

for (const how of ['lost', 'cordoned', 'draining', 'removed'] as const) {
  test(`Mover: gives up when the new holder is ${how}, and begins no more moves to it`, async (t) => {
    const { cluster, ids, holders, of, written } = await started(t, 5);
    const [a, b, c] = ids as [PeerId, PeerId, PeerId];
    for (const n of [0, 1]) await allocated(cluster, n, 1, 1, [a]);
    await settle();
    of(c).ipfs.onAct = (act) => (act === 'pin' ? new Promise(() => {}) : undefined);
    const { lines, logger } = recorder();
    const gate = Promise.withResolvers<void>();
    async function* moves() {
      yield { cid: cidNumber(0), from: a, to: c };
      await gate.promise;
      yield { cid: cidNumber(1), from: a, to: c };
    }
    const moved = moverOf(cluster, of(b), { logger }).run(moves(), never);
    await cluster.clock.advance(5000);
    assert.deepEqual(holders(0), [a, c]);
    if (how === 'lost') cluster.cut(c);
    else if (how === 'removed') cluster.members = ids.filter((id) => id !== c);
    else await cluster.node(0).peer.cordonPeer(c, how);
    await cluster.clock.advance(how === 'lost' ? lostMs + 30_000 : 30_000);
    assert.deepEqual(holders(0), [a]);
    written();
    gate.resolve();
    await cluster.clock.advance(30_000);
    assert.deepEqual(await moved, { moved: 0, skipped: 2, failed: 0 });
    assert.deepEqual([holders(1), written(), lines], [[a], [], []]);
  });
}

test('Mover: a move that is overtaken while it waits is skipped without a word', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 4);
  const [a, b, c, d] = ids as [PeerId, PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 1, 1, [a]);
  await settle();
  of(c).ipfs.onAct = (act) => (act === 'pin' ? new Promise(() => {}) : undefined);
  const { lines, logger } = recorder();
  const moved = moverOf(cluster, of(b), { logger }).run([{ cid: cidNumber(0), from: a, to: c }], never);
  await cluster.clock.advance(5000);
  await allocated(cluster, 0, 1, 1, [d]);
  await cluster.clock.advance(60_000);
  assert.deepEqual(await moved, { moved: 0, skipped: 1, failed: 0 });
  assert.deepEqual([holders(0), lines], [[d], []]);
});

test('Mover: a user who writes the same holders with other factors keeps them', async (t) => {
  const { cluster, ids, holders, of, pin } = await started(t, 3);
  const [a, b, c] = ids as [PeerId, PeerId, PeerId];
  for (const n of [0, 1]) await allocated(cluster, n, 1, 1, [a]);
  await settle();
  const gate = Promise.withResolvers<void>();
  of(c).ipfs.onAct = (act) => (act === 'pin' ? gate.promise : undefined);
  const moves = [0, 1].map((n) => ({ cid: cidNumber(n), from: a, to: c }));
  const moved = moverOf(cluster, of(b)).run(moves, never);
  await cluster.clock.advance(5000);
  assert.deepEqual(holders(0), [a, c]);
  await allocated(cluster, 0, 1, 2, [a, c]);
  // What a healer writes is other holders and another time.
  cluster.agree('pin', { ...pin(1), timestamp: null });
  gate.resolve();
  await cluster.clock.advance(20_000);
  assert.deepEqual(await moved, { moved: 1, skipped: 1, failed: 0 });
  assert.deepEqual([holders(0), holders(1)], [[a, c], [c]]);
});

test('Mover: two moves of one pin to one peer leave it as many holders as it had', async (t) => {
  const { cluster, ids, holders, of } = await started(t, 4);
  const [a, b, c, d] = ids as [PeerId, PeerId, PeerId, PeerId];
  await allocated(cluster, 0, 1, 2, [a, b]);
  await settle();
  const moves = [a, b].map((from) => [{ cid: cidNumber(0), from, to: c }]);
  const [first = [], second = []] = moves;
  const both = [moverOf(cluster, of(d)).run(first, never), moverOf(cluster, of(a)).run(second, never)];
  await cluster.clock.advance(20_000);
  const counts = await Promise.all(both);
  assert.equal(
    counts.reduce((sum, { moved }) => sum + moved, 0),
    1,
  );
  assert.equal(holders(0).length, 2);
  assert.ok(holders(0).includes(c));
});

test('Mover: a few moves at a time, read as they are begun', async (t) => {
  const { cluster, ids, of } = await started(t, 3);
  const [a, b, c] = ids as [PeerId, PeerId, PeerId];
  for (let n = 0; n < 40; n += 1) await allocated(cluster, n, 1, 1, [a]);
  await settle();
  of(c).ipfs.onAct = (act, _, signal) =>
    act === 'unpin' ? undefined : new Promise((_resolve, reject) => signal.addEventListener('abort', reject));
  let read = 0;
  function* moves() {
    for (let n = 0; n < 40; n += 1) {
      read += 1;
      yield { cid: cidNumber(n), from: a, to: c };
    }
  }
  const stop = new AbortController();
  const moved = moverOf(cluster, of(b)).run(moves(), stop.signal);
  await cluster.clock.advance(60_000);
  assert.equal(read, 9);
  stop.abort();
  await cluster.clock.advance(1000);
  assert.equal((await moved).moved, 0);
});
