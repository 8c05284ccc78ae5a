/** Examples of the documentation are programs: they have the right types, run, and print what the page says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pages = [
  'README.md',
  'docs/adding.md',
  'docs/client.md',
  'docs/library.md',
  'docs/openapi.md',
  'docs/pinning-service.md',
  'docs/proxy.md',
  'docs/search-and-events.md',
];

interface Example {
  readonly page: string;
  /** Of the program, in the page, from 1. */
  readonly line: number;
  readonly program: string;
  /** The block below it; absent: anything. */
  readonly output: string | undefined;
}

const fenced = /^```ts\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```$)?/gm;

const examples: readonly Example[] = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(fenced)].map(({ index, 1: program = '', 2: output }) => ({
    page,
    line: text.slice(0, index).split('\n').length,
    program,
    output,
  }));
});

const fileOf = ({ page, line }: Example): string => `${page.replace(/\W+/g, '-')}-${line}.ts`;

/** The package as its sources: `test/package.test.ts` is for what is built of them. */
const withSources = (program: string): string =>
  program
    .replaceAll("from 'ipfs-cluster/client'", `from '${join(root, 'src', 'client', 'plain', 'index.ts')}'`)
    .replaceAll("from 'ipfs-cluster'", `from '${join(root, 'src', 'index.ts')}'`);

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipfs-cluster-docs-'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  for (const example of examples) await writeFile(join(folder, fileOf(example)), withSources(example.program));
});
after(() => rm(folder, { recursive: true, force: true }));

function run(args: readonly string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly all: string;
} {
  // Inherited, it would make an example that is a test report to this one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env });
  return { status, stdout, all: `${stdout}${stderr}` };
}

test('the pages have examples', () => {
  for (const page of pages) assert.ok(examples.some((example) => example.page === page));
});

test('examples have the right types', async () => {
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  const config = {
    compilerOptions: {
      ...compilerOptions,
      rootDir: '/',
      typeRoots: [join(root, 'node_modules', '@types')],
      isolatedDeclarations: false,
      declaration: false,
    },
    include: ['*.ts'],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, all } = run([tsc, '-p', folder]);
  assert.equal(status, 0, all);
});

for (const example of examples) {
  test(`the example of ${example.page} line ${example.line} runs, and prints what the page says`, () => {
    const { status, stdout, all } = run([fileOf(example)]);
    assert.equal(status, 0, all);
    if (example.output !== undefined) assert.equal(stdout, example.output);
  });
}

test('docs/library.md has every option of createCluster and every event', () => {
  const page = readFileSync(join(root, 'docs', 'library.md'), 'utf8');
  const keysOf = (file: string, name: string): string[] => {
    const source = readFileSync(join(root, file), 'utf8');
    const body = new RegExp(`export interface ${name} [^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1] ?? '';
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, key = '']) => key);
  };
  const options = keysOf('src/embed/options.ts', 'ClusterOptions');
  const events = keysOf('src/embed/types.ts', 'ClusterEvents');
  assert.ok(options.length > 10 && events.length > 3);
  for (const key of [...options, ...events]) assert.ok(page.includes(`| \`${key}\` |`), `${key} is missing`);
});
