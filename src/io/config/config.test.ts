import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { errorCode, errorMessage } from '../../base/index.ts';
import {
  cordonFileOf,
  createIdentity,
  type LoadOptions,
  loadPeer,
  lockFolder,
  makeFolder,
  peerFolder,
  peerstoreOf,
  readPeerstore,
  revocationFileOf,
  writeConfig,
  writeIdentity,
  writePeerstore,
} from './index.ts';

const vectors = join(import.meta.dirname, '../../../test/vectors/config');
const temporary = await mkdtemp(join(tmpdir(), 'ipfs-cluster-config-'));
after(() => rm(temporary, { recursive: true, force: true }));

let count = 0;
async function newFolder(): Promise<string> {
  const path = join(temporary, String(count++));
  await mkdir(path);
  return path;
}

async function goFolder(): Promise<string> {
  const path = await newFolder();
  await copyFile(join(vectors, 'service.raft.json'), join(path, 'service.json'));
  await copyFile(join(vectors, 'identity.json'), join(path, 'identity.json'));
  await copyFile(join(vectors, 'peerstore.txt'), join(path, 'peerstore'));
  return path;
}

const strict: LoadOptions = { environment: {}, hostname: 'myhost', warn: (message) => assert.fail(message) };
function collecting(): { readonly warnings: string[]; readonly options: LoadOptions } {
  const warnings: string[] = [];
  return { warnings, options: { ...strict, warn: (message) => warnings.push(message) } };
}

test('loadPeer reads a folder of the Go peer', async () => {
  const path = await goFolder();
  const { config, identity, folder, knownAddresses } = await loadPeer(path, strict);
  assert.equal(config.cluster.peername, 'myhost');
  assert.equal(identity.id, '12D3KooWCfaQyABJ4hK66vrqZZHxVjdLg5f1i4U7K4GZNTVsVphh');
  assert.equal(folder.raftFolder, join(path, 'raft'));
  assert.equal(knownAddresses.length, 2);
});

