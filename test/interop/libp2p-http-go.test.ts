/**
 * HTTP over libp2p with the Go programs: their ctl at our peers, our dialler at their peers, in the private network of a
 * cluster and on hosts that an API has for itself. Needs `GO_CLUSTER_BIN`; it stays on loopback.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { hexDecode } from '../../src/base/index.ts';
import { waitFor } from '../../src/cmd/service/demo/cluster-api.ts';
import { createPeerDialer } from '../../src/http/dial/index.ts';
import { createIdentity, type Identity } from '../../src/io/config/index.ts';
import { startPeers, type TestPeers } from '../support/peers.ts';

const run = promisify(execFile);
const bin = process.env.GO_CLUSTER_BIN;
const skip = bin === undefined ? 'GO_CLUSTER_BIN is not set: HTTP over libp2p with Go is NOT tested' : false;
if (skip !== false) console.warn(skip);

const secret = '5c'.repeat(32);
const credentials = { user: 'alice', password: 'secret1' };
const basic = `Basic ${btoa(`${credentials.user}:${credentials.password}`)}`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await once(server.close(), 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const keyOf = (identity: Identity): string => Buffer.from(privateKeyToProtobuf(identity.privateKey)).toString('base64');

interface Asked {
  readonly address: string;
  readonly secret: string | null;
  readonly authorization?: string;
  readonly method?: string;
  readonly path: string;
}

/** One request by our dialler: status and body. */
async function ask({ address, secret: key, authorization, method = 'GET', path }: Asked): Promise<[number, string]> {
  const dialer = await createPeerDialer({ address, secret: key === null ? null : hexDecode(key) });
  try {
    const connection = await dialer.connect();
    const headers = authorization === undefined ? {} : { Authorization: authorization };
    const request = httpRequest({ method, path, headers, createConnection: () => connection }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return [response.statusCode ?? 0, Buffer.concat(chunks).toString()];
  } finally {
    await dialer.close();
  }
}

describe('the Go ctl and our peers over libp2p', { skip }, () => {
  let started: TestPeers;
  let clusterAddress: string;
  let ownAddress: string;
  let ids: string[];
  const identityOfApi = createIdentity();
  before(async () => {
    const identity = await identityOfApi;
    const port = await freePort();
    ownAddress = `/ip4/127.0.0.1/tcp/${port}/p2p/${identity.id}`;
    started = await startPeers({
      count: 2,
      change: (config) => ({
        ...config,
        cluster: { ...config.cluster, secret },
        ...(config.restapi === undefined || config.cluster.peername !== 'peer2'
          ? {}
          : {
              restapi: {
                ...config.restapi,
                id: identity.id,
                privateKey: keyOf(identity),
                libp2pListenMultiaddress: [`/ip4/127.0.0.1/tcp/${port}`],
                basicAuthCredentials: { [credentials.user]: credentials.password },
              },
            }),
      }),
    });
    const [first] = started.peers;
    assert.ok(first);
    const own = (await (await fetch(`${first.apiUrl}/id`)).json()) as {
      id: string;
      addresses: string[];
      cluster_peers: string[];
    };
    clusterAddress = own.addresses.find((address) => address.includes('127.0.0.1')) ?? '';
    ids = [own.id, ...own.cluster_peers.filter((id) => id !== own.id)];
  });
  after(() => started?.end());

  const ctl = async (...argv: string[]): Promise<string> =>
    (await run(join(bin ?? '', 'ipfs-cluster-ctl'), argv, { timeout: 30_000 })).stdout;

  test('with the secret, on the host of the cluster', async () => {
    const at = ['--host', clusterAddress, '--secret', secret];
    assert.ok((await ctl(...at, 'id')).startsWith(`${ids[0]} | peer1 | Sees 1 other peers\n`));
    for (const id of ids) assert.ok((await ctl(...at, 'peers', 'ls')).includes(`${id} | peer`));
    assert.match(await ctl(...at, 'health', 'graph'), /^digraph cluster \{/);
    await assert.rejects(ctl('--host', clusterAddress, 'id'));
    await assert.rejects(ctl('--host', clusterAddress, '--secret', '00'.repeat(32), 'id'));
  });

  test('without it, on the host of the API, where credentials count', async () => {
    const login = ['--basic-auth', `${credentials.user}:${credentials.password}`];
    assert.ok((await ctl('--host', ownAddress, ...login, 'id')).startsWith(`${ids[1]} | peer2 | Sees 1 other peers\n`));
    await assert.rejects(ctl('--host', ownAddress, 'id'), ({ stdout, stderr }: { stdout: string; stderr: string }) =>
      /unauthorized: no auth provided/.test(stdout + stderr),
    );
    assert.equal((await ask({ address: ownAddress, secret: null, authorization: basic, path: '/version' }))[0], 200);
  });
});

describe('our dialler and Go peers over libp2p', { skip }, () => {
  let folder: string;
  const daemons: ChildProcess[] = [];
  let clusterAddress: string;
  let ownAddress: string;

  /** A Go peer of its own cluster; returns the address of its cluster host. */
  async function startGo(name: string, more: Readonly<Record<string, string>>): Promise<string> {
    const [libp2pPort, restPort, proxyPort, pinsvcPort] = await Promise.all([1, 2, 3, 4].map(freePort));
    const env = {
      ...process.env,
      CLUSTER_SECRET: secret,
      CLUSTER_LISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${libp2pPort}`,
      CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${restPort}`,
      CLUSTER_IPFSPROXY_LISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${proxyPort}`,
      CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${pinsvcPort}`,
      CLUSTER_MDNSINTERVAL: '0s',
      ...more,
    };
    const path = join(folder, name);
    const service = join(bin ?? '', 'ipfs-cluster-service');
    await run(service, ['--config', path, 'init', '--consensus', 'raft'], { env });
    const daemon = spawn(service, ['--config', path, 'daemon'], { env, stdio: 'ignore' });
    daemons.push(daemon);
    const id = await waitFor(
      async () => {
        try {
          const answer = await fetch(`http://127.0.0.1:${restPort}/id`, { headers: { Authorization: basic } });
          return ((await answer.json()) as { id: string }).id;
        } catch {
          // It does not listen yet.
          return '';
        }
      },
      (found) => found !== '',
      () => `${name} does not answer`,
      30_000,
    );
    return `/ip4/127.0.0.1/tcp/${libp2pPort}/p2p/${id}`;
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'libp2p-http-go-'));
    clusterAddress = await startGo('cluster-host', {});
    const identity = await createIdentity();
    const port = await freePort();
    await startGo('own-host', {
      CLUSTER_RESTAPI_ID: identity.id,
      CLUSTER_RESTAPI_PRIVATEKEY: keyOf(identity),
      CLUSTER_RESTAPI_LIBP2PLISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${port}`,
      CLUSTER_RESTAPI_BASICAUTHCREDENTIALS: `${credentials.user}:${credentials.password}`,
    });
    ownAddress = `/ip4/127.0.0.1/tcp/${port}/p2p/${identity.id}`;
  });
  after(async () => {
    for (const daemon of daemons) {
      daemon.kill('SIGKILL');
      if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, 'exit');
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('with the secret, on the host of the cluster', async () => {
    const [status, body] = await ask({ address: clusterAddress, secret, path: '/id' });
    assert.deepEqual([status, (JSON.parse(body) as { id: string }).id], [200, clusterAddress.split('/').at(-1)]);
    assert.deepEqual(await ask({ address: clusterAddress, secret, path: '/allocations' }), [204, '']);
    await assert.rejects(ask({ address: clusterAddress, secret: '00'.repeat(32), path: '/id' }));
  });

  test('without it, on the host of the API, where credentials count', async () => {
    const [status] = await ask({ address: ownAddress, secret: null, path: '/id' });
    assert.equal(status, 401);
    assert.equal((await ask({ address: ownAddress, secret: null, authorization: basic, path: '/version' }))[0], 200);
  });
});
