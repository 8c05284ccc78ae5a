import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedPort } from '../../../../test/support/closed-port.ts';
import { runCtl } from '../../../../test/support/ctl.ts';
import { startFakeApi } from '../../../../test/support/fake-api.ts';
import { commands } from '../commands.ts';

const peers = [
  '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
  '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt',
] as const;

/** The texts that are offered for the last of the words. */
async function offered(...words: string[]): Promise<readonly string[]> {
  const { stdout, stderr, exit } = await runCtl(['complete', '--', ...words]);
  assert.deepEqual([exit, stderr], [0, '']);
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t')[0] ?? '');
}

test('complete: the first word is a command, the second one of its group', async () => {
  const first = await offered('');
  assert.ok(first.includes('pin') && first.includes('add') && first.includes('help'));
  assert.ok(!first.some((word) => ['sync', 'member', 'commands', 'complete'].includes(word)));
  assert.equal(new Set(first).size, first.length);
  assert.deepEqual(await offered('reco'), ['recover']);
  assert.deepEqual(await offered('help', 'reco'), ['recover']);
  assert.deepEqual(await offered('pin', 'u'), ['update']);
  assert.deepEqual(await offered('nosuch', ''), []);
  assert.deepEqual(await offered('pin', 'nosuch', ''), []);
});

test('complete: every word that is offered is a command or a group', async () => {
  for (const word of await offered('')) {
    if (word !== 'help')
      assert.ok(
        commands.some((command) => command.words[0] === word),
        word,
      );
  }
});

test('complete: flags of the program in front of the command, of the command behind it', async () => {
  assert.deepEqual(await offered('--enc'), ['--encoding']);
  assert.deepEqual(await offered('--host', '/ip4/1.2.3.4/tcp/1', '--no-ch'), ['--no-check-certificate']);
  assert.deepEqual(await offered('pin', 'add', '--wait'), ['--wait', '--wait-limit', '--wait-timeout']);
  assert.deepEqual(await offered('version', '--'), ['--help']);
  assert.deepEqual(await offered('pin', 'add', '--', '--wait'), []);
});

test('complete: values of flags, in all the ways in which they are written', async () => {
  const ways: readonly [string[], string[]][] = [
    [
      ['--enc', ''],
      ['text', 'json', 'ndjson'],
    ],
    [['--enc=nd'], ['--enc=ndjson']],
    [['-enc', 'j'], ['json']],
    // As bash takes them apart.
    [['--enc', '=', 'j'], ['json']],
    [
      ['--enc', '='],
      ['text', 'json', 'ndjson'],
    ],
    [
      ['status', '--filter', 'unpin_'],
      ['unpin_error', 'unpin_queued'],
    ],
    [['status', '--filter', 'pinned,rem'], ['pinned,remote']],
    [['status', '--filter=pinned,rem'], ['--filter=pinned,remote']],
    [['pin', 'ls', '--filter', 'meta'], ['meta-pin']],
    [['pin', 'add', '--name', ''], []],
    [['pin', 'add', '--name', 'x', '--mode', 'd'], ['direct']],
    [['add', '--layout', 't'], ['trickle']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['completion', 'bash', ''], []],
  ];
  for (const [words, expected] of ways) assert.deepEqual(await offered(...words), expected, words.join(' '));
});

test('complete: files are left to the shell', async () => {
  assert.deepEqual(await offered('add', '-r', 'x'), [':files']);
  assert.deepEqual(await offered('health', 'graph', '-f', ''), [':files']);
});

test('complete: peers and metrics are asked of the API that the words lead to, by id and by name', async () => {
  const lines = peers.map((id, index) => JSON.stringify({ id, peername: `peer${index}` }));
  const api = await startFakeApi((_method, path) =>
    path === '/peers' ? { body: lines } : { body: '["ping","freespace"]' },
  );
  try {
    const to = ['--host', api.host];
    assert.deepEqual(await offered(...to, 'peers', 'rm', ''), [...peers]);
    assert.deepEqual(await offered(...to, 'peers', 'drain', '--wait', 'peer1'), [peers[1]]);
    assert.deepEqual(await offered(...to, 'peers', 'rm', '12D3KooWJ'), [peers[1]]);
    assert.deepEqual(await offered(...to, 'peers', 'rm', peers[0], ''), []);
    assert.deepEqual(await offered(...to, 'pin', 'add', '--allocs', `${peers[0]},12D3KooWJ`), [
      `${peers[0]},${peers[1]}`,
    ]);
    assert.deepEqual(await offered(...to, 'health', 'metrics', 'p'), ['ping']);
    const { stdout } = await runCtl(['complete', '--', ...to, 'peers', 'rm', 'peer0']);
    assert.equal(stdout, `${peers[0]}\tpeer0\n`);
  } finally {
    await api.close();
  }
});

test('complete: a cluster that is not there, or flags that make no sense, offer nothing and say nothing', async () => {
  assert.deepEqual(await offered('--host', `/ip4/127.0.0.1/tcp/${await closedPort()}`, 'peers', 'rm', ''), []);
  assert.deepEqual(await offered('--timeout', 'x', 'peers', 'rm', ''), []);
  assert.deepEqual(await offered('--secret', 'x', 'peers', 'rm', ''), []);
});

test('completion names the shells that it knows', async () => {
  const { exit, stderr } = await runCtl(['completion', 'csh']);
  assert.deepEqual([exit, stderr], [1, 'error : found "csh", expected one of: bash, zsh, fish\n']);
});
