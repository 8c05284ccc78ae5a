/** One test for each claim of the Raft thesis, chapter 4: changes of members, one at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Input, Result } from '../../src/core/raft/index.ts';
import { accepted, append, configurationEntry, isHeartbeat, refused, SinglePeer } from './single-peer.ts';

let nextId = 0;

function add(id: string): Input {
  return { type: 'change', id: ++nextId, change: { type: 'add', server: { id, suffrage: 'voter' } } };
}

function remove(peer: string): Input {
  return { type: 'change', id: ++nextId, change: { type: 'remove', peer } };
}

function outcomes({ results }: SinglePeer): string[] {
  return results.map((result: Result) => (result.outcome === 'refused' ? result.reason : result.outcome));
}

function members({ status }: SinglePeer): string {
  const names = status.configuration.servers.map(({ id, suffrage }) => (suffrage === 'voter' ? id : `(${id})`));
  return names.join(' ');
}

/** Those of `peers` store what they are sent. */
function acceptOf(peer: SinglePeer, ...peers: readonly string[]): void {
  for (const call of peer.takeCalls(({ to }) => peers.includes(to))) peer.answer(call, accepted(call));
}

test('4.1: one server at a time; a second change waits until the first is committed', () => {
  const peer = new SinglePeer({ voters: ['a', 'b', 'c', 'd', 'e'] }).lead().give(remove('e'), remove('d'));
  assert.deepEqual([members(peer), outcomes(peer)], ['a b c d', ['change-pending']]);
  peer.sync().acceptAll().give(remove('d'));
  assert.equal(members(peer), 'a b c');
});

test('4.1: the new configuration takes effect on each server as soon as it is added to its log', () => {
  const leader = new SinglePeer().lead().give(remove('c'));
  assert.equal(members(leader), 'a b');
  const follower = new SinglePeer();
  follower.ask('b', { ...append(1, [1, 1], []), entries: [configurationEntry(2, 1, ['a', 'b', 'c', 'd'])] });
  assert.deepEqual([members(follower), follower.status.commit], ['a b c d', 0]);
});

test('4.1: the change is committed by a majority of the new configuration', () => {
  const peer = new SinglePeer({ voters: ['a', 'b', 'c', 'd'] }).lead().give(remove('d')).sync();
  acceptOf(peer, 'd');
  assert.equal(peer.status.commit, 2, 'a removed server does not count');
  acceptOf(peer, 'b');
  assert.deepEqual([peer.status.commit, outcomes(peer)], [3, ['applied']], 'two of three, not of four');
});

test('4.1: a server falls back to the previous configuration when the entry is removed from its log', () => {
  const peer = new SinglePeer();
  peer.ask('b', { ...append(1, [1, 1], []), entries: [configurationEntry(2, 1, ['a', 'b', 'c', 'd'])] }).sync();
  peer.ask('c', append(2, [1, 1], [2], 0, 'c')).sync();
  assert.equal(members(peer), 'a b c');
});

test('4.1: a server that is not in its own configuration takes entries and votes all the same', () => {
  const peer = new SinglePeer({ voters: [] });
  peer.ask('b', append(2, [0, 0], [2])).sync();
  assert.deepEqual([peer.disk.entries.length, peer.status.leader], [1, 'b']);
  const voter = new SinglePeer({ voters: ['b', 'c', 'd'] });
  voter
    .ask('x', { type: 'vote', term: 2, candidate: 'x', lastIndex: 1, lastTerm: 1, leadershipTransfer: false })
    .sync();
  assert.equal(voter.disk.hard.votedFor, 'x');
});

test('4.1, as corrected: no change before the leader has committed an entry of its term', () => {
  const peer = new SinglePeer().elect().give(add('d'));
  assert.deepEqual([members(peer), outcomes(peer)], ['a b c', ['change-pending']]);
});

test('4.2.1: a new server catches up as a non-voting member first, and does not count', () => {
  const peer = new SinglePeer({ voters: ['a', 'b'] }).lead().give(add('d')).sync();
  assert.equal(members(peer), 'a b (d)');
  acceptOf(peer, 'd');
  assert.equal(peer.status.commit, 2);
});

test('4.2.1: it becomes a voter when it has caught up', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  acceptOf(peer, 'b');
  assert.deepEqual([peer.status.commit, members(peer)], [3, 'a b c (d)']);
  acceptOf(peer, 'd');
  assert.equal(members(peer), 'a b c d');
});

