import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LivenessWatch } from './liveness.ts';

const graceMs = 120_000;
const lookMs = 5000;

/** A watch over `a`, `b` and `c` that is looked at every 5 s. */
function watched() {
  const watch = new LivenessWatch({ gracePeriodMs: graceMs });
  let nowMs = 1000;
  const look = (alive: string, members = 'abc'): void => watch.look(nowMs, members, new Set(alive));
  look('abc');
  return {
    watch,
    /** Looks until so much time has passed. */
    pass(ms: number, alive: string, members = 'abc'): void {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        nowMs += Math.min(lookMs, endMs - nowMs);
        look(alive, members);
      }
    },
    /** Time in which nobody looks. */
    sleep(ms: number): void {
      nowMs += ms;
    },
    lives: (): string => ['a', 'b', 'c'].map((peer) => watch.of(peer)?.life ?? 'none').join(' '),
    now: (): number => nowMs,
  };
}

test('LivenessWatch: a member that is missing for longer than the grace period is gone', () => {
  const { pass, lives, watch, now } = watched();
  pass(60_000, 'ab');
  assert.equal(lives(), 'alive alive missing');
  assert.equal(watch.of('c')?.sinceMs, 1000 + lookMs);
  pass(graceMs - 60_000 + lookMs, 'ab');
  assert.equal(lives(), 'alive alive missing');
  pass(lookMs, 'ab');
  assert.equal(lives(), 'alive alive gone');
  assert.equal(watch.of('c')?.sinceMs, now());
  pass(lookMs, 'abc');
  assert.equal(lives(), 'alive alive alive');
});

test('LivenessWatch: a member that was never heard of is missing since the first look', () => {
  const watch = new LivenessWatch({ gracePeriodMs: graceMs });
  const look = (atMs: number): string => {
    watch.look(atMs, ['a', 'b'], new Set(['a']));
    const { life, sinceMs } = watch.of('b') ?? assert.fail('no member');
    return `${life} since ${sinceMs}`;
  };
  assert.equal(look(5000), 'missing since 5000');
  for (let atMs = 5000; atMs <= 5000 + graceMs; atMs += lookMs) assert.equal(look(atMs), 'missing since 5000');
  assert.equal(look(5000 + graceMs + lookMs), `gone since ${5000 + graceMs + lookMs}`);
});

test('LivenessWatch: one that is heard of for the first time has not come back', () => {
  const watch = new LivenessWatch({ gracePeriodMs: graceMs });
  watch.look(0, ['a', 'b'], new Set(['a']));
  watch.look(5000, ['a', 'b'], new Set(['a', 'b']));
  assert.equal(watch.graceOf('b'), graceMs);
});

test('LivenessWatch: who has left is forgotten', () => {
  const { pass, lives, watch } = watched();
  pass(lookMs, 'ab', 'ab');
  assert.equal(lives(), 'alive alive none');
  assert.equal(watch.of('c'), undefined);
  pass(lookMs, 'ab', 'abc');
  assert.equal(lives(), 'alive alive missing');
});

test('LivenessWatch: each return doubles the grace period up to a bound, and is forgotten after a while', () => {
  const { pass, watch } = watched();
  const graces: number[] = [];
  for (let flap = 0; flap < 8; flap += 1) {
    graces.push(watch.graceOf('c') / graceMs);
    pass(10_000, 'ab');
    pass(10_000, 'abc');
  }
  assert.deepEqual(graces, [1, 2, 4, 8, 16, 32, 32, 32]);
  pass(30 * graceMs, 'abc');
  assert.equal(watch.graceOf('c'), graceMs);
});

test('a flapping member is never gone, whatever its rhythm below the grace period (R17)', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ awayMs: fc.integer({ min: 1, max: graceMs }), hereMs: fc.integer({ min: 1, max: graceMs }) }),
        {
          maxLength: 30,
        },
      ),
      (rhythm) => {
        const { pass, watch } = watched();
        for (const { awayMs, hereMs } of rhythm) {
          pass(awayMs, 'ab');
          assert.notEqual(watch.of('c')?.life, 'gone');
          pass(hereMs, 'abc');
        }
      },
    ),
  );
});

test('LivenessWatch: a flapping member that stays away at last is gone, within the bound', () => {
  const { pass, watch } = watched();
  for (let flap = 0; flap < 20; flap += 1) {
    pass(30_000, 'ab');
    pass(30_000, 'abc');
  }
  pass(31 * graceMs, 'ab');
  assert.notEqual(watch.of('c')?.life, 'alive');
  pass(2 * graceMs, 'ab');
  assert.equal(watch.of('c')?.life, 'gone');
});

test('LivenessWatch: the sleep of this machine makes nobody gone', () => {
  const { pass, sleep, lives } = watched();
  pass(lookMs, 'ab');
  sleep(3_600_000);
  pass(lookMs, '');
  assert.equal(lives(), 'missing missing missing');
  pass(lookMs, 'abc');
  assert.equal(lives(), 'alive alive alive');
});

test('LivenessWatch: who came back and went again between two looks has not been missing on', () => {
  const watch = new LivenessWatch({ gracePeriodMs: 4000 });
  const look = (nowMs: number, alive: string, between = ''): string => {
    watch.look(nowMs, ['a', 'b'], new Set(alive), new Set(between));
    return `${watch.of('b')?.life} ${watch.graceOf('b')}`;
  };
  look(0, 'ab');
  for (const nowMs of [1000, 2000, 3000, 4000]) assert.equal(look(nowMs, 'a'), 'missing 4000');
  assert.equal(look(9000, 'a', 'ab'), 'missing 8000');
  for (let nowMs = 10_000; nowMs <= 17_000; nowMs += 1000) assert.equal(look(nowMs, 'a'), 'missing 8000');
  assert.equal(look(18_000, 'a'), 'gone 8000');
  assert.equal(look(30_000, 'a', 'ab'), 'missing 16000', 'also when it was given up');
});
