import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { concatBytes, errorCode, hexEncode, SeededRandom } from '../base/index.ts';
import { digestOf } from '../multihash/index.ts';
import { FrameReader } from './frames.ts';
import { decodeMessage, encodeFrame, messageBytesMax } from './message.ts';
import { cidFromPrefix, isBlockOf } from './multihash.ts';

const data = new TextEncoder().encode('hello');
const digest = create(0x12, digestOf(0x12, data) ?? new Uint8Array());
const v1 = CID.createV1(0x55, digest);
const v0 = CID.decode(digest.bytes);

test('encodeFrame and decodeMessage are inverse', () => {
  const frame = encodeFrame({
    wants: [
      { cid: v1, cancel: false, want: 'have', sendDontHave: true },
      { cid: v0, cancel: true, want: 'block', sendDontHave: false },
    ],
    blocks: [{ cid: v1, data }],
    presences: [
      { cid: v0, has: true },
      { cid: v1, has: false },
    ],
  });
  const [body = new Uint8Array()] = new FrameReader().push(frame);
  const message = decodeMessage(body);
  assert.deepEqual(
    message.wants.map((want) => ({ ...want, cid: want.cid.toString() })),
    [
      { cid: v1.toString(), cancel: false, want: 'have', sendDontHave: true },
      { cid: v0.toString(), cancel: true, want: 'block', sendDontHave: false },
    ],
  );
  assert.deepEqual(
    message.presences.map(({ cid, has }) => [cid.toString(), has]),
    [
      [v0.toString(), true],
      [v1.toString(), false],
    ],
  );
  const [block] = message.blocks;
  assert.equal(cidFromPrefix(block?.prefix ?? data, block?.data ?? data)?.toString(), v1.toString());
  assert.equal(message.isFull, false);
});

test('encodeFrame gives the bytes of the protobuf definition', () => {
  const frame = encodeFrame({ wants: [], blocks: [{ cid: v0, data }], presences: [] });
  assert.equal(hexEncode(frame), '0f' + '1a0d' + '0a0400701220' + '120568656c6c6f');
  assert.equal(
    hexEncode(encodeFrame({ wants: [], blocks: [{ cid: v0, data }], presences: [] }, true)),
    '07120568656c6c6f',
  );
});

test('FrameReader finds messages however the stream is cut', () => {
  const seed = 7;
  const random = new SeededRandom(seed);
  const frames = [0, 1, 127, 128, 70_000].map((size) => {
    const head =
      size < 128
        ? [size]
        : size < 16_384
          ? [(size & 127) | 128, size >> 7]
          : [(size & 127) | 128, ((size >> 7) & 127) | 128, size >> 14];
    return concatBytes([Uint8Array.from(head), new Uint8Array(size).fill(size & 255)]);
  });
  const all = concatBytes(frames);
  for (let round = 0; round < 50; round++) {
    const reader = new FrameReader();
    const sizes: number[] = [];
    for (let at = 0; at < all.length; ) {
      const step = 1 + random.integer(round < 25 ? 20_000 : 5000);
      for (const frame of reader.push(all.subarray(at, at + step))) sizes.push(frame.length);
      at += step;
    }
    assert.deepEqual(sizes, [0, 1, 127, 128, 70_000], `seed ${seed}`);
    assert.equal(reader.isUnfinished, false);
  }
});

test('decodeMessage refuses what is malformed and too large, and never anything else', () => {
  const seed = 11;
  const random = new SeededRandom(seed);
  const good = encodeFrame({
    wants: [{ cid: v1, cancel: false, want: 'have', sendDontHave: true }],
    blocks: [{ cid: v1, data }],
    presences: [{ cid: v0, has: true }],
  }).subarray(1);
  for (let round = 0; round < 3000; round++) {
    const bytes = good.slice(0, random.integer(good.length + 1));
    for (let i = random.integer(4); i > 0 && bytes.length > 0; i--)
      bytes[random.integer(bytes.length)] = random.integer(256);
    try {
      decodeMessage(bytes);
    } catch (error) {
      assert.equal(errorCode(error), 'bitswap/bad-message', `seed ${seed} round ${round}: ${error}`);
    }
  }
  const head = [
    (messageBytesMax & 127) | 129,
    ((messageBytesMax >> 7) & 127) | 128,
    ((messageBytesMax >> 14) & 127) | 128,
    messageBytesMax >> 21,
  ];
  assert.throws(() => new FrameReader().push(concatBytes([Uint8Array.from(head), new Uint8Array(8)])), {
    code: 'bitswap/bad-message',
  });
});

test('isBlockOf checks hashes, and says no to unknown functions and wrong bytes', () => {
  assert.equal(isBlockOf(v1, data), true);
  assert.equal(isBlockOf(v0, data), true);
  assert.equal(isBlockOf(v1, new Uint8Array(5)), false);
  assert.equal(isBlockOf(CID.createV1(0x55, create(0x22, new Uint8Array(32))), data), false);

  assert.equal(cidFromPrefix(Uint8Array.of(1, 0x55), data), undefined);
  assert.equal(cidFromPrefix(Uint8Array.of(1, 0x55, 0x12, 4), data), undefined);
});
