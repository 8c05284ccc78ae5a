/**
 * How long a command of `ipfs-cluster-ctl` takes from start to end, beside the Go program (with `GO_CLUSTER_BIN`) and an empty
 * program of Node, by turns in one run; the shortest of all rounds counts. The peer is one of ours, over TCP and over libp2p.
 *
 *     npm run bench -- ctl
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatingError } from '../src/base/index.ts';
import { startPeers } from '../test/support/peers.ts';
import { report } from './report.ts';

const rounds = 25;
/** What people take for at once. */
const limitMs = 100;
const secret = '5c'.repeat(32);

const program = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bin', 'ipfs-cluster-ctl.cjs');
const goFolder = process.env.GO_CLUSTER_BIN;
if (goFolder === undefined) console.warn('GO_CLUSTER_BIN is not set: not compared with the Go program');

/** Milliseconds until it has ended. */
async function timeOf([file, ...argv]: readonly [string, ...string[]]): Promise<number> {
  const began = performance.now();
  const [code] = await once(spawn(file, argv, { stdio: 'ignore' }), 'exit');
  if (code !== 0) throw new OperatingError('bench/failed', `${file} ${argv.join(' ')} ended with ${code}`);
  return performance.now() - began;
}

const started = await startPeers({
  count: 1,
  change: (config) => ({ ...config, cluster: { ...config.cluster, secret } }),
});
try {
  const [peer] = started.peers;
  const host = ['--host', peer?.apiAddress ?? ''];
  const { addresses } = (await (await fetch(`${peer?.apiUrl}/id`)).json()) as { addresses: string[] };
  const overLibp2p = ['--host', addresses[0] ?? '', '--secret', secret];
  const commands = new Map([
    ['version flag', ['--version']],
    ['help', ['pin', 'add', '--help']],
    ['version', [...host, 'version']],
    ['id', [...host, 'id']],
    ['id over libp2p', [...overLibp2p, 'id']],
  ]);
  const programs = new Map<string, readonly [string, ...string[]]>([['node', [process.execPath, '-e', '0']]]);
  for (const [name, argv] of commands) {
    programs.set(`ctl ${name}`, [process.execPath, program, ...argv]);
    if (goFolder !== undefined) programs.set(`go ctl ${name}`, [join(goFolder, 'ipfs-cluster-ctl'), ...argv]);
  }
  const times = new Map<string, number[]>();
  // The first round fills the caches of files and of compiled code.
  for (let round = -1; round < rounds; round += 1) {
    for (const [name, argv] of programs) {
      const ms = await timeOf(argv);
      if (round >= 0) times.set(name, [...(times.get(name) ?? []), ms]);
    }
  }
  for (const [name, values] of times) {
    // What else the machine does can only make it longer.
    const value = Math.min(...values);
    const isOurs = name.startsWith('ctl ') && !name.endsWith('libp2p');
    report({ name, value, unit: 'ms', ...(isOurs ? { ratio: value / limitMs, of: `${limitMs} ms` } : {}) });
  }
} finally {
  await started.end();
}
