import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, append, isHeartbeat, SinglePeer } from '../../../test/raft/single-peer.ts';
import type { Call, Input } from './index.ts';

const read = (id: number): Input => ({ type: 'read', id });

function answerHeartbeats(peer: SinglePeer, to: string): void {
  for (const call of peer.takeCalls((call: Call) => isHeartbeat(call) && call.to === to)) {
    peer.answer(call, accepted(call));
  }
}

test('read: a quorum must answer messages sent after it began', () => {
  const peer = new SinglePeer().lead().give({ type: 'propose', proposals: [{ id: 9, data: new Uint8Array() }] });
  peer.ticks(1);
  const early = peer.takeCalls((call) => isHeartbeat(call) && call.to === 'b');
  peer.give(read(1));
  for (const call of early) peer.answer(call, accepted(call));
  assert.deepEqual(peer.results, [], 'sent before the read');
  answerHeartbeats(peer, 'b');
  assert.deepEqual(peer.results, [{ id: 1, outcome: 'applied', index: 2, term: 2 }]);
});

test('read: reads that come while a round is under way share the next one', () => {
  const peer = new SinglePeer().lead();
  peer.give(read(1));
  peer.give(read(2), read(3));
  assert.equal(peer.calls.filter((call) => call.to === 'b').length, 1);
  answerHeartbeats(peer, 'b');
  assert.deepEqual(
    peer.results.map(({ id }) => id),
    [1],
  );
  assert.equal(peer.calls.filter((call) => call.to === 'b').length, 1);
  answerHeartbeats(peer, 'b');
  assert.deepEqual(
    peer.results.map(({ id }) => id),
    [1, 2, 3],
  );
});

test('read: waits for the first commit of the term', () => {
  const peer = new SinglePeer().elect().give(read(1));
  answerHeartbeats(peer, 'b');
  assert.deepEqual(peer.results, []);
  peer.sync().acceptAll();
  assert.deepEqual(peer.results, [{ id: 1, outcome: 'applied', index: 2, term: 2 }]);
});

test('read: waits until the state has what was committed when it began', () => {
  const peer = new SinglePeer().lead();
  peer.appliesAtOnce = false;
  peer
    .give({ type: 'propose', proposals: [{ id: 9, data: new Uint8Array() }] })
    .sync()
    .acceptAll();
  peer.give(read(1));
  answerHeartbeats(peer, 'b');
  assert.deepEqual(peer.results, []);
  peer.give({ type: 'applied', index: 3 });
  assert.deepEqual(
    peer.results.map(({ id }) => id),
    [9, 1],
  );
});

test('read: refused by others than the leader, and by a leader that is deposed meanwhile', () => {
  const peer = new SinglePeer().give(read(1)).lead().give(read(2));
  peer.ask('b', append(3, [2, 2], [3]));
  assert.deepEqual(peer.results, [
    { id: 1, outcome: 'refused', reason: 'not-leader', leader: undefined },
    { id: 2, outcome: 'refused', reason: 'not-leader', leader: 'b' },
  ]);
});

test('read: a peer alone needs nobody', () => {
  const peer = new SinglePeer({ voters: ['a'] }).ticks(10).sync().give(read(1));
  assert.deepEqual(peer.results, [{ id: 1, outcome: 'applied', index: 2, term: 2 }]);
});
