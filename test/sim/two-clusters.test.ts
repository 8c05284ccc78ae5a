/** Two clusters that reach each other, as with one secret: no peer carries the log of the one into the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logger, SeededRandom } from '../../src/base/index.ts';
import { initialService } from '../../src/model/config/index.ts';
import { defaultPinOptions, type PeerId, peerIdFromBytes } from '../../src/model/index.ts';
import { addressOf, type Life, Network, Scheduler, VirtualDisk, VirtualIpfs, WholePeer } from '../../src/sim/index.ts';
import { Runner } from '../../src/testing/runner.ts';
import { cidNumber } from '../support/pins.ts';

const pinMs = 10;

class World {
  readonly scheduler = new Scheduler();
  readonly runner = new Runner(this.scheduler);
  readonly random = new SeededRandom('two clusters');
  readonly network: Network = new Network(
    { latencyMs: 1, lossPercent: 0, slowPercent: 0, slowMsMax: 1, snapshotDelayMsMax: 0, copyPercent: 0 },
    this.scheduler,
    this.random.derive('network'),
  );
  /** Of all peers. */
  readonly lines: string[] = [];

  /** `initial`: with whom it begins a cluster. */
  peer(name: string, initial: readonly PeerId[]): WholePeer {
    const { scheduler, network, random } = this;
    const ignored = { onWrite: () => {}, onFailure: () => {}, onMisuse: () => {} };
    const diskDeps = { scheduler, random: random.derive(`disk/${name}`), ...ignored };
    const ipfsId = idOf(`ipfs of ${name}`);
    const ipfs = new VirtualIpfs(ipfsId, { pinMs, storageMaxBytes: 1e12 }, scheduler, random.derive(`ipfs/${name}`));
    const { cluster, raft, balanced, ipfshttp } = initialService({ hostname: name, secret: '' });
    assert.ok(raft);
    const tell = (line: string): void => void this.lines.push(line);
    const logger: Logger = { error: tell, warn: tell, info: tell, debug: () => {}, scope: () => logger };
    return new WholePeer(
      {
        id: idOf(name),
        raft: { ...raft, initPeerset: initial },
        peer: {
          ...cluster,
          version: '0.0.0',
          allocateBy: balanced.allocateBy,
          connectSwarmsDelayMs: ipfshttp.connectSwarmsDelayMs,
          repoGcTimeoutMs: ipfshttp.repogcTimeoutMs,
        },
        tags: {},
        metricTtlMs: 30_000,
        metricCheckMs: 15_000,
        pinTimeoutMs: 120_000,
        concurrentPins: 10,
        reconcileIntervalMs: 720_000,
        raftOver: 'streams',
        isMultiplexed: true,
      },
      {
        scheduler,
        network,
        disk: new VirtualDisk(name, { syncMs: 1, stateMs: 0.1 }, diskDeps),
        ipfs,
        random: random.derive(`peer/${name}`),
        logger,
        onFailure: (cause) => assert.fail(String(cause)),
      },
    );
  }

  async start(peer: WholePeer, bootstrap: readonly WholePeer[] = [], known: readonly WholePeer[] = []): Promise<Life> {
    const ids = [...bootstrap, ...known].map(({ id }) => id);
    const life = await this.runner.drive(() => peer.boot({ isJoining: bootstrap.length > 0, known: ids }));
    if (bootstrap.length > 0) void life.peer.bootstrap(bootstrap.map(({ id }) => addressOf(id)));
    return life;
  }

  async ready(...lives: readonly Life[]): Promise<void> {
    for (const { peer } of lives) await this.runner.drive(() => peer.ready);
  }

  async pin({ peer }: Life, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) await this.runner.drive(() => peer.pin(cidNumber(i), defaultPinOptions));
  }

  async stop(...peers: readonly WholePeer[]): Promise<void> {
    for (const peer of peers) await this.runner.drive(() => peer.stop());
  }
}

