import assert from 'node:assert/strict';
import { test } from 'node:test';
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
    print: (text) => calls.push(text),
  };
  const code = await runProgram(line === '' ? [] : line.split(' '), handlers);
  return code === 0 ? calls.join('; ') : `exit ${code}`;
}

const initDefaults = '"consensus":"raft","datastore":"pebble","peers":""';

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
  ['daemon surplus', 'daemon {"bootstrap":"","trust":true} {}'],
  ['id', 'id {}'],
  ['demo --tour', 'demo {"tour":true}'],
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
