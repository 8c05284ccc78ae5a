import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { MemoryCluster } from '../../test/support/memory-cluster.ts';
import { cidNumber } from '../../test/support/pins.ts';
import { type Logger, OperatingError, silentLogger } from '../base/index.ts';
import { createPeerMonitor } from '../io/monitor/index.ts';
import { defaultPinOptions, type Metric, type PinOptions } from '../model/index.ts';
import { Informing } from './informing.ts';
import type { CallOptions, Informer, PeerMonitor } from './ports.ts';

const ttlMs = 30_000;
const self = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';

interface Bench {
  readonly clock: FakeClock;
  readonly informing: Informing;
  readonly monitor: PeerMonitor;
  readonly lines: string[];
  /** Questions so far, and how many of them are open. */
  readonly asked: { count: number; open: number; openMax: number };
}

/** An informer that answers as `answer` says. */
async function bench(
  answer: (clock: FakeClock, call: CallOptions) => Promise<void>,
  extraEvery: number = 0,
): Promise<Bench> {
  const clock = new FakeClock();
  const lines: string[] = [];
  const keep = (text: string, fields: unknown): void => void lines.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { ...silentLogger, warn: keep };
  const pubsub = { publish: async () => {}, subscribe: () => {} };
  const monitor = createPeerMonitor({ self }, { pubsub, clock, logger: silentLogger });
  const asked = { count: 0, open: 0, openMax: 0 };
  const informer: Informer = {
    name: 'freespace',
    ttlMs,
    async metrics(call: CallOptions = {}): Promise<readonly Metric[]> {
      asked.count += 1;
      asked.open += 1;
      asked.openMax = Math.max(asked.openMax, asked.open);
      try {
        await answer(clock, call);
      } finally {
        asked.open -= 1;
      }
      const expire = clock.wallNanos() + BigInt(ttlMs) * 1_000_000n;
      const rest = { valid: true, weight: 1n, partitionable: false, receivedAt: 0n };
      return [{ name: 'freespace', peer: self, value: '1', expire, ...rest }];
    },
  };
  return {
    clock,
    informing: new Informing({ informers: [informer], monitor, clock, logger }, { extraEvery }),
    monitor,
    lines,
    asked,
  };
}

const after = (clock: FakeClock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });

test('Informing: a slow informer is asked early enough for its metric to stay good (R21)', async () => {
  const { clock, informing, monitor, asked } = await bench((at) => after(at, 27_000));
  informing.start();
  await clock.advance(27_000);
  for (let second = 0; second < 600; second += 1) {
    await clock.advance(1000);
    assert.equal(monitor.latest('freespace').length, 1, `after ${second} s`);
  }
  assert.equal(asked.openMax, 1);
  assert.equal(asked.count > 20, true);
  await informing.stop();
});

test('Informing: a hanging informer has one open question, is told of once a minute, and comes back by itself (R21)', async () => {
  let isHanging = false;
  const { clock, informing, monitor, lines, asked } = await bench(async (_, { signal }) => {
    if (!isHanging) return;
    await new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new OperatingError('x/aborted', 'given up')));
    });
  });
  informing.start();
  await clock.advance(1000);
  assert.equal(monitor.latest('freespace').length, 1);
  isHanging = true;
  for (let minute = 0; minute < 10; minute += 1) {
    // Everyone who wants to know meanwhile waits for the same answer, and not for ever.
    const sent = informing.send();
    await clock.advance(60_000);
    await sent;
  }
  assert.equal(monitor.latest('freespace').length, 0);
  assert.equal(monitor.latestOf('freespace', self)?.value, '1', 'the last one is still known');
  assert.equal(asked.openMax, 1);
  assert.ok(lines.length >= 5 && lines.length <= 11, `${lines.length} lines`);
  isHanging = false;
  await clock.advance(60_000);
  assert.equal(monitor.latest('freespace').length, 1);
  await informing.stop();
  assert.equal(clock.pendingCount, 0);
});

