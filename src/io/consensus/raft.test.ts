import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { consensusConformance } from '../../../test/conformance/consensus.ts';
import { baseOf } from '../../../test/raft/single-peer.ts';
import { collect } from '../../../test/support/collect.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { peerIds, RaftCluster, raftConfig, type TestPeer } from '../../../test/support/raft-cluster.ts';
import { copyBytes, type Logger, OperatingError, silentLogger, utf8Encode } from '../../base/index.ts';
import { openPinset } from '../../cluster/index.ts';
import type { Consensus, DatastoreOp } from '../../cluster/ports.ts';
import type { Pin } from '../../model/index.ts';
import { createRaftFolder } from '../store/index.ts';
import { encodeBase } from './base-tag.ts';

const [a = '', b = '', c = '', d = ''] = peerIds(4);
const ids = [a, b, c];
const pinNumber = (n: number, name = `pin ${n}`): Pin => pinOf(cidNumber(n), { name });

consensusConformance('raft', async () => {
  const cluster = await RaftCluster.make();
  for (const id of ids) await cluster.start(id, { initPeerset: ids });
  await cluster.leader();
  return {
    peers: ids.map((id) => cluster.peer(id).consensus),
    until: (promise) => cluster.until(promise),
    end: () => cluster.end(),
  };
});

/** Runs the body with three peers that have a leader. */
function threePeers(title: string, body: (cluster: RaftCluster) => Promise<void>): void {
  test(title, async () => {
    const cluster = await RaftCluster.make();
    try {
      for (const id of ids) await cluster.start(id, { initPeerset: ids });
      await cluster.leader();
      await body(cluster);
    } finally {
      await cluster.end();
    }
  });
}

/** Until each of them takes these for the members. */
async function untilMembers(cluster: RaftCluster, peers: readonly string[], members: readonly string[]): Promise<void> {
  for (const id of peers) {
    for (let turn = 0; (await cluster.peer(id).consensus.peers()).join() !== members.join(); turn++) {
      assert.ok(turn < 600, 'within a minute');
      await cluster.pass(100);
    }
  }
}

async function names({ consensus }: TestPeer): Promise<string[]> {
  const pins = (await collect(consensus.pinset().pages())).flat();
  return pins.map(({ name }) => name).sort();
}

threePeers('a write is applied where it was asked for when it resolves, and everywhere soon', async (cluster) => {
  let n = 0;
  for (const id of ids) {
    const peer = cluster.peer(id);
    const pin = pinNumber(++n);
    await cluster.until(peer.consensus.logPin(pin));
    assert.equal(peer.consensus.pinset().get(pin.cid)?.name, pin.name);
  }
  await cluster.untilTrue(() => ids.every((id) => cluster.peer(id).consensus.pinset().count() === 3));
  for (const id of ids) {
    assert.deepEqual(await names(cluster.peer(id)), ['pin 1', 'pin 2', 'pin 3']);
    assert.deepEqual(cluster.peer(id).seen, ['pin pin 1', 'pin pin 2', 'pin pin 3']);
    assert.deepEqual(await cluster.peer(id).consensus.peers(), ids);
    assert.equal(cluster.peer(id).consensus.isTrustedPeer('x'), true);
  }
});

threePeers('unpins take pins away, and many writes at once all arrive in one order', async (cluster) => {
  const writes: Promise<void>[] = [];
  for (let n = 0; n < 200; n++) {
    const { consensus } = cluster.peer(ids[n % 3] ?? a);
    writes.push(consensus.logPin(pinNumber(n % 50, `pin ${n}`)));
    if (n % 5 === 0) writes.push(consensus.logUnpin(pinNumber(n % 50)));
  }
  await cluster.until(Promise.all(writes));
  const { consensus } = cluster.peer(b);
  await cluster.until(consensus.waitForSync());
  await cluster.untilTrue(() => ids.every((id) => cluster.peer(id).seen.length === 240));
  assert.deepEqual(cluster.peer(a).seen, cluster.peer(b).seen);
  assert.deepEqual(cluster.peer(a).seen, cluster.peer(c).seen);
  assert.deepEqual(await names(cluster.peer(a)), await names(cluster.peer(c)));
});

threePeers('writes through followers survive the death of the leader, each applied once', async (cluster) => {
  const leader = await cluster.leader();
  const [first, second] = cluster.others(leader);
  assert.ok(first !== undefined && second !== undefined);
  await cluster.until(first.consensus.logPin(pinNumber(0)));
  const writes = Array.from({ length: 20 }, (_, n) =>
    (n % 2 === 0 ? first : second).consensus.logPin(pinNumber(n + 1, `name ${n}`)),
  );
  await cluster.kill(leader.id);
  await cluster.until(Promise.all(writes));
  await cluster.until(second.consensus.logPin(pinNumber(99)));
  await cluster.untilTrue(() => first.consensus.pinset().count() === 22);
  assert.equal(new Set(first.seen).size, first.seen.length, 'none was applied twice');
  assert.equal(first.seen.length, 22);
  assert.notEqual((await cluster.leader()).id, leader.id);

  const returned = await cluster.start(leader.id, { initPeerset: ids });
  await cluster.until(returned.consensus.ready());
  await cluster.untilTrue(() => returned.consensus.pinset().count() === 22);
  assert.deepEqual(await names(returned), await names(first));
});

threePeers('a leader that does not answer costs time, not the write: its answer is lost', async (cluster) => {
  const leader = await cluster.leader();
  const [follower] = cluster.others(leader);
  assert.ok(follower !== undefined);
  cluster.fate = (_, __, kind) => (kind === 'RaftLeader.Propose' ? 'lose-answer' : 'deliver');
  const write = follower.consensus.logPin(pinNumber(1));
  write.catch(() => {});
  await cluster.untilTrue(() => follower.consensus.pinset().count() === 1);
  // It is not known to be this one until the leader is gone, or has let the time pass.
  await cluster.kill(leader.id);
  cluster.fate = () => 'deliver';
  await cluster.until(write);
  assert.deepEqual(follower.seen, ['pin pin 1']);
});

threePeers('a request that the dead leader never got is made again, once', async (cluster) => {
  const leader = await cluster.leader();
  const [follower] = cluster.others(leader);
  assert.ok(follower !== undefined);
  cluster.fate = (_, to, kind) => (kind === 'RaftLeader.Propose' && to === leader.id ? 'lose' : 'deliver');
  const write = follower.consensus.logPin(pinNumber(1));
  await cluster.pass(100);
  await cluster.kill(leader.id);
  await cluster.until(write);
  assert.deepEqual(follower.seen, ['pin pin 1']);
});

threePeers(
  'a conditional write whose answer is lost is done, and not refused for what it wrote itself',
  async (cluster) => {
    const leader = await cluster.leader();
    const [follower] = cluster.others(leader);
    assert.ok(follower !== undefined);
    const old = pinNumber(1, 'old');
    await cluster.until(follower.consensus.logPin(old));
    cluster.fate = (_, __, kind) => (kind === 'RaftLeader.Propose' ? 'lose-answer' : 'deliver');
    const write = follower.consensus.logPin(pinNumber(1, 'new'), { onlyIf: old });
    write.catch(() => {});
    await cluster.untilTrue(() => follower.seen.length === 2);
    await cluster.kill(leader.id);
    cluster.fate = () => 'deliver';
    await cluster.until(write);
    assert.deepEqual(follower.seen, ['pin old', 'pin new']);
  },
);

