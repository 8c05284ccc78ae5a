import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { collect } from '../../test/support/collect.ts';
import { settle } from '../../test/support/fake-clock.ts';
import { MemoryCluster } from '../../test/support/memory-cluster.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { OperatingError, silentLogger } from '../base/index.ts';
import { createClient } from '../client/index.ts';
import { bindRestApi } from '../http/rest/index.ts';
import { type PeerId, type RebalanceEvent, timeFromNanos } from '../model/index.ts';
import type { PeerOptions } from './peer.ts';

/** Four peers, in two groups; pins as told. */
async function started(
  t: TestContext,
  pins: readonly (readonly number[])[],
  options: Partial<PeerOptions> = {},
): Promise<{ cluster: MemoryCluster; ids: readonly PeerId[]; holders: () => number[][] }> {
  const cluster = new MemoryCluster();
  cluster.groupOf = (position) => (position < 2 ? 'a' : 'b');
  await cluster.start(4, options);
  t.after(() => cluster.stop());
  const ids = cluster.nodes.map(({ id }) => id);
  for (const [n, positions] of pins.entries()) {
    const factors = { replicationFactorMin: positions.length, replicationFactorMax: positions.length };
    const allocations = positions.map((position) => ids[position] ?? '');
    await cluster.node(0).peer.pinObject(pinOf(cidNumber(n), { ...factors, allocations }));
  }
  // Until every IPFS node has what it shall hold.
  await cluster.clock.advance(5000);
  const holdersOf = (n: number): readonly PeerId[] => cluster.node(0).pinset.get(cidNumber(n))?.allocations ?? [];
  return {
    cluster,
    ids,
    holders: () =>
      pins.map((_, n) =>
        holdersOf(n)
          .map((id) => ids.indexOf(id))
          .sort(),
      ),
  };
}

const run = { isDryRun: false, movesMax: 1000 };
const groupsOf = (positions: readonly number[]): number => new Set(positions.map((at) => Math.floor(at / 2))).size;

/** Reads to the end while time passes. */
async function drained(cluster: MemoryCluster, events: AsyncIterable<RebalanceEvent>): Promise<RebalanceEvent[]> {
  const all = collect(events);
  await cluster.clock.advance(60_000);
  return await all;
}

test('rebalance: a dry run tells the moves and the shares, and writes nothing', async (t) => {
  const { cluster, ids, holders } = await started(t, [
    [0, 1],
    [0, 1],
    [0, 2],
    [0, 3],
  ]);
  const before = holders();
  const writes = cluster.writes.length;
  const events = await drained(cluster, cluster.node(1).peer.rebalance({ ...run, isDryRun: true }));
  assert.equal(cluster.writes.length, writes);
  assert.deepEqual(holders(), before);
  const moves = events.flatMap(({ move }) => move ?? []);
  assert.deepEqual(
    moves.map(({ why, state }) => `${why} ${state}`),
    ['spread planned', 'spread planned'],
  );
  const summary = events.at(-1)?.summary;
  assert.deepEqual([summary?.isDryRun, summary?.planned, summary?.moved, summary?.isCut], [true, 2, 0, false]);
  const shares = new Map(summary?.shares?.map(({ peer, before: was, after }) => [peer, [was, after]]));
  assert.deepEqual(shares.get(ids[0] ?? ''), [4, 2]);
  assert.equal(
    summary?.shares?.every(({ takesPart }) => takesPart),
    true,
  );
});

