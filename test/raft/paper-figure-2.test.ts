/** One test for each claim of the Raft paper's figures 2 and 13, in their order. Indices are one more: entry 1 is the configuration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, Input, Request, Response } from '../../src/core/raft/index.ts';
import { accepted, append, baseOf, command, isHeartbeat, refused, SinglePeer, snapshot } from './single-peer.ts';

function vote(term: number, [lastIndex, lastTerm]: readonly [number, number], candidate = 'b'): Request {
  return { type: 'vote', term, candidate, lastIndex, lastTerm, leadershipTransfer: false };
}

function propose(...ids: readonly number[]): Input {
  return { type: 'propose', proposals: ids.map((id) => ({ id, data: Uint8Array.of(id) })) };
}

function answers(peer: SinglePeer): string[] {
  return peer.replies.splice(0).map(({ response }) => yesOrNo(response));
}

function yesOrNo(response: Response): string {
  if (response.type === 'timeoutNow') return 'timeoutNow';
  const isYes = response.type === 'append' || response.type === 'snapshot' ? response.success : response.granted;
  return `${isYes ? 'yes' : 'no'} ${response.term}`;
}

function termsOf(peer: SinglePeer): number[] {
  return peer.disk.entries.map(({ term }) => term);
}

function entriesTo(peer: SinglePeer, to: string): Call[] {
  return peer.takeCalls((call) => call.to === to && call.request.type === 'append' && !isHeartbeat(call));
}

// ------------------------------------------------------------------------------------------------ state

test('State: currentTerm, votedFor and log are updated on stable storage before responding to RPCs', () => {
  const voter = new SinglePeer().ask('b', vote(2, [1, 1]));
  assert.deepEqual(answers(voter), []);
  voter.sync();
  assert.deepEqual([answers(voter), voter.disk.hard], [['yes 2'], { term: 2, votedFor: 'b' }]);
  const follower = new SinglePeer().ask('b', append(2, [1, 1], [2]));
  assert.deepEqual(answers(follower), []);
  follower.sync();
  assert.deepEqual([answers(follower), follower.disk.hard.term, termsOf(follower)], [['yes 2'], 2, [1, 2]]);
});

test('State: commitIndex and lastApplied increase monotonically', () => {
  const peer = new SinglePeer().ask('b', append(1, [1, 1], [1, 1], 3)).sync();
  peer
    .ask('b', append(1, [3, 1], [], 1))
    .ask('b', append(1, [1, 1], [1], 2))
    .sync();
  assert.deepEqual([peer.status.commit, peer.status.applied], [3, 3]);
});

test('State: nextIndex starts at the end of the log, matchIndex at 0', () => {
  const peer = new SinglePeer({ terms: [1, 1] }).elect();
  assert.deepEqual(
    [...peer.raft.matches()],
    [
      ['b', 0],
      ['c', 0],
    ],
  );
  const [call] = entriesTo(peer, 'b');
  assert(call?.request.type === 'append');
  assert.deepEqual([call.request.prevIndex, call.request.entries.map(({ type }) => type)], [3, ['noop']]);
});

// ------------------------------------------------------------------------------------------------ AppendEntries

test('AppendEntries 1: reply false if term < currentTerm (5.1)', () => {
  const peer = new SinglePeer({ term: 3 }).ask('b', append(2, [1, 1], [2]));
  assert.deepEqual([answers(peer), peer.status.lastIndex, peer.status.leader], [['no 3'], 1, undefined]);
});

test('AppendEntries 2: reply false if log does not contain an entry at prevLogIndex whose term matches prevLogTerm (5.3)', () => {
  const peer = new SinglePeer({ terms: [1, 1] });
  peer
    .ask('b', append(2, [4, 1], [2]))
    .ask('b', append(2, [3, 2], [2]))
    .sync();
  assert.deepEqual(
    [answers(peer), termsOf(peer)],
    [
      ['no 2', 'no 2'],
      [1, 1, 1],
    ],
  );
});

test('AppendEntries 3: an entry that conflicts with a new one, and all that follow it, are deleted (5.3)', () => {
  const peer = new SinglePeer({ terms: [1, 2, 2, 2] }).ask('b', append(3, [2, 1], [3])).sync();
  assert.deepEqual([answers(peer), termsOf(peer)], [['yes 3'], [1, 1, 3]]);
});

test('AppendEntries 4: append any new entries not already in the log', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1] }).ask('b', append(1, [2, 1], [1, 1, 1])).sync();
  assert.deepEqual(termsOf(peer), [1, 1, 1, 1, 1]);
  peer.ask('b', append(1, [1, 1], [1])).sync();
  assert.deepEqual(termsOf(peer), [1, 1, 1, 1, 1], 'an older message does not take away what follows');
});

test('AppendEntries 5: commitIndex = min(leaderCommit, index of last new entry)', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1] }).ask('b', append(1, [1, 1], [1], 4)).sync();
  assert.equal(peer.status.commit, 2);
  peer.ask('b', append(1, [2, 1], [1, 1], 3)).sync();
  assert.equal(peer.status.commit, 3);
});

// ------------------------------------------------------------------------------------------------ RequestVote

test('RequestVote 1: reply false if term < currentTerm (5.1)', () => {
  const peer = new SinglePeer({ term: 3 }).ask('b', vote(2, [9, 2])).sync();
  assert.deepEqual([answers(peer), peer.disk.hard], [['no 3'], { term: 3, votedFor: undefined }]);
});

test('RequestVote 2: granted if votedFor is null or candidateId, and the log is at least as up-to-date (5.2, 5.4)', () => {
  const peer = new SinglePeer({ terms: [1, 2] });
  peer.ask('b', vote(3, [9, 1])).sync();
  assert.deepEqual(answers(peer), ['no 3'], 'a longer log of an older term is behind');
  peer.ask('b', vote(3, [2, 2])).sync();
  assert.deepEqual(answers(peer), ['no 3'], 'so is a shorter one of the same');
  peer.ask('b', vote(3, [3, 2])).sync();
  peer.ask('b', vote(3, [3, 2])).sync();
  peer.ask('c', vote(3, [9, 2], 'c')).sync();
  assert.deepEqual(answers(peer), ['yes 3', 'yes 3', 'no 3'], 'one vote in a term, given again to the same');
});

// ------------------------------------------------------------------------------------------------ all servers

test('All servers: entries up to commitIndex are applied in order (5.3)', () => {
  const peer = new SinglePeer({ options: { applyMax: 2 } }).ask('b', append(1, [1, 1], [1, 1, 1], 4)).sync();
  assert.deepEqual(
    peer.applied.map(({ index }) => index),
    [1, 2, 3, 4],
  );
});

test('All servers: a newer term in a request or response makes a follower (5.1)', () => {
  const requested = new SinglePeer()
    .lead()
    .ask('b', append(5, [2, 2], [5]))
    .sync();
  assert.deepEqual([requested.status.role, requested.status.term], ['follower', 5]);
  const voted = new SinglePeer().lead();
  voted.ask('b', { ...vote(5, [2, 2]), leadershipTransfer: true } as Request).sync();
  assert.deepEqual([voted.status.role, voted.status.term], ['follower', 5]);
  const answered = new SinglePeer().lead().give(propose(1));
  const [call] = entriesTo(answered, 'b');
  assert(call !== undefined);
  answered.answer(call, { ...refused(call, 0), term: 5 } as Response);
  assert.deepEqual([answered.status.role, answered.status.term], ['follower', 5]);
});

// ------------------------------------------------------------------------------------------------ followers

test('Followers: respond to RPCs from candidates and leaders (5.2)', () => {
  const peer = new SinglePeer()
    .ask('b', vote(2, [1, 1]))
    .sync()
    .ask('b', append(2, [1, 1], []))
    .sync();
  assert.deepEqual(answers(peer), ['yes 2', 'yes 2']);
});

test('Followers: an election timeout without AppendEntries of the current leader or a vote granted begins an election (5.2)', () => {
  const quiet = new SinglePeer().ticks(9);
  assert.equal(quiet.status.role, 'follower');
  assert.equal(quiet.ticks(1).status.role, 'preCandidate');
  const led = new SinglePeer()
    .ticks(9)
    .ask('b', append(1, [0, 0], []))
    .ticks(9);
  assert.equal(led.status.role, 'follower');
  const hasVoted = new SinglePeer()
    .ticks(9)
    .ask('b', vote(2, [1, 1]))
    .ticks(9);
  assert.equal(hasVoted.status.role, 'follower');
  const hasRefused = new SinglePeer({ terms: [1] })
    .ticks(9)
    .ask('b', vote(2, [1, 1]))
    .sync()
    .ticks(1);
  assert.equal(hasRefused.status.role, 'preCandidate', 'a vote that is not granted puts nothing off');
  const outdated = new SinglePeer({ term: 2 })
    .ticks(9)
    .ask('b', append(1, [1, 1], []))
    .ticks(1);
  assert.equal(outdated.status.role, 'preCandidate', 'nor does a leader of an older term');
});

// ------------------------------------------------------------------------------------------------ candidates

/** A candidate of term 2 whose own vote is on disk, and its requests. */
function candidate(): { readonly peer: SinglePeer; readonly requests: readonly Call[] } {
  const peer = new SinglePeer().ticks(10);
  const [preVote] = peer.takeCalls();
  peer.answer(preVote, { type: 'preVote', term: 2, granted: true }).sync();
  return { peer, requests: peer.takeCalls(({ request }) => request.type === 'vote') };
}

