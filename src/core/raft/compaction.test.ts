import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  accepted,
  append,
  baseOf,
  isHeartbeat,
  refused,
  SinglePeer,
  snapshot,
} from '../../../test/raft/single-peer.ts';
import type { Call, Input } from './index.ts';

function proposals(count: number): Input {
  return {
    type: 'propose',
    proposals: Array.from({ length: count }, (_, at) => ({ id: 1000 + at, data: Uint8Array.of(at) })),
  };
}

/** Leads with the log 1 to 10 on all disks but those of the dead, who are silent since. */
function leader(...dead: readonly string[]): SinglePeer {
  const peer = new SinglePeer().lead().give(proposals(8));
  serve(peer.sync(), ...dead);
  for (let tick = 0; tick < 12; tick++) serve(peer.ticks(1), ...dead);
  assert.deepEqual([peer.status.lastIndex, peer.status.applied, peer.status.role], [10, 10, 'leader']);
  return peer;
}

function serve(peer: SinglePeer, ...dead: readonly string[]): void {
  for (let calls = peer.takeCalls(isLogCall); calls.length > 0; calls = peer.takeCalls(isLogCall)) {
    for (const call of calls) {
      if (dead.includes(call.to)) peer.fail(call);
      else peer.answer(call, accepted(call));
    }
  }
}

function isLogCall({ request }: Call): boolean {
  return request.type === 'append';
}

function snapshotsTo(peer: SinglePeer, to: string): Call[] {
  return peer.takeCalls((call) => call.to === to && call.request.type === 'snapshot');
}

test('compact: the log forgets what the state stands for, on disk too, and keeps what trails', () => {
  const peer = leader().compact(10, 4);
  assert.deepEqual([peer.status.baseIndex, peer.disk.base.index, peer.disk.entries.length], [6, 6, 4]);
  assert.deepEqual(peer.disk.base, baseOf(6, 2));
  peer.compact(10, 8);
  assert.equal(peer.status.baseIndex, 6, 'and never takes anything back');
  peer.restart();
  assert.deepEqual([peer.status.lastIndex, peer.status.commit, peer.status.applied], [10, 10, 10]);
});

test('compact: no more bytes stay than the bound says, whatever trails or a follower needs, and no less is applied', () => {
  const options = { keptBytesMax: 25 };
  for (const [sizes, kept] of [
    [[10, 10, 10, 10], 2],
    [[1, 1, 1, 1], 4],
    [[10, 10, 10, 30], 0],
  ] as const) {
    const peer = new SinglePeer({ options }).lead();
    const proposed = sizes.map((size, at) => ({ id: 1000 + at, data: new Uint8Array(size) }));
    peer.give({ type: 'propose', proposals: proposed });
    serve(peer.sync());
    const { lastIndex, applied, baseIndex } = peer.status;
    assert.equal(applied, lastIndex);
    peer.give({ type: 'compact', index: lastIndex, trailing: 100 }).sync();
    const expected = kept === sizes.length ? baseIndex : lastIndex - kept;
    assert.equal(peer.status.baseIndex, expected);
  }
  const peer = new SinglePeer({ options }).lead();
  peer.give({ type: 'propose', proposals: [{ id: 1, data: new Uint8Array(20) }] });
  serve(peer.sync());
  const { applied } = peer.status;
  peer.give({ type: 'propose', proposals: [{ id: 2, data: new Uint8Array(100) }] }).sync();
  peer.give({ type: 'compact', index: applied, trailing: 100 }).sync();
  assert.deepEqual([peer.status.baseIndex, peer.status.lastIndex], [applied, applied + 1]);
});

test('compact: what is not applied is not forgotten', () => {
  const peer = leader();
  assert.throws(() => peer.give({ type: 'compact', index: 11, trailing: 0 }), /what is compacted is applied/);
});

test('compact: a log of nothing but its base still knows its last term, and votes by it', () => {
  const peer = leader().compact().restart();
  const vote = { type: 'preVote' as const, term: 3, lastIndex: 10 };
  peer.ask('b', { ...vote, lastTerm: 1 }).ask('b', { ...vote, lastTerm: 2 });
  assert.deepEqual(
    peer.replies.map(({ response }) => response.type === 'preVote' && response.granted),
    [false, true],
  );
});

test('compact: entries that a follower which is heard needs next stay, up to as many as trail', () => {
  const peer = leader().give(proposals(2)).sync();
  const isEntry = (call: Call): boolean => !isHeartbeat(call) && isLogCall(call);
  for (const call of peer.takeCalls((call) => isEntry(call) && call.to === 'b')) peer.answer(call, accepted(call));
  assert.deepEqual([peer.status.applied, peer.raft.matches().get('c')], [12, 10]);
  peer.compact(12, 1);
  assert.equal(peer.status.baseIndex, 10);
  peer.compact(12, 0);
  assert.equal(peer.status.baseIndex, 12, 'it is more than twice as far behind as what trails');
});