test('rebalance: moves are carried out, the new holder first, and the IPFS nodes hold what the pinset says', async (t) => {
  const pins = Array.from({ length: 12 }, () => [0, 1]);
  const { cluster, holders, ids } = await started(t, [...pins, [0, 2]]);
  let fewest = Number.POSITIVE_INFINITY;
  cluster.onWrite = (_, pin) => {
    const held = cluster.nodes.filter(({ ipfs }) => ipfs.held.has(pin.cid.toString()));
    fewest = Math.min(fewest, held.filter(({ id }) => pin.allocations?.includes(id)).length);
  };
  const events = await drained(cluster, cluster.node(3).peer.rebalance(run));
  const summary = events.at(-1)?.summary;
  assert.deepEqual([summary?.planned, summary?.moved, summary?.failed, summary?.skipped], [12, 12, 0, 0]);
  assert.equal(fewest, 2, 'at no time fewer copies than before');
  assert.ok(holders().every((positions) => positions.length === 2 && groupsOf(positions) === 2));
  await settle();
  for (const [n, positions] of holders().entries()) {
    const held = cluster.nodes.filter(({ ipfs }) => ipfs.held.has(cidNumber(n).toString()));
    assert.deepEqual(held.map(({ id }) => ids.indexOf(id)).sort(), positions);
  }
  for (const { peer, after } of summary?.shares ?? []) {
    assert.equal(after, holders().filter((positions) => positions.includes(ids.indexOf(peer))).length);
  }
  const again = await drained(cluster, cluster.node(2).peer.rebalance(run));
  assert.equal(again.at(-1)?.summary?.planned, 0, 'nothing is left to do');
});

