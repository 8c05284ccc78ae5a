import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidNumber } from '../../test/support/pins.ts';
import { createTestCluster } from '../testing/index.ts';

test('Cluster explain: what pin would choose, and why, with nothing written', async () => {
  await using cluster = await createTestCluster(3, { seed: 5 });
  const [peer] = cluster.peers;
  assert.ok(peer !== undefined);
  // Until the metrics of all have come round.
  await cluster.advance(60_000);
  const request = { replicationMin: 1, replicationMax: 2 };
  const choice = await peer.explain(cidNumber(1), request);
  assert.equal(peer.get(cidNumber(1)), undefined);
  assert.deepEqual([choice.outcome, choice.error, choice.allocations.length], ['chosen', '', 2]);
  assert.deepEqual(
    Object.values(choice.peers)
      .map(({ class: kind, isChosen }) => `${kind} ${isChosen}`)
      .sort(),
    ['candidate false', 'candidate true', 'candidate true'],
  );
  assert.deepEqual((await peer.pin(cidNumber(1), request)).allocations, choice.allocations);
  const failed = await peer.explain(cidNumber(2), { replicationMin: 4, replicationMax: 4 });
  assert.match(failed.error, /^not enough peers to allocate CID/);
  await assert.rejects(peer.explain(cidNumber(2), { replicationMin: 3, replicationMax: 2 }), {
    code: 'cluster/bad-pin',
  });
  // Proof: what a program without types can pass.
  const wrong = { replication: 2 } as unknown as typeof request;
  await assert.rejects(peer.explain(cidNumber(2), wrong), { code: 'embed/bad-argument' });
});
