import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Traffic } from './traffic.ts';

test('Traffic: totals are sums, and a rate nears what flows in a second, and ends in 0', () => {
  const traffic = new Traffic(0);
  assert.deepEqual(traffic.snapshot(), { '': { totalIn: 0, totalOut: 0, rateIn: 0, rateOut: 0 } });
  const one = traffic.of('/one');
  assert.equal(traffic.of('/one'), one);
  let nowMs = 0;
  const second = (bytes: number): void => {
    one.totalIn += bytes;
    nowMs += 1000;
    traffic.sweep(nowMs);
  };
  second(1000);
  assert.equal(one.rateIn, 1000);
  second(2000);
  assert.ok(Math.abs(one.rateIn - (1000 + (1 - Math.exp(-1)) * 1000)) < 1e-9);
  for (let i = 0; i < 20; i++) second(500);
  assert.ok(Math.abs(one.rateIn - 500) < 0.01);
  for (let i = 0; i < 60; i++) second(0);
  assert.deepEqual(traffic.snapshot()['/one'], { totalIn: 13_000, totalOut: 0, rateIn: 0, rateOut: 0 });
});

test('Traffic: a late sweep knows how much time has passed, and one that comes too soon waits for the next', () => {
  const traffic = new Traffic(0);
  const one = traffic.of('/one');
  one.totalOut = 3000;
  traffic.sweep(3000);
  assert.equal(one.rateOut, 1000);
  one.totalOut += 50;
  traffic.sweep(3050);
  assert.equal(one.rateOut, 1000);
  traffic.sweep(4000);
  assert.ok(one.rateOut < 1000 && one.rateOut > 300);
});
