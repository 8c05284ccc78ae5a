import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, command, configurationEntry, SinglePeer } from '../../../test/raft/single-peer.ts';
import type { AppendResponse, Response } from './index.ts';

function appendReply(response: Response | undefined): AppendResponse {
  assert(response?.type === 'append');
  return response;
}

test('append: it is answered when its entries are on disk, and a repetition not sooner', () => {
  const peer = new SinglePeer();
  peer.ask('b', append(1, [1, 1], [1, 1]));
  assert.equal(peer.nextReply(), undefined);
  peer.ask('b', append(1, [1, 1], [1, 1]));
  assert.equal(peer.nextReply(), undefined, 'the entries are in memory, but not on disk');
  peer.sync();
  assert.equal(appendReply(peer.nextReply()).success, true);
  assert.equal(appendReply(peer.nextReply()).success, true);
  peer.ask('b', append(1, [1, 1], [1, 1]));
  assert.equal(appendReply(peer.nextReply()).success, true, 'nothing is waited for now');
});

test('append: a heartbeat is answered while the disk is busy with entries, but not with the term', () => {
  const peer = new SinglePeer();
  peer.ask('b', append(1, [1, 1], [1]));
  peer.ask('b', append(1, [0, 0], []));
  assert.equal(appendReply(peer.nextReply()).success, true);
  peer.sync().nextReply();
  peer.ask('b', append(2, [0, 0], []));
  assert.equal(peer.nextReply(), undefined);
  peer.sync();
  assert.deepEqual([appendReply(peer.nextReply()).term, peer.disk.hard.term], [2, 2]);
});

test('append: a heartbeat does not wait for the disk when the log is compacted either', () => {
  const peer = new SinglePeer({ terms: [1, 1] });
  peer
    .ask('b', append(1, [3, 1], [], 3))
    .sync()
    .nextReply();
  peer.give({ type: 'compact', index: 3, trailing: 0 }).sync();
  peer.ask('b', append(1, [3, 1], [1], 3));
  peer.ask('b', append(1, [0, 0], []));
  assert.deepEqual([peer.status.baseIndex, appendReply(peer.nextReply()).success], [3, true]);
});

test('append: term, cut and entries of one message are one write', () => {
  const peer = new SinglePeer({ terms: [1, 1] });
  peer.ask('b', append(3, [2, 1], [3, 3]));
  assert.deepEqual(
    peer.writing?.map((op) => op.type),
    ['hard', 'cut', 'put'],
  );
});

test('append: what came during a write is the next write', () => {
  const peer = new SinglePeer();
  peer.ask('b', append(1, [1, 1], [1]));
  peer.ask('b', append(1, [2, 1], [1])).ask('b', append(1, [3, 1], [1]));
  assert.equal(peer.writing?.length, 1);
  peer.syncOne();
  assert.deepEqual(peer.writing, [{ type: 'put', entries: [command(3, 1), command(4, 1)] }]);
});

test('append: a cut lowers the durable index, and the write it overtook does not raise it again', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1] });
  peer.ask('b', append(1, [4, 1], [1, 1, 1]));
  peer.ask('c', append(2, [5, 1], [2], 0, 'c'));
  assert.equal(peer.status.durable, 4);
  peer.syncOne();
  assert.equal(peer.status.durable, 5, 'of the first write, 5 is left in the log');
  peer.syncOne();
  assert.equal(peer.status.durable, 6);
});

test('append: a "yes" is taken back when the term has moved on before it was synced', () => {
  const peer = new SinglePeer();
  peer.ask('b', append(1, [1, 1], [1]));
  peer.ask('c', append(2, [1, 1], [2], 0, 'c'));
  peer.sync();
  assert.deepEqual(
    [appendReply(peer.nextReply()), appendReply(peer.nextReply())].map(({ term, success }) => ({ term, success })),
    [
      { term: 2, success: false },
      { term: 2, success: true },
    ],
  );
});

test('append: a follower commits what the message proved, not its own last index', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1], term: 2 });
  peer.ask('b', append(2, [2, 1], [], 5)).sync();
  assert.equal(peer.status.commit, 2);
  peer.ask('b', append(2, [0, 0], [], 0)).sync();
  assert.equal(peer.status.commit, 2, 'a heartbeat proves nothing');
});

test('append: an older and shorter message does not cut', () => {
  const peer = new SinglePeer();
  peer
    .ask('b', append(1, [1, 1], [1, 1, 1]))
    .ask('b', append(1, [1, 1], [1]))
    .sync();
  assert.equal(peer.status.lastIndex, 4);
});

