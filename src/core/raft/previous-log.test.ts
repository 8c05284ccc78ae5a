/** A peer that has put its log away, and begins anew: what it had acknowledged still counts in elections. See `docs/adr/0012`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { append, baseOf, command, configurationEntry, SinglePeer, snapshot } from '../../../test/raft/single-peer.ts';
import { type AppendRequest, type Entry, joinOps, type PreVoteRequest, type VoteRequest } from './index.ts';

const previousLog = { index: 8, term: 5 };

/** It waits to be added, in term 5. */
function beginner(options: ConstructorParameters<typeof SinglePeer>[0] = {}): SinglePeer {
  return new SinglePeer({ voters: [], term: 5, previousLog, ...options });
}

function sent(
  term: number,
  prev: readonly [number, number],
  entries: readonly Entry[],
  commit: number = 0,
): AppendRequest {
  return { ...append(term, prev, [], commit), entries };
}

function preVote(term: number, [lastIndex, lastTerm]: readonly [number, number]): PreVoteRequest {
  return { type: 'preVote', term, lastIndex, lastTerm };
}

function vote(term: number, [lastIndex, lastTerm]: readonly [number, number]): VoteRequest {
  return { type: 'vote', term, candidate: 'b', lastIndex, lastTerm, leadershipTransfer: false };
}

test('joinOps: term and vote of a log that is put away are kept, and there is always a term', () => {
  assert.deepEqual(joinOps(), [{ type: 'hard', state: { term: 1, votedFor: undefined } }]);
  assert.deepEqual(joinOps({ term: 0, votedFor: undefined }), joinOps());
  assert.deepEqual(joinOps({ term: 7, votedFor: 'b' }), [{ type: 'hard', state: { term: 7, votedFor: 'b' } }]);
});

test('previous log: votes and pre-votes are for candidates whose log is no older than the one that was put away', () => {
  const cases: [readonly [number, number], boolean][] = [
    [[8, 5], true],
    [[1, 6], true],
    [[7, 5], false],
    [[99, 4], false],
  ];
  for (const [last, granted] of cases) {
    const peer = beginner();
    peer.ask('b', preVote(6, last)).ask('b', vote(6, last)).sync();
    assert.deepEqual(
      peer.replies.map(({ response }) => 'granted' in response && response.granted),
      [granted, granted],
      `last entry ${last}`,
    );
    assert.equal(peer.restart().ask('b', preVote(7, last)).nextReply()?.type, 'preVote');
  }
});

test('previous log: until the present one has got as far, the peer does not stand, whatever an old configuration says', () => {
  const peer = beginner();
  peer.ask('b', sent(5, [0, 0], [configurationEntry(1, 1, ['a', 'b'])], 8)).sync();
  peer.ticks(30);
  assert.equal(peer.status.role, 'follower');
  peer.ask('b', { type: 'timeoutNow' }).sync();
  assert.equal(peer.status.role, 'follower', 'not when it is asked to either');

  const entries = [2, 3, 4, 5, 6, 7, 8].map((index) => command(index, 5));
  peer.ask('b', sent(5, [1, 1], entries, 8)).sync();
  peer.ticks(10);
  assert.equal(peer.status.role, 'preCandidate');
});

test('previous log: one entry of a later term is behind it, so that in another cluster it does not matter for long', () => {
  const peer = beginner();
  peer.ask('b', sent(6, [0, 0], [configurationEntry(1, 1, ['a', 'b']), command(2, 6)], 2)).sync();
  peer.replies = [];
  peer.ticks(10).ask('c', preVote(8, [2, 6]));
  assert.deepEqual(peer.nextReply(), { type: 'preVote', term: 8, granted: true });
});

test('previous log: a snapshot counts as the log it stands for', () => {
  const peer = beginner();
  peer
    .ask('b', snapshot(6, baseOf(9, 5)))
    .received()
    .sync()
    .restored()
    .sync();
  peer.replies = [];
  peer.ticks(10).ask('c', preVote(8, [8, 5]));
  assert.deepEqual(peer.nextReply(), { type: 'preVote', term: 6, granted: false }, 'the own one is newer by now');
  peer.ask('c', preVote(8, [9, 5]));
  assert.deepEqual(peer.nextReply(), { type: 'preVote', term: 8, granted: true });
});

test('previous log: another cluster in the very term it ended in is asked for a new one, when all that is committed is here', () => {
  const peer = beginner();
  peer.ask('b', sent(5, [0, 0], [configurationEntry(1, 1, ['b'])], 3)).sync();
  assert.deepEqual(peer.nextReply(), { type: 'append', term: 5, lastLog: 0, success: true, noRetryBackoff: false });
  assert.equal(peer.status.term, 5, 'it is on its way to what is committed');
  peer.ask('b', sent(5, [1, 1], [command(2, 5), command(3, 5)], 3)).sync();
  assert.deepEqual(peer.nextReply(), { type: 'append', term: 6, lastLog: 3, success: false, noRetryBackoff: true });
  assert.deepEqual(peer.disk.hard, { term: 6, votedFor: undefined });
  // With the first entry of the next term all is well.
  peer.ask('b', sent(7, [3, 5], [command(4, 7)], 4)).sync();
  assert.equal(peer.nextReply()?.type, 'append');
  assert.equal(peer.status.term, 7);
});

test('previous log: a leader of an earlier term, which the peer had left for another one, commits nothing with its help', () => {
  const peer = beginner();
  peer.ask('b', sent(4, [0, 0], [configurationEntry(1, 1, ['a', 'b', 'c'])]));
  assert.deepEqual(peer.nextReply(), { type: 'append', term: 5, lastLog: 0, success: false, noRetryBackoff: true });
});
