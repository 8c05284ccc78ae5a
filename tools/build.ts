/**
 * Builds the programs: one bundle each, because loading hundreds of small files is most of a program's start.
 * `node tools/build.ts` takes under a second; with `--dist` the library and its types are made as well, all anew. `--out`
 * names another folder than `dist`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BuildOptions, build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: flags } = parseArgs({
  options: { dist: { type: 'boolean' }, force: { type: 'boolean' }, out: { type: 'string', default: 'dist' } },
});
const dist = resolve(root, flags.out);
const out = join(dist, 'bin');

const shared: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node22',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
};

/** CommonJS inside an ESM bundle needs a `require`; under a name that no bundled module can declare as well. */
const banner = {
  js: "import{createRequire as __bundleCreateRequire}from'node:module';const require=__bundleCreateRequire(import.meta.url);",
};

/** One program in one file, the quickest to load. */
function program(name: string, entry: string): BuildOptions {
  return {
    ...shared,
    entryPoints: [{ in: `src/cmd/${name}/${entry}`, out: 'main' }],
    outdir: join(out, name),
    format: 'esm',
    banner,
  };
}

/** The daemon in chunks: what is seldom needed (the embedded IPFS node, the demo, coloured logs) is loaded on demand. */
const daemon: BuildOptions = {
  ...program('service', 'main.ts'),
  splitting: true,
  // Native code finds its prebuilt binary beside itself.
  external: ['classic-level'],
};

/**
 * CommonJS, which loads Node's own modules in half the time. libp2p is a program of its own that is loaded when an address
 * needs it.
 */
const ctl: BuildOptions = {
  ...program('ctl', 'bin.ts'),
  format: 'cjs',
  banner: {},
  outExtension: { '.js': '.cjs' },
  plugins: [
    {
      name: 'libp2p-apart',
      setup: ({ onResolve }) =>
        onResolve({ filter: /\/http\/dial\/index\.ts$/ }, ({ kind }) =>
          kind === 'dynamic-import' ? { path: './dial.js', external: true } : undefined,
        ),
    },
  ],
};
const ctlDial: BuildOptions = {
  ...program('ctl', ''),
  entryPoints: [{ in: 'src/http/dial/index.ts', out: 'dial' }],
};

/** `ipfs-cluster/client` in one file without dependencies, which a browser loads as it is. */
const client: BuildOptions = {
  ...shared,
  entryPoints: [{ in: 'src/client/plain/index.ts', out: 'client' }],
  outdir: dist,
  format: 'esm',
  platform: 'browser',
  alias: { '@multiformats/multiaddr': './src/client/plain/multiaddr-as-text.ts' },
  target: 'es2023',
};

/** Newest change below a folder, in milliseconds since the epoch; 0 when it is not there. */
function newest(folder: string): number {
  let latest = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) latest = Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs);
  }
  return latest;
}

function isFresh(): boolean {
  const built = programs.map(({ file }) => statSync(join(out, file), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  const sources = Math.max(
    newest(join(root, 'src')),
    statSync(join(root, 'package-lock.json')).mtimeMs,
    statSync(fileURLToPath(import.meta.url)).mtimeMs,
  );
  return Math.min(...built) > sources;
}

/** The page of the APIs, with what its licence asks for. */
const pageFiles = ['swagger-ui-bundle.js', 'swagger-ui-bundle.js.LICENSE.txt', 'swagger-ui.css', 'LICENSE', 'NOTICE'];

function copyPage(): void {
  const page = join(dist, 'api');
  mkdirSync(page, { recursive: true });
  for (const file of pageFiles) copyFileSync(join(root, 'node_modules', 'swagger-ui-dist', file), join(page, file));
}

const programs = [
  { file: 'service/main.js', options: daemon },
  { file: 'ctl/main.cjs', options: ctl },
  { file: 'ctl/dial.js', options: ctlDial },
  { file: 'follow/main.js', options: program('follow', 'main.ts') },
  { file: '../client.js', options: client },
];

if (flags.dist) rmSync(dist, { recursive: true, force: true });
if (flags.dist || flags.force || !isFresh()) {
  const began = performance.now();
  copyPage();
  await Promise.all(programs.map(({ options }) => build(options)));
  console.error(`built the programs in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}
if (flags.dist) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', dist], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
}