for (const isReplaced of [true, false]) {
  const what = isReplaced ? 'refused when somebody else was quicker' : 'made again';
  threePeers(`a conditional request that the dead leader never got is ${what}`, async (cluster) => {
    const leader = await cluster.leader();
    const [follower, other] = cluster.others(leader);
    assert.ok(follower !== undefined && other !== undefined);
    const old = pinNumber(1, 'old');
    await cluster.until(follower.consensus.logPin(old));
    cluster.fate = (from, _, kind) => (kind === 'RaftLeader.Propose' && from === follower.id ? 'lose' : 'deliver');
    const write = follower.consensus.logPin(pinNumber(1, 'new'), { onlyIf: old });
    write.catch(() => {});
    if (isReplaced) await cluster.until(other.consensus.logPin(pinNumber(1, 'newer')));
    await cluster.kill(leader.id);
    cluster.fate = () => 'deliver';
    if (isReplaced) {
      await assert.rejects(cluster.until(write), {
        code: 'consensus/changed',
        outcome: 'refused',
        message: `Cannot pin "${old.cid}": its pin is another one by now`,
      });
    } else await cluster.until(write);
    assert.deepEqual(follower.seen, ['pin old', isReplaced ? 'pin newer' : 'pin new']);
    assert.deepEqual(await names(follower), [isReplaced ? 'newer' : 'new']);
  });
}

threePeers('what stood in the way of a conditional write and was lost is no reason to refuse it', async (cluster) => {
  const leader = await cluster.leader();
  const [other] = cluster.others(leader);
  assert.ok(other !== undefined);
  const old = pinNumber(1, 'old');
  await cluster.until(leader.consensus.logPin(old));
  const isCut = (from: string, to: string): boolean => (from === leader.id) !== (to === leader.id);
  cluster.fate = (from, to) => (isCut(from, to) ? 'lose' : 'deliver');
  const asking = new AbortController();
  const lost = leader.consensus.logPin(pinNumber(1, 'lost'), { signal: asking.signal });
  const isGivenUp = assert.rejects(lost, { outcome: 'unknown' });
  await cluster.pass(20);
  asking.abort();
  const write = leader.consensus.logPin(pinNumber(1, 'new'), { onlyIf: old });
  const changed = assert.rejects(leader.consensus.logPin(pinNumber(1, 'late'), { onlyIf: pinNumber(1, 'lost') }), {
    code: 'consensus/changed',
  });
  // Another leader has its first entry committed: the lost one never will be.
  await cluster.until(other.consensus.logPin(pinNumber(2)));
  cluster.fate = () => 'deliver';
  await cluster.until(Promise.all([isGivenUp, write, changed]));
  await cluster.untilTrue(() => leader.consensus.pinset().count() === 2);
  assert.deepEqual(await names(leader), ['new', 'pin 2']);
});

threePeers('under a Go leader the pinset is compared by whoever is asked', async (cluster) => {
  const leader = await cluster.leader();
  const [follower, other] = cluster.others(leader);
  assert.ok(follower !== undefined && other !== undefined);
  const handlers = cluster.rpcHandlers.get(leader.id);
  handlers?.delete('RaftLeader.Propose');
  handlers?.delete('RaftLeader.Read');
  const expiries: Pin['expireAt'][] = [];
  const asGo = (log: (pin: Pin) => Promise<void>) => (pin: Pin) => {
    expiries.push(pin.expireAt);
    return log(pin);
  };
  handlers?.set(
    'Consensus.LogPin',
    asGo((pin) => leader.consensus.logPin(pin)),
  );
  handlers?.set(
    'Consensus.LogUnpin',
    asGo((pin) => leader.consensus.logUnpin(pin)),
  );
  const old = pinNumber(1, 'old');
  const pin = pinNumber(1, 'new');
  await assert.rejects(cluster.until(follower.consensus.logPin(pin, { onlyIf: old })), {
    code: 'consensus/changed',
    message: `Cannot pin "${old.cid}": it is not pinned any more`,
  });
  await cluster.until(leader.consensus.logPin(old));
  await cluster.untilTrue(() => follower.consensus.pinset().count() === 1);
  await cluster.until(follower.consensus.logPin(pin, { onlyIf: old }));
  await assert.rejects(cluster.until(follower.consensus.logUnpin(old, { onlyIf: old })), { code: 'consensus/changed' });
  await cluster.untilTrue(() => follower.consensus.pinset().get(pin.cid)?.name === 'new');
  await cluster.until(follower.consensus.logUnpin(pin, { onlyIf: pin }));
  assert.deepEqual(leader.seen, ['pin old', 'pin new', `unpin ${pin.cid}`]);
  // Nor does a Go leader let anything take the expiry of another pin, when it is told each time that there is none.
  const soon = { seconds: 4_000_000_000, nanos: 0 };
  await cluster.until(follower.consensus.logPin({ ...pin, expireAt: soon }));
  await cluster.until(follower.consensus.logUnpin({ ...pin, expireAt: soon }));
  const never = { seconds: 0, nanos: 0 };
  assert.deepEqual(expiries, [never, never, soon, never]);
});

threePeers('the minority side refuses writes in bounded time and goes on reading', async (cluster) => {
  const leader = await cluster.leader();
  await cluster.until(leader.consensus.logPin(pinNumber(1)));
  const others = cluster.others(leader);
  const isCut = (from: string, to: string): boolean => (from === leader.id) !== (to === leader.id);
  cluster.fate = (from, to) => (isCut(from, to) ? 'lose' : 'deliver');
  const startMs = cluster.clock.now();
  const lostWrite = leader.consensus.logPin(pinNumber(2));
  await assert.rejects(cluster.until(lostWrite), {
    code: 'consensus/no-leader',
    message: 'timed out waiting for leader: context deadline exceeded',
    outcome: 'unknown',
  });
  assert.ok(cluster.clock.now() - startMs <= 15_100);
  await assert.rejects(cluster.until(leader.consensus.logPin(pinNumber(3))), {
    code: 'consensus/no-leader',
    outcome: 'refused',
  });
  assert.throws(() => leader.consensus.leader(), { code: 'consensus/no-leader', message: 'leader unknown' });
  assert.deepEqual(await names(leader), ['pin 1']);
  const [other] = others;
  assert.ok(other !== undefined);
  await cluster.until(other.consensus.logPin(pinNumber(4)));

  cluster.fate = () => 'deliver';
  await cluster.until(leader.consensus.logPin(pinNumber(5)));
  await cluster.until(leader.consensus.waitForSync());
  assert.deepEqual(await names(leader), ['pin 1', 'pin 4', 'pin 5']);
});

