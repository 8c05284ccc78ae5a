/** The `state` commands on real folders, without a peer. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { cidNumber, pinOf } from '../../../../test/support/pins.ts';
import { errorMessage, silentLogger } from '../../../base/index.ts';
import { openPinset } from '../../../cluster/index.ts';
import { pinKey } from '../../../cluster/pinset-keys.ts';
import type { ClusterApi, DatastoreOp } from '../../../cluster/ports.ts';
import type { Configuration, Entry, LogImage } from '../../../core/raft/index.ts';
import { bindRestApi } from '../../../http/rest/index.ts';
import { lockFolder, peerFolder } from '../../../io/config/index.ts';
import { createRaftFolder, type RaftFolder } from '../../../io/store/index.ts';
import type { ServiceConfig } from '../../../model/config/index.ts';
import {
  encodePin,
  type Pin,
  pinJson,
  type RaftCommand,
  raftCommandCodec,
  StoredPin,
  stateKey,
} from '../../../model/index.ts';
import { prepareFolders } from '../demo/setup.ts';
import { cleanupState } from './cleanup.ts';
import { digestState } from './digest.ts';
import { exportState } from './export.ts';
import { type ImportOptions, importState } from './import.ts';

const root = await mkdtemp(join(tmpdir(), 'ipfs-cluster-state-'));
after(() => rm(root, { recursive: true, force: true }));
const quiet = { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} };
const other = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';

const pin = (n: number, name = ''): RaftCommand => ({ type: 'pin', pin: pinOf(cidNumber(n), { name }) });
const unpin = (n: number): RaftCommand => ({ type: 'unpin', pin: pinOf(cidNumber(n)) });
/** Names of pins by the order of their keys. */
const sorted = (pins: readonly (readonly [n: number, name: string])[]): string[] =>
  pins.toSorted(([a], [b]) => (stateKey(cidNumber(a)) < stateKey(cidNumber(b)) ? -1 : 1)).map(([, name]) => name);

interface Peer {
  readonly path: string;
  readonly self: string;
  readonly raft: RaftFolder;
}

async function newPeer(change?: (config: ServiceConfig) => ServiceConfig): Promise<Peer> {
  const parent = await mkdtemp(join(root, 'x'));
  const [prepared] = await prepareFolders(parent, 1, change);
  const path = prepared?.folder ?? '';
  const { id } = JSON.parse(await readFile(join(path, 'identity.json'), 'utf8')) as { id: string };
  return { path, self: id, raft: createRaftFolder(join(path, 'raft'), { backupsRotate: 6 }) };
}

const voters = (...ids: readonly string[]): Configuration => ({
  servers: ids.map((id) => ({ id, suffrage: 'voter' as const })),
});

/** A peer whose log has these commands from entry 2 on; the first `applied` of them are in the state. */
async function newPeerWith(commands: readonly RaftCommand[], applied: number, ...others: string[]): Promise<Peer> {
  const peer = await newPeer();
  const { log, state } = await peer.raft.open();
  const configuration = voters(peer.self, ...others);
  await log.load();
  const entries = commands.map(
    (command, i): Entry => ({ index: i + 2, term: 3, type: 'command', data: raftCommandCodec.encode(command) }),
  );
  await log.write([
    { type: 'hard', state: { term: 4, votedFor: other } },
    { type: 'put', entries: [{ index: 1, term: 1, type: 'configuration', configuration }, ...entries] },
  ]);
  const pinset = openPinset(state, { log: silentLogger, observer: quiet });
  await pinset.apply(commands.slice(0, applied), applied + 1);
  await log.close();
  await state.close();
  return peer;
}

interface Run {
  readonly lines: readonly string[];
  readonly error: string;
}

/** Runs a command, which gets what it is called with and `deps`; what it tells and fails with is kept. */
async function run(
  { path }: Peer,
  answers: readonly string[],
  act: (deps: {
    folderPath: string;
    environment: Record<string, string>;
    tell: (line: string) => void;
    print: (line: string) => void;
    ask: (question: string) => Promise<string>;
  }) => Promise<void>,
): Promise<Run> {
  const lines: string[] = [];
  const tell = (line: string): void => void lines.push(line);
  const left = [...answers];
  const ask = async (): Promise<string> => left.shift() ?? '';
  try {
    await act({ folderPath: path, environment: {}, tell, print: tell, ask });
    return { lines, error: '' };
  } catch (error) {
    return { lines, error: errorMessage(error) };
  }
}

