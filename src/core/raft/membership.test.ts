import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, SinglePeer } from '../../../test/raft/single-peer.ts';
import { bootstrapOps, type Input, type Result } from './index.ts';

let nextId = 0;

function add(id: string): Input {
  return { type: 'change', id: ++nextId, change: { type: 'add', server: { id, suffrage: 'voter' } } };
}

function remove(peer: string): Input {
  return { type: 'change', id: ++nextId, change: { type: 'remove', peer } };
}

function reasons(results: readonly Result[]): string[] {
  return results.map((result) => (result.outcome === 'refused' ? result.reason : result.outcome));
}

test('bootstrapOps: the first configuration is log entry 1, each voter once', () => {
  assert.deepEqual(bootstrapOps(['b', 'a', 'b']), [
    { type: 'hard', state: { term: 1, votedFor: undefined } },
    {
      type: 'put',
      entries: [
        {
          index: 1,
          term: 1,
          type: 'configuration',
          configuration: {
            servers: [
              { id: 'b', suffrage: 'voter' },
              { id: 'a', suffrage: 'voter' },
            ],
          },
        },
      ],
    },
  ]);
});

test('change: none before the term has committed something, one at a time', () => {
  const peer = new SinglePeer().elect().give(add('d'));
  assert.deepEqual(reasons(peer.results), ['change-pending']);
  peer.sync().acceptAll().give(add('d'));
  assert.equal(peer.status.configuration.servers.length, 4, 'it holds at once');
  peer.give(add('e'));
  assert.deepEqual(reasons(peer.results), ['change-pending', 'change-pending']);
  peer.sync().acceptAll().sync();
  assert.deepEqual(reasons(peer.results).at(-1), 'applied');
  peer.give(add('e'));
  assert.equal(peer.status.configuration.servers.length, 5);
});

test('change: a peer that has removed itself, and was deposed before that was committed, stands again', () => {
  const peer = new SinglePeer({ voters: ['a', 'b'] }).lead().give(remove('a')).sync();
  peer.ask('b', { type: 'preVote', term: 3, lastIndex: 2, lastTerm: 2 });
  assert.deepEqual(peer.replies.pop()?.response, { type: 'preVote', term: 2, granted: false }, 'its log is longer');
  peer.ticks(11);
  assert.equal(peer.status.role, 'follower', 'nobody was heard');
  // It does not know any more what was committed.
  peer.restart();
  peer.takeCalls();
  peer.elect();
  assert.deepEqual([peer.status.role, peer.status.term], ['leader', 3], 'elected by the only voter that is left');
  peer.sync().acceptAll();
  assert.deepEqual([peer.status.role, peer.status.commit], ['follower', 4]);
});

test('change: an entry is counted by the configuration that holds, not by the one it was made in', () => {
  const peer = new SinglePeer({ voters: ['a', 'b'] }).lead().give(add('c'), add('c')).sync();
  const [toB] = peer.takeCalls((call) => call.to === 'b');
  assert(toB !== undefined);
  assert.equal(peer.status.commit, 2);
  peer.answer(toB, accepted(toB));
  assert.equal(peer.status.commit, 3, 'two of three');
});

test('change: as it is already, or the last voter: refused', () => {
  const peer = new SinglePeer({ voters: ['a'] }).ticks(10).sync();
  peer.give(add('a')).give(remove('x')).give(remove('a'));
  assert.deepEqual(reasons(peer.results), ['unchanged', 'unchanged', 'last-voter']);
});

test('add: the new member is sent the whole log', () => {
  const peer = new SinglePeer({ terms: [1, 1] }).lead().give(add('d'));
  const [first] = peer.takeCalls((call) => call.to === 'd');
  peer.answer(first, { type: 'append', term: 2, lastLog: 0, success: false, noRetryBackoff: true });
  const [probe] = peer.takeCalls((call) => call.to === 'd');
  assert.equal(probe?.request.type === 'append' && probe.request.prevIndex, 0);
  peer.answer(probe, { type: 'append', term: 2, lastLog: 0, success: true, noRetryBackoff: false });
  const [all] = peer.takeCalls((call) => call.to === 'd');
  assert.deepEqual(all?.request.type === 'append' && all.request.entries.map(({ index }) => index), [1, 2, 3, 4, 5]);
});

test('remove: the removed peer is sent its removal and the news of its commit, and nothing after', () => {
  const peer = new SinglePeer().lead().give(remove('c')).sync();
  const [toB] = peer.takeCalls((call) => call.to === 'b');
  assert(toB !== undefined);
  peer.answer(toB, accepted(toB));
  assert.equal(peer.status.commit, 3, 'c does not count any more');
  peer.acceptAll();
  assert.equal(peer.raft.matches().has('c'), false);
  peer.ticks(1);
  assert.deepEqual(
    peer.takeCalls((call) => call.to === 'c'),
    [],
  );
});

test('remove: a removed peer that is gone is given up after a while', () => {
  const peer = new SinglePeer().lead().give(remove('c')).sync();
  for (let tick = 0; tick < 22; tick++) {
    for (const call of peer.takeCalls()) if (call.to === 'b') peer.answer(call, accepted(call));
    peer.ticks(1);
  }
  assert.equal(peer.raft.matches().has('c'), false);
});

test('remove: a leader that removed itself leads until that is committed, without counting itself', () => {
  const peer = new SinglePeer().lead().give(remove('a')).sync();
  assert.deepEqual([peer.status.role, peer.status.commit], ['leader', 2]);
  const calls = peer.takeCalls();
  for (const [at, call] of calls.entries()) {
    peer.answer(call, accepted(call));
    assert.equal(peer.status.commit, at === 0 ? 2 : 3);
  }
  assert.equal(peer.status.role, 'follower');
  assert.deepEqual(reasons(peer.results), ['applied']);
  peer.takeCalls();
  assert.equal(peer.ticks(50).status.role, 'follower', 'it does not stand again');
});
