import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { cidNumber, pinOf } from '../../test/support/pins.ts';
import { SeededRandom, silentLogger, utf8Encode } from '../base/index.ts';
import {
  type Cid,
  type GlobalPinInfo,
  type PeerId,
  type Pin,
  peerIdFromBytes,
  type RaftCommand,
  type RemoteStatusRow,
  type Replication,
  stateKey,
  type TrackerStatus,
} from '../model/index.ts';
import { createMemoryDatastore } from './memory-datastore.ts';
import type { StatusSource } from './merge-status.ts';
import { PeerPages } from './peer-pages.ts';
import { KindCounting, KindCounts } from './pin-kinds.ts';
import { openPinset, type PinsetState } from './pinset.ts';
import type { Datastore, Pinset } from './ports.ts';
import { countReplicas, type HolderView, verifyReplicas } from './replication.ts';

const deps = { log: silentLogger, observer: { onPin: () => {}, onUnpin: () => {}, onReplaced: () => {} } };
/** Identity multihashes: any bytes name a peer. */
const peers: readonly PeerId[] = 'abcdef'.split('').map((name) => peerIdFromBytes(utf8Encode(`\0\u0001${name}`)));
const [a = '', b = '', c = ''] = peers;

/** Pages of two, so that changes come in between; a batch can be read for a while before it is told of, as on disk. */
function slowStore(): Datastore {
  const store = createMemoryDatastore();
  return {
    get: (key) => store.get(key),
    batch: async (ops, options) => {
      await store.batch(ops, options);
      for (let turns = 0; turns < 3; turns++) await null;
    },
    scan: (range, options) => store.scan(range, { ...options, pageSize: 2 }),
    scanText: (range, options) => store.scanText(range, { ...options, pageSize: 2 }),
    close: () => store.close(),
  };
}

function randomPin(random: SeededRandom): Pin {
  const some = peers.filter(() => random.integer(3) === 0);
  // In any order, and twice: whoever writes to the log may do so.
  if (random.integer(2) === 0) some.reverse();
  if (random.integer(8) === 0) some.push(...some.slice(0, 1));
  const type = (['pin', 'pin', 'pin', 'pin', 'meta-pin', 'shard-pin', 'clusterdag-pin', 'bad'] as const)[
    random.integer(8)
  ];
  const isEverywhere = random.integer(4) === 0;
  return pinOf(cidNumber(random.integer(25)), {
    type: type ?? 'pin',
    replicationFactorMin: isEverywhere ? -1 : random.integer(3),
    replicationFactorMax: isEverywhere ? -1 : 2 + random.integer(3),
    allocations: isEverywhere ? [] : some,
  });
}

const none = { pins: 0, belowMin: 0, atMin: 0, aboveMin: 0, full: 0, overMax: 0 };

/** By hand, pin after pin. */
async function recount(pinset: Pinset, { members, isAlive }: HolderView): Promise<Replication> {
  const counts = { allocated: { ...none }, everywhere: { ...none }, shards: { ...none } };
  const all = { ...none };
  let meta = 0;
  const held = new Map<PeerId, number>();
  for await (const page of pinset.pages()) {
    for (const pin of page) {
      if (pin.type === 'meta-pin' || pin.type === 'bad') {
        meta++;
        continue;
      }
      const isEverywhere = pin.replicationFactorMin === -1;
      const holders = isEverywhere ? members : [...new Set(pin.allocations)];
      if (!isEverywhere) for (const peer of holders) held.set(peer, (held.get(peer) ?? 0) + 1);
      const replicas = holders.filter((peer) => members.includes(peer) && isAlive(peer)).length;
      const min = isEverywhere ? members.length : pin.replicationFactorMin;
      const max = isEverywhere ? members.length : pin.replicationFactorMax;
      const state =
        replicas < min
          ? 'belowMin'
          : replicas > max
            ? 'overMax'
            : replicas === max
              ? 'full'
              : replicas === min
                ? 'atMin'
                : 'aboveMin';
      const of = pin.type === 'pin' ? (isEverywhere ? 'everywhere' : 'allocated') : 'shards';
      for (const counter of [counts[of], all]) {
        counter.pins++;
        counter[state]++;
      }
    }
  }
  const known = [...new Set([...members, ...held.keys()])].map((peer) => [
    peer,
    {
      allocated: held.get(peer) ?? 0,
      pinned: 0,
      isMember: members.includes(peer),
      isAlive: members.includes(peer) && isAlive(peer),
    },
  ]);
  return { ...all, ...counts, meta, peers: Object.fromEntries(known), isVerified: false, unanswered: {} };
}

