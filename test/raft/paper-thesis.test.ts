/** One test for each claim of the Raft thesis on leadership transfer (3.10), reads without the log (6.4) and pre-vote (9.6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Input } from '../../src/core/raft/index.ts';
import { accepted, append, isHeartbeat, SinglePeer } from './single-peer.ts';

const transferToB: Input = { type: 'transfer', id: 1, to: 'b' };

function propose(id: number): Input {
  return { type: 'propose', proposals: [{ id, data: Uint8Array.of(id) }] };
}

function outcomes({ results }: SinglePeer): string[] {
  return results.map((result) => `${result.id} ${result.outcome === 'refused' ? result.reason : result.outcome}`);
}

function timeoutNowCalls(peer: SinglePeer): Call[] {
  return peer.takeCalls(({ request }) => request.type === 'timeoutNow');
}

/** Time passes, and all followers answer. */
function pass(peer: SinglePeer, ticks: number): void {
  for (let tick = 0; tick < ticks; tick++) {
    peer.ticks(1);
    for (const call of peer.takeCalls(({ request }) => request.type === 'append')) peer.answer(call, accepted(call));
  }
}

// ------------------------------------------------------------------------------------------------ 3.10

test('3.10, 1: the prior leader stops accepting new client requests', () => {
  const peer = new SinglePeer().lead().give(transferToB, propose(2));
  assert.deepEqual([outcomes(peer), peer.status.lastIndex], [['2 not-leader'], 2]);
});

test('3.10, 2: it fully updates the log of the target', () => {
  const peer = new SinglePeer().lead().give(propose(2), transferToB).sync();
  assert.deepEqual(timeoutNowCalls(peer), []);
  const [call] = peer.takeCalls(({ to }) => to === 'b');
  assert(call !== undefined);
  peer.answer(call, accepted(call));
  assert.deepEqual(
    timeoutNowCalls(peer).map(({ to }) => to),
    ['b'],
  );
});

test('3.10, 3: the target begins an election at once, without waiting for its timeout, and others vote though they hear a leader', () => {
  const target = new SinglePeer()
    .ask('b', append(1, [1, 1], []))
    .ask('b', { type: 'timeoutNow' })
    .sync();
  const [request] = target.takeCalls();
  assert(request?.request.type === 'vote');
  assert.deepEqual([target.status.term, request.request.leadershipTransfer], [2, true]);
  const other = new SinglePeer().ask('b', append(1, [1, 1], [])).sync();
  other.ask('c', { ...request.request, candidate: 'c' }).sync();
  assert.equal(other.disk.hard.votedFor, 'c');
});

test('3.10: if it is not done within an election timeout, the prior leader aborts and accepts requests again', () => {
  const peer = new SinglePeer().lead().give(transferToB);
  peer.answer(timeoutNowCalls(peer)[0], { type: 'timeoutNow' });
  pass(peer, 11);
  assert.deepEqual([outcomes(peer), peer.status.role], [['1 no-successor'], 'leader']);
  peer.give(propose(2));
  assert.equal(peer.status.lastIndex, 3);
});

test('3.10: the prior leader steps down when it hears of the new term', () => {
  const peer = new SinglePeer().lead().give(transferToB);
  peer.ask('b', { type: 'vote', term: 3, candidate: 'b', lastIndex: 2, lastTerm: 2, leadershipTransfer: true }).sync();
  assert.deepEqual(
    [peer.status.role, peer.disk.hard, outcomes(peer)],
    ['follower', { term: 3, votedFor: 'b' }, ['1 applied']],
  );
});

// ------------------------------------------------------------------------------------------------ 6.4

function read(id: number): Input {
  return { type: 'read', id };
}

function answerHeartbeats(peer: SinglePeer, ...from: readonly string[]): void {
  for (const call of peer.takeCalls((call) => isHeartbeat(call) && from.includes(call.to)))
    peer.answer(call, accepted(call));
}

test('6.4, 1: a leader that has not yet committed an entry of its term waits until it has', () => {
  const peer = new SinglePeer({ terms: [1] }).elect().give(read(1));
  answerHeartbeats(peer, 'b', 'c');
  assert.deepEqual(outcomes(peer), []);
  peer.sync().acceptAll().ticks(1).acceptAll();
  assert.deepEqual(peer.results, [{ id: 1, outcome: 'applied', index: 3, term: 2 }]);
});

test('6.4, 2: readIndex is the commit index when the read begins', () => {
  const peer = new SinglePeer().lead();
  peer.appliesAtOnce = false;
  peer.give(propose(1)).sync();
  for (const call of peer.takeCalls(({ to }) => to === 'b')) peer.answer(call, accepted(call));
  assert.equal(peer.status.commit, 3);
  peer.give(read(2));
  answerHeartbeats(peer, 'b', 'c');
  peer.give(propose(3));
  assert.deepEqual(outcomes(peer), [], 'entry 3 is committed, and not applied yet');
  peer.apply();
  assert.deepEqual(outcomes(peer), ['1 applied', '2 applied'], 'what came after the read is not waited for');
});

