/**
 * Healing on real processes: of five peers with an IPFS node each, one dies for good, one dies and comes back, one is drained, and two
 * are removed. What is held is asked of the IPFS nodes themselves.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { addText } from '../../src/cmd/service/demo/content.ts';
import type { ServiceConfig } from '../../src/model/config/index.ts';
import { Cid, type MemberState, type Pin } from '../../src/model/index.ts';
import { collect } from '../support/collect.ts';
import { serviceProgram, startPeers, type TestPeer } from '../support/peers.ts';

const limitMs = 90_000;
const [min, max] = [2, 3];
const pinCount = 24;
const ctlProgram = join(dirname(serviceProgram), 'ipfs-cluster-ctl.cjs');

/** What takes minutes takes seconds. */
function quick(config: ServiceConfig): ServiceConfig {
  const { cluster, pubsubmon, disk, tags, pinqueue } = config;
  const metricTtlMs = 3000;
  return {
    ...config,
    cluster: {
      ...cluster,
      replicationFactorMin: min,
      replicationFactorMax: max,
      disableRepinning: false,
      repinGracePeriodMs: 4000,
      stateSyncIntervalMs: 2000,
      monitorPingIntervalMs: 1000,
      pubsub: { ...cluster.pubsub, heartbeatIntervalMs: 500 },
    },
    pubsubmon: { ...pubsubmon, checkIntervalMs: 1000 },
    disk: disk && { ...disk, metricTtlMs },
    tags: tags && { ...tags, metricTtlMs },
    pinqueue: pinqueue && { ...pinqueue, metricTtlMs },
  };
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function ctl({ apiAddress }: TestPeer, ...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ctlProgram, '--host', apiAddress, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

async function idOf({ folder }: TestPeer): Promise<string> {
  return (JSON.parse(await readFile(join(folder, 'identity.json'), 'utf8')) as { id: string }).id;
}

/** The pins of one IPFS node, by its own word. */
async function heldBy({ ipfsUrl }: TestPeer): Promise<ReadonlySet<string>> {
  const response = await fetch(`${ipfsUrl}/api/v0/pin/ls?type=recursive`, {
    method: 'POST',
    signal: AbortSignal.timeout(5000),
  });
  const { Keys = {} } = (await response.json()) as { Keys?: Record<string, unknown> };
  // In one form, whatever the node prints.
  return new Set(Object.keys(Keys).map((cid) => Cid.parse(cid).toString()));
}

const pinsOf = (peer: TestPeer): Promise<Pin[]> => collect(createClient({ url: peer.apiUrl }).allocations());
const membersOf = (peer: TestPeer): Promise<readonly MemberState[]> =>
  createClient({ url: peer.apiUrl }).memberStates();

/** Resolves when each pin is on as many of these IPFS nodes as it has to be, and the pinset says who they are. */
async function waitHealed(peers: readonly TestPeer[], cids: readonly string[]): Promise<readonly Pin[]> {
  const asked = peers[0] ?? assert.fail('no peer');
  const ids = await Promise.all(peers.map(idOf));
  return await waitFor(
    async () => {
      const [pins, held] = await Promise.all([pinsOf(asked), Promise.all(peers.map(heldBy))]);
      const wrong = cids.flatMap((cid) => {
        const copies = ids.filter((_, i) => held[i]?.has(cid) === true);
        const allocated = (pins.find((pin) => pin.cid.toString() === cid)?.allocations ?? []).filter((id) =>
          ids.includes(id),
        );
        const isRight =
          copies.length >= min &&
          copies.length <= max &&
          copies.join() === ids.filter((id) => allocated.includes(id)).join();
        return isRight ? [] : [`${cid}: ${copies.length} copies, ${allocated.length} allocations`];
      });
      return { pins, wrong };
    },
    ({ wrong }) => wrong.length === 0,
    ({ wrong }) => wrong.join('\n'),
    limitMs,
  ).then(({ pins }) => pins);
}

async function waitState(asked: TestPeer, peer: TestPeer, state: MemberState['state']): Promise<void> {
  const id = await idOf(peer);
  await waitFor(
    async () => (await membersOf(asked)).find((member) => member.peer === id)?.state,
    (found) => found === state,
    (found) => `${peer.name} is ${found}, expected ${state}`,
    limitMs,
  );
}

test('five peers: one dies, one returns, one is drained, two are removed, and every pin stays where it should be', async () => {
  const { peers, end } = await startPeers({ count: 5, mayEnd: true, change: quick });
  try {
    const [one, two, three, four, five] = peers as [TestPeer, TestPeer, TestPeer, TestPeer, TestPeer];
    for (const peer of peers) await waitState(one, peer, 'alive');
    const client = createClient({ url: one.apiUrl });
    const cids: string[] = [];
    for (let n = 0; n < pinCount; n += 1) {
      // Again when the connection was just being closed for idleness.
      const cid = await waitFor(
        () => addText(peers[n % 5]?.ipfsUrl ?? '', `text ${n}`),
        () => true,
        () => '',
        limitMs,
      );
      cids.push(cid);
      // Every pair of peers holds some, so that whoever is lost leaves pins below their minimum.
      const wanted = [peers[n % 5], peers[(n + 1 + (Math.floor(n / 5) % 4)) % 5]];
      const userAllocations = await Promise.all(wanted.map((peer) => idOf(peer ?? one)));
      const options = { userAllocations, replicationFactorMin: min, replicationFactorMax: n % 3 === 0 ? max : min };
      await waitFor(
        () => client.pin(Cid.parse(cid), options),
        () => true,
        () => '',
        limitMs,
      );
    }
    await waitHealed(peers, cids);

    // One dies for good: exactly what has too few holders without it moves.
    const before = await pinsOf(one);
    const dead = await idOf(five);
    await five.process.kill();
    await waitState(one, five, 'gone');
    const after = await waitHealed([one, two, three, four], cids);
    for (const pin of before) {
      const holders = pin.allocations ?? [];
      const others = holders.filter((id) => id !== dead);
      const now = after.find(({ cid }) => cid.equals(pin.cid));
      if (others.length >= min)
        assert.deepEqual([now?.allocations, now?.timestamp], [holders, pin.timestamp], 'it has not moved');
      else assert.ok(others.every((id) => now?.allocations?.includes(id)) && !now?.allocations?.includes(dead));
    }
    assert.ok(
      after.some((pin, i) => pin.allocations?.join() !== before[i]?.allocations?.join()),
      'something has moved',
    );

    // Another dies and comes back.
    await four.process.kill();
    await waitState(one, four, 'gone');
    await waitHealed([one, two, three], cids);
    await four.process.start();
    await waitState(one, four, 'alive');
    await waitHealed([one, two, three, four], cids);

    // The dead one is removed: nothing refers to it any more.
    assert.deepEqual(await ctl(one, 'peers', 'rm', dead), { code: 0, stdout: '', stderr: '' });
    for (const pin of await waitHealed([one, two, three, four], cids)) assert.ok(!pin.allocations?.includes(dead));

    // The one that came back is drained, which its next life remembers, and removed.
    const drained = await idOf(four);
    const ran = await ctl(two, 'peers', 'drain', '--wait', '--wait-timeout', `${limitMs / 1000}s`, drained);
    assert.deepEqual([ran.code, ran.stdout], [0, `${drained} | ${four.name} | DRAINED | Pins: 0\n`], ran.stderr);
    await waitHealed([one, two, three], cids);
    await waitFor(
      () => heldBy(four),
      (held) => cids.every((cid) => !held.has(cid)),
      (held) => `${held.size} pins are left on the drained node`,
      limitMs,
    );
    await four.process.stop();
    await four.process.start();
    await waitState(one, four, 'drained');
    assert.match(
      (await ctl(three, 'health', 'peers')).stdout,
      new RegExp(`^${drained} \\| ${four.name} \\| DRAINED \\| Pins: 0$`, 'm'),
    );
    assert.equal((await ctl(one, 'peers', 'rm', drained)).code, 0);
    await waitHealed([one, two, three], cids);
    assert.equal((await membersOf(one)).length, 3);
  } finally {
    await end();
  }
});
