/** Random writes of a Raft log, legal ones, and the image that each of them leaves. */
import type { SeededRandom } from '../../src/base/index.ts';
import type { Base, Entry, LogImage, LogOp } from '../../src/core/raft/index.ts';
import { DiskImage } from '../../src/sim/image.ts';
import { command } from '../conformance/log-store.ts';

/** Writes in order; `images[i]` is the log after the first `i` of them. */
export interface LogHistory {
  readonly writes: readonly (readonly LogOp[])[];
  readonly images: readonly LogImage[];
}

/** `forgets`: entries are cut away and compacted. */
export function makeHistory(
  random: SeededRandom,
  count: number,
  { forgets }: { readonly forgets: boolean } = { forgets: true },
): LogHistory {
  const disk = new DiskImage();
  const writes: LogOp[][] = [];
  const images: LogImage[] = [disk.load()];
  while (writes.length < count) {
    const ops: LogOp[] = [];
    const perform = (op: LogOp): void => {
      ops.push(op);
      disk.perform([op]);
    };
    const chance = (n: number): boolean => random.integer(n) === 0;
    if (disk.hard.term === 0 || chance(4)) {
      const term = disk.hard.term + 1;
      perform({ type: 'hard', state: { term, votedFor: chance(3) ? undefined : `peer ${term}` } });
    }
    if (forgets && disk.entries.length > 0 && chance(5)) {
      perform({ type: 'cut', from: disk.base.index + 1 + random.integer(disk.entries.length) });
    }
    if (forgets && chance(12))
      perform({ type: 'reset', base: baseAt(disk.base.index + random.integer(20), disk.hard.term) });
    if (!chance(5)) {
      const first = disk.lastIndex + 1;
      const entries = Array.from({ length: 1 + random.integer(4) }, (_, i) =>
        entryAt(first + i, disk.hard.term, random),
      );
      perform({ type: 'put', entries });
    }
    if (forgets && chance(6)) {
      const index = disk.base.index + random.integer(disk.entries.length + 1);
      perform({
        type: 'compact',
        base: index === disk.base.index ? disk.base : baseAt(index, disk.termAt(index) ?? 0),
      });
    }
    if (ops.length === 0) continue;
    writes.push(ops);
    images.push(disk.load());
  }
  return { writes, images };
}

function baseAt(index: number, term: number): Base {
  const servers = [{ id: `peer of ${index}`, suffrage: 'voter' as const }];
  return { index, term, configuration: { servers }, configurationIndex: index };
}

function entryAt(index: number, term: number, random: SeededRandom): Entry {
  switch (random.integer(8)) {
    case 0:
      return { type: 'noop', index, term, appendedAt: BigInt(index) };
    case 1:
      return { type: 'configuration', index, term, configuration: baseAt(index, term).configuration };
    case 2:
      // Beyond what is copied into a record's own memory.
      return command(index, term, `${term}.${index}`.repeat(random.integer(20) === 0 ? 4000 : 10));
    default:
      return command(index, term);
  }
}
