import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { type Logger, silentLogger } from '../base/index.ts';
import { Loop } from './loop.ts';

test('Loop runs one round at a time, waits between them, and ends', async () => {
  const clock = new FakeClock();
  let release: () => void = () => {};
  let rounds = 0;
  const loop = new Loop('work', 100, { clock, logger: silentLogger }, async () => {
    rounds += 1;
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return 1000;
  });
  loop.wake();
  loop.wake();
  await clock.advance(5000);
  assert.equal(rounds, 1, 'the first has not ended');
  release();
  await settle();
  assert.equal(rounds, 2, 'the second wake was for the round after');
  release();
  await clock.advance(999);
  assert.equal(rounds, 2);
  await clock.advance(1);
  assert.equal(rounds, 3);
  const stopped = loop.stop();
  release();
  await stopped;
  await clock.advance(10_000);
  assert.equal(rounds, 3);
  assert.equal(clock.pendingCount, 0);
});

test('Loop goes on after a failure, and says so once a minute', async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (line) => void lines.push(line) };
  let rounds = 0;
  const loop = new Loop('work', 100, { clock, logger }, async () => {
    rounds += 1;
    return Promise.reject(new TypeError('no'));
  });
  loop.startIn(50);
  await clock.advance(10_000);
  assert.equal(rounds, 100);
  assert.deepEqual(lines, ['work failed, trying again']);
  await loop.stop();
});
