/**
 * The rules of the house that a text scan can check: who may import whom, what a room may not touch, what must be
 * documented, what nobody uses. `ARCHITECTURE.md` tells the reasons.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Rooms, the most particular first: a file is in the first room that its path begins with. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  multihash: ['base'],
  unixfs: ['base', 'multihash'],
  'model/config': ['base', 'model'],
  plain: ['base', 'model'],
  model: ['base'],
  'core/*': ['base', 'model'],
  cluster: ['base', 'model', 'model/config', 'core/allocate', 'core/heal', 'core/track', 'core/metrics'],
  'io/consensus': ['base', 'model', 'model/config', 'core/*', 'cluster/ports', 'io/rpc'],
  'io/add': ['base', 'model', 'model/config', 'core/*', 'cluster/ports', 'io/rpc', 'multihash', 'unixfs'],
  'io/config': ['base', 'model', 'model/config', 'cluster/ports'],
  'io/ipfs': ['base', 'model', 'model/config', 'core/*', 'cluster/ports', 'multihash'],
  'io/*': ['base', 'model', 'model/config', 'core/*', 'cluster/ports'],
  'ipfs-node': ['base', 'model', 'multihash', 'unixfs', 'bitswap', 'http/kit'],
  bitswap: ['base', 'multihash'],
  'http/dial': ['base', 'model', 'cluster/ports', 'http/kit', 'io/p2p'],
  'http/*': ['base', 'model', 'model/config', 'cluster/ports', 'http/kit'],
  'client/plain': ['base', 'model', 'plain', 'client'],
  client: ['base', 'model'],
  'cmd/ctl': ['base', 'model', 'client', 'http/dial'],
  'cmd/*': [
    'base',
    'model',
    'model/config',
    'core/*',
    'cluster',
    'cluster/ports',
    'io/*',
    'ipfs-node',
    'bitswap',
    'http/*',
    'client',
  ],
  embed: ['base', 'model', 'model/config', 'plain', 'cluster/ports', 'io/config', 'cmd/service/assemble'],
  // What knows the world only as ports. No other room of io is like that.
  sim: ['base', 'model', 'core/*', 'cluster', 'cluster/ports', 'io/consensus', 'io/rpc', 'io/monitor', 'io/inform'],
  testing: ['base', 'model', 'model/config', 'embed', 'sim'],
  // The package's own entry.
  '.': ['base', 'model', 'model/config', 'plain', 'embed', 'testing'],
};

/** Files besides `index.ts` that other rooms may import. */
const doors = ['cluster/ports.ts', 'cmd/service/assemble.ts', 'ipfs-node/rpc/index.ts'];

/** Doors that a room may be allowed without the rest of theirs: contracts, and the one place that chooses implementations. */
const narrowDoors = ['cluster/ports', 'cmd/service/assemble'];

interface Import {
  readonly from: string;
  /** Path below `src`. */
  readonly to: string;
  readonly names: readonly string[];
  readonly isType: boolean;
  readonly isDynamic: boolean;
}

interface Source {
  /** Path below `src`. */
  readonly path: string;
  readonly room: string;
  readonly text: string;
  /** Without comments and without what stands in quotes. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly isTest: boolean;
}

const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
const withoutComments = (text: string): string => text.replace(token, (found) => (/^\/[*/]/.test(found) ? '' : found));
const bare = (text: string): string => text.replace(token, (found) => (/^\/[*/]/.test(found) ? '' : "''"));

function roomOf(path: string): string {
  const parts = path.split('/');
  if (parts.length === 1) return '.';
  const names = Object.keys(rooms);
  const two = `${parts[0]}/${parts[1]}`;
  if (parts.length > 2 && names.some((name) => name === two || name === `${parts[0]}/*`)) return two;
  return parts[0] ?? '';
}

/** What the table says of the room; a `*` stands for any name. */
function allowedFor(room: string): readonly string[] {
  return rooms[room] ?? rooms[`${room.split('/')[0]}/*`] ?? [];
}

