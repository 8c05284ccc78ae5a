import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, SinglePeer } from '../../../test/raft/single-peer.ts';
import type { PreVoteRequest, VoteRequest } from './index.ts';

function vote(term: number, candidate = 'b', last: readonly [number, number] = [9, 9]): VoteRequest {
  return { type: 'vote', term, candidate, lastIndex: last[0], lastTerm: last[1], leadershipTransfer: false };
}

function preVote(term: number, last: readonly [number, number] = [9, 9]): PreVoteRequest {
  return { type: 'preVote', term, lastIndex: last[0], lastTerm: last[1] };
}

test('vote: a "yes" leaves when term and vote are on disk, and survives a restart', () => {
  const peer = new SinglePeer();
  peer.ask('b', vote(2));
  assert.equal(peer.nextReply(), undefined);
  peer.sync();
  assert.deepEqual(peer.nextReply(), { type: 'vote', term: 2, granted: true });
  assert.deepEqual(peer.disk.hard, { term: 2, votedFor: 'b' });
  peer.restart().ask('c', vote(2, 'c'));
  assert.deepEqual(peer.nextReply(), { type: 'vote', term: 2, granted: false });
  peer.ask('b', vote(2));
  assert.deepEqual(peer.nextReply(), { type: 'vote', term: 2, granted: true }, 'the same answer to the same question');
});

test('vote: one vote in a term', () => {
  const peer = new SinglePeer();
  peer.ask('b', vote(2)).ask('c', vote(2, 'c')).sync();
  assert.deepEqual(
    peer.replies.map(({ response }) => response.type === 'vote' && response.granted),
    [true, false],
  );
});

test('vote: only for logs that are as new as the own one, by last term and then index', () => {
  const cases: [readonly [number, number], boolean][] = [
    [[3, 2], true],
    [[9, 2], true],
    [[2, 3], true],
    [[2, 2], false],
    [[9, 1], false],
  ];
  for (const [last, granted] of cases) {
    const peer = new SinglePeer({ terms: [1, 2] });
    peer.ask('b', vote(4, 'b', last)).sync();
    assert.deepEqual(peer.nextReply(), { type: 'vote', term: 4, granted }, `last entry ${last}`);
  }
});

test('vote: as long as a leader is heard the request is not even looked at, unless the leader wants it', () => {
  const peer = new SinglePeer();
  peer.ask('b', append(1, [1, 1], [])).nextReply();
  peer.ask('c', vote(7, 'c'));
  assert.deepEqual(peer.nextReply(), { type: 'vote', term: 1, granted: false });
  peer.ask('c', { ...vote(7, 'c'), leadershipTransfer: true }).sync();
  assert.deepEqual(peer.nextReply(), { type: 'vote', term: 7, granted: true });
});

test('vote: the candidate need not be in the own configuration, which may be older than the present one', () => {
  const peer = new SinglePeer();
  peer.ask('x', preVote(7)).ask('x', vote(7, 'x')).sync();
  assert.deepEqual(
    peer.replies.map(({ response }) => response),
    [
      { type: 'preVote', term: 7, granted: true },
      { type: 'vote', term: 7, granted: true },
    ],
  );
});

test('pre-vote: a "yes" carries the term asked for and changes nothing', () => {
  const peer = new SinglePeer();
  peer.ticks(9).ask('b', preVote(5));
  assert.deepEqual(peer.nextReply(), { type: 'preVote', term: 5, granted: true });
  assert.equal(peer.status.term, 1);
  assert.equal(peer.writing, undefined);
  peer.ticks(1);
  assert.equal(peer.status.role, 'preCandidate', 'the timer went on');
});

test('pre-vote: no, when a leader is heard, the log is older, or the term is', () => {
  const heard = new SinglePeer().ask('c', append(1, [1, 1], [], 0, 'c'));
  heard.nextReply();
  heard.ask('b', preVote(5));
  assert.deepEqual(heard.nextReply(), { type: 'preVote', term: 1, granted: false });
  const peer = new SinglePeer({ terms: [3] });
  for (const request of [preVote(5, [1, 3]), preVote(5, [7, 2]), preVote(2)]) {
    peer.ask('b', request);
    assert.deepEqual(peer.nextReply(), { type: 'preVote', term: 3, granted: false });
  }
});
