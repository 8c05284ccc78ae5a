/**
 * The Go ctl at our peers says what it says at Go peers: the same commands one after the other against a cluster of two of each, each
 * peer with an IPFS node of its own. The Go peers agree by CRDT: under Raft a pin of theirs takes over what the one before it had and
 * it has not (go-libp2p-raft decodes every operation into the same object). Needs `GO_CLUSTER_BIN`, a folder with the Go programs; it stays on loopback.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { CarWriter } from '@ipld/car';
import { CID } from 'multiformats/cid';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { freePorts } from '../../src/cmd/service/demo/ports.ts';
import { createIpfsNode, createRpcServer, type IpfsNode } from '../../src/ipfs-node/index.ts';
import { noise } from '../conformance/kubo-rpc/client.ts';
import { createCertificate } from '../support/certificate.ts';
import { createMembers, goPrograms, type Member, type MemberKind } from '../support/members.ts';

const skip = goPrograms === undefined ? 'GO_CLUSTER_BIN is not set: the Go ctl with our peers is NOT tested' : false;
if (skip !== false) console.warn(skip);

const limitMs = 60_000;
const credentials = 'alice:secret1';

interface Cluster {
  readonly members: readonly Member[];
  readonly nodes: readonly IpfsNode[];
  /** What differs between the clusters, to the name of its part. */
  readonly names: Map<string, string>;
}

interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

const rawCid = 'bafkreidnpusxbhnbwppx7yesks2v4osuwaigxxdhl4tk6t334743wszxe4';
const oneCid = 'QmUB9Nr7RpqNYQpyh4W9r3RQNttiPQ6BQ9iQLkw9LztJFz';
const missing = 'bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';

const isQuestion = ([first = '', second = '']: readonly string[]): boolean =>
  ['id', 'status', 'version', 'health', 'recover'].includes(first) || second === 'ls';

const scenes: readonly { readonly title: string; readonly commands: readonly (readonly string[])[] }[] = [
  {
    title: 'peers and health',
    commands: [
      ['id'],
      ['version'],
      ['peers', 'ls'],
      ['health', 'metrics'],
      ['health', 'metrics', 'ping'],
      ['health', 'metrics', 'freespace'],
      ['health', 'metrics', 'tag:group'],
      ['health', 'metrics', 'nosuch'],
      ['health', 'alerts'],
      ['health', 'graph'],
      ['peers', 'rm', 'foo'],
      ['pin', 'ls'],
      ['status'],
      ['recover'],
      ['ipfs', 'gc', '--local'],
      ['ipfs', 'gc'],
    ],
  },
  {
    title: 'files',
    commands: [
      ['add', '--wait', '--allocations', '{peer},{other}', 'dir/one.txt'],
      ['add', '--quiet', 'dir/one.txt'],
      ['add', '-Q', 'dir/one.txt'],
      ['add', '--no-stream', 'dir/one.txt'],
      ['--enc', 'json', 'add', '--no-stream', 'dir/one.txt'],
      ['--enc', 'json', 'add', 'dir/one.txt'],
      [
        'add',
        '--name',
        'a name',
        '--metadata',
        'k=v',
        '--metadata',
        'a=b & <c>',
        '--rmin',
        '1',
        '--rmax',
        '2',
        'dir/one.txt',
      ],
      ['add', '--raw-leaves', 'dir/one.txt'],
      ['add', '--cid-version', '1', 'dir/one.txt'],
      ['add', '--hash', 'blake2b-256', 'dir/one.txt'],
      ['add', '--hash', 'nosuch', 'dir/one.txt'],
      ['add', '--chunker', 'size-1000', '--layout', 'trickle', 'dir/one.txt'],
      ['add', '--chunker', 'rabin-16-32-64', '--layout', 'balanced', 'dir/one.txt'],
      ['add', '--chunker', 'nosuch', 'dir/one.txt'],
      ['add', '-w', 'dir/one.txt'],
      ['add', '--local', 'dir/one.txt'],
      ['add', '--no-pin', 'dir/one.txt'],
      ['add', '--expire-in', '1h', 'dir/one.txt'],
      ['add', '--rmin', '3', '--rmax', '2', 'dir/one.txt'],
      ['add', '--allocations', 'foo', 'dir/one.txt'],
      ['add', 'nosuch'],
      ['add', 'dir'],
      ['add', '-r', 'dir'],
      ['add', '-r', '-Q', 'dir'],
      ['add', '-r', '--hidden', 'dir'],
      ['add', '-r', '-w', '--name', 'wrapped', 'dir'],
      ['add', '-r', 'dir/sub', 'dir/one.txt'],
      ['add', '--format', 'car', 'raw.car'],
      ['add', '--format', 'car', '--name', 'from a CAR', 'raw.car'],
      ['add', '--format', 'car', 'dir/one.txt'],
      ['add', '--format', 'nosuch', 'dir/one.txt'],
    ],
  },
  {
    title: 'pins',
    commands: [
      ['pin', 'add', '--wait', oneCid],
      ['pin', 'add', '--wait', '--name', 'one & <two>', '--metadata', 'k=v', oneCid],
      ['pin', 'add', '--no-status', '--mode', 'direct', '-r', '2', rawCid],
      ['pin', 'add', '--no-status', '--mode', 'nosuch', rawCid],
      ['pin', 'add', '--no-status', '--expire-in', '1h', rawCid],
      ['pin', 'add', '--expire-in', '1', rawCid],
      ['pin', 'add', '--rmin', '3', '--rmax', '2', oneCid],
      ['pin', 'add', '-r', '5', oneCid],
      ['pin', 'add', '--no-status', '-r', '1', '--allocations', '{other}', rawCid],
      ['pin', 'add', '--allocations', 'foo', rawCid],
      ['pin', 'add', '--ns', `/ipfs/${rawCid}`],
      ['pin', 'add', 'foo'],
      ['pin', 'add'],
      ['pin', 'ls'],
      ['pin', 'ls', oneCid],
      ['pin', 'ls', missing],
      ['pin', 'ls', 'foo'],
      ['pin', 'ls', '--filter', 'pin'],
      ['pin', 'ls', '--filter', 'meta-pin,shard-pin'],
      ['pin', 'ls', '--filter', 'nosuch'],
      ['status', oneCid],
      ['status', oneCid, rawCid],
      ['status', '--local', oneCid],
      ['status', missing],
      ['status', 'foo'],
      ['status', '--filter', 'pinned'],
      ['status', '--filter', 'error,pinned'],
      ['status', '--filter', 'nosuch'],
      ['status', '--local', '--filter', 'pinned'],
      ['recover', oneCid],
      ['recover', '--local', oneCid],
      ['recover', missing],
      ['recover'],
      ['recover', '--local'],
      ['pin', 'update', '--no-status', '--name', 'updated', oneCid, rawCid],
      ['pin', 'update', '--no-status', missing, rawCid],
      ['pin', 'update', 'foo', rawCid],
      ['pin', 'update', oneCid],
      ['pin', 'ls', rawCid],
      ['pin', 'rm', '--wait', oneCid],
      ['pin', 'rm', '--no-status', oneCid],
      ['pin', 'rm', '--no-status', `/ipfs/${rawCid}`],
      ['pin', 'rm', 'foo'],
    ],
  },
];

