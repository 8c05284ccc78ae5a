/**
 * Our host and RPC against a running Go peer: calls both ways, and our metrics make us a member there.
 * Needs `GO_CLUSTER_BIN`, a folder with the Go programs; it stays on loopback and in a temporary folder.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { silentLogger } from '../../src/base/index.ts';
import type { Host } from '../../src/cluster/ports.ts';
import { createHost } from '../../src/io/p2p/index.ts';
import { createRpc, type RpcNode } from '../../src/io/rpc/index.ts';
import { Cid, type Id, type Metric, methods, metricCodec, nothing } from '../../src/model/index.ts';
import { systemClock } from '../support/system-clock.ts';

const run = promisify(execFile);
const bin = process.env.GO_CLUSTER_BIN;
const skip = bin === undefined ? 'GO_CLUSTER_BIN is not set: interop with the Go peer is NOT tested' : false;
if (skip !== false) console.warn(skip);

const secretHex = '5c'.repeat(32);
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function eventually<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 30_000;
  let cause: unknown;
  while (performance.now() < deadline) {
    try {
      const result = await attempt();
      if (result !== undefined) return result;
    } catch (error) {
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return assert.fail(`${what} did not happen in time: ${String(cause)}`);
}

describe('a running Go peer', { skip }, () => {
  let folder: string;
  let daemon: ChildProcess;
  let log = '';
  let host: Host;
  let rpc: RpcNode;
  let goPeer: string;
  let goAddress: string;
  let restAddress: string;
  let idCalls = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'p2p-go-'));
    const [libp2pPort, restPort, proxyPort, pinsvcPort] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    restAddress = `/ip4/127.0.0.1/tcp/${restPort}`;
    const env = {
      ...process.env,
      CLUSTER_SECRET: secretHex,
      CLUSTER_PEERNAME: 'go-peer',
      CLUSTER_LISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${libp2pPort}`,
      CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS: restAddress,
      CLUSTER_IPFSPROXY_LISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${proxyPort}`,
      CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${pinsvcPort}`,
      CLUSTER_MDNSINTERVAL: '0s',
    };
    const service = join(bin ?? '', 'ipfs-cluster-service');
    await run(service, ['--config', folder, 'init', '--consensus', 'crdt'], { env });
    daemon = spawn(service, ['--config', folder, 'daemon'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const output of [daemon.stdout, daemon.stderr]) {
      output?.on('data', (bytes: Buffer) => {
        log += bytes.toString();
      });
    }
    goPeer = await eventually('the start of the Go peer', async () => {
      const answer = await fetch(`http://127.0.0.1:${restPort}/id`);
      return ((await answer.json()) as { id: string }).id;
    });
    goAddress = `/ip4/127.0.0.1/tcp/${libp2pPort}/p2p/${goPeer}`;

    const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
    host = await createHost(
      { privateKey, secret: Buffer.from(secretHex, 'hex'), listen: ['/ip4/127.0.0.1/tcp/0'] },
      { logger: silentLogger },
    );
    rpc = createRpc({}, { streams: host.streams, clock: systemClock, logger: silentLogger, isTrusted: () => true });
    const own = (): Id => {
      idCalls += 1;
      return {
        id: host.self,
        addresses: host.addresses(),
        clusterPeers: [host.self, goPeer],
        clusterPeersAddresses: [goAddress],
        version: '1.1.6',
        commit: '',
        rpcProtocolVersion: '/ipfscluster/1.0/rpc',
        error: '',
        ipfs: null,
        peername: 'typescript-peer',
      };
    };
    const { ID, IDStream, Version } = methods.Cluster;
    rpc.register(
      { ID, IDStream, Version },
      {
        ID: own,
        async *IDStream() {
          yield own();
        },
        Version: () => ({ version: '1.1.6' }),
      },
    );
    await host.start();
    await rpc.start();
  });

  after(async () => {
    await rpc?.stop();
    await host?.stop();
    daemon?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('is reached and identified', async () => {
    assert.equal(await host.connect(goAddress), goPeer);
    const protocols = await eventually('identify', async () => host.streams.protocolsOf(goPeer));
    assert.ok(protocols.includes('/ipfscluster/1.0/rpc'), protocols.join());
  });

  test('answers Cluster.ID, Version and IDStream', async () => {
    const id = await rpc.call(goPeer, methods.Cluster.ID, nothing);
    assert.equal(id.id, goPeer);
    assert.equal(id.peername, 'go-peer');
    assert.ok(id.addresses?.includes(goAddress), String(id.addresses));
    assert.equal((await rpc.call(goPeer, methods.Cluster.Version, nothing)).version, id.version);
    const ids: string[] = [];
    for await (const each of rpc.stream(goPeer, methods.Cluster.IDStream, [])) ids.push(each.id);
    assert.deepEqual(ids, [goPeer]);
  });

  test('answers many calls at once', async () => {
    const calls = Array.from({ length: 500 }, () => rpc.call(goPeer, methods.Cluster.Version, nothing));
    assert.equal(new Set((await Promise.all(calls)).map(({ version }) => version)).size, 1);
  });

  test('denies closed methods and reports errors of methods', async () => {
    const options = { code: 'rpc/authorization', message: 'client does not have permissions to call Cluster.PinGet' };
    const cid = Cid.parse('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku');
    await assert.rejects(rpc.call(goPeer, methods.Cluster.PinGet, cid), options);
    // There is no IPFS node behind this Go peer.
    await assert.rejects(rpc.call(goPeer, methods.IPFSConnector.RepoStat, nothing), { code: 'rpc/application' });
  });

  test('takes our metrics, counts us as a member and asks us who we are', async () => {
    host.pubsub.subscribe('monitor.metrics', () => {});
    const ctl = join(bin ?? '', 'ipfs-cluster-ctl');
    const listed = await eventually('the listing of our peer', async () => {
      const metric: Metric = {
        name: 'ping',
        peer: host.self,
        value: JSON.stringify({ peer_name: 'typescript-peer' }),
        expire: systemClock.wallNanos() + 60_000_000_000n,
        valid: true,
        weight: 0n,
        partitionable: false,
        receivedAt: 0n,
      };
      await host.pubsub.publish('monitor.metrics', metricCodec.encode(metric));
      const { stdout } = await run(ctl, ['--host', restAddress, 'peers', 'ls']);
      return stdout.includes('typescript-peer') ? stdout : undefined;
    });
    assert.ok(listed.includes(`${host.self} | typescript-peer | Sees 1 other peers`), `${listed}\n${log.slice(-2000)}`);
    assert.ok(idCalls > 0);
  });

  test('is refused with another secret', async () => {
    const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
    const stranger = await createHost(
      { privateKey, secret: new Uint8Array(32).fill(1), listen: ['/ip4/127.0.0.1/tcp/0'] },
      { logger: silentLogger },
    );
    await stranger.start();
    await assert.rejects(stranger.connect(goAddress), { code: 'p2p/wrong-secret' });
    await stranger.stop();
  });
});