threePeers('reads are confirmed by a quorum, or refused within their limit', async (cluster) => {
  const leader = await cluster.leader();
  const [first, second] = cluster.others(leader);
  assert.ok(first !== undefined && second !== undefined);
  await cluster.until(leader.consensus.logPin(pinNumber(1)));
  // Who is cut off believes to lead for a while yet, and has missed something by the time it is asked.
  const isCut = (from: string, to: string): boolean => (from === leader.id) !== (to === leader.id);
  cluster.fate = (from, to) => (isCut(from, to) ? 'lose' : 'deliver');
  let lateMs = 0;
  const begin = cluster.clock.now();
  const late = leader.consensus.readBarrier({ timeoutMs: 8000 }).finally(() => {
    lateMs = cluster.clock.now() - begin;
  });
  late.catch(() => {});
  await cluster.until(first.consensus.logPin(pinNumber(2)));
  await cluster.until(second.consensus.readBarrier());
  assert.deepEqual(await names(second), ['pin 1', 'pin 2']);
  await assert.rejects(cluster.until(late), {
    code: 'consensus/no-leader',
    message:
      'Cannot confirm that this peer has everything that was acknowledged: ' +
      'timed out waiting for leader: context deadline exceeded',
    outcome: 'refused',
  });
  assert.ok(lateMs >= 8000 && lateMs < 9000, `${lateMs} ms`);

  const stop = new AbortController();
  const givenUp = leader.consensus.readBarrier({ signal: stop.signal });
  stop.abort();
  await assert.rejects(givenUp, { code: 'consensus/cancelled', outcome: 'refused' });

  // The leader answers, but nothing of the log comes here.
  cluster.fate = () => 'deliver';
  const next = await cluster.leader();
  const [behind] = cluster.others(next);
  assert.ok(behind !== undefined);
  cluster.fate = (_, to, kind) => (kind === 'raft' && to === behind.id ? 'lose' : 'deliver');
  await cluster.until(next.consensus.logPin(pinNumber(3)));
  await assert.rejects(cluster.until(behind.consensus.readBarrier({ timeoutMs: 500 })), {
    code: 'consensus/timeout',
    message: /: timed out waiting for updates: entry \d+ of \d+ is applied$/,
  });
  cluster.fate = () => 'deliver';
  for (const peer of cluster.peers.values()) {
    await cluster.until(peer.consensus.readBarrier());
    assert.deepEqual(await names(peer), ['pin 1', 'pin 2', 'pin 3']);
  }
});

threePeers('a read is not confirmed by a leader that has no read index, as a Go peer', async (cluster) => {
  const leader = await cluster.leader();
  const [follower] = cluster.others(leader);
  assert.ok(follower !== undefined);
  cluster.rpcHandlers.get(leader.id)?.delete('RaftLeader.Read');
  await assert.rejects(cluster.until(follower.consensus.readBarrier()), {
    code: 'consensus/no-read-index',
    message:
      'Cannot confirm that this peer has everything that was acknowledged: ' +
      `the leader "${leader.id}" is a Go peer, which has no read index`,
  });
  // Who takes what there is goes on.
  await cluster.until(follower.consensus.waitForSync());
});

threePeers('a caller can set a shorter limit, and give up', async (cluster) => {
  const leader = await cluster.leader();
  cluster.fate = () => 'lose';
  const startMs = cluster.clock.now();
  await assert.rejects(cluster.until(leader.consensus.logPin(pinNumber(1), { timeoutMs: 300 })), {
    code: 'consensus/timeout',
    outcome: 'unknown',
  });
  assert.ok(cluster.clock.now() - startMs < 1000);
  const stop = new AbortController();
  const write = leader.consensus.logPin(pinNumber(2), { signal: stop.signal });
  stop.abort();
  await assert.rejects(write, { code: 'consensus/cancelled', outcome: 'unknown' });
  await assert.rejects(leader.consensus.logPin(pinNumber(2), { signal: stop.signal }), { code: 'consensus/cancelled' });
});

threePeers('all peers restarted on their data hold every acknowledged pin', async (cluster) => {
  for (let round = 0; round < 3; round++) {
    const writes = Array.from({ length: 10 }, (_, n) =>
      cluster.peer(ids[n % 3] ?? a).consensus.logPin(pinNumber(round * 10 + n)),
    );
    await cluster.until(Promise.all(writes));
    for (const id of ids) await cluster.kill(id);
    for (const id of ids) await cluster.start(id);
    for (const id of ids) await cluster.until(cluster.peer(id).consensus.ready());
    await cluster.until(cluster.peer(a).consensus.waitForSync());
    assert.equal(cluster.peer(a).consensus.pinset().count(), (round + 1) * 10);
    assert.deepEqual(await cluster.peer(c).consensus.peers(), ids);
  }
});

threePeers('a peer joins through any member, is sent the log, and is removed again', async (cluster) => {
  for (let n = 0; n < 5; n++) await cluster.until(cluster.peer(a).consensus.logPin(pinNumber(n)));
  const joined = await cluster.start(d, { isJoining: true });
  assert.deepEqual(await joined.consensus.peers(), []);
  assert.equal(await joined.consensus.isRemoved(), false, 'it never was a member');
  await cluster.until(cluster.peer(b).consensus.addPeer(d));
  await cluster.until(cluster.peer(c).consensus.addPeer(d));
  await cluster.until(joined.consensus.ready());
  await cluster.untilTrue(() => joined.consensus.pinset().count() === 5);
  assert.deepEqual(await cluster.peer(b).consensus.peers(), [a, b, c, d]);
  await cluster.until(joined.consensus.logPin(pinNumber(7)));
  assert.equal(joined.consensus.pinset().count(), 6);

  await cluster.until(cluster.peer(a).consensus.rmPeer(d));
  await cluster.until(cluster.peer(a).consensus.rmPeer(d));
  await cluster.untilTrue(() => cluster.peer(b).seen.length === 6);
  assert.deepEqual(await cluster.peer(b).consensus.peers(), ids);
  await cluster.pass(3000);
  assert.equal(await cluster.until(joined.consensus.isRemoved()), true);
  assert.equal(await cluster.peer(b).consensus.isRemoved(), false);
  await cluster.kill(d);
  await joined.consensus.clean();
  assert.deepEqual(await foldersOf(cluster, d), ['raft', 'raft.old.0']);

  // Started as before it is not a cluster of its own; it waits, and says so.
  const warnings = warningsOf(cluster);
  const again = await cluster.start(d);
  await cluster.pass(5000);
  assert.deepEqual([await again.consensus.peers(), again.consensus.pinset().count()], [[], 0]);
  assert.match(warnings.join('\n'), /member of nothing: it was removed .* --bootstrap .*"state cleanup"/);
  await assert.rejects(cluster.until(again.consensus.logPin(pinNumber(8))), { code: 'consensus/no-leader' });
  await cluster.until(cluster.peer(a).consensus.addPeer(d));
  await cluster.untilTrue(() => again.consensus.pinset().count() === 6);
});

threePeers(
  'a member that was removed while it was away is told so by all others, not by some of them',
  async (cluster) => {
    const warnings = warningsOf(cluster);
    await cluster.until(cluster.peer(a).consensus.logPin(pinNumber(1)));
    await cluster.kill(c);
    await cluster.until(cluster.peer(a).consensus.rmPeer(c));
    await cluster.until(cluster.peer(b).consensus.waitForSync());
    cluster.fate = (from, to) => ((from === b && to === c) || (from === c && to === b) ? 'lose' : 'deliver');
    const back = await cluster.start(c);
    await cluster.pass(3000);
    assert.equal(await cluster.until(back.consensus.isRemoved()), false);
    assert.deepEqual(warnings.filter((line) => line.includes('may have been removed')).length, 1);
    assert.deepEqual(await back.consensus.peers(), ids);
    cluster.fate = () => 'deliver';
    // Not asked at every look.
    assert.equal(await cluster.until(back.consensus.isRemoved()), false);
    await cluster.pass(15_000);
    assert.equal(await cluster.until(back.consensus.isRemoved()), true);
  },
);

threePeers(
  'a peer that was added again keeps its data when the leader dies before it has sent more than the removal',
  async (cluster) => {
    const peer = await cluster.start(d, { isJoining: true });
    await cluster.until(cluster.peer(a).consensus.addPeer(d));
    await cluster.until(peer.consensus.ready());
    await cluster.until(cluster.peer(a).consensus.rmPeer(d));
    // The leader tells it of the commit.
    await untilMembers(cluster, [d], ids);
    cluster.fate = (from, to, kind) => (kind === 'raft' && (from === d || to === d) ? 'lose' : 'deliver');
    const leader = await cluster.leader();
    cluster
      .peer(a)
      .consensus.addPeer(d)
      .catch(() => {});
    await untilMembers(cluster, ids, [a, b, c, d]);
    await cluster.kill(leader.id);
    await cluster.pass(3000);
    assert.equal(await cluster.until(peer.consensus.isRemoved()), false);
  },
);

