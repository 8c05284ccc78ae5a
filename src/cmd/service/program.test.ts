import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Handlers, runProgram } from './program.ts';

/** What the command line led to, as text. */
async function run(line: string): Promise<string> {
  const calls: string[] = [];
  const note =
    (name: string) =>
    async (...values: readonly unknown[]): Promise<void> => {
      calls.push([name, ...values.map((value) => JSON.stringify(value) ?? '-')].join(' '));
    };
  const handlers: Handlers = {
    init: note('init'),
    daemon: note('daemon'),
    id: note('id'),
    demo: note('demo'),
    stateExport: note('export'),
    stateImport: note('import'),
    stateCleanup: note('cleanup'),
    stateDigest: note('digest'),
    print: (text) => calls.push(text),
  };
  const code = await runProgram(line === '' ? [] : line.split(' '), handlers);
  return code === 0 ? calls.join('; ') : `exit ${code}`;
}

const initDefaults = '"consensus":"raft","datastore":"pebble","peers":""';

const importDefaults = '"replicationMin":"0","replicationMax":"0","allocations":""';

const cases: readonly (readonly [string, string])[] = [
  ['init', `init {${initDefaults}} {} -`],
  ['-init', `init {${initDefaults}} {} -`],
  ['--init', `init {${initDefaults}} {} -`],
  ['-f -init', `init {${initDefaults}} {"force":true} -`],
  ['-c x -init', `init {${initDefaults}} {"config":"x"} -`],
  ['-init -c=x', `init {${initDefaults}} {"config":"x"} -`],
  ['init -f --embedded-ipfs', `init {${initDefaults},"force":true,"embeddedIpfs":true} {} -`],
  ['init --consensus raft http://x', `init {${initDefaults}} {} "http://x"`],
  ['daemon', 'daemon {"bootstrap":"","trust":true} {}'],
  ['-debug=true daemon --leave=false -j /a,/b', 'daemon {"bootstrap":"/a,/b","trust":true} {"debug":true}'],
  [
    '-l error,raft:debug daemon --upgrade',
    'daemon {"bootstrap":"","trust":true,"upgrade":true} {"loglevel":"error,raft:debug"}',
  ],
  ['daemon --end-with-input', 'daemon {"bootstrap":"","trust":true,"endWithInput":true} {}'],
  ['daemon surplus', 'daemon {"bootstrap":"","trust":true} {}'],
  ['id', 'id {}'],
  ['demo --tour', 'demo {"tour":true}'],
  ['demo --healing --dir x', 'demo {"healing":true,"dir":"x"}'],
  ['demo --healing --tour', 'exit 1'],
  ['state export', 'export {} {}'],
  ['state export -f=pins --whole-log', 'export {"file":"pins","wholeLog":true} {}'],
  ['-c x state export -file pins', 'export {"file":"pins"} {"config":"x"}'],
  ['state import', `import {${importDefaults}} {} -`],
  ['state import -f pins', `import {${importDefaults},"force":true} {} "pins"`],
  ['state import pins --yes=true --alone', `import {${importDefaults},"yes":true,"alone":true} {} "pins"`],
  [
    'state import --rmin -1 -rmax=3 -allocs a,b pins',
    'import {"replicationMin":"-1","replicationMax":"3","allocations":"a,b"} {} "pins"',
  ],
  [
    'state import --replication-min 1 --replication-max 3 --allocations a',
    'import {"replicationMin":"1","replicationMax":"3","allocations":"a"} {} -',
  ],
  ['state cleanup -f', 'cleanup {"force":true} {}'],
  ['state digest', 'digest {} {}'],
  ['state', ''],
  ['state bogus', 'exit 3'],
  ['help', ''],
  ['h state export', ''],
  ['state help export', ''],
  ['help bogus', 'exit 3'],
  ['state help bogus', 'exit 3'],
  ['', 'exit 1'],
  ['bogus', 'exit 1'],
  ['daemon --bogus', 'exit 1'],
  ['--bogus', 'exit 1'],
];

for (const [line, expected] of cases) {
  test(`runProgram understands "${line}"`, async (t) => {
    t.mock.method(process.stdout, 'write', () => true);
    t.mock.method(process.stderr, 'write', () => true);
    const found = await run(line);
    t.mock.restoreAll();
    assert.equal(found, expected);
  });
}

test('help on a word is the help of that command; a wrong option tells where help is', () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const output = (...argv: string[]): string => execFileSync(process.execPath, [main, ...argv], { encoding: 'utf8' });
  assert.equal(output('help', 'state', 'import'), output('state', 'import', '--help'));
  assert.equal(output('state', 'h', 'import'), output('state', 'import', '--help'));
  const { stderr } = spawnSync(process.execPath, [main, 'state', 'export', '--nosuch'], { encoding: 'utf8' });
  assert.match(stderr, /^error: unknown option '--nosuch'\n+For help: ipfs-cluster-service state export --help\n$/);
});

/** Sections of `$ arguments` and the output. */
const helpFile = new URL('../../../test/scripts/service-help.txt', import.meta.url);

test('the help of the state commands is what is written down', () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  for (const section of readFileSync(helpFile, 'utf8').split(/^\$ /m).slice(1)) {
    const [line = '', ...expected] = section.split('\n');
    const found = execFileSync(process.execPath, [main, ...line.split(' ')], { encoding: 'utf8' });
    assert.equal(found, expected.join('\n'), line);
  }
});

test('output that cannot be written ends in one line', { skip: process.platform !== 'linux' }, () => {
  const full = openSync('/dev/full', 'w');
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const { stderr, status } = spawnSync(process.execPath, [main, 'version'], { stdio: ['ignore', full, 'pipe'] });
  closeSync(full);
  assert.match(stderr.toString(), /^error writing the output: ENOSPC.*\n$/);
  assert.equal(status, 1);
});