/** The second peer is reached with TLS and credentials only. */
async function startCluster(folder: string, kind: MemberKind, tls: { cert: string; key: string }): Promise<Cluster> {
  const ports = await freePorts(2);
  const nodes = ports.map((port, i) =>
    createIpfsNode({
      folder: join(folder, `${kind}-ipfs${i}`),
      rpcListen: `/ip4/127.0.0.1/tcp/${port}`,
      swarmListen: ['/ip4/127.0.0.1/tcp/0'],
      createRpc: createRpcServer,
    }),
  );
  const [user = '', password = ''] = credentials.split(':');
  const members = await createMembers(
    folder,
    ports.map((port, i) => ({
      kind,
      ipfsAddress: `/ip4/127.0.0.1/tcp/${port}`,
      change: (config) => ({
        ...config,
        cluster: { ...config.cluster, peername: `peer${i + 1}` },
        ipfshttp: { ...config.ipfshttp, pinTimeoutMs: 3_000 },
        restapi:
          i === 0
            ? config.restapi
            : config.restapi && {
                ...config.restapi,
                sslCertFile: tls.cert,
                sslKeyFile: tls.key,
                basicAuthCredentials: { [user]: password },
              },
      }),
    })),
  );
  if (kind === 'go') await Promise.all(members.map(agreeByCrdt));
  await Promise.all([...nodes, ...members].map((part) => part.start()));
  const names = new Map<string, string>();
  for (const [i, { id }] of members.entries()) names.set(id, `<peer${i + 1}>`);
  for (const [i, port] of ports.entries()) {
    const response = await fetch(`http://127.0.0.1:${port}/api/v0/id`, { method: 'POST' });
    names.set(((await response.json()) as { ID: string }).ID, `<ipfs${i + 1}>`);
  }
  return { members, nodes, names };
}