test('6.4, 3: a round of heartbeats sent after that must be answered by a majority', () => {
  const peer = new SinglePeer({ voters: ['a', 'b', 'c', 'd', 'e'] }).lead().ticks(1);
  const earlier = peer.takeCalls();
  peer.give(read(1));
  for (const call of earlier) peer.answer(call, accepted(call));
  assert.deepEqual(outcomes(peer), [], 'those sent before the read do not confirm it');
  answerHeartbeats(peer, 'b');
  assert.deepEqual(outcomes(peer), []);
  answerHeartbeats(peer, 'c');
  assert.deepEqual(outcomes(peer), ['1 applied']);
});

test('6.4, 4: the leader waits until its state machine has reached readIndex', () => {
  const peer = new SinglePeer().lead();
  peer.appliesAtOnce = false;
  peer.give(propose(1)).sync().acceptAll().give(read(2));
  answerHeartbeats(peer, 'b', 'c');
  assert.deepEqual([peer.status.commit, outcomes(peer)], [3, []]);
  peer.apply();
  assert.deepEqual(outcomes(peer), ['1 applied', '2 applied']);
});

test('6.4: one round serves any number of reads that have accumulated', () => {
  const peer = new SinglePeer().lead().give(read(1), read(2), read(3));
  const first = peer.takeCalls(isHeartbeat);
  assert.equal(first.length, 2);
  for (const call of first) peer.answer(call, accepted(call));
  answerHeartbeats(peer, 'b', 'c');
  assert.deepEqual(outcomes(peer), ['1 applied', '2 applied', '3 applied']);
});

test('6.4: a deposed leader confirms no read', () => {
  const peer = new SinglePeer().lead().give(read(1));
  const [call] = peer.takeCalls(isHeartbeat);
  assert(call !== undefined);
  peer.answer(call, { type: 'append', term: 3, lastLog: 0, success: false, noRetryBackoff: false });
  assert.deepEqual(outcomes(peer), ['1 not-leader']);
});

// ------------------------------------------------------------------------------------------------ 9.6, and 6.2

test('9.6: a candidate increments its term only after it learned from a majority that they would vote for it', () => {
  const peer = new SinglePeer().ticks(10);
  assert.deepEqual([peer.status.role, peer.status.term, peer.writing], ['preCandidate', 1, undefined]);
  const calls = peer.takeCalls();
  assert.deepEqual(
    calls.map(({ request }) => request),
    [
      { type: 'preVote', term: 2, lastIndex: 1, lastTerm: 1 },
      { type: 'preVote', term: 2, lastIndex: 1, lastTerm: 1 },
    ],
  );
  peer.answer(calls[0], { type: 'preVote', term: 1, granted: false });
  assert.equal(peer.status.term, 1);
  peer.answer(calls[1], { type: 'preVote', term: 2, granted: true });
  assert.deepEqual([peer.status.role, peer.status.term], ['candidate', 2]);
});

test('9.6: a pre-vote is granted if the log is as up-to-date, and no leader was heard for an election timeout', () => {
  const granted = (peer: SinglePeer, lastIndex: number): unknown => {
    peer.ask('c', { type: 'preVote', term: 2, lastIndex, lastTerm: 1 });
    return peer.replies.pop()?.response;
  };
  const peer = new SinglePeer({ terms: [1] });
  assert.deepEqual(granted(peer, 1), { type: 'preVote', term: 1, granted: false });
  assert.deepEqual(granted(peer, 2), { type: 'preVote', term: 2, granted: true });
  peer.ask('b', append(1, [2, 1], [])).sync();
  assert.deepEqual(granted(peer, 2), { type: 'preVote', term: 1, granted: false });
  peer.ticks(9);
  assert.deepEqual(granted(peer, 2), { type: 'preVote', term: 1, granted: false });
});

test('9.6: granting changes nothing: neither term, nor vote, nor timer, and any number may be granted', () => {
  const peer = new SinglePeer().ticks(9);
  for (const from of ['b', 'c']) peer.ask(from, { type: 'preVote', term: 2, lastIndex: 1, lastTerm: 1 });
  assert.equal(peer.replies.filter(({ response }) => response.type === 'preVote' && response.granted).length, 2);
  assert.deepEqual([peer.status.term, peer.writing, peer.ticks(1).status.role], [1, undefined, 'preCandidate']);
});

test('9.6: a partitioned server never raises its term, so it disrupts nobody when it comes back', () => {
  const peer = new SinglePeer().ticks(300);
  assert.deepEqual([peer.status.term, peer.status.role], [1, 'preCandidate']);
  peer.ask('b', append(1, [1, 1], []));
  assert.deepEqual([peer.status.role, peer.status.leader], ['follower', 'b']);
});

test('6.2: a leader that hears no majority for an election timeout steps down', () => {
  const peer = new SinglePeer().lead().ticks(10);
  assert.equal(peer.status.role, 'leader');
  assert.deepEqual([peer.ticks(1).status.role, peer.status.leader], ['follower', undefined]);
});
