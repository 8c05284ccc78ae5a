import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPinset } from '../../../test/support/memory-pinset.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { LatePinset } from './late-pinset.ts';

test('LatePinset has another revision when the pinset is opened anew', () => {
  const late = new LatePinset(() => {});
  const seen = [late.revision()];
  for (let life = 0; life < 3; life++) {
    const pinset = new MemoryPinset();
    late.become(pinset);
    seen.push(late.revision());
    for (let n = 0; n <= 3 - life; n++) {
      pinset.add(pinOf(cidNumber(n)));
      seen.push(late.revision());
    }
    late.suspend();
  }
  assert.equal(new Set(seen).size, seen.length);
});