const importing =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:([^'";]*?)\s+from\s+)?'([^']+)'|(\bimport)\(\s*'([^']+)'\s*\)/g;

function importsOf(path: string, text: string): Import[] {
  return [...withoutComments(text).matchAll(importing)].flatMap(
    ([, type, clause = '', target, dynamic, dynamicTarget]) => {
      const to = target ?? dynamicTarget ?? '';
      if (!to.startsWith('.')) return [];
      const names = (/\{([^}]*)\}/.exec(clause)?.[1] ?? '')
        .split(',')
        .map(
          (name) =>
            name
              .trim()
              .replace(/^type\s+/, '')
              .split(/\s+as\s+/)[0] ?? '',
        )
        .filter((name) => name !== '');
      const isAll = /\*/.test(clause) || dynamic !== undefined;
      return [
        {
          from: path,
          to: posix.join(posix.dirname(path), to),
          names: isAll ? ['*'] : names,
          isType: type !== undefined,
          isDynamic: dynamic !== undefined,
        },
      ];
    },
  );
}

const sources: readonly Source[] = globSync('**/*.ts', { cwd: join(root, 'src') })
  .map((path) => path.replaceAll('\\', '/'))
  .sort()
  .map((path) => {
    const text = readFileSync(join(root, 'src', path), 'utf8');
    return {
      path,
      room: roomOf(path),
      text,
      code: bare(text),
      imports: importsOf(path, text),
      isTest: path.endsWith('.test.ts'),
    };
  });
const product = sources.filter((source) => !source.isTest);
const byPath = new Map(sources.map((source) => [source.path, source]));

/** Fails with every violation, one a line. */
function none(violations: readonly string[]): void {
  assert.equal(violations.length, 0, `${violations.length} violations:\n${violations.join('\n')}`);
}

const matches = (pattern: string, name: string): boolean =>
  pattern === name || (pattern.endsWith('/*') && name.startsWith(pattern.slice(0, -1)));

test('rooms import only the rooms that the table allows', () => {
  const violations = product.flatMap(({ path, room, imports }) =>
    imports.flatMap(({ to }) => {
      const target = roomOf(to);
      if (target === room) return [];
      const door = narrowDoors.find((narrow) => to === `${narrow}.ts`) ?? target;
      return allowedFor(room).some((pattern) => matches(pattern, door)) ? [] : [`${path} imports ${to}`];
    }),
  );
  none(violations);
});

test('imports between rooms go to the index of the other room, or to a door', () => {
  const violations = product.flatMap(({ path, room, imports }) =>
    imports.flatMap(({ to }) => {
      const target = roomOf(to);
      const isDoor = to === `${target}/index.ts` || doors.includes(to) || target === '.';
      return target === room || isDoor ? [] : [`${path} imports ${to}`];
    }),
  );
  none(violations);
});

test('imports lead to files', () => {
  none(
    sources.flatMap(({ path, imports }) =>
      imports.flatMap(({ to }) => (existsSync(join(root, 'src', to)) ? [] : [`${path} imports ${to}`])),
    ),
  );
});

test('no room re-exports everything of a file', () => {
  none(product.filter(({ code }) => /export\s+\*\s+from/.test(code)).map(({ path }) => path));
});

test('no run-time import cycle', () => {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'open') cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    if (state.has(path)) return;
    state.set(path, 'open');
    for (const { to, isType, isDynamic } of byPath.get(path)?.imports ?? []) {
      if (!isType && !isDynamic) visit(to, [...trail, path]);
    }
    state.set(path, 'done');
  };
  for (const { path } of product) visit(path, []);
  none(cycles);
});

interface Ban {
  readonly where: RegExp;
  readonly what: RegExp;
  readonly reason: string;
  /** Looks at quoted text as well. */
  readonly isInText?: boolean;
}

