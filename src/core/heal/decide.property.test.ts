import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decideHolders, type HealDecision, type HealRequest, type HolderWord, type Standing } from './decide.ts';

interface World {
  readonly standings: ReadonlyMap<string, Standing>;
  readonly holders: readonly string[];
  readonly min: number;
  readonly max: number;
  /** Who may be chosen: some of those that stay. */
  readonly free: readonly string[];
  readonly pinned: readonly string[];
  /** What those say that have not pinned it. */
  readonly others: ReadonlyMap<string, HolderWord>;
  readonly isSettled: boolean;
}

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const world: fc.Arbitrary<World> = fc
  .record({
    standings: fc.array(fc.constantFrom<Standing>('stays', 'stays', 'stays', 'leaves', 'gone', 'stranger'), {
      minLength: names.length,
      maxLength: names.length,
    }),
    cordoned: fc.subarray(names),
    holders: fc.shuffledSubarray(names, { maxLength: 6 }),
    min: fc.integer({ min: 1, max: 4 }),
    extra: fc.nat(2),
    pinned: fc.subarray(names),
    words: fc.oneof(
      fc.constant<readonly HolderWord[]>([]),
      fc.array(fc.constantFrom<HolderWord>('works', 'works', 'fails', 'silent'), {
        minLength: names.length,
        maxLength: names.length,
      }),
    ),
    isSettled: fc.boolean(),
  })
  .map(({ standings, cordoned, extra, words, ...rest }) => {
    const of = new Map(names.map((name, i) => [name, standings[i] ?? 'stays'] as const));
    const free = names.filter((name) => of.get(name) === 'stays' && !cordoned.includes(name));
    const others = new Map(names.map((name, i) => [name, words[i] ?? 'works'] as const));
    return { ...rest, standings: of, free, max: rest.min + extra, others };
  });

const standingIn = (of: World) => (peer: string) => of.standings.get(peer) ?? 'stranger';

function decided(of: World, holders: readonly string[], pinned: readonly string[] | undefined): HealDecision {
  // Whoever has just been chosen is at it.
  const wordOf = (peer: string): HolderWord =>
    pinned?.includes(peer) ? 'holds' : (of.holders.includes(peer) && of.others.get(peer)) || 'works';
  const request: HealRequest = {
    pin: { type: 'pin', allocations: holders, replicationFactorMin: of.min, replicationFactorMax: of.max },
    standingOf: standingIn(of),
    choose: (count, excluded) => of.free.filter((peer) => !excluded.has(peer)).slice(0, count),
    said: pinned && new Map(holders.map((peer) => [peer, wordOf(peer)])),
    isSettled: of.isSettled,
  };
  return decideHolders(request);
}

/** What becomes of the pin when answers are there at once, and everything is pinned that is allocated: the last holders. */
function healed(of: World, arePinned: (holders: readonly string[]) => readonly string[]): readonly string[] {
  let { holders } = of;
  for (let step = 0; step < 5; step += 1) {
    let decision = decided(of, holders, undefined);
    if (decision.kind === 'ask') decision = decided(of, holders, arePinned(holders));
    if (decision.kind !== 'write') return holders;
    holders = decision.allocations;
  }
  return assert.fail('it does not come to an end');
}

const count = (of: World, holders: readonly string[], standing: Standing): number =>
  holders.filter((peer) => standingIn(of)(peer) === standing).length;

test('healing ends within the bounds whenever there are enough candidates (R19)', () => {
  fc.assert(
    fc.property(world, (of) => {
      const before = { ...of, isSettled: true };
      const holders = healed(before, (all) => all);
      assert.equal(new Set(holders).size, holders.length);
      const staying = count(of, holders, 'stays');
      const candidates = of.free.filter((peer) => !of.holders.includes(peer)).length;
      const leaving = count(of, holders, 'leaves');
      if (count(of, of.holders, 'stays') + candidates < of.min) {
        assert.ok(leaving === 0 || staying + leaving <= of.max, `${of.holders} -> ${holders}`);
        return;
      }
      assert.ok(staying >= of.min && holders.length <= of.max, `${of.holders} -> ${holders}`);
      assert.equal(count(of, holders, 'leaves') + count(of, holders, 'stranger'), 0);
    }),
  );
});