threePeers('members that only hear no leader name each other, and nobody ends', async (cluster) => {
  const warnings = warningsOf(cluster);
  await cluster.until(cluster.peer(a).consensus.logPin(pinNumber(1)));
  cluster.fate = (_, __, kind) => (kind === 'raft' ? 'lose' : 'deliver');
  await cluster.pass(20_000);
  for (const id of ids) assert.equal(await cluster.until(cluster.peer(id).consensus.isRemoved()), false);
  assert.ok(cluster.calls.includes('Cluster.ID'));
  assert.deepEqual(
    warnings.filter((line) => line.includes('removed')),
    [],
  );
});

threePeers(
  'a voter whose removal is not committed is a member still, and keeps what it has acknowledged',
  async (cluster) => {
    const leader = await cluster.leader();
    const [voter, away] = cluster.others(leader);
    assert.ok(voter !== undefined && away !== undefined);
    await cluster.until(voter.consensus.waitForSync());
    cluster.fate = (from, to) => (from === away.id || to === away.id ? 'lose' : 'deliver');
    await cluster.until(leader.consensus.logPin(pinNumber(1)));
    const removal = leader.consensus.rmPeer(voter.id, { timeoutMs: 3000 });
    await assert.rejects(cluster.until(removal), { outcome: 'unknown' });
    for (const peer of [leader, voter]) assert.deepEqual(await peer.consensus.peers(), ids);
    assert.equal(await cluster.until(voter.consensus.isRemoved()), false);

    await cluster.kill(voter.id);
    const left = await createRaftFolder(join(cluster.folder, voter.id, 'raft'), { backupsRotate: 1 }).open();
    const { entries } = await left.log.load();
    await left.state.close();
    const last = entries.findLast((entry) => entry.type === 'configuration');
    assert.equal(last?.configuration.servers.length, 2, 'the removal has come into its log');

    // Whoever has not got pin 1 must not be elected by one that has forgotten it.
    await cluster.kill(leader.id);
    cluster.fate = () => 'deliver';
    const back = await cluster.start(voter.id);
    await assert.rejects(cluster.until(away.consensus.logPin(pinNumber(2))), { code: 'consensus/no-leader' });
    assert.equal(await cluster.until(back.consensus.isRemoved()), false);

    // The removal is committed by those who remain. Nobody tells the removed peer, so it asks.
    const again = await cluster.start(leader.id);
    await cluster.untilTrue(() => away.consensus.pinset().count() === 1);
    await cluster.until(again.consensus.logPin(pinNumber(2)));
    await cluster.until(away.consensus.waitForSync());
    for (const peer of [again, away]) assert.deepEqual(await names(peer), ['pin 1', 'pin 2']);
    assert.equal(await cluster.until(back.consensus.isRemoved()), true);
  },
);

threePeers('a peer that has been told of its removal ends also while a member is dead', async (cluster) => {
  const leader = await cluster.leader();
  const [dead] = cluster.others(leader);
  assert.ok(dead !== undefined);
  const removed = await cluster.start(d, { isJoining: true });
  await cluster.until(leader.consensus.addPeer(d));
  await cluster.kill(dead.id);
  await cluster.until(leader.consensus.rmPeer(d));
  // The leader that was heard last is forgotten after an election timeout.
  await cluster.pass(5000);
  assert.equal(await cluster.until(removed.consensus.isRemoved()), true);
});

for (const asked of ['the leader', 'a follower'] as const) {
  threePeers(`a peer that is added at ${asked} and removed before it came stays removed`, async (cluster) => {
    const leader = await cluster.leader();
    const [follower] = cluster.others(leader);
    assert.ok(follower !== undefined);
    const { consensus } = asked === 'the leader' ? leader : follower;
    const adding = assert.rejects(consensus.addPeer(d), { outcome: 'unknown' });
    await cluster.pass(500);
    assert.ok((await leader.consensus.peers()).includes(d), 'it waits for the peer');
    await cluster.until(leader.consensus.rmPeer(d));
    await cluster.until(adding);
    assert.deepEqual(await leader.consensus.peers(), ids);
  });
}

threePeers(
  'a change of members whose answer is lost is not made again over what somebody else did since',
  async (cluster) => {
    const leader = await cluster.leader();
    const [follower, other] = cluster.others(leader);
    assert.ok(follower !== undefined && other !== undefined);
    await cluster.start(d, { isJoining: true });
    cluster.fate = (from, _, kind) =>
      from === follower.id && kind === 'RaftLeader.Change' ? 'lose-answer' : 'deliver';
    const adding = follower.consensus.addPeer(d);
    adding.catch(() => {});
    await cluster.until(other.consensus.addPeer(d));
    await cluster.until(other.consensus.rmPeer(d));
    await assert.rejects(cluster.until(adding), { code: 'rpc/timeout', outcome: 'unknown' });
    await cluster.pass(20_000);
    assert.deepEqual(await leader.consensus.peers(), ids);
  },
);

threePeers('a change of members whose answer is lost is done when the members are as asked for', async (cluster) => {
  const leader = await cluster.leader();
  const [follower] = cluster.others(leader);
  assert.ok(follower !== undefined);
  await cluster.start(d, { isJoining: true });
  cluster.fate = (from, _, kind) => (from === follower.id && kind === 'RaftLeader.Change' ? 'lose-answer' : 'deliver');
  await cluster.until(follower.consensus.addPeer(d));
  assert.deepEqual(await follower.consensus.peers(), [a, b, c, d]);
  await cluster.until(follower.consensus.rmPeer(d));
  assert.deepEqual(await follower.consensus.peers(), ids);
  assert.equal(cluster.calls.filter((name) => name === 'RaftLeader.Change').length, 2, 'each was asked for once');
});

threePeers('a change of members that the dead leader never got is made again', async (cluster) => {
  const leader = await cluster.leader();
  const [follower] = cluster.others(leader);
  assert.ok(follower !== undefined);
  cluster.fate = (_, to, kind) => (kind === 'RaftLeader.Change' && to === leader.id ? 'lose' : 'deliver');
  const removing = follower.consensus.rmPeer(leader.id);
  await cluster.pass(100);
  await cluster.kill(leader.id);
  await cluster.until(removing);
  assert.ok(!(await follower.consensus.peers()).includes(leader.id));
});

threePeers('a leader that has no service of ours is asked for changes of members as a Go peer', async (cluster) => {
  const leader = await cluster.leader();
  const [follower] = cluster.others(leader);
  assert.ok(follower !== undefined);
  cluster.rpcHandlers.get(leader.id)?.delete('RaftLeader.Change');
  await cluster.start(d, { isJoining: true });
  await cluster.until(follower.consensus.addPeer(d));
  await cluster.until(follower.consensus.rmPeer(d));
  assert.deepEqual(await follower.consensus.peers(), ids);
  assert.deepEqual(
    cluster.calls.filter((name) => name !== 'Cluster.ID'),
    ['RaftLeader.Change', 'Consensus.AddPeer', 'Consensus.RmPeer'],
  );
});

for (const end of ['given up', 'cut short by the end of the peer']) {
  threePeers(`a change of members that is ${end} may still happen, and says so`, async (cluster) => {
    const leader = await cluster.leader();
    const [follower] = cluster.others(leader);
    assert.ok(follower !== undefined);
    await cluster.until(follower.consensus.waitForSync());
    cluster.fate = () => 'lose';
    const asking = new AbortController();
    const removing = leader.consensus.rmPeer(follower.id, { signal: asking.signal });
    removing.catch(() => {});
    await cluster.pass(20);
    if (end === 'given up') asking.abort();
    else await cluster.kill(leader.id);
    await assert.rejects(cluster.until(removing), { outcome: 'unknown' });
  });
}

