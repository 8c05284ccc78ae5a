import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MemberSpec, requestOf } from '../../../test/support/allocation.ts';
import { errorMessage } from '../../base/index.ts';
import { allocate } from './allocate.ts';
import { explainAllocation, whyNot } from './explain.ts';
import type { AllocateRequest } from './request.ts';

const names = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8'];
const someNames = fc
  .subarray([...names, 'stranger'])
  .chain((list) => fc.shuffledSubarray(list, { minLength: list.length }));

const member: fc.Arbitrary<MemberSpec> = fc.record({
  group: fc.constantFrom('x', 'y', 'z'),
  // Few values, so that there are ties.
  free: fc.constantFrom(1, 5, 5, 20, 1000),
  ping: fc.constantFrom('good', 'good', 'good', 'expired', 'never'),
  late: fc.constantFrom<readonly string[]>([], [], [], ['freespace'], ['tag:group']),
  cordon: fc.constantFrom('none', 'none', 'none', 'cordoned', 'draining'),
  barred: fc.constantFrom('no', 'no', 'no', 'not-trusted', 'trusted'),
  node: fc.constantFrom('', '', '', 'n1', 'n2'),
});

interface Case {
  readonly members: Readonly<Record<string, MemberSpec>>;
  readonly more: Partial<AllocateRequest>;
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    members: fc
      .subarray(names)
      .chain((present) => fc.record(Object.fromEntries(present.map((name) => [name, member])))),
    min: fc.integer({ min: 1, max: 6 }),
    extra: fc.nat(3),
    current: someNames,
    preferred: someNames,
    excluded: fc.subarray(names, { maxLength: 2 }),
    allocateBy: fc.constantFrom(['tag:group', 'freespace'], ['freespace'], ['freespace', 'tag:group'], ['tag:group']),
  })
  .map(({ members, min, extra, current, preferred, excluded, allocateBy }) => ({
    members,
    more: {
      replicationMin: min,
      replicationMax: min + extra,
      current,
      preferred,
      excluded: new Set(excluded),
      allocateBy,
    },
  }));

/** The rules once more, as a person would write them down: lists, numbers, no tree. */
function naive({ members, more }: Case): string[] | string {
  const { replicationMin: min = 0, replicationMax: max = 0, current = [], preferred = [] } = more;
  const { excluded = new Set(), allocateBy = [] } = more;
  const specOf = (peer: string): MemberSpec => members[peer] ?? {};
  const isMember = (peer: string): boolean => members[peer] !== undefined;
  const isAlive = (peer: string): boolean => (specOf(peer).ping ?? 'good') === 'good';
  const hasAll = (peer: string): boolean => allocateBy.every((name) => !(specOf(peer).late ?? []).includes(name));
  const isAllowed = (peer: string): boolean => isMember(peer) && !excluded.has(peer) && specOf(peer).barred === 'no';
  const canTake = (peer: string): boolean =>
    isAllowed(peer) && specOf(peer).cordon === 'none' && specOf(peer).ping !== 'expired' && hasAll(peer);

  const oneOfNode = (peers: readonly string[]): string[] =>
    peers.filter((peer, at) => {
      const node = specOf(peer).node ?? '';
      return node === '' || !peers.slice(0, at).some((earlier) => specOf(earlier).node === node);
    });
  const holding = current.filter((peer) => isAllowed(peer) && (isAlive(peer) || hasAll(peer)));
  const free = Object.keys(members).filter((peer) => !current.includes(peer) && canTake(peer));
  const asked = free.filter((peer) => preferred.includes(peer));
  const rest = free.filter((peer) => !preferred.includes(peer));
  const counted = oneOfNode([...holding, ...asked, ...rest]);
  const holders = holding.filter((peer) => counted.includes(peer));

  const isTooMany = new Set(current).size > max;
  if (holders.length >= min && isTooMany) {
    const draining = holders.filter((peer) => specOf(peer).cordon === 'draining');
    const staying = holders.filter((peer) => !draining.includes(peer));
    const byWish = [
      ...staying.filter((peer) => preferred.includes(peer)),
      ...staying.filter((peer) => !preferred.includes(peer)),
    ];
    const lost = [...new Set(current)].filter((peer) => !holders.includes(peer));
    const onlySilent = lost.filter((peer) => isAllowed(peer) && !holding.includes(peer));
    const others = lost.filter((peer) => !onlySilent.includes(peer));
    return [...byWish, ...draining, ...onlySilent, ...others].slice(0, max);
  }
  if (holders.length >= min) return [...current];

  const textOf = (peer: string, name: string): string =>
    name === 'tag:group' ? (specOf(peer).group ?? '') : String(specOf(peer).free);
  const weightOf = (peer: string, name: string): number => (name === 'tag:group' ? 0 : (specOf(peer).free ?? 0));
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  /** Groups side by side, read row by row. */
  const inTurns = (peers: readonly string[], by: readonly string[]): string[] => {
    const [name, ...deeper] = by;
    if (name === undefined) return [...peers].sort();
    const keys = new Set(peers.map((peer) => (name === 'tag:group' ? textOf(peer, name) : peer)));
    const groups = [...keys].map((key) => {
      const inside = peers.filter((peer) => (name === 'tag:group' ? textOf(peer, name) : peer) === key);
      return {
        first: [...inside].sort()[0] ?? '',
        value: textOf(inside[0] ?? '', name),
        weight: sum(inside.map((peer) => weightOf(peer, name))),
        total: sum([name, ...deeper].flatMap((level) => inside.map((peer) => weightOf(peer, level)))),
        row: inTurns(inside, deeper),
      };
    });
    groups.sort(
      (a, b) => b.weight - a.weight || b.total - a.total || order(a.value, b.value) || order(a.first, b.first),
    );
    const longest = Math.max(0, ...groups.map(({ row }) => row.length));
    return [...Array(longest).keys()].flatMap((at) => groups.flatMap(({ row }) => row.slice(at, at + 1)));
  };
  const usable = [asked, rest].flatMap((list) =>
    inTurns(
      list.filter((peer) => counted.includes(peer)),
      allocateBy,
    ),
  );
  const [needed, wanted] = [min - holders.length, max - holders.length];
  if (usable.length < needed) {
    return (
      `not enough peers to allocate CID. Needed at least: ${needed}. Wanted at most: ${wanted}. ` +
      `Available candidates: ${usable.length}. See logs for more info.`
    );
  }
  return [...holders, ...usable.slice(0, wanted)];
}

