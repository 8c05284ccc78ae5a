import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metric } from '../../model/metric.ts';
import { type AllocateRequest, allocate } from './allocate.ts';

interface PeerSpec {
  readonly group?: string;
  readonly free?: number;
}

function request(peers: Record<string, PeerSpec>, more: Partial<AllocateRequest> = {}): AllocateRequest {
  const made = (name: string, of: (spec: PeerSpec) => Partial<Metric> | undefined): Metric[] =>
    Object.entries(peers).flatMap(([peer, spec]) => {
      const part = of(spec);
      if (part === undefined) return [];
      const base = { name, peer, value: '', expire: 1n, valid: true, weight: 0n, partitionable: false, receivedAt: 0n };
      return [{ ...base, ...part }];
    });
  return {
    replicationMin: 1,
    replicationMax: 1,
    current: [],
    preferred: [],
    excluded: new Set(),
    allocateBy: ['tag:group', 'freespace'],
    metrics: new Map([
      [
        'tag:group',
        made('tag:group', (s) => (s.group === undefined ? undefined : { value: s.group, partitionable: true })),
      ],
      [
        'freespace',
        made('freespace', (s) => (s.free === undefined ? undefined : { value: `${s.free}`, weight: BigInt(s.free) })),
      ],
    ]),
    ...more,
  };
}

const zones = {
  a1: { group: 'a', free: 10 },
  a2: { group: 'a', free: 90 },
  b1: { group: 'b', free: 50 },
  b2: { group: 'b', free: 60 },
  c1: { group: 'c', free: 5 },
};

test('allocate takes turns between groups, largest total first, and by free space inside', () => {
  assert.deepEqual(allocate(request(zones, { replicationMin: 5, replicationMax: 5 })), ['b2', 'a2', 'c1', 'b1', 'a1']);
});

test('allocate never takes two of a group while another group has a peer', () => {
  assert.deepEqual(allocate(request(zones, { replicationMin: 2, replicationMax: 3 })), ['b2', 'a2', 'c1']);
});

test('allocate keeps live holders and tops up only below the minimum', () => {
  const more = { replicationMin: 1, replicationMax: 3, current: ['a1'] };
  assert.deepEqual(allocate(request(zones, more)), ['a1']);
  assert.deepEqual(allocate(request(zones, { ...more, replicationMin: 2 })), ['a1', 'b2', 'a2']);
});

test('allocate: only pins below the minimum move when a holder is lost', () => {
  const holders = { current: ['a1', 'b1'], excluded: new Set(['a1']), replicationMax: 2 };
  assert.deepEqual(allocate(request(zones, { ...holders, replicationMin: 1 })), ['a1', 'b1']);
  assert.deepEqual(allocate(request(zones, { ...holders, replicationMin: 2 })), ['b1', 'a2']);
});

test('allocate drops holders above the maximum, wanted ones last', () => {
  const more = { replicationMin: 1, replicationMax: 2, current: ['a1', 'b1', 'c1'], preferred: ['c1'] };
  assert.deepEqual(allocate(request(zones, more)), ['c1', 'a1']);
});

test('allocate prefers the peers that the user named', () => {
  assert.deepEqual(allocate(request(zones, { replicationMin: 2, replicationMax: 2, preferred: ['c1'] })), ['c1', 'b2']);
});

test('allocate ignores peers that lack a metric or are not eligible', () => {
  const peers = { ...zones, d1: { group: 'd' }, e1: { free: 999 } };
  const more = { replicationMin: 1, replicationMax: 9, isEligible: (p: string) => p !== 'b2' };
  assert.deepEqual(allocate(request(peers, more)), ['a2', 'b1', 'c1', 'a1']);
});

test('allocate error texts are the reference ones', () => {
  const text = (r: AllocateRequest): string => {
    try {
      allocate(r);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.equal(
    text(request(zones, { replicationMin: 6, replicationMax: 7, current: ['a1'] })),
    'not enough peers to allocate CID. Needed at least: 5. Wanted at most: 6. Available candidates: 4. See logs for more info.',
  );
  assert.equal(text(request(zones, { replicationMin: 0, replicationMax: 0 })), 'bad replication factors: 0/0');
  assert.deepEqual(allocate(request(zones, { replicationMin: -1, replicationMax: -1 })), []);
});