threePeers('the leader can be removed; the others elect another', async (cluster) => {
  const leader = await cluster.leader();
  const [other] = cluster.others(leader);
  assert.ok(other !== undefined);
  await cluster.until(other.consensus.rmPeer(leader.id));
  await cluster.kill(leader.id);
  await cluster.until(other.consensus.logPin(pinNumber(1)));
  assert.deepEqual(
    await other.consensus.peers(),
    ids.filter((id) => id !== leader.id),
  );
});

threePeers('a change of members that was cut short is not reported as refused', async (cluster) => {
  const leader = await cluster.leader();
  // Before the first commit of its term a leader refuses.
  await cluster.until(leader.consensus.logPin(pinNumber(1)));
  cluster.fate = (_from, _to, kind) => (kind === 'raft' ? 'lose' : 'deliver');
  const removed = leader.consensus.rmPeer(ids.find((id) => id !== leader.id) ?? d, { timeoutMs: 3000 });
  await assert.rejects(cluster.until(removed), { code: 'consensus/no-leader', outcome: 'unknown' });
});

threePeers('a change of members whose peer stops meanwhile may be in the log', async (cluster) => {
  const leader = await cluster.leader();
  // Before the first commit of its term a leader refuses.
  await cluster.until(leader.consensus.logPin(pinNumber(1)));
  cluster.fate = (_from, _to, kind) => (kind === 'raft' ? 'lose' : 'deliver');
  const removed = leader.consensus.rmPeer(ids.find((id) => id !== leader.id) ?? d);
  const isStopped = assert.rejects(removed, { code: 'consensus/stopped', outcome: 'unknown' });
  await cluster.kill(leader.id);
  await isStopped;
});

test('a single peer leads itself, refuses to remove itself, and keeps its data', async () => {
  const cluster = await RaftCluster.make();
  try {
    const early = cluster.prepare(a);
    assert.equal(early.consensus.pinset().count(), 0);
    assert.deepEqual(await collect(early.consensus.pinset().pages()), []);
    await assert.rejects(early.consensus.logPin(pinNumber(1)), { code: 'consensus/stopped' });
    await early.consensus.start();
    await cluster.until(early.consensus.ready());
    await cluster.until(early.consensus.logPin(pinNumber(1)));
    await assert.rejects(cluster.until(early.consensus.rmPeer(a)), {
      code: 'consensus/last-voter',
      message: 'cannot remove ourselves from a 1-peer cluster',
    });
    await assert.rejects(early.consensus.clean(), { message: 'consensus component is not shutdown' });
    await cluster.kill(a);
    assert.throws(() => early.consensus.pinset().count(), { code: 'consensus/stopped' });
    const again = await cluster.start(a, { initPeerset: ['ignored'] });
    await cluster.until(again.consensus.ready());
    assert.deepEqual(await again.consensus.peers(), [a]);
    assert.deepEqual(await names(again), ['pin 1']);
    await cluster.kill(a);
    assert.equal(cluster.clock.pendingCount, 0, 'a stopped peer leaves no timers');

    await cluster.start(a, { isJoining: true });
    assert.deepEqual((await readdir(join(cluster.folder, a))).sort(), ['raft', 'raft.old.0']);
    assert.equal(cluster.peer(a).consensus.pinset().count(), 0);
    const waiting = cluster.peer(a).consensus.ready();
    await assert.rejects(cluster.until(waiting), { message: 'error waiting for leader: context deadline exceeded' });
  } finally {
    await cluster.end();
  }
});

test('a peer that joins and ends before it was told anything does not come back as a cluster of its own', async () => {
  const cluster = await RaftCluster.make();
  try {
    for (const isJoining of [true, true, false]) {
      const peer = await cluster.start(a, { isJoining });
      const waiting = peer.consensus.ready();
      await assert.rejects(cluster.until(waiting), { message: 'error waiting for leader: context deadline exceeded' });
      assert.deepEqual(await peer.consensus.peers(), []);
      await cluster.kill(a);
    }
    assert.deepEqual(await readdir(join(cluster.folder, a)), ['raft'], 'there was nothing to keep as a backup');
  } finally {
    await cluster.end();
  }
});

test('a peer that is stopped while it starts gives its files back and stays stopped', async () => {
  const cluster = await RaftCluster.make();
  try {
    const { consensus } = cluster.prepare(a);
    const starting = consensus.start();
    const stopping = consensus.stop();
    await assert.rejects(starting, { code: 'consensus/stopped' });
    await stopping;
    assert.equal(cluster.clock.pendingCount, 0);
    cluster.peer(a).isDead = true;
    const again = await cluster.start(a);
    await cluster.until(again.consensus.ready());
  } finally {
    await cluster.end();
  }
});

const compacting = { ...raftConfig, snapshotIntervalMs: 500, snapshotThreshold: 10, trailingLogs: 5 };

/** Three peers whose logs are short, with pins 0 to 29, the even ones taken away again. */
async function compacted(): Promise<RaftCluster> {
  const cluster = await RaftCluster.make({ config: compacting });
  for (const id of ids) await cluster.start(id, { initPeerset: ids });
  const { consensus } = await cluster.leader();
  for (let n = 0; n < 30; n++) await cluster.until(consensus.logPin(pinNumber(n)));
  for (let n = 0; n < 30; n += 2) await cluster.until(consensus.logUnpin(pinNumber(n)));
  return cluster;
}

test('a peer with a changed bit in a pin of its state gives that pin to nobody, and ends when anybody comes upon it', async () => {
  const cluster = await RaftCluster.make({ config: { ...compacting, snapshotIntervalMs: 120_000 } });
  try {
    const first = await cluster.start(a);
    await cluster.leader();
    for (let n = 0; n < 20; n++) await cluster.until(first.consensus.logPin(pinNumber(n, `the name of pin ${n}`)));
    await cluster.kill(a);
    // LevelDB makes a table of its log when it is opened.
    await cluster.start(a);
    await cluster.kill(a);
    const folder = join(cluster.folder, a, 'raft', 'state');
    let changed = 0;
    for (const name of (await readdir(folder)).filter((file) => file.endsWith('.ldb'))) {
      const bytes = await readFile(join(folder, name));
      const at = bytes.indexOf('the name of pin 7');
      if (at < 0) continue;
      bytes[at] = 'T'.charCodeAt(0);
      await writeFile(join(folder, name), bytes);
      changed++;
    }
    assert.equal(changed, 1);
    const [data, copy] = [join(cluster.folder, a, 'raft'), join(cluster.folder, 'copy')];
    await cp(data, copy, { recursive: true });
    const damaged = { code: 'store/damaged' };
    const finders: readonly ((consensus: Consensus) => Promise<void>)[] = [
      async (consensus) => assert.throws(() => consensus.pinset().get(cidNumber(7)), damaged),
      async (consensus) => assert.throws(() => consensus.pinset().has(cidNumber(7)), damaged),
      async (consensus) => assert.rejects(collect(consensus.pinset().pages()), damaged),
      // Who joins needs a snapshot, and would wait for it for ever.
      async (consensus) => {
        await cluster.start(d, { isJoining: true });
        await assert.rejects(cluster.until(consensus.addPeer(d)), { outcome: 'unknown' });
        await cluster.kill(d);
      },
      async (consensus) => assert.rejects(cluster.until(consensus.logUnpin(pinNumber(7)))),
    ];
    for (const find of finders) {
      const { consensus, failures } = await cluster.start(a);
      await cluster.until(consensus.ready());
      assert.equal(consensus.pinset().get(cidNumber(8))?.name, 'the name of pin 8');
      assert.equal(failures.length, 0);
      await find(consensus);
      assert.equal(consensus.pinset().get(cidNumber(8))?.name, 'the name of pin 8');
      assert.equal(failures.length, 1);
      assert.match(
        failures[0]?.message ?? '',
        /the value of "\/r\/.*" does not match its checksum; restore .*--bootstrap/,
      );
      await cluster.kill(a);
      await rm(data, { recursive: true });
      await cp(copy, data, { recursive: true });
    }
  } finally {
    await cluster.end();
  }
});