test('snapshot: a follower that needs what was compacted away is sent the newest one, then the entries after it', () => {
  const peer = leader('c').compact();
  peer.ticks(1);
  const [call, ...others] = snapshotsTo(peer, 'c');
  assert(call !== undefined && others.length === 0);
  assert.deepEqual(call.request, { type: 'snapshot', term: 2, leader: 'a', base: baseOf(10, 2) });
  assert.equal(call.timeoutTicks, 36_000);
  peer.give(proposals(1)).sync().ticks(1);
  assert.deepEqual(
    peer.takeCalls(({ to }) => to === 'c').map((call) => isHeartbeat(call)),
    [true, true],
    'nothing but heartbeats meanwhile',
  );
  peer.answer(call, accepted(call));
  const [next] = peer.takeCalls(({ to }) => to === 'c');
  assert(next?.request.type === 'append');
  assert.deepEqual([next.request.prevIndex, next.request.prevTerm, next.request.entries.length], [10, 2, 1]);
});

test('snapshot: one that did not arrive is sent again after an election timeout, not at once', () => {
  const peer = leader('c').compact().ticks(1);
  peer.fail(snapshotsTo(peer, 'c')[0]);
  for (let tick = 0; tick < 9; tick++) serve(peer.ticks(1));
  assert.deepEqual(snapshotsTo(peer, 'c'), []);
  for (let tick = 0; tick < 2; tick++) serve(peer.ticks(1));
  assert.equal(snapshotsTo(peer, 'c').length, 1);
});

test('snapshot: one that is refused again and again is sent after longer and longer waits, one that is lost is not', () => {
  const peer = leader('c').compact().ticks(1);
  const waits: number[] = [];
  for (let [call] = snapshotsTo(peer, 'c'); waits.length < 12; ) {
    if (waits.length < 2 || waits.length === 11) peer.fail(call);
    else peer.answer(call, { type: 'snapshot', term: peer.status.term, success: false });
    let ticks = 0;
    do {
      serve(peer.ticks(1));
      [call] = snapshotsTo(peer, 'c');
      ticks++;
    } while (call === undefined);
    waits.push(ticks);
  }
  assert.deepEqual(waits, [10, 10, 10, 20, 40, 80, 160, 320, 640, 640, 640, 10]);
});

test('snapshot: a follower that was away for long is sent one within an election timeout of its return', () => {
  const peer = leader('c').compact();
  for (let tick = 0; tick < 1000; tick++) {
    for (const call of peer.ticks(1).takeCalls()) {
      if (call.to === 'c') peer.fail(call);
      else peer.answer(call, accepted(call));
    }
  }
  let ticks = 0;
  do {
    serve(peer.ticks(1));
    ticks++;
  } while (snapshotsTo(peer, 'c').length === 0);
  assert(ticks <= 10, `after ${ticks} ticks`);
});

test('snapshot: a leader without one that is new enough asks for it, and sends it when it is there', () => {
  const peer = leader('c').give({ type: 'compact', index: 10, trailing: 0 }).sync();
  peer.ticks(1);
  assert.deepEqual([peer.snapshotsWanted, snapshotsTo(peer, 'c')], [1, []]);
  peer.give({ type: 'snapshotted', base: peer.raft.baseAt(10) });
  serve(peer);
  peer.ticks(1);
  assert.equal(snapshotsTo(peer, 'c').length, 1);
});

test('snapshot: one that cannot be read is not sent again, and another one is asked for', () => {
  const peer = leader('c').compact().ticks(1);
  const [call] = snapshotsTo(peer, 'c');
  peer.give({ type: 'snapshot-lost', base: peer.raft.baseAt(10) }).fail(call);
  for (let tick = 0; tick < 11; tick++) serve(peer.ticks(1));
  assert.deepEqual(snapshotsTo(peer, 'c'), []);
  assert.ok(peer.snapshotsWanted > 0);
  peer.give({ type: 'snapshotted', base: peer.raft.baseAt(10) });
  serve(peer.ticks(1));
  assert.equal(snapshotsTo(peer, 'c').length, 1);
});

test('snapshot: that an older one cannot be read changes nothing', () => {
  const peer = leader('c');
  peer
    .give({ type: 'snapshot-lost', base: peer.raft.baseAt(5) })
    .compact()
    .ticks(1);
  assert.equal(snapshotsTo(peer, 'c').length, 1);
});

