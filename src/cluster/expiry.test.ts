import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { MemoryPinset } from '../../test/support/memory-pinset.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { OperatingError, silentLogger } from '../base/index.ts';
import type { PeerId, Pin } from '../model/index.ts';
import { ClosestPeer } from './closest.ts';
import { Expiry, removalMs } from './expiry.ts';
import type { MemberView } from './member-watch.ts';
import type { Consensus } from './ports.ts';

const peers = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
  '12D3KooWEkC8vTbFeHqnAmQoBtpnnaTc6jXQvwfF2s7Gm9tt1Ajm',
];
const intervalMs = 300_000;
const pingIntervalMs = 15_000;
const startSeconds = 1_700_000_000;

interface Removal {
  readonly by: PeerId;
  readonly atMs: number;
  readonly cid: string;
}

/** The expiry of three peers that share a pinset. */
class Cluster {
  readonly clock: FakeClock = new FakeClock();
  readonly pinset: MemoryPinset = new MemoryPinset();
  readonly alive: Set<PeerId> = new Set(peers);
  members: readonly PeerId[] = peers;
  readonly removals: Removal[] = [];
  readonly #expiries = new Map<PeerId, Expiry>();
  readonly hung = new Set<PeerId>();
  /** What happens to a removal before it is done. */
  before: (pin: Pin) => Promise<void> | void = () => {};
  tries = 0;
  inFlight = 0;
  inFlightMost = 0;
  looks = 0;

  constructor() {
    for (const peer of peers) this.#expiries.set(peer, this.#make(peer));
  }

  start(...these: readonly PeerId[]): void {
    for (const peer of these.length === 0 ? peers : these) this.#of(peer).wake();
  }

  add(n: number, inSeconds: number | null, more: Partial<Pin> = {}): Pin {
    const nowSeconds = startSeconds + Math.floor(this.clock.now() / 1000);
    const expireAt = inSeconds === null ? null : { seconds: nowSeconds + inSeconds, nanos: 0 };
    const pin = pinOf(cidNumber(n), { expireAt, ...more });
    this.pinset.add(pin);
    for (const expiry of this.#expiries.values()) expiry.observer.onPin(pin);
    return pin;
  }

  replaced(): void {
    for (const expiry of this.#expiries.values()) expiry.observer.onReplaced();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#expiries.values()].map((expiry) => expiry.stop()));
  }

  /** The peers in the order of their turns. */
  turns({ cid }: Pin): readonly PeerId[] {
    const closest = new ClosestPeer(peers);
    return [...peers].sort((a, b) => closest.countNearer(a, cid) - closest.countNearer(b, cid));
  }

  #of(peer: PeerId): Expiry {
    const expiry = this.#expiries.get(peer);
    assert(expiry !== undefined);
    return expiry;
  }

  #make(self: PeerId): Expiry {
    // Of both ports only what is used here.
    const consensus = { pinset: () => this.pinset, isTrustedPeer: () => true } as unknown as Consensus;
    return new Expiry(
      { stateSyncIntervalMs: intervalMs, monitorPingIntervalMs: pingIntervalMs },
      {
        self,
        consensus,
        watch: {
          look: async () => {
            this.looks++;
            const actors = new ClosestPeer([...this.alive, self]);
            return { members: this.members, actors } as unknown as MemberView;
          },
        },
        pinner: { unpinExactly: (pin) => this.#remove(self, pin) },
        clock: this.clock,
        logger: silentLogger,
      },
    );
  }

  async #remove(by: PeerId, pin: Pin): Promise<void> {
    this.tries++;
    this.inFlightMost = Math.max(this.inFlightMost, ++this.inFlight);
    try {
      if (this.hung.has(by)) throw new OperatingError('consensus/no-leader', 'timed out waiting for leader');
      await this.before(pin);
      if (this.pinset.get(pin.cid) !== pin) throw new OperatingError('consensus/changed', 'another one');
      this.pinset.remove(pin.cid);
      this.removals.push({ by, atMs: this.clock.now(), cid: pin.cid.key });
    } finally {
      this.inFlight--;
    }
  }
}

