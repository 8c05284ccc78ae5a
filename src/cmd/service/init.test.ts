import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadPeer } from '../../io/config/index.ts';
import { type InitOptions, init } from './init.ts';

const temporary = await mkdtemp(join(tmpdir(), 'ipfs-cluster-init-'));
after(() => rm(temporary, { recursive: true, force: true }));
let count = 0;
const newPath = (): string => join(temporary, String(count++));

const plain: InitOptions = {
  consensus: 'raft',
  datastore: 'pebble',
  isSecretAsked: false,
  peers: '',
  isForced: false,
  hasRandomPorts: false,
  hasEmbeddedIpfs: false,
};

/** Gives the lines that were told. */
async function run(
  folderPath: string,
  options: Partial<InitOptions> = {},
  answers: readonly string[] = [],
): Promise<string[]> {
  const told: string[] = [];
  const left = [...answers];
  await init(
    { ...plain, ...options },
    {
      folderPath,
      environment: { CLUSTER_PEERNAME: 'chosen' },
      ask: async () => left.shift() ?? '',
      tell: (line) => told.push(line),
    },
  );
  return told;
}

const load = (path: string) =>
  loadPeer(path, { environment: {}, hostname: 'x', warn: (message) => assert.fail(message) });

test('init makes a folder that a daemon can load', async () => {
  const path = newPath();
  assert.deepEqual(await run(path), [
    `configuration written to ${join(path, 'service.json')}.`,
    `new identity written to ${join(path, 'identity.json')}`,
    `new empty peerstore written to ${join(path, 'peerstore')}.`,
  ]);
  const { config } = await load(path);
  assert.equal(config.cluster.peername, 'chosen');
  assert.match(config.cluster.secret, /^[0-9a-f]{64}$/);
  assert.equal(config.embedded, undefined);
});

test('init asks before it overwrites, and keeps the identity', async () => {
  const path = newPath();
  await run(path);
  const before = await load(path);
  assert.deepEqual(await run(path, {}, ['n']), ['nothing was changed']);
  assert.deepEqual(await run(path, {}, ['what', 'what', 'what']), [
    'Please type y or n',
    'Please type y or n',
    'Please type y or n',
    'nothing was changed',
  ]);
  assert.deepEqual(await run(path, {}, []), ['nothing was changed']);
  assert.deepEqual((await load(path)).config, before.config);
  await run(path, {}, ['maybe', 'y']);
  const changed = await load(path);
  assert.equal(changed.identity.id, before.identity.id);
  assert.notEqual(changed.config.cluster.secret, before.config.cluster.secret);
  assert.equal((await run(path, { isForced: true })).length, 2);
});

test('init --peers writes the members to the peerstore and to the initial set', async () => {
  const path = newPath();
  const id = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';
  await run(path, { peers: `/ip4/127.0.0.1/tcp/1/p2p/${id}, /dns4/localhost/tcp/2/p2p/${id}` });
  const { config, knownAddresses } = await load(path);
  assert.deepEqual(config.raft?.initPeerset, [id]);
  assert.equal(knownAddresses.length, 2);
});

test('init --randomports --embedded-ipfs chooses different ports for everything', async () => {
  const path = newPath();
  await run(path, { hasRandomPorts: true, hasEmbeddedIpfs: true });
  const text = await readFile(join(path, 'service.json'), 'utf8');
  const ports = [...text.matchAll(/(?:listen_multiaddress": |^ {6})"\S*\/(?:tcp|udp)\/(\d+)/gm)].map(
    ([, port]) => port,
  );
  assert.equal(new Set(ports).size, ports.length);
  assert.equal(ports.length, 7);
  assert.doesNotMatch(text, /\/(9094|9095|9096|9097)/);
});

test('init --custom-secret takes the typed secret, an empty one included', async () => {
  const path = newPath();
  await run(path, { isSecretAsked: true }, ['AB'.repeat(32)]);
  assert.equal((await load(path)).config.cluster.secret, 'ab'.repeat(32));
  await run(path, { isSecretAsked: true, isForced: true }, ['']);
  assert.equal((await load(path)).config.cluster.secret, '');
});

const refusals: readonly (readonly [Partial<InitOptions>, RegExp])[] = [
  [{ consensus: 'crdt' }, /CRDT consensus is not available yet/],
  [{ consensus: 'x' }, /error choosing consensus: found "x", expected "raft" or "crdt"/],
  [{ datastore: 'x' }, /error choosing datastore: found "x"/],
  [{ source: 'http://x' }, /not available yet/],
  [{ peers: 'foo' }, /error parsing --peers: /],
  [{ isSecretAsked: true }, /found 1 characters, expected 64 hexadecimal digits/],
];

for (const [options, expected] of refusals) {
  test(`init refuses ${JSON.stringify(options)} and writes nothing`, async () => {
    const path = newPath();
    await assert.rejects(run(path, options, ['z']), expected);
    assert.deepEqual(await readdir(path).catch(() => []), []);
  });
}
