/**
 * The Raft log on this disk, beside what the disk itself does in the same run.
 *
 * - The log alone: small and large entries, in writes of 1, 8 and 64, as a share of syncs of as many bytes, or of the bandwidth
 *   of plain sequential writing; CPU of a write; how long a log of 100,000 entries takes to load; the longest write while a large
 *   snapshot is written.
 * - One Raft peer, log and state: writes acknowledged per second, one in flight (each waits for its own sync) and 64 (group
 *   commit: one sync for all that wait).
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
import { type Entry, originBase } from '../src/core/raft/index.ts';
import { createRaft, type RaftTransport } from '../src/io/consensus/index.ts';
import { createRaftFolder } from '../src/io/store/index.ts';
import { initialService } from '../src/model/config/index.ts';
import { Cid, type Pin } from '../src/model/index.ts';
import { bytesPerSecond, syncsPerSecond } from './disk.ts';
import { report } from './report.ts';

const inFlight = 64;
const groupSizes = [1, 8, 64];
const entrySizes = [
  { name: 'small', dataBytes: 200 },
  { name: 'large', dataBytes: 64 << 10 },
];
/** Writes of one measurement: enough entries, but not more than so many bytes. */
const groupsMax = 1000;
const logBytesMax = 256 << 20;
const loadedCount = 100_000;
const snapshotBytes = 100 << 20;
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

async function measureLog(): Promise<void> {
  const bandwidth = await bytesPerSecond();
  report({ name: 'disk bandwidth', value: bandwidth / 1e6, unit: 'MB/s' });
  const appends = await syncsPerSecond();
  report({ name: 'disk syncs of appends', value: appends, unit: '1/s' });
  const oneCall = await syncsPerSecond({ isOneCall: true });
  report({
    name: 'disk syncs of appends in one call',
    value: oneCall,
    unit: '1/s',
    ratio: oneCall / appends,
    of: 'appends',
  });
  const inPlace = await syncsPerSecond({ isOneCall: true, isInPlace: true });
  report({
    name: 'disk syncs in place in one call',
    value: inPlace,
    unit: '1/s',
    ratio: inPlace / appends,
    of: 'appends',
  });
  for (const { name, dataBytes } of entrySizes) {
    for (const size of groupSizes) await measureGroups(`${size} ${name}`, dataBytes, size, bandwidth);
  }
  await measureLoad();
  await measureBesideSnapshot();
}

async function measureGroups(name: string, dataBytes: number, size: number, bandwidth: number): Promise<void> {
  const path = join(folder, `log ${name}`);
  const { log, state } = await createRaftFolder(path, { backupsRotate: 1 }).open();
  await log.load();
  await log.write([{ type: 'hard', state: { term: 1, votedFor: 'bench' } }]);
  const bytes = size * dataBytes;
  const groups = Math.min(groupsMax, Math.floor(logBytesMax / bytes));
  const data = new Uint8Array(dataBytes).fill(7);
  const syncs = await syncsPerSecond({ bytes });
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (let group = 0; group < groups; group++) {
    const entries = Array.from(
      { length: size },
      (_, i): Entry => ({ type: 'command', index: group * size + i + 1, term: 1, data, appendedAt: 1n }),
    );
    await log.write([{ type: 'put', entries }]);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  report({
    name: `log writes of ${name}`,
    value: groups / seconds,
    unit: '1/s',
    ratio: groups / seconds / syncs,
    of: 'syncs of appends',
  });
  const rate = (groups * bytes) / seconds;
  report({
    name: `log bytes in writes of ${name}`,
    value: rate / 1e6,
    unit: 'MB/s',
    ratio: rate / bandwidth,
    of: 'disk bandwidth',
  });
  report({ name: `log CPU of a write of ${name}`, value: (user + system) / groups, unit: 'µs' });
  await Promise.all([log.close(), state.close()]);
  await rm(path, { recursive: true, force: true });
}

async function measureLoad(): Promise<void> {
  const path = join(folder, 'log to load');
  const raftFolder = createRaftFolder(path, { backupsRotate: 1 });
  const first = await raftFolder.open();
  await first.log.load();
  await first.log.write([{ type: 'hard', state: { term: 1, votedFor: 'bench' } }]);
  const data = new Uint8Array(200).fill(7);
  for (let index = 1; index <= loadedCount; index += 100) {
    const entries = Array.from(
      { length: 100 },
      (_, i): Entry => ({ type: 'command', index: index + i, term: 1, data }),
    );
    await first.log.write([{ type: 'put', entries }]);
  }
  await Promise.all([first.log.close(), first.state.close()]);
  const again = await raftFolder.open();
  const startedAt = performance.now();
  const { entries } = await again.log.load();
  const ms = performance.now() - startedAt;
  if (entries.length !== loadedCount) throw new TypeError(`${entries.length} entries loaded`);
  report({ name: `log load of ${loadedCount}`, value: ms, unit: 'ms' });
  await Promise.all([again.log.close(), again.state.close()]);
}

/** A large snapshot must not hold up the log: leaders would be taken for dead. */
async function measureBesideSnapshot(): Promise<void> {
  const { log, state, snapshots } = await createRaftFolder(join(folder, 'snapshot'), { backupsRotate: 1 }).open();
  await log.load();
  await log.write([{ type: 'hard', state: { term: 1, votedFor: 'bench' } }]);
  let isWriting = true;
  let longestMs = 0;
  const writing = (async () => {
    for (let index = 1; isWriting; index++) {
      const startedAt = performance.now();
      await log.write([{ type: 'put', entries: [{ type: 'command', index, term: 1, data: new Uint8Array(200) }] }]);
      longestMs = Math.max(longestMs, performance.now() - startedAt);
    }
  })();
  const writer = await snapshots.create({ ...originBase, index: 1, term: 1 });
  const chunk = new Uint8Array(64 << 10).fill(7);
  for (let written = 0; written < snapshotBytes; written += chunk.length) await writer.write(chunk);
  await writer.finish();
  isWriting = false;
  await writing;
  report({ name: `log longest write beside a snapshot of ${snapshotBytes >> 20} MiB`, value: longestMs, unit: 'ms' });
  await state.close();
}

try {
  await measureLog();
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
