import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Metric } from '../../model/metric.ts';
import { allocate } from './allocate.ts';

const metricOf = (name: string, peer: string, weight: number, value: string, partitionable: boolean): Metric => ({
  name,
  peer,
  value,
  expire: 1n,
  valid: true,
  weight: BigInt(weight),
  partitionable,
  receivedAt: 0n,
});

const cluster = fc.uniqueArray(
  fc.record({
    peer: fc.string({ minLength: 1, maxLength: 3 }),
    free: fc.nat(1000),
    zone: fc.constantFrom('x', 'y', 'z'),
  }),
  { selector: (p) => p.peer, maxLength: 12 },
);

test('allocate: result is in bounds, without repetition, among live peers, and spreads over zones', () => {
  fc.assert(
    fc.property(cluster, fc.integer({ min: 1, max: 6 }), fc.nat(3), (peers, min, extra) => {
      const max = min + extra;
      const request = {
        replicationMin: min,
        replicationMax: max,
        current: [],
        preferred: [],
        excluded: new Set<string>(),
        allocateBy: ['zone', 'free'],
        metrics: new Map([
          ['zone', peers.map((p) => metricOf('zone', p.peer, 0, p.zone, true))],
          ['free', peers.map((p) => metricOf('free', p.peer, p.free, String(p.free), false))],
        ]),
      };
      if (peers.length < min) {
        assert.throws(() => allocate(request), { code: 'allocate/not-enough-peers' });
        return;
      }
      const chosen = allocate(request);
      assert.equal(chosen.length, Math.min(max, peers.length));
      assert.equal(new Set(chosen).size, chosen.length);
      const zoneOf = new Map(peers.map((p) => [p.peer, p.zone]));
      const zones = new Set(zoneOf.values()).size;
      const chosenZones = new Set(chosen.map((p) => zoneOf.get(p))).size;
      assert.equal(chosenZones, Math.min(zones, chosen.length));
      assert.deepEqual(allocate(request), chosen, 'same input, same result');
    }),
  );
});
