import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, append, SinglePeer } from '../../../test/raft/single-peer.ts';
import type { Input, Result } from './index.ts';

function propose(id: number): Input {
  return { type: 'propose', proposals: [{ id, data: Uint8Array.of(1) }] };
}

/** Ticks in which all but `silent` store and answer all they are sent; the own disk does nothing. */
function hang(peer: SinglePeer, ticks: number, silent: readonly string[] = []): SinglePeer {
  for (let tick = 0; tick < ticks; tick++) {
    peer.ticks(1);
    for (const call of peer.takeCalls(({ request }) => request.type === 'append')) {
      if (silent.includes(call.to)) peer.fail(call);
      else peer.answer(call, accepted(call));
    }
  }
  return peer;
}

test('a leader whose disk hangs commits without it and answers nobody: it steps down', () => {
  const peer = hang(new SinglePeer().lead().give(propose(1)), 20);
  const { role, commit, applied } = peer.status;
  assert.deepEqual([role, commit, applied, peer.results], ['leader', 3, 2, []]);
  assert.equal(hang(peer, 1).status.role, 'follower');
  // The proposal is in the log, and waits for this disk.
  assert.deepEqual(peer.results, []);
  const answer: Result = { id: 1, outcome: 'applied', index: 3, term: 2 };
  assert.deepEqual(peer.sync().results, [answer]);
});

test('a leader steps down as well when what is committed cannot be applied', () => {
  const peer = new SinglePeer().lead();
  peer.appliesAtOnce = false;
  peer.give(propose(1)).sync().acceptAll();
  assert.deepEqual([hang(peer, 20).status.role, hang(peer, 1).status.role], ['leader', 'follower']);
});

test('a leader whose disk hangs stays while the others would be no quorum without it', () => {
  const peer = new SinglePeer();
  hang(peer.lead().give(propose(1)), 100, ['c']);
  assert.equal(peer.status.role, 'leader');
  assert.equal(hang(peer, 2).status.role, 'follower', 'c is back');
  const alone = new SinglePeer({ voters: ['a'] }).elect().sync().give(propose(1)).ticks(100);
  assert.equal(alone.status.role, 'leader');
});

test('writes that are done in time are no hanging disk, however many there are', () => {
  const peer = new SinglePeer().lead().give(propose(0));
  for (let id = 1; id < 20; id++) hang(peer.give(propose(id)), 15).syncOne();
  assert.equal(peer.status.role, 'leader');
});

test('a peer whose disk hangs does not stand, nor promise a vote, until the disk is back', () => {
  const peer = new SinglePeer().ask('b', append(1, [1, 1], [1], 0));
  for (let tick = 0; tick < 21; tick++) peer.ask('b', append(1, [0, 0], [])).ticks(1);
  peer.ticks(60);
  assert.deepEqual([peer.status.role, peer.status.term, peer.calls], ['follower', 1, []]);
  peer.replies = [];
  peer.ask('c', { type: 'preVote', term: 2, lastIndex: 9, lastTerm: 1 });
  assert.deepEqual(peer.nextReply(), { type: 'preVote', term: 1, granted: false });
  peer.ask('b', append(1, [0, 0], [])).ask('b', { type: 'timeoutNow' });
  assert.deepEqual([peer.status.role, peer.status.term], ['follower', 1], 'nor when it is asked to');
  peer.sync().ticks(20);
  assert.equal(peer.status.role, 'preCandidate');
});

test('a candidate waits for its own disk, however slow, and its term does not grow meanwhile', () => {
  const peer = new SinglePeer();
  while (peer.status.role === 'follower') peer.ticks(1);
  for (const call of peer.takeCalls()) peer.answer(call, { type: 'preVote', term: 2, granted: true });
  peer.ticks(100);
  assert.deepEqual([peer.status.role, peer.status.term, peer.calls], ['candidate', 2, []]);
  peer.syncOne();
  for (const call of peer.takeCalls()) peer.answer(call, { type: 'vote', term: 2, granted: true });
  assert.equal(peer.status.role, 'leader');
});

test('a candidate that waits for its disk follows a leader that others have elected', () => {
  const peer = new SinglePeer();
  while (peer.status.role === 'follower') peer.ticks(1);
  for (const call of peer.takeCalls()) peer.answer(call, { type: 'preVote', term: 2, granted: true });
  peer.ticks(50).ask('b', append(2, [0, 0], []));
  assert.deepEqual([peer.status.role, peer.status.leader], ['follower', 'b']);
  assert.deepEqual([peer.sync().status.role, peer.calls], ['follower', []]);
});

test('a single voter whose disk needs longer than an election timeout leads all the same', () => {
  const peer = new SinglePeer({ voters: ['a'] });
  for (let write = 0; write < 5; write++) peer.ticks(30).syncOne();
  assert.deepEqual([peer.status.role, peer.status.term], ['leader', 2]);
});
