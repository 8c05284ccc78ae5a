import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, baseOf, command, SinglePeer, snapshot } from '../../../test/raft/single-peer.ts';

function indices(peer: SinglePeer): readonly number[] {
  const { base, entries } = peer.disk.load();
  return [base.index, ...entries.map(({ index }) => index)];
}

test('snapshot: the bytes come first, then the state is replaced, then the log; the answer waits for its write', () => {
  const peer = new SinglePeer();
  peer.ask('b', snapshot(3, baseOf(10, 3))).sync();
  assert.deepEqual([peer.receive?.base, peer.restore, peer.replies], [baseOf(10, 3), undefined, []]);
  peer.received();
  assert.deepEqual([peer.restore, indices(peer)], [baseOf(10, 3), [0, 1]], 'the log is as it was');
  peer.restored();
  assert.deepEqual([peer.status.lastIndex, peer.status.commit, peer.status.applied], [10, 10, 10]);
  assert.deepEqual([peer.replies, peer.writing?.map(({ type }) => type)], [[], ['reset']]);
  peer.sync();
  assert.deepEqual(peer.nextReply(), { type: 'snapshot', term: 3, success: true });
  peer.ask('b', append(3, [10, 3], [3], 11)).sync();
  assert.deepEqual(peer.applied.at(-1), command(11, 3), 'the log goes on after it');
});

test('snapshot: a crash at any step leaves the old state, or the new one', () => {
  const peer = new SinglePeer();
  peer
    .ask('b', snapshot(3, baseOf(10, 3)))
    .sync()
    .received()
    .restart();
  assert.deepEqual([peer.status.lastIndex, peer.status.applied], [1, 0]);
  peer
    .ask('b', snapshot(3, baseOf(10, 3)))
    .sync()
    .received()
    .restored();
  // The state is durable, the log is not yet: the shell finishes that, for the engine sees only that they do not fit.
  assert.throws(() => peer.restart(), { code: 'raft/state-ahead' });
});

test('snapshot: what is covered already is taken at once, when the log is on disk', () => {
  const peer = new SinglePeer().ask('b', append(1, [1, 1], [1, 1], 3));
  peer.ask('b', snapshot(1, baseOf(2, 1)));
  assert.deepEqual([peer.receive, peer.replies], [undefined, []]);
  peer.sync();
  assert.deepEqual(peer.replies.at(-1)?.response, { type: 'snapshot', term: 1, success: true });
});

test('snapshot: covered by the time it is here, it changes nothing', () => {
  const peer = new SinglePeer().ask('b', snapshot(1, baseOf(2, 1)));
  peer
    .ask('b', append(1, [1, 1], [1, 1], 3))
    .sync()
    .received();
  assert.deepEqual([peer.restore, peer.status.applied], [undefined, 3]);
  assert.deepEqual(peer.replies.at(-1)?.response, { type: 'snapshot', term: 1, success: true });
});

test('snapshot: entries after it are kept where the log has its last entry, and may commit', () => {
  const peer = new SinglePeer({ terms: [1, 1, 2] });
  peer
    .ask('b', snapshot(2, baseOf(3, 1)))
    .received()
    .restored()
    .sync();
  assert.deepEqual([indices(peer), peer.status.baseIndex, peer.status.durable], [[3, 4], 3, 4]);
  peer.ask('b', append(2, [4, 2], [], 4));
  assert.deepEqual(
    peer.applied.map(({ index }) => index),
    [4],
  );
});

test('snapshot: a log that has another entry there is dropped whole', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1] });
  peer
    .ask('b', snapshot(2, baseOf(3, 2)))
    .received()
    .restored()
    .sync();
  assert.deepEqual([indices(peer), peer.status.lastIndex], [[3], 3]);
});

test('snapshot: of an entry that this peer has committed of another term: its state is of another history', () => {
  const committed = append(1, [4, 1], [], 4);
  const peer = new SinglePeer({ terms: [1, 1, 1] }).ask('b', committed).sync();
  const diverged = { code: 'raft/diverged', message: /at entry 3 it has term 1, the leader 2/ };
  assert.throws(() => peer.ask('c', snapshot(2, baseOf(3, 2), 'c')), diverged);
  // It was not committed when the snapshot began to come.
  const late = new SinglePeer({ terms: [1, 1, 1], term: 2 }).ask('c', snapshot(2, baseOf(3, 2), 'c')).sync();
  late.ask('c', { ...committed, term: 2, leader: 'c' });
  assert.throws(() => late.received(), diverged);
  assert.equal(late.restore, undefined, 'the state is as before');
});

test('snapshot: its configuration holds, and goes back no further than to it', () => {
  const peer = new SinglePeer({ voters: [] });
  peer
    .ask('b', snapshot(2, baseOf(3, 2, ['b', 'c'])))
    .received()
    .restored()
    .sync();
  assert.deepEqual(peer.status.configuration, baseOf(3, 2, ['b', 'c']).configuration);
  assert.equal(peer.status.configurationIndex, 1);
});

test('snapshot: of an older term, or not well formed: refused', () => {
  const peer = new SinglePeer({ term: 2 });
  peer.ask('b', snapshot(1, baseOf(10, 1)));
  peer.ask('b', snapshot(2, baseOf(10, 3)));
  peer.ask('b', snapshot(2, { ...baseOf(10, 2), configurationIndex: 11 }));
  assert.deepEqual(
    peer.replies.map(({ response }) => response),
    Array.from({ length: 3 }, () => ({ type: 'snapshot', term: 2, success: false })),
  );
  assert.deepEqual([peer.receive, peer.status.leader], [undefined, undefined]);
});

