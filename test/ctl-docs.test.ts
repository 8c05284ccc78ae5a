/** The commands of `docs/ctl.md` run one after the other against a peer, and print what the page says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { commands } from '../src/cmd/ctl/commands.ts';
import { startPeers, type TestPeers } from './support/peers.ts';

const root = join(import.meta.dirname, '..');
const page = await readFile(join(root, 'docs', 'ctl.md'), 'utf8');

const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```$/gm)].map(
  ({ index, 1: script = '', 2: output = '' }) => ({ line: page.slice(0, index).split('\n').length, script, output }),
);

/** What no two runs have in common. */
const stable = (text: string): string =>
  text.replace(/[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?/g, '<time>').replace(/12D3KooW\w+/g, '<peer>');

describe('docs/ctl.md', () => {
  let started: TestPeers;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ctl-docs-'));
    started = await startPeers({ count: 1 });
    const program = `'${process.execPath}' '${join(root, 'bin', 'ipfs-cluster-ctl.cjs')}'`;
    const shim = join(folder, 'ipfs-cluster-ctl');
    // Of two hosts on a command line the last one counts.
    await writeFile(shim, `#!/bin/sh\nexec ${program} --host ${started.peers[0]?.apiAddress} "$@"\n`);
    await chmod(shim, 0o755);
  });
  after(async () => {
    await started?.end();
    await rm(folder, { recursive: true });
  });

  for (const { line, script, output } of blocks) {
    test(`the commands of line ${line} print what the page says`, () => {
      const env = { PATH: `${folder}:${process.env.PATH}` };
      const { stdout, stderr } = spawnSync('sh', ['-c', script], {
        cwd: folder,
        env,
        encoding: 'utf8',
        timeout: 60_000,
      });
      assert.equal(stable(stdout), stable(output));
      assert.equal(stderr, '');
    });
  }

  test('every command that v1.1.6 does not have is on the page', async () => {
    const recorded = await readFile(join(root, 'test', 'vectors', 'cli', 'ctl', 'commands.txt'), 'utf8');
    for (const { words, isHidden } of commands) {
      if (isHidden === true || recorded.includes(`ipfs-cluster-ctl ${words.join(' ')}\n`)) continue;
      assert.match(page, new RegExp(`\`${words[0]}[^\`\n]*\`|, \`${words[1]}\``), words.join(' '));
      assert.ok(page.includes(words.at(-1) ?? ''), words.join(' '));
    }
  });
});