test('append: a leader with another entry where this peer has committed one has another history, and is not followed', () => {
  const make = (): SinglePeer => new SinglePeer({ terms: [1, 1] }).ask('b', append(1, [3, 1], [], 3)).sync();
  const diverged = { code: 'raft/diverged', message: /at entry 2 it has term 1, the leader 2/ };
  assert.throws(() => make().ask('c', append(2, [1, 1], [2], 0, 'c')), diverged, 'among those it sends');
  assert.throws(() => make().ask('c', append(2, [2, 2], [], 0, 'c')), diverged, 'before them');
  // What is not committed here proves nothing.
  const peer = new SinglePeer({ terms: [1, 1] }).ask('b', append(1, [1, 1], [], 1)).sync();
  peer.ask('c', append(2, [2, 2], [], 0, 'c')).sync();
  assert.equal(appendReply(peer.replies.at(-1)?.response).success, false);
});

test('append: a leader with another entry at the base has another history, and is not followed', () => {
  const peer = new SinglePeer({ voters: [] });
  Object.assign(peer.disk, { hard: { term: 3, votedFor: undefined }, base: { ...peer.disk.base, index: 2, term: 1 } });
  peer.appliedIndex = 2;
  peer.restart();
  assert.throws(() => peer.ask('b', append(3, [0, 0], [1, 3, 3])), { code: 'raft/diverged' });
  peer
    .restart()
    .ask('b', append(3, [0, 0], [1, 1, 3]))
    .sync();
  assert.equal(peer.status.lastIndex, 3);
});

test('append: entries up to the base count as stored, and a state behind the base is refused', () => {
  const peer = new SinglePeer({ voters: [] });
  Object.assign(peer.disk, { hard: { term: 2, votedFor: undefined }, base: { ...peer.disk.base, index: 5, term: 2 } });
  assert.throws(() => peer.restart(), { code: 'raft/state-behind' });
  peer.appliedIndex = 5;
  peer
    .restart()
    .ask('b', append(2, [3, 1], [1, 2, 2]))
    .ask('b', append(2, [1, 1], [1, 1]))
    .sync();
  assert.deepEqual(peer.disk.entries, [command(6, 2)]);
  assert.deepEqual(
    peer.replies.map(({ response }) => appendReply(response).success),
    [true, true],
  );
});

test('append: an older term is refused, and told the newer one', () => {
  const peer = new SinglePeer({ term: 4 });
  peer.ask('b', append(3, [1, 1], [3]));
  const { success, term } = appendReply(peer.nextReply());
  assert.deepEqual({ success, term }, { success: false, term: 4 });
  assert.equal(peer.status.leader, undefined);
});

test('append: a mismatch is answered with the last index that may agree', () => {
  const peer = new SinglePeer({ terms: [1, 2, 2, 2] });
  peer.ask('b', append(3, [9, 3], [])).sync();
  assert.equal(appendReply(peer.nextReply()).lastLog, 5, 'the log ends there');
  peer.ask('b', append(3, [5, 3], [])).sync();
  assert.equal(appendReply(peer.nextReply()).lastLog, 2, 'none of term 2 may agree');
});

test('append: what no leader sends is refused like a log that does not match', () => {
  const peer = new SinglePeer();
  const gap = { ...append(1, [1, 1], [1, 1]), entries: [command(2, 1), command(4, 1)] };
  const future = append(1, [1, 1], [2]);
  for (const request of [gap, future, append(1, [2, 2], []), append(1, [0, 1], [])]) {
    peer.ask('b', request);
    assert.equal(appendReply(peer.nextReply()).success, false);
  }
  assert.equal(peer.status.lastIndex, 1);
});

test('apply: only what is committed and on the own disk', () => {
  const peer = new SinglePeer();
  peer.ask('b', append(1, [1, 1], [1, 1], 3));
  assert.equal(peer.status.commit, 3);
  assert.deepEqual(
    peer.applied.map((entry) => entry.index),
    [1],
  );
  peer.sync();
  assert.deepEqual(
    peer.applied.map((entry) => entry.index),
    [1, 2, 3],
  );
});

test('apply: one batch at a time', () => {
  const peer = new SinglePeer({ options: { applyMax: 2 } });
  peer.appliesAtOnce = false;
  peer.ask('b', append(1, [1, 1], [1, 1, 1], 4)).sync();
  assert.deepEqual(
    peer.applied.map((entry) => entry.index),
    [1],
  );
  peer.give({ type: 'applied', index: 1 });
  assert.deepEqual(
    peer.applied.map((entry) => entry.index),
    [1, 2, 3],
  );
});

test('configuration: it holds from append on, and goes with the entry', () => {
  const peer = new SinglePeer();
  const added = configurationEntry(2, 1, ['a', 'b', 'c', 'd']);
  peer.ask('b', { ...append(1, [1, 1], []), entries: [added] });
  assert.equal(peer.status.configuration.servers.length, 4);
  peer.ask('c', append(2, [1, 1], [2], 0, 'c')).sync();
  assert.equal(peer.status.configuration.servers.length, 3);
  assert.equal(peer.status.configurationIndex, 1);
});

test('restart: what was acknowledged is there, what was not synced is not', () => {
  const peer = new SinglePeer();
  peer
    .ask('b', append(1, [1, 1], [1]))
    .sync()
    .ask('b', append(1, [2, 1], [1]));
  peer.restart();
  assert.equal(peer.status.lastIndex, 2);
});