interface Exported extends Run {
  readonly text: string;
  readonly names: readonly string[];
}

async function exported(peer: Peer, isWholeLog = false): Promise<Exported> {
  let text = '';
  const output = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  const result = await run(peer, [], (deps) => exportState({ file: undefined, isWholeLog }, { ...deps, output }));
  const pins = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => pinJson.parse(line));
  return { ...result, text, names: pins.map(({ name }) => name) };
}

const plain: Omit<ImportOptions, 'file'> = {
  isForced: true,
  isAlone: false,
  replicationMin: '0',
  replicationMax: '0',
  allocations: '',
};

async function imported(peer: Peer, text: string, options: Partial<ImportOptions> = {}): Promise<Run> {
  return await run(peer, ['n'], (deps) =>
    importState(
      { ...plain, file: undefined, ...options },
      {
        ...deps,
        input: async function* () {
          for (const piece of text.match(/[\s\S]{1,1000}/g) ?? []) yield Buffer.from(piece);
        },
      },
    ),
  );
}

async function imageOf({ raft }: Peer): Promise<LogImage & { readonly applied: number }> {
  const { log, state } = await raft.open();
  try {
    const { applied } = openPinset(state, { log: silentLogger, observer: quiet });
    return { ...(await log.load()), applied };
  } finally {
    await log.close();
    await state.close();
  }
}

const digestOf = (peer: Peer): Promise<Run> => run(peer, [], (deps) => digestState({ isWholeLog: false }, deps));

// ------------------------------------------------------------------------------------------------ export

test('export of a peer that never ran is empty, and makes nothing', async () => {
  const peer = await newPeer();
  assert.deepEqual(await exported(peer), {
    text: '',
    names: [],
    lines: ['state successfully exported: 0 pins'],
    error: '',
  });
  assert.equal((await readdir(peer.path)).includes('raft'), false);
});

test('export takes the whole log of the only voter, which has agreed with itself', async () => {
  const commands = [pin(1, 'one'), pin(2, 'two'), pin(3, 'three'), unpin(2), pin(1, 'uno'), pin(4, 'four')];
  const peer = await newPeerWith(commands, 3);
  const { names, lines } = await exported(peer);
  assert.deepEqual(names, [
    ...sorted([
      [1, 'uno'],
      [3, 'three'],
    ]),
    'four',
  ]);
  assert.deepEqual(lines, ['state successfully exported: 3 pins']);
  assert.deepEqual((await digestOf(peer)).lines.slice(1), ['pins 3', 'entry 7']);
});

test('export leaves out, and says so, what one of several voters cannot know; --whole-log takes it', async () => {
  const peer = await newPeerWith([pin(1, 'one'), pin(2, 'two'), unpin(1)], 1, other);
  const { names, lines } = await exported(peer);
  assert.deepEqual(names, ['one']);
  assert.match(lines[0] ?? '', /^left out 2 changes in the log after entry 2: .*--whole-log/);
  const whole = await exported(peer, true);
  assert.deepEqual([whole.names, whole.lines], [['two'], ['state successfully exported: 1 pin']]);
  assert.deepEqual((await exported(peer)).names, ['one'], 'reading changes nothing');
});

test('export takes from the log what a power cut has taken from the state', async () => {
  const commands = [pin(1, 'one'), pin(2, 'two'), pin(3, 'three'), unpin(3)];
  const peer = await newPeerWith(commands, 4, other);
  const { log, state } = await peer.raft.open();
  const ops: DatastoreOp[] = [
    { type: 'del', key: pinKey(0, cidNumber(1)) },
    { type: 'put', key: pinKey(0, cidNumber(3)), value: state.get(pinKey(0, cidNumber(2))) ?? new Uint8Array(0) },
  ];
  await state.batch(ops, { durable: true });
  await log.close();
  await state.close();
  assert.deepEqual((await exported(peer)).names, ['two', 'one']);
  assert.deepEqual((await digestOf(peer)).lines.slice(1), ['pins 2', 'entry 5']);
  assert.deepEqual(await digestOf(peer), await digestOf(await newPeerWith(commands, 4, other)));
});

