import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MemoryCluster } from '../../test/support/memory-cluster.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { type Logger, silentLogger } from '../base/index.ts';
import { createClient } from '../client/index.ts';
import { bindRestApi } from '../http/rest/index.ts';
import { type AllocationExplanation, defaultPinOptions, type PinOptions, timeFromNanos } from '../model/index.ts';
import { Allocator } from './allocator.ts';

interface Line {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A cluster, and what its peers log as a warning or an error. */
async function started(t: TestContext, count: number): Promise<{ cluster: MemoryCluster; lines: Line[] }> {
  const cluster = new MemoryCluster();
  const lines: Line[] = [];
  const keep = (text: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    void lines.push({ text, fields });
  const logger: Logger = { ...silentLogger, warn: keep, error: keep, scope: () => logger };
  cluster.logger = logger;
  await cluster.start(count);
  t.after(() => cluster.stop());
  // Any peer id will do for an IPFS node.
  for (const { id, ipfs } of cluster.nodes) ipfs.identity = { ...ipfs.identity, id };
  await cluster.clock.advance(16_000);
  lines.length = 0;
  return { cluster, lines };
}

const asked = (min: number, max: number, more: Partial<PinOptions> = {}): PinOptions => ({
  ...defaultPinOptions,
  replicationFactorMin: min,
  replicationFactorMax: max,
  ...more,
});

const judged = (explanation: AllocationExplanation, peer: string): string => {
  const found = explanation.peers?.find((candidate) => candidate.peer === peer);
  return `${found?.class}: ${found?.reason}`;
};

test('an explanation is what pinning does, and writes nothing', async (t) => {
  const { cluster } = await started(t, 4);
  const { peer, pinset } = cluster.node(0);
  const [, b, c, d] = cluster.members as [string, string, string, string];
  const steps: PinOptions[] = [
    asked(1, 2),
    asked(1, 3),
    asked(3, 3, { userAllocations: [d] }),
    asked(1, 1),
    asked(-1, -1),
  ];
  for (const options of steps) {
    const before = pinset.count();
    const { allocations, error } = await peer.explainAllocation(cidNumber(1), options);
    assert.equal(pinset.count(), before);
    assert.equal(error, '');
    assert.deepEqual((await peer.pin(cidNumber(1), options)).allocations, allocations);
  }
  await peer.pinObject(pinOf(cidNumber(2), { replicationFactorMin: 2, replicationFactorMax: 2, allocations: [b, c] }));
  const update = asked(0, 0, { pinUpdate: cidNumber(2) });
  const explained = await peer.explainAllocation(cidNumber(3), update);
  assert.deepEqual([explained.outcome, explained.allocations, explained.isPinned], ['taken-over', [b, c], false]);
  assert.deepEqual((await peer.pin(cidNumber(3), update)).allocations, [b, c]);
  const past = timeFromNanos(cluster.clock.wallNanos() - 1_000_000_000n);
  for (const refused of [asked(3, 2), asked(1, 1, { expireAt: past }), asked(1, 1, { pinUpdate: cidNumber(9) })]) {
    const message = await peer.pin(cidNumber(4), refused).then(String, (error: Error) => error.message);
    await assert.rejects(peer.explainAllocation(cidNumber(4), refused), { message });
  }
});

test('a failed allocation: the error is the reference’s, the log tells the reasons once a minute', async (t) => {
  const { cluster, lines } = await started(t, 3);
  const { peer } = cluster.node(0);
  cluster.node(2).ipfs.setUp(false);
  await cluster.clock.advance(60_000);
  lines.length = 0;
  const message =
    'not enough peers to allocate CID. Needed at least: 3. Wanted at most: 3. Available candidates: 2. See logs for more info.';
  for (let n = 0; n < 5; n += 1) await assert.rejects(peer.pin(cidNumber(n), asked(3, 3)), { message });
  const explained = await peer.explainAllocation(cidNumber(9), asked(3, 3));
  assert.deepEqual([explained.outcome, explained.error, explained.allocations], ['failed', message, []]);
  const reason = 'its metric freespace expired';
  assert.match(judged(explained, cluster.node(2).id), new RegExp(`^dropped: ${reason} \\d+s ago$`));
  const failures = (): Line[] => lines.filter(({ text }) => text === 'a pin cannot be allocated');
  assert.equal(failures().length, 1);
  assert.ok(String(failures()[0]?.fields.not).startsWith(`peer-2 (${cluster.node(2).id}): ${reason}`));
  await cluster.clock.advance(61_000);
  await assert.rejects(peer.pin(cidNumber(1), asked(3, 3)));
  assert.equal(failures().length, 2);
});

test('two peers on one IPFS node count once, with a warning once a minute (R50)', async (t) => {
  const { cluster, lines } = await started(t, 3);
  const { peer } = cluster.node(0);
  cluster.node(2).ipfs.identity = cluster.node(1).ipfs.identity;
  await cluster.clock.advance(16_000);
  lines.length = 0;
  const pin = await peer.pin(cidNumber(1), asked(1, 3));
  assert.equal(pin.allocations?.length, 2);
  await assert.rejects(peer.pin(cidNumber(2), asked(3, 3)), { code: 'allocate/not-enough-peers' });
  const warnings = lines.filter(({ text }) => text.startsWith('two peers use one IPFS node'));
  assert.deepEqual(
    warnings.map(({ fields }) => fields.peers),
    [`${[cluster.node(1).id, cluster.node(2).id].sort().join(', ')}`],
  );
});

test('healing adds no holder on the IPFS node of one that stays, but may on that of one that is emptied (R50)', async (t) => {
  const { cluster } = await started(t, 4);
  const [one, two, three, four] = cluster.nodes.map(({ id }) => id) as [string, string, string, string];
  cluster.node(1).ipfs.identity = cluster.node(0).ipfs.identity;
  await cluster.clock.advance(16_000);
  const options = { allocateBy: ['freespace'], pinOnlyOnTrustedPeers: false, pinOnlyOnUntrustedPeers: false };
  const { clock, logger } = cluster;
  const node = cluster.node(2);
  const deps = { consensus: cluster.consensusOf(node), monitor: node.monitor, clock, logger };
  const allocator = new Allocator(options, deps);
  const pin = pinOf(cidNumber(1), { replicationFactorMin: 2, replicationFactorMax: 4, allocations: [one] });
  const choose = await allocator.chooser();
  assert.deepEqual(choose(pin, 3, new Set([one])), [three, four].sort());
  assert.deepEqual(choose(pin, 3, new Set([one, three, four])), [], 'nobody is left');
  await cluster.node(0).peer.cordon('draining');
  await cluster.clock.advance(1000);
  assert.deepEqual((await allocator.chooser())(pin, 3, new Set([one])), [two, three, four].sort());
});

test('a cordoned peer keeps its pins and gets no new ones', async (t) => {
  const { cluster } = await started(t, 3);
  const { peer } = cluster.node(0);
  const held = await peer.pin(cidNumber(1), asked(1, 1));
  const [holder = ''] = held.allocations ?? [];
  for (const node of cluster.nodes) {
    const expire = cluster.clock.wallNanos() + 30_000_000_000n;
    node.monitor.record({
      name: 'cordon',
      peer: holder,
      value: 'cordoned',
      expire,
      valid: true,
      weight: 0n,
      partitionable: false,
      receivedAt: 0n,
    });
  }
  assert.deepEqual((await peer.pin(cidNumber(1), asked(1, 1))).allocations, [holder]);
  assert.ok(!(await peer.pin(cidNumber(2), asked(1, 3))).allocations?.includes(holder));
  assert.equal(
    judged(await peer.explainAllocation(cidNumber(3), asked(1, 3)), holder),
    'dropped: is cordoned: it gets nothing new',
  );
});

test('GET /pins/{hash}/allocation takes the options of POST /pins/{hash}, and refuses what it refuses', async (t) => {
  const { cluster } = await started(t, 3);
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
  api.serve({ cluster: cluster.node(0).peer, log: silentLogger, now: () => timeFromNanos(cluster.clock.wallNanos()) });
  const port = /tcp\/(\d+)/.exec(api.addresses()[0] ?? '')?.[1] ?? '';
  const url = `http://127.0.0.1:${port}`;
  const client = createClient({ url });
  const options = { replicationFactorMin: 2, replicationFactorMax: 2, userAllocations: [cluster.node(1).id] };
  const explained = await client.explainAllocation(cidNumber(1), options);
  assert.equal(explained.allocations?.[0], cluster.node(1).id);
  assert.equal(explained.peers?.find(({ peer }) => peer === cluster.node(1).id)?.class, 'priority');
  assert.deepEqual(
    explained,
    await cluster.node(0).peer.explainAllocation(cidNumber(1), { ...defaultPinOptions, ...options }),
  );
  assert.deepEqual((await client.pin(cidNumber(1), options)).allocations, explained.allocations);
  const statusOf = async (path: string): Promise<[number, string]> => {
    const answer = await fetch(url + path);
    return [answer.status, ((await answer.json()) as { message: string }).message];
  };
  const [status, message] = await statusOf('/pins/nonsense/allocation');
  assert.equal(status, 400);
  assert.match(message, /^error decoding Cid: /);
  assert.deepEqual(await statusOf(`/pins/${cidNumber(1)}/allocation?replication-min=x`), [
    400,
    'parameter replication-min invalid',
  ]);
  assert.deepEqual(await statusOf(`/pins/${cidNumber(1)}/allocation?replication-min=3&replication-max=2`), [
    500,
    'cluster.replication_factor_min is larger than max',
  ]);
});
