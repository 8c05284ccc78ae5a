import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPinset } from '../../../test/support/memory-pinset.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { LatePinset } from './late-pinset.ts';

test('LatePinset never has a version again, also when the pinset is opened anew and counts from the start', () => {
  const late = new LatePinset(() => {});
  const seen = [late.version()];
  for (let life = 0; life < 3; life++) {
    const pinset = new MemoryPinset();
    late.become(pinset);
    seen.push(late.version());
    for (let n = 0; n <= 3 - life; n++) {
      pinset.add(pinOf(cidNumber(n)));
      seen.push(late.version());
    }
    late.suspend();
  }
  assert.deepEqual(
    seen,
    [...new Set(seen)].sort((a, b) => a - b),
  );
});
