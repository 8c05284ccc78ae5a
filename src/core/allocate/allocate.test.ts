import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MemberSpec, requestOf } from '../../../test/support/allocation.ts';
import { allocate } from './allocate.ts';
import { explainAllocation } from './explain.ts';
import type { AllocateRequest } from './request.ts';

const zones = {
  a1: { group: 'a', free: 10 },
  a2: { group: 'a', free: 90 },
  b1: { group: 'b', free: 50 },
  b2: { group: 'b', free: 60 },
  c1: { group: 'c', free: 5 },
} satisfies Record<string, MemberSpec>;

const chosen = (members: Record<string, MemberSpec>, more: Partial<AllocateRequest> = {}): readonly string[] =>
  allocate(requestOf(members, more));

/** Class and reason of each peer. */
function reasons(members: Record<string, MemberSpec>, more: Partial<AllocateRequest> = {}): Record<string, string> {
  const { peers } = explainAllocation(requestOf(members, more));
  return Object.fromEntries((peers ?? []).map((judged) => [judged.peer, `${judged.class}: ${judged.reason}`]));
}

test('allocate takes turns between groups, largest total first, and by free space inside', () => {
  const all = ['b2', 'a2', 'c1', 'b1', 'a1'];
  assert.deepEqual(chosen(zones, { replicationMin: 5, replicationMax: 5 }), all);
});

test('allocate never takes two of a group while another group has a peer', () => {
  assert.deepEqual(chosen(zones, { replicationMin: 2, replicationMax: 3 }), ['b2', 'a2', 'c1']);
});

test('allocate keeps live holders and tops up only below the minimum', () => {
  const more = { replicationMin: 1, replicationMax: 3, current: ['a1'] };
  assert.deepEqual(chosen(zones, more), ['a1']);
  assert.deepEqual(chosen(zones, { ...more, replicationMin: 2 }), ['a1', 'b2', 'a2']);
});

test('allocate: one lost peer moves exactly the pins below their minimum (R17)', () => {
  const holders = { current: ['a1', 'b1'], excluded: new Set(['a1']), replicationMax: 2 };
  assert.deepEqual(chosen(zones, { ...holders, replicationMin: 1 }), ['a1', 'b1']);
  assert.deepEqual(chosen(zones, { ...holders, replicationMin: 2 }), ['b1', 'a2']);
});

test('allocate drops holders above the maximum: draining ones first, wanted ones last', () => {
  const more = { replicationMin: 1, replicationMax: 2, current: ['b1', 'a1', 'c1'], preferred: ['c1'] };
  assert.deepEqual(chosen(zones, more), ['c1', 'b1']);
  const draining = { ...zones, b1: { ...zones.b1, cordon: 'draining' as const } };
  assert.deepEqual(chosen(draining, more), ['c1', 'a1']);
});

test('allocate drops silent holders first when the maximum is lowered, and strangers before them', () => {
  const lost = { ...zones, b1: { ping: 'expired' as const } };
  const more = { replicationMin: 1, replicationMax: 2, current: ['b1', 'a1', 'c1', 'stranger'] };
  assert.deepEqual(chosen(lost, more), ['a1', 'c1']);
  assert.deepEqual(chosen(lost, { ...more, replicationMax: 3 }), ['a1', 'c1', 'b1']);
  assert.deepEqual(chosen(lost, { ...more, replicationMax: 4 }), more.current);
  const { reason } = explainAllocation(requestOf(lost, more));
  assert.equal(reason, '4 holders, of which 2 count, more than the maximum of 2: 2 of them let it go');
  const found = reasons(lost, { ...more, replicationMax: 3 });
  assert.match(found.b1 ?? '', /^dropped: holds the pin, but does not count: .*; stays$/);
  assert.match(found.stranger ?? '', /; goes$/);
});

test('allocate prefers the peers that the user named, and never for their sake displaces a holder', () => {
  assert.deepEqual(chosen(zones, { replicationMin: 2, replicationMax: 2, preferred: ['c1'] }), ['c1', 'b2']);
  assert.deepEqual(chosen(zones, { preferred: ['b1', 'c1'], current: ['a1'] }), ['a1']);
});

test('allocate: a peer that lacks a metric is not chosen, and the reason is given (R23)', () => {
  const peers = { ...zones, d1: { group: 'd' }, e1: { free: 999 }, f1: { ...zones.a1, late: ['freespace'] } };
  const more = { replicationMin: 1, replicationMax: 9 };
  assert.deepEqual(chosen(peers, more), ['b2', 'a2', 'c1', 'b1', 'a1']);
  const found = reasons(peers, more);
  assert.equal(found.d1, 'dropped: no metric freespace has arrived');
  assert.equal(found.e1, 'dropped: no metric tag:group has arrived');
  assert.equal(found.f1, 'dropped: its metric freespace expired 12s ago');
  assert.equal(found.c1, 'candidate: can take it; choice 3 of 5');
});