test('snapshot: a new one does not take the place of a newer one', () => {
  const peer = leader('c');
  const older = peer.raft.baseAt(5);
  peer.compact().give({ type: 'snapshotted', base: older }).ticks(1);
  const [call] = snapshotsTo(peer, 'c');
  assert(call?.request.type === 'snapshot');
  assert.equal(call.request.base.index, 10);
});

test('compact: while a snapshot is sent, what follows it stays', () => {
  const peer = leader('c').compact().ticks(1);
  const [call] = snapshotsTo(peer, 'c');
  peer.give(proposals(5)).sync();
  serve(peer, 'c');
  peer.compact(15);
  assert.deepEqual([peer.status.applied, peer.status.baseIndex], [15, 10]);
  assert(call !== undefined);
  peer.answer(call, accepted(call));
  serve(peer);
  peer.compact(15);
  assert.equal(peer.status.baseIndex, 15);
});

test('snapshot: the answer of another term does not count, and a newer one ends the leadership', () => {
  const peer = leader('c').compact().ticks(1);
  const [call] = snapshotsTo(peer, 'c');
  assert(call !== undefined);
  peer
    .ask('b', append(3, [10, 2], [3], 10))
    .sync()
    .lead();
  assert.equal(peer.status.term, 4);
  peer.answer(call, accepted(call));
  assert.equal(peer.raft.matches().get('c'), 12, 'what it has now, not what it was sent');
  serve(peer);
  const again = leader('c').compact().ticks(1);
  again.answer(snapshotsTo(again, 'c')[0], { type: 'snapshot', term: 9, success: false });
  assert.deepEqual([again.status.role, again.status.term], ['follower', 9]);
});

test('snapshot: a removed peer is sent none, for all it could learn is that it was removed', () => {
  const peer = leader('c').compact().ticks(1);
  peer.fail(snapshotsTo(peer, 'c')[0]);
  peer.give({ type: 'change', id: 1, change: { type: 'remove', peer: 'c' } });
  for (let tick = 0; tick < 15; tick++) serve(peer.ticks(1).sync());
  assert.deepEqual(snapshotsTo(peer, 'c'), []);
});

test('snapshot: a removed peer that is being sent one is given up all the same', () => {
  const peer = leader('c').compact().ticks(1);
  const [call] = snapshotsTo(peer, 'c');
  assert(call !== undefined);
  peer.give({ type: 'change', id: 1, change: { type: 'remove', peer: 'c' } });
  for (let tick = 0; tick < 22; tick++) serve(peer.ticks(1).sync());
  assert.deepEqual([...peer.raft.matches().keys()], ['b']);
  peer.answer(call, accepted(call));
});

test('append: a Go follower that cannot write says "no" and is asked once a tick, until it can', () => {
  const peer = leader().give(proposals(3)).sync();
  const toB = (): Call[] => peer.takeCalls((call) => call.to === 'b' && !isHeartbeat(call));
  // Its last index is the one before the entries, so it is no conflict.
  for (const call of toB()) peer.answer(call, refused(call, 10));
  assert.deepEqual(toB(), []);
  peer.ticks(1);
  const [probe] = toB();
  assert(probe?.request.type === 'append');
  assert.deepEqual([probe.request.prevIndex, probe.request.entries], [10, []]);
  peer.answer(probe, accepted(probe));
  const [again] = toB();
  assert(again?.request.type === 'append');
  assert.deepEqual(
    again.request.entries.map(({ index }) => index),
    [11, 12, 13],
  );
  peer.answer(again, refused(again, 10));
  assert.deepEqual(toB(), []);
  peer.ticks(1).acceptAll();
  assert.equal(peer.raft.matches().get('b'), 13);
});

test('append: entries up to the base of the log count as stored', () => {
  const peer = new SinglePeer();
  peer
    .ask('b', snapshot(1, baseOf(10, 1)))
    .received()
    .restored()
    .sync();
  peer.replies = [];
  peer
    .ask('b', append(1, [8, 1], [1, 1, 1], 11))
    .ask('b', append(1, [5, 1], [1], 11))
    .sync();
  assert.deepEqual(
    peer.replies.map(({ response }) => response.type === 'append' && response.success),
    [true, true],
  );
  assert.deepEqual([peer.status.lastIndex, peer.status.applied], [11, 11]);
});

test('append: where the log begins is the earliest hint, and another term there is another history', () => {
  const peer = new SinglePeer();
  peer
    .ask('b', snapshot(2, baseOf(10, 2)))
    .received()
    .restored()
    .sync();
  peer.replies = [];
  peer.ask('b', append(3, [14, 3], [3])).sync();
  assert.deepEqual(
    peer.replies.map(({ response }) => response.type === 'append' && [response.success, response.lastLog]),
    [[false, 10]],
  );
  assert.throws(() => peer.ask('b', append(3, [10, 1], [3])), { code: 'raft/diverged' });
});
