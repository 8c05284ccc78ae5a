/**
 * Cordon and drain in a Raft cluster that a Go peer leads: it gives a cordoned peer nothing new, and pins leave a drained one while every
 * write goes through the Go leader. Needs `GO_CLUSTER_BIN`, a folder with the Go programs.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import type { ServiceConfig } from '../../src/model/config/index.ts';
import type { Pin } from '../../src/model/index.ts';
import { collect } from '../support/collect.ts';
import { IpfsStandIn } from '../support/ipfs-stand-in.ts';
import { createMembers, goPrograms, leaderOf, type Member } from '../support/members.ts';
import { cidNumber } from '../support/pins.ts';

const skip = goPrograms === undefined ? 'GO_CLUSTER_BIN is not set: healing with Go peers is NOT tested' : false;
if (skip !== false) console.warn(skip);

const limitMs = 40_000;
const kinds = ['go', 'ours', 'ours', 'go'] as const;

function quick(config: ServiceConfig): ServiceConfig {
  const { cluster, disk, tags, pinqueue } = config;
  const metricTtlMs = 3000;
  return {
    ...config,
    cluster: {
      ...cluster,
      replicationFactorMin: 2,
      replicationFactorMax: 2,
      monitorPingIntervalMs: 1000,
      stateSyncIntervalMs: 20_000,
      // Go peers find them in their files too.
      repinGracePeriodMs: 5000,
      repinMaxPerSecond: 50,
      pubsub: { ...cluster.pubsub, heartbeatIntervalMs: 500 },
    },
    disk: disk && { ...disk, metricTtlMs },
    tags: tags && { ...tags, metricTtlMs },
    pinqueue: pinqueue && { ...pinqueue, metricTtlMs },
  };
}

test('under a Go leader a cordoned peer gets nothing new, and a drained one keeps nothing', { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'healing-go-'));
  const ipfs = kinds.map(() => new IpfsStandIn());
  for (const node of ipfs) await node.start();
  const plans = kinds.map((kind, i) => ({
    kind,
    ipfsAddress: ipfs[i]?.multiaddress ?? '',
    isJoining: i > 0,
    change: quick,
  }));
  const members = await createMembers(folder, plans);
  try {
    const [go, ours, emptied] = members as [Member, Member, Member, Member];
    await go.start();
    for (const member of members.slice(1)) await member.start({ bootstrap: go.address });
    const viaGo = createClient({ url: go.apiUrl });
    const viaOurs = createClient({ url: ours.apiUrl });
    const pinsOf = (): Promise<Pin[]> => collect(viaGo.allocations());
    const pinned = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += 1) {
        await waitFor(
          () => viaGo.pin(cidNumber(n)),
          () => true,
          () => '',
          limitMs,
        );
      }
    };
    const states = async (): Promise<string[]> => (await viaOurs.memberStates()).map(({ state }) => state);
    await waitFor(states, (found) => found.join() === 'alive,alive,alive,alive', String, limitMs);
    // Whom a Go peer chooses is left to chance; one that the user wants comes first.
    for (let n = 0; n < 12; n += 1) {
      const userAllocations = n % 2 === 0 ? [emptied.id, go.id] : [emptied.id, ours.id];
      await waitFor(
        () => viaGo.pin(cidNumber(n), { userAllocations }),
        () => true,
        () => '',
        limitMs,
      );
    }
    assert.equal(leaderOf(members), go);

    // Ours may yet have to learn where the other listens.
    await waitFor(
      () => viaOurs.cordon(emptied.id, 'cordoned'),
      () => true,
      () => '',
      limitMs,
    );
    // What allocation goes by runs out on the Go peer.
    await waitFor(
      () => viaGo.metrics('freespace'),
      (metrics) => metrics.every(({ peer }) => peer !== emptied.id),
      (metrics) => `${metrics.length} peers have space`,
      limitMs,
    );
    await pinned(100, 110);
    const before = await pinsOf();
    assert.equal(before.length, 22);
    const held = before.filter((pin) => pin.allocations?.includes(emptied.id));
    assert.equal(held.length, 12, 'it keeps what it has and gets nothing new');

    await assert.rejects(viaOurs.cordon(go.id, 'draining'), (error) => {
      const text = `${go.id} cannot be cordoned: its program knows nothing of it, or does not trust this peer`;
      assert.equal(Object(error).message, text);
      return true;
    });

    await viaOurs.cordon(emptied.id, 'draining');
    await waitFor(
      async () => (await viaOurs.memberStates()).find(({ peer }) => peer === emptied.id),
      (member) => member?.state === 'drained',
      (member) => `${member?.state}, ${member?.pins} pins`,
      limitMs,
    );
    for (const pin of await pinsOf()) {
      assert.equal(pin.allocations?.length, 2);
      assert.ok(!pin.allocations.includes(emptied.id));
      if (!held.some(({ cid }) => cid.equals(pin.cid))) continue;
      await waitFor(
        async () => {
          // A Go peer applies entries that come together into one object, which its tracker reads later: it can take the holders of the
          // next pin for those of this one, and let go of it until it recovers (Go `consensus/raft/log_op.go` `LogOp.ApplyTo`).
          await viaGo.recover(pin.cid);
          return Object.values((await viaGo.status(pin.cid)).peerMap).map(({ status }) => status);
        },
        (statuses) => statuses.filter((status) => status === 'pinned').length === 2,
        String,
        limitMs,
      );
    }
    assert.equal(leaderOf(members), go, 'it has led all the time');
    await viaOurs.cordon(emptied.id, 'none');
    await waitFor(states, (found) => found.join() === 'alive,alive,alive,alive', String, limitMs);
  } finally {
    await Promise.all(members.map((member) => member.kill()));
    await Promise.all(ipfs.map((node) => node.stop()));
    await rm(folder, { recursive: true, force: true });
  }
});
