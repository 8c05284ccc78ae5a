import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { pause } from './pause.ts';

test('pause: passes with time, or ends with its signal, and leaves neither timer nor listener', async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  let ended = '';
  void pause(clock, 100, signal).then(() => {
    ended += 'time';
  });
  await clock.advance(99);
  assert.equal(ended, '');
  await clock.advance(1);
  assert.equal(ended, 'time');
  assert.equal(getEventListeners(signal, 'abort').length, 0);

  const stopping = new AbortController();
  const early = pause(clock, 100, stopping.signal);
  stopping.abort();
  await early;
  assert.equal(clock.pendingCount, 0);
  await pause(clock, 100, stopping.signal);
  assert.equal(clock.pendingCount, 0);
});
