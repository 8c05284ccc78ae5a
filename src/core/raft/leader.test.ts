import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  accepted,
  append,
  baseOf,
  command,
  configurationEntry,
  isHeartbeat,
  SinglePeer,
} from '../../../test/raft/single-peer.ts';
import { type Call, createRaft, type Input, originBase, type Raft } from './index.ts';

function propose(...ids: readonly number[]): Input {
  return { type: 'propose', proposals: ids.map((id) => ({ id, data: Uint8Array.of(id) })) };
}

function entriesOf({ request }: Call): readonly number[] {
  return request.type === 'append' ? request.entries.map(({ index }) => index) : [];
}

const isAppend = (call: Call): boolean => !isHeartbeat(call);

test('propose: sent at once, committed by a quorum of disks, answered when applied', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(7));
  const [first] = peer.takeCalls();
  assert.deepEqual(first && entriesOf(first), [3], 'the log write has only begun');
  peer.answer(first, { type: 'append', term: 2, lastLog: 2, success: true, noRetryBackoff: false });
  assert.equal(peer.status.commit, 2, 'one follower is not enough: the own copy is not on disk');
  peer.sync();
  assert.equal(peer.status.commit, 3);
  assert.deepEqual(peer.results, [{ id: 7, outcome: 'applied', index: 3, term: 2 }]);
});

test('propose: a quorum of others commits before the own disk, and then applying waits for it', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(7)).acceptAll();
  assert.deepEqual([peer.status.commit, peer.status.applied], [3, 2]);
  assert.deepEqual(peer.results, []);
  peer.sync();
  assert.equal(peer.results.length, 1);
});

test('propose: not answered before the state has it', () => {
  const peer = new SinglePeer().lead();
  peer.appliesAtOnce = false;
  peer.give(propose(7)).sync().acceptAll();
  assert.deepEqual([peer.applied.at(-1)?.index, peer.results.length], [3, 0]);
  peer.give({ type: 'applied', index: 3 });
  assert.equal(peer.results.length, 1);
});

test('propose: all of one turn are one entry batch and one message', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(1, 2), propose(3, 4));
  assert.equal(peer.writing?.length, 1);
  assert.deepEqual(peer.takeCalls((call) => call.to === 'b').map(entriesOf), [
    [3, 4],
    [5, 6],
  ]);
});

test('propose: others than the leader refuse and name it', () => {
  const peer = new SinglePeer().ask('b', append(1, [1, 1], []));
  peer.give(propose(7));
  assert.deepEqual(peer.results, [{ id: 7, outcome: 'refused', reason: 'not-leader', leader: 'b' }]);
});

test('propose: what waits is bounded, by number and by bytes', () => {
  const byCount = new SinglePeer({ options: { waitingMax: 2 } }).lead().give(propose(1, 2, 3));
  const byBytes = new SinglePeer({ options: { uncommittedBytesMax: 2 } }).lead().give(propose(1, 2, 3));
  for (const peer of [byCount, byBytes]) {
    assert.deepEqual(peer.results, [{ id: 3, outcome: 'refused', reason: 'busy', leader: 'a' }]);
    peer.sync().acceptAll().give(propose(4));
    assert.equal(peer.results.filter(({ outcome }) => outcome === 'refused').length, 1, 'room again');
  }
});

test('propose: cut off is no answer; an entry of a later term, applied at the index or before it, is one', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(7, 8)).sync().takeCalls();
  peer.ask('b', append(3, [2, 2], [3])).sync();
  assert.deepEqual(peer.results, [], 'b has cut it off here, but c may have it');
  peer.ask('b', append(3, [3, 3], [], 3)).sync();
  const refused = { outcome: 'refused', reason: 'superseded', leader: undefined };
  assert.deepEqual(new Set(peer.results), new Set([7, 8].map((id) => ({ id, ...refused }))));
});