test('Candidates: increment currentTerm, vote for self, send RequestVote to all other servers (5.2)', () => {
  const { peer, requests } = candidate();
  assert.deepEqual(peer.disk.hard, { term: 2, votedFor: 'a' });
  assert.deepEqual(
    requests.map(({ to, request }) => [to, request]),
    ['b', 'c'].map((to) => [to, vote(2, [1, 1], 'a')]),
  );
});

test('Candidates: votes of a majority make a leader (5.2)', () => {
  const { peer, requests } = candidate();
  peer.answer(requests[0], { type: 'vote', term: 2, granted: false });
  assert.equal(peer.status.role, 'candidate');
  peer.answer(requests[1], { type: 'vote', term: 2, granted: true });
  assert.equal(peer.status.role, 'leader');
});

test('Candidates: AppendEntries of a new leader makes a follower (5.2)', () => {
  const { peer } = candidate();
  peer.ask('c', append(1, [1, 1], [], 0, 'c'));
  assert.equal(peer.status.role, 'candidate', 'one of an older term does not');
  peer.ask('c', append(2, [1, 1], [], 0, 'c'));
  assert.deepEqual([peer.status.role, peer.status.leader], ['follower', 'c']);
});

test('Candidates: an election timeout begins a new election (5.2)', () => {
  const { peer } = candidate();
  peer.ticks(10);
  const calls = peer.takeCalls();
  assert.deepEqual(
    calls.map(({ request }) => request.type),
    ['preVote', 'preVote'],
  );
  peer.answer(calls[0], { type: 'preVote', term: 3, granted: true }).sync();
  assert.deepEqual([peer.status.role, peer.status.term], ['candidate', 3]);
});

