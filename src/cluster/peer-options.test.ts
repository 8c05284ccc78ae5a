/** What each key of section `cluster` does to a peer; those of allocation and healing have their tests beside these. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { collect } from '../../test/support/collect.ts';
import { settle } from '../../test/support/fake-clock.ts';
import { MemoryCluster } from '../../test/support/memory-cluster.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { readExchanges } from '../../test/support/rest-vectors.ts';
import { defaultPinOptions, globalPinInfoJson, timeFromNanos } from '../model/index.ts';
import type { PeerOptions } from './peer.ts';

async function started(t: TestContext, count: number, options: Partial<PeerOptions> = {}): Promise<MemoryCluster> {
  const cluster = new MemoryCluster();
  await cluster.start(count, options);
  t.after(() => cluster.stop());
  return cluster;
}

test('monitor_ping_interval: a ping comes so often, and is valid for twice as long', async (t) => {
  for (const monitorPingIntervalMs of [3000, 40_000]) {
    const cluster = await started(t, 2, { monitorPingIntervalMs });
    const [watching, other] = [cluster.node(0), cluster.node(1)];
    const ping = () => watching.peer.metrics('ping').find(({ peer }) => peer === other.id);
    const pings = new Set<bigint>();
    for (let step = 0; step < 120; step++) {
      await cluster.clock.advance(monitorPingIntervalMs / 12);
      const found = ping();
      assert.ok(found !== undefined, `no ping in step ${step}`);
      pings.add(found.receivedAt);
      assert.equal(found.expire - found.receivedAt, BigInt(2 * monitorPingIntervalMs) * 1_000_000n);
    }
    assert.ok(pings.size >= 10 && pings.size <= 11, `${pings.size} pings in ten intervals`);
    cluster.cut(other.id);
    await cluster.clock.advance(monitorPingIntervalMs);
    assert.ok(ping() !== undefined);
    await cluster.clock.advance(monitorPingIntervalMs + 1);
    assert.equal(ping(), undefined);
  }
});

test('peer_watch_interval: a peer sees within it that others have removed it', async (t) => {
  for (const peerWatchIntervalMs of [2000, 60_000]) {
    const cluster = await started(t, 2, { peerWatchIntervalMs });
    const { peer, id } = cluster.node(1);
    let removedMs: number | undefined;
    void peer.removed.then(() => {
      removedMs = cluster.clock.now();
    });
    await cluster.clock.advance(peerWatchIntervalMs - (cluster.clock.now() % peerWatchIntervalMs) + 1000);
    assert.equal(removedMs, undefined);
    const startMs = cluster.clock.now();
    await cluster.node(0).peer.peerRemove(id);
    await cluster.clock.advance(2 * peerWatchIntervalMs);
    assert.ok(removedMs !== undefined);
    const afterMs = removedMs - startMs;
    assert.ok(afterMs <= peerWatchIntervalMs && afterMs > peerWatchIntervalMs / 4, `after ${afterMs} ms`);
  }
});

test('leave_on_shutdown: a peer that stops has left, and one without it has not', async (t) => {
  const staying = await started(t, 2);
  const stayed = staying.node(1).peer.stop();
  await staying.clock.advance(5000);
  await stayed;
  assert.equal(staying.members.length, 2);
  const leaving = await started(t, 2, { leaveOnShutdown: true });
  const left = leaving.node(1).peer.stop();
  await leaving.clock.advance(5000);
  await left;
  assert.deepEqual(leaving.members, [leaving.node(0).id]);
});

test('peername is shown by all peers', async (t) => {
  const cluster = await started(t, 2);
  const { peer } = cluster.node(0);
  await peer.pin(cidNumber(1), defaultPinOptions);
  await settle();
  const { peerMap } = await peer.status(cidNumber(1));
  assert.deepEqual(
    Object.values(peerMap)
      .map(({ peername }) => peername)
      .sort(),
    ['peer-0', 'peer-1'],
  );
});

test('follower_mode: states are of this peer only, as recorded of the reference', async (t) => {
  const following = await started(t, 2, { followerMode: true });
  const { peer, id } = following.node(0);
  following.agree('pin', pinOf(cidNumber(1)));
  await settle();
  const calls = following.calls.length;
  const recorded = new Map((await readExchanges('follower')).map((exchange) => [exchange.name, exchange]));
  const peersOf = (body: string): number => Object.keys(globalPinInfoJson.parse(body).peerMap).length;
  for (const name of ['status', 'status-unknown']) {
    assert.equal(peersOf(recorded.get(name)?.response.body ?? ''), 1, name);
  }
  assert.deepEqual(Object.keys((await peer.status(cidNumber(1))).peerMap), [id]);
  assert.deepEqual(Object.keys((await peer.recover(cidNumber(1))).peerMap), [id]);
  const all = await collect(peer.statusAll(0));
  assert.deepEqual(
    all.map(({ peerMap }) => Object.keys(peerMap)),
    [[id]],
  );
  assert.deepEqual(await collect(peer.recoverAll()), []);
  assert.equal(recorded.get('recover-all')?.response.status, 204);
  assert.equal(
    following.calls.slice(calls).filter((call) => /PinTracker|Recover/.test(call)).length,
    0,
    'nobody is asked',
  );
  // Not refused: who the members are, and what room they have.
  assert.equal((await collect(peer.peers())).length, 2);
  assert.equal(Object.keys((await peer.repoGc()).peerMap).length, 2);
});

test('follower_mode: nothing is written, whatever expires and whoever is lost', async (t) => {
  const cluster = await started(t, 3, { followerMode: true, disableRepinning: false, repinGracePeriodMs: 10_000 });
  const expireAt = timeFromNanos(cluster.clock.wallNanos() + 30_000_000_000n);
  const [a = '', b = '', c = ''] = cluster.members;
  cluster.agree('pin', pinOf(cidNumber(1), { expireAt }));
  const factors = { replicationFactorMin: 2, replicationFactorMax: 2 };
  for (const allocations of [
    [a, c],
    [b, c],
  ]) {
    cluster.agree('pin', pinOf(cidNumber(10), { ...factors, allocations }));
  }
  cluster.cut(cluster.node(2).id);
  await cluster.clock.advance(1_200_000);
  assert.equal(cluster.writes.length, 0);
});