test('export begins with a snapshot that had not become the state yet', async () => {
  const peer = await newPeerWith([pin(1, 'one'), pin(2, 'two')], 1, other);
  const source = await newPeerWith([pin(3, 'three'), pin(4, 'four')], 2);
  const [from, to] = await Promise.all([source.raft.open(), peer.raft.open()]);
  const { chunks } = await openPinset(from.state, { log: silentLogger, observer: quiet }).snapshot();
  const base = { index: 40, term: 4, configuration: voters(peer.self, other), configurationIndex: 1 };
  const writer = await to.snapshots.create(base);
  for await (const chunk of chunks) await writer.write(chunk);
  await writer.finish();
  for (const { state } of [from, to]) await state.close();
  const { names, lines } = await exported(peer);
  assert.deepEqual(
    [names, lines],
    [
      sorted([
        [3, 'three'],
        [4, 'four'],
      ]),
      ['state successfully exported: 2 pins'],
    ],
  );
  assert.equal((await digestOf(peer)).lines[2], 'entry 40');
});

test('export to a file replaces it when all is written', async () => {
  const peer = await newPeerWith([pin(1, 'one'), pin(2, 'two')], 2);
  const file = join(peer.path, 'pins.json');
  await writeFile(file, 'old');
  const { lines } = await run(peer, [], (deps) =>
    exportState({ file, isWholeLog: false }, { ...deps, output: process.stdout }),
  );
  assert.deepEqual(lines, ['state successfully exported: 2 pins']);
  assert.equal(await readFile(file, 'utf8'), (await exported(peer)).text);
  assert.equal((await readdir(peer.path)).includes('pins.json.part'), false);
  const nowhere = await run(peer, [], (deps) =>
    exportState({ file: join(file, 'x'), isWholeLog: false }, { ...deps, output: process.stdout }),
  );
  assert.match(nowhere.error, /^error creating the export file: ENOTDIR.*'.*pins\.json\/x'$/);
});

test('export fails in one line when its reader is gone', async () => {
  const peer = await newPeerWith([pin(1)], 1);
  const output = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
  const { error } = await run(peer, [], (deps) =>
    exportState({ file: undefined, isWholeLog: false }, { ...deps, output }),
  );
  assert.equal(error, 'error writing the export: EPIPE');
});

// ------------------------------------------------------------------------------------------------ a running peer

/** The folder is in use, and the HTTP API answers with these pins, then fails if told so. */
async function whileRunning(
  peer: Peer,
  pins: readonly Pin[],
  act: () => Promise<void>,
  failure?: Error,
): Promise<void> {
  const config = JSON.parse(await readFile(join(peer.path, 'service.json'), 'utf8'));
  const { restapi } = config.api;
  const api = await bindRestApi({
    listen: ['/ip4/127.0.0.1/tcp/0'],
    limits: {
      readTimeoutMs: 0,
      readHeaderTimeoutMs: 5_000,
      writeTimeoutMs: 0,
      idleTimeoutMs: 9_000,
      maxHeaderBytes: 4_096,
    },
    cors: {
      allowedOrigins: [],
      allowedMethods: [],
      allowedHeaders: [],
      exposedHeaders: [],
      allowCredentials: true,
      maxAgeSeconds: 0,
    },
    credentials: { full: { user: 'secret' }, readOnly: {} },
    headers: {},
  });
  const lock = await lockFolder(peerFolder(peer.path));
  try {
    restapi.http_listen_multiaddress = api.addresses().map((address) => address.replace('127.0.0.1', '0.0.0.0'));
    restapi.basic_auth_credentials = { user: 'secret' };
    await writeFile(join(peer.path, 'service.json'), JSON.stringify(config));
    const cluster: Partial<ClusterApi> = {
      pinsetRevision: () => pins,
      storedPins: async function* () {
        yield pins.map((pin) => new StoredPin(stateKey(pin.cid), encodePin(pin)));
        if (failure !== undefined) throw failure;
      },
    };
    api.serve({ cluster: cluster as ClusterApi, log: silentLogger, now: () => ({ seconds: 1, nanos: 0 }) });
    await act();
  } finally {
    await api.close();
    await lock.release();
  }
}

test('export and digest ask a running peer, with its credentials', async () => {
  const peer = await newPeerWith([pin(1, 'one'), pin(2, 'two')], 2);
  const offline = await exported(peer);
  const { lines } = await digestOf(peer);
  await whileRunning(peer, [pin(2, 'two').pin, pin(1, 'one').pin], async () => {
    const online = await exported(peer);
    assert.deepEqual(online.names, ['two', 'one']);
    assert.equal(online.lines.length, 2);
    assert.match(online.lines[0] ?? '', /^the peer is running.*HTTP API$/);
    assert.deepEqual((await digestOf(peer)).lines.slice(1), [lines[0], lines[1], 'entry unknown: the peer is running']);
    assert.match((await exported(peer, true)).error, /^error reading the log: the peer is running: stop it first/);
  });
  assert.equal(offline.names.length, 2);
});

