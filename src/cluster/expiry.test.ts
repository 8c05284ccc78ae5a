import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FakeClock, settle } from '../../test/support/fake-clock.ts';
import { MemoryPinset } from '../../test/support/memory-pinset.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { OperatingError, silentLogger } from '../base/index.ts';
import { type Pin, timeFromNanos } from '../model/index.ts';
import { ClosestPeer } from './closest.ts';
import { DuePins } from './due-pins.ts';
import { Expiry } from './expiry.ts';
import type { MemberWatch } from './member-watch.ts';
import type { Pinner } from './pinner.ts';
import type { Consensus, Pinset } from './ports.ts';

const self = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';

interface World {
  readonly clock: FakeClock;
  readonly pinset: MemoryPinset;
  readonly expiry: Expiry;
  readonly due: DuePins;
  /** Times at which all pins were looked through. */
  readonly sweepsMs: number[];
  isWritable: boolean;
  pin(n: number, inMs: number | undefined): void;
}

function world(t: TestContext, max?: number): World {
  const clock = new FakeClock();
  const pinset = new MemoryPinset();
  const due = new DuePins(max);
  const watched: Pinset = {
    get: (cid) => pinset.get(cid),
    has: (cid) => pinset.has(cid),
    count: () => pinset.count(),
    kinds: () => pinset.kinds(),
    pages: (options) => {
      made.sweepsMs.push(clock.now());
      return pinset.pages(options);
    },
  };
  // Proofs: nothing else of them is asked for.
  const consensus = { pinset: () => watched } as Partial<Consensus> as Consensus;
  const watch = { look: async () => ({ actors: new ClosestPeer([self]) }) } as unknown as MemberWatch;
  const pinner = {
    unpinExactly: async (pin: Pin) => {
      if (!made.isWritable) throw new OperatingError('consensus/no-leader', 'no leader');
      if (pinset.get(pin.cid) !== pin) throw new OperatingError('consensus/changed', 'changed');
      pinset.remove(pin.cid);
      expiry.onUnpin(pin);
    },
  } as unknown as Pinner;
  const expiry = new Expiry(
    { stateSyncIntervalMs: 60_000 },
    { self, consensus, pinner, watch, clock, logger: silentLogger },
    due,
  );
  t.after(() => expiry.stop());
  const made: World = {
    ...{ clock, pinset, expiry, due, sweepsMs: [], isWritable: true },
    pin: (n, inMs) => {
      const expireAt = inMs === undefined ? null : timeFromNanos(clock.wallNanos() + BigInt(inMs) * 1_000_000n);
      const pin = pinOf(cidNumber(n), { expireAt });
      pinset.add(pin);
      expiry.onPin(pin);
    },
  };
  return made;
}

test('Expiry: what expired while no peer ran is removed at the start', async (t) => {
  const at = world(t);
  at.pin(1, -5000);
  at.pin(2, undefined);
  at.expiry.start();
  await at.clock.advance(0);
  assert.deepEqual([at.pinset.has(cidNumber(1)), at.pinset.has(cidNumber(2))], [false, true]);
});

test('Expiry: all pins are looked through once, and again only when the state was replaced', async (t) => {
  const at = world(t);
  for (let n = 0; n < 50; n++) at.pin(n, n % 2 === 0 ? undefined : 1000 * n);
  at.expiry.start();
  await at.clock.advance(3_600_000);
  assert.equal(at.pinset.count(), 25);
  assert.deepEqual(at.sweepsMs, [0]);
  at.pinset.add(pinOf(cidNumber(100), { expireAt: timeFromNanos(at.clock.wallNanos() + 1_000_000_000n) }));
  at.expiry.onReplaced();
  await at.clock.advance(1500);
  assert.deepEqual([at.pinset.count(), at.sweepsMs], [25, [0, 3_600_000]]);
});

test('Expiry: more pins than are kept in mind expire on time all the same, also those of one moment', async (t) => {
  const at = world(t, 16);
  for (let n = 0; n < 100; n++) at.pin(n, 10_000 + 1000 * Math.floor(n / 10));
  for (let n = 100; n < 200; n++) at.pin(n, 60_000);
  at.expiry.start();
  for (let second = 1; second <= 70; second++) {
    await at.clock.advance(1000);
    const passed = Math.min(10, Math.max(0, second - 9));
    assert.ok(at.due.dueBy(Number.POSITIVE_INFINITY).length <= 16);
    // Rounds come within a fifth of a second.
    const late = at.pinset.count() - ((second >= 60 ? 0 : 100) + 100 - 10 * passed);
    assert.ok(late >= 0 && late <= (second === 60 ? 100 : 10), `${late} pins late after ${second} s`);
  }
  assert.equal(at.pinset.count(), 0);
  assert.ok(at.sweepsMs.length < 40, `${at.sweepsMs.length} sweeps`);
});

test('Expiry: what could not be removed is tried again after state_sync_interval', async (t) => {
  const at = world(t);
  at.isWritable = false;
  at.expiry.start();
  at.pin(1, 1000);
  await at.clock.advance(30_000);
  assert.equal(at.pinset.count(), 1);
  at.isWritable = true;
  await at.clock.advance(29_000);
  assert.equal(at.pinset.count(), 1);
  await at.clock.advance(3000);
  assert.equal(at.pinset.count(), 0);
});

test('Expiry: shards and their lists go with what refers to them', async (t) => {
  const at = world(t);
  const expireAt = timeFromNanos(at.clock.wallNanos() + 1_000_000_000n);
  at.pinset.add(pinOf(cidNumber(1), { type: 'shard-pin', maxDepth: 1, expireAt }));
  at.pinset.add(pinOf(cidNumber(2), { type: 'clusterdag-pin', maxDepth: 0, expireAt }));
  at.pinset.add(pinOf(cidNumber(3), { type: 'meta-pin', expireAt }));
  at.expiry.start();
  await at.clock.advance(2000);
  await settle();
  assert.deepEqual(
    [1, 2, 3].map((n) => at.pinset.has(cidNumber(n))),
    [true, true, false],
  );
});
