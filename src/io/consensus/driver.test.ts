import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../test/support/fake-clock.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { type Cancel, type Clock, OperatingError, silentLogger } from '../../base/index.ts';
import { createMemoryDatastore, openPinset } from '../../cluster/index.ts';
import { bootstrapOps, type LogOp, type Request, type Response } from '../../core/raft/index.ts';
import { type Pin, raftCommandCodec } from '../../model/index.ts';
import { DiskImage } from '../../sim/image.ts';
import { VirtualSnapshots } from '../../sim/world/snapshots.ts';
import { type Answer, RaftDriver } from './driver.ts';

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
    assert.deepEqual(await driver.propose(data, { fence }), { outcome: 'refused', reason: 'not-leader', leader: 'a' });
  }
  const taken = driver.propose(data, { fence: term });
  await settle();
  await sync();
  assert.equal((await taken).outcome, 'applied');
  await driver.stop();
});

/** A leader that is alone, and what puts a pin into its log. */
async function makeLeader() {
  const made = makeDriver(['a']);
  const { driver, held, sync } = made;
  driver.start();
  await settle();
  while (held.length > 0) await sync();
  const put = (pin: Pin, onlyIf?: Pin): Promise<Answer> =>
    driver.propose(raftCommandCodec.encode({ type: 'pin', pin }), onlyIf && { onlyIf });
  const syncAll = async (): Promise<void> => {
    await settle();
    while (held.length > 0) await sync();
  };
  return { ...made, put, syncAll };
}

const changed = { outcome: 'refused', reason: 'changed', leader: 'a' };

test('RaftDriver holds a conditional proposal against what is in the log and not applied yet', async () => {
  const { driver, put, syncAll } = await makeLeader();
  const cid = cidNumber(1);
  const [first, second, third] = ['first', 'second', 'third'].map((name) => pinOf(cid, { name }));
  assert(first !== undefined && second !== undefined && third !== undefined);
  // All in one turn: nothing of it is on disk, or even in the log, when the last is asked for.
  const answers = [put(first), put(second, first), put(third, first), put(third, second)];
  await settle();
  const [, , refused] = answers;
  const early = await Promise.race([refused, settle().then(() => 'not yet')]);
  assert.equal(early, 'not yet', 'what stands in the way may be lost yet');
  await syncAll();
  assert.deepEqual(
    (await Promise.all(answers)).map((answer) => answer.outcome),
    ['applied', 'applied', 'refused', 'applied'],
  );
  assert.deepEqual(await refused, changed);
  // The same against what is applied.
  assert.deepEqual(await put(first, second), changed);
  const unpinned = driver.propose(raftCommandCodec.encode({ type: 'unpin', pin: third }), { onlyIf: third });
  const late = put(first, third);
  await syncAll();
  assert.equal((await unpinned).outcome, 'applied');
  assert.deepEqual(await late, changed);
  assert.deepEqual(await put(first, pinOf(cidNumber(2))), changed);
  await driver.stop();
});

test('RaftDriver refuses a conditional proposal that its leadership was too short to judge', async () => {
  const { driver, put, syncAll } = await makeLeader();
  const pin = pinOf(cidNumber(1));
  const pending = put(pin);
  const contested = put(pin, pinOf(cidNumber(1), { name: 'another' }));
  await settle();
  const { term } = driver.status;
  const answered = driver.handle('b', {
    type: 'append',
    term: term + 1,
    leader: 'b',
    prevIndex: 0,
    prevTerm: 0,
    entries: [],
    commit: 0,
  });
  assert.deepEqual(await contested, { outcome: 'refused', reason: 'not-leader', leader: 'b' });
  await syncAll();
  await answered;
  const rejected = assert.rejects(pending, { outcome: 'unknown' });
  await driver.stop();
  await rejected;
});

test('RaftDriver compares pins as they are stored', async () => {
  const { driver, put, syncAll } = await makeLeader();
  const stored = pinOf(cidNumber(1), { timestamp: { seconds: 7, nanos: 0 }, metadata: { a: '1', b: '2' } });
  const asked = {
    ...stored,
    timestamp: { seconds: 7, nanos: 5 },

    metadata: { b: '2', a: '1' },
  };
  const answers = [put(asked), put(pinOf(cidNumber(1), { name: 'next' }), stored)];
  await syncAll();
  assert.deepEqual(
    (await Promise.all(answers)).map(({ outcome }) => outcome),
    ['applied', 'applied'],
  );
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