test('rebalance: a move that fails or is overtaken is told, and the others go on', async (t) => {
  const { cluster, holders } = await started(t, [
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  const [first = '', second = ''] = [cidNumber(0), cidNumber(1)].map(String);
  let isOvertaken = false;
  cluster.onWrite = async (_, pin) => {
    if (pin.cid.toString() === second) throw new OperatingError('raft/no-leader', 'timed out waiting for leader');
    if (pin.cid.toString() !== first || isOvertaken) return;
    isOvertaken = true;
    // Its user removes it meanwhile.
    await cluster.node(1).peer.unpin(pin.cid);
  };
  const events = await drained(cluster, cluster.node(2).peer.rebalance(run));
  const summary = events.at(-1)?.summary;
  assert.deepEqual([summary?.planned, summary?.moved, summary?.skipped, summary?.failed], [3, 1, 1, 1]);
  assert.deepEqual([holders()[1], groupsOf(holders()[2] ?? [])], [[0, 1], 2]);
});

test('rebalance: one at a time on a peer; whoever stops reading ends it, and half of nothing is left', async (t) => {
  const pins = Array.from({ length: 60 }, () => [0, 1]);
  const { cluster, holders } = await started(t, pins);
  const gates: (() => void)[] = [];
  for (const { ipfs } of cluster.nodes) {
    ipfs.onAct = (act) => (act === 'unpin' ? undefined : new Promise((resolve) => gates.push(resolve)));
  }
  const { peer } = cluster.node(0);
  const stop = new AbortController();
  const first = collect(peer.rebalance(run, { signal: stop.signal }));
  first.catch(() => {});
  await cluster.clock.advance(5000);
  await assert.rejects(collect(peer.rebalance(run)), { code: 'cluster/rebalancing' });
  await assert.rejects(collect(peer.rebalance({ ...run, isDryRun: true })), { code: 'cluster/rebalancing' });
  stop.abort();
  await assert.rejects(first);
  await assert.rejects(collect(peer.rebalance(run)), { code: 'cluster/rebalancing' }, 'moves are still under way');
  const begun = holders().filter((positions) => positions.length > 2).length;
  assert.ok(begun > 0 && begun < 20, `${begun} of 60 are under way`);
  for (const open of gates.splice(0)) open();
  for (const { ipfs } of cluster.nodes) ipfs.onAct = () => {};
  await cluster.clock.advance(60_000);
  const moved = holders().filter((positions) => groupsOf(positions) === 2).length;
  assert.ok(moved === begun || moved === begun + 1, 'these are finished, and at most the one that was next');
  assert.ok(holders().every((positions) => positions.length === 2));
  const events = await drained(cluster, peer.rebalance(run));
  assert.equal(events.at(-1)?.summary?.moved, 60 - moved);
});

test('rebalance: reading on is what drives a dry run, and breaking off leaves it free for the next', async (t) => {
  const { cluster } = await started(
    t,
    Array.from({ length: 20 }, () => [0, 1]),
  );
  const { peer } = cluster.node(0);
  for await (const { move } of peer.rebalance({ ...run, isDryRun: true })) {
    assert.equal(move?.state, 'planned');
    break;
  }
  const events = await drained(cluster, peer.rebalance({ isDryRun: true, movesMax: 7 }));
  assert.equal(events.length, 8);
  assert.equal(events.at(-1)?.summary?.isCut, true);
});

test('rebalance takes nothing to or from cordoned and lost peers, and nothing at all in a minority or as a follower', async (t) => {
  const { cluster, ids } = await started(t, [
    [0, 1],
    [0, 1],
    [0, 1],
    [2, 3],
  ]);
  const { peer } = cluster.node(0);
  await peer.cordonPeer(ids[2] ?? '', 'cordoned');
  cluster.cut(ids[3] ?? '');
  // Longer than the grace period.
  await cluster.clock.advance(600_000);
  assert.equal((await drained(cluster, peer.rebalance(run))).at(-1)?.summary?.planned, 0);
  cluster.cut(ids[1] ?? '');
  cluster.cut(ids[2] ?? '');
  await cluster.clock.advance(60_000);
  await assert.rejects(collect(peer.rebalance(run)), { code: 'cluster/minority' });
  const summary = (await drained(cluster, peer.rebalance({ ...run, isDryRun: true }))).at(-1)?.summary;
  assert.equal(summary?.planned, 0);
  const follower = await started(t, [], { followerMode: true });
  const writing = collect(follower.cluster.node(0).peer.rebalance(run));
  await assert.rejects(writing, { code: 'cluster/follower-mode' });
});

test('POST /rebalance streams moves and the summary, and names what is wrong with a request', async (t) => {
  const { cluster } = await started(t, [
    [0, 1],
    [0, 1],
  ]);
  const { api, url } = await serving(t, cluster);
  assert.ok(api !== undefined);
  const client = createClient({ url });
  const planned = await collect(client.rebalance({ dryRun: true }));
  assert.deepEqual(planned, await collect(cluster.node(0).peer.rebalance({ ...run, isDryRun: true })));
  assert.equal(planned.length, 3);
  const answer = async (query: string): Promise<[number, string]> => {
    const response = await fetch(`${url}/rebalance?${query}`, { method: 'POST' });
    return [response.status, ((await response.json()) as { message: string }).message];
  };
  assert.deepEqual(await answer('dry-run=yes'), [400, 'parameter dry-run: found "yes", expected "true" or "false"']);
  for (const bad of ['0', '-1', '1e3', '100001', 'x']) {
    const text = `parameter max-moves: found "${bad}", expected a whole number from 1 to 100000`;
    assert.deepEqual(await answer(`max-moves=${bad}`), [400, text]);
  }
  let isDone = false;
  const events = collect(client.rebalance({ maxMoves: 1 })).finally(() => {
    isDone = true;
  });
  while (!isDone) await cluster.clock.advance(500);
  const [move, end] = await events;
  assert.deepEqual([move?.move?.state, end?.summary?.moved, end?.summary?.isCut], ['moved', 1, true]);
});

async function serving(t: TestContext, cluster: MemoryCluster) {
  const api = await bindRestApi({
    listen: ['/ip4/127.0.0.1/tcp/0'],
    limits: {
      readTimeoutMs: 0,
      readHeaderTimeoutMs: 5000,
      writeTimeoutMs: 0,
      idleTimeoutMs: 120_000,
      maxHeaderBytes: 4096,
    },
    cors: {
      allowedOrigins: [],
      allowedMethods: [],
      allowedHeaders: [],
      exposedHeaders: [],
      allowCredentials: false,
      maxAgeSeconds: 0,
    },
    headers: {},
  });
  t.after(() => api.close());
  const { peer } = cluster.node(0);
  api.serve({ cluster: peer, log: silentLogger, now: () => timeFromNanos(cluster.clock.wallNanos()) });
  return { api, url: `http://127.0.0.1:${/tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1]}` };
}