test('a peer that joins when the log is compacted receives a snapshot and the log after it', async () => {
  const cluster = await compacted();
  try {
    const joined = await cluster.start(d, { isJoining: true });
    await cluster.until(cluster.peer(b).consensus.addPeer(d));
    await cluster.until(joined.consensus.ready());
    assert.deepEqual(await names(joined), await names(cluster.peer(a)));
    assert.ok(joined.seen.includes('replaced'));
    assert.equal(joined.consensus.pinset().count(), 15);
    await cluster.until(joined.consensus.logPin(pinNumber(0)));
    await cluster.kill(d);
    const again = await cluster.start(d);
    await cluster.until(again.consensus.ready());
    assert.equal(again.consensus.pinset().count(), 16);
  } finally {
    await cluster.end();
  }
});

test('a peer that joins is never sent a snapshot that is damaged, and one that is taken for it instead', async () => {
  const cluster = await compacted();
  try {
    await cluster.pass(2000);
    let damaged = 0;
    for (const id of ids) {
      const folder = join(cluster.folder, id, 'raft', 'snapshots');
      for (const name of await readdir(folder)) {
        const path = join(folder, name, 'state.bin');
        const bytes = await readFile(path);
        const at = bytes.indexOf('pin 1');
        if (at < 0) continue;
        // A snapshot still, with another pin in it.
        bytes[at] = 'P'.charCodeAt(0);
        await writeFile(path, bytes);
        damaged++;
      }
    }
    assert.ok(damaged >= 3);
    const joined = await cluster.start(d, { isJoining: true });
    await cluster.until(cluster.peer(b).consensus.addPeer(d));
    await cluster.until(joined.consensus.ready());
    assert.deepEqual(await names(joined), await names(cluster.peer(a)));
    assert.ok(joined.seen.includes('replaced'));
  } finally {
    await cluster.end();
  }
});

test('a peer that was away while pins were removed and the log compacted has the pinset of the others', async () => {
  const cluster = await compacted();
  try {
    const leader = await cluster.leader();
    const [away, other] = cluster.others(leader);
    assert.ok(away !== undefined && other !== undefined);
    await cluster.kill(away.id);
    for (let n = 1; n < 30; n += 2) await cluster.until(other.consensus.logUnpin(pinNumber(n)));
    for (let n = 100; n < 130; n++) await cluster.until(leader.consensus.logPin(pinNumber(n)));
    await cluster.pass(2000);
    const back = await cluster.start(away.id);
    await cluster.until(back.consensus.waitForSync());
    assert.deepEqual(await names(back), await names(leader));
    assert.equal(back.consensus.pinset().count(), 30);
    assert.ok(back.seen.includes('replaced'));
  } finally {
    await cluster.end();
  }
});

test('a leader that stops hands its leadership over', async () => {
  const cluster = await RaftCluster.make();
  try {
    for (const id of ids) await cluster.start(id, { initPeerset: ids });
    const leader = await cluster.leader();
    const [other] = cluster.others(leader);
    assert.ok(other !== undefined);
    const asked: boolean[] = [];
    const handle = cluster.raftHandlers.get(leader.id);
    assert.ok(handle !== undefined);
    cluster.raftHandlers.set(leader.id, (from, request, body) => {
      if (request.type === 'vote') asked.push(request.leadershipTransfer);
      return handle(from, request, body);
    });
    await cluster.until(leader.consensus.stop());
    leader.isDead = true;
    assert.deepEqual(asked, [true]);
    await cluster.untilTrue(() => isLedByAnother(other, leader));
  } finally {
    await cluster.end();
  }
});

/** What peers that start from now on warn of. */
function warningsOf(cluster: RaftCluster): string[] {
  const lines: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (line) => void lines.push(line), scope: () => logger };
  cluster.logger = logger;
  return lines;
}

/** What lies beside the data of the peer, and the data itself. */
async function foldersOf(cluster: RaftCluster, id: string): Promise<string[]> {
  return (await readdir(join(cluster.folder, id))).sort();
}

/** Whether the peer remembers a log that it has put away. */
function remembers(cluster: RaftCluster, id: string): boolean {
  return existsSync(join(cluster.folder, id, 'raft', 'previous-log.json'));
}

threePeers('joining again: data of the same cluster is kept, that of another is moved away', async (cluster) => {
  await cluster.until(cluster.peer(a).consensus.logPin(pinNumber(1)));
  await cluster.kill(a);
  const again = await cluster.start(a, { isJoining: true, bootstrapPeers: [b] });
  assert.equal(again.consensus.pinset().count(), 1);
  await cluster.until(again.consensus.ready());
  assert.deepEqual(await foldersOf(cluster, a), ['raft']);
  await cluster.kill(a);

  const lines = warningsOf(cluster);
  await cluster.start(a, { isJoining: true, bootstrapPeers: [d] });
  assert.deepEqual(await foldersOf(cluster, a), ['raft'], 'nobody has said that it is of another cluster');
  assert.match(lines[0] ?? '', /^this peer keeps its data: .*, and no bootstrap peer answers /);
  await cluster.kill(a);

  // One that waits to be added is in no cluster: what it says says nothing.
  await cluster.start(d, { isJoining: true });
  await cluster.start(a, { isJoining: true, bootstrapPeers: [d] });
  assert.deepEqual(await foldersOf(cluster, a), ['raft']);
  await cluster.kill(a);
  await cluster.kill(d);

  await rm(join(cluster.folder, d), { recursive: true });
  const other = await cluster.start(d);
  await cluster.until(other.consensus.ready());
  await cluster.start(a, { isJoining: true, bootstrapPeers: [d] });
  assert.deepEqual(await foldersOf(cluster, a), ['raft', 'raft.old.0']);
  assert.equal(remembers(cluster, a), false, 'nobody of that cluster knows it from its data');
});

threePeers('a peer that was removed remembers its log until it joins another cluster', async (cluster) => {
  const remover = await cluster.leader();
  const [left] = cluster.others(remover);
  assert.ok(left !== undefined);
  await cluster.until(remover.consensus.rmPeer(left.id));
  await cluster.pass(500);
  await cluster.kill(left.id);
  await left.consensus.clean();
  await left.consensus.clean();
  const { id } = left;
  const other = await cluster.start(d);
  await cluster.until(other.consensus.ready());
  const ways = [
    { bootstrapPeers: [], isKept: true },
    { bootstrapPeers: [remover.id], isKept: true },
    { bootstrapPeers: [remover.id, d], isKept: true },
    { bootstrapPeers: [d], isKept: false },
  ];
  for (const { bootstrapPeers, isKept } of ways) {
    await cluster.start(id, { isJoining: true, bootstrapPeers });
    assert.equal(remembers(cluster, id), isKept);
    await cluster.kill(id);
  }
  assert.deepEqual(await foldersOf(cluster, id), ['raft', 'raft.old.0'], 'what waits is no data');
  await cluster.start(id, { isJoining: true, bootstrapPeers: [d] });
  await cluster.until(other.consensus.addPeer(id));
  assert.deepEqual(await other.consensus.peers(), [id, d].sort());
});

