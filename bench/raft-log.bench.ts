/**
 * Writes per second that one Raft peer acknowledges, log and state on this disk, beside the syncs per second of the same disk:
 * one in flight (each waits for its own sync) and 64 (group commit: one sync for all that wait).
 *
 *     npm run bench -- raft-log [--writes 20000]
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Clock, SeededRandom, silentLogger } from '../src/base/index.ts';
import { openPinset } from '../src/cluster/index.ts';
import { createRaft, type RaftTransport } from '../src/io/consensus/index.ts';
import { createRaftFolder } from '../src/io/store/index.ts';
import { initialService } from '../src/model/config/index.ts';
import { Cid, type Pin } from '../src/model/index.ts';
import { syncsPerSecond } from './disk.ts';
import { report } from './report.ts';

const inFlight = 64;
const sequentialCount = 500;

const { values } = parseArgs({ options: { writes: { type: 'string', default: '20000' } } });
const writeCount = Number(values.writes);

const clock: Clock = {
  now: () => performance.now(),
  wallNanos: () => BigInt(Date.now()) * 1_000_000n,
  after: (delayMs, act) => {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
};
/** A single peer sends nothing. */
const transport: RaftTransport = { call: () => new Promise(() => {}), handle: () => {}, close: () => {} };

function pinNumber(n: number): Pin {
  const digest = createHash('sha256').update(`raft log bench ${n}`).digest();
  return {
    cid: Cid.decode(Uint8Array.of(1, 0x55, 0x12, 32, ...digest)),
    type: 'pin',
    allocations: [],
    maxDepth: -1,
    reference: null,
    timestamp: { seconds: 1_700_000_000, nanos: 0 },
    replicationFactorMin: -1,
    replicationFactorMax: -1,
    name: `pin ${n}`,
    mode: 'recursive',
    shardSize: 0,
    userAllocations: null,
    expireAt: null,
    metadata: null,
    pinUpdate: null,
    origins: null,
  };
}

const { raft: config } = initialService({ hostname: 'bench', secret: '' });
if (config === undefined) throw new TypeError('a new configuration has a raft section');

const folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-bench-'));
const consensus = createRaft(
  { self: '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5', isJoining: false, config },
  {
    storage: createRaftFolder(join(folder, 'raft'), { backupsRotate: 1 }),
    transport,
    rpc: {
      register: () => {},
      call: () => Promise.reject(new TypeError('a single peer calls nobody')),
      stream: () => {
        throw new TypeError('a single peer calls nobody');
      },
    },
    clock,
    random: new SeededRandom('bench'),
    logger: silentLogger,
    openPinset: (store) =>
      openPinset(store, {
        log: silentLogger,
        observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} },
      }),
    onFailure: (cause) => {
      throw cause;
    },
  },
);

async function writesPerSecond(count: number, concurrency: number, first: number): Promise<number> {
  let next = first;
  const startedAt = performance.now();
  const worker = async (): Promise<void> => {
    while (next < first + count) await consensus.logPin(pinNumber(next++));
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return (count * 1000) / (performance.now() - startedAt);
}

try {
  await consensus.start();
  await consensus.ready();
  const syncs = await syncsPerSecond();
  report({ name: 'disk syncs', value: syncs, unit: '1/s' });
  await writesPerSecond(2_000, inFlight, 1_000_000);
  const sequential = await writesPerSecond(sequentialCount, 1, 2_000_000);
  report({
    name: 'raft writes, one in flight',
    value: sequential,
    unit: '1/s',
    ratio: sequential / syncs,
    of: 'disk syncs',
  });
  const grouped = await writesPerSecond(writeCount, inFlight, 0);
  report({
    name: `raft writes, ${inFlight} in flight`,
    value: grouped,
    unit: '1/s',
    ratio: grouped / syncs,
    of: 'disk syncs',
  });
} finally {
  await consensus.stop();
  await rm(folder, { recursive: true, force: true });
}
