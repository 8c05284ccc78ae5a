/**
 * Allocation on real processes: four peers in two groups, each with an IPFS node. An explanation is what pinning then does; a rebalance
 * spreads what a user had put into one group, and the IPFS nodes themselves are asked for it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { addText } from '../../src/cmd/service/demo/content.ts';
import type { ServiceConfig } from '../../src/model/config/index.ts';
import { Cid } from '../../src/model/index.ts';
import { collect } from '../support/collect.ts';
import { ipfsPins } from '../support/member-api.ts';
import { serviceProgram, startPeers, type TestPeer } from '../support/peers.ts';

const limitMs = 60_000;
const pinCount = 12;
const ctlProgram = join(dirname(serviceProgram), 'ipfs-cluster-ctl.cjs');

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

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  await waitFor(
    isSo,
    (so) => so,
    () => `not so in time: ${what}`,
    limitMs,
  );
}

test('pins go where their explanation says; a rebalance spreads those of one group, and the IPFS nodes hold them', async (t) => {
  let made = 0;
  /** Two peers in each group, and metrics that come at once. */
  const change = (config: ServiceConfig): ServiceConfig => ({
    ...config,
    cluster: {
      ...config.cluster,
      monitorPingIntervalMs: 1000,
      pubsub: { ...config.cluster.pubsub, heartbeatIntervalMs: 500 },
    },
    tags: { metricTtlMs: 3000, tags: { group: made++ < 2 ? 'a' : 'b' } },
    disk: { metricTtlMs: 3000, metricType: 'freespace' },
    numpin: { metricTtlMs: 3000 },
  });
  const { peers, end } = await startPeers({ count: 4, change });
  t.after(end);
  const [first, second, third] = peers as readonly TestPeer[] as readonly [TestPeer, TestPeer, TestPeer];
  const client = createClient({ url: first.apiUrl });
  const ids = await Promise.all(peers.map(async ({ apiUrl }) => (await createClient({ url: apiUrl }).id()).id));
  const [a1 = '', a2 = ''] = ids;
  for (const name of ['tag:group', 'freespace', 'numpin']) {
    await until(`${name} of all peers`, async () => (await client.metrics(name)).length === 4);
  }

  const cid = Cid.parse(await addText(first.ipfsUrl, 'explained'));
  const wanted = { replicationFactorMin: 2, replicationFactorMax: 3 };
  const explained = await client.explainAllocation(cid, wanted);
  assert.deepEqual([explained.outcome, explained.isPinned, explained.allocations?.length], ['chosen', false, 3]);
  assert.equal((await collect(client.allocations())).length, 0, 'asking pins nothing');
  const shown = await ctl(first, 'pin', 'explain', '--rmin', '2', '--rmax', '3', cid.toString());
  assert.equal(shown.code, 0, shown.stderr);
  assert.equal([...shown.stdout.matchAll(/candidate/g)].length, 4, shown.stdout);
  const pinned = await client.pin(cid, wanted);
  const groups = new Set(pinned.allocations?.map((id) => (id === a1 || id === a2 ? 'a' : 'b')));
  assert.equal(groups.size, 2);
  await client.unpin(cid);

  // The user wants both in one group: the cluster does so.
  const cids: string[] = [];
  for (let n = 0; n < pinCount; n += 1) {
    const text = await addText(first.ipfsUrl, `content ${n}`);
    cids.push(text);
    const options = { replicationFactorMin: 2, replicationFactorMax: 2, userAllocations: [a1, a2] };
    assert.deepEqual([...((await client.pin(Cid.parse(text), options)).allocations ?? [])].sort(), [a1, a2].sort());
  }
  await until('both hold all', async () => {
    const held = await Promise.all([first, second].map(({ ipfsUrl }) => ipfsPins(ipfsUrl)));
    return held.every((pins) => cids.every((text) => pins.has(text)));
  });

  const dry = await ctl(third, 'rebalance', '--dry-run');
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, new RegExp(`${pinCount} moves planned, none made\n$`));
  const done = await ctl(third, '--enc', 'json', 'rebalance');
  assert.equal(done.code, 0, done.stderr);
  const again = await collect(client.rebalance({ dryRun: true }));
  assert.equal(again.at(-1)?.summary?.planned, 0);
  assert.deepEqual(
    again.at(-1)?.summary?.shares?.map(({ before }) => before),
    [6, 6, 6, 6],
  );
  await until('the IPFS nodes hold just that', async () => {
    const pins = await collect(client.allocations());
    const held = new Map<string, Set<string>>();
    for (const [at, { ipfsUrl }] of peers.entries()) held.set(ids[at] ?? '', await ipfsPins(ipfsUrl));
    return pins.every(({ cid: of, allocations }) =>
      ids.every((id) => (allocations ?? []).includes(id) === held.get(id)?.has(of.toString())),
    );
  });
});