test('gauges of replicas equal a recount, whatever is pinned, restored and replayed, whoever comes and goes (R48)', async () => {
  const random = new SeededRandom(`replication ${process.env.SEED ?? 1}`);
  for (let life = 0; life < 60; life++) {
    const store = slowStore();
    let pinset = openPinset(store, deps);
    let index = 0;
    const log: RaftCommand[] = [];
    const commands = (): RaftCommand[] => {
      const made = Array.from({ length: random.integer(6) }, (): RaftCommand => {
        return { type: random.integer(3) === 0 ? 'unpin' : 'pin', pin: randomPin(random) };
      });
      log.push(...made);
      return made;
    };
    /** Asked while the state changes, and answered some time. */
    const asked: Promise<unknown>[] = [];
    for (let step = 0; step < 40; step++) {
      if (random.integer(3) === 0) asked.push(pinset.kinds());
      const applying = pinset.apply(commands(), ++index);
      for (let turns = random.integer(8); turns > 0; turns--) await null;
      if (random.integer(4) === 0) asked.push(pinset.kinds());
      await applying;
      if (random.integer(12) === 0) {
        await restored(pinset, ++index);
        log.length = 0;
      }
      if (random.integer(8) === 0) {
        if (random.integer(2) === 0) await pinset.sync();
        pinset = openPinset(store, deps);
        if (pinset.synced < pinset.applied) await pinset.replay(log);
        log.length = 0;
      }
      if (random.integer(3) > 0) continue;
      const members = peers.filter(() => random.integer(4) > 0);
      const alive = new Set(peers.filter(() => random.integer(4) > 0));
      const view: HolderView = { members, isAlive: (peer) => alive.has(peer) };
      const counted = await countReplicas(pinset, view, {});
      assert.deepEqual(counted, await recount(pinset, view), `seed ${random.seed}, life ${life}, step ${step}`);
      assert.equal(counted.pins + counted.meta, pinset.count());
    }
    await Promise.all(asked);
  }

  /** By a snapshot of another state. */
  async function restored(pinset: PinsetState, applied: number): Promise<void> {
    const other = openPinset(createMemoryDatastore(), deps);
    await other.apply(
      Array.from({ length: random.integer(10) }, () => ({ type: 'pin', pin: randomPin(random) })),
      1,
    );
    const { chunks } = await other.snapshot();
    await pinset.restore(chunks, { applied, tag: utf8Encode('tag') });
  }
});

test('kinds are counted from one scan, and then follow the changes without looking at any other pin', async () => {
  const store = createMemoryDatastore();
  let scans = 0;
  const watched: Datastore = {
    get: (key) => store.get(key),
    batch: (ops, options) => store.batch(ops, options),
    scan: (range, options) => {
      scans++;
      return store.scan(range, options);
    },
    scanText: (range, options) => store.scanText(range, options),
    close: () => store.close(),
  };
  const pinset = openPinset(watched, deps);
  const held = (n: number, ...allocations: PeerId[]): RaftCommand => ({
    type: 'pin',
    pin: pinOf(cidNumber(n), { replicationFactorMin: 1, replicationFactorMax: 2, allocations }),
  });
  await pinset.apply([held(1, a, b), held(2, a)], 1);
  assert.equal(scans, 0, 'nobody has asked');
  const view: HolderView = { members: [a, b, c], isAlive: (peer) => peer !== b };
  assert.equal((await countReplicas(pinset, view, {})).atMin, 2);
  await pinset.apply([held(2, b), held(3, a, c), held(4, c, b), { type: 'unpin', pin: pinOf(cidNumber(1)) }], 2);
  const { pins, belowMin, atMin, full } = await countReplicas(pinset, view, {});
  assert.deepEqual([pins, belowMin, atMin, full], [3, 1, 1, 1]);
  assert.equal(scans, 1);
});

test('more kinds of pins than are kept are counted pin by pin', async () => {
  const counts = new KindCounts(2);
  const counting = new KindCounting(counts);
  counting.beginAt(0);
  const pins = [1, 2, 3].map((n) =>
    pinOf(cidNumber(n), { replicationFactorMin: 1, replicationFactorMax: n, allocations: [a] }),
  );
  for (const after of pins) counting.changed(1, { before: undefined, after });
  assert.equal(counts.isFull, true);

  const pinset = openPinset(createMemoryDatastore(), deps);
  await pinset.apply(
    pins.map((pin) => ({ type: 'pin', pin })),
    1,
  );
  const view: HolderView = { members: [a], isAlive: () => true };
  const full: Pinset = {
    get: (cid) => pinset.get(cid),
    has: (cid) => pinset.has(cid),
    count: () => pinset.count(),
    pages: (options) => pinset.pages(options),
    storedPages: (options) => pinset.storedPages(options),
    revision: () => pinset.revision(),
    stored: (key) => pinset.stored(key),
    expiring: (options) => pinset.expiring(options),
    kinds: async () => (counts.isFull ? undefined : counts),
  };
  assert.deepEqual(await countReplicas(full, view, {}), await countReplicas(pinset, view, {}));
});

test('a scan that fails tells whoever asked, and the next question begins anew', async () => {
  const store = createMemoryDatastore();
  let isBroken = true;
  const breaking: Datastore = {
    get: (key) => store.get(key),
    batch: (ops, options) => store.batch(ops, options),
    scan: async function* (range, options) {
      if (isBroken) throw new TypeError('the disk is gone');
      yield* store.scan(range, options);
    },
    scanText: (range, options) => store.scanText(range, options),
    close: () => store.close(),
  };
  const pinset = openPinset(breaking, deps);
  await pinset.apply([{ type: 'pin', pin: pinOf(cidNumber(1)) }], 1);
  const view: HolderView = { members: [a], isAlive: () => true };
  await assert.rejects(countReplicas(pinset, view, {}), /the disk is gone/);
  isBroken = false;
  assert.equal((await countReplicas(pinset, view, {})).everywhere.full, 1);
});