/** An identity hash of an ed25519 key, as peers have it, of a key that nobody has. */
function idOf(name: string): PeerId {
  const bytes = new Uint8Array(38);
  bytes.set([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);
  bytes.set(new TextEncoder().encode(name), 6);
  return peerIdFromBytes(bytes);
}

test('a member that is told to join another cluster, which answers late, keeps its data and does not join', async () => {
  const world = new World();
  const [a, w, x] = [world.peer('a', [idOf('w')]), world.peer('w', [idOf('a')]), world.peer('x', [])];
  const ofA = await world.start(a, [], [w]);
  const firstOfW = await world.start(w, [], [a]);
  await world.ready(ofA, firstOfW);
  await world.pin(ofA, 0, 5);
  await world.runner.advance(1000);
  await world.stop(w, a);

  const ofW = await world.start(w, [x]);
  await world.runner.advance(4000);
  const ofX = await world.start(x);
  await world.ready(ofX);
  await world.pin(ofX, 100, 112);
  await world.runner.advance(90_000);

  assert.deepEqual(await ofX.consensus.peers(), [x.id]);
  assert.deepEqual([ofX.consensus.pinset().count(), ofW.consensus.pinset().count()], [12, 5]);
  assert.equal(ofW.consensus.pinset().has(cidNumber(100)), false);
  assert.deepEqual(await ofW.consensus.peers(), [a.id, w.id].sort());
  const refused = world.lines.filter((line) =>
    line.startsWith(`bootstrap to ${addressOf(x.id)} failed: the cluster of`),
  );
  assert.equal(refused.length, 1, world.lines.join('\n'));

  // Its own cluster is there again: it goes on.
  const again = await world.start(a, [], [w]);
  await world.ready(ofW, again);
  await world.pin(ofW, 5, 6);
  assert.equal(again.consensus.pinset().count(), 6);
});

test('a peer that has learned of its removal joins no other cluster with the data that it has', async () => {
  const world = new World();
  const [a, w, x] = [world.peer('a', [idOf('w')]), world.peer('w', [idOf('a')]), world.peer('x', [])];
  const ofA = await world.start(a, [], [w]);
  const ofW = await world.start(w, [], [a]);
  const ofX = await world.start(x);
  await world.ready(ofA, ofW, ofX);
  await world.runner.drive(() => ofA.peer.peerRemove(w.id));
  await world.runner.advance(1000);
  const joined = world.runner.drive(() => ofW.peer.join(addressOf(x.id)));
  await assert.rejects(joined, {
    code: 'cluster/other-cluster',
    message: /^the cluster of \S+ does not know this peer/,
  });
  assert.deepEqual(await ofX.consensus.peers(), [x.id]);
});

test('a member that its fellow members do not reach joins again at one that its log does not know', async () => {
  const world = new World();
  const names = ['a', 'b', 'w'];
  const [a, b, w] = [
    world.peer('a', names.map(idOf)),
    world.peer('b', names.map(idOf)),
    world.peer('w', names.map(idOf)),
  ];
  const ofA = await world.start(a, [], [b, w]);
  await world.ready(ofA, await world.start(b, [], [a, w]), await world.start(w, [], [a, b]));
  await world.runner.advance(1000);
  await world.stop(w);
  const c = world.peer('c', []);
  await world.ready(await world.start(c, [a]));

  const links = [a, b].flatMap(({ id }) => [[w.id, id] as const, [id, w.id] as const]);
  for (const [from, to] of links) world.network.cut(from, to);
  const again = await world.start(w, [c]);
  await world.runner.advance(30_000);
  assert.ok(world.lines.some((line) => line.startsWith('nobody confirms that this peer is a member still')));
  assert.ok(world.lines.every((line) => !line.includes('does not know this peer')));
  for (const [from, to] of links) world.network.mend(from, to);
  await world.ready(again);
});
