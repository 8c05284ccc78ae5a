/** The shells themselves load what `ipfs-cluster-ctl completion` prints, and complete with it. Those that are not here are skipped, loudly. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type FakeApi, startFakeApi } from '../support/fake-api.ts';

const program = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'bin', 'ipfs-cluster-ctl.cjs');
const peer = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
const run = promisify(execFile);

let folder = '';
let api: FakeApi;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ctl-completion-'));
  const shim = join(folder, 'ipfs-cluster-ctl');
  await writeFile(shim, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(shim, 0o755);
  await writeFile(join(folder, 'a file.txt'), '');
  api = await startFakeApi(() => ({ body: [JSON.stringify({ id: peer, peername: 'one of us' })] }));
});
after(async () => {
  await api?.close();
  await rm(folder, { recursive: true });
});

const skipWithout = (shell: string): string | false => {
  const isHere = spawnSync(shell, ['-c', 'exit 0']).status === 0;
  if (!isHere) console.warn(`${shell} is not installed: its completion is NOT tested`);
  return isHere ? false : `${shell} is not installed`;
};

/** What a shell prints for a program of its own. */
async function output(shell: string, args: readonly string[], script: string): Promise<readonly string[]> {
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH ?? ''}`, HOME: folder, HOST: api.host };
  const { stdout } = await run(shell, [...args, '-c', script], { cwd: folder, env });
  return stdout.split('\n').filter((line) => line !== '');
}

interface Shell {
  readonly name: string;
  readonly args: readonly string[];
  /** A program that prints what is offered at the end of the words, one a line; the last word can be empty. */
  script(words: readonly string[]): string;
}

const quoted = (word: string): string => `'${word}'`;

const shells: readonly Shell[] = [
  {
    name: 'bash',
    args: ['--norc', '--noprofile'],
    // Outside of a running completion `compopt` has nothing to work on.
    script: (words) =>
      `source <(ipfs-cluster-ctl completion bash); compopt() { :; }
       [[ $(complete -p ipfs-cluster-ctl) == 'complete -F _ipfs_cluster_ctl ipfs-cluster-ctl' ]] || exit 1
       COMP_WORDS=(ipfs-cluster-ctl ${words.map(quoted).join(' ')}); COMP_CWORD=${words.length}
       _ipfs_cluster_ctl ipfs-cluster-ctl "\${COMP_WORDS[COMP_CWORD]}"; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  {
    name: 'zsh',
    args: ['-f'],
    script: (words) =>
      `autoload -U compinit; compinit -D -u; source <(ipfs-cluster-ctl completion zsh)
       [[ $_comps[ipfs-cluster-ctl] == _ipfs_cluster_ctl ]] || exit 1
       compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -l -- "$@" }
       _files() { print -l -- *.txt }
       words=(ipfs-cluster-ctl ${words.map(quoted).join(' ')}); CURRENT=${words.length + 1}; _ipfs_cluster_ctl`,
  },
  {
    name: 'fish',
    args: ['--no-config'],
    script: (words) =>
      `ipfs-cluster-ctl completion fish | source; complete -C "ipfs-cluster-ctl ${words.join(' ')}" | string replace -r '\\t.*' ''; true`,
  },
];

for (const { name, args, script } of shells) {
  describe(name, { skip: skipWithout(name) }, () => {
    const offered = (...words: string[]): Promise<readonly string[]> => output(name, args, script(words));

    test('commands, flags and names of statuses', async () => {
      assert.deepEqual([...(await offered('pin', ''))].sort(), ['add', 'explain', 'ls', 'rm', 'update']);
      assert.deepEqual(await offered('pin', 'add', '--wait-l'), ['--wait-limit']);
      assert.deepEqual(await offered('status', '--filter', 'pinned,unexp'), ['pinned,unexpectedly_unpinned']);
    });

    test('peers, by name and by id', async () => {
      assert.deepEqual(await offered('--host', api.host, 'peers', 'rm', ''), [peer]);
      assert.deepEqual(await offered('--host', api.host, 'peers', 'rm', '12D3'), [peer]);
      if (name !== 'fish') assert.deepEqual(await offered('--host', api.host, 'peers', 'rm', 'one'), [peer]);
    });

    test('files', async () => {
      const [file] = await offered('add', 'a');
      assert.equal(file?.replaceAll('\\', ''), 'a file.txt');
    });
  });
}
