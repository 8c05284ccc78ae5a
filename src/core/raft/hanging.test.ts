import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, append, isHeartbeat, SinglePeer } from '../../../test/raft/single-peer.ts';
import type { Call, Input, Result } from './index.ts';

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

/** As many ticks in which the followers answer heartbeats at once, and need `writeTicks` to store what is sent. */
function hangAlike(peer: SinglePeer, ticks: number, writeTicks: number): SinglePeer {
  const storing: { readonly call: Call; readonly at: number }[] = [];
  for (let tick = 0; tick < ticks; tick++) {
    for (const call of peer.takeCalls(({ request }) => request.type === 'append')) {
      if (isHeartbeat(call)) peer.answer(call, accepted(call));
      else storing.push({ call, at: tick + writeTicks });
    }
    while (storing[0] !== undefined && storing[0].at <= tick) {
      const call = storing.shift()?.call;
      if (call !== undefined) peer.answer(call, accepted(call));
    }
    peer.ticks(1);
  }
  for (const { call } of storing) peer.fail(call);
  return peer;
}

test('a leader whose disk hangs stays while the disks of the others are as slow: a vote could not be stored either', () => {
  for (const writeTicks of [11, 21, 25, 50]) {
    const peer = hangAlike(new SinglePeer().lead().give(propose(1)), 200, writeTicks);
    const { role, lastIndex } = peer.status;
    assert.deepEqual([role, lastIndex], ['leader', 3], `writes of ${writeTicks} ticks`);
    hang(peer.give(propose(2)), 4);
    assert.equal(peer.status.role, 'follower', 'they are faster again');
  }
});

/** The others have stored the second proposal before its write begins here, within `writeTicks`. */
function storedBefore(writeTicks: number): SinglePeer {
  const peer = new SinglePeer().lead().give(propose(1)).ticks(1).give(propose(2));
  hangAlike(peer, 15, writeTicks);
  return peer.syncOne();
}

test('a leader whose disk hangs asks for the disks of the others when those who wait propose nothing more', () => {
  const peer = storedBefore(1);
  const { lastIndex } = hang(peer, 20).status;
  assert.deepEqual([hang(peer, 1).status.lastIndex, peer.status.role], [lastIndex + 1, 'leader']);
  assert.deepEqual([hang(peer, 1).status.lastIndex, peer.status.role], [lastIndex + 1, 'follower']);
});

test('a leader whose disk hangs asks for the disks of the others once, and not when they were slow the last time', () => {
  const asks = storedBefore(1);
  const { lastIndex } = asks.status;
  assert.deepEqual([hangAlike(asks, 60, 100).status.lastIndex, asks.status.role], [lastIndex + 1, 'leader']);
  const knows = storedBefore(12);
  assert.deepEqual([hang(knows, 60).status.lastIndex, knows.status.role], [lastIndex, 'leader']);
});

test('a leader whose disk hangs asks for no disks while nobody waits', () => {
  const peer = hang(new SinglePeer().lead(), 1);
  peer.give({ type: 'compact', index: 2, trailing: 0 });
  const { lastIndex } = peer.status;
  assert.deepEqual([hang(peer, 40).status.role, peer.status.lastIndex], ['leader', lastIndex]);
  peer.give({ type: 'read', id: 1 });
  assert.deepEqual([hang(peer, 2).status.role, peer.status.lastIndex], ['follower', lastIndex + 1]);
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
