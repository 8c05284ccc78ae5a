import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metric } from '../../model/metric.ts';
import { MetricStore } from './store.ts';

const metric = (peer: string, name: string, expire: bigint, valid = true): Metric => ({
  name,
  peer,
  value: '',
  expire,
  valid,
  weight: 0n,
  partitionable: false,
  receivedAt: 0n,
});

test('MetricStore latest gives valid, unexpired metrics in order of peers', () => {
  const store = new MetricStore();
  for (const peer of ['c', 'a', 'b']) store.record(metric(peer, 'ping', 100n), 1n);
  store.record(metric('d', 'ping', 5n), 1n);
  store.record(metric('e', 'ping', 100n, false), 1n);
  assert.deepEqual(
    store.latest('ping', 50n).map((m) => m.peer),
    ['a', 'b', 'c'],
  );
  assert.equal(store.latestOf('ping', 'd')?.expire, 5n);
  assert.equal(store.latestOf('ping', 'a')?.receivedAt, 1n);
  assert.deepEqual(store.names(), ['ping']);
});

test('MetricStore: the thousandth alert is still delivered (R20)', () => {
  const store = new MetricStore({ alertsMax: 10 });
  let delivered = 0;
  for (let round = 0n; round < 1000n; round += 1n) {
    store.record(metric('a', 'ping', round * 10n + 5n), round * 10n);
    assert.equal(store.check(round * 10n + 1n).length, 0);
    delivered += store.check(round * 10n + 6n).length;
    assert.equal(store.check(round * 10n + 7n).length, 0, 'one alert per death');
  }
  assert.equal(delivered, 1000);
  assert.equal(store.alerts().length, 10);
  assert.ok((store.alerts()[0]?.expire ?? 0n) > (store.alerts()[1]?.expire ?? 0n), 'newest first');
});

test('MetricStore check repeats the alert of a peer that stays away', () => {
  const store = new MetricStore({ checksPerAlert: 3 });
  store.record(metric('a', 'ping', 1n), 0n);
  const due = [...Array(7).keys()].map((n) => store.check(BigInt(10 + n)).length);
  assert.deepEqual(due, [1, 0, 0, 1, 0, 0, 1]);
});

test('MetricStore check forgets peers that are no members', () => {
  const store = new MetricStore();
  store.record(metric('a', 'ping', 1n), 0n);
  store.record(metric('gone', 'ping', 1n), 0n);
  assert.deepEqual(
    store.check(2n, new Set(['a'])).map((a) => a.peer),
    ['a'],
  );
  assert.equal(store.latestOf('ping', 'gone'), undefined);
});

test('MetricStore refuses what exceeds its bounds', () => {
  const store = new MetricStore({ peersMax: 2, namesPerPeerMax: 1 });
  assert.equal(store.record(metric('a', 'x', 9n), 0n), true);
  assert.equal(store.record(metric('a', 'y', 9n), 0n), false);
  assert.equal(store.record(metric('b', 'x', 9n), 0n), true);
  assert.equal(store.record(metric('c', 'x', 9n), 0n), false);
  assert.equal(store.record(metric('a', 'x', 10n), 0n), true, 'known names are renewed');
  const long = new MetricStore({ valueLengthMax: 3 });
  assert.equal(long.record({ ...metric('a', 'x', 9n), value: '1234' }, 0n), false);
  assert.equal(long.record({ ...metric('a', 'x', 9n), value: '123' }, 0n), true);
  assert.equal(long.record(metric('a', 'x'.repeat(2000), 9n), 0n), false);
});
