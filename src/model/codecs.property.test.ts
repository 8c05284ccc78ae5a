/**
 * Round trips of generated values, and that no bytes make a decoder do anything but answer or refuse.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode as oracleDecode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { base58Encode, errorCode, hexEncode } from '../base/index.ts';
import {
  type AnyRpcMethod,
  Cid,
  type Codec,
  decodePin,
  encodePin,
  formatPinOptions,
  globalPinInfoJson,
  methods,
  metricCodec,
  metricJson,
  type Pin,
  parsePinOptions,
  parseQuery,
  pinJson,
  raftCommandCodec,
  skipMsgpackValue,
  type Time,
} from './index.ts';
import * as raft from './raft-wire.ts';

const cid = fc
  .tuple(fc.constantFrom(0x55, 0x70, 0x71), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  .map(([codec, digest]) => Cid.decode(Uint8Array.from([1, codec, 0x12, 32, ...digest])));
const peerId = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((key) => base58Encode(Uint8Array.from([0, 36, 8, 1, 18, 32, ...key])));
const address = fc
  .tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 }), peerId)
  .map(([ip, port, id]) => `/ip4/${ip}/tcp/${port}/p2p/${id}`);
const time: fc.Arbitrary<Time | null> = fc.option(
  fc.record(
    {
      seconds: fc.integer({ min: -60_000_000_000, max: 200_000_000_000 }),
      nanos: fc.integer({ min: 0, max: 999_999_999 }),
    },
    { noNullPrototype: true },
  ),
);
const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const metadata = fc.option(fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 5 }));
const ids = fc.option(fc.array(peerId, { maxLength: 4 }));
const origins = fc.option(fc.array(address, { maxLength: 3 }));
const replication = fc.integer({ min: -1, max: 1000 });

const pin: fc.Arbitrary<Pin> = fc.record(
  {
    replicationFactorMin: replication,
    replicationFactorMax: replication,
    name: text,
    mode: fc.constantFrom('recursive', 'direct'),
    shardSize: fc.maxSafeNat(),
    userAllocations: ids,
    expireAt: time,
    metadata,
    pinUpdate: fc.option(cid),
    origins,
    cid,
    type: fc.constantFrom('bad', 'pin', 'meta-pin', 'clusterdag-pin', 'shard-pin', 'all'),
    allocations: ids,
    maxDepth: fc.integer({ min: -1, max: 5 }),
    reference: fc.option(cid),
    timestamp: time,
  },
  { noNullPrototype: true },
);

const decoders: ReadonlyMap<string, Codec<unknown>> = new Map<string, Codec<unknown>>([
  ...Object.values(methods)
    .flatMap((rows): AnyRpcMethod[] => Object.values(rows))
    .flatMap((method): [string, Codec<unknown>][] => [
      [`${method.service}.${method.name} argument`, method.argument],
      [`${method.service}.${method.name} reply`, method.reply],
    ]),
  ['metric', metricCodec],
  ['raft command', raftCommandCodec],
  ['append entries', raft.appendEntriesRequestCodec],
  ['install snapshot', raft.installSnapshotRequestCodec],
  ['configuration', raft.raftConfigurationCodec],
  ['log entry', raft.raftLogEntryCodec],
]);

test('pins survive msgpack, and the general decoder understands the bytes', () => {
  const codec = methods.Consensus.LogPin.argument;
  fc.assert(
    fc.property(pin, (value) => {
      const bytes = codec.encode(value);
      assert.deepEqual(codec.decode(bytes), value);
      // The general decoder takes no such key.
      if (Object.hasOwn(value.metadata ?? {}, '__proto__')) return;
      const seen = oracleDecode(bytes, { rawStrings: true }) as Record<string, unknown>;
      assert.equal(hexEncode(seen.c as Uint8Array), hexEncode(value.cid.bytes));
      assert.equal(skipMsgpackValue(bytes, 0), bytes.length);
    }),
  );
});

test('commands survive, apart from what nil and empty have in common', () => {
  fc.assert(
    fc.property(pin, fc.constantFrom('pin' as const, 'unpin' as const), (value, type) => {
      const command = { type, pin: value };
      const isEmpty = value.metadata !== null && Object.keys(value.metadata).length === 0;
      const expected = isEmpty ? { type, pin: { ...value, metadata: null } } : command;
      assert.deepEqual(raftCommandCodec.decode(raftCommandCodec.encode(command)), expected);
    }),
  );
});

test('pins survive protobuf, apart from what it does not store', () => {
  fc.assert(
    fc.property(pin, (value) => {
      const whole = (at: Time | null): Time | null => (at === null || at.seconds <= 0 ? null : { ...at, nanos: 0 });
      const back = decodePin(encodePin(value));
      assert.deepEqual(back, {
        ...value,
        type: value.type === 'all' ? 'bad' : value.type,
        mode: value.maxDepth === 0 ? 'direct' : 'recursive',
        userAllocations: null,
        allocations: value.allocations ?? [],
        origins: value.origins ?? [],
        metadata: value.metadata === null || Object.keys(value.metadata).length === 0 ? null : value.metadata,
        expireAt: whole(value.expireAt),
        timestamp: whole(value.timestamp),
      });
      assert.equal(hexEncode(encodePin(back)), hexEncode(encodePin(value)));
    }),
  );
});

test('pins survive JSON', () => {
  fc.assert(fc.property(pin, (value) => assert.deepEqual(pinJson.parse(pinJson.print(value)), value)));
});

test('printed JSON is what JSON.stringify makes of the same data, apart from escapes', () => {
  fc.assert(
    fc.property(pin, (value) => {
      const printed = pinJson.print(value);
      const again = JSON.stringify(JSON.parse(printed)).replace(
        /[<>&\u2028\u2029]/g,
        (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
      // JSON.parse moves keys that look like indexes to the front.
      if (!Object.keys(value.metadata ?? {}).some((key) => /^[0-9]+$/.test(key) || key === '__proto__')) {
        assert.equal(printed, again);
      }
    }),
  );
});

test('pin options survive the query string', () => {
  fc.assert(
    fc.property(pin, (value) => {
      const { cid: _cid, type: _type, allocations: _a, maxDepth: _d, reference: _r, timestamp: _t, ...options } = value;
      const metadata = Object.fromEntries(Object.entries(options.metadata ?? {}).filter(([key]) => key !== ''));
      const back = parsePinOptions(parseQuery(formatPinOptions(options)), { seconds: 0, nanos: 0 });
      const none = (list: readonly string[] | null) => (list === null || list.length === 0 ? null : list);
      assert.deepEqual(back, {
        ...options,
        metadata,
        userAllocations: none(options.userAllocations),
        origins: none(options.origins),
      });
    }),
  );
});

test('metrics keep every digit of their times in JSON', () => {
  const text = '{"name":"ping","expire":1704164675123456789,"weight":-9223372036854775808,"received_at":5}';
  const metric = metricJson.parse(text);
  assert.equal(metric.expire, 1704164675123456789n);
  assert.equal(metric.weight, -9223372036854775808n);
  assert.equal(metric.receivedAt, 5n);
});

test('random bytes are refused with model/bad-encoding or decoded, by every codec', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...decoders), (bytes, [name, codec]) => {
      attempt(name, () => codec.decode(bytes));
      attempt(name, () => codec.decodeAt(bytes, 0));
      attempt(name, () => decodePin(bytes));
      attempt(name, () => skipMsgpackValue(bytes, 0));
    }),
    { numRuns: 3000 },
  );
});

test('damaged pins are refused or decoded, and every prefix of a value is incomplete', () => {
  const codec = methods.Consensus.LogPin.argument;
  fc.assert(
    fc.property(pin, fc.nat(), fc.nat({ max: 255 }), (value, position, byte) => {
      const bytes = codec.encode(value);
      assert.equal(codec.decodeAt(bytes.subarray(0, position % bytes.length), 0), undefined);
      const damaged = bytes.slice();
      damaged[position % bytes.length] = byte;
      attempt('pin', () => codec.decode(damaged));
      const stored = encodePin(value);
      stored[position % stored.length] = byte;
      attempt('stored pin', () => decodePin(stored));
    }),
    { numRuns: 500 },
  );
});

test('a value is found at any offset and its end is told', () => {
  fc.assert(
    fc.property(fc.array(pin, { maxLength: 4 }), (pins) => {
      const codec = methods.Consensus.LogPin.argument;
      const all = Buffer.concat(pins.map((value) => codec.encode(value)));
      let offset = 0;
      for (const value of pins) {
        const found = codec.decodeAt(all, offset);
        assert.deepEqual(found?.value, value);
        offset = found?.end ?? 0;
      }
      assert.equal(offset, all.length);
    }),
  );
});

test('lengths beyond the limits are refused before their bytes have come', () => {
  const announced = Uint8Array.of(0x81, 0xa1, 0x6e, 0xdb, 0xff, 0xff, 0xff, 0xff);
  assert.throws(() => metricCodec.decodeAt(announced, 0), { code: 'model/bad-encoding' });
  const deep = new Uint8Array(100_000).fill(0x91);
  assert.throws(() => methods.IPFSConnector.ConfigKey.reply.decode(deep), { code: 'model/bad-encoding' });
  assert.equal(skipMsgpackValue(deep, 0), undefined);
});

test('random JSON is refused with model/bad-json or read', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      for (const form of [pinJson, globalPinInfoJson, metricJson]) {
        try {
          form.parse(json);
        } catch (error) {
          assert.equal(errorCode(error), 'model/bad-json');
        }
      }
    }),
  );
  assert.throws(() => pinJson.parse('{"cid":"foo"}'), /cid: invalid cid: /);
  assert.throws(() => pinJson.parse('<html>'), /expected JSON, found "<html>"/);
  assert.throws(
    () => pinJson.parse('{"user_allocations":["12D3","x"]}'),
    /user_allocations\[0\]: failed to parse peer ID/,
  );
});

function attempt(name: string, decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    assert.equal(errorCode(error), 'model/bad-encoding', `${name}: ${error}`);
  }
}
