import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../test/support/fake-clock.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { type Cancel, type Clock, OperatingError, silentLogger } from '../../base/index.ts';
import { createMemoryDatastore, openPinset } from '../../cluster/index.ts';
import { bootstrapOps, type LogOp, type Request, type Response } from '../../core/raft/index.ts';
import { raftCommandCodec } from '../../model/index.ts';
import { DiskImage } from '../../sim/image.ts';
import { VirtualSnapshots } from '../../sim/world/snapshots.ts';
import { RaftDriver } from './driver.ts';

/** Time and timers that a test moves one by one. */
class ManualClock implements Clock {
  #nowMs = 0;
  readonly timers: { readonly atMs: number; readonly act: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  wallNanos(): bigint {
    return 0n;
  }

  after(delayMs: number, act: () => void): Cancel {
    const timer = { atMs: this.#nowMs + delayMs, act };
    this.timers.push(timer);
    return () => {
      const at = this.timers.indexOf(timer);
      if (at >= 0) this.timers.splice(at, 1);
    };
  }

  /** The next timer fires so much later than it should. */
  async fire(lateMs = 0): Promise<void> {
    this.timers.sort((a, b) => a.atMs - b.atMs);
    const timer = this.timers.shift();
    if (timer === undefined) throw new RangeError('no timer is set');
    this.#nowMs = Math.max(this.#nowMs, timer.atMs) + lateMs;
    timer.act();
    await settle();
  }
}

function makeDriver(voters: readonly string[]) {
  const clock = new ManualClock();
  const image = new DiskImage();
  image.perform(bootstrapOps(voters));
  const writes: (readonly LogOp[])[] = [];
  const held: (() => void)[] = [];
  const failures: Error[] = [];
  const sent: Request[] = [];
  const driver = new RaftDriver(
    {
      self: 'a',
      clock,
      random: { integer: () => 0 },
      image: image.load(),
      log: {
        load: async () => image.load(),
        write: (ops) => {
          writes.push(ops);
          return new Promise((resolve) => held.push(resolve));
        },
      },
      state: openPinset(createMemoryDatastore(), {
        log: silentLogger,
        observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} },
      }),
      snapshots: new VirtualSnapshots([], async (act) => act()),
      transport: {
        call: (_, request) => {
          sent.push(request);
          return new Promise<Response>(() => {});
        },
        handle: () => {},
        close: () => {},
      },
      logger: silentLogger,
      onFailure: (cause) => failures.push(cause),
    },
    {
      tickMs: 100,
      engine: { electionTicks: 10, electionSpreadTicks: 10 },
      snapshots: { intervalMs: 120_000, threshold: 8192, trailing: 10_240, networkTimeoutMs: 10_000 },
    },
  );
  /** The write under way becomes durable. */
  const sync = async (): Promise<void> => {
    held.shift()?.();
    await settle();
  };
  return { clock, driver, writes, held, failures, sent, sync };
}

const heartbeat: Request = {
  type: 'append',
  term: 1,
  leader: 'b',
  prevIndex: 0,
  prevTerm: 0,
  entries: [],
  commit: 0,
};

test('RaftDriver stands for election one random part of the timeout after its start', async () => {
  const { clock, driver } = makeDriver(['a', 'b', 'c']);
  driver.start();
  await clock.fire();
  assert.equal(driver.status.role, 'preCandidate');
  await driver.stop();
});

test('RaftDriver hears what came while it was held up before it judges a late timer', async () => {
  const { clock, driver } = makeDriver(['a', 'b', 'c']);
  driver.start();
  await clock.fire(5000);
  assert.equal(driver.status.role, 'follower');
  const response = await driver.handle('b', heartbeat);
  assert.equal(response.type === 'append' && response.success, true);
  await clock.fire();
  assert.equal(driver.status.role, 'follower');
  assert.equal(driver.status.leader, 'b');
  await driver.stop();
  assert.equal(clock.timers.length, 0);
});