test('loadPeer reads what the Go program writes', { skip: skipWithoutGo() }, async () => {
  const path = await newFolder();
  const program = join(process.env.GO_CLUSTER_BIN ?? '', 'ipfs-cluster-service');
  const { status, stderr } = spawnSync(program, ['-c', path, 'init', '--consensus', 'raft'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const { config, identity } = await loadPeer(path, strict);
  assert.match(identity.id, /^12D3KooW/);
  const written = await readFile(join(path, 'service.json'), 'utf8');
  await writeConfig(peerFolder(path), config);
  assert.equal(await readFile(join(path, 'service.json'), 'utf8'), written);
});

function skipWithoutGo(): string | false {
  return process.env.GO_CLUSTER_BIN === undefined
    ? 'GO_CLUSTER_BIN is not set: not tried against the Go programs'
    : false;
}

test('writeIdentity and writePeerstore write the files of the Go peer byte for byte', async () => {
  const path = await goFolder();
  const { identity, folder, knownAddresses } = await loadPeer(path, strict);
  await writeIdentity(folder.identityFile, identity);
  await writePeerstore(folder.peerstoreFile, knownAddresses);
  for (const [file, vector, mode] of [
    [folder.identityFile, 'identity.json', 0o600],
    [folder.peerstoreFile, 'peerstore.txt', 0o644],
  ] as const) {
    assert.equal((await readFile(file, 'utf8')).trimEnd(), (await readFile(join(vectors, vector), 'utf8')).trimEnd());
    if (process.platform !== 'win32') assert.equal((await stat(file)).mode & 0o777, mode);
  }
});

test('readPeerstore leaves out comments, and bad lines with a warning', async () => {
  const file = join(await newFolder(), 'peerstore');
  const good = '/ip4/127.0.0.1/tcp/9096/p2p/12D3KooWCfaQyABJ4hK66vrqZZHxVjdLg5f1i4U7K4GZNTVsVphh';
  await writeFile(file, `# members\n\n${good}\n/nonsense\n/ip4/127.0.0.1/tcp/1\n`);
  const { warnings, options } = collecting();
  assert.deepEqual(await readPeerstore(file, options.warn), [good]);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /line 4 is left out/);
  assert.deepEqual(await readPeerstore(join(temporary, 'none'), options.warn), []);
});

test('peerstoreOf keeps what an operator wrote, and replaces what it wrote itself', async () => {
  const path = join(await newFolder(), 'peerstore');
  const [a, b] = [
    '12D3KooWCfaQyABJ4hK66vrqZZHxVjdLg5f1i4U7K4GZNTVsVphh',
    '12D3KooWRUgsb5Qs7DYUfhgME6Xudhn95MkQ9cEBdNsMTXSR2qCT',
  ];
  const at = (port: number, peer = a): string => `/ip4/127.0.0.1/tcp/${port}/p2p/${peer}`;
  const mark =
    '# kept up to date by the running peer from here on; lines above stay until their peer leaves the cluster';
  const text = async (): Promise<string[]> => (await readFile(path, 'utf8')).trimEnd().split('\n');
  const file = peerstoreOf(path);
  await file.save([], []);
  await assert.rejects(readFile(path), { code: 'ENOENT' });
  await file.save([at(1)], []);
  assert.deepEqual(await text(), [mark, at(1)]);
  await file.save([at(2), at(1)], []);
  assert.deepEqual(await text(), [mark, at(2), at(1)]);

  // Without a line break at the end, and in the older form of the same address.
  await writeFile(path, `# cellar\n/ip4/127.0.0.1/tcp/7/ipfs/${b}\nnonsense\n${at(3)}`);
  await file.save([at(3), at(7, b)], []);
  const own = ['# cellar', `/ip4/127.0.0.1/tcp/7/ipfs/${b}`, 'nonsense', at(3)];
  assert.equal(await readFile(path, 'utf8'), `# cellar\n/ip4/127.0.0.1/tcp/7/ipfs/${b}\nnonsense\n${at(3)}`);
  await file.save([at(4), at(7, b)], []);
  assert.deepEqual(await text(), [...own, mark, at(4)]);
  assert.deepEqual(await readPeerstore(path, assert.fail), [at(7, b), at(3), at(4)]);
  await file.save([at(4)], [b]);
  assert.deepEqual(await text(), ['# cellar', 'nonsense', at(3), mark, at(4)]);
  await file.save([], [a]);
  assert.deepEqual(await text(), ['# cellar', 'nonsense']);

  // With the line ends of an editor on Windows.
  await writeFile(path, ['# cellar', at(3), mark, at(4), ''].join('\r\n'));
  await file.save([at(5)], []);
  assert.equal(await readFile(path, 'utf8'), `# cellar\r\n${at(3)}\r\n${mark}\n${at(5)}\n`);
});

test('makeFolder makes what is missing, and says in bounded time why it cannot', async () => {
  const path = join(await newFolder(), 'a', 'b', 'c');
  await makeFolder(path);
  await makeFolder(path);
  if (process.platform !== 'win32') assert.equal((await stat(path)).mode & 0o777, 0o700);
  const file = join(path, 'file');
  await writeFile(file, '');
  await assert.rejects(makeFolder(file), { code: 'config/bad-file', message: `${file}: is a file, expected a folder` });
  await assert.rejects(makeFolder(join(file, 'd')), /d: the folder cannot be made: ENOTDIR/);
  if (process.platform !== 'linux') return;
  for (const nowhere of ['/proc/nowhere', '/proc/nowhere/below']) {
    await assert.rejects(makeFolder(nowhere), {
      code: 'config/bad-file',
      message: new RegExp(`^${nowhere}: the folder cannot be made: ENOENT`),
    });
  }
});

test('createIdentity makes an identity that is read back', async () => {
  const path = await goFolder();
  const identity = await createIdentity();
  await writeIdentity(peerFolder(path).identityFile, identity);
  assert.equal((await loadPeer(path, strict)).identity.id, identity.id);
});

test('loadPeer takes the identity of the environment, and only a matching one', async () => {
  const path = await goFolder();
  const key = await generateKeyPair('Ed25519');
  const CLUSTER_ID = peerIdFromPrivateKey(key).toString();
  const CLUSTER_PRIVATEKEY = Buffer.from(privateKeyToProtobuf(key)).toString('base64');
  const loaded = await loadPeer(path, { ...strict, environment: { CLUSTER_ID, CLUSTER_PRIVATEKEY } });
  assert.equal(loaded.identity.id, CLUSTER_ID);
  await assert.rejects(loadPeer(path, { ...strict, environment: { CLUSTER_ID } }), /CLUSTER_ID.*expected the id of/);
});

test('loadPeer reads the flat file of 2017 with its RSA key, and leaves it as it is', async () => {
  const path = await newFolder();
  const key = await generateKeyPair('RSA', 2048);
  const id = peerIdFromPrivateKey(key).toString();
  const flat = JSON.parse(await readFile(join(vectors, 'service.seed-2017.json'), 'utf8'));
  const text = JSON.stringify({ ...flat, id, private_key: Buffer.from(privateKeyToProtobuf(key)).toString('base64') });
  await writeFile(join(path, 'service.json'), text);
  const { warnings, options } = collecting();
  const { config, identity, folder } = await loadPeer(path, options);
  assert.match(identity.id, /^Qm/);
  assert.equal(identity.id, id);
  assert.deepEqual(config.restapi?.httpListenMultiaddress, ['/ip4/127.0.0.1/tcp/9094']);
  assert.equal(await readFile(folder.configFile, 'utf8'), text);
  assert.match(warnings.join('\n'), /identity information extracted from/);
  // The second start finds the identity in its own file.
  assert.equal((await loadPeer(path, strict)).identity.id, id);
});

const badFiles: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a wrong value',
    'service.json',
    '{"cluster":{"listen_multiaddress":7}}',
    /service\.json: cluster\.listen_multiaddress: found 7, expected a multiaddress/,
  ],
  ['an empty file', 'service.json', '\n', /service\.json: expected JSON, found nothing$/],
  [
    'a cut file',
    'service.json',
    '{"cluster": {',
    /service\.json: expected JSON, found its end too early: the file is cut off$/,
  ],
  [
    'a cut text',
    'service.json',
    '{"clus',
    /service\.json: expected JSON, found its end too early: the file is cut off$/,
  ],
  [
    'no JSON',
    'service.json',
    '{"cluster": {\n,}',
    /service\.json: expected JSON, found something else at position 14 \(line 2 column 1\)$/,
  ],
  [
    'no section',
    'service.json',
    '{}',
    /service\.json: cluster: found nothing, expected the section with the addresses and the secret of the peer$/,
  ],
  ['a list', 'service.json', '[]', /service\.json: the file: found \[\], expected an object/],
  ['a remote source', 'service.json', '{"source":"http://127.0.0.1/"}', /not available yet/],
  [
    'no key',
    'identity.json',
    '{"id":"x"}',
    /identity\.json: private_key: found nothing, expected the base64 of a libp2p private key/,
  ],
  [
    'another key',
    'identity.json',
    '{"id":"x","private_key":"AAAA"}',
    /identity\.json: private_key: found base64 of something else/,
  ],
];

