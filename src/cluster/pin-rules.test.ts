import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { Cid, type Pin, timeFromNanos } from '../model/index.ts';
import { checkedPin, modeOfDepth } from './pin-rules.ts';

const now = timeFromNanos(1_700_000_000_000_000_000n);
const past = timeFromNanos(1_699_999_999_000_000_000n);
const ahead = timeFromNanos(1_700_000_001_000_000_000n);
const cid = cidNumber(1);
const other = cidNumber(2);
const peer = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
const defaults = { replicationFactorMin: 2, replicationFactorMax: 3 };

const factors = (replicationFactorMin: number, replicationFactorMax: number): Partial<Pin> => ({
  replicationFactorMin,
  replicationFactorMax,
});
const shard: Partial<Pin> = { type: 'shard-pin', maxDepth: 1 };
const clusterDag: Partial<Pin> = { type: 'clusterdag-pin', maxDepth: 0, mode: 'direct', reference: other };
const meta: Partial<Pin> = { type: 'meta-pin', reference: other, allocations: null };
const direct: Partial<Pin> = { maxDepth: 0, mode: 'direct' };

interface Row {
  readonly asked: Partial<Pin>;
  /** What is there already. */
  readonly existing?: Partial<Pin>;
  /** The refusal; absent: it is accepted. */
  readonly error?: string;
  /** Of the pin that is accepted. */
  readonly pin?: Partial<Pin>;
}

const set = 'cluster.replication_factor_min and max must be set';
const larger = 'cluster.replication_factor_min is larger than max';
const mixed = 'cluster.replication_factor_min and max must be -1 when one of them is';
const tooLate = 'pin.ExpireAt set before current time';
const tracking = (is: string, was: string): string =>
  `cannot repin CID with different tracking method, clear state with pin rm to proceed. New: ${is}. Was: ${was}`;
const stillRecursive =
  'cannot repin a CID which is already pinned in recursive mode (new pin is pinned as direct). Unpin it first.';

const rows: Readonly<Record<string, Row>> = {
  'factors of the request': { asked: factors(1, 2), pin: factors(1, 2) },
  'both factors of the cluster': { asked: factors(0, 0), pin: factors(2, 3) },
  'one factor of the cluster each': { asked: factors(1, 0), pin: factors(1, 3) },
  'a minimum of the cluster above the maximum of the request': { asked: factors(0, 1), error: larger },
  'everywhere, which clears allocations': {
    asked: { ...factors(-1, -1), allocations: [peer] },
    pin: { ...factors(-1, -1), allocations: [] },
  },
  'allocations that are given stay, even more than the maximum': {
    asked: { ...factors(1, 1), allocations: [peer, peer] },
    pin: { allocations: [peer, peer] },
  },
  'minimum above maximum': { asked: factors(3, 2), error: larger },
  'minimum above maximum, both wrong: the first rule counts': { asked: factors(-2, -3), error: larger },
  'minimum below -1': { asked: factors(-2, 2), error: 'cluster.replication_factor_min is wrong' },
  'both below -1': { asked: factors(-3, -2), error: 'cluster.replication_factor_min is wrong' },
  'minimum everywhere, maximum not': { asked: factors(-1, 2), error: mixed },
  'maximum everywhere, minimum not': { asked: factors(2, -1), error: larger },
  expired: { asked: { expireAt: past }, error: tooLate },
  'factors come before expiry': { asked: { ...factors(3, 2), expireAt: past }, error: larger },
  'expires now': { asked: { expireAt: now }, pin: { expireAt: now } },
  'expires later': { asked: { expireAt: ahead }, pin: { expireAt: ahead } },
  'the epoch is in the past': { asked: { expireAt: { seconds: 0, nanos: 0 } }, error: tooLate },
  'no CID': { asked: { cid: Cid.undefined }, error: 'bad pin object' },
  're-pin replaces everything': {
    asked: { name: '', metadata: null },
    existing: { name: 'old', metadata: { a: 'b' }, expireAt: ahead },
    pin: { name: '', metadata: null, expireAt: null },
  },
  'recursive over direct': { asked: {}, existing: direct, pin: { mode: 'recursive' } },
  'direct over direct': { asked: direct, existing: direct, pin: { mode: 'direct' } },
  'direct over recursive': { asked: direct, existing: {}, error: stillRecursive },
  'a shard over data': { asked: shard, existing: {}, error: tracking('shard-pin', 'pin') },
  'data over a shard': { asked: {}, existing: shard, error: tracking('pin', 'shard-pin') },
  'meta over data': { asked: meta, existing: {}, error: tracking('meta-pin', 'pin') },
  'another type comes before another mode': {
    asked: { ...clusterDag },
    existing: {},
    error: tracking('clusterdag-pin', 'pin'),
  },
  'expiry comes before what is there': { asked: { ...shard, expireAt: past }, existing: {}, error: tooLate },
  'what is there comes before the type': {
    asked: { ...shard, maxDepth: 2 },
    existing: {},
    error: tracking('shard-pin', 'pin'),
  },
  'data with a reference': { asked: { reference: other }, error: 'data pins should not reference other pins' },
  'a shard': { asked: shard, pin: shard },
  'a shard again': { asked: { ...shard, name: 'new' }, existing: shard, pin: { name: 'new' } },
  'a shard of another depth': { asked: { ...shard, maxDepth: -1 }, error: 'must pin shards go depth 1' },
  'a list of shards': { asked: clusterDag, pin: clusterDag },
  'a list of shards, recursive': { asked: { ...clusterDag, maxDepth: -1 }, error: 'must pin roots directly' },
  'a list of shards of nothing': {
    asked: { ...clusterDag, reference: null },
    error: 'clusterDAG pins should reference a Meta pin',
  },
  meta: { asked: meta, pin: meta },
  'meta with allocations': {
    asked: { ...meta, ...factors(1, 1), allocations: [peer] },
    error: 'meta pin should not specify allocations',
  },
  'meta of nothing': { asked: { ...meta, reference: null }, error: 'metaPins should reference a ClusterDAG' },
  'no type': { asked: { type: 'bad' }, error: 'unrecognized pin type' },
};

for (const [name, { asked, existing, error, pin = {} }] of Object.entries(rows)) {
  test(`checkedPin: ${name}`, () => {
    const check = (): Pin => checkedPin(pinOf(cid, asked), existing && pinOf(cid, existing), defaults, now);
    if (error === undefined) assert.deepEqual(check(), { ...pinOf(cid, asked), ...pin });
    else assert.throws(check, { message: error });
  });
}

test('checkedPin: a cluster without factors says that they must be set', () => {
  const none = { replicationFactorMin: 0, replicationFactorMax: 0 };
  assert.throws(() => checkedPin(pinOf(cid, factors(0, 0)), undefined, none, now), { message: set });
  assert.throws(() => checkedPin(pinOf(cid, factors(1, 0)), undefined, none, now), { message: set });
});

test('modeOfDepth: nothing but depth 0 is direct', () => {
  assert.deepEqual([-1, 0, 1, 5, -7].map(modeOfDepth), ['recursive', 'direct', 'recursive', 'recursive', 'recursive']);
});