// ------------------------------------------------------------------------------------------------ leaders

test('Leaders: upon election AppendEntries go to each server, and again in idle periods (5.2)', () => {
  const peer = new SinglePeer().elect();
  assert.deepEqual(
    peer.calls.map(({ to, request }) => [to, request.type]),
    [
      ['b', 'append'],
      ['c', 'append'],
    ],
  );
  peer.sync().acceptAll().ticks(1);
  assert.deepEqual(
    peer.calls.map(({ to, request }) => [to, request.type]),
    [
      ['b', 'append'],
      ['c', 'append'],
    ],
  );
});

test('Leaders: a command is appended to the local log, and answered after it is applied (5.3)', () => {
  const peer = new SinglePeer().lead().give(propose(1));
  assert.deepEqual([peer.status.lastIndex, peer.results], [3, []]);
  peer.sync().acceptAll();
  assert.deepEqual([peer.status.applied, peer.results], [3, [{ id: 1, outcome: 'applied', index: 3, term: 2 }]]);
});

test('Leaders: if last log index >= nextIndex, entries from nextIndex on are sent (5.3)', () => {
  const peer = new SinglePeer().lead().give(propose(1, 2));
  const [call] = entriesTo(peer, 'b');
  assert(call?.request.type === 'append');
  assert.deepEqual([call.request.prevIndex, call.request.entries.map(({ index }) => index)], [2, [3, 4]]);
});

test('Leaders: success updates nextIndex and matchIndex (5.3)', () => {
  const peer = new SinglePeer().lead().give(propose(1));
  const [call] = entriesTo(peer, 'b');
  assert(call !== undefined);
  peer.answer(call, accepted(call)).give(propose(2));
  const [next] = entriesTo(peer, 'b').slice(-1);
  assert(next?.request.type === 'append');
  assert.deepEqual([peer.raft.matches().get('b'), next.request.prevIndex], [3, 3]);
});

test('Leaders: an inconsistency decrements nextIndex, and it is tried again (5.3)', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1] }).elect();
  const [call] = entriesTo(peer, 'b');
  assert(call !== undefined);
  peer.answer(call, refused(call, 3));
  const [retry] = entriesTo(peer, 'b');
  assert(retry?.request.type === 'append');
  assert.equal(retry.request.prevIndex, 3);
  peer.answer(retry, refused(retry, 3));
  const [again] = entriesTo(peer, 'b');
  assert(again?.request.type === 'append');
  assert.equal(again.request.prevIndex, 2, 'by one at least, whatever the hint');
});

