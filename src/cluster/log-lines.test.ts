import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryCluster } from '../../test/support/memory-cluster.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { type LogFields, type Logger, limitedLogger, OperatingError } from '../base/index.ts';
import { timeFromNanos } from '../model/index.ts';

test('twenty minutes of trouble everywhere has one line a minute of each cause, and few causes (R49)', async (t) => {
  const cluster = new MemoryCluster();
  /** Times of the lines of each message. */
  const linesMs = new Map<string, number[]>();
  const note = (message: string, fields?: LogFields): void => {
    // Three peers write to one log here.
    const cause = `${message} ${String(fields?.peer ?? '')} ${String(fields?.name ?? '')}`;
    linesMs.set(cause, [...(linesMs.get(cause) ?? []), cluster.clock.now()]);
  };
  const recorder: Logger = { error: note, warn: note, info: () => {}, debug: () => {}, scope: () => recorder };
  // As the assembly does.
  cluster.logger = limitedLogger(recorder, cluster.clock);
  await cluster.start(3, { disableRepinning: false, repinGracePeriodMs: 10_000 });
  t.after(() => cluster.stop());
  const [a = '', b = '', c = ''] = cluster.members;
  const factors = { replicationFactorMin: 2, replicationFactorMax: 2 };
  const expireAt = timeFromNanos(cluster.clock.wallNanos() + 5_000_000_000n);
  for (let n = 0; n < 300; n++) {
    cluster.agree('pin', pinOf(cidNumber(n), { ...factors, allocations: [a, n % 2 === 0 ? b : c] }));
    cluster.agree('pin', pinOf(cidNumber(1000 + n), { expireAt }));
  }
  // Nothing can be written, no IPFS node pins or lists, one peer is lost.
  cluster.isWritable = false;
  cluster.cut(c);
  let count = 0;
  for (const { ipfs } of cluster.nodes) {
    ipfs.onAct = () => Promise.reject(new OperatingError('ipfs/refused', `no space, ${count++} blocks`));
    ipfs.onList = () => Promise.reject(new OperatingError('ipfs/refused', `cannot list, ${count++} entries`));
  }
  const startMs = cluster.clock.now();
  await cluster.clock.advance(1_200_000);
  assert.ok(count > 100, 'there was trouble');
  assert.ok(linesMs.size >= 4, [...linesMs.keys()].join('\n'));
  assert.ok(linesMs.size <= 20, [...linesMs.keys()].join('\n'));
  for (const [cause, times] of linesMs) {
    const after = times.filter((ms) => ms >= startMs);
    for (const [i, ms] of after.entries()) {
      const before = after[i - 1];
      assert.ok(before === undefined || ms - before >= 60_000, `${cause}: at ${before} and ${ms}`);
    }
  }
});
