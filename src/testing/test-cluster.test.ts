import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../test/support/collect.ts';
import { cidNumber } from '../../test/support/pins.ts';
import { errorCode, errorMessage, type Logger, silentLogger } from '../base/index.ts';
import type { Cluster } from '../embed/index.ts';
import { withoutLeaks } from '../sim/world/leaks.ts';
import { createTestCluster, type TestCluster, type TestClusterOptions } from './index.ts';

const [a, b, c] = [cidNumber(1), cidNumber(2), cidNumber(3)].map(String) as [string, string, string];

function peerOf(cluster: TestCluster, number: number | undefined): Cluster {
  const peer = cluster.peers[number ?? -1];
  assert.ok(peer !== undefined, `there is no peer ${number}`);
  return peer;
}

const namesOf = async (peer: Cluster): Promise<string[]> => (await collect(peer.pins())).map(({ name }) => name).sort();

test('createTestCluster: five peers are ready in well under a second, and pin everywhere', async () => {
  const before = process.cpuUsage();
  await using cluster = await createTestCluster(5);
  // Of the processor: the machine may have more to do.
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 1_500_000, `${user + system} µs`);
  const [first, second] = cluster.peers;
  assert.ok(first !== undefined && second !== undefined);
  const entry = await first.pin(a, { name: 'a', metadata: { k: 'v' } });
  assert.deepEqual([entry.cid, entry.replicationMin, entry.metadata], [a, -1, { k: 'v' }]);
  const status = await second.waitFor(a);
  assert.deepEqual(
    Object.values(status.peers).map((peer) => peer.status),
    Array(5).fill('pinned'),
  );
  for (const number of cluster.peers.keys()) assert.deepEqual(cluster.ipfs(number).pins(), [a]);
  assert.equal((await second.peers()).filter(({ error }) => error === '').length, 5);
  assert.deepEqual(
    (await collect(second.statusAll({ filter: ['pinned'] }))).map(({ cid }) => cid),
    [a],
  );
  await second.unpin(a);
  await cluster.settle();
  for (const number of cluster.peers.keys()) assert.deepEqual(cluster.ipfs(number).pins(), []);
});

/** Some of everything. @returns what can be seen of it. */
async function story(options: TestClusterOptions): Promise<unknown> {
  const seen: unknown[] = [];
  const cluster = await createTestCluster(5, options);
  for (const [number, peer] of cluster.peers.entries()) {
    peer.on('pin', ({ name }) => seen.push([cluster.nowMs, number, name]));
    peer.on('leader', ({ leader }) => seen.push([cluster.nowMs, number, leader]));
  }
  await Promise.all(cluster.peers.map((peer, n) => peer.pin(cidNumber(n).toString(), { name: `${n}` })));
  const leader = cluster.leader() ?? 0;
  await cluster.crash(leader);
  await peerOf(cluster, (leader + 1) % 5).pin(a, { name: 'a' });
  cluster.partition([[0, 1], [2]]);
  await cluster.advance(5000);
  cluster.heal();
  await cluster.restart(leader);
  await cluster.settle();
  for (const peer of cluster.peers) seen.push(await collect(peer.statusAll()));
  await cluster.stop();
  return [seen, cluster.nowMs, cluster.steps];
}

test('createTestCluster: equal seeds give equal runs, others do not, and nothing comes in from the real world', async () => {
  const once = await withoutLeaks(() => story({ seed: 7, lossPercent: 5 }));
  assert.deepEqual(await withoutLeaks(() => story({ seed: 7, lossPercent: 5 })), once);
  assert.notDeepEqual(await story({ seed: 8, lossPercent: 5 }), once);
});

test('createTestCluster: a minority cannot write, a majority can, and all agree when the partition is healed', async () => {
  await using cluster = await createTestCluster(5, { seed: 2 });
  const leader = cluster.leader() ?? 0;
  const beside = (leader + 1) % 5;
  const across = (leader + 2) % 5;
  cluster.partition([[leader, beside]]);
  await assert.rejects(peerOf(cluster, leader).pin(a, { timeoutMs: 4000 }), (error) => {
    return ['consensus/no-leader', 'consensus/timeout'].includes(errorCode(error));
  });
  await peerOf(cluster, across).pin(b, { name: 'b' });
  assert.notEqual(cluster.leader(), leader);
  assert.equal(peerOf(cluster, beside).get(b), undefined);
  cluster.heal();
  await cluster.settle();
  const names = await namesOf(peerOf(cluster, across));
  assert.ok(names.includes('b'));
  for (const peer of cluster.peers) assert.deepEqual(await namesOf(peer), names);
});

