/** Real Kubo daemons for tests, when `KUBO_BIN` names the program. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { RpcTarget } from './kubo-rpc.ts';

const run = promisify(execFile);

/** A daemon in a temporary repo, on loopback, at free ports. */
export async function startKubo(program: string): Promise<RpcTarget> {
  const repo = await mkdtemp(join(tmpdir(), 'kubo-'));
  const env = { ...process.env, IPFS_PATH: repo };
  await run(program, ['init', '--profile=test'], { env });
  const settings: Record<string, unknown> = {
    'Addresses.API': '/ip4/127.0.0.1/tcp/0',
    'Addresses.Gateway': '',
    'Addresses.Swarm': ['/ip4/127.0.0.1/tcp/0'],
    Bootstrap: [],
    'Discovery.MDNS.Enabled': false,
    'Routing.Type': 'none',
  };
  for (const [key, value] of Object.entries(settings)) {
    await run(program, ['config', '--json', key, JSON.stringify(value)], { env });
  }
  const daemon = spawn(program, ['daemon'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await isReady(daemon);
  const [, host, port] = /\/ip4\/([^/]+)\/tcp\/(\d+)/.exec(await readFile(join(repo, 'api'), 'utf8')) ?? [];
  return {
    url: `http://${host}:${port}`,
    stop: async () => {
      const exited = once(daemon, 'exit');
      daemon.kill('SIGTERM');
      await exited;
      await rm(repo, { recursive: true, force: true });
    },
  };
}

async function isReady(daemon: ChildProcess): Promise<void> {
  assert.ok(daemon.stdout);
  const lines = createInterface({ input: daemon.stdout });
  for await (const line of lines) {
    if (!line.includes('Daemon is ready')) continue;
    // The pipe stays open, so that the daemon does not block on it.
    daemon.stdout.resume();
    return;
  }
  assert.fail('the Kubo daemon ended before it was ready');
}
