/**
 * One Raft cluster of a Go peer and two of ours: the Go peer leads, ours join, follow and forward; it dies, one of ours leads; it
 * comes back and follows. All of them hold the same pins.
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
import { promisify } from 'node:util';
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { SeededRandom, silentLogger } from '../../src/base/index.ts';
import { openPinset } from '../../src/cluster/index.ts';
import type { Consensus, Host } from '../../src/cluster/ports.ts';
import { createRaft, createStreamTransport } from '../../src/io/consensus/index.ts';
import { createHost } from '../../src/io/p2p/index.ts';
import { createRpc, type RpcNode } from '../../src/io/rpc/index.ts';
import { createRaftFolder } from '../../src/io/store/index.ts';
import { type Id, methods, nothing } from '../../src/model/index.ts';
import { collect } from '../support/collect.ts';
import { IpfsStandIn } from '../support/ipfs-stand-in.ts';
import { cidNumber, pinOf } from '../support/pins.ts';
import { raftConfig } from '../support/raft-cluster.ts';
import { systemClock } from '../support/system-clock.ts';

const run = promisify(execFile);
const bin = process.env.GO_CLUSTER_BIN;
const skip = bin === undefined ? 'GO_CLUSTER_BIN is not set: Raft with a Go peer is NOT tested' : false;
if (skip !== false) console.warn(skip);

const secretHex = '5c'.repeat(32);

interface OurPeer {
  readonly host: Host;
  readonly rpc: RpcNode;
  readonly consensus: Consensus;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function eventually<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 40_000;
  let cause: unknown;
  while (performance.now() < deadline) {
    try {
      const result = await attempt();
      if (result !== undefined) return result;
    } catch (error) {
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail(`${what} did not happen in time: ${String(cause)}`);
}

async function names({ consensus }: OurPeer): Promise<string[]> {
  return (await collect(consensus.pinset().pages()))
    .flat()
    .map(({ name }) => name)
    .sort();
}

describe('a Raft cluster of a Go peer and two of ours', { skip }, () => {
  const ipfs = new IpfsStandIn();
  let folder: string;
  let daemon: ChildProcess;
  let environment: NodeJS.ProcessEnv;
  let log = '';
  let restPort: number;
  let goPeer: string;
  let goAddress: string;
  let ours: OurPeer[] = [];

  const startGo = async (): Promise<void> => {
    const service = join(bin ?? '', 'ipfs-cluster-service');
    daemon = spawn(service, ['--config', join(folder, 'go'), 'daemon'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const output of [daemon.stdout, daemon.stderr]) {
      output?.on('data', (bytes: Buffer) => {
        log += bytes.toString();
      });
    }
    goPeer = await eventually('the start of the Go peer', async () => {
      const answer = await fetch(`http://127.0.0.1:${restPort}/id`);
      return ((await answer.json()) as { id: string }).id;
    });
  };
  const killGo = async (): Promise<void> => {
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
  };
  const goPins = async (): Promise<string[]> => {
    const answer = await fetch(`http://127.0.0.1:${restPort}/allocations`);
    const lines = (await answer.text()).split('\n').filter((line) => line !== '');
    return lines.map((line) => (JSON.parse(line) as { name: string }).name).sort();
  };
  const pinOnGo = async (n: number): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${restPort}/pins/${cidNumber(n)}?name=go+${n}`, { method: 'POST' });
    assert.equal(answer.status, 200, await answer.text());
  };

  const startOurs = async (name: string): Promise<OurPeer> => {
    const privateKey = privateKeyToProtobuf(await generateKeyPair('Ed25519'));
    const secret = Buffer.from(secretHex, 'hex');
    const host = await createHost({ privateKey, secret, listen: ['/ip4/127.0.0.1/tcp/0'] }, { logger: silentLogger });
    const { streams } = host;
    const rpc = createRpc({}, { streams, clock: systemClock, logger: silentLogger, isTrusted: () => true });
    const consensus = createRaft(
      { self: host.self, isJoining: true, config: raftConfig },
      {
        storage: createRaftFolder(join(folder, name, 'raft'), { backupsRotate: 1 }),
        transport: createStreamTransport({ streams, clock: systemClock, logger: silentLogger }),
        rpc,
        clock: systemClock,
        random: new SeededRandom(name),
        logger: silentLogger,
        openPinset: (store) =>
          openPinset(store, {
            log: silentLogger,
            observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} },
          }),
        onFailure: (cause) => assert.fail(cause),
      },
    );
    const own = (): Id => ({
      id: host.self,
      addresses: host.addresses(),
      clusterPeers: [host.self, goPeer],
      clusterPeersAddresses: [goAddress],
      version: '1.1.6',
      commit: '',
      rpcProtocolVersion: '/ipfscluster/1.0/rpc',
      error: '',
      ipfs: null,
      peername: name,
    });
    const { ID, IDStream } = methods.Cluster;
    rpc.register(
      { ID, IDStream },
      {
        ID: own,
        async *IDStream() {
          yield own();
        },
      },
    );
    const { LogPin, LogUnpin, AddPeer, RmPeer } = methods.Consensus;
    rpc.register(
      { LogPin, LogUnpin, AddPeer, RmPeer },
      {
        LogPin: (pin) => consensus.logPin(pin).then(() => nothing),
        LogUnpin: (pin) => consensus.logUnpin(pin).then(() => nothing),
        AddPeer: (peer) => consensus.addPeer(peer).then(() => nothing),
        RmPeer: (peer) => consensus.rmPeer(peer).then(() => nothing),
      },
    );
    await host.start();
    await rpc.start();
    await host.addAddresses([goAddress, ...ours.flatMap((other) => other.host.addresses())]);
    await Promise.all(ours.map((other) => other.host.addAddresses(host.addresses())));
    await consensus.start();
    return { host, rpc, consensus };
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'raft-go-'));
    await ipfs.start();
    const [libp2pPort, proxyPort, pinsvcPort] = [await freePort(), await freePort(), await freePort()];
    restPort = await freePort();
    environment = {
      ...process.env,
      CLUSTER_SECRET: secretHex,
      CLUSTER_PEERNAME: 'go-peer',
      CLUSTER_LISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${libp2pPort}`,
      CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${restPort}`,
      CLUSTER_IPFSPROXY_LISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${proxyPort}`,
      CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS: `/ip4/127.0.0.1/tcp/${pinsvcPort}`,
      CLUSTER_IPFSHTTP_NODEMULTIADDRESS: ipfs.multiaddress,
      CLUSTER_MDNSINTERVAL: '0s',
    };
    const service = join(bin ?? '', 'ipfs-cluster-service');
    await run(service, ['--config', join(folder, 'go'), 'init', '--consensus', 'raft'], { env: environment });
    await startGo();
    goAddress = `/ip4/127.0.0.1/tcp/${libp2pPort}/p2p/${goPeer}`;
  });

  after(async () => {
    for (const { consensus, rpc, host } of ours) {
      await consensus.stop();
      await rpc.stop();
      await host.stop();
    }
    daemon?.kill('SIGKILL');
    await ipfs.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('ours join a Go leader and are sent its log', async () => {
    await eventually('a leader', () => pinOnGo(1).then(() => true));
    const first = await startOurs('first');
    ours = [first];
    // The Go peer calls back to learn who joins, so it has to be connected.
    await first.host.connect(goAddress);
    const added = await first.rpc.call(goPeer, methods.Cluster.PeerAdd, first.host.self);
    assert.equal(added.peername, 'first');
    await first.consensus.ready();
    await eventually('the pin', async () => ((await names(first)).length === 1 ? true : undefined));
    assert.equal(first.consensus.leader(), goPeer);

    const second = await startOurs('second');
    ours = [first, second];
    await second.host.connect(goAddress);
    await first.consensus.addPeer(second.host.self);
    await second.consensus.ready();
    assert.deepEqual(await second.consensus.peers(), [goPeer, first.host.self, second.host.self].sort());
  });

  test('ours write through the Go leader, and see it when it tells of the commit', async () => {
    for (const [at, peer] of ours.entries()) {
      const pin = pinOf(cidNumber(10 + at), { name: `ours ${at}`, metadata: { of: `peer ${at}` } });
      await peer.consensus.logPin(pin);
      await eventually('the pin', async () => peer.consensus.pinset().get(pin.cid)?.name === pin.name || undefined);
      const removed = cidNumber(20 + at);
      await peer.consensus.logPin(pinOf(removed));
      await eventually('the other pin', async () => peer.consensus.pinset().has(removed) || undefined);
      await peer.consensus.logUnpin(pinOf(removed));
      await eventually('its end', async () => !peer.consensus.pinset().has(removed) || undefined);
      await peer.consensus.waitForSync();
      await assert.rejects(peer.consensus.readBarrier(), { code: 'consensus/no-read-index', message: /is a Go peer/ });
    }
    assert.deepEqual(await goPins(), ['go 1', 'ours 0', 'ours 1']);
  });

  test('one of ours leads when the Go leader dies, and the Go peer follows it when it is back', async () => {
    await killGo();
    const [first, second] = ours;
    assert.ok(first !== undefined && second !== undefined);
    await Promise.all([
      first.consensus.logPin(pinOf(cidNumber(30), { name: 'without go 0' })),
      second.consensus.logPin(pinOf(cidNumber(31), { name: 'without go 1' })),
    ]);
    assert.notEqual(first.consensus.leader(), goPeer);
    await startGo();
    const expected = ['go 1', 'ours 0', 'ours 1', 'without go 0', 'without go 1'];
    await eventually('the catch-up of the Go peer', async () =>
      (await goPins()).join() === expected.join() ? true : undefined,
    );
    for (const { consensus } of ours) assert.notEqual(consensus.leader(), goPeer, log.slice(-1000));
  });

  test('a Go follower forwards its writes to our leader', async () => {
    await pinOnGo(2);
    const expected = ['go 1', 'go 2', 'ours 0', 'ours 1', 'without go 0', 'without go 1'];
    for (const peer of ours) {
      await peer.consensus.waitForSync();
      const leader = peer.consensus.leader();
      if (leader !== goPeer) assert.ok((await names(peer)).includes('go 2'), `led by ${leader}`);
      // Where the Go peer has come to lead meanwhile, nobody can tell how far to wait.
      await eventually('the write of the Go peer at one of ours', async () =>
        (await names(peer)).join() === expected.join() ? true : undefined,
      );
    }
    assert.deepEqual(await goPins(), expected);
  });

  test('our leader removes the Go peer', async () => {
    const [first] = ours;
    await first?.consensus.rmPeer(goPeer);
    assert.deepEqual(await first?.consensus.peers(), ours.map(({ host }) => host.self).sort());
    await first?.consensus.logPin(pinOf(cidNumber(40), { name: 'after' }));
  });
});
