import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { after, test } from 'node:test';
import { type Logger, OperatingError } from '../../base/index.ts';
import { lockFolder, peerFolder } from '../../io/config/index.ts';
import type { AssembleOptions, RunningPeer } from './assemble-types.ts';
import { daemon } from './daemon.ts';

const vectors = join(import.meta.dirname, '../../../test/vectors/config');
const temporary = await mkdtemp(join(tmpdir(), 'ipfs-cluster-daemon-'));
after(() => rm(temporary, { recursive: true, force: true }));

const flags = { bootstrap: '', leave: false, stats: false, tracing: false };
const member = '/ip4/127.0.0.1/tcp/9096/p2p/12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';

async function newFolder(): Promise<string> {
  const path = await mkdtemp(join(temporary, 'peer-'));
  for (const name of ['service.raft.json', 'identity.json']) {
    await copyFile(join(vectors, name), join(path, name.replace('.raft', '')));
  }
  return path;
}

interface Run {
  readonly code: Promise<number>;
  readonly lines: readonly string[];
  readonly ready: PromiseWithResolvers<void>;
  readonly failed: PromiseWithResolvers<Error>;
  /** Resolves when the daemon has a peer. */
  readonly started: Promise<AssembleOptions>;
  readonly stops: { count: number };
}

/** A daemon whose peer is ready, fails and stops when the test says so. */
function start(folderPath: string, options = flags, input?: Readable, failure?: () => Error): Run {
  const lines: string[] = [];
  const note = (message: string): void => void lines.push(message);
  const log: Logger = { error: note, warn: note, info: note, debug: () => {}, scope: () => log };
  const ready = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<Error>();
  const started = Promise.withResolvers<AssembleOptions>();
  const stops = { count: 0 };
  const peer: RunningPeer = {
    addresses: ['/ip4/127.0.0.1/tcp/1/p2p/x'],
    endpoints: {
      restapi: ['/ip4/127.0.0.1/tcp/2'],
      pinsvcapi: ['/ip4/127.0.0.1/tcp/5'],
      ipfsproxy: ['/ip4/127.0.0.1/tcp/3'],
      libp2pHttp: ['/ip4/127.0.0.1/tcp/1/p2p/x'],
      ipfs: '/ip4/127.0.0.1/tcp/4',
    },
    ready: ready.promise,
    failed: failed.promise,
    stop: async () => void stops.count++,
  };
  const loadAssemble = async () => async (given: AssembleOptions) => {
    started.resolve(given);
    if (failure !== undefined) throw failure();
    return peer;
  };
  const code = daemon(options, { folderPath, environment: {}, log, input, loadAssemble });
  return { code, lines, ready, failed, started: started.promise, stops };
}

test('daemon waits for room on a full disk, and a signal ends that', async () => {
  let tries = 0;
  const triedAgain = Promise.withResolvers<void>();
  const full = () => {
    if (++tries === 2) triedAgain.resolve();
    return new OperatingError('store/full', `Cannot open "raft": ENOSPC at byte ${tries}`);
  };
  const run = start(await newFolder(), flags, undefined, full);
  await run.started;
  // The rejection of the start is heard in this turn.
  await new Promise(setImmediate);
  const line = 'this peer starts when its disk has room: Cannot open "raft": ENOSPC at byte 1';
  assert.equal(run.lines.at(-1), line);
  // The same cause in other words is no news.
  await triedAgain.promise;
  await new Promise(setImmediate);
  assert.equal(run.lines.at(-1), line);
  process.emit('SIGTERM');
  assert.equal(await run.code, 0);
  const other = start(await newFolder(), flags, undefined, () => new OperatingError('store/damaged', 'bad checksum'));
  await assert.rejects(other.code, /error starting cluster: bad checksum/);
});

