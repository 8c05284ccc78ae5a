import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { SeededRandom, utf8Encode } from '../../base/index.ts';
import { crc32OfBytes, crc32OfText } from './checksum.ts';

test('crc32OfBytes and crc32OfText give what zlib gives, of every length and behind anything', () => {
  assert.equal(crc32OfText('123456789', 0), 0xcbf43926, 'the check value of CRC-32/ISO-HDLC');
  const random = new SeededRandom('checksum');
  for (let length = 0; length < 300; length++) {
    const bytes = Uint8Array.from({ length }, () => random.integer(256));
    const before = crc32(Uint8Array.of(random.integer(256), length & 255));
    const start = random.integer(length + 1);
    assert.equal(crc32OfBytes(bytes, start, before), crc32(bytes.subarray(start), before), `${length} from ${start}`);
    const text = String.fromCharCode(...bytes.map((byte) => byte & 127));
    assert.equal(crc32OfText(text, before), crc32(utf8Encode(text), before), `text of ${length}`);
  }
});
