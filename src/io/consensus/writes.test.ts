import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { OperatingError, silentLogger } from '../../base/index.ts';
import { createMemoryDatastore, openPinset } from '../../cluster/index.ts';
import { bootstrapOps, type Request, type Response } from '../../core/raft/index.ts';
import { DiskImage } from '../../sim/image.ts';
import { VirtualSnapshots } from '../../sim/world/snapshots.ts';
import { RaftDriver } from './driver.ts';
import { Writes } from './writes.ts';

/** Of a follower that stores all and votes for all, but is never told to stand: that message gets lost. */
async function answerTo(request: Request): Promise<Response> {
  switch (request.type) {
    case 'append': {
      const lastLog = request.prevIndex + request.entries.length;
      return { type: 'append', term: request.term, lastLog, success: true, noRetryBackoff: false };
    }
    case 'vote':
    case 'preVote':
      return { type: request.type, term: request.term, granted: true };
    default:
      return await new Promise<never>(() => {});
  }
}

test('a write at a leader that hands its leadership over is tried again until that is over', async () => {
  const clock = new FakeClock();
  const image = new DiskImage();
  image.perform(bootstrapOps(['a', 'b', 'c']));
  const observer = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };
  const pinset = openPinset(createMemoryDatastore(), { log: silentLogger, observer });
  const driver = new RaftDriver(
    {
      self: 'a',
      clock,
      random: { integer: () => 0 },
      image: image.load(),
      log: { load: async () => image.load(), write: async () => {} },
      state: pinset,
      snapshots: new VirtualSnapshots([], async (act) => act()),
      transport: { call: (_, request) => answerTo(request), handle: () => {}, close: () => {} },
      logger: silentLogger,
      onFailure: (error) => assert.fail(error),
    },
    {
      tickMs: 100,
      engine: { electionTicks: 10, electionSpreadTicks: 10 },
      snapshots: { intervalMs: 120_000, threshold: 8192, trailing: 10_240, networkTimeoutMs: 10_000 },
    },
  );
  const rpc = {
    call: () => Promise.reject(new OperatingError('test/alone', 'nobody else leads')),
    stream: () => assert.fail('nothing is streamed'),
  };
  const writes = new Writes(
    {
      self: 'a',
      waitForLeaderTimeoutMs: 15_000,
      networkTimeoutMs: 10_000,
      commitRetries: 1,
      commitRetryDelayMs: 200,
      newLeaderMs: 2000,
    },
    { driver, pinset, rpc, clock, logger: silentLogger },
  );
  driver.start();
  await clock.advance(1000);
  assert.equal(driver.status.role, 'leader');

  const transfer = driver.transfer();
  const write = writes.log({ type: 'pin', pin: pinOf(cidNumber(1)) });
  await clock.advance(900);
  assert.equal(pinset.has(cidNumber(1)), false, 'meanwhile nobody takes anything');
  await clock.advance(400);
  await write;
  assert.equal(pinset.has(cidNumber(1)), true);
  assert.deepEqual(await transfer, { outcome: 'refused', reason: 'no-successor', leader: 'a' });
  await driver.stop();
});
