import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../../test/support/fake-clock.ts';
import { hexDecode, type Logger, silentLogger } from '../../base/index.ts';
import type { PeerMonitor, PubSub } from '../../cluster/ports.ts';
import { type Alert, type Metric, metricCodec } from '../../model/index.ts';
import { createPeerMonitor } from './monitor.ts';

const [a, b, c] = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
  '12D3KooWEkC8vTbFeHqnAmQoBtpnnaTc6jXQvwfF2s7Gm9tt1Ajm',
] as const;

/** One topic, delivered at once to all subscribers. */
class Wire {
  readonly #listeners: ((from: string, data: Uint8Array) => void)[] = [];
  readonly published: Uint8Array[] = [];
  as(from: string): PubSub {
    return {
      publish: async (_, data) => {
        this.published.push(data);
        for (const listener of this.#listeners) listener(from, data);
      },
      subscribe: (_, listener) => void this.#listeners.push(listener),
    };
  }
}

interface Bench {
  readonly clock: FakeClock;
  readonly wire: Wire;
  readonly monitor: PeerMonitor;
  readonly lines: string[];
  readonly alerts: Alert[];
}

async function bench(members?: () => Promise<readonly string[]>): Promise<Bench> {
  const clock = new FakeClock();
  const wire = new Wire();
  const lines: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (line) => void lines.push(line) };
  const deps = { pubsub: wire.as(a), clock, logger };
  const monitor = createPeerMonitor({ self: a }, members === undefined ? deps : { ...deps, members });
  const alerts: Alert[] = [];
  monitor.onAlert((alert) => void alerts.push(alert));
  await monitor.start();
  return { clock, wire, monitor, lines, alerts };
}

const metric = (peer: string, expire: bigint, more: Partial<Metric> = {}): Metric => ({
  name: 'ping',
  peer,
  value: '{}',
  expire,
  valid: true,
  weight: 0n,
  partitionable: false,
  receivedAt: 0n,
  ...more,
});
const inSeconds = (clock: FakeClock, seconds: number): bigint => clock.wallNanos() + BigInt(seconds) * 1_000_000_000n;

test('PeerMonitor publishes, records its own and receives the others’', async () => {
  const { clock, wire, monitor } = await bench();
  await monitor.publish(metric(a, inSeconds(clock, 30)));
  await wire.as(b).publish('', metricCodec.encode(metric(b, inSeconds(clock, 30))));
  assert.deepEqual(
    monitor.latest('ping').map((m) => m.peer),
    [a, b].sort(),
  );
  assert.equal(monitor.latestOf('ping', b)?.receivedAt, clock.wallNanos());
  assert.deepEqual(monitor.names(), ['ping']);
});

test('PeerMonitor: metrics forged for another peer are refused (R26)', async () => {
  const { clock, wire, monitor, lines } = await bench();
  for (let i = 0; i < 20; i += 1) await wire.as(b).publish('', metricCodec.encode(metric(c, inSeconds(clock, 30))));
  assert.deepEqual(monitor.latest('ping'), []);
  assert.equal(lines.length, 1, 'one line a minute');
  await clock.advance(61_000);
  await wire.as(b).publish('', metricCodec.encode(metric(c, inSeconds(clock, 30))));
  assert.equal(lines.length, 2);
  // Neither does a forgery renew or end what the peer itself has said.
  await wire.as(c).publish('', metricCodec.encode(metric(c, inSeconds(clock, 30))));
  const forged = { value: '{"peer_name":"evil"}', valid: false };
  await wire.as(b).publish('', metricCodec.encode(metric(c, inSeconds(clock, 900), forged)));
  assert.deepEqual(
    monitor.latest('ping').map(({ peer, value, expire }) => [peer, value, expire]),
    [[c, '{}', inSeconds(clock, 30)]],
  );
});

test('PeerMonitor reads what a Go peer has published, with the prefix of old ones and without', async () => {
  const recorded =
    '85a16ea470696e67a170da00260024080112208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c' +
    'a176b57b22706565725f6e616d65223a227065657231227da165d317a668be2c24de00a164c3';
  for (const prefix of ['', '092f6d73677061636b0a']) {
    const { wire, monitor } = await bench();
    const own = createPeerMonitor({ self: b }, { pubsub: wire.as(b), clock: new FakeClock(), logger: silentLogger });
    await own.start();
    await wire.as(a).publish('', hexDecode(prefix + recorded));
    assert.equal(own.latestOf('ping', a)?.value, '{"peer_name":"peer1"}');
    assert.equal(monitor.latestOf('ping', a), undefined, 'own messages that come back are not received');
  }
});

test('PeerMonitor drops garbage, and invalid or expired metrics of its own', async () => {
  const { clock, wire, monitor, lines } = await bench();
  await wire.as(b).publish('', Uint8Array.of(0xc1, 0xff));
  await monitor.publish(metric(a, inSeconds(clock, 30), { valid: false }));
  await monitor.publish(metric(a, 1n));
  assert.equal(wire.published.length, 1);
  assert.deepEqual(monitor.names(), []);
  assert.equal(lines.length, 2);
});

test('PeerMonitor alerts once per death, again after a return, for ever', async () => {
  const { clock, monitor, alerts } = await bench();
  for (let death = 1; death <= 20; death += 1) {
    monitor.record(metric(b, inSeconds(clock, 30)));
    await clock.advance(29_000);
    assert.equal(alerts.length, death - 1);
    await clock.advance(60_000);
    assert.equal(alerts.length, death);
  }
  assert.equal(monitor.alerts().length, 20);
});

test('PeerMonitor: the 1,000th alert is delivered, whatever listeners and members do (R20)', async () => {
  let isHanging = false;
  const { clock, monitor, alerts, lines } = await bench(() =>
    isHanging ? new Promise(() => {}) : Promise.resolve([a, b]),
  );
  monitor.onAlert(() => {
    throw new RangeError('a listener that fails');
  });
  let behind = 0;
  monitor.onAlert(() => {
    behind += 1;
  });
  for (let death = 1; death <= 1000; death += 1) {
    isHanging = death > 10;
    monitor.record(metric(b, inSeconds(clock, 1)));
    // A check, and the time that members are waited for.
    await clock.advance(20_000);
  }
  assert.equal(alerts.length, 1000);
  assert.equal(behind, 1000, 'those behind a listener that fails are told as well');
  assert.equal(monitor.alerts().length, 1000);
  assert.ok(lines.length < 1000, 'the log has a line a minute');
});

test('PeerMonitor with members hides and forgets everyone else', async () => {
  let members: readonly string[] = [a, b];
  const { clock, monitor, alerts } = await bench(async () => members);
  monitor.record(metric(b, inSeconds(clock, 600)));
  await clock.advance(16_000);
  monitor.record(metric(c, inSeconds(clock, 600)));
  await settle();
  assert.deepEqual(
    monitor.latest('ping').map((m) => m.peer),
    [b],
  );
  members = [a, c];
  monitor.record(metric(c, inSeconds(clock, 600)));
  await settle();
  assert.deepEqual(
    monitor.latest('ping').map((m) => m.peer),
    [c],
    'a new member is seen with its first metric',
  );
  await clock.advance(16_000);
  assert.equal(monitor.latestOf('ping', b), undefined);
  assert.deepEqual(alerts, [], 'a removed peer raises no alert');
});

test('PeerMonitor stops', async () => {
  const { clock, monitor } = await bench();
  await monitor.stop();
  await clock.advance(60_000);
  assert.equal(clock.pendingCount, 0);
});
