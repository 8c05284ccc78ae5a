/** What is published: the tarball, installed elsewhere, gives three programs and a library with its types. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { version } from '../src/base/index.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const programs = Object.keys(manifest.bin);

/** Of the client, as it is and as a web server sends it: what a page pays for it. */
const clientBytesMax = 75_000;
const clientPackedBytesMax = 27_000;

/** What `npm pack --json` tells. */
interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let temporary = '';
/** A project that has the package installed. */
let project = '';
let packed: readonly string[] = [];

function run(program: string, args: readonly string[], folder: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

function ok(program: string, args: readonly string[], folder: string): string {
  const { status, output } = run(program, args, folder);
  assert.equal(status, 0, output);
  return output;
}

before(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'ipfs-cluster-package-'));
  // Built beside the repository's own `dist`, which other tests use meanwhile.
  const staging = join(temporary, 'staging');
  await mkdir(staging);
  ok(process.execPath, [join(root, 'tools', 'build.ts'), '--dist', `--out=${join(staging, 'dist')}`], root);
  for (const name of ['package.json', 'bin', 'README.md', 'LICENSE', 'CHANGELOG.md']) {
    await cp(join(root, name), join(staging, name), { recursive: true });
  }
  const listed = ok(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', temporary],
    staging,
  );
  const found: unknown = JSON.parse(listed.slice(listed.search(/^[[{]/m)));
  // Older npm gives a list, newer one an object by name.
  const [entry] = Object.values(Object(found) as Record<string, Packed>);
  assert.ok(entry !== undefined, listed);
  packed = entry.files.map(({ path }) => path);
  project = await install(join(temporary, entry.filename));
});

after(() => rm(temporary, { recursive: true, force: true }));

/** Unpacks the tarball beside links to its dependencies, which is what an installation comes to, without the network. */
async function install(tarball: string): Promise<string> {
  const folder = join(temporary, 'project');
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, 'ipfs-cluster'), { recursive: true });
  ok('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'ipfs-cluster')], folder);
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (!name.startsWith('.') && name !== 'ipfs-cluster')
      await symlink(join(root, 'node_modules', name), join(modules, name));
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  return folder;
}

test('package.json has no script that runs at installation', () => {
  const installing = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
  assert.deepEqual(
    Object.keys(manifest.scripts).filter((name) => installing.includes(name)),
    [],
  );
});

test('the version of the code is that of package.json', () => {
  assert.equal(version, manifest.version);
});

test('the tarball holds programs, library and types, and neither Node nor sources', () => {
  for (const path of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/client/index.js',
    'dist/client/index.d.ts',
    'LICENSE',
    'README.md',
  ]) {
    assert.ok(packed.includes(path), `${path} is missing`);
  }
  assert.deepEqual(
    packed.filter((path) => !/^(bin|dist)\/|^[^/]+\.md$|^LICENSE$|^package\.json$/.test(path)),
    [],
  );
  assert.deepEqual(
    packed.filter((path) => /\.test\.|(^|\/)node(\.exe)?$/.test(path)),
    [],
  );
});

test('the client is one file without imports, small enough for a page', async () => {
  const source = await readFile(join(project, 'node_modules', 'ipfs-cluster', 'dist', 'client.js'));
  assert.ok(source.length <= clientBytesMax, `${source.length} bytes`);
  const packedBytes = gzipSync(source).length;
  assert.ok(packedBytes <= clientPackedBytesMax, `${packedBytes} bytes with gzip`);
  const { outputFiles, metafile } = await build({
    stdin: { contents: source.toString(), loader: 'js' },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'browser',
    format: 'esm',
    packages: 'external',
  });
  assert.equal(outputFiles.length, 1);
  assert.deepEqual(Object.values(metafile.outputs)[0]?.imports, []);
});

test('every program of the tarball starts', () => {
  for (const program of programs) {
    const file = join(project, 'node_modules', 'ipfs-cluster', manifest.bin[program]);
    assert.equal(ok(process.execPath, [file, '--version'], project), `${program} version ${version}\n`);
    assert.match(ok(process.execPath, [file, '--help'], project), /--help/);
  }
});

test('ipfs-cluster-follow says that it is not there yet', () => {
  const file = join(project, 'node_modules', 'ipfs-cluster', manifest.bin['ipfs-cluster-follow']);
  const { status, output } = run(process.execPath, [file, 'name', 'run'], project);
  assert.equal(status, 1);
  assert.match(output, /^ipfs-cluster-follow: .*later release\n$/);
});

test('a program on an old Node says so in one line', async () => {
  for (const program of programs) {
    const text = await readFile(join(project, 'node_modules', 'ipfs-cluster', manifest.bin[program]), 'utf8');
    assert.match(text, new RegExp(`'use strict';\\n+require\\('\\./check-node\\.cjs'\\)\\('${program}'\\)`));
  }
  const check = join(project, 'node_modules', 'ipfs-cluster', 'bin', 'check-node.cjs');
  const script = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' }); require(${JSON.stringify(check)})('x')`;
  const { status, output } = run(process.execPath, ['-e', script], project);
  assert.equal(status, 1);
  assert.match(output, /^x needs Node 22\.19 or newer; this is Node 20\.1\.0 \(.*\)\n$/);
});

test('the library imports, with its types', async () => {
  const program = `
    import { Cid, type Cluster, createCluster, createTestCluster, type PinOptions, readService, version } from 'ipfs-cluster';
    import * as client from 'ipfs-cluster/client';
    const name: PinOptions['name'] = 'x';
    // @ts-expect-error a name is a text
    const wrong: PinOptions['name'] = 5;
    // @ts-expect-error a folder is a text
    const refused: Promise<Cluster> = createCluster({ folder: 5 });
    await refused.catch((error) => console.log(error.message));
    await using cluster = await createCluster({
      folder: 'peer',
      listen: ['/ip4/127.0.0.1/tcp/0'],
      ipfs: { type: 'embedded', swarmListen: ['/ip4/127.0.0.1/tcp/0'] },
    });
    await cluster.ready;
    cluster.on('pin', ({ name }) => console.log('pinned', name));
    await cluster.pin('QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o', { name });
    const tested = await createTestCluster(3);
    await tested.peers[0]?.pin('QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o');
    await tested.settle();
    console.log('tested', tested.ipfs(2).pins().length);
    await tested.stop();
    console.log(version, name, typeof readService, Object.keys(client).length > 0, Cid.parse('QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o').version);
  `;
  await writeFile(join(project, 'use.ts'), program);
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = [
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--strict',
    '--noEmit',
    '--types',
    'node',
    '--skipLibCheck',
    'false',
  ];
  ok(process.execPath, [tsc, ...flags, '--ignoreConfig', 'use.ts'], project);
  assert.match(
    ok(process.execPath, ['use.ts'], project),
    new RegExp(`^Cannot use option folder: found 5, .*\npinned x\ntested 1\n${version} x function true 0\n`),
  );
});