threePeers('a peer that was removed makes no leader of one that missed its own removal', async (cluster) => {
  const staying = await cluster.leader();
  const [behind, leaving] = cluster.others(staying);
  assert.ok(behind !== undefined && leaving !== undefined);
  await cluster.until(behind.consensus.waitForSync());
  cluster.fate = (from, to) => (from === behind.id || to === behind.id ? 'lose' : 'deliver');
  await cluster.until(staying.consensus.rmPeer(behind.id));
  await cluster.until(staying.consensus.rmPeer(leaving.id));
  await cluster.pass(500);
  await cluster.kill(leaving.id);
  await leaving.consensus.clean();
  await cluster.until(staying.consensus.logPin(pinNumber(1)));

  // The two are a majority of the members that the one knows, and the other has an empty log.
  cluster.fate = (from, to) => (from === staying.id || to === staying.id ? 'lose' : 'deliver');
  const waiting = await cluster.start(leaving.id, { isJoining: true });
  await cluster.pass(20_000);
  for (const { consensus } of [behind, waiting])
    assert.throws(() => consensus.leader(), { code: 'consensus/no-leader' });
  cluster.fate = () => 'deliver';
  await cluster.until(staying.consensus.addPeer(leaving.id));
  await cluster.untilTrue(() => waiting.consensus.pinset().count() === 1);
  assert.deepEqual(await staying.consensus.peers(), [staying.id, leaving.id].sort());
});

threePeers('a member that joins once goes on with its data, whoever is to be joined', async (cluster) => {
  await cluster.until(cluster.peer(a).consensus.logPin(pinNumber(1)));
  await cluster.kill(a);
  const other = await cluster.start(d);
  await cluster.until(other.consensus.ready());
  const joining = { isJoining: true, joinsOnce: true, bootstrapPeers: [d] };
  const again = await cluster.start(a, joining);
  await cluster.until(again.consensus.ready());
  assert.equal(again.consensus.pinset().count(), 1);
  assert.ok(!cluster.calls.includes('Cluster.ID'), 'it asks nobody');
  await cluster.kill(d);

  // One that has left by its own data joins anew.
  const remover = await cluster.leader();
  const [left] = cluster.others(remover);
  assert.ok(left !== undefined);
  await cluster.until(remover.consensus.rmPeer(left.id));
  await cluster.pass(500);
  await cluster.kill(left.id);
  await cluster.start(left.id, { ...joining, bootstrapPeers: [remover.id] });
  assert.deepEqual(await foldersOf(cluster, left.id), ['raft', 'raft.old.0']);
  assert.equal(remembers(cluster, left.id), true);
});

threePeers(
  'a voter that is behind keeps its data when it starts with a bootstrap peer that joined meanwhile',
  async (cluster) => {
    const leader = await cluster.leader();
    const [slow, away] = cluster.others(leader);
    assert.ok(slow !== undefined && away !== undefined);
    await cluster.until(away.consensus.waitForSync());
    // The one that goes away is one of two that have it.
    cluster.fate = (from, to) => (from === slow.id || to === slow.id ? 'lose' : 'deliver');
    await cluster.until(leader.consensus.logPin(pinNumber(1)));
    await cluster.kill(away.id);
    cluster.fate = () => 'deliver';
    await cluster.start(d, { isJoining: true });
    await cluster.until(leader.consensus.addPeer(d));

    const back = await cluster.start(away.id, { isJoining: true, bootstrapPeers: [d] });
    assert.deepEqual(await foldersOf(cluster, away.id), ['raft']);
    await cluster.until(back.consensus.waitForSync());
    assert.deepEqual(await back.consensus.peers(), [a, b, c, d]);
  },
);

threePeers(
  'a peer that was removed while it was away gives its data up for a member that its log does not know',
  async (cluster) => {
    const leader = await cluster.leader();
    const [away] = cluster.others(leader);
    assert.ok(away !== undefined);
    await cluster.until(away.consensus.waitForSync());
    await cluster.kill(away.id);
    await cluster.start(d, { isJoining: true });
    await cluster.until(leader.consensus.addPeer(d));
    await cluster.until(leader.consensus.rmPeer(away.id));
    await cluster.until(cluster.peer(d).consensus.waitForSync());
    await cluster.start(away.id, { isJoining: true, bootstrapPeers: [d] });
    assert.deepEqual(await foldersOf(cluster, away.id), ['raft', 'raft.old.0']);
    assert.equal(remembers(cluster, away.id), true);
  },
);

test('a peer whose disk fails is read-only, and takes part again when the disk takes writes', async () => {
  const cluster = await RaftCluster.make();
  try {
    for (const id of ids) await cluster.start(id, { initPeerset: ids });
    const leader = await cluster.leader();
    await cluster.until(leader.consensus.logPin(pinNumber(1)));
    leader.isDiskFull = true;
    await assert.rejects(cluster.until(leader.consensus.logPin(pinNumber(2))), { outcome: 'unknown' });
    await assert.rejects(leader.consensus.logPin(pinNumber(3)), { code: 'consensus/read-only', outcome: 'refused' });
    assert.throws(() => leader.consensus.leader(), { code: 'consensus/no-leader' });
    const [other] = cluster.others(leader);
    assert.ok(other !== undefined);
    await cluster.untilTrue(() => isLedByAnother(other, leader));
    await cluster.until(other.consensus.logPin(pinNumber(4)));
    await cluster.pass(10_000);
    assert.deepEqual(await names(leader), ['pin 1'], 'it can be read meanwhile');
    leader.isDiskFull = false;
    // It takes part when it can write, and then it has what the others have written meanwhile.
    await cluster.untilTrue(() => isLedByAnother(leader, leader));
    await cluster.until(leader.consensus.logPin(pinNumber(5)));
    // Whether pin 2 is there nobody knows: the others may have had it before the disk failed.
    assert.deepEqual(
      (await names(leader)).filter((name) => name !== 'pin 2'),
      ['pin 1', 'pin 4', 'pin 5'],
    );
    assert.deepEqual(leader.failures, []);
    // Of a write that failed and was done all the same nobody was told.
    assert.equal(leader.seen.filter((what) => what === 'reopened').length, 1);
  } finally {
    await cluster.end();
  }
});

test('a peer whose data cannot be opened when the disk takes writes again can still be read', async () => {
  const cluster = await RaftCluster.make();
  try {
    const peer = await cluster.start(a);
    await cluster.until(peer.consensus.logPin(pinNumber(1)));
    peer.isDiskFull = true;
    await assert.rejects(cluster.until(peer.consensus.logPin(pinNumber(2))), { outcome: 'unknown' });
    peer.isDiskFull = false;
    for (const code of ['store/io', 'store/full', 'store/locked']) {
      peer.openError = new OperatingError(code, code);
      await cluster.pass(31_000);
      // But for the moment in which it is tried.
      await cluster.untilTrue(() => isReadable(peer));
      assert.deepEqual(await names(peer), ['pin 1'], code);
    }
    assert.deepEqual(peer.failures, []);
    peer.openError = undefined;
    await cluster.pass(31_000);
    await cluster.until(peer.consensus.logPin(pinNumber(3)));
    await cluster.kill(a);
    const again = await cluster.start(a);
    await cluster.until(again.consensus.ready());
    assert.ok((await names(again)).includes('pin 3'));
  } finally {
    await cluster.end();
  }
});