async function agreeByCrdt({ folder }: Member): Promise<void> {
  const file = join(folder, 'service.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  const crdt = { cluster_name: 'test', trusted_peers: ['*'] };
  await writeFile(file, JSON.stringify({ ...config, consensus: { crdt }, datastore: { leveldb: {} } }));
}

/** A CAR of one raw block. */
async function carOf(cid: string, content: string): Promise<Buffer> {
  const root = CID.parse(cid);
  const { writer, out } = CarWriter.create([root]);
  void writer.put({ cid: root, bytes: Buffer.from(content) }).then(() => writer.close());
  const pieces: Uint8Array[] = [];
  for await (const piece of out) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('the Go ctl at our peers and at Go peers', { skip }, () => {
  let folder: string;
  let ours: Cluster;
  let go: Cluster;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'go-ctl-'));
    const { cert, key } = createCertificate();
    const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await writeFile(tls.cert, cert);
    await writeFile(tls.key, key);
    await mkdir(join(folder, 'dir', 'sub', '.hidden'), { recursive: true });
    await writeFile(join(folder, 'dir', 'one.txt'), 'one\n');
    await writeFile(join(folder, 'dir', 'sub', 'two & <three>.txt'), noise(600_000));
    await writeFile(join(folder, 'dir', 'sub', '.hidden', 'four'), 'four\n');
    await writeFile(join(folder, 'raw.car'), await carOf(rawCid, 'in a CAR\n'));
    [ours, go] = await Promise.all([startCluster(folder, 'ours', tls), startCluster(folder, 'go', tls)]);
    await Promise.all([ours, go].map(linked));
  });
  after(async () => {
    const parts = [ours, go].flatMap((cluster) =>
      cluster === undefined ? [] : [...cluster.members, ...cluster.nodes],
    );
    await Promise.all(parts.map((part) => part.stop()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Until each peer has all metrics of both. */
  async function linked({ members: [first] }: Cluster): Promise<void> {
    for (const name of ['ping', 'freespace', 'tag:group', 'pinqueue']) {
      await waitFor(
        async () => (await (await fetch(`${first?.apiUrl}/monitor/metrics/${name}`)).json()) as unknown[],
        (metrics) => metrics.length === 2,
        (metrics) => `${name} of ${metrics.length} peers`,
        limitMs,
      );
    }
    await waitFor(
      async () =>
        ((await (await fetch(`${first?.apiUrl}/health/graph`)).json()) as { ipfs_links: Record<string, string[]> })
          .ipfs_links,
      (links) => Object.values(links).filter((ends) => ends.length === 1).length === 2,
      (links) => `IPFS nodes are linked as ${JSON.stringify(links)}`,
      limitMs,
    );
  }

  /** `{peer}`, `{other}`: ids of the two peers. */
  function ctl({ members: [first, second] }: Cluster, member: 0 | 1, argv: readonly string[]): Promise<Ran> {
    const address = (member === 0 ? first : second)?.apiUrl.replace('http://127.0.0.1:', '/ip4/127.0.0.1/tcp/') ?? '';
    const args = argv.map((word) => word.replace('{peer}', first?.id ?? '').replace('{other}', second?.id ?? ''));
    return new Promise((resolve) => {
      const options = { cwd: folder, timeout: limitMs };
      execFile(join(goPrograms ?? '', 'ipfs-cluster-ctl'), ['--host', address, ...args], options, (error, out, err) => {
        resolve({ exit: error === null ? 0 : Number(error.code), stdout: out, stderr: err });
      });
    });
  }

  /** Without what differs from run to run. Lines in no order: lists have none, and peers are sorted by their ids. */
  function stable({ names, members }: Cluster, { exit, stdout, stderr }: Ran): unknown {
    const plain = (text: string): string[] => {
      let found = text;
      for (const [id, name] of names) {
        found = found.replaceAll(id, name).replaceAll(`${id.slice(0, 2)}*${id.slice(-6)}`, name);
      }
      for (const { name, apiUrl } of members)
        found = found.replaceAll(name, '<name>').replaceAll(apiUrl.slice(7), '<api>');
      return (
        found
          .replace(/\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)/g, '<time>')
          .replace(/127\.0\.0\.1(\/tcp\/|:)\d+/g, '<address>')
          .replace(/\b(1\.1\.6|0\.1\.0)\b/g, '<version>')
          // Nodes of a graph are counted in the order of their ids.
          .replace(/\b[CIT][01]\b/g, '<node>')
          .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, '<time>')
          .replace(/\d+ (second|minute)s? from now/g, '<later>')
          .replace(/(freespace: )[\d.]+ \w+/g, '$1<bytes>')
          .replace(/[\d.]+ [kKMGT]?i?B\b/g, '<bytes>')
          .replace(/(?<="(expire|received_at|weight|total_in|total_out|rate_in|rate_out)": )[\d.e-]+/g, '<number>')
          .replace(/(?<="value": )"\d+"/g, '<number>')
          .split('\n')
          .map((line) => line.replace(/,$/, ''))
          .sort()
      );
    };
    return { exit, stdout: plain(stdout), stderr: plain(stderr) };
  }

  async function compare(argv: readonly string[], member: 0 | 1 = 0): Promise<void> {
    const [our, their] = await Promise.all([ctl(ours, member, argv), ctl(go, member, argv)]);
    assert.deepEqual(stable(ours, our), stable(go, their), argv.join(' '));
  }

  for (const { title, commands } of scenes) {
    test(title, async () => {
      for (const argv of commands) {
        await compare(argv);
        if (isQuestion(argv)) await compare(['--enc', 'json', ...argv]);
      }
    });
  }

  test('TLS and credentials', async () => {
    const secure = ['--https', '--no-check-certificate'];
    // What the first peer has acknowledged comes to the second a little later.
    for (const cluster of [ours, go]) {
      const [, second] = await waitFor(
        async () => [
          await ctl(cluster, 0, ['pin', 'ls']),
          await ctl(cluster, 1, ['--basic-auth', credentials, '--no-check-certificate', 'pin', 'ls']),
        ],
        ([one, other]) => isDeepStrictEqual(one && stable(cluster, one), other && stable(cluster, other)),
        (both) => both.map(({ stdout }) => stdout).join(),
        limitMs,
      );
      assert.equal(second?.exit, 0);
    }
    for (const argv of [
      ['--basic-auth', credentials, '--no-check-certificate', 'id'],
      ['--basic-auth', credentials, '--no-check-certificate', 'pin', 'ls'],
      ['--basic-auth', 'alice:wrong', '--no-check-certificate', 'id'],
      ['--basic-auth', 'alice', '--no-check-certificate', 'id'],
      ['--basic-auth', credentials, 'id'],
      ['--basic-auth', credentials, '--force-http', 'id'],
      [...secure, 'id'],
      [...secure, 'add', 'dir/one.txt'],
      [...secure, 'health', 'graph'],
      ['id'],
    ]) {
      await compare(argv, 1);
    }
  });

  test('the Go follow program, pointed at a peer', async () => {
    const program = join(goPrograms ?? '', 'ipfs-cluster-follow');
    const config = ['--config', join(folder, 'follow'), 'test'];
    const follow = (words: readonly string[], apiUrl: string): Promise<Ran> =>
      new Promise((resolve) => {
        const env = {
          ...process.env,
          CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS: apiUrl.replace('http://127.0.0.1:', '/ip4/127.0.0.1/tcp/'),
          CLUSTER_IPFSHTTP_NODEMULTIADDRESS: '/ip4/127.0.0.1/tcp/1',
        };
        execFile(program, [...config, ...words], { env, timeout: limitMs }, (error, stdout) => {
          resolve({ exit: error === null ? 0 : Number(error.code), stdout, stderr: '' });
        });
      });
    // Nobody is asked for the configuration.
    assert.equal((await follow(['init', 'http://127.0.0.1:1/none'], '')).exit, 0);
    const [our, their] = await Promise.all(
      [ours, go].map(async (cluster) => stable(cluster, await follow(['list'], cluster.members[0]?.apiUrl ?? ''))),
    );
    assert.deepEqual(our, their);
    assert.match(JSON.stringify(our), /pinned +Qm/);
    assert.match((await follow(['info'], ours.members[0]?.apiUrl ?? '')).stdout, /^Cluster Peer online: true$/m);
  });

  test('health bandwidth, in form', async () => {
    for (const cluster of [ours, go]) {
      const { stdout, exit } = await ctl(cluster, 0, ['health', 'bandwidth']);
      assert.equal(exit, 0);
      assert.match(stdout, /^( *[\w./-]* *: In: +\d.* Out: +\d.* RateIn: \d.* RateOut: \d.*\n)+$/);
    }
  });

  test('a peer is removed', async () => {
    const silent: Ran = { exit: 0, stdout: '', stderr: '' };
    assert.deepEqual(await ctl(ours, 0, ['peers', 'rm', '{other}']), silent);
    await waitFor(
      () => ctl(ours, 0, ['peers', 'ls']),
      ({ stdout }) => /^\S+ \| peer1 \| Sees 0 other peers\n/.test(stdout),
      ({ stdout }) => stdout,
      limitMs,
    );
    assert.deepEqual(await ctl(ours, 0, ['peers', 'rm', '{other}']), silent);
    const { exit, stdout, stderr } = await ctl(ours, 0, ['peers', 'rm', '{peer}']);
    assert.equal(exit, 2);
    assert.match(stdout + stderr, /Code: 500\n.*cannot remove ourselves from a 1-peer cluster/);
  });
});