test('propose: what was cut off does not keep a leader busy that has a shorter log now', () => {
  const peer = new SinglePeer({ options: { waitingMax: 3 } }).lead();
  peer
    .give(propose(7, 8, 9))
    .sync()
    .takeCalls();
  peer.ask('b', append(3, [2, 2], [3])).sync();
  peer.ask('c', { ...append(4, [2, 2], [4], 3, 'c') }).sync();
  assert.deepEqual(
    peer.results.map(({ id, outcome }) => [id, outcome]).sort(),
    [7, 8, 9].map((id) => [id, 'refused']),
  );
  peer.elect().sync().acceptAll().give(propose(10)).sync().acceptAll();
  assert.equal(peer.results.at(-1)?.outcome, 'applied');
});

test('propose: an entry that was cut off and came back is applied', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(7)).sync().takeCalls();
  peer.ask('b', append(3, [2, 2], [3])).sync();
  const survived = { ...append(4, [2, 2], [], 4, 'c'), entries: [command(3, 2), command(4, 4)] };
  peer.ask('c', survived).sync();
  assert.deepEqual(peer.results, [{ id: 7, outcome: 'applied', index: 3, term: 2 }]);
});

test('propose: a leader that steps down leaves its proposals waiting, and they may still be applied', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(7)).sync().takeCalls();
  peer.ticks(11);
  assert.deepEqual([peer.status.role, peer.results.length], ['follower', 0]);
  peer.ask('b', append(3, [3, 2], [3], 4)).sync();
  assert.deepEqual(peer.results, [{ id: 7, outcome: 'applied', index: 3, term: 2 }]);
});

test('commit: an entry of an earlier term is not committed by counting it (paper, figure 8)', () => {
  const peer = new SinglePeer({ terms: [2, 3], options: { entriesPerAppendMax: 1, appendsInFlightMax: 1 } });
  peer.elect().sync();
  assert.equal(peer.status.lastIndex, 4);
  // b has nothing yet: it refuses, is found at 1, and gets one entry a message.
  const [toB] = peer.takeCalls((call) => call.to === 'b' && isAppend(call));
  peer.answer(toB, { type: 'append', term: 4, lastLog: 1, success: false, noRetryBackoff: true });
  for (let expected = 1; expected <= 4; expected++) {
    const [call] = peer.takeCalls((call) => call.to === 'b' && isAppend(call));
    assert(call !== undefined);
    peer.answer(call, accepted(call));
    assert.equal(peer.status.commit, expected < 4 ? 0 : 4, `b has ${expected}`);
  }
});

test('append: a pipeline of bounded depth, messages of bounded size', () => {
  const peer = new SinglePeer({
    options: { entriesPerAppendMax: 2, bytesPerAppendMax: 3, appendsInFlightMax: 2 },
  }).lead();
  peer.give(propose(1, 2, 3, 4, 5, 6));
  const sent = peer.takeCalls((call) => call.to === 'b');
  assert.deepEqual(sent.map(entriesOf), [
    [3, 4],
    [5, 6],
  ]);
  peer.answer(sent[0], { type: 'append', term: 2, lastLog: 2, success: true, noRetryBackoff: false });
  assert.deepEqual(peer.takeCalls((call) => call.to === 'b').map(entriesOf), [[7, 8]]);
  const large = { type: 'propose' as const, proposals: [1, 2].map((id) => ({ id: 10 + id, data: new Uint8Array(9) })) };
  const other = new SinglePeer({ options: { bytesPerAppendMax: 3 } }).lead().give(large);
  assert.deepEqual(other.takeCalls((call) => call.to === 'b').map(entriesOf), [[3], [4]]);
});

test('append: behind another goes only what is no smaller', () => {
  const peer = new SinglePeer({ options: { entriesPerAppendMax: 3 } }).lead();
  const take = (): Call[] => peer.takeCalls((call) => call.to === 'b');
  peer.give(propose(1, 2)).give(propose(3));
  const [first] = take();
  assert(first !== undefined);
  assert.deepEqual(entriesOf(first), [3, 4]);
  peer.give(propose(4));
  const [second] = take();
  assert(second !== undefined);
  assert.deepEqual(entriesOf(second), [5, 6]);
  peer.give(propose(5));
  peer.answer(first, accepted(first));
  assert.deepEqual(take().map(entriesOf), [], 'one would go behind two');
  peer.answer(second, accepted(second));
  assert.deepEqual(take().map(entriesOf), [[7]], 'behind none it goes at once');
});