test('Informing: one that answers nothing, not even when given up, is not asked again meanwhile', async () => {
  const { clock, informing, lines, asked } = await bench(() => new Promise(() => {}));
  informing.start();
  await clock.advance(3_600_000);
  assert.equal(asked.count, 1);
  assert.match(lines[0] ?? '', /informer freespace failed.*no answer for 30 s/);
  const stopped = informing.stop();
  await settle();
  await stopped;
});

test('Informing: an informer that throws is asked again', async () => {
  let failures = 3;
  const { clock, informing, monitor, lines } = await bench(async () => {
    if (failures-- > 0) throw new OperatingError('ipfs/unreachable', 'connection refused');
  });
  informing.start();
  await clock.advance(30_000);
  assert.equal(monitor.latest('freespace').length, 1);
  assert.equal(lines.length, 1);
  await informing.stop();
});

test('Informing: every N-th beginning or end of work sends all metrics, at most once a second', async () => {
  const { clock, informing, asked } = await bench(async () => {}, 3);
  const work = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n += 1) informing.worked();
    await settle();
  };
  await work(2);
  assert.equal(asked.count, 0);
  await work(1);
  assert.equal(asked.count, 1);
  await work(3000);
  assert.equal(asked.count, 1);
  await clock.advance(1000);
  assert.equal(asked.count, 2, 'what came in that second is told at its end');
  await clock.advance(60_000);
  assert.equal(asked.count, 2);
  await informing.stop();
  const off = await bench(async () => {});
  for (let n = 0; n < 100; n += 1) off.informing.worked();
  await settle();
  assert.equal(off.asked.count, 0);
});

test('Peer: with a hanging disk informer it stays the holder that it is, and gets no new pins meanwhile (R21)', async (t) => {
  const cluster = new MemoryCluster();
  await cluster.start(3);
  t.after(() => cluster.stop());
  const asked = (min: number, max: number): PinOptions => ({
    ...defaultPinOptions,
    replicationFactorMin: min,
    replicationFactorMax: max,
  });
  const { peer } = cluster.node(0);
  const { allocations } = await peer.pin(cidNumber(1), asked(2, 2));
  const slow = cluster.nodes.find(({ id }) => id === allocations?.[1]);
  assert.ok(slow !== undefined);
  slow.ipfs.repoStat = () => new Promise(() => {});
  await cluster.clock.advance(120_000);
  assert.equal(peer.metrics('freespace').length, 2);
  assert.equal(peer.metrics('ping').length, 3);
  assert.deepEqual((await peer.pin(cidNumber(1), asked(2, 2))).allocations, allocations);
  assert.ok(!(await peer.pin(cidNumber(2), asked(1, 3))).allocations?.includes(slow.id));
});

for (const disableRepinning of [true, false]) {
  test(`Peer: the 1,000th alert is still delivered, repinning ${disableRepinning ? 'off' : 'on'} (R20)`, async (t) => {
    const cluster = new MemoryCluster();
    await cluster.start(2, { disableRepinning });
    t.after(() => cluster.stop());
    const { peer, monitor } = cluster.node(0);
    const lost = cluster.node(1).id;
    cluster.cut(lost);
    let delivered = 0;
    monitor.onAlert((alert) => {
      if (alert.peer === lost && alert.name === 'ping') delivered += 1;
    });
    for (let death = 0; death < 1000; death += 1) {
      const expire = cluster.clock.wallNanos() + 1_000_000n;
      const ping = { name: 'ping', peer: lost, value: '', expire, valid: true, weight: 0n, partitionable: false };
      monitor.record({ ...ping, receivedAt: 0n });
      await cluster.clock.advance(15_000);
    }
    assert.equal(delivered, 1000);
    assert.ok(peer.alerts().filter(({ name }) => name === 'ping').length >= 990, 'the list holds the last thousand');
  });
}