const pure = /^(base|model|core|cluster)\//;
const bans: readonly Ban[] = [
  { where: /^(base|model|core|cluster|client)\//, what: /['"]node:/, reason: 'knows nothing of Node', isInText: true },
  { where: pure, what: /\b(Date|performance)\b/, reason: 'takes time as an argument' },
  { where: pure, what: /\bMath\s*\.\s*random\b|\bcrypto\b/, reason: 'takes randomness as an argument' },
  {
    where: pure,
    what: /\b(setTimeout|setInterval|setImmediate|queueMicrotask|AbortSignal\s*\.\s*timeout)\b|\bprocess\s*\./,
    reason: 'takes timers and the process as arguments',
  },
  { where: /^core\//, what: /\basync\b|\bawait\b|\bnew Promise\b|\bPromise\s*\./, reason: 'is synchronous' },
  { where: /^(?!cmd\/)/, what: /\bthrow new Error\(/, reason: 'throws OperatingError with a code' },
  { where: /^(?!cmd\/|sim\/main)/, what: /\bconsole\s*\./, reason: 'prints nothing; only programs do' },
];

for (const { where, what, reason, isInText } of bans) {
  test(`a file of ${where.source} ${reason}`, () => {
    const violations = product
      .filter(({ path }) => where.test(path))
      .flatMap(({ path, text, code }) => {
        const found = what.exec(isInText === true ? withoutComments(text) : code);
        return found === null ? [] : [`${path}: ${found[0].trim()}`];
      });
    none(violations);
  });
}

test('a caught error leads to something, or a comment says why not', () => {
  none(product.filter(({ text }) => /\bcatch\s*(\([^)]*\))?\s*\{\s*\}/.test(text)).map(({ path }) => path));
});

test('the embedded IPFS node is loaded on demand only', () => {
  const violations = product.flatMap(({ path, imports }) =>
    imports
      .filter(({ to, isType, isDynamic }) => roomOf(to) === 'ipfs-node' && !isType && !isDynamic)
      .filter(() => roomOf(path) !== 'ipfs-node')
      .map(({ to }) => `${path} imports ${to}`),
  );
  none(violations);
});

test('every export of a room has a doc comment', () => {
  const violations = product
    .filter(({ path }) => path.endsWith('index.ts') || doors.includes(path))
    .flatMap(({ path, imports, code }) => {
      const own = doors.includes(path)
        ? [...code.matchAll(declaring)].map(([, name]) => [path, name ?? ''] as const)
        : [];
      const passed = imports.flatMap(({ to, names }) => names.map((name) => [to, name] as const));
      return [...own, ...passed].flatMap(([file, name]) => (isDocumented(file, name) ? [] : [`${name} of ${file}`]));
    });
  none([...new Set(violations)]);
});

const declaring =
  /(?:^|\n)export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|const|let|class|interface|type)\s+(\w+)/g;

/** What is only passed on is looked at where it is declared. */
function isDocumented(file: string, name: string): boolean {
  const source = byPath.get(file);
  if (source === undefined) return true;
  const declared = new RegExp(
    `(\\*/\\s*)?(?:// biome-ignore[^\\n]*\\n)?\\nexport\\s+(?:abstract\\s+)?(?:async\\s+)?(?:function\\*?|const|let|class|interface|type)\\s+${name}\\b`,
  ).exec(`\n${source.text}`);
  if (declared !== null) return declared[1] !== undefined;
  const passed = source.imports.find(({ names }) => names.includes(name));
  return passed === undefined || isDocumented(passed.to, name);
}

/** Started by somebody from outside, or put in the place of a library by `tools/build.ts`. */
const isEntry = (path: string): boolean =>
  /^index\.ts$|\/index\.ts$|^cmd\/\w+\/(main|bin)\.ts$|^sim\/main\.ts$|-as-text\.ts$/.test(path);

/** Everything that imports from `src`: tests, benchmarks and tools as well. */
const users: readonly Import[] = [
  ...sources.flatMap(({ imports }) => imports),
  ...globSync('{test,bench,tools}/**/*.ts', { cwd: root }).flatMap((path) => {
    const at = posix.join('..', path.replaceAll('\\', '/'));
    return importsOf(at, readFileSync(join(root, path), 'utf8')).map((found) => ({
      ...found,
      to: found.to.replace(/^\.\.\/src\//, ''),
    }));
  }),
];

test('no file is without a use', () => {
  const used = new Set(users.map(({ to }) => to));
  none(product.filter(({ path }) => !used.has(path) && !isEntry(path)).map(({ path }) => path));
});

test('no export is without a use', () => {
  const used = new Map<string, Set<string>>();
  for (const { to, names } of users) {
    const known = used.get(to) ?? new Set();
    for (const name of names) known.add(name);
    used.set(to, known);
  }
  const violations = product
    .filter(({ path }) => !isEntry(path) && !used.get(path)?.has('*'))
    .flatMap(({ path, code }) =>
      [...code.matchAll(declaring)].flatMap(([whole, name = '']) => {
        // A type may be exported for the declarations that mention it.
        if (/\b(interface|type)\b/.test(whole)) return [];
        return used.get(path)?.has(name) ? [] : [`${name} of ${path}`];
      }),
    );
  none(violations);
});

test('no dependency is without a use, and none of the published ones is for tests only', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // Programs that are started, and types that the compiler finds by itself.
  const unnamed = ['@biomejs/biome', '@types/'];
  const textOf = (files: readonly string[]): string =>
    files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const isTest = (file: string): boolean => file.endsWith('.test.ts');
  const inSources = globSync('src/**/*.ts', { cwd: root });
  const published = textOf(inSources.filter((file) => !isTest(file)));
  const all =
    published + textOf([...inSources.filter(isTest), ...globSync('{test,bench,tools}/**/*.ts', { cwd: root })]);
  const unused = (names: object, text: string): string[] =>
    Object.keys(names).filter(
      (name) =>
        !unnamed.some((start) => name.startsWith(start)) && !text.includes(`'${name}'`) && !text.includes(`'${name}/`),
    );
  assert.deepEqual(unused(dependencies, published), []);
  assert.deepEqual(unused(devDependencies, all), []);
});

test('no file of the repository knows the machine it was written on', () => {
  // Put together here, so that this file does not contain what it looks for.
  const machine = new RegExp(
    `(^|[\\s"'\`(=:])(/${['wo', 'rk'].join('')}/|/${['op', 't'].join('')}/|\\.\\./${['sha', 'red'].join('')}\\b)`,
    'm',
  );
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
  const violations = files
    .filter((file) => /\.(ts|cjs|js|json|md|ya?ml|txt|tsv|sh)$|\.ci\/run$/.test(file))
    .filter((file) => existsSync(join(root, file)))
    .flatMap((file) => {
      const found = machine.exec(readFileSync(join(root, file), 'utf8'));
      return found === null ? [] : [`${file}: ${found[0].trim()}`];
    });
  none(violations);
});