test('snapshot: a later one takes the place of one that is still coming, also of another leader', () => {
  const peer = new SinglePeer();
  peer.ask('b', snapshot(3, baseOf(10, 3))).sync();
  const earlier = peer.receive;
  peer.ask('c', snapshot(4, baseOf(12, 3), 'c')).sync();
  assert.deepEqual(peer.nextReply(), { type: 'snapshot', term: 4, success: false });
  peer.give({ type: 'received', token: earlier?.token ?? 0, isWhole: true });
  assert.equal(peer.restore, undefined, 'nobody waits for it');
  peer.received().restored().sync();
  assert.equal(peer.status.applied, 12);
});

test('snapshot: one that breaks off changes nothing', () => {
  const peer = new SinglePeer();
  peer
    .ask('b', snapshot(3, baseOf(10, 3)))
    .sync()
    .received(false);
  assert.deepEqual(peer.nextReply(), { type: 'snapshot', term: 3, success: false });
  peer
    .ask('b', snapshot(3, baseOf(10, 3)))
    .received()
    .restored(false);
  assert.deepEqual(peer.nextReply(), { type: 'snapshot', term: 3, success: false }, 'it was none');
  assert.deepEqual([peer.status.applied, peer.status.lastIndex], [0, 1]);
});

test('snapshot: the state is not replaced before the term it came in is on disk', () => {
  const peer = new SinglePeer().ask('b', snapshot(3, baseOf(10, 3)));
  peer.give({ type: 'received', token: peer.receive?.token ?? 0, isWhole: true });
  assert.deepEqual([peer.restore, peer.disk.hard.term], [undefined, 1]);
  peer.sync();
  assert.deepEqual([peer.restore, peer.disk.hard.term], [baseOf(10, 3), 3]);
});

test('snapshot: while the state is replaced, another one is refused and appends are taken', () => {
  const peer = new SinglePeer({ terms: [1, 1] });
  peer.ask('b', snapshot(1, baseOf(3, 1))).received();
  peer.ask('b', snapshot(1, baseOf(3, 1)));
  assert.deepEqual(peer.nextReply(), { type: 'snapshot', term: 1, success: false });
  peer.ask('b', append(1, [3, 1], [1], 4)).sync();
  assert.deepEqual([peer.nextReply()?.type, peer.applied], ['append', []], 'but nothing is applied');
  peer.restored().sync();
  assert.deepEqual(
    peer.applied.map(({ index }) => index),
    [4],
  );
});

test('snapshot: the state is not replaced under a batch that is being applied', () => {
  const peer = new SinglePeer();
  peer.appliesAtOnce = false;
  peer.ask('b', append(1, [1, 1], [1], 2)).sync();
  peer.ask('b', snapshot(1, baseOf(10, 1))).received();
  assert.equal(peer.restore, undefined);
  peer.apply();
  assert.deepEqual(peer.restore, baseOf(10, 1));
});

test('snapshot: a peer that has the bytes does not stand for election before the state is replaced', () => {
  const peer = new SinglePeer();
  peer.appliesAtOnce = false;
  peer.ask('b', append(1, [1, 1], [1], 2)).sync();
  peer.ask('b', snapshot(1, baseOf(10, 1))).received();
  // A batch is being applied: the bytes wait.
  peer.ticks(40);
  peer.ask('b', { type: 'timeoutNow' });
  assert.deepEqual([peer.status.role, peer.calls], ['follower', []]);
  peer.apply().ticks(40);
  assert.deepEqual([peer.status.role, peer.restore?.index], ['follower', 10]);
  peer.restored().sync().ticks(40);
  assert.equal(peer.status.role, 'preCandidate');
});

test('snapshot: one that waits while this peer stands for election, or leads, is given up', () => {
  const peer = new SinglePeer();
  peer.ask('b', snapshot(1, baseOf(10, 1))).ticks(10);
  assert.equal(peer.status.role, 'preCandidate');
  peer.received();
  assert.deepEqual([peer.restore, peer.nextReply()], [undefined, { type: 'snapshot', term: 1, success: false }]);
});

test('snapshot: its answer stands, whatever the term is by then', () => {
  const peer = new SinglePeer();
  peer
    .ask('b', snapshot(1, baseOf(10, 1)))
    .received()
    .restored();
  peer.ask('c', append(2, [10, 1], [], 0, 'c')).sync();
  assert.deepEqual(peer.nextReply(), { type: 'snapshot', term: 1, success: true });
});

test('snapshot: what became of a proposal it reaches over cannot be told', () => {
  const peer = new SinglePeer().lead().give({ type: 'propose', proposals: [{ id: 7, data: Uint8Array.of(1) }] });
  peer
    .sync()
    .ask('b', snapshot(3, baseOf(10, 3)))
    .received()
    .restored();
  assert.deepEqual(peer.results, [{ id: 7, outcome: 'unknown' }]);
});

test('append: a heartbeat does not wait for the disk in a log that begins with a snapshot either', () => {
  const peer = new SinglePeer();
  peer
    .ask('b', snapshot(1, baseOf(10, 1)))
    .received()
    .restored()
    .sync();
  peer.replies = [];
  peer.ask('b', append(1, [10, 1], [1]));
  peer.ask('b', append(1, [0, 0], []));
  assert.deepEqual(
    peer.replies.map(({ response }) => response.type === 'append' && response.success),
    [true],
  );
});
