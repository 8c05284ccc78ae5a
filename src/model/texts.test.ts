/**
 * Texts of CIDs, times, durations, addresses, queries and filters, with the recorded refusals.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CID } from 'multiformats/cid';
import { errorCode } from '../base/index.ts';
import {
  Cid,
  compareTimes,
  defaultPinOptions,
  formatGoDuration,
  formatStatusFilter,
  formatTime,
  multiaddrFromBytes,
  multiaddrToBytes,
  parseGoDuration,
  parseMultiaddr,
  parsePeerId,
  parsePinOptions,
  parsePinTypeFilter,
  parseQuery,
  parseStatusFilter,
  parseTime,
  pinTypeBits,
  routes,
  statusMatches,
  timeFromNanos,
  timeToNanos,
} from './index.ts';

const v0 = 'QmccvEeJ1S95baJ6brLwNCKc6uq89vpVEoUGcEXc5FHhaX';
const v1 = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const peer = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
const now = { seconds: 1_700_000_000, nanos: 5 };

test('Cid.parse takes every multibase and prints the canonical form', () => {
  for (const text of [v0, v1]) assert.equal(Cid.parse(text).toString(), text);
  const base58 = 'zdj7WbwVk27AwgarY7XQdzE7zYERTV3eHKynA4g3NyQZapDUP';
  assert.equal(Cid.parse(base58).toString(), 'bafybeidaxmulzhvp5cr7dh75v554rpxeutcgbyznmqivt2enjoijhrm5bq');
  const hex = `f${Buffer.from(Cid.parse(v1).bytes).toString('hex')}`;
  assert.equal(Cid.parse(hex).toString(), v1);
  assert.equal(Cid.parse(hex.toUpperCase()).toString(), v1);
  assert.equal(Cid.parse(`m${Buffer.from(Cid.parse(v1).bytes).toString('base64').replace(/=+$/, '')}`).toString(), v1);
});

test('Cid tells version, codec and identity', () => {
  assert.equal(Cid.parse(v0).version, 0);
  assert.equal(Cid.parse(v0).codec, 0x70);
  assert.equal(Cid.parse(v1).codec, 0x70);
  const sameHash = Cid.decode(CID.parse(v0).toV1().bytes);
  assert.ok(!sameHash.equals(Cid.parse(v0)));
  assert.notEqual(sameHash.key, Cid.parse(v0).key);
});

test('Cid.parse refuses with the texts of the reference', () => {
  const refusals = {
    foo: "invalid cid: encoding/hex: invalid byte: U+006F 'o'",
    a: 'invalid cid: cid too short',
    '': 'invalid cid: cid too short',
    recover: 'invalid cid: selected encoding not supported',
  };
  for (const [text, message] of Object.entries(refusals)) {
    assert.throws(() => Cid.parse(text), { code: 'model/bad-cid', message });
  }
});

test('Cid.parse agrees with the reference implementation, and never fails otherwise', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.constantFrom('b', 'z', 'f', 'k', 'm').chain((p) => fc.string().map((s) => p + s)),
      ),
      (text) => {
        try {
          Cid.parse(text);
        } catch (error) {
          assert.equal(errorCode(error), 'model/bad-cid');
        }
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.integer({ min: 0, max: 300 }), (digest, code) => {
      const cid = CID.createV1(code, {
        code: 0x1b,
        digest,
        size: digest.length,
        bytes: Uint8Array.from([0x1b, digest.length, ...digest]),
      });
      assert.equal(Cid.parse(cid.toString()).toString(), cid.toString());
      assert.deepEqual(Cid.decode(cid.bytes).bytes, cid.bytes);
    }),
  );
});

test('times print and parse as in Go', () => {
  const texts = [
    '2024-01-02T03:04:05Z',
    '2024-01-02T03:04:05.678901234Z',
    '2024-02-29T23:59:59.5-07:30',
    '1960-01-01T00:00:00Z',
    '0000-03-01T00:00:00Z',
    '9999-12-31T23:59:59.999999999Z',
  ];
  for (const text of texts) assert.equal(formatTime(parseTime(text)), text);
  assert.equal(parseTime('0001-01-01T00:00:00Z'), null);
  assert.equal(formatTime(null), '0001-01-01T00:00:00Z');
  assert.equal(compareTimes(parseTime('2024-01-01T05:00:00+05:00'), parseTime('2024-01-01T00:00:00Z')), 0);
  assert.throws(() => parseTime('tomorrow'), {
    code: 'model/bad-time',
    message: 'parsing time "tomorrow" as "2006-01-02T15:04:05Z07:00": cannot parse "tomorrow" as "2006"',
  });
  assert.throws(() => parseTime('2023-02-29T00:00:00Z'), /day out of range/);
});

test('times agree with Date and with nanoseconds', () => {
  fc.assert(
    fc.property(fc.date({ min: new Date('0002-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
      const time = parseTime(date.toISOString());
      assert.equal(time === null ? 0 : time.seconds * 1000 + time.nanos / 1e6, date.getTime());
      assert.equal(formatTime(time), date.toISOString().replace(/\.?0+Z$/, 'Z'));
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (n) =>
      assert.equal(timeToNanos(timeFromNanos(n)), n),
    ),
  );
});

test('durations print and parse as in Go', () => {
  const same = ['2m0s', '1h0m0s', '300ms', '1.5s', '1µs', '15ns', '0s', '-1m30s', '2562047h47m16.854775807s'];
  for (const text of same.slice(0, -1)) assert.equal(formatGoDuration(parseGoDuration(text)), text);
  assert.equal(parseGoDuration('1.5h'), 5_400_000);
  assert.equal(parseGoDuration('2h45m'), 9_900_000);
  assert.throws(() => parseGoDuration('1d'), { message: 'time: unknown unit "d" in duration "1d"' });
  assert.throws(() => parseGoDuration('5'), { message: 'time: missing unit in duration "5"' });
  assert.throws(() => parseGoDuration(''), { message: 'time: invalid duration ""' });
  assert.throws(() => parseGoDuration('constructors'), { code: 'model/bad-duration' });
});

test('multiaddrs of unix sockets have whole paths', () => {
  // go-multiaddr `multiaddr_test.go`: `/unix/a/b/c/d/e` and its like.
  const text = '/unix/a/b/c/d/e';
  const bytes = Uint8Array.of(0x90, 0x03, 0x0a, ...new TextEncoder().encode('/a/b/c/d/e'));
  assert.deepEqual(multiaddrToBytes(text), bytes);
  assert.equal(multiaddrFromBytes(bytes), text);
  assert.equal(multiaddrFromBytes(multiaddrToBytes('/unix/ä b.sock')), '/unix/ä b.sock');
  for (const wrong of ['/unix', '/unix/', '/unix//', '/unix/a/']) {
    assert.throws(() => multiaddrToBytes(wrong), { code: 'model/bad-multiaddr' }, wrong);
  }
  for (const end of [1, 3, bytes.length - 1]) {
    const cut = bytes.subarray(0, end);
    assert.deepEqual(multiaddrToBytes(multiaddrFromBytes(cut)), cut);
  }
});

test('multiaddrs with unknown protocols are kept, not refused', () => {
  const unknown = Uint8Array.from([0x04, 127, 0, 0, 1, 0xff, 0xff, 0x03, 9, 9]);
  const text = multiaddrFromBytes(unknown);
  assert.deepEqual(multiaddrToBytes(text), unknown);
  assert.equal(parseMultiaddr(`/ip4/1.2.3.4/tcp/1/ipfs/${peer}`), `/ip4/1.2.3.4/tcp/1/p2p/${peer}`);
  // A code, and the length of a unix socket's path, beyond what numbers hold.
  const long = [128, 128, 128, 128, 128, 128, 128, 16];
  for (const bytes of [long, [0x90, 0x03, ...long]].map((numbers) => Uint8Array.from(numbers))) {
    assert.deepEqual(multiaddrToBytes(multiaddrFromBytes(bytes)), bytes);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) =>
      assert.deepEqual(multiaddrToBytes(multiaddrFromBytes(bytes)), bytes),
    ),
  );
});

test('parsePeerId refuses with the text of the reference', () => {
  assert.throws(() => parsePeerId('foo'), {
    message: "failed to parse peer ID: invalid cid: encoding/hex: invalid byte: U+006F 'o'",
  });
  assert.throws(() => parsePeerId(v1), { code: 'model/bad-peer-id' });
  assert.throws(() => parsePeerId('1'), { code: 'model/bad-peer-id' });
});

test('parseQuery follows net/url', () => {
  const query = parseQuery('a=1&a=2&b=x+y&c=%C3%A9&bad=%zz&semi=1;2&=empty&flag&d=%ff');
  assert.equal(query.get('a'), '1');
  assert.equal(query.get('b'), 'x y');
  assert.equal(query.get('c'), 'é');
  assert.equal(query.get('bad'), '');
  assert.equal(query.get('semi'), '');
  assert.equal(query.get('d'), '\ufffd');
  assert.deepEqual([...query.names()], ['a', 'b', 'c', '', 'flag', 'd']);
});

test('parsePinOptions reads what the reference reads', () => {
  assert.deepEqual(parsePinOptions(parseQuery(''), now), { ...defaultPinOptions, metadata: {} });
  const query = parseQuery(
    `name=n&mode=direct&replication=3&replication-min=1&user-allocations=foo,${peer}&expire-in=1m&meta-k=v&meta-=x&shard-size=7`,
  );
  assert.deepEqual(parsePinOptions(query, now), {
    ...defaultPinOptions,
    name: 'n',
    mode: 'direct',
    replicationFactorMin: 3,
    replicationFactorMax: 3,
    userAllocations: [peer],
    expireAt: { seconds: now.seconds + 60, nanos: 5 },
    metadata: { k: 'v' },
    shardSize: 7,
  });
});

test('parsePinOptions refuses with the recorded texts', () => {
  const refusals = {
    'replication-min=x': 'parameter replication-min invalid',
    'replication=abc': 'parameter replication-min invalid',
    'replication-max=1.5': 'parameter replication-max invalid',
    'shard-size=-1': 'parameter shard_size is invalid',
    'expire-at=tomorrow':
      'expire-at cannot be parsed: parsing time "tomorrow" as "2006-01-02T15:04:05Z07:00": cannot parse "tomorrow" as "2006"',
    'expire-in=1d': 'expire-in cannot be parsed: time: unknown unit "d" in duration "1d"',
    'expire-in=10ms': 'expire-in duration too short',
    'origins=foo': 'error decoding multiaddress: failed to parse multiaddr "foo": must begin with /',
    'origins=/ip4/1.2.3.4/tcp/4001': 'multiaddress does not contain peer ID: protocol not found in multiaddr',
    'pin-update=foo': "error decoding update option parameter: invalid cid: encoding/hex: invalid byte: U+006F 'o'",
  };
  for (const [query, message] of Object.entries(refusals)) {
    assert.throws(() => parsePinOptions(parseQuery(query), now), { code: 'model/bad-pin-options', message });
  }
});

test('status filters are unions of names and groups', () => {
  assert.equal(parseStatusFilter('pinned, pinning'), 48);
  assert.equal(parseStatusFilter('error'), 14);
  assert.equal(parseStatusFilter('bogus'), 0);
  assert.equal(parseStatusFilter('Pinned,constructor'), 0);
  for (const text of ['error', 'queued', 'pinned', 'cluster_error,pinned', '']) {
    assert.equal(parseStatusFilter(formatStatusFilter(parseStatusFilter(text))), parseStatusFilter(text));
  }
  assert.ok(statusMatches('pinned', 0));
  assert.ok(statusMatches('undefined', 16));
  assert.ok(!statusMatches('pinning', 16));
});

test('pin type filters take the empty name for all', () => {
  assert.equal(parsePinTypeFilter(''), pinTypeBits.all);
  assert.equal(parsePinTypeFilter('foo'), pinTypeBits.bad);
  assert.equal(parsePinTypeFilter('pin,shard-pin'), 18);
  assert.equal(parsePinTypeFilter('pin,foo') & pinTypeBits.pin, pinTypeBits.pin);
});

test('every route has an id of its own', () => {
  assert.equal(new Set(routes.map((route) => route.id)).size, routes.length);
});
