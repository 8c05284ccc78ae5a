/** Real Kubo daemons for contract tests, each in a temporary repo and at free loopback ports. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKubo as startDaemon } from '../support/kubo.ts';
import type { RpcTarget } from './kubo-rpc.ts';

/** `program` is the `ipfs` executable. */
export async function startKubo(program: string): Promise<RpcTarget> {
  const folder = await mkdtemp(join(tmpdir(), 'kubo-'));
  const daemon = await startDaemon(program, folder, 0);
  const [, host, port] = /\/ip4\/([^/]+)\/tcp\/(\d+)/.exec(await readFile(join(folder, 'api'), 'utf8')) ?? [];
  return {
    url: `http://${host}:${port}`,
    stop: async () => {
      await daemon.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
