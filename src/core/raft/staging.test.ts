import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, append, isHeartbeat, refused, SinglePeer } from '../../../test/raft/single-peer.ts';
import type { Call, Configuration, Input, Result } from './index.ts';

let nextId = 0;

function add(id: string): Input {
  return { type: 'change', id: ++nextId, change: { type: 'add', server: { id, suffrage: 'voter' } } };
}

function remove(peer: string): Input {
  return { type: 'change', id: ++nextId, change: { type: 'remove', peer } };
}

function outcomes(peer: SinglePeer): string[] {
  return peer.results.map((result: Result) => (result.outcome === 'refused' ? result.reason : result.outcome));
}

function members(peer: SinglePeer): string {
  return membersOf(peer.status.configuration);
}

function membersOf({ servers }: Configuration): string {
  return servers.map(({ id, suffrage }) => (suffrage === 'voter' ? id : `${id}:${suffrage}`)).join(' ');
}

/** All but `dead` store all that is sent, until nothing is; what is sent to the dead fails. */
function acceptBut(peer: SinglePeer, ...dead: readonly string[]): SinglePeer {
  for (let calls = peer.takeCalls(); calls.length > 0; calls = peer.takeCalls()) {
    for (const call of calls) {
      if (dead.includes(call.to)) peer.fail(call);
      else peer.answer(call, accepted(call));
    }
  }
  return peer;
}

test('add: a voter is staged until it has the log, and then who asked is answered', () => {
  const peer = new SinglePeer().lead().give(add('d'));
  assert.equal(members(peer), 'a b c d:staging');
  acceptBut(peer.sync(), 'd').sync();
  assert.deepEqual([members(peer), outcomes(peer)], ['a b c d:staging', []]);
  peer.ticks(1).acceptAll();
  assert.equal(members(peer), 'a b c d');
  peer.sync().acceptAll();
  assert.deepEqual(outcomes(peer), ['applied']);
});

/** A leader with `d` staged, under writes that never cease; `d` answers all it was sent `delay` writes ago. Ten writes a tick. */
function stageUnderWrites(delay: number, ticks: number): { readonly peer: SinglePeer; readonly unanswered: Call[] } {
  const peer = new SinglePeer({ voters: ['a'] }).elect().sync().give(add('d')).sync();
  const underWay: Call[][] = [];
  for (let count = 0; count < 10 * ticks && members(peer) !== 'a d'; count++) {
    peer.give({ type: 'propose', proposals: [{ id: 1000 + count, data: Uint8Array.of(1) }] }).sync();
    underWay.push(peer.takeCalls());
    if (underWay.length > delay) for (const call of underWay.shift() ?? []) peer.answer(call, accepted(call));
    if (count % 10 === 9) peer.ticks(1);
  }
  return { peer, unanswered: underWay.flat() };
}

test('add: a staged peer becomes a voter under uninterrupted writes, though it is always a little behind', () => {
  const { peer } = stageUnderWrites(1, 20);
  assert.equal(members(peer), 'a d');
  assert((peer.raft.matches().get('d') ?? 0) < peer.status.commit, 'it lacks what was committed during its last round');
});

test('add: a staged peer that needs more than an election timeout for a round stays staged', () => {
  const { peer, unanswered } = stageUnderWrites(150, 100);
  assert.equal(members(peer), 'a d:staging');
  // The writes cease.
  for (const call of unanswered) peer.answer(call, accepted(call));
  assert.equal(members(peer.acceptAll().ticks(1).acceptAll()), 'a d');
});

test('add: a staged peer that was quick once, and is slow now, stays staged', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  // It has all before the change itself is committed, then answers no entries, but heartbeats.
  for (const call of peer.takeCalls(({ to }) => to === 'd')) peer.answer(call, accepted(call));
  peer.give({ type: 'propose', proposals: [{ id: 1000, data: Uint8Array.of(1) }] }).sync();
  for (let tick = 0; tick < 12; tick++) {
    peer.ticks(1);
    for (const call of peer.takeCalls(isHeartbeat)) peer.answer(call, accepted(call));
  }
  for (const call of peer.takeCalls(({ to }) => to === 'b')) peer.answer(call, accepted(call));
  assert.equal(peer.status.commit, 4);
  assert.equal(members(peer), 'a b c d:staging');
});

test('add: a staged peer counts for nothing', () => {
  const peer = new SinglePeer({ voters: ['a', 'b'] }).lead().give(add('c')).sync();
  const [toC] = peer.takeCalls((call) => call.to === 'c');
  assert(toC !== undefined);
  peer.answer(toC, accepted(toC));
  assert.equal(peer.status.commit, 2);
});

test('add: asked for twice, both are answered', () => {
  const peer = new SinglePeer().lead().give(add('d'), add('d')).sync().acceptAll().sync().acceptAll();
  assert.deepEqual(outcomes(peer), ['applied', 'applied']);
});

