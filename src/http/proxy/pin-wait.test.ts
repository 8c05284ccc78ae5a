import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PinInfoShort, TrackerStatus } from '../../model/index.ts';
import { pinHold } from './pin-wait.ts';

function short(status: TrackerStatus): PinInfoShort {
  const error = status.endsWith('_error') ? 'why' : '';
  return {
    peername: '',
    ipfsPeerId: '',
    ipfsAddresses: null,
    status,
    timestamp: null,
    error,
    attemptCount: 0,
    priorityPin: false,
  };
}

const cases: readonly [replicasMin: number, statuses: readonly TrackerStatus[], expected: string][] = [
  [-1, ['pinned', 'pinned'], 'held 2'],
  [-1, ['pinned', 'pinning'], 'waiting 1'],
  // Who is away is not waited for where all shall have it.
  [-1, ['pinned', 'cluster_error'], 'held 1'],
  [-1, ['pinned', 'pin_error'], 'failed 1'],
  [-1, ['cluster_error', 'cluster_error'], 'failed 0'],
  [2, ['pinned', 'cluster_error', 'remote'], 'failed 1'],
  [2, ['pinned', 'pinned', 'pin_error'], 'held 2'],
  [2, ['pinned', 'pin_queued', 'pin_error'], 'waiting 1'],
  [1, ['remote', 'pinned'], 'held 1'],
  [1, ['remote', 'unpinned'], 'waiting 0'],
  // The peer has not heard of the pin yet.
  [1, ['remote', 'remote'], 'waiting 0'],
  [-1, [], 'waiting 0'],
];

test('pinHold tells whether enough peers hold a pin, may yet, or cannot', () => {
  for (const [replicasMin, statuses, expected] of cases) {
    const peerMap = Object.fromEntries(statuses.map((status, i) => [String(i), short(status)]));
    const { state, holders, error } = pinHold({ peerMap }, replicasMin);
    assert.equal(`${state} ${holders}`, expected, `${replicasMin} ${statuses}`);
    assert.equal(error.includes('why'), state === 'failed');
  }
});