for (const [name, file, text, expected] of badFiles) {
  test(`loadPeer refuses ${name} in ${file} with one line`, async () => {
    const path = await goFolder();
    await writeFile(join(path, file), text);
    await assert.rejects(loadPeer(path, strict), (error) => {
      assert.match(errorMessage(error), expected);
      assert.doesNotMatch(errorMessage(error), /\n/);
      assert.match(errorCode(error), /^config\//);
      return true;
    });
  });
}

test('loadPeer refuses an identity whose id is not that of its key', async () => {
  const path = await goFolder();
  const identity = JSON.parse(await readFile(join(path, 'identity.json'), 'utf8'));
  identity.id = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';
  await writeFile(join(path, 'identity.json'), JSON.stringify(identity));
  await assert.rejects(loadPeer(path, strict), /id: found "12D3KooWBCJ.*expected the id of private_key/);
});

test('loadPeer says what to do when there is no folder', async () => {
  await assert.rejects(loadPeer(join(temporary, 'none'), strict), (error) => {
    assert.equal(errorCode(error), 'config/no-file');
    assert.match(errorMessage(error), /service\.json: no such file; make one with "ipfs-cluster-service init"/);
    return true;
  });
});

test('writeConfig leaves nothing behind when the file cannot be replaced', async () => {
  const path = await goFolder();
  const { config, folder } = await loadPeer(path, strict);
  await rm(folder.configFile);
  await mkdir(folder.configFile);
  await assert.rejects(writeConfig(folder, config), /service\.json: cannot be written/);
  assert.deepEqual((await readdir(path)).sort(), ['identity.json', 'peerstore', 'service.json']);
});

const lockScript = `
  const { lockFolder, peerFolder } = await import(process.argv[1]);
  try {
    await lockFolder(peerFolder(process.argv[2]));
    console.log('locked');
    setInterval(() => {}, 1000);
  } catch (error) {
    console.log(error.code);
  }`;

function lockElsewhere(path: string): { readonly answer: Promise<string>; kill(): Promise<void> } {
  const module = new URL('./index.ts', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', lockScript, module, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  return {
    answer: once(child.stdout, 'data').then(([chunk]) => String(chunk).trim()),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

test('lockFolder keeps a second process out, and a killed one holds nothing', async () => {
  const path = await newFolder();
  const other = lockElsewhere(path);
  assert.equal(await other.answer, 'locked');
  await assert.rejects(lockFolder(peerFolder(path)), (error) => {
    assert.equal(errorCode(error), 'config/locked');
    assert.match(errorMessage(error), /another peer is running on this folder/);
    return true;
  });
  await other.kill();
  const lock = await lockFolder(peerFolder(path));
  const second = lockElsewhere(path);
  assert.equal(await second.answer, 'config/locked');
  await lock.release();
  await second.kill();
});

test('lockFolder works on after its own database was damaged', async () => {
  const path = await newFolder();
  await (await lockFolder(peerFolder(path))).release();
  await writeFile(join(path, 'lock', 'CURRENT'), 'nonsense');
  await (await lockFolder(peerFolder(path))).release();
});

test('lockFolder says why a folder cannot be locked', async () => {
  const path = await newFolder();
  await writeFile(join(path, 'file'), '');
  await assert.rejects(lockFolder(peerFolder(join(path, 'file'))), { code: 'config/bad-file' });
});

test('lockFolder excludes the Go program, and the other way round', { skip: skipWithoutGo() }, async () => {
  const path = await goFolder();
  const program = join(process.env.GO_CLUSTER_BIN ?? '', 'ipfs-cluster-service');
  const cleanup = ['-c', path, 'state', 'cleanup', '--force'];
  const lock = await lockFolder(peerFolder(path));
  const refused = spawnSync(program, cleanup, { encoding: 'utf8' });
  assert.match(refused.stderr, /someone else has the lock/);
  await lock.release();
  assert.equal(spawnSync(program, cleanup, { encoding: 'utf8' }).status, 0);
});

test('cordonFileOf keeps what the peer was told; a damaged file is refused in one line that tells what is expected', async () => {
  const path = join(await newFolder(), 'cordon.json');
  const file = cordonFileOf(path);
  assert.equal(await file.read(), 'none');
  for (const mode of ['draining', 'cordoned', 'none'] as const) {
    await file.save(mode);
    assert.equal(await cordonFileOf(path).read(), mode);
  }
  const words = 'expected one of "none", "cordoned", "draining"';
  const damaged: readonly (readonly [string, string])[] = [
    ['{"mode":"drained"}', `${path}: mode: found "drained", ${words}`],
    ['[]', `${path}: mode: found nothing, ${words}`],
    ['{}', `${path}: mode: found nothing, ${words}`],
    ['{"mo', `${path}: expected JSON, found its end too early: the file is cut off`],
    ['', `${path}: expected JSON, found nothing`],
  ];
  for (const [text, message] of damaged) {
    await writeFile(path, text);
    await assert.rejects(file.read(), { code: 'config/bad-file', message });
  }
  await rm(path);
  await mkdir(path);
  await assert.rejects(file.save('cordoned'), { code: 'config/bad-file' });
});

test('revocationFileOf keeps the list where only its owner reads it; a damaged file is refused in one line', async () => {
  const path = join(await newFolder(), 'revoked-tokens.json');
  const file = revocationFileOf(path);
  assert.deepEqual(await file.read(), []);
  const tokens = [
    { hash: 'a'.repeat(64), expires: 0 },
    { hash: 'b'.repeat(64), expires: 1_800_000_000 },
  ];
  await file.save(tokens);
  assert.deepEqual(await revocationFileOf(path).read(), tokens);
  assert.equal((await stat(path)).mode & 0o077, 0);
  const expected = 'expected {"hash":"<SHA-256 in hex>","expires":<seconds since 1970, or 0>}';
  const damaged: readonly (readonly [string, string])[] = [
    ['{}', `${path}: tokens: expected a list`],
    ['{"tokens":[{"hash":"x","expires":0}]}', `${path}: tokens[0]: ${expected}`],
    [`{"tokens":[{"hash":"${'a'.repeat(64)}"}]}`, `${path}: tokens[0]: ${expected}`],
    ['', `${path}: expected JSON, found nothing`],
  ];
  for (const [text, message] of damaged) {
    await writeFile(path, text);
    await assert.rejects(file.read(), { code: 'config/bad-file', message });
  }
});