type Listed = readonly (readonly [number, TrackerStatus])[];

/** What members list; one of them breaks off at the end. */
function sourcesOf(listed: Readonly<Record<PeerId, Listed>>, broken?: PeerId): StatusSource[] {
  const clock = new FakeClock();
  return Object.entries(listed).map(([peer, statuses]): StatusSource => {
    const open = async function* (): AsyncGenerator<RemoteStatusRow[]> {
      const keys = statuses.map(([n, status]): RemoteStatusRow => {
        const key = stateKey(cidNumber(n));
        return { key, status, timestamp: null, error: '', attemptCount: 0, priorityPin: false, pin: undefined };
      });
      for (const row of keys.sort((x, y) => (x.key < y.key ? -1 : 1))) yield [row];
      if (peer === broken) throw new TypeError('gone');
    };
    const label = { peer, peername: '', ipfsPeerId: '', ipfsAddresses: [] };
    return { label, rows: new PeerPages({ peer, silenceMs: 1000, clock, open }) };
  });
}

test('verified counts are of what the members themselves list as pinned', async () => {
  const pinset = openPinset(createMemoryDatastore(), deps);
  const twice = { replicationFactorMin: 2, replicationFactorMax: 2, allocations: [a, b] };
  const pins = [1, 2, 3].map((n) => pinOf(cidNumber(n), n === 3 ? {} : twice));
  await pinset.apply(
    pins.map((pin) => ({ type: 'pin', pin })),
    1,
  );
  const view: HolderView = { members: [a, b, c], isAlive: () => true };
  const listed: Record<PeerId, Listed> = {
    // 9 is on the node, and no pin any more.
    [a]: [1, 2, 3, 9].map((n) => [n, 'pinned']),
    [b]: [
      [1, 'pinned'],
      [2, 'pinning'],
      [3, 'pinned'],
    ],
    [c]: [],
  };
  const rows = sourcesOf(listed, c);
  const askAgain = (): never => assert.fail('a member is silent');
  const {
    allocated,
    everywhere,
    peers: of,
    ...rest
  } = await verifyReplicas(pinset, view, { peers: rows, askAgain }, {});
  assert.deepEqual(allocated, { ...none, pins: 2, belowMin: 1, full: 1 });
  assert.deepEqual(everywhere, { ...none, pins: 1, belowMin: 1 });
  assert.deepEqual(
    [a, b, c].map((peer) => of[peer]?.pinned),
    [3, 2, 0],
  );
  assert.deepEqual([rest.isVerified, rest.unanswered], [true, { [c]: 'gone' }]);
});

test('a pin that moves while members list is not taken for one with too few replicas', async () => {
  const pinset = openPinset(createMemoryDatastore(), deps);
  const pins = [1, 2].map((n) =>
    pinOf(cidNumber(n), { replicationFactorMin: 1, replicationFactorMax: 1, allocations: [a] }),
  );
  await pinset.apply(
    pins.map((pin) => ({ type: 'pin', pin })),
    1,
  );
  const view: HolderView = { members: [a, b], isAlive: () => true };
  const holder = { peername: '', timestamp: null, error: '', attemptCount: 0, priorityPin: false };
  const asked: string[] = [];
  const askAgain = async (cid: Cid): Promise<GlobalPinInfo> => {
    asked.push(cid.toString());
    const status = cid.equals(cidNumber(1)) ? 'pinned' : 'pin_error';
    const peerMap = { [b]: { ...holder, ipfsPeerId: '', ipfsAddresses: [], status } as const };
    return { cid, name: '', allocations: [b], origins: [], created: null, metadata: null, peerMap };
  };
  const result = await verifyReplicas(pinset, view, { peers: sourcesOf({ [a]: [], [b]: [] }), askAgain }, {});
  assert.deepEqual([result.full, result.belowMin], [1, 1]);
  assert.equal(asked.length, 2);
});

test('a pin that is removed while members list is none with too few replicas', async () => {
  const pinset = openPinset(createMemoryDatastore(), deps);
  const pin = pinOf(cidNumber(1), { replicationFactorMin: 1, replicationFactorMax: 1, allocations: [a] });
  await pinset.apply([{ type: 'pin', pin }], 1);
  const view: HolderView = { members: [a], isAlive: () => true };
  const askAgain = async (cid: Cid): Promise<GlobalPinInfo> => {
    await pinset.apply([{ type: 'unpin', pin }], 2);
    return { cid, name: '', allocations: [], origins: [], created: null, metadata: null, peerMap: {} };
  };
  const result = await verifyReplicas(pinset, view, { peers: sourcesOf({ [a]: [] }), askAgain }, {});
  assert.deepEqual([result.pins, result.belowMin], [0, 0]);
});