test('createTestCluster: what was acknowledged survives a crash of all peers; calls of a crashed one are told so', async () => {
  await using cluster = await createTestCluster(3, { seed: 3 });
  const first = peerOf(cluster, 0);
  await first.pin(a, { name: 'a' });
  const late = first.pin(b, { name: 'b' });
  const lost = assert.rejects(late, { code: 'testing/crashed', outcome: 'unknown', message: 'peer 0 has crashed' });
  await cluster.crash(0);
  await lost;
  assert.equal(errorCode(await first.ended), 'testing/crashed');
  await assert.rejects(first.pin(b), { code: 'testing/down', message: /restart\(0\)/ });
  assert.throws(() => first.get(a), { code: 'testing/down' });
  await cluster.crash(1);
  await cluster.crash(2);
  await cluster.advance(1000);
  await Promise.all([0, 1, 2].map((number) => cluster.restart(number)));
  await cluster.settle();
  for (const peer of cluster.peers) assert.equal(peer.get(a)?.name, 'a');
});

test('createTestCluster: a drained peer hands its pins over and keeps none', async () => {
  await using cluster = await createTestCluster(4, { replication: { min: 2, max: 2 } });
  const first = peerOf(cluster, 0);
  const last = peerOf(cluster, 3);
  const { allocations } = await first.pin(a, { allocations: [first.id, last.id] });
  assert.deepEqual([...allocations].sort(), [first.id, last.id].sort());
  await cluster.settle();
  await assert.rejects(first.cordonPeer(last.id, 'drained' as never), { code: 'embed/bad-argument' });
  await first.cordonPeer(last.id, 'draining');
  const of = async () => (await first.members()).find(({ id }) => id === last.id);
  await cluster.until(async () => (await of())?.state === 'drained', { timeoutMs: 120_000 });
  assert.equal(first.get(a)?.allocations.length, 2);
  await cluster.settle();
  assert.deepEqual(cluster.ipfs(3).pins(), []);
  await cluster.crash(3);
  await cluster.restart(3);
  await cluster.advance(60_000);
  assert.equal((await of())?.state, 'drained', 'it keeps to what it was told');
  await first.cordonPeer(last.id, 'none');
  await cluster.until(async () => (await of())?.state === 'alive');
});

test('createTestCluster: pins with factors are spread, and move when a peer is lost', async () => {
  await using cluster = await createTestCluster(5, { repinning: true });
  const first = peerOf(cluster, 0);
  const { allocations } = await first.pin(a, { replicationMin: 2, replicationMax: 2 });
  assert.equal(allocations.length, 2);
  await cluster.settle();
  const numberOf = (id: string): number => cluster.peers.findIndex((peer) => peer.id === id);
  for (const number of cluster.peers.keys()) {
    const isHere = allocations.includes(peerOf(cluster, number).id);
    assert.deepEqual(cluster.ipfs(number).pins(), isHere ? [a] : []);
  }
  const lost = numberOf(allocations[0] ?? '');
  const witness = peerOf(cluster, (lost + 1) % 5);
  const alerts: string[] = [];
  witness.on('alert', ({ name, peer }) => alerts.push(`${name} ${numberOf(peer)}`));
  await cluster.crash(lost);
  await cluster.until(() => witness.get(a)?.allocations.includes(peerOf(cluster, lost).id) === false, {
    timeoutMs: 300_000,
  });
  assert.ok(alerts.includes(`ping ${lost}`));
  await cluster.settle();
  assert.equal((await witness.waitFor(a)).allocations.length, 2);
});