test('export fails when the running peer could not complete its list', async () => {
  const peer = await newPeer();
  await whileRunning(
    peer,
    [pin(1, 'one').pin],
    async () => assert.match((await exported(peer)).error, /^error asking the running peer: it broke; stop the peer/),
    new Error('it broke'),
  );
});

test('export says what it needs when the folder is in use and no API answers', async () => {
  const peer = await newPeer();
  const lock = await lockFolder(peerFolder(peer.path));
  const { error } = await exported(peer);
  assert.match(
    error,
    /^error asking the running peer: Get "http:\/\/127.0.0.1:\d+\/allocations\?filter=all": .*ECONNREFUSED/,
  );
  await lock.release();
});

test('import and cleanup refuse a folder in use, and change nothing', async () => {
  const peer = await newPeerWith([pin(1, 'one')], 1);
  const before = await imageOf(peer);
  const lock = await lockFolder(peerFolder(peer.path));
  const refusal = /^error obtaining execution lock: .*another peer is running on this folder; stop it first/;
  assert.match((await imported(peer, '')).error, refusal);
  assert.match((await run(peer, [], (deps) => cleanupState({ isForced: true }, deps))).error, refusal);
  await lock.release();
  assert.deepEqual(await imageOf(peer), before);
});

// ------------------------------------------------------------------------------------------------ import

test('what was exported is imported elsewhere: the same digest, from entry 2 on', async () => {
  const commands = Array.from({ length: 3000 }, (_, n) => pin(n, `name ${n}`));
  const source = await newPeerWith(commands, commands.length);
  const { text } = await exported(source);
  const target = await newPeer();
  const result = await imported(target, text);
  assert.equal(result.error, '');
  assert.match(result.lines.join('\n'), /state successfully imported: 3000 pins; the members are /);
  const [digest] = (await digestOf(source)).lines;
  assert.deepEqual((await digestOf(target)).lines, [digest, 'pins 3000', 'entry 2']);
  assert.equal((await exported(target)).text, text);
  const { hard, base, entries, applied } = await imageOf(target);
  assert.deepEqual([hard, entries, applied], [{ term: 1, votedFor: undefined }, [], 2]);
  assert.deepEqual(base, { index: 2, term: 1, configuration: voters(target.self), configurationIndex: 1 });
});

test('import keeps members, term and vote of the peer, and all of its data as a backup', async () => {
  const peer = await newPeerWith([pin(1, 'one')], 1, other);
  const text = `${pinJson.print(pin(2, 'two').pin)}\n`;
  assert.equal((await imported(peer, text)).error, '');
  const { hard, base } = await imageOf(peer);
  assert.deepEqual(hard, { term: 4, votedFor: other });
  assert.deepEqual(base.configuration, voters(peer.self, other));
  assert.deepEqual((await exported(peer)).names, ['two']);
  const backup = { ...peer, raft: createRaftFolder(join(peer.path, 'raft.old.0'), { backupsRotate: 1 }) };
  assert.equal((await imageOf(backup)).entries.length, 2);
  assert.equal((await imported(peer, text, { isAlone: true })).error, '');
  assert.deepEqual((await imageOf(peer)).base.configuration, voters(peer.self));
  assert.deepEqual((await exported(peer)).names, ['two']);
  const names = (await readdir(peer.path)).filter((name) => name.startsWith('raft')).sort();
  assert.deepEqual(names, ['raft', 'raft.old.0', 'raft.old.1']);
});

test('import takes the members of a fresh peer from init_peerset and the peerstore', async () => {
  const peer = await newPeer((config) => ({ ...config, raft: config.raft && { ...config.raft, initPeerset: [] } }));
  await writeFile(join(peer.path, 'peerstore'), `/ip4/127.0.0.1/tcp/1/p2p/${other}\n`);
  assert.equal((await imported(peer, `{"cid": "${cidNumber(1)}"}`)).error, '');
  assert.deepEqual((await imageOf(peer)).base.configuration, voters(...[peer.self, other].sort()));
});