test('only pins below their minimum get new holders, and those are never gone, drained or cordoned (R17)', () => {
  fc.assert(
    fc.property(world, fc.boolean(), (of, isAsked) => {
      const decision = decided(of, of.holders, isAsked ? of.pinned : undefined);
      if (decision.kind !== 'write') return;
      const added = decision.allocations.filter((peer) => !of.holders.includes(peer));
      const isReplaced = isAsked && of.isSettled && count(of, of.holders, 'leaves') > 0;
      const isAble = (peer: string): boolean =>
        !isReplaced || of.pinned.includes(peer) || of.others.get(peer) === 'works';
      if (count(of, of.holders.filter(isAble), 'stays') >= of.min) assert.deepEqual(added, []);
      for (const peer of added) assert.ok(of.free.includes(peer), peer);
    }),
  );
});

test('a pin with enough living holders, no stranger and nobody that leaves is not touched (R17)', () => {
  fc.assert(
    fc.property(world, (of) => {
      const holders = of.holders.filter((peer) => ['stays', 'gone'].includes(standingIn(of)(peer)));
      if (count(of, holders, 'stays') < of.min || holders.length > of.max) return;
      assert.deepEqual(decided(of, holders, undefined), { kind: 'fine' });
    }),
  );
});

test('deciding again on the result changes nothing', () => {
  fc.assert(
    fc.property(world, fc.boolean(), (of, isAsked) => {
      // Whoever is no holder yet does not hold it yet.
      const pinned = isAsked ? of.pinned.filter((peer) => of.holders.includes(peer)) : undefined;
      const decision = decided(of, of.holders, pinned);
      if (decision.kind !== 'write') return;
      // A pin that was written a moment ago is not settled.
      const again = decided({ ...of, isSettled: false }, decision.allocations, pinned);
      assert.notEqual(again.kind, 'write', JSON.stringify({ decision, again }));
    }),
  );
});

test('no living holder that may hold the pin is dropped before the minimum of the others do, and never the last that does', () => {
  fc.assert(
    fc.property(world, fc.boolean(), (of, isAsked) => {
      const decision = decided(of, of.holders, isAsked ? of.pinned : undefined);
      if (decision.kind !== 'write') return;
      const dropped = of.holders.filter((peer) => !decision.allocations.includes(peer));
      const living = dropped.filter((peer) => ['stays', 'leaves'].includes(standingIn(of)(peer)));
      if (living.length === 0) return;
      const holding = decision.allocations.filter((peer) => of.pinned.includes(peer));
      const least = Math.min(of.min, of.max);
      assert.ok(isAsked && holding.length > 0, JSON.stringify({ of, decision }));
      const isKnownNotToHold = (peer: string): boolean =>
        !of.pinned.includes(peer) && of.others.get(peer) === 'fails' && standingIn(of)(peer) === 'stays';
      if (living.every(isKnownNotToHold)) return;
      assert.ok(count(of, holding, 'stays') + count(of, holding, 'leaves') >= least, JSON.stringify({ of, decision }));
      const staying = dropped.filter((peer) => standingIn(of)(peer) === 'stays' && !isKnownNotToHold(peer));
      assert.ok(staying.length === 0 || count(of, holding, 'stays') >= least, JSON.stringify({ of, decision }));
    }),
  );
});

test('no holder that may come back is dropped before another one holds the pin', () => {
  fc.assert(
    fc.property(world, fc.boolean(), (of, isAsked) => {
      const decision = decided(of, of.holders, isAsked ? of.pinned : undefined);
      if (decision.kind !== 'write') return;
      const dropped = of.holders.filter((peer) => !decision.allocations.includes(peer));
      if (count(of, dropped, 'gone') === 0) return;
      const holding = decision.allocations.filter((peer) => of.pinned.includes(peer) && of.holders.includes(peer));
      assert.ok(isAsked && holding.length > 0, JSON.stringify({ of, decision }));
    }),
  );
});