test('daemon stops when its input ends, and reads nothing of it', async () => {
  const input = new PassThrough();
  const run = start(await newFolder(), flags, input);
  await run.started;
  input.write('something');
  run.ready.resolve();
  assert.equal(run.stops.count, 0);
  input.end();
  assert.equal(await run.code, 0);
  assert.equal(run.stops.count, 1);
  assert.match(run.lines.join('\n'), /stopping on the end of the input/);
});

test('daemon tells where it listens and when it is ready, and one signal stops it', async () => {
  const path = await newFolder();
  const run = start(path);
  const given = await run.started;
  assert.equal(given.identity.id, '12D3KooWCfaQyABJ4hK66vrqZZHxVjdLg5f1i4U7K4GZNTVsVphh');
  assert.equal(given.config.raft.heartbeatTimeoutMs, 1000);
  run.ready.resolve();
  await Promise.resolve();
  process.emit('SIGTERM');
  assert.equal(await run.code, 0);
  assert.equal(run.stops.count, 1);
  const log = run.lines.join('\n');
  assert.match(log, /cluster\.listen_multiaddress: only TCP is available yet, not \/ip4\/0\.0\.0\.0\/udp\/9096\/quic/);
  assert.match(log, /cluster\.mdns_interval: peers are not looked for in the local network yet/);
  assert.match(log, /IPFS Cluster v\S+ listening on:\n +\/ip4\/127\.0\.0\.1\/tcp\/1\/p2p\/x/);
  assert.match(log, /RESTAPI \(HTTP\): \/ip4\/127\.0\.0\.1\/tcp\/2/);
  assert.match(log, /PINSVCAPI \(HTTP\): \/ip4\/127\.0\.0\.1\/tcp\/5/);
  assert.match(log, /IPFS Proxy: \/ip4\/127\.0\.0\.1\/tcp\/3 -> \/ip4\/127\.0\.0\.1\/tcp\/4/);
  assert.match(log, /\*\* IPFS Cluster is READY \*\*/);
  // The lock is free again.
  await (await lockFolder(peerFolder(path))).release();
});

test('daemon ends with code 1 when the peer fails or cannot become ready', async () => {
  for (const how of ['failed', 'ready'] as const) {
    const run = start(await newFolder());
    await run.started;
    const error = new OperatingError('store/damaged', 'Cannot read entry 7: bad checksum');
    if (how === 'failed') run.failed.resolve(error);
    else run.ready.reject(error);
    assert.equal(await run.code, 1);
    assert.equal(run.stops.count, 1);
    assert.ok(run.lines.includes('error: Cannot read entry 7: bad checksum'));
  }
});

test('daemon ends well when others have removed the peer', async () => {
  const run = start(await newFolder());
  await run.started;
  run.failed.resolve(new OperatingError('cluster/removed', 'This peer was removed from the cluster'));
  assert.equal(await run.code, 0);
});

test('daemon refuses a folder in use, a missing one, CRDT, and bad bootstrap addresses', async () => {
  const path = await newFolder();
  const lock = await lockFolder(peerFolder(path));
  // The lock of one process is no bar to itself in POSIX; LevelDB sees to it.
  await assert.rejects(start(path).code, /error obtaining execution lock: .*another peer is running on this folder/);
  await lock.release();
  await assert.rejects(start(join(temporary, 'none')).code, /error loading configurations: .*no such file/);
  await assert.rejects(start(path, { ...flags, bootstrap: 'foo' }).code, /error parsing --bootstrap: /);
  await assert.rejects(
    start(path, { ...flags, bootstrap: '/ip4/1.2.3.4/tcp/1' }).code,
    /expected an address that ends/,
  );
});

test('daemon hands over the addresses to join through', async () => {
  const run = start(await newFolder(), { ...flags, bootstrap: `${member}, ${member}`, leave: true });
  const given = await run.started;
  assert.deepEqual(given.bootstrap, [member, member]);
  assert.equal(given.config.cluster.leaveOnShutdown, true);
  process.emit('SIGHUP');
  assert.equal(await run.code, 0);
});
