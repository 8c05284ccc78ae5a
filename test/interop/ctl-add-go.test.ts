/**
 * Our ctl and the Go ctl do the same with one Go peer: adding in all forms, garbage collection, and everything again over libp2p. What a
 * Go peer does not have is told as that. Needs `GO_CLUSTER_BIN`, a folder with the Go programs.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { freePorts } from '../../src/cmd/service/demo/ports.ts';
import { createIpfsNode, createRpcServer } from '../../src/ipfs-node/index.ts';
import { timeFromNanos } from '../../src/model/index.ts';
import { noise } from '../conformance/kubo-rpc/client.ts';
import { type CtlRun, runCtl } from '../support/ctl.ts';
import { createMembers, goPrograms, type Member } from '../support/members.ts';

const skip = goPrograms === undefined ? 'GO_CLUSTER_BIN is not set: adding with ctl to a Go peer is NOT tested' : false;
if (skip !== false) console.warn(skip);

const secret = '5c'.repeat(32);
/** Nobody has it. */
const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';

describe('our ctl, the Go ctl and one Go peer', { skip }, () => {
  let folder: string;
  let node: ReturnType<typeof createIpfsNode>;
  let go: Member;
  let overTcp: string[];
  let overLibp2p: string[];
  const web = createServer((_request, response) => response.end('from the web\n'));
  let url: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ctl-add-go-'));
    await mkdir(join(folder, 'dir', 'sub'), { recursive: true });
    const files = { 'a.txt': 'hello world\n', 'dir/x.txt': 'x\n', 'dir/sub/y.txt': 'y\n', 'dir/.hidden': 'h\n' };
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    await writeFile(join(folder, 'big.bin'), noise(3_000_000));
    const [ipfsPort, webPort] = await freePorts(2);
    await new Promise<void>((resolve) => web.listen(webPort, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${webPort}/some/page.txt`;
    const ipfsAddress = `/ip4/127.0.0.1/tcp/${ipfsPort}`;
    const swarmListen = ['/ip4/127.0.0.1/tcp/0'];
    node = createIpfsNode({
      folder: join(folder, 'ipfs'),
      rpcListen: ipfsAddress,
      swarmListen,
      createRpc: createRpcServer,
    });
    await node.start();
    const [member] = await createMembers(folder, [
      { kind: 'go', ipfsAddress, change: (config) => ({ ...config, cluster: { ...config.cluster, secret } }) },
    ]);
    assert.ok(member);
    go = member;
    await go.start();
    // Blocks are given to peers whose metrics are known.
    for (const metric of ['ping', 'freespace']) {
      await waitFor(
        async () => (await (await fetch(`${go.apiUrl}/monitor/metrics/${metric}`)).json()) as unknown[],
        (metrics) => metrics.length === 1,
        () => `the Go peer has no ${metric}`,
        30_000,
      );
    }
    overTcp = ['--host', `/ip4/127.0.0.1/tcp/${new URL(go.apiUrl).port}`];
    overLibp2p = ['--host', go.address, '--secret', secret];
  });
  after(async () => {
    await go?.stop();
    await node?.stop();
    web.close();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  const ours = (...argv: string[]): Promise<CtlRun> =>
    runCtl(argv, {
      now: () => timeFromNanos(BigInt(Date.now()) * 1_000_000n),
      folder,
      statusDelayMs: 100,
    });

  const theirs = (...argv: string[]): Promise<CtlRun> =>
    new Promise((resolve) => {
      execFile(join(goPrograms ?? '', 'ipfs-cluster-ctl'), argv, { cwd: folder }, (error, stdout, stderr) => {
        const exit = error === null ? 0 : Number(error.code);
        resolve({ exit, stdout, stderr: stderr.replace(/^[0-9T:.-]+Z\t[A-Z]+\t.*\n/gm, '') });
      });
    });

  /** Two runs have other times, and counts of bytes. */
  const stable = ({ exit, stdout, stderr }: CtlRun): CtlRun => ({
    exit,
    stderr: stderr.replace(/^hint: .*\n/gm, ''),
    stdout: stdout
      .replace(/[0-9]{4}-[0-9-]{5}[T ][0-9:.]+(Z|[+-][0-9:]{5})?/g, '<time>')
      .replace(/(In|Out|RateIn|RateOut): +[0-9.]+ ?\w*/g, '$1: <n>'),
  });

  const sorted = (ran: CtlRun): CtlRun => {
    const { stdout, ...rest } = stable(ran);
    const documents = stdout.split(/^(?=[^\s}\]])/m).sort();
    return { ...rest, stdout: documents.join('') };
  };

  async function compare(...argv: string[]): Promise<CtlRun> {
    const [our, their] = [await ours(...argv), await theirs(...argv)];
    // A Go peer lists pins in any order.
    const shape = argv.includes('add') ? stable : sorted;
    assert.deepEqual(shape(our), shape(their), argv.join(' '));
    return our;
  }

  const adds: readonly (readonly string[])[] = [
    ['a.txt'],
    ['--quiet', 'a.txt'],
    ['--quieter', '-r', 'dir'],
    ['-r', 'dir'],
    ['-r', '-H', 'dir'],
    ['-w', 'a.txt'],
    ['a.txt', 'big.bin'],
    ['--no-stream', '-r', 'dir'],
    ['--cid-version', '1', '--name', 'a & b', '--metadata', 'k=v', 'a.txt'],
    ['--hash', 'blake2b-256', 'a.txt'],
    ['--raw-leaves', '--layout', 'trickle', '--chunker', 'size-1000', 'big.bin'],
    ['--no-pin', '--local', 'a.txt'],
    ['--rmin', '1', '--rmax', '1', '--expire-in', '24h', '--wait', 'a.txt'],
    ['dir'],
    ['nosuch'],
    ['--chunker', 'foo', 'a.txt'],
    ['--layout', 'foo', 'a.txt'],
    ['--hash', 'foo', 'a.txt'],
    ['--nocopy', 'a.txt'],
    ['--format', 'car', '-w', 'a.txt'],
  ];

  test('add gives the same lines and exit codes, as text and as JSON', async () => {
    for (const argv of adds) {
      await compare(...overTcp, 'add', ...argv);
      await compare(...overTcp, '--enc=json', 'add', ...argv);
    }
    const [ourPage, theirPage] = [await ours(...overTcp, 'add', url), await theirs(...overTcp, 'add', url)];
    assert.deepEqual(ourPage, theirPage);
    assert.match(ourPage.stdout, /^added Qm\w+ page\.txt\n$/);
  });

  test('everything is the same over libp2p', async () => {
    for (const argv of [
      ['id'],
      ['version'],
      ['peers', 'ls'],
      ['add', '-r', 'dir'],
      ['add', 'big.bin'],
      ['pin', 'ls'],
      ['status'],
      ['--enc=json', 'status', '--filter', 'pinned'],
      ['recover'],
      ['health', 'graph'],
      ['health', 'alerts'],
      ['health', 'bandwidth'],
      ['pin', 'rm', cid],
    ]) {
      const over = await compare(...overLibp2p, ...argv);
      assert.equal(over.exit, argv.includes(cid) ? 2 : 0);
    }
    assert.match((await ours(...overLibp2p, 'ipfs', 'gc')).stdout, /^go1 +\n {2}> CIDs:\n( {4}- baf\w+\n)+$/);
    await compare(...overLibp2p, 'ipfs', 'gc', '--local');
    const names = async (run: Promise<CtlRun>): Promise<string[]> => (await run).stdout.split('\n').sort();
    const asked = [...overLibp2p, 'health', 'metrics'];
    assert.deepEqual(await names(ours(...asked)), await names(theirs(...asked)));
  });

  test('what a Go peer does not have is told as that', async () => {
    for (const argv of [
      ['pin', 'explain', cid],
      ['operations'],
      ['health', 'replication'],
      ['health', 'peers'],
      ['rebalance', '--dry-run'],
      ['events', '--count', '1'],
      ['peers', 'cordon', go.id],
      ['token', 'revoke', 'a.b.c'],
    ]) {
      const { exit, stdout, stderr } = await ours(...overTcp, ...argv);
      assert.equal(exit, 2, argv.join(' '));
      assert.match(stdout, /^An error occurred:\n {2}Code: (404|405)\n/, argv.join(' '));
      assert.match(stderr, /^hint: this peer does not have the call: it is a Go peer/, argv.join(' '));
    }
    const found = await ours(...overTcp, 'pin', 'ls', '--name', 'a & b', '--limit', '1');
    assert.match(found.stdout, /^\w+ \| a & b \| PIN .*\n$/);
  });
});
