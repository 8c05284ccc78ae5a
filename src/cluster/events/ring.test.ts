import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventRing } from './ring.ts';

test('EventRing holds the last events within both bounds, and knows what it has not', () => {
  const data = fc.string({ maxLength: 12 });
  const limits = fc.record({ countMax: fc.integer({ min: 1, max: 8 }), lengthMax: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(limits, fc.array(data, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (bounds, texts, page) => {
      const ring = new EventRing(bounds);
      const all: string[] = [];
      assert.deepEqual(ring.behind(0, page), []);
      for (const text of texts) {
        ring.add('pin', 'pin', text);
        all.push(text);
        // As many of the last as both bounds allow, and always the very last.
        let first = all.length;
        let length = text.length;
        while (first > 1 && all.length - first + 1 < bounds.countMax) {
          length += all[first - 2]?.length ?? 0;
          if (length > bounds.lengthMax) break;
          first -= 1;
        }
        assert.equal(ring.last, all.length);
        for (let place = -1; place <= all.length + 1; place++) {
          const found = ring.behind(place, page);
          if (place < first - 1 || place > all.length) assert.equal(found, undefined);
          else {
            const expected = all.slice(place, place + page);
            assert.deepEqual(
              found?.map((event) => [event.sequence, event.data]),
              expected.map((other, i) => [place + 1 + i, other]),
            );
          }
        }
      }
      assert.equal(ring.end, all.join('').length);
    }),
  );
});