test('add: a staged peer that never comes holds up nobody', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  acceptBut(peer, 'd');
  peer.give(add('e')).sync();
  acceptBut(peer, 'd').sync();
  acceptBut(peer, 'd');
  assert.deepEqual([members(peer), outcomes(peer)], ['a b c d:staging e', ['applied']]);
  peer.give(remove('d')).sync();
  acceptBut(peer, 'd');
  assert.deepEqual([members(peer), outcomes(peer)], ['a b c e', ['applied', 'superseded', 'applied']]);
});

test('add: a staged peer that has gone silent does not become a voter', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  // It has all before the change itself is committed, and then falls silent.
  for (const call of peer.takeCalls((call) => call.to === 'd')) peer.answer(call, accepted(call));
  for (let tick = 0; tick < 12; tick++) {
    peer.ticks(1);
    for (const call of peer.takeCalls((call) => isHeartbeat(call) && call.to !== 'd'))
      peer.answer(call, accepted(call));
  }
  const isEntry = (call: Call): boolean => !isHeartbeat(call) && call.to === 'b';
  for (const call of peer.takeCalls(isEntry)) peer.answer(call, accepted(call));
  assert.equal(peer.status.commit, 3);
  assert.equal(members(peer), 'a b c d:staging');
});

test('add: the next leader goes on with a staged peer, and who waits must ask there', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  peer.ask('b', append(3, [3, 2], [], 3, 'b'));
  assert.deepEqual(peer.results, [{ id: nextId, outcome: 'refused', reason: 'not-leader', leader: 'b' }]);
  peer.sync().lead().sync().acceptAll();
  assert.equal(members(peer), 'a b c d');
});

test('add: asked again of the next leader, it is answered', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  peer.ask('b', append(3, [3, 2], [], 3, 'b')).sync();
  peer.results = [];
  peer.elect().give(add('d'));
  assert.deepEqual(outcomes(peer), [], 'also before the term has committed anything');
  peer.sync().acceptAll().sync().acceptAll();
  assert.deepEqual([members(peer), outcomes(peer)], ['a b c d', ['applied']]);
});

test('add: those who wait for a staged peer count as waiting', () => {
  const peer = new SinglePeer({ options: { waitingMax: 2 } }).lead().give(add('d'), add('d'), add('d'));
  assert.deepEqual(outcomes(peer), ['busy']);
});

test('remove: a staged peer is given up', () => {
  const peer = new SinglePeer().lead().give(add('d')).sync();
  acceptBut(peer, 'd');
  peer.give(remove('d'));
  assert.deepEqual([members(peer), outcomes(peer)], ['a b c', ['superseded']]);
});

/** `b` has acknowledged all, and then says that it has nothing. */
function forgetful(voters: readonly string[], isHeard: (id: string) => boolean): SinglePeer {
  const peer = new SinglePeer({ voters }).lead();
  const silent = voters.filter((id) => !isHeard(id));
  for (let tick = 0; tick < 12; tick++) acceptBut(peer.ticks(1), ...silent);
  peer.ticks(1);
  const lost = (call: Call): boolean => call.to === 'b' && call.request.type === 'append' && call.request.prevIndex > 0;
  for (let round = 0; round < 12; round++) {
    for (const call of peer.takeCalls()) {
      if (lost(call)) peer.answer(call, refused(call, 0));
      else if (isHeard(call.to)) peer.answer(call, accepted(call));
      else peer.fail(call);
    }
    if (peer.status.configurationIndex > 1) break;
    peer.ticks(1);
  }
  return peer;
}

test('amnesia: a voter that lost what it had acknowledged is staged until it has it again', () => {
  const peer = forgetful(['a', 'b', 'c'], () => true);
  assert.equal(members(peer), 'a b:staging c');
  peer.sync().acceptAll();
  assert.equal(members(peer), 'a b c');
  peer.sync().acceptAll().ticks(1).acceptAll();
  assert.equal(members(peer), 'a b c', 'once');
});

test('amnesia: it stays a voter while the others would be no quorum, and is brought up to date', () => {
  const peer = forgetful(['a', 'b', 'c'], (id) => id === 'b');
  assert.equal(members(peer), 'a b c');
  acceptBut(peer, 'c');
  assert.deepEqual([peer.raft.matches().get('b'), peer.status.role], [2, 'leader']);
  peer.ticks(1).acceptAll().ticks(1).acceptAll();
  assert.equal(members(peer), 'a b c', 'it has everything by now');
});

test('amnesia: answers to what was sent before do not count for the new log', () => {
  const peer = new SinglePeer({ options: { entriesPerAppendMax: 1 } }).lead();
  peer.give({ type: 'propose', proposals: [1, 2].map((id) => ({ id, data: Uint8Array.of(id) })) });
  const [first, second] = peer.takeCalls((call) => call.to === 'b');
  assert(first !== undefined && second !== undefined);
  peer.answer(second, refused(second, 0));
  assert.equal(peer.raft.matches().get('b'), 2, 'the first may still arrive');
  peer.answer(first, refused(first, 0));
  assert.equal(peer.raft.matches().get('b'), 0);
});