test('a peer whose data is found damaged when the disk takes writes again ends, and can be read until then', async () => {
  const cluster = await RaftCluster.make();
  try {
    for (const code of ['store/damaged', 'store/foreign', 'raft/state-ahead']) {
      const peer = await cluster.start(a);
      await cluster.until(peer.consensus.logPin(pinNumber(1)));
      peer.isDiskFull = true;
      await assert.rejects(cluster.until(peer.consensus.logPin(pinNumber(2))), { outcome: 'unknown' });
      peer.isDiskFull = false;
      peer.openError = new OperatingError(code, code);
      await cluster.untilTrue(() => peer.failures.length > 0);
      assert.deepEqual(peer.failures, [peer.openError]);
      assert.equal(isReadable(peer), true);
      assert.deepEqual(await names(peer), ['pin 1']);
      await cluster.pass(100_000);
      assert.equal(peer.failures.length, 1);
      await cluster.kill(a);
      assert.equal(cluster.clock.pendingCount, 0);
    }
  } finally {
    await cluster.end();
  }
});

test('a disk that fails again at once is waited for again', async () => {
  const cluster = await RaftCluster.make();
  try {
    const peer = await cluster.start(a);
    await cluster.until(peer.consensus.logPin(pinNumber(1)));
    peer.isDiskFull = true;
    peer.isProbeBlind = true;
    await assert.rejects(cluster.until(peer.consensus.logPin(pinNumber(2))), { outcome: 'unknown' });
    await cluster.pass(10_000);
    peer.isDiskFull = false;
    await cluster.untilTrue(() => isLed(peer));
    await cluster.until(peer.consensus.logPin(pinNumber(3)));
    assert.deepEqual(peer.failures, []);
  } finally {
    await cluster.end();
  }
});

function isReadable({ consensus }: TestPeer): boolean {
  try {
    consensus.pinset().count();
    return true;
  } catch {
    return false;
  }
}

function isLed({ consensus }: TestPeer): boolean {
  try {
    consensus.leader();
    return true;
  } catch {
    return false;
  }
}

function isLedByAnother(peer: TestPeer, than: TestPeer): boolean {
  try {
    return peer.consensus.leader() !== than.id;
  } catch {
    return false;
  }
}

threePeers('when the disk of the leader hangs, another peer leads and answers', async (cluster) => {
  const hung = await cluster.leader();
  const disk = Promise.withResolvers<void>();
  hung.diskHangs = disk.promise;
  const atHung = hung.consensus.logPin(pinNumber(1), { timeoutMs: 60_000 });
  const [other] = cluster.others(hung);
  assert.ok(other !== undefined);
  await cluster.until(other.consensus.logPin(pinNumber(2)), 10_000);
  assert.notEqual(other.consensus.leader(), hung.id);
  disk.resolve();
  hung.diskHangs = undefined;
  await cluster.until(atHung, 10_000);
  assert.deepEqual(await names(hung), ['pin 1', 'pin 2']);
});

test('a peer whose log or state cannot be written becomes read-only, and says so', async () => {
  const cluster = await RaftCluster.make();
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (message) => void errors.push(message), scope: () => logger };
  cluster.logger = logger;
  try {
    const peer = await cluster.start(a);
    await cluster.until(peer.consensus.ready());
    await cluster.until(peer.consensus.logPin(pinNumber(1)));
    peer.isDiskFull = true;
    // The text is all that a client over HTTP sees.
    await assert.rejects(cluster.until(peer.consensus.logPin(pinNumber(2))), {
      outcome: 'unknown',
      message: /; the operation may still take effect$/,
    });
    await assert.rejects(peer.consensus.logPin(pinNumber(3)), {
      code: 'consensus/read-only',
      outcome: 'refused',
      message: /^This peer is read-only since its raft log or state failed: (?!.*may still)/,
    });
    assert.deepEqual(peer.failures, [], 'it need not end');
    assert.deepEqual(errors, ['this peer is read-only until its disk takes writes again']);
    assert.deepEqual(await names(peer), ['pin 1']);
  } finally {
    await cluster.end();
  }
});

test('a peer refuses to start when its log has lost what the state had applied', async () => {
  const cluster = await RaftCluster.make();
  try {
    const peer = await cluster.start(a);
    await cluster.until(peer.consensus.ready());
    await cluster.until(peer.consensus.logPin(pinNumber(1)));
    await cluster.kill(a);
    const raft = join(cluster.folder, a, 'raft');
    assert.ok(existsSync(raft));
    await rm(join(raft, 'log'), { recursive: true });
    // Twice: nothing is written into the log that was lost.
    for (let count = 0; count < 2; count++) {
      await assert.rejects(cluster.start(a), {
        code: 'raft/state-ahead',
        message: new RegExp(
          `^Cannot start from "${raft}": .*ends at 0, and the state was applied up to 3; ` +
            'restore the folder from a backup, or move it away and let this peer join again with --bootstrap$',
        ),
      });
    }
    cluster.peer(a).isDead = true;
  } finally {
    await cluster.end();
  }
});

test('a start notes which pins expire where an older version has not, before anyone reads', async () => {
  const cluster = await RaftCluster.make();
  try {
    const peer = await cluster.start(a);
    await cluster.until(peer.consensus.ready());
    await cluster.until(peer.consensus.logPin({ ...pinNumber(1), expireAt: { seconds: 1_900_000_000, nanos: 0 } }));
    await cluster.kill(a);
    const folder = createRaftFolder(join(cluster.folder, a, 'raft'), { backupsRotate: raftConfig.backupsRotate });
    const { log, state } = await folder.open();
    const observer = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };
    assert.equal(openPinset(state, { log: silentLogger, observer }).mustReplay, false, 'it was stopped cleanly');
    const ops: DatastoreOp[] = [];
    for await (const page of state.scan({ start: utf8Encode('/x'), end: utf8Encode('/y') }))
      for (const [key] of page) ops.push({ type: 'del', key: copyBytes(key) });
    assert.equal(ops.length, 2);
    await state.batch(ops, { durable: true });
    await Promise.all([log.close(), state.close()]);
    const { consensus } = await cluster.start(a);
    await cluster.until(consensus.ready());
    const expiring = (await collect(consensus.pinset().expiring())).flat();
    assert.deepEqual(
      expiring.map(({ cid }) => cid),
      [pinNumber(1).cid],
    );
  } finally {
    await cluster.end();
  }
});

test('a start that finishes a snapshot needs a log that knows its term; one that was lost is not begun anew', async () => {
  const cluster = await RaftCluster.make();
  try {
    const base = baseOf(5, 3, ids);
    const folder = createRaftFolder(join(cluster.folder, a, 'raft'), { backupsRotate: raftConfig.backupsRotate });
    let data = await folder.open();
    const observer = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };
    const state = openPinset(data.state, { log: silentLogger, observer });
    const { chunks } = await state.snapshot();
    // As a crash leaves them when the state was replaced and the log was not yet; but for the term.
    await state.restore(chunks, { applied: base.index, tag: encodeBase(base) });
    const start = async (term: number): Promise<void> => {
      await data.log.load();
      await data.log.write([{ type: 'hard', state: { term, votedFor: b } }]);
      await Promise.all([data.log.close(), data.state.close()]);
      await cluster.start(a);
    };
    await assert.rejects(start(2), {
      code: 'raft/state-ahead',
      message: /it knows terms up to 2, .* of term 3; restore/,
    });
    data = await folder.open();
    await start(3);
    assert.deepEqual(await cluster.peer(a).consensus.peers(), ids);
  } finally {
    await cluster.end();
  }
});
