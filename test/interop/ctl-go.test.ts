/**
 * Our ctl drives a running Go peer, and prints what the Go ctl prints for the same question.
 * Needs `GO_CLUSTER_BIN`, a folder with the Go programs; it stays on loopback and in a temporary folder.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { timeFromNanos } from '../../src/model/index.ts';
import { type CtlRun, runCtl } from '../support/ctl.ts';
import { IpfsStandIn } from '../support/ipfs-stand-in.ts';

const bin = process.env.GO_CLUSTER_BIN;
const skip = bin === undefined ? 'GO_CLUSTER_BIN is not set: ctl with a Go peer is NOT tested' : false;
if (skip !== false) console.warn(skip);

const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
const other = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('our ctl and a Go peer', { skip }, () => {
  const ipfs = new IpfsStandIn();
  let folder: string;
  let host: string;
  let daemon: ChildProcess;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ctl-go-'));
    await ipfs.start();
    const address = async () => `/ip4/127.0.0.1/tcp/${await freePort()}`;
    host = await address();
    const environment = {
      ...process.env,
      CLUSTER_SECRET: '5c'.repeat(32),
      CLUSTER_PEERNAME: 'go-peer',
      CLUSTER_LISTENMULTIADDRESS: await address(),
      CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS: host,
      CLUSTER_IPFSPROXY_LISTENMULTIADDRESS: await address(),
      CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS: await address(),
      CLUSTER_IPFSHTTP_NODEMULTIADDRESS: ipfs.multiaddress,
      CLUSTER_MDNSINTERVAL: '0s',
    };
    const service = join(bin ?? '', 'ipfs-cluster-service');
    const init = spawn(service, ['--config', folder, 'init', '--consensus', 'raft'], {
      env: environment,
      stdio: 'ignore',
    });
    assert.deepEqual(await once(init, 'exit'), [0, null]);
    daemon = spawn(service, ['--config', folder, 'daemon'], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    await new Promise<void>((resolve, reject) => {
      let log = '';
      for (const output of [daemon.stdout, daemon.stderr]) {
        output?.on('data', (bytes: Buffer) => {
          log += bytes.toString();
          if (log.includes('IPFS Cluster is READY')) resolve();
        });
      }
      daemon.once('exit', () => reject(new Error(`the Go peer ended:\n${log}`)));
    });
  });

  after(async () => {
    if (daemon?.exitCode === null) {
      daemon.kill('SIGTERM');
      await once(daemon, 'exit');
    }
    await ipfs.stop();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  const ours = (...argv: string[]): Promise<CtlRun> =>
    runCtl(['--host', host, ...argv], {
      now: () => timeFromNanos(BigInt(Date.now()) * 1_000_000n),
      folder,
      statusDelayMs: 100,
    });

  function theirs(...argv: string[]): Promise<CtlRun> {
    return new Promise((resolve) => {
      execFile(join(bin ?? '', 'ipfs-cluster-ctl'), ['--host', host, ...argv], (error, stdout, stderr) => {
        const exit = error === null ? 0 : Number(error.code);
        resolve({ exit, stdout, stderr: stderr.replace(/^[0-9T:.-]+Z\t[A-Z]+\t.*\n/gm, '') });
      });
    });
  }

  /** Times made while answering differ; so does how long is left of something. */
  function stable(ran: CtlRun): CtlRun {
    const stdout = ran.stdout
      .replace(/[0-9]{4}-[0-9-]{5}T[0-9:.]+(Z|[+-][0-9:]{5})/g, '<time>')
      .replace(/(?<="(expire|received_at)": )[0-9]+/g, '<nanos>')
      .replace(/[0-9]+ seconds?( from now)/g, '<n> seconds$1');
    return { ...ran, stdout };
  }

  async function compare(...argv: string[]): Promise<void> {
    const [our, their] = [await ours(...argv), await theirs(...argv)];
    assert.deepEqual(stable(our), stable(their), argv.join(' '));
  }

  test('pins, shows, updates and unpins', async () => {
    const added = await ours('pin', 'add', '--wait', '--name', 'one & <two>', '--metadata', 'k=v', cid);
    assert.match(added.stdout, new RegExp(`^${cid} \\| one & <two>:\n {4}> go-peer {14}: PINNED \\| `));
    assert.equal(added.exit, 0);
    for (const argv of [
      ['pin', 'ls'],
      ['pin', 'ls', cid],
      ['status'],
      ['status', cid],
      ['status', '--local', cid, other],
      ['recover', cid],
    ]) {
      await compare(...argv);
      await compare('--enc=json', ...argv);
    }
    const updated = await ours('pin', 'update', '--no-status', cid, other);
    assert.match(updated.stdout, new RegExp(`^${other} \\| one & <two> \\| PIN \\| Repl. Factor: -1 \\| `));
    assert.equal((await ours('pin', 'rm', '--wait', cid)).exit, 0);
    assert.equal((await ours('pin', 'rm', other)).exit, 0);
    assert.deepEqual(await ours('pin', 'ls'), { exit: 0, stdout: '', stderr: '' });
    assert.deepEqual([...ipfs.pins.keys()], []);
  });

  test('prints what the Go ctl prints', async () => {
    for (const argv of [
      ['id'],
      ['version'],
      ['peers', 'ls'],
      ['health', 'graph'],
      ['health', 'metrics', 'ping'],
      ['health', 'metrics', 'freespace'],
      ['health', 'alerts'],
      ['recover'],
      ['pin', 'rm', cid],
      ['pin', 'ls', cid],
      ['pin', 'ls', 'foo'],
      ['peers', 'rm', 'foo'],
      ['pin', 'add', '--rmin', '3', '--rmax', '2', cid],
      ['pin', 'add', '--expire-in', '-1h', cid],
      ['status', '--filter', 'nosuch'],
    ]) {
      await compare(...argv);
      await compare('--enc=json', ...argv);
    }
  });
});