test('RaftDriver lets the log go of large commands by their bytes, not only by their number', async () => {
  const { driver, writes, held, sync } = makeDriver(['a']);
  driver.start();
  await settle();
  while (held.length > 0) await sync();
  const data = raftCommandCodec.encode({ type: 'pin', pin: pinOf(cidNumber(0), { name: 'x'.repeat(1 << 20) }) });
  for (let n = 0; n < 170; n++) {
    const answer = driver.propose(data);
    await settle();
    while (held.length > 0) await sync();
    assert.equal((await answer).outcome, 'applied');
  }
  const compacted = writes.flat().filter(({ type }) => type === 'compact');
  assert.ok(compacted.length > 0);
  const { lastIndex, baseIndex } = driver.status;
  assert.ok(lastIndex - baseIndex < 165, `${lastIndex - baseIndex} MiB are in memory`);
  await driver.stop();
});

test('RaftDriver writes everything that came during a sync with the next one', async () => {
  const { driver, writes, held, sync } = makeDriver(['a']);
  driver.start();
  await settle();
  await sync();
  await sync();
  while (held.length > 0) await sync();
  assert.equal(driver.status.isEstablished, true);
  const before = writes.length;
  const data = (n: number): Uint8Array => raftCommandCodec.encode({ type: 'pin', pin: pinOf(cidNumber(n)) });
  const answers = [driver.propose(data(0))];
  await settle();
  assert.equal(writes.length, before + 1);
  for (let n = 1; n <= 50; n++) {
    answers.push(driver.propose(data(n)));
    if (n % 10 === 0) await settle();
  }
  assert.equal(writes.length, before + 1, 'one write at a time');
  await sync();
  assert.equal(writes.length, before + 2);
  const [put] = writes.at(-1) ?? [];
  assert.equal(put?.type === 'put' ? put.entries.length : 0, 50);
  await sync();
  const outcomes = await Promise.all(answers);
  assert.ok(outcomes.every(({ outcome }) => outcome === 'applied'));
  assert.equal(driver.applied, 53);
  await driver.stop();
});

test('RaftDriver takes a fenced proposal only in the term of the fence', async () => {
  const { driver, held, sync } = makeDriver(['a']);
  driver.start();
  await settle();
  while (held.length > 0) await sync();
  const data = raftCommandCodec.encode({ type: 'pin', pin: pinOf(cidNumber(1)) });
  const { term } = driver.status;
  for (const fence of [term - 1, term + 1]) {
    assert.deepEqual(await driver.propose(data, fence), { outcome: 'refused', reason: 'not-leader', leader: 'a' });
  }
  const taken = driver.propose(data, term);
  await settle();
  await sync();
  assert.equal((await taken).outcome, 'applied');
  await driver.stop();
});

test('RaftDriver holds a bounded number of messages that wait for its disk', async () => {
  const { driver, sync } = makeDriver(['a', 'b', 'c']);
  driver.start();
  // A new term is answered for when it is on disk.
  const held = Array.from({ length: 1024 }, () => driver.handle('b', { ...heartbeat, term: 2 }));
  await settle();
  await assert.rejects(driver.handle('b', { ...heartbeat, term: 2 }), { code: 'consensus/overwhelmed' });
  await sync();
  const responses = await Promise.all(held);
  assert.ok(responses.every((response) => response.type === 'append' && response.success));
  assert.equal((await driver.handle('b', { ...heartbeat, term: 2 })).type, 'append');
  await driver.stop();
});

test('RaftDriver that is stopped rejects those who wait, outcome unknown, and answers nobody', async () => {
  const { driver, held, sync } = makeDriver(['a']);
  driver.start();
  await settle();
  while (held.length > 0) await sync();
  const waiting = driver.propose(raftCommandCodec.encode({ type: 'pin', pin: pinOf(cidNumber(1)) }));
  await settle();
  const stopping = driver.stop();
  await assert.rejects(waiting, { code: 'consensus/stopped', outcome: 'unknown' });
  await assert.rejects(driver.handle('b', heartbeat), { code: 'consensus/stopped' });
  await assert.rejects(driver.read(), (error) => error instanceof OperatingError && error.code === 'consensus/stopped');
  while (held.length > 0) await sync();
  await stopping;
});