test('Leaders: N > commitIndex on a majority, with log[N].term == currentTerm, is committed (5.3, 5.4)', () => {
  const peer = new SinglePeer({ voters: ['a', 'b', 'c', 'd', 'e'], terms: [1] }).elect().sync();
  const first = ['b', 'c'].map((to) => entriesTo(peer, to)[0]);
  const [toB, toC] = first;
  assert(toB !== undefined && toC !== undefined);
  peer.answer(toB, refused(toB, 1));
  const [probe] = entriesTo(peer, 'b');
  assert(probe !== undefined);
  peer.answer(probe, accepted(probe));
  assert.equal(peer.status.commit, 0);
  peer.answer(toC, accepted(toC));
  assert.equal(peer.status.commit, 0, 'two of five');
  for (const call of entriesTo(peer, 'b')) peer.answer(call, accepted(call));
  assert.equal(peer.status.commit, 3, 'and with it what was before (5.4.2)');
});

test('Leaders: entries of earlier terms are not committed by counting replicas (5.4.2, figure 8)', () => {
  const peer = new SinglePeer({ terms: [1], options: { entriesPerAppendMax: 1 } }).elect().sync();
  const [call] = entriesTo(peer, 'b');
  assert(call !== undefined);
  peer.answer(call, refused(call, 1));
  const [probe] = entriesTo(peer, 'b');
  assert(probe !== undefined);
  peer.answer(probe, accepted(probe));
  const [old, own] = entriesTo(peer, 'b');
  assert(old !== undefined && own !== undefined);
  peer.answer(old, accepted(old));
  assert.deepEqual([peer.raft.matches().get('b'), peer.status.commit], [2, 0]);
  peer.answer(own, accepted(own));
  assert.equal(peer.status.commit, 3);
});

test('Leaders: never overwrite or delete entries of their own log (5.3, Leader Append-Only)', () => {
  const peer = new SinglePeer({ terms: [1, 1] }).lead();
  peer
    .ask('b', append(2, [1, 1], [2, 2]))
    .ask('b', append(1, [1, 1], [1]))
    .sync();
  assert.deepEqual([peer.status.role, termsOf(peer)], ['leader', [1, 1, 1, 2]]);
});

// ------------------------------------------------------------------------------------------------ InstallSnapshot (figure 13)

test('InstallSnapshot 1: reply immediately if term < currentTerm', () => {
  const peer = new SinglePeer({ term: 3 }).ask('b', snapshot(2, baseOf(9, 2)));
  assert.deepEqual([answers(peer), peer.receive], [['no 3'], undefined]);
});

test('InstallSnapshot 2-5: the bytes are written to a file; an existing one of another transfer is discarded', () => {
  const peer = new SinglePeer().ask('b', snapshot(1, baseOf(9, 1)));
  assert.equal(peer.receive?.base.index, 9);
  peer.ask('b', snapshot(1, baseOf(12, 1)));
  assert.deepEqual([peer.receive?.base.index, answers(peer)], [12, ['no 1']]);
});

test('InstallSnapshot 6: if an existing entry has the same index and term, what follows it is retained', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1] })
    .ask('b', snapshot(1, baseOf(3, 1)))
    .received()
    .restored()
    .sync();
  assert.deepEqual([peer.disk.base.index, peer.disk.entries], [3, [command(4, 1)]]);
});

test('InstallSnapshot 7: otherwise the entire log is discarded', () => {
  const peer = new SinglePeer({ terms: [1, 1, 1] })
    .ask('b', snapshot(2, baseOf(3, 2)))
    .received()
    .restored()
    .sync();
  assert.deepEqual([peer.disk.base.index, peer.disk.entries], [3, []]);
});

test('InstallSnapshot 8: the state is reset to the snapshot, and its configuration is used', () => {
  const peer = new SinglePeer().ask('b', snapshot(2, baseOf(9, 2, ['b', 'c', 'd']))).received();
  assert.equal(peer.restore?.index, 9);
  peer.restored().sync();
  assert.deepEqual(
    peer.status.configuration.servers.map(({ id }) => id),
    ['b', 'c', 'd'],
  );
});

test('7: a leader sends a snapshot when it has discarded the next entry that it needs to send', () => {
  const peer = new SinglePeer({ voters: ['a', 'b'] }).lead();
  peer
    .give(propose(1, 2, 3))
    .sync()
    .acceptAll()
    .compact();
  peer
    .ask('b', append(3, [5, 2], [], 5))
    .sync()
    .elect();
  const [call] = entriesTo(peer, 'b');
  assert(call !== undefined);
  peer.answer(call, refused(call, 2));
  const [next] = peer.takeCalls(({ to }) => to === 'b');
  assert(next?.request.type === 'snapshot');
  assert.equal(next.request.base.index, 5);
});