async function started(): Promise<Cluster> {
  const cluster = new Cluster();
  cluster.start();
  await cluster.clock.advance(2 * pingIntervalMs);
  return cluster;
}

test('removalMs gives each its turn, and nobody a turn before it was there', () => {
  assert.equal(removalMs(1000, 500, 0, 300), 1000);
  assert.equal(removalMs(1000, 500, 2, 300), 1600);
  assert.equal(removalMs(1000, 5000, 0, 300), 5000);
  assert.equal(removalMs(1000, 5000, 1, 300), 5300);
});

test('expiry once, by one peer, on time (R41)', async () => {
  const cluster = await started();
  const pins = Array.from({ length: 40 }, (_, n) => cluster.add(n, 10 + n));
  cluster.add(100, null);
  await cluster.clock.advance(60_000);
  assert.deepEqual(
    cluster.removals.map(({ by, atMs, cid }) => [by, atMs, cid]),
    pins.map((pin, n) => [cluster.turns(pin)[0], 40_000 + n * 1000, pin.cid.key]),
  );
  assert.equal(cluster.pinset.count(), 1);
  assert.ok(new Set(cluster.removals.map(({ by }) => by)).size === 3, 'the work is shared');
  await cluster.stop();
  assert.equal(cluster.clock.pendingCount, 0);
});

test('an expired pin stays gone, and one that was given more time meanwhile stays (R9)', async () => {
  const cluster = await started();
  cluster.add(1, 10);
  await cluster.clock.advance(5000);
  cluster.add(1, 20, { name: 'longer' });
  await cluster.clock.advance(10_000);
  assert.equal(cluster.pinset.get(cidNumber(1))?.name, 'longer');
  // In the very moment of its removal.
  cluster.before = () => {
    cluster.before = () => {};
    cluster.add(1, null, { name: 'for ever' });
  };
  await cluster.clock.advance(400_000);
  assert.equal(cluster.tries, 1);
  assert.deepEqual(cluster.removals, []);
  assert.equal(cluster.pinset.get(cidNumber(1))?.name, 'for ever');
  await cluster.stop();
});

test('what the nearest does not do within an interval the next one does', async () => {
  const cluster = await started();
  const pin = cluster.add(1, 10);
  const [first, second, third] = cluster.turns(pin);
  assert(first !== undefined && second !== undefined && third !== undefined);
  cluster.hung.add(first);
  await cluster.clock.advance(10_000 + intervalMs - 1);
  assert.equal(cluster.pinset.count(), 1);
  await cluster.clock.advance(1);
  assert.deepEqual(
    cluster.removals.map(({ by }) => by),
    [second],
  );
  const later = cluster.add(1, 10);
  cluster.hung.add(second);
  await cluster.clock.advance(10_000 + 2 * intervalMs);
  assert.deepEqual(
    cluster.removals.map(({ by }) => by),
    [second, third],
  );
  assert.equal(cluster.pinset.has(later.cid), false);
  await cluster.stop();
});

test('members that are not alive have no turn, and one that is no member does nothing', async () => {
  const cluster = await started();
  const pin = cluster.add(1, 10);
  const [first = '', second = ''] = cluster.turns(pin);
  cluster.alive.delete(first);
  cluster.hung.add(first);
  await cluster.clock.advance(10_000);
  assert.deepEqual(
    cluster.removals.map(({ by, atMs }) => [by, atMs]),
    [[second, 40_000]],
  );
  cluster.members = [];
  cluster.add(2, 10);
  await cluster.clock.advance(intervalMs);
  assert.equal(cluster.pinset.count(), 1);
  cluster.members = peers;
  await cluster.clock.advance(intervalMs);
  assert.equal(cluster.pinset.count(), 0);
  await cluster.stop();
});

