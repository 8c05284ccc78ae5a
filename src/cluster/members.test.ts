import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryIpfs } from '../../test/support/memory-ipfs.ts';
import { OperatingError, SeededRandom, silentLogger } from '../base/index.ts';
import type { Id } from '../model/index.ts';
import { Members, type MembersDeps } from './members.ts';

interface World {
  readonly clock: FakeClock;
  readonly ipfs: MemoryIpfs;
  readonly members: Members;
  readonly connected: Set<string>;
  readonly learnt: string[];
  readonly greeted: string[];
  dials: number;
  ids: number;
  isReachable: boolean;
}

const idOf = (id: string): Id => ({
  id,
  addresses: [`/ip4/127.0.0.1/tcp/1/p2p/${id}`],
  clusterPeers: null,
  clusterPeersAddresses: ['/ip4/127.0.0.1/tcp/2/p2p/c', '/ip4/127.0.0.1/tcp/3/p2p/me'],
  version: '',
  commit: '',
  rpcProtocolVersion: '',
  error: '',
  ipfs: { id: `ipfs-${id}`, addresses: ['/ip4/127.0.0.1/tcp/9'], error: '' },
  peername: '',
});

function world(): World {
  const clock = new FakeClock();
  const ipfs = new MemoryIpfs();
  const connected = new Set<string>();
  const learnt: string[] = [];
  const greeted: string[] = [];
  const made = { clock, ipfs, connected, learnt, greeted, dials: 0, ids: 0, isReachable: false };
  const deps = {
    host: {
      self: 'me',
      connectedPeers: () => [...connected],
      addAddresses: async (addresses: readonly string[]) => void learnt.push(...addresses),
      connect: async (peer: string) => {
        made.dials += 1;
        if (!made.isReachable) throw new OperatingError('p2p/unreachable', 'dial backoff');
        connected.add(peer);
        return peer;
      },
    },
    rpc: {
      call: async (peer: string) => {
        made.ids += 1;
        return idOf(peer);
      },
    },
    consensus: { peers: async () => ['b', 'me'] },
    ipfs,
    clock,
    random: new SeededRandom(3),
    logger: silentLogger,
    onConnected: (peer: string) => void greeted.push(peer),
  };
  // The parts of the ports that `Members` uses.
  const members = new Members(deps as unknown as MembersDeps, { connectSwarmsDelayMs: 5000 });
  return Object.assign(made, { members });
}

test('Members dials who is away with a growing delay, for ever', async () => {
  const w = world();
  w.members.start();
  await w.clock.advance(60_000);
  const [early] = [w.dials];
  assert.ok(early >= 5 && early <= 20, `${early} dials in the first minute`);
  await w.clock.advance(600_000);
  const later = w.dials - early;
  assert.ok(later >= 9 && later <= 22, `${later} dials in the next ten minutes`);
  w.isReachable = true;
  await w.clock.advance(65_000);
  assert.deepEqual(w.greeted, ['b']);
  await w.members.stop();
});

test('Members exchanges addresses at once with who connects, then once a minute', async () => {
  const w = world();
  w.connected.add('b');
  w.members.start();
  await w.clock.advance(2000);
  assert.deepEqual(w.learnt, ['/ip4/127.0.0.1/tcp/1/p2p/b', '/ip4/127.0.0.1/tcp/2/p2p/c'], 'not our own');
  assert.equal(w.ids, 1);
  await w.clock.advance(600_000);
  assert.ok(w.ids >= 9 && w.ids <= 11, `${w.ids}`);
  await w.members.stop();
  await w.clock.advance(600_000);
  assert.equal(w.clock.pendingCount, 0);
});

test('Members introduces IPFS nodes after the delay, and again when ours comes back', async () => {
  const w = world();
  w.connected.add('b');
  w.ipfs.setUp(true);
  w.members.start();
  await w.clock.advance(4000);
  assert.equal(w.ipfs.connected.length, 0);
  await w.clock.advance(4000);
  assert.deepEqual(w.ipfs.connected, ['/ip4/127.0.0.1/tcp/9']);
  w.ipfs.setUp(false);
  await w.clock.advance(1000);
  w.ipfs.setUp(true);
  await w.clock.advance(3000);
  assert.equal(w.ipfs.connected.length, 2);
  await w.members.stop();
});