test('4.2.1: it is added after a round of replication that took less than an election timeout, not after a longer one', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  const [first] = peer.takeCalls(({ to }) => to === 'd');
  for (let tick = 0; tick < 11; tick++) {
    acceptOf(peer, 'b', 'c');
    for (const call of peer.takeCalls(isHeartbeat)) peer.answer(call, accepted(call));
    peer.ticks(1);
  }
  assert(first !== undefined);
  peer.answer(first, accepted(first));
  assert.equal(members(peer), 'a b c (d)', 'the first round took 11 ticks');
  peer.ticks(1).acceptAll();
  assert.equal(members(peer), 'a b c d');
});

test('4.2.1: one that is unavailable or too slow is never added, and the leader goes on', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  for (let tick = 0; tick < 30; tick++) {
    acceptOf(peer, 'b', 'c');
    for (const call of peer.takeCalls()) peer.fail(call);
    peer.ticks(1);
  }
  assert.deepEqual([members(peer), peer.status.role], ['a b c (d)', 'leader']);
});

test('4.2.1: the leader finds where the log of a new server ends, in one step when the server tells it', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1, 1] }).lead().give(add('d')).sync();
  const [first] = peer.takeCalls(({ to }) => to === 'd');
  assert(first !== undefined);
  peer.answer(first, refused(first, 0));
  const [probe] = peer.takeCalls(({ to }) => to === 'd');
  assert(probe?.request.type === 'append');
  assert.equal(probe.request.prevIndex, 0);
});

test('4.2.2: a leader that removes itself leads until the change is committed, and does not count itself', () => {
  const peer = new SinglePeer().lead().give(remove('a')).sync();
  acceptOf(peer, 'b');
  assert.deepEqual([peer.status.commit, peer.status.role], [2, 'leader'], 'its own log is not counted');
  acceptOf(peer, 'c');
  assert.deepEqual([peer.status.commit, peer.status.role, outcomes(peer)], [3, 'follower', ['applied']]);
});

test('4.2.2: a server that is not in its latest configuration still starts elections while that is not committed', () => {
  const peer = new SinglePeer({ voters: ['a', 'b'] }).lead().give(remove('a')).sync().ticks(11);
  assert.equal(peer.status.role, 'follower', 'nobody was heard');
  peer.takeCalls();
  peer.elect();
  assert.deepEqual([peer.status.role, members(peer)], ['leader', 'b']);
});

test('4.2.3: servers that hear a leader do not grant votes, so that a removed server disrupts nobody', () => {
  const peer = new SinglePeer().ask('b', append(1, [1, 1], [])).sync();
  peer.replies = [];
  peer.ask('x', { type: 'vote', term: 9, candidate: 'x', lastIndex: 9, lastTerm: 9, leadershipTransfer: false });
  peer.ask('x', { type: 'preVote', term: 9, lastIndex: 9, lastTerm: 9 });
  assert.deepEqual(
    peer.replies.map(({ response }) => response),
    [
      { type: 'vote', term: 1, granted: false },
      { type: 'preVote', term: 1, granted: false },
    ],
  );
  assert.deepEqual([peer.status.term, peer.status.leader], [1, 'b']);
});

test('4.2.4: the cluster can lose a minority at any point of a change', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  acceptOf(peer, 'b', 'd');
  assert.equal(members(peer), 'a b c d');
  // `c` is gone: three of four go on.
  peer.sync();
  acceptOf(peer, 'b', 'd');
  assert.deepEqual([peer.status.commit, outcomes(peer)], [4, ['applied']]);
});

test('4.2.4: a leader that is lost during a change leaves a log with which another one goes on', () => {
  const peer = new SinglePeer();
  const { servers } = peer.status.configuration;
  const configuration = { servers: [...servers, { id: 'd', suffrage: 'staging' as const }] };
  peer.ask('b', { ...append(1, [1, 1], []), entries: [{ index: 2, term: 1, type: 'configuration', configuration }] });
  peer.sync().elect().sync();
  acceptOf(peer, 'b', 'd');
  acceptOf(peer, 'd');
  assert.equal(members(peer), 'a b c d');
});

test('4.2.3: a removed server is told as long as it answers, and then no longer sent anything', () => {
  const peer = new SinglePeer().lead().give(remove('c')).sync().acceptAll();
  peer.takeCalls();
  peer.ticks(1);
  assert.deepEqual(
    peer.takeCalls((call) => isHeartbeat(call) || call.to === 'c').map(({ to }) => to),
    [],
  );
});
