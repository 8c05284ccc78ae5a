/**
 * Child process of the crash tests: writes groups to a log for ever, or until a write fails, and says on stdout what is durable.
 *
 * Each group adds three entries; every fourth one first cuts two, every tenth one forgets all but the last twenty, every fiftieth
 * begins anew at a base ahead. Line: `<last index> <term>`, written when the group is durable.
 *
 * Arguments: the folder, bytes of an entry, bytes of a segment.
 */
import { writeSync } from 'node:fs';
import { errorCode } from '../../src/base/index.ts';
import { type LogOp, originBase } from '../../src/core/raft/index.ts';
import { openLogStore } from '../../src/io/store/log-store.ts';
import { command } from '../conformance/log-store.ts';

const [, , folder = '', dataSize, segmentBytes] = process.argv;
const store = await openLogStore(folder, { segmentBytes: Number(segmentBytes) });
const image = await store.load();
let base = image.base.index;
let last = base + image.entries.length;
let term = image.hard.term;
for (let group = 0; ; group++) {
  const ops: LogOp[] = [];
  if (group % 4 === 3) {
    ops.push({ type: 'cut', from: last - 1 });
    last -= 2;
  }
  if (group % 10 === 9 && last - base > 20) {
    base = last - 20;
    ops.push({ type: 'compact', base: { ...originBase, index: base, term: 0 } });
  }
  term++;
  if (group % 50 === 49) {
    base = last + 5;
    last = base;
    ops.push({ type: 'reset', base: { ...originBase, index: base, term: 0 } });
  }
  const entries = [1, 2, 3].map((i) => command(last + i, term, `${term}.${last + i}`.padEnd(Number(dataSize), '.')));
  ops.push({ type: 'hard', state: { term, votedFor: `peer ${term}` } }, { type: 'put', entries });
  try {
    await store.write(ops);
  } catch (error) {
    const again = await store.write([{ type: 'hard', state: { term, votedFor: 'again' } }]).then(
      () => 'written',
      (second: unknown) => (second === error ? 'same error' : String(second)),
    );
    writeSync(1, `failed ${errorCode(error)} ${again}\n`);
    process.exit(0);
  }
  last += 3;
  writeSync(1, `${last} ${term}\n`);
}
