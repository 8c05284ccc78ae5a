/** A child of the pool in which seed 3 never ends, and seed 5 ends the process. */
import type { Simulation } from '../../src/sim/result.ts';

interface Chunk {
  readonly simulation: Simulation;
  readonly from: number;
  readonly count: number;
}

process.on('message', ({ from, count }: Chunk) => {
  for (let seed = from; seed < from + count; seed++) {
    process.send?.({ type: 'begins', seed });
    if (seed === 3) for (;;);
    if (seed === 5) process.exit(7);
    process.send?.({ type: 'ends', seed, hasFailed: seed === 8, isRepeatable: true, counts: { seeds: 1 } });
  }
  process.send?.({ type: 'idle' });
});
