import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryIpfs } from '../../test/support/memory-ipfs.ts';
import { OperatingError, SeededRandom, silentLogger } from '../base/index.ts';
import type { Id } from '../model/index.ts';
import { Members, type MembersDeps, type MembersOptions } from './members.ts';

interface World {
  readonly clock: FakeClock;
  readonly ipfs: MemoryIpfs;
  readonly members: Members;
  readonly connected: Set<string>;
  readonly learnt: string[];
  readonly greeted: string[];
  /** What the file was told, in order: addresses, and who has left. */
  readonly saves: (readonly [addresses: readonly string[], left: readonly string[]])[];
  readonly addresses: Map<string, string[]>;
  peers: string[];
  isDiskFull: boolean;
  dials: number;
  /** Who was dialled, in order. */
  dialled: string[];
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

function world(options: Partial<MembersOptions> = {}): World {
  const clock = new FakeClock();
  const ipfs = new MemoryIpfs();
  const connected = new Set<string>();
  const learnt: string[] = [];
  const greeted: string[] = [];
  const made = {
    clock,
    ipfs,
    connected,
    learnt,
    greeted,
    addresses: new Map<string, string[]>(),
    saves: [] as World['saves'],
    peers: ['b', 'me'],
    isDiskFull: false,
    dials: 0,
    dialled: [] as string[],
    ids: 0,
    isReachable: false,
  };
  const deps = {
    host: {
      self: 'me',
      connectedPeers: () => [...connected],
      addressesOf: (peer: string) => made.addresses.get(peer) ?? [],
      addAddresses: async (addresses: readonly string[]) => void learnt.push(...addresses),
      connect: async (peer: string) => {
        made.dials += 1;
        made.dialled.push(peer);
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
    consensus: { peers: async () => made.peers },
    ipfs,
    clock,
    random: new SeededRandom(3),
    logger: silentLogger,
    onConnected: (peer: string) => void greeted.push(peer),
    addressFile: {
      path: '/home/me/peerstore',
      save: async (addresses: readonly string[], left: readonly string[]) => {
        if (made.isDiskFull) throw new OperatingError('config/bad-file', 'ENOSPC');
        made.saves.push([addresses, left]);
      },
    },
  };
  // The parts of the ports that `Members` uses.
  const members = new Members(deps as unknown as MembersDeps, { connectSwarmsDelayMs: 5000, ...options });
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

test('Members saves the addresses of members when they change, and gives up those of a peer that has left', async () => {
  const w = world();
  w.peers = ['b', 'c', 'me'];
  w.addresses.set('b', ['/b/1']).set('stranger', ['/s/1']);
  w.members.start();
  await w.clock.advance(60_000);
  assert.deepEqual(w.saves, [[['/b/1'], []]]);

  w.isDiskFull = true;
  w.addresses.set('c', ['/c/1']);
  await w.clock.advance(60_000);
  w.isDiskFull = false;
  await w.clock.advance(2000);
  assert.deepEqual(w.saves.slice(1), [[['/b/1', '/c/1'], []]]);

  w.peers = ['c', 'me'];
  await w.clock.advance(60_000);
  assert.deepEqual(w.saves.slice(2), [[['/c/1'], ['b']]]);
  await w.members.stop();
});

test('a peer that has been removed keeps the addresses that it needs to come back', async () => {
  const w = world();
  w.addresses.set('b', ['/b/1']);
  w.members.start();
  await w.clock.advance(2000);
  w.peers = [];
  await w.clock.advance(60_000);
  assert.deepEqual(w.saves, [[['/b/1'], []]]);
  await w.members.stop();
});

test('save resolves when the file has what is known by then', async () => {
  const w = world();
  w.addresses.set('b', ['/b/1']);
  const first = w.members.save();
  w.addresses.set('b', ['/b/2', '/b/1']);
  await w.members.save();
  assert.deepEqual(w.saves.at(-1), [['/b/2', '/b/1'], []]);
  await first;
});

test('Members says who is missing, why, and what helps', async () => {
  const w = world();
  w.peers = ['b', 'c', 'd', 'me'];
  w.addresses.set('b', ['/b/1']).set('c', ['/c/1']);
  w.members.start();
  await w.clock.advance(2000);
  w.connected.add('c');
  assert.equal(
    await w.members.whoIsMissing(),
    '2 of 3 other members are not reached (dial backoff; d: no address known). If they run, write where they listen into ' +
      '"/home/me/peerstore", one address a line, or start this peer with --bootstrap /ip4/<where one listens>/tcp/<port>/p2p/<its id>',
  );
  w.peers = ['c', 'me'];
  assert.equal(await w.members.whoIsMissing(), undefined);
  await w.members.stop();
});

test('connection_manager.low_water: with as many connections, members are dialled only when they are needed', async () => {
  const w = world({ connectionManager: { lowWater: 3 } });
  w.peers = ['me', ...'abcdefgh'];
  w.isReachable = true;
  for (const peer of ['a', 'stranger', 'another', 'third']) w.connected.add(peer);
  w.members.start();
  await w.clock.advance(600_000);
  assert.equal(w.connected.size, 6, 'the one that a member has opened counts, those of strangers do not');
  const [gone = ''] = w.dialled;
  w.connected.delete(gone);
  await w.clock.advance(120_000);
  assert.equal(w.connected.size, 6);
  await w.members.stop();
});

test('connection_manager.low_water: one after the other is tried until there are enough', async () => {
  const w = world({ connectionManager: { lowWater: 2 } });
  w.peers = ['me', ...'abcdefgh'];
  w.members.start();
  await w.clock.advance(300_000);
  assert.deepEqual([...new Set(w.dialled)].sort(), [...'abcdefgh']);
  await w.members.stop();
});

test('peer_addresses: these members are dialled in any case, and first', async () => {
  const d = '12D3KooWBCJm4uy27rCNUQPwtsC3Wtc3M9YTP4i9c7fLFfC3ZYWT';
  const w = world({ connectionManager: { lowWater: 1 }, peerAddresses: [`/ip4/127.0.0.1/tcp/1/p2p/${d}`] });
  w.peers = ['me', 'a', 'b', d];
  w.connected.add('a');
  w.isReachable = true;
  w.members.start();
  await w.clock.advance(60_000);
  assert.deepEqual(w.dialled, [d]);
  await w.members.stop();
});