test('allocate: a holder with a slow informer is marked stale, not lost (R21)', () => {
  const slow = { ...zones, a1: { group: 'a', late: ['tag:group'] } };
  const more = { replicationMin: 2, replicationMax: 2, current: ['a1', 'b1'] };
  assert.deepEqual(chosen(slow, more), ['a1', 'b1']);
  const { peers } = explainAllocation(requestOf(slow, more));
  const [holder] = peers ?? [];
  assert.equal(holder?.class, 'current');
  assert.match(holder?.reason ?? '', /counts as its ping is good, though late with metrics: its metric tag:group exp/);
  assert.match(holder?.reason ?? '', /no metric freespace has arrived/);
  assert.deepEqual(
    holder?.metrics?.map(({ name, isStale }) => [name, isStale]),
    [
      ['ping', false],
      ['tag:group', true],
    ],
  );
});

test('allocate: a holder without ping and metrics does not count, as in the reference', () => {
  const lost = { ...zones, a1: { ping: 'expired' as const } };
  assert.deepEqual(chosen(lost, { replicationMin: 2, replicationMax: 2, current: ['a1', 'b1'] }), ['b1', 'a2']);
  const metricsOnly = { ...zones, a1: { ...zones.a1, ping: 'expired' as const } };
  assert.deepEqual(chosen(metricsOnly, { replicationMin: 2, replicationMax: 2, current: ['a1', 'b1'] }), ['a1', 'b1']);
});

test('allocate gives nothing to a peer whose ping has run out, whatever its other metrics say', () => {
  const gone = { ...zones, b2: { ...zones.b2, ping: 'expired' as const } };
  assert.deepEqual(chosen(gone), ['a2']);
  assert.equal(reasons(gone).b2, 'dropped: its metric ping expired 40s ago');
});

test('allocate: cordoned and draining holders count, and are never chosen', () => {
  for (const cordon of ['cordoned', 'draining'] as const) {
    // They withhold all metrics but the ping.
    const members = { ...zones, b2: { cordon } };
    assert.deepEqual(chosen(members), ['a2']);
    assert.deepEqual(chosen(members, { current: ['b2'] }), ['b2']);
    assert.deepEqual(chosen({ ...zones, b2: { ...zones.b2, cordon } }), ['a2'], 'even if a Go-like peer publishes');
  }
});

test('allocate: two peers on one IPFS node count once (R50)', () => {
  const members = { ...zones, a2: { ...zones.a2, node: 'X' }, b2: { ...zones.b2, node: 'X' } };
  const all = { replicationMin: 1, replicationMax: 5 };
  assert.deepEqual(chosen(members, all), ['a2', 'b1', 'c1', 'a1']);
  assert.equal(reasons(members, all).b2, 'dropped: its IPFS node X is that of a2, which counts already');
  assert.deepEqual(chosen(members, { ...all, preferred: ['b2'] })[0], 'b2', 'the one that is wanted');
  const holders = { replicationMin: 2, replicationMax: 2, current: ['b2', 'a2'] };
  assert.deepEqual(chosen(members, holders), ['b2', 'b1'], 'two holders are one copy');
  assert.deepEqual(chosen(members, { current: ['a2'], replicationMin: 2, replicationMax: 2 }), ['a2', 'b1']);
});

test('allocate tells trusted from untrusted, and drops who is no member any more', () => {
  const members = { ...zones, b2: { ...zones.b2, barred: 'not-trusted' as const } };
  const more = { current: ['b2', 'stranger'] };
  assert.deepEqual(chosen(members, more), ['a2']);
  const found = reasons(members, more);
  assert.match(found.b2 ?? '', /^dropped: is not trusted by the peer that decides, .*; is replaced$/);
  assert.equal(found.stranger, 'dropped: is no member of the cluster any more; is replaced');
});

test('allocate error texts are the reference ones', () => {
  const text = (more: Partial<AllocateRequest>): string => {
    const request = requestOf(zones, more);
    const explained = explainAllocation(request);
    assert.equal(explained.outcome, 'failed');
    assert.deepEqual(explained.allocations, []);
    assert.throws(() => allocate(request), { message: explained.error });
    return explained.error;
  };
  assert.equal(
    text({ replicationMin: 6, replicationMax: 7, current: ['a1'] }),
    'not enough peers to allocate CID. Needed at least: 5. Wanted at most: 6. Available candidates: 4. See logs for more info.',
  );
  assert.equal(text({ replicationMin: 0, replicationMax: 0 }), 'bad replication factors: 0/0');
  assert.deepEqual(chosen(zones, { replicationMin: -1, replicationMax: -1 }), []);
});

test('an update takes over the peers of the other pin, whatever their state', () => {
  const more = { takesOver: true, current: ['gone', 'a1'], replicationMin: 5, replicationMax: 5 };
  assert.deepEqual(chosen(zones, more), ['gone', 'a1']);
  assert.equal(explainAllocation(requestOf(zones, more)).outcome, 'taken-over');
});

test('allocate without a metric to decide by chooses nobody, and says so', () => {
  assert.throws(() => chosen(zones, { allocateBy: [] }), { code: 'allocate/not-enough-peers' });
  assert.match(reasons(zones, { allocateBy: [] }).a1 ?? '', /no metric decides, see allocator.balanced.allocate_by/);
});
