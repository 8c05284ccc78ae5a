/** The fast ways of lists give what the plain ways give, for whatever pins and statuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  base32UpperDecodeBytes,
  base32UpperEncode,
  base58Encode,
  concatBytes,
  errorCode,
  utf8Decode,
  utf8Encode,
} from '../base/index.ts';
import {
  Cid,
  decodePin,
  encodePin,
  type GlobalStatusRow,
  globalPinInfoJson,
  globalPinInfoOf,
  type PeerLabel,
  type Pin,
  type PinHeader,
  PinLines,
  pinJson,
  readStatusRows,
  StatusLines,
  StatusRowWriter,
  StoredPin,
  stateKey,
  type Time,
  type TrackerStatus,
  trackerStatusBits,
} from './index.ts';

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const cid = fc
  .tuple(fc.constantFrom([1, 0x55], [1, 0x70], [1, 0x71], []), digest)
  .map(([prefix, bytes]) => Cid.decode(Uint8Array.from([...prefix, 0x12, 32, ...bytes])));
const peerId = digest.map((key) => base58Encode(Uint8Array.from([0, 36, 8, 1, 18, 32, ...key])));
const time: fc.Arbitrary<Time | null> = fc.option(
  fc.record(
    {
      seconds: fc.oneof(fc.integer({ min: -1, max: 2 ** 36 }), fc.integer({ min: 0, max: 2e9 })),
      nanos: fc.nat(999_999_999),
    },
    { noNullPrototype: true },
  ),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ maxLength: 20 }),
  fc.constantFrom('', 'a<b', '"\\', 'Zoë', '\u2028', 'undefined"', '@name', 'x'.repeat(5000)),
);
/** `rare` gives what most pins have not. */
const pinWith = (rare: <T>(usual: T, other: fc.Arbitrary<T>) => fc.Arbitrary<T>): fc.Arbitrary<Pin> =>
  fc.record(
    {
      replicationFactorMin: rare(-1, fc.integer({ min: -1, max: 1000 })),
      replicationFactorMax: fc.integer({ min: -1, max: 5 }),
      name: text,
      mode: fc.constantFrom<Pin['mode']>('recursive', 'direct'),
      shardSize: rare(0, fc.maxSafeNat()),
      userAllocations: fc.constant(null),
      expireAt: rare<Time | null>(null, time),
      metadata: rare<Pin['metadata']>(null, fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 3 })),
      pinUpdate: rare<Cid | null>(null, cid),
      origins: rare<Pin['origins']>(null, fc.constant(['/ip4/1.2.3.4/tcp/4001'])),
      cid,
      type: fc.constantFrom('bad', 'pin', 'meta-pin', 'clusterdag-pin', 'shard-pin'),
      allocations: fc.option(fc.array(peerId, { maxLength: 4 })),
      maxDepth: fc.integer({ min: -1, max: 2 }),
      reference: rare<Cid | null>(null, cid),
      timestamp: time,
    },
    { noNullPrototype: true },
  );
const pin: fc.Arbitrary<Pin> = fc.oneof(
  pinWith((usual) => fc.constant(usual)),
  pinWith((usual, other) => fc.oneof(fc.constant(usual), other)),
);

function store(value: Pin): StoredPin {
  return new StoredPin(stateKey(value.cid), encodePin(value));
}

/** `null` for what has no place. */
function attempt<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    assert.match(errorCode(error), /^(model|base)\//);
    return null;
  }
}

test('StoredPin: reads of every stored pin what decodePin does', () => {
  fc.assert(
    fc.property(pin, (value) => {
      const stored = store(value);
      const whole = decodePin(encodePin(value), value.cid);
      const { type, maxDepth, replicationFactorMin, replicationFactorMax, allocations, name, timestamp } = stored;
      const { origins, metadata, expireAt } = stored;
      const seen = { type, maxDepth, replicationFactorMin, replicationFactorMax, allocations, name, timestamp };
      assert.deepEqual({ ...whole, ...seen, origins, metadata, expireAt, cid: whole.cid }, whole);
      assert.ok(stored.cid.equals(value.cid));
      assert.deepEqual(stored.pin(), whole);
    }),
    { numRuns: 1000 },
  );
});

test('StoredPin: the usual pin is plain, and bytes that are changed give what decodePin gives of them', () => {
  fc.assert(
    fc.property(
      pinWith((usual) => fc.constant(usual)),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 3 }),
      (value, changes) => {
        const bytes = encodePin(value);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        const whole = attempt(() => decodePin(bytes, value.cid));
        const stored = attempt(() => new StoredPin(stateKey(value.cid), bytes));
        if (whole === null || stored === null) {
          assert.equal(stored, whole);
          return;
        }
        const lines = new PinLines();
        lines.add(stored);
        assert.equal(utf8Decode(lines.take()), `${pinJson.print(whole)}\n`);
      },
    ),
    { numRuns: 2000 },
  );
  const usual = {
    ...decodePin(encodePin(fc.sample(pin, { numRuns: 1, seed: 1 })[0] as Pin)),
    name: 'n',
    expireAt: null,
  };
  const plain: Pin = { ...usual, metadata: null, origins: null, pinUpdate: null, reference: null, shardSize: 0 };
  assert.ok(store({ ...plain, type: 'pin', replicationFactorMin: -1, timestamp: { seconds: 5, nanos: 0 } }).isPlain);
});