test('peers that start leave what has expired to the nearest, until they know who is alive', async () => {
  const cluster = new Cluster();
  const pin = cluster.add(1, -100);
  const [first = '', second = ''] = cluster.turns(pin);
  cluster.alive.clear();
  cluster.start(second);
  await cluster.clock.advance(2 * pingIntervalMs - 1);
  assert.equal(cluster.tries, 0);
  // Nobody else is there.
  await cluster.clock.advance(1);
  assert.deepEqual(
    cluster.removals.map(({ by }) => by),
    [second],
  );
  cluster.add(1, -100);
  cluster.start(first);
  await settle();
  assert.equal(cluster.pinset.count(), 0);
  await cluster.stop();
});

test('a pinset that was replaced is looked at, and a pin that expires before all others sets the timer anew', async () => {
  const cluster = await started();
  cluster.add(1, 200);
  cluster.add(2, 20);
  await cluster.clock.advance(20_000);
  assert.equal(cluster.pinset.count(), 1);
  cluster.pinset.add(pinOf(cidNumber(3), { expireAt: { seconds: startSeconds, nanos: 0 } }));
  cluster.replaced();
  await cluster.clock.advance(1);
  assert.equal(cluster.removals.length, 2);
  await cluster.clock.advance(180_000);
  assert.equal(cluster.removals.length, 3);
  await cluster.stop();
});

test('pins that expire while a round is running have their turn after it', async () => {
  const cluster = await started();
  let goOn = (): void => {};
  cluster.before = () => {
    cluster.before = () => {};
    return new Promise((resolve) => {
      goOn = resolve;
    });
  };
  cluster.add(1, 10);
  await cluster.clock.advance(10_000);
  cluster.add(2, 5);
  cluster.add(3, 1);
  await cluster.clock.advance(6000);
  goOn();
  await cluster.clock.advance(100_000);
  assert.equal(cluster.pinset.count(), 0);
  await cluster.stop();
  assert.equal(cluster.clock.pendingCount, 0);
});

test('nothing is done in a tight loop when nothing can be written, or there is nothing to do', async () => {
  const cluster = await started();
  cluster.looks = 0;
  // As it comes through a Go leader: it never expires.
  cluster.add(5000, 0, { expireAt: { seconds: 0, nanos: 0 } });
  cluster.pinset.remove(cidNumber(5000));
  await cluster.clock.advance(10 * intervalMs);
  assert.equal(cluster.looks, 3 * 10);
  for (const peer of peers) cluster.hung.add(peer);
  for (let n = 0; n < 1000; n += 1) cluster.add(n, 10);
  await cluster.clock.advance(10_000 + 2 * intervalMs);
  assert.ok(cluster.tries < 3 * 42 * 70, `${cluster.tries} tries`);
  cluster.hung.clear();
  await cluster.clock.advance(intervalMs);
  assert.equal(cluster.pinset.count(), 0);
  assert.ok(cluster.inFlightMost <= 3 * 64);
  await cluster.stop();
});

test('a pin whose shards cannot be read holds up no others; shards have no turn of their own', async () => {
  const cluster = await started();
  const broken = cluster.add(1, 10, { type: 'meta-pin' });
  for (let n = 2; n < 6; n += 1) cluster.add(n, 10, { type: n % 2 === 0 ? 'shard-pin' : 'clusterdag-pin' });
  cluster.before = (pin) => {
    if (pin === broken) throw new OperatingError('cluster/refused-pin', 'error reading clusterDAG block from ipfs');
  };
  for (let n = 10; n < 40; n += 1) cluster.add(n, n);
  await cluster.clock.advance(40_000);
  assert.equal(cluster.removals.length, 30);
  assert.equal(cluster.tries, 31);
  cluster.before = () => {};
  await cluster.clock.advance(intervalMs);
  assert.deepEqual([cluster.removals.length, cluster.pinset.count()], [31, 4]);
  await cluster.stop();
});