test('createTestCluster: an IPFS node that refuses, is away, or is slow', async () => {
  await using cluster = await createTestCluster(3);
  const first = peerOf(cluster, 0);
  const third = peerOf(cluster, 2);
  const ipfs = cluster.ipfs(2);
  const stateOfThird = async (cid: string) => (await first.status(cid)).peers[third.id];
  ipfs.state = 'failing';
  await first.pin(a);
  await cluster.until(async () => (await stateOfThird(a))?.status === 'pin_error');
  assert.match((await stateOfThird(a))?.error ?? '', /refuses/);
  await assert.rejects(first.waitFor(a, { timeoutMs: 100 }), {
    code: 'embed/not-reached',
    message: /pinned on 2 of 3 peers, pin_error on peer 2 \(the IPFS node refuses/,
  });
  ipfs.state = 'up';
  await first.recover(a);
  await first.waitFor(a);

  ipfs.state = 'down';
  await first.pin(b);
  await cluster.settle();
  assert.deepEqual(ipfs.pins(), [a]);
  ipfs.state = 'up';
  await cluster.until(() => ipfs.pins().length === 2);

  ipfs.slowness = 1000;
  await first.pin(c);
  await cluster.until(() => cluster.ipfs(1).pins().length === 3);
  assert.equal((await stateOfThird(c))?.status, 'pinning');
  await cluster.settle();
  assert.equal((await stateOfThird(c))?.status, 'pinned');
});

test('createTestCluster: a read barrier shows what any peer has acknowledged, and fails where no majority is reached', async () => {
  await using cluster = await createTestCluster(3, { latencyMs: 20 });
  const [first, second] = [peerOf(cluster, 0), peerOf(cluster, 1)];
  for (let count = 0; count < 10; count++) {
    await first.pin(a, { name: `${count}` });
    await second.readBarrier();
    assert.equal(second.get(a)?.name, `${count}`);
  }
  cluster.partition([[1], [0, 2]]);
  await first.pin(b);
  // A leader waits for the others in vain; one that is led gives up its leader meanwhile.
  await assert.rejects(second.readBarrier({ timeoutMs: 3000 }), (error) => {
    assert.match(errorCode(error), /^consensus\/(timeout|no-leader)$/);
    assert.match(errorMessage(error), /^Cannot confirm that this peer has everything that was acknowledged: /);
    return true;
  });
  assert.equal(second.get(b), undefined);
  cluster.heal();
  await second.readBarrier();
  assert.notEqual(second.get(b), undefined);
});

test('createTestCluster: a removed peer stops, and joins again when it is started', async () => {
  await using cluster = await createTestCluster(3);
  const first = peerOf(cluster, 0);
  const third = peerOf(cluster, 2);
  const changes: number[] = [];
  first.on('peers', ({ peers }) => changes.push(peers.length));
  await first.pin(a, { name: 'a' });
  await first.removePeer(third.id);
  assert.equal((await first.peers()).length, 2);
  await cluster.until(() => {
    try {
      return third.get(a) === undefined;
    } catch (error) {
      return errorCode(error) === 'testing/down';
    }
  });
  assert.equal(errorCode(await third.ended), 'cluster/removed');
  await cluster.restart(2);
  await cluster.settle();
  assert.equal(third.get(a)?.name, 'a');
  assert.equal((await third.peers()).length, 3);
  assert.deepEqual([changes[0], changes.at(-1)], [2, 3]);
});

test('createTestCluster: a peer that was removed while it was down asks to join again, and goes on with its data', async () => {
  const lines: string[] = [];
  const log: Logger = { ...silentLogger, warn: (line) => lines.push(line), scope: () => log };
  await using cluster = await createTestCluster(3, { log });
  const first = peerOf(cluster, 0);
  const third = peerOf(cluster, 2);
  await first.pin(a, { name: 'a' });
  await cluster.crash(2);
  // Among what it missed: its own removal, and so much after it that it does not come at once.
  await first.removePeer(third.id);
  for (let count = 0; count < 200; count++) await first.pin(b, { name: `b ${count}` });
  await cluster.advance(10_000);
  await cluster.restart(2);
  await cluster.settle();
  assert.ok(lines.some((line) => line.includes('nobody confirms that this peer is a member still')));
  assert.ok(lines.every((line) => !line.includes('another cluster')));
  assert.deepEqual([third.get(a)?.name, third.get(b)?.name], ['a', 'b 199']);
  assert.equal((await third.peers()).length, 3);
  // It is there to stay.
  await cluster.advance(30_000);
  await third.pin(c, { name: 'c' });
  await first.readBarrier();
  assert.equal(first.get(c)?.name, 'c');
});

test('createTestCluster: a peer that crashed when it had just learned of its removal asks to join again', async () => {
  await using cluster = await createTestCluster(3);
  const [first, third] = [peerOf(cluster, 0), peerOf(cluster, 2)];
  await first.pin(a, { name: 'a' });
  const members: number[] = [];
  third.on('peers', ({ peers }) => members.push(peers.length));
  await first.removePeer(third.id);
  await cluster.until(() => members.at(-1) === 2);
  await cluster.crash(2);
  await first.pin(b, { name: 'b' });
  await cluster.restart(2);
  await cluster.settle();
  assert.deepEqual([third.get(a)?.name, third.get(b)?.name, (await third.peers()).length], ['a', 'b', 3]);
});

test('createTestCluster: a peer that was stopped comes back; all can be down', async () => {
  const cluster = await createTestCluster(1);
  const only = peerOf(cluster, 0);
  await only.pin(a, { name: 'a' });
  await only.stop();
  assert.equal(await only.ended, undefined);
  const before = cluster.nowMs;
  await cluster.advance(500);
  assert.equal(cluster.nowMs, before + 500);
  assert.equal(cluster.leader(), undefined);
  await assert.rejects(cluster.settle({ timeoutMs: 100 }), {
    code: 'testing/timeout',
    message: 'Cannot wait longer than 100 ms for a leader',
  });
  await cluster.restart(0);
  await only.ready;
  assert.equal(only.get(a)?.name, 'a');
  await Promise.all([cluster.stop(), cluster.stop()]);
});

test('createTestCluster: what cannot be done is told in one line', async () => {
  const bad = { code: 'embed/bad-option' };
  await assert.rejects(createTestCluster(0), {
    ...bad,
    message: /option peers: found 0, expected a whole number from 1/,
  });
  await assert.rejects(createTestCluster(3, { sed: 1 } as never), {
    ...bad,
    message: 'Cannot use option sed: found 1, expected that name to be "seed"',
  });
  await assert.rejects(createTestCluster(3, { lossPercent: 90 }), bad);
  await using cluster = await createTestCluster(3);
  const argument = { code: 'testing/bad-argument' };
  await assert.rejects(cluster.crash(3), { ...argument, message: /found peer 3, expected one from 0 to 2$/ });
  await assert.rejects(cluster.restart(0), { ...argument, message: /peer 0 is running$/ });
  assert.throws(() => cluster.partition([[0], [0, 1]]), { ...argument, message: /peer 0 is in two groups$/ });
  assert.throws(() => cluster.ipfs(-1), argument);
});

test('createTestCluster: what nobody would read is refused', async () => {
  await using cluster = await createTestCluster(1);
  const first = peerOf(cluster, 0);
  const bad = (message: RegExp) => ({ code: 'embed/bad-argument', message });
  // As from programs without types.
  const pin = (request: object) => first.pin(a, request);
  await assert.rejects(pin({ nmae: 'x' }), bad(/^Cannot use nmae: found "x", expected that name to be "name"$/));
  await assert.rejects(pin({ replication: { min: 1, max: 1 } }), bad(/^Cannot use replication: found .*, expected /));
  await assert.rejects(
    pin({ timeoutMs: -1 }),
    bad(/^Cannot use timeoutMs: found -1, expected milliseconds, 0 or more$/),
  );
  await assert.rejects(first.waitFor(a, { timeoutMs: -1 }), bad(/^Cannot use timeoutMs: found -1/));
  await assert.rejects(first.waitFor(a, { intervalMs: 0 }), bad(/^Cannot use intervalMs: found 0/));
  await assert.rejects(collect(first.statusAll({ filtre: [] } as object)), bad(/expected that name to be "filter"$/));
  // Every call that takes options.
  type Loose = Readonly<Record<string, (...args: unknown[]) => unknown>>;
  const loose = first as unknown as Loose;
  const ofCid = ['pin', 'unpin', 'status', 'recover', 'waitFor'].map((name) => [name, a] as const);
  const lists = ['pins', 'statusAll', 'recoverAll'].map((name) => [name] as const);
  const calls = [...ofCid, ...lists, ['readBarrier'], ['peers'], ['members'], ['removePeer', first.id]] as const;
  const called = async (name: string, ...args: unknown[]): Promise<void> => {
    const given = loose[name]?.(...args);
    if (lists.some(([list]) => list === name)) await collect(given as AsyncIterable<unknown>);
    else await given;
  };
  for (const [name, ...args] of calls) {
    await assert.rejects(called(name, ...args, { singal: 1 }), bad(/^Cannot use singal: found 1, expected /), name);
    await assert.rejects(called(name, ...args, null), bad(/^Cannot use the options: found null, expected an object$/));
  }
  assert.throws(
    () => first.on('pinned' as 'pin', () => {}),
    bad(/^Cannot use the event: found "pinned", expected one of pin, /),
  );
  await assert.rejects(cluster.advance(-1), {
    code: 'testing/bad-argument',
    message: /found -1 ms, expected 0 or more$/,
  });
});