test('PinLines: the fast writer equals the slow one', () => {
  fc.assert(
    fc.property(fc.array(pin, { maxLength: 20 }), (pins) => {
      const lines = new PinLines();
      const chunks: Uint8Array[] = [];
      for (const value of pins) {
        lines.add(store(value));
        if (lines.isFull) chunks.push(lines.take());
      }
      const slow = pins.map((value) => `${pinJson.print(decodePin(encodePin(value), value.cid))}\n`).join('');
      assert.equal(utf8Decode(concatBytes([...chunks, lines.take()])), slow);
    }),
    { numRuns: 500 },
  );
});

const label: fc.Arbitrary<PeerLabel> = fc.record(
  {
    peer: peerId,
    peername: text,
    ipfsPeerId: fc.oneof(fc.constant(''), peerId),
    ipfsAddresses: fc.constantFrom(null, [], ['/ip4/1.2.3.4/tcp/4001', '/ip4/127.0.0.1/tcp/4001']),
  },
  { noNullPrototype: true },
);
const status = fc.constantFrom(...(Object.keys(trackerStatusBits) as TrackerStatus[]));
const row = fc.record(
  {
    status,
    timestamp: fc.option(time, { nil: undefined }),
    error: fc.oneof(fc.constant(''), text),
    attemptCount: fc.oneof(fc.constant(0), fc.nat()),
    priorityPin: fc.boolean(),
  },
  { noNullPrototype: true },
);

test('StatusLines: the fast writer equals the slow one', () => {
  const entry = fc.tuple(pin, fc.boolean(), fc.uniqueArray(fc.tuple(label, row), { selector: ([{ peer }]) => peer }));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
      const lines = new StatusLines();
      let slow = '';
      for (const [value, isStored, unsorted] of entries) {
        const peers = unsorted.sort(([a], [b]) => (a.peer < b.peer ? -1 : 1));
        const global: GlobalStatusRow = { pin: isStored ? store(value) : value, peers };
        lines.add(global);
        slow += `${globalPinInfoJson.print(globalPinInfoOf(global))}\n`;
      }
      assert.equal(utf8Decode(lines.take()), slow);
    }),
    { numRuns: 500 },
  );
});

test('StatusRowWriter: readStatusRows gives the rows again, and the pins that are not stored ones', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(pin, row, fc.boolean())), (entries) => {
      const writer = new StatusRowWriter();
      const rows = entries.map(([value, rest, isStored]) => {
        const stored = store(value);
        writer.add({ key: stored.key, ...rest, pin: isStored ? stored : value });
        return { ...rest, key: stored.key, header: isStored ? undefined : headerOf(stored) };
      });
      const read = readStatusRows(writer.take()).map(({ pin: of, ...rest }) => ({
        ...rest,
        header: of && headerOf(of),
      }));
      assert.deepEqual(read, rows);
      assert.equal(writer.sizeBytes, 0);
    }),
  );
});

function headerOf({ cid: of, name, allocations, origins, metadata, timestamp }: PinHeader): unknown {
  return { cid: of.toString(), name, allocations, origins, metadata, timestamp };
}

test('readStatusRows: keys name CIDs, since lines have their letters as they are', () => {
  // Of CIDs of all kinds, some with a letter replaced, and whatever else.
  const kind = fc.constantFrom([], [1, 0x55], [1, 0x70], [1, 0x80, 1], [2, 0x55]);
  const hash = fc.constantFrom([0x12, 32], [0x12, 31], [0x16, 32], [0x13, 32], [0, 32]);
  const bytesOfCid = fc.tuple(kind, hash, digest).map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
  const whole = bytesOfCid.map((bytes) => utf8Encode(base32UpperEncode(bytes)));
  const spoiled = fc.tuple(whole, fc.nat(59), fc.oneof(fc.nat(255), fc.constant(0x22))).map(([letters, at, byte]) => {
    letters[at % letters.length] = byte;
    return letters;
  });
  const anyKey = fc.oneof(whole, spoiled, fc.uint8Array({ maxLength: 80 }));
  fc.assert(
    fc.property(anyKey, pin, row, fc.boolean(), (key, value, rest, hasPin) => {
      const writer = new StatusRowWriter();
      writer.add({ key: 'A'.repeat(key.length), ...rest, pin: hasPin ? value : store(value) });
      const bytes = writer.take();
      // Behind the bits, the status and the length.
      bytes.set(key, 3);
      const refusal = attempt(() => void Cid.decode(base32UpperDecodeBytes(key)));
      assert.equal(
        attempt(() => void readStatusRows(bytes)),
        refusal,
      );
    }),
    { numRuns: 2000 },
  );
});

test('readStatusRows: answers or refuses whatever bytes come', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void attempt(() => readStatusRows(bytes))));
});
