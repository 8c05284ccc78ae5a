import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, append, isHeartbeat, SinglePeer } from '../../../test/raft/single-peer.ts';
import type { Call, Input } from './index.ts';

const transfer: Input = { type: 'transfer', id: 1 };

function propose(id: number): Input {
  return { type: 'propose', proposals: [{ id, data: Uint8Array.of(id) }] };
}

function timeoutNowCalls(peer: SinglePeer): Call[] {
  return peer.takeCalls(({ request }) => request.type === 'timeoutNow');
}

function outcomes(peer: SinglePeer): string[] {
  return peer.results.map((result) =>
    result.outcome === 'refused' ? `${result.id} ${result.reason}` : `${result.id} ${result.outcome}`,
  );
}

function tickServed(peer: SinglePeer, count: number): void {
  for (let tick = 0; tick < count; tick++) {
    peer.ticks(1);
    for (const call of peer.takeCalls(({ request }) => request.type === 'append')) peer.answer(call, accepted(call));
  }
}

test('transfer: the voter that is furthest is asked at once, and the leader has done when another one leads', () => {
  const peer = new SinglePeer().lead().give(propose(2)).sync();
  const [toC] = peer.takeCalls((call) => call.to === 'c');
  assert(toC !== undefined);
  peer.answer(toC, accepted(toC)).give(transfer);
  assert.deepEqual(
    timeoutNowCalls(peer).map(({ to }) => to),
    ['c'],
  );
  peer.ask('c', append(3, [3, 2], [3], 0, 'c'));
  assert.deepEqual(outcomes(peer), ['2 applied', '1 applied']);
});

test('transfer: it waits until the successor has the whole log', () => {
  const peer = new SinglePeer()
    .lead()
    .give(propose(2), { ...transfer, to: 'b' })
    .sync();
  assert.deepEqual(timeoutNowCalls(peer), []);
  for (const call of peer.takeCalls((call) => call.to === 'b')) peer.answer(call, accepted(call));
  assert.deepEqual([outcomes(peer), timeoutNowCalls(peer).map(({ to }) => to)], [['2 applied'], ['b']]);
});

test('transfer: meanwhile nothing new is taken, and reads still are', () => {
  const peer = new SinglePeer().lead();
  peer.give({ ...transfer, to: 'b' }, propose(2), { type: 'transfer', id: 3 }, { type: 'read', id: 4 });
  peer.give({ type: 'change', id: 5, change: { type: 'remove', peer: 'c' } });
  assert.deepEqual(outcomes(peer), ['2 not-leader', '3 change-pending', '5 change-pending']);
  for (const call of peer.takeCalls(isHeartbeat)) peer.answer(call, accepted(call));
  assert.deepEqual(outcomes(peer).at(-1), '4 applied');
});

test('transfer: to a successor that cannot be asked, or does not win in time, and the leader goes on', () => {
  const unreachable = new SinglePeer().lead().give(transfer);
  unreachable.fail(timeoutNowCalls(unreachable)[0]).give(propose(2)).sync();
  assert.deepEqual([outcomes(unreachable), unreachable.status.lastIndex], [['1 no-successor'], 3]);
  const slow = new SinglePeer().lead().give(transfer);
  slow.answer(timeoutNowCalls(slow)[0], { type: 'timeoutNow' });
  tickServed(slow, 10);
  assert.deepEqual(outcomes(slow), []);
  tickServed(slow, 1);
  assert.deepEqual([outcomes(slow), slow.status.role], [['1 no-successor'], 'leader']);
  slow.give(propose(2));
  assert.equal(slow.status.lastIndex, 3);
});

test('transfer: to one that is behind and never gets there', () => {
  const peer = new SinglePeer()
    .lead()
    .give(propose(2), { ...transfer, to: 'b' })
    .sync();
  for (let tick = 0; tick < 11; tick++) {
    for (const call of peer.takeCalls()) {
      if (call.to === 'b' && !isHeartbeat(call)) peer.fail(call);
      else peer.answer(call, accepted(call));
    }
    peer.ticks(1);
  }
  assert.deepEqual([outcomes(peer), peer.status.role], [['2 applied', '1 no-successor'], 'leader']);
});

test('transfer: only to another voter, and only by the leader', () => {
  const peer = new SinglePeer().give(transfer);
  assert.deepEqual(outcomes(peer), ['1 not-leader']);
  peer.lead().give({ ...transfer, to: 'a' }, { ...transfer, to: 'x' });
  assert.deepEqual(outcomes(peer).slice(1), ['1 no-successor', '1 no-successor']);
  const alone = new SinglePeer({ voters: ['a'] }).lead().give(transfer);
  assert.deepEqual(outcomes(alone), ['1 no-successor']);
});

test('transfer: nobody who was not heard lately is chosen', () => {
  const peer = new SinglePeer().lead();
  for (let tick = 0; tick < 12; tick++) {
    peer.ticks(1);
    for (const call of peer.takeCalls(({ to }) => to === 'c')) peer.answer(call, accepted(call));
  }
  peer.give(transfer);
  assert.deepEqual(
    timeoutNowCalls(peer).map(({ to }) => to),
    ['c'],
  );
});

test('transfer: answered once, also by a leader that has removed itself', () => {
  const peer = new SinglePeer().lead();
  peer.give({ type: 'change', id: 2, change: { type: 'remove', peer: 'a' } }, { ...transfer, to: 'c' });
  for (const call of peer.takeCalls(({ request }) => request.type === 'append')) peer.answer(call, accepted(call));
  peer.sync();
  assert.deepEqual([peer.status.role, outcomes(peer)], ['follower', ['1 applied', '2 applied']]);
  assert.deepEqual(timeoutNowCalls(peer), [], 'a leader that has stepped down asks nobody');
});

test('change: a leader that is no voter any more steps down when that is committed', () => {
  const peer = new SinglePeer().lead();
  peer.give({ type: 'change', id: 2, change: { type: 'add', server: { id: 'a', suffrage: 'nonvoter' } } });
  assert.equal(peer.status.role, 'leader');
  peer.sync().acceptAll();
  assert.deepEqual([peer.status.role, outcomes(peer)], ['follower', ['2 applied']]);
  peer.ticks(30);
  assert.equal(peer.status.role, 'follower', 'and does not stand again');
});

test('remove: a removed peer is sent the log up to its removal, and no entry after', () => {
  const peer = new SinglePeer().lead();
  peer.give({ type: 'change', id: 2, change: { type: 'remove', peer: 'c' } }, propose(3), propose(4));
  for (const call of peer.sync().takeCalls()) peer.fail(call);
  const sent: number[] = [];
  for (let tick = 0; tick < 5; tick++) {
    peer.ticks(1);
    for (let calls = peer.takeCalls(); calls.length > 0; calls = peer.takeCalls()) {
      for (const call of calls) {
        const { request, to } = call;
        if (to === 'c' && request.type === 'append') sent.push(...request.entries.map(({ index }) => index));
        peer.answer(call, accepted(call));
      }
    }
  }
  assert.deepEqual([sent, peer.status.lastIndex, [...peer.raft.matches().keys()]], [[3], 5, ['b']]);
});
