import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration, Entry } from '../../core/raft/index.ts';
import { isMember, membersOf, membersOfImage, previousLogOf } from './membership.ts';

const configurationOf = (...ids: readonly string[]): Configuration => ({
  servers: ids.map((id) => ({ id, suffrage: 'voter' })),
});
const changeAt = (index: number, ...ids: readonly string[]): Entry => ({
  index,
  term: 1,
  type: 'configuration',
  configuration: configurationOf(...ids),
});

test('membersOf: a removal counts when it is committed, an addition at once', () => {
  const three = configurationOf('c', 'a', 'b');
  const two = configurationOf('a', 'b');
  const status = { configuration: two, configurationIndex: 7, configurationBefore: three };
  assert.deepEqual(membersOf({ ...status, commit: 6 }), ['a', 'b', 'c']);
  assert.deepEqual(membersOf({ ...status, commit: 7 }), ['a', 'b']);
  const added = { configuration: three, configurationIndex: 7, configurationBefore: two };
  assert.deepEqual(membersOf({ ...added, commit: 6 }), ['a', 'b', 'c']);
  assert.equal(isMember(two, 'c'), false);
  assert.equal(isMember(three, 'c'), true);
});

test('membersOfImage: the same of a log on disk', () => {
  const image = {
    hard: { term: 1, votedFor: undefined },
    base: { index: 3, term: 1, configuration: configurationOf('a', 'b', 'c'), configurationIndex: 1 },
    entries: [{ index: 4, term: 1, type: 'noop' as const }, changeAt(5, 'a', 'b')],
  };
  assert.deepEqual(membersOfImage(image, 4), ['a', 'b', 'c']);
  assert.deepEqual(membersOfImage(image, 5), ['a', 'b']);
  assert.deepEqual(membersOfImage({ ...image, entries: [] }, 3), ['a', 'b', 'c']);
  // The next change is made when the one before is committed.
  const later = { ...image, entries: [...image.entries, changeAt(6, 'a')] };
  assert.deepEqual(membersOfImage(later, 4), ['a', 'b']);
  const empty = { ...image, base: { ...image.base, index: 0, configuration: { servers: [] }, configurationIndex: 0 } };
  assert.deepEqual(membersOfImage({ ...empty, entries: [] }, 0), []);
});

test('previousLogOf: the later end of a log and of the one before it, and all that they name', () => {
  const image = {
    hard: { term: 4, votedFor: undefined },
    base: { index: 3, term: 1, configuration: configurationOf('a', 'b'), configurationIndex: 1 },
    entries: [{ index: 4, term: 4, type: 'noop' as const }, changeAt(5, 'a', 'c')],
  };
  const { term } = changeAt(5);
  assert.deepEqual(previousLogOf(image, undefined), { index: 5, term, members: ['a', 'b', 'c'] });
  const later = { index: 2, term: term + 1, members: ['d'] };
  assert.deepEqual(previousLogOf(image, later), { index: 2, term: term + 1, members: ['a', 'b', 'c', 'd'] });
  const earlier = { index: 4, term, members: [] };
  assert.deepEqual(previousLogOf({ ...image, entries: [] }, earlier), { index: 4, term, members: ['a', 'b'] });
  assert.deepEqual(previousLogOf({ ...image, entries: [] }, undefined), { index: 3, term: 1, members: ['a', 'b'] });
});
