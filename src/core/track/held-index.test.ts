import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../base/index.ts';
import { type Held, HeldIndex } from './held-index.ts';

const cidOf = (n: number): Uint8Array => Uint8Array.of(1, 0x55, 0, 4, n & 255, (n >> 8) & 255, (n >> 16) & 255, 0);

test('HeldIndex equals a map under any order of reports and listings', () => {
  const act = fc.record({
    cid: fc.nat(40),
    held: fc.constantFrom<Held>('none', 'direct', 'recursive'),
    isListed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 200 }), fc.nat(), (acts, seed) => {
      const index = new HeldIndex(new SeededRandom(seed));
      const naive = new Map<number, { held: Held; isReported: boolean }>();
      for (const { cid, held, isListed } of acts) {
        const known = naive.get(cid);
        if (isListed) {
          index.setListed(cidOf(cid), held);
          const stronger = known?.held === 'recursive' ? 'recursive' : held === 'none' ? (known?.held ?? 'none') : held;
          if (known?.isReported !== true) naive.set(cid, { held: stronger, isReported: false });
        } else {
          index.set(cidOf(cid), held);
          naive.set(cid, { held, isReported: true });
        }
      }
      for (let cid = 0; cid <= 40; cid += 1) assert.equal(index.get(cidOf(cid)), naive.get(cid)?.held ?? 'none');
      assert.equal(index.heldCount, [...naive.values()].filter((known) => known.held !== 'none').length);
    }),
  );
});

test('HeldIndex keeps 200,000 entries apart', () => {
  const index = new HeldIndex(new SeededRandom(7));
  for (let n = 0; n < 200_000; n += 2) index.setListed(cidOf(n), 'recursive');
  let wrong = 0;
  for (let n = 0; n < 200_000; n += 1) if ((index.get(cidOf(n)) === 'recursive') !== (n % 2 === 0)) wrong += 1;
  assert.equal(wrong, 0);
  assert.equal(index.heldCount, 100_000);
});
