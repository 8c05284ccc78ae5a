import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrackerStatus } from '../../model/index.ts';
import { detailsOf, stateOf } from './state.ts';

const cases: readonly (readonly [min: number, statuses: readonly TrackerStatus[], expected: string | undefined])[] = [
  [2, ['pinned', 'pinned', 'pin_error'], 'pinned'],
  [2, ['pinned', 'pinning', 'pin_error'], 'pinning'],
  [2, ['pinned', 'cluster_error', 'pin_error'], 'pinning'],
  [2, ['pinned', 'pin_error', 'pin_error'], 'failed'],
  [2, ['pin_queued', 'pin_error', 'pin_queued'], 'queued'],
  [2, ['pinning', 'pin_queued'], 'pinning'],
  [1, ['pin_error', 'pinned'], 'pinned'],
  [1, ['pin_error', 'remote', 'remote'], 'failed'],
  [1, ['cluster_error', 'remote'], 'queued'],
  [1, ['unexpectedly_unpinned', 'remote'], 'queued'],
  [-1, ['pinned', 'pinned'], 'pinned'],
  [-1, ['pinned', 'pin_error'], 'failed'],
  [-1, ['pinned', 'cluster_error'], 'pinning'],
  [-1, ['pinned', 'remote'], 'pinned'],
  [2, ['remote', 'unpinned'], undefined],
  [2, [], undefined],
];

test('stateOf counts replicas against the smaller replication factor', () => {
  for (const [min, statuses, expected] of cases) {
    assert.equal(stateOf(min, statuses), expected, `${min}: ${statuses.join(', ')}`);
  }
});

test('detailsOf tells how many hold the pin, and why others do not', () => {
  const replicas = [
    { peer: 'one', status: 'pinned', error: '' },
    { peer: 'two', status: 'pin_error', error: 'no route' },
    { peer: 'three', status: 'remote', error: '' },
  ] as const;
  assert.equal(detailsOf(1, replicas), 'pinned on 1 of 2 peers, needed on 1; two: pin_error: no route');
});
