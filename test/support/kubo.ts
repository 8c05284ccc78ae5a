/** A real Kubo daemon in a process of its own, for tests that are given one by `KUBO_BIN`. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface KuboDaemon {
  stop(): Promise<void>;
}

/** Initialises a repo in `folder` and starts the daemon on loopback, with the Kubo RPC on the given port. */
export async function startKubo(program: string, folder: string, rpcPort: number): Promise<KuboDaemon> {
  const env = { ...process.env, IPFS_PATH: folder };
  await run(program, ['init', '--profile=test'], { env });
  const settings: readonly [string, unknown][] = [
    ['Addresses.API', `/ip4/127.0.0.1/tcp/${rpcPort}`],
    ['Addresses.Gateway', '/ip4/127.0.0.1/tcp/0'],
    ['Addresses.Swarm', ['/ip4/127.0.0.1/tcp/0']],
    ['Bootstrap', []],
    ['Routing.Type', 'none'],
    ['AutoConf.Enabled', false],
  ];
  for (const [key, value] of settings) await run(program, ['config', '--json', key, JSON.stringify(value)], { env });
  const child = spawn(program, ['daemon'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  await ready(child);
  return {
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function ready(child: ChildProcess): Promise<void> {
  const tail: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      tail.push(line);
      if (line.includes('Daemon is ready')) resolve();
    });
  }
  child.on('exit', () => reject(new Error(`kubo ended before it was ready:\n${tail.join('\n')}`)));
  await promise;
}