function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function outcomeOf({ members, more }: Case): readonly string[] | string {
  try {
    return allocate(requestOf(members, more));
  } catch (error) {
    return errorMessage(error);
  }
}

test('allocate decides as the rules written down naively', () => {
  fc.assert(
    fc.property(cases, (one) => {
      assert.deepEqual(outcomeOf(one), naive(one));
    }),
    { numRuns: 3000 },
  );
});

test('explainAllocation says what allocate does, and every peer once with a reason', () => {
  fc.assert(
    fc.property(cases, (one) => {
      const explained = explainAllocation(requestOf(one.members, one.more));
      const outcome = outcomeOf(one);
      assert.deepEqual(explained.error === '' ? explained.allocations : explained.error, outcome);
      assert.equal(explained.error !== '', explained.outcome === 'failed');
      const peers = explained.peers ?? [];
      const expected = new Set([...Object.keys(one.members), ...(one.more.current ?? [])]);
      assert.deepEqual(new Set(peers.map(({ peer }) => peer)), expected);
      assert.equal(peers.length, expected.size);
      for (const { peer, reason, isChosen, class: kind } of peers) {
        assert.ok(reason.length > 0 && !/undefined|\bNaN\b|\.$/.test(reason), reason);
        assert.equal(isChosen, typeof outcome !== 'string' && outcome.includes(peer));
        if (kind === 'dropped') assert.ok(whyNot(explained, peers.length).includes(reason));
      }
    }),
  );
});

test('allocate: the order in which members are known changes nothing', () => {
  fc.assert(
    fc.property(cases, fc.func(fc.nat()), ({ members, more }, rank) => {
      const shuffled = Object.fromEntries(Object.entries(members).sort(([a], [b]) => rank(a) - rank(b)));
      // Who of two on one IPFS node counts is the first one known: without twins only.
      const alone = Object.fromEntries(Object.entries(shuffled).map(([peer, spec]) => [peer, { ...spec, node: '' }]));
      const before = Object.fromEntries(Object.entries(members).map(([peer, spec]) => [peer, { ...spec, node: '' }]));
      assert.deepEqual(outcomeOf({ members: alone, more }), outcomeOf({ members: before, more }));
    }),
  );
});

test('allocate: an allocation that was made stays as it is when asked for again', () => {
  fc.assert(
    fc.property(cases, (one) => {
      const first = outcomeOf(one);
      if (typeof first === 'string') return;
      const again = { ...one, more: { ...one.more, current: first } };
      assert.deepEqual(outcomeOf(again), first);
    }),
  );
});

test('allocate: one more good peer never makes an allocation fail, and never moves what is enough', () => {
  fc.assert(
    fc.property(cases, fc.constantFrom('w', 'x', 'y'), fc.nat(2000), (one, group, free) => {
      const before = outcomeOf(one);
      const more = { ...one, members: { ...one.members, newcomer: { group, free, barred: 'no' as const } } };
      const after = outcomeOf(more);
      if (typeof before !== 'string') assert.notEqual(typeof after, 'string');
      const { outcome } = explainAllocation(requestOf(one.members, one.more));
      if (outcome === 'unchanged' || outcome === 'trimmed') assert.deepEqual(after, before);
    }),
  );
});

test('allocate: result is in bounds, without repetition, among those who may hold it, and spreads over groups', () => {
  const clean = fc.record({
    free: fc.nat(1000),
    group: fc.constantFrom('x', 'y', 'z'),
  });
  const members = fc.dictionary(fc.string({ minLength: 1, maxLength: 3 }), clean, { maxKeys: 12 });
  fc.assert(
    fc.property(members, fc.integer({ min: 1, max: 6 }), fc.nat(3), (peers, min, extra) => {
      const max = min + extra;
      const request = requestOf(peers, { replicationMin: min, replicationMax: max });
      const count = Object.keys(peers).length;
      if (count < min) {
        assert.throws(() => allocate(request), { code: 'allocate/not-enough-peers' });
        return;
      }
      const result = allocate(request);
      assert.equal(result.length, Math.min(max, count));
      assert.equal(new Set(result).size, result.length);
      const groups = new Set(Object.values(peers).map(({ group }) => group)).size;
      const reached = new Set(result.map((peer) => peers[peer]?.group)).size;
      assert.equal(reached, Math.min(groups, result.length));
    }),
  );
});
