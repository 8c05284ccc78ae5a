import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, configurationEntry, isHeartbeat, SinglePeer } from '../../../test/raft/single-peer.ts';
import { createRaft } from './index.ts';

test('election: pre-vote, then the vote is saved, then the others are asked', () => {
  const peer = new SinglePeer();
  peer.ticks(9);
  assert.equal(peer.status.role, 'follower');
  peer.ticks(1);
  assert.equal(peer.status.role, 'preCandidate');
  const [first, ...rest] = peer.takeCalls();
  assert.equal(rest.length, 1);
  assert.deepEqual(first?.request, { type: 'preVote', term: 2, lastIndex: 1, lastTerm: 1 });
  assert.deepEqual([peer.status.term, peer.writing], [1, undefined]);

  peer.answer(first, { type: 'preVote', term: 2, granted: true });
  assert.deepEqual([peer.status.role, peer.status.term], ['candidate', 2]);
  assert.deepEqual(peer.takeCalls(), [], 'nothing is asked before the own vote is on disk');
  peer.sync();
  const votes = peer.takeCalls();
  assert.deepEqual(
    votes.map(({ to, request }) => [to, request.type]),
    [
      ['b', 'vote'],
      ['c', 'vote'],
    ],
  );
  peer.answer(votes[0], { type: 'vote', term: 2, granted: true });
  assert.equal(peer.status.role, 'leader');
});

test('election: a new leader asks for its first entry at once', () => {
  const peer = new SinglePeer().elect();
  assert.deepEqual(peer.raft.entry(2), { index: 2, term: 2, type: 'noop' });
  assert.deepEqual(
    peer.takeCalls().map(({ request }) => request.type === 'append' && request.entries.length),
    [1, 1],
  );
  assert.equal(peer.status.isEstablished, false);
  peer.sync();
  assert.equal(peer.status.isEstablished, false);
});

test('election: a peer alone elects itself when its vote is on disk', () => {
  const peer = new SinglePeer({ voters: ['a'] }).ticks(10);
  assert.equal(peer.status.role, 'candidate');
  peer.sync();
  assert.deepEqual([peer.status.role, peer.status.isEstablished, peer.status.applied], ['leader', true, 2]);
});

test('election: a peer that is cut off asks for ever and keeps its term', () => {
  const peer = new SinglePeer();
  for (let round = 0; round < 5; round++) {
    peer.ticks(10);
    for (const call of peer.takeCalls()) peer.fail(call);
  }
  assert.deepEqual([peer.status.role, peer.status.term], ['preCandidate', 1]);
});

test('election: peers outside the configuration do not stand', () => {
  assert.equal(new SinglePeer({ voters: [] }).ticks(50).status.role, 'follower');
  assert.equal(new SinglePeer({ voters: ['b', 'c'] }).ticks(50).status.role, 'follower');
});

test('election: a peer stands whose removal is not known to be committed, for only its log may be new enough', () => {
  const peer = new SinglePeer().ask('b', append(2, [1, 1], [2])).sync();
  peer.ask('b', { ...append(2, [2, 2], []), entries: [configurationEntry(3, 2, ['b'])] }).sync();
  peer.elect();
  assert.deepEqual([peer.status.role, peer.status.lastIndex, peer.status.term], ['leader', 4, 3]);
  assert.deepEqual([...peer.raft.matches().keys()], ['b'], 'it does not count itself');
  peer.sync();
  assert.equal(peer.status.commit, 0);
  peer.acceptAll();
  assert.deepEqual([peer.status.commit, peer.status.role], [4, 'follower'], 'and leads until that is committed');
  peer.ticks(40);
  assert.equal(peer.status.role, 'follower');
});

test('election: a peer does not stand whose removal is committed', () => {
  const peer = new SinglePeer().ask('b', append(2, [1, 1], [2])).sync();
  peer
    .ask('b', { ...append(2, [2, 2], [], 3), entries: [configurationEntry(3, 2, ['b', 'c'])] })
    .sync()
    .ticks(40);
  assert.deepEqual([peer.status.role, peer.status.leader, peer.calls], ['follower', undefined, []]);
});

test('election: a newer term in an answer ends it, and a pre-vote "no" with the future term does not', () => {
  const peer = new SinglePeer().ticks(10);
  const [first, second] = peer.takeCalls();
  peer.answer(first, { type: 'preVote', term: 2, granted: false });
  assert.deepEqual([peer.status.role, peer.status.term], ['preCandidate', 1]);
  peer.answer(second, { type: 'preVote', term: 6, granted: false });
  assert.deepEqual([peer.status.role, peer.status.term], ['follower', 6]);
});

test('election: a vote of an earlier term does not count', () => {
  const peer = new SinglePeer({ voters: ['a', 'b', 'c', 'd', 'e'] });
  const stand = () => {
    peer.ticks(10);
    for (const call of peer.takeCalls((call) => call.request.type === 'preVote')) {
      peer.answer(call, {
        type: 'preVote',
        term: peer.status.role === 'candidate' ? 0 : peer.status.term + 1,
        granted: true,
      });
    }
    peer.sync();
    return peer.takeCalls((call) => call.request.type === 'vote');
  };
  const early = stand();
  stand();
  assert.equal(peer.status.term, 3);
  for (const call of early) peer.answer(call, { type: 'vote', term: 2, granted: true });
  assert.equal(peer.status.role, 'candidate');
});

test('election: a leader of the same term ends it', () => {
  const peer = new SinglePeer().ticks(10);
  peer.answer(peer.takeCalls()[0], { type: 'preVote', term: 2, granted: true }).sync();
  peer.ask('b', append(2, [1, 1], [2])).sync();
  assert.deepEqual([peer.status.role, peer.status.leader], ['follower', 'b']);
});

test('election: the leader may ask a follower to stand at once', () => {
  const peer = new SinglePeer();
  peer.ask('c', { type: 'timeoutNow' });
  assert.equal(peer.status.role, 'follower', 'not everyone may');
  peer
    .ask('b', append(1, [1, 1], []))
    .ask('b', { type: 'timeoutNow' })
    .sync();
  const requests = peer.takeCalls().map(({ request }) => request);
  assert.deepEqual(
    requests.map((request) => request.type === 'vote' && request.leadershipTransfer),
    [true, true],
  );
});

test('election: a leader whose quorum is silent for an election timeout steps down; a "no" is contact', () => {
  const peer = new SinglePeer().lead();
  for (let tick = 0; tick < 30; tick++) {
    peer.ticks(1);
    const [call] = peer.takeCalls((call) => isHeartbeat(call) && call.to === 'b');
    const response = { type: 'append' as const, term: 2, lastLog: 0, success: false, noRetryBackoff: false };
    if (call !== undefined) peer.answer(call, response);
    peer.takeCalls();
  }
  assert.equal(peer.status.role, 'leader');
  peer.ticks(11);
  assert.deepEqual([peer.status.role, peer.status.term], ['follower', 2]);
});

test('createRaft: timeouts that spread over less than three ticks are refused', () => {
  const image = new SinglePeer().disk.load();
  const deps = { self: 'a', random: { integer: () => 0 }, image, applied: 0 };
  assert.throws(() => createRaft(deps, { electionSpreadTicks: 2 }), /at least 3 ticks/);
});

test('createRaft: a state that is ahead of the log is refused', () => {
  const image = new SinglePeer().disk.load();
  const deps = { self: 'a', random: { integer: () => 0 }, image, applied: 2 };
  assert.throws(() => createRaft(deps), { code: 'raft/state-ahead' });
});
