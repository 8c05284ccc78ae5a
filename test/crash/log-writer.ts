/**
 * Child process of the crash tests: writes groups to a log for ever, or until a write fails, and says on stdout what is durable.
 *
 * Each group adds three entries; every fourth one first cuts two. Line: `<last index> <term>`, written when the group is durable.
 */
import { writeSync } from 'node:fs';
import { errorCode } from '../../src/base/index.ts';
import type { LogOp } from '../../src/core/raft/index.ts';
import { openLogStore } from '../../src/io/store/log-store.ts';
import { command } from '../conformance/log-store.ts';

const store = await openLogStore(process.argv[2] ?? '');
const dataSize = Number(process.argv[3] ?? 1000);
const image = await store.load();
let last = image.entries.length;
let term = image.hard.term;
for (let group = 0; ; group++) {
  const ops: LogOp[] = [];
  if (group % 4 === 3) {
    ops.push({ type: 'cut', from: last - 1 });
    last -= 2;
  }
  term++;
  const entries = [1, 2, 3].map((i) => command(last + i, term, `${term}.${last + i}`.padEnd(dataSize, '.')));
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