for (const { title, text, expected } of [
  {
    title: 'nothing',
    text: ' \n',
    expected: 'found nothing, expected at least one pin; `state cleanup` begins with none',
  },
  { title: 'garbage', text: 'garbage', expected: 'pin 1: expected a JSON object, found "garbage"' },
  {
    title: 'a cut file',
    text: `${pinJson.print(pin(1).pin)}\n{"cid": "`,
    expected: 'pin 2: the input ends before it does',
  },
  { title: 'a pin without a CID', text: '{"name": "x"}', expected: 'pin 1: cid: found nothing, expected a CID' },
]) {
  test(`import of ${title} fails and leaves everything as it was`, async () => {
    const peer = await newPeerWith([pin(1, 'one')], 1);
    const before = await imageOf(peer);
    assert.equal((await imported(peer, text)).error, `error importing state: ${expected}`);
    assert.deepEqual(await imageOf(peer), before);
    assert.deepEqual((await exported(peer)).names, ['one']);
    assert.deepEqual(
      (await readdir(peer.path)).filter((name) => name.startsWith('raft')),
      ['raft'],
    );
  });
}

test('import refuses what is wrong before it asks', async () => {
  const peer = await newPeer();
  const refusals: readonly (readonly [Partial<ImportOptions>, RegExp])[] = [
    [{ file: join(root, 'nosuch') }, /^error reading import file: ENOENT/],
    [{ replicationMin: 'x' }, /^error reading the flags: --replication-min: found "x", expected/],
    [{ replicationMax: '-2' }, /^error reading the flags: --replication-max: found "-2", expected/],
    [
      { allocations: 'x' },
      /^error reading the flags: --allocations: found "x", expected the id of a peer: failed to parse/,
    ],
  ];
  for (const [options, expected] of refusals) assert.match((await imported(peer, '', options)).error, expected);
  assert.equal((await readdir(peer.path)).includes('raft'), false);
});

test('import and cleanup do nothing when the user declines', async () => {
  const peer = await newPeerWith([pin(1, 'one')], 1);
  const before = await imageOf(peer);
  assert.deepEqual(await imported(peer, 'garbage', { isForced: false }), { lines: ['nothing was changed'], error: '' });
  await run(peer, ['n'], (deps) => cleanupState({ isForced: false }, deps));
  assert.deepEqual(await imageOf(peer), before);
});

test('import replaces factors and allocations when told so', async () => {
  const peer = await newPeer();
  const text = `{"cid": "${cidNumber(1)}"} {"cid": "${cidNumber(2)}", "name": "x"}`;
  await imported(peer, text, { replicationMin: '1', replicationMax: '2', allocations: `${other}, ${peer.self}` });
  const lines = (await exported(peer)).text.trim().split('\n');
  for (const line of lines) {
    const { replicationFactorMin, replicationFactorMax, allocations, type, maxDepth } = pinJson.parse(line);
    assert.deepEqual([replicationFactorMin, replicationFactorMax, type, maxDepth], [1, 2, 'pin', -1]);
    assert.deepEqual(allocations, [other, peer.self]);
  }
  assert.equal(lines.length, 2);
});

// ------------------------------------------------------------------------------------------------ cleanup

test('cleanup keeps a backup, and the peer starts anew', async () => {
  const peer = await newPeerWith([pin(1, 'one')], 1);
  const clean = (): Promise<Run> => run(peer, ['y'], (deps) => cleanupState({ isForced: false }, deps));
  assert.deepEqual((await clean()).lines, [`state cleaned: it is kept as ${peer.raft.path}.old.0`]);
  assert.deepEqual((await clean()).lines, ['there was no state to clean']);
  assert.deepEqual((await exported(peer)).names, []);
  const backup = createRaftFolder(`${peer.raft.path}.old.0`, { backupsRotate: 1 });
  assert.equal((await imageOf({ ...peer, raft: backup })).entries.length, 2);
});

// ------------------------------------------------------------------------------------------------ digest

test('digest does not depend on how pins came, and tells any two pinsets apart', async () => {
  const same = [
    await newPeerWith([pin(1, 'a'), pin(2, 'b')], 2),
    await newPeerWith([pin(2, 'b'), pin(1, 'x'), pin(3), pin(1, 'a'), unpin(3)], 2),
  ];
  const different = [
    await newPeerWith([pin(1, 'a')], 1),
    await newPeerWith([pin(1, 'b'), pin(2, 'a')], 2),
    await newPeerWith([pin(1, 'a'), pin(2, 'b'), pin(3)], 3),
    await newPeer(),
  ];
  const digests: (string | undefined)[] = [];
  for (const peer of [...same, ...different]) digests.push((await digestOf(peer)).lines[0]);
  assert.equal(digests[0], digests[1]);
  assert.equal(new Set(digests).size, 5);
  assert.equal(digests.at(-1), `digest ${'0'.repeat(64)}`);
});