test('append: a failed one is sent again from the next tick on, first without entries', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(1));
  const [call] = peer.takeCalls((call) => call.to === 'b');
  peer.fail(call);
  assert.deepEqual(
    peer.takeCalls((call) => call.to === 'b'),
    [],
  );
  peer.ticks(1);
  const [probe] = peer.takeCalls((call) => call.to === 'b');
  assert.deepEqual(probe?.request.type === 'append' && [probe.request.prevIndex, probe.request.entries], [2, []]);
  peer.answer(probe, { type: 'append', term: 2, lastLog: 2, success: true, noRetryBackoff: false });
  assert.deepEqual(peer.takeCalls((call) => call.to === 'b').map(entriesOf), [[3]]);
});

test('append: heartbeats go on while entries are under way, and their answers never lower what is sent next', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(1)).ticks(2);
  const toB = peer.takeCalls((call) => call.to === 'b');
  const heartbeats = toB.filter(isHeartbeat);
  assert.equal(heartbeats.length, 2);
  for (const call of heartbeats) {
    peer.answer(call, { type: 'append', term: 2, lastLog: 0, success: false, noRetryBackoff: true });
  }
  peer.give(propose(2));
  assert.deepEqual(peer.takeCalls((call) => call.to === 'b').map(entriesOf), [[4]]);
});

test('append: a follower behind is found by its hint, a late "no" about what was agreed since is ignored', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1, 1] }).elect().sync();
  const [first] = peer.takeCalls((call) => call.to === 'b');
  peer.answer(first, { type: 'append', term: 2, lastLog: 1, success: false, noRetryBackoff: true });
  const [probe] = peer.takeCalls((call) => call.to === 'b');
  assert.equal(probe?.request.type === 'append' && probe.request.prevIndex, 1);
  peer.answer(probe, { type: 'append', term: 2, lastLog: 1, success: true, noRetryBackoff: false });
  peer.acceptAll();
  assert.equal(peer.raft.matches().get('b'), 6);
});

test('append: a follower that was told everything learns the commit index at once when idle', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(1)).sync();
  const [toB] = peer.takeCalls((call) => call.to === 'b');
  assert(toB !== undefined);
  peer.answer(toB, accepted(toB));
  const [told] = peer.takeCalls((call) => call.to === 'b');
  assert.deepEqual(told?.request.type === 'append' && [told.request.commit, told.request.entries.length], [3, 0]);
});

test('append: the answer of an earlier leadership does not count', () => {
  const peer = new SinglePeer().lead();
  peer.give(propose(1));
  const [old] = peer.takeCalls((call) => call.to === 'b');
  peer.ticks(11);
  peer.ask('c', append(3, [2, 2], [3], 0, 'c')).sync();
  peer.elect();
  assert(old !== undefined);
  peer.answer(old, accepted(old));
  assert.equal(peer.raft.matches().get('b'), 0);
});

test('append: a newer term in an answer ends the leadership', () => {
  const peer = new SinglePeer().lead().ticks(1);
  peer.answer(peer.takeCalls()[0], { type: 'append', term: 9, lastLog: 0, success: false, noRetryBackoff: false });
  assert.deepEqual([peer.status.role, peer.status.term], ['follower', 9]);
});

test('lead: a snapshot beyond the own log proves that the log has lost its end, but only to who is elected', () => {
  const start = (voters: readonly string[]): Raft => {
    const image = {
      hard: { term: 2, votedFor: undefined },
      base: originBase,
      entries: [configurationEntry(1, 1, voters)],
    };
    return createRaft({ self: 'a', random: { integer: () => 0 }, image, applied: 0, snapshot: baseOf(5, 2, voters) });
  };
  // It may have come just before a crash, to be sent again.
  const follower = start(['a', 'b', 'c']);
  follower.step({ type: 'request', from: 'b', request: append(2, [1, 1], [2]), token: 1 });
  assert.equal(follower.status().lastIndex, 2);
  const alone = start(['a']);
  for (let tick = 0; tick < 10; tick++) alone.step({ type: 'tick' });
  alone.take();
  assert.throws(() => alone.step({ type: 'written' }), {
    code: 'raft/state-ahead',
    message: /it ends at 1, and there is a snapshot up to 5/,
  });
});
