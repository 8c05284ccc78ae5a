import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { varintEncode } from '../../base/index.ts';
import { carSections } from './car-sections.ts';

const blockSizeMax = 1_000;

function section(size: number): Buffer {
  return Buffer.concat([varintEncode(size), Buffer.alloc(size, 7)]);
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function through(bytes: Uint8Array, pieceSize: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of carSections(cut(bytes, pieceSize), blockSizeMax)) pieces.push(piece);
  return Buffer.concat(pieces);
}

it('carSections hands on whole files, however they are cut, and no others', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: blockSizeMax }), { minLength: 1, maxLength: 20 });
  const seed = Date.now() % 2 ** 31;
  console.log(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.integer({ min: 1, max: 3_000 }),
      fc.integer({ min: 1 }),
      async (all, pieceSize, lost) => {
        const file = Buffer.concat(all.map(section));
        assert.ok((await through(file, pieceSize)).equals(file));
        // The last section loses some of its bytes, at least one of them kept.
        const last = section(all.at(-1) ?? 1).length;
        const missing = 1 + (lost % Math.max(1, last - 1));
        if (missing < last)
          await assert.rejects(through(file.subarray(0, file.length - missing), pieceSize), /unexpected EOF/);
      },
    ),
    { seed },
  );
});

it('carSections refuses sections and headers that are too large before their bytes come', async () => {
  const header = section(10);
  await assert.rejects(through(Buffer.concat([header, varintEncode(blockSizeMax + 513)]), 7), /section of 1513 bytes/);
  await assert.rejects(through(varintEncode(2 ** 40), 3), /header of 1099511627776 bytes/);
  await assert.rejects(through(Buffer.alloc(20, 0xff), 20), /not a varint/);
  await assert.rejects(through(new Uint8Array(), 1), /unexpected EOF/);
});

it('carSections refuses version 2 files, however they are cut', async () => {
  const file = Buffer.concat([Buffer.from('0aa16776657273696f6e02', 'hex'), Buffer.alloc(40)]);
  for (const pieceSize of [1, 3, 11, 100]) await assert.rejects(through(file, pieceSize), /version 2 is not supported/);
});
