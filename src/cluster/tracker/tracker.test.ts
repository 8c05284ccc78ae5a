import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collect } from '../../../test/support/collect.ts';
import { FakeClock, settle } from '../../../test/support/fake-clock.ts';
import { MemoryIpfs } from '../../../test/support/memory-ipfs.ts';
import { MemoryPinset } from '../../../test/support/memory-pinset.ts';
import { cidNumber, pinOf } from '../../../test/support/pins.ts';
import { OperatingError, SeededRandom, silentLogger } from '../../base/index.ts';
import { type Pin, type PinInfo, stateKey, trackerStatusBits } from '../../model/index.ts';
import { createMemoryDatastore } from '../memory-datastore.ts';
import type { Datastore, PinTracker } from '../ports.ts';
import { createPinTracker } from './tracker.ts';

interface Bench {
  readonly ipfs: MemoryIpfs;
  readonly pinset: MemoryPinset;
  readonly clock: FakeClock;
  readonly store: Datastore;
  /** Statuses that were told of. */
  readonly told: PinInfo[];
  tracker: PinTracker;
  /** Ends the tracker without a word and starts another one over the same store. */
  restart(): Promise<void>;
  pin(pin: Pin): void;
  unpin(pin: Pin): void;
  all(filter?: number): Promise<Record<string, string>>;
}

const self = '12D3KooWJTgjVFjLfb4zSJeVWNpA7uLJYbDtUyTnrCPaTtDSWcNt';
const other = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5';
const minute = 60_000;

/** Something that ends with the test, such as a `TestContext`. */
interface Ending {
  after(act: () => Promise<unknown>): void;
}

interface BenchOptions {
  readonly isUp?: boolean;
  readonly maxPinQueueSize?: number;
  readonly isWanted?: boolean;
  readonly pinsPerRequest?: number;
}

async function bench(t: Ending, options: BenchOptions = {}) {
  const told: PinInfo[] = [];
  const ipfs = new MemoryIpfs();
  const pinset = new MemoryPinset();
  const clock = new FakeClock();
  const store = createMemoryDatastore();
  ipfs.clock = clock;
  ipfs.setUp(options.isUp ?? true);
  const make = (): PinTracker =>
    createPinTracker(
      {
        concurrentPins: 3,
        maxPinQueueSize: options.maxPinQueueSize ?? 1_000_000,
        priorityPinMaxAgeMs: 24 * 60 * minute,
        priorityPinMaxRetries: 5,
        reconcileIntervalMs: 12 * minute,
        recordGroupMs: 0,
        pinsPerRequest: options.pinsPerRequest ?? 1,
      },
      {
        ipfs,
        pinset,
        store,
        clock,
        random: new SeededRandom(5),
        logger: silentLogger,
        identity: () => ({ peer: self, peername: 'name', ipfsId: 'ipfs', ipfsAddresses: [] }),
        statusObserver: {
          isWanted: () => options.isWanted === true,
          onStatus: (info) => void told.push(info),
        },
      },
    );
  const made: Bench = {
    ipfs,
    pinset,
    clock,
    store,
    told,
    tracker: make(),
    async restart() {
      const stopped = this.tracker.stop();
      await clock.advance(3000);
      await stopped;
      this.tracker = make();
      await this.tracker.start();
      await settle();
    },
    pin(pin) {
      pinset.add(pin);
      this.tracker.track(pin);
    },
    unpin(pin) {
      pinset.remove(pin.cid);
      this.tracker.untrack(pin);
    },
    async all(filter = 0) {
      const infos = await collect(this.tracker.statusAll(filter));
      const keys = infos.map((info) => stateKey(info.cid));
      assert.deepEqual(keys, [...keys].sort(), 'in state-key order');
      return Object.fromEntries(infos.map((info) => [info.cid.toString(), info.status]));
    },
  };
  await made.tracker.start();
  await settle();
  t.after(() => {
    const stopped = made.tracker.stop();
    return Promise.race([stopped, clock.advance(3000)]);
  });
  return made;
}

const refuse = (text: string): Promise<void> => Promise.reject(new OperatingError('ipfs/refused', text));
const statusOf = async (b: Bench, n: number): Promise<PinInfo> => await b.tracker.status(cidNumber(n));

test('PinTracker tells of every change of a status, once somebody wants to know', async (t) => {
  const quiet = await bench(t);
  quiet.pin(pinOf(cidNumber(1)));
  await settle();
  assert.deepEqual(quiet.told, []);

  const b = await bench(t, { isWanted: true });
  const told = (): string[] => b.told.splice(0).map(({ name, status, error }) => `${name} ${status} ${error}`.trim());
  const pin = pinOf(cidNumber(1), { name: 'one' });
  b.pin(pin);
  assert.deepEqual(told(), ['one pin_queued']);
  await settle();
  assert.deepEqual(told(), ['one pinning', 'one pinned']);
  b.ipfs.onAct = () => refuse('no');
  b.pin(pinOf(cidNumber(2), { name: 'two' }));
  await settle();
  assert.deepEqual(told(), ['two pin_queued', 'two pinning', 'two pin_error no']);
  b.ipfs.onAct = () => Promise.resolve();
  await b.tracker.recover(cidNumber(2));
  await settle();
  assert.deepEqual(told(), ['two pinning', 'two pinned']);
  b.pin(pinOf(cidNumber(1), { name: 'one', allocations: [other], replicationFactorMin: 1, replicationFactorMax: 1 }));
  await settle();
  assert.deepEqual(told(), ['one unpin_queued', 'one unpinning', 'one remote']);
  b.unpin(pinOf(cidNumber(2), { name: 'two' }));
  await settle();
  assert.deepEqual(told(), ['two unpin_queued', 'two unpinning', 'unpinned']);
});

test('PinTracker pins and unpins, and never calls IPFS inside of track', async (t) => {
  const b = await bench(t);
  const pin = pinOf(cidNumber(1), { name: 'one' });
  b.pin(pin);
  await settle();
  assert.deepEqual(b.ipfs.acts, ['list', `pin ${cidNumber(1)}`]);
  const info = await statusOf(b, 1);
  assert.deepEqual([info.status, info.name, info.peer, info.peername], ['pinned', 'one', self, 'name']);
  b.unpin(pin);
  await settle();
  assert.equal(b.ipfs.held.size, 0);
  assert.equal((await statusOf(b, 1)).status, 'unpinned');
});

test('PinTracker keeps to its concurrency', async (t) => {
  const b = await bench(t);
  b.ipfs.onAct = () => settle();
  for (let n = 0; n < 20; n += 1) b.pin(pinOf(cidNumber(n)));
  assert.ok(b.tracker.pinQueueSize() >= 17);
  while (b.ipfs.held.size < 20) await settle();
  assert.equal(b.ipfs.pinningCountMax, 3);
  assert.equal(b.tracker.pinQueueSize(), 0);
});

test('PinTracker shows a failed pin with cause and attempts, and repairs it by itself', async (t) => {
  const b = await bench(t);
  b.ipfs.onAct = () => refuse('no such block');
  b.pin(pinOf(cidNumber(1)));
  await settle();
  let info = await statusOf(b, 1);
  assert.deepEqual([info.status, info.error, info.attemptCount], ['pin_error', 'no such block', 1]);
  await b.clock.advance(6000);
  info = await statusOf(b, 1);
  assert.deepEqual([info.status, info.attemptCount], ['pin_error', 2]);
  b.ipfs.onAct = () => {};
  await b.clock.advance(60_000);
  assert.equal((await statusOf(b, 1)).status, 'pinned');
});

test('PinTracker: a failed unpin is repaired, and shown until then', async (t) => {
  const b = await bench(t);
  const pin = pinOf(cidNumber(1));
  b.pin(pin);
  await settle();
  b.ipfs.onAct = () => refuse('repo locked');
  b.unpin(pin);
  await settle();
  assert.deepEqual(await b.all(), { [cidNumber(1).toString()]: 'unpin_error' });
  b.ipfs.onAct = () => {};
  assert.deepEqual((await b.tracker.recover(cidNumber(1))).status, 'unpinning');
  await settle();
  assert.deepEqual(await b.all(), {});
  assert.equal(b.ipfs.held.size, 0);
});

test('PinTracker: an unpin that a crash has cut off is finished after the restart', async (t) => {
  const b = await bench(t);
  const pin = pinOf(cidNumber(1));
  b.pin(pin);
  await settle();
  b.ipfs.onAct = () => new Promise(() => {});
  b.unpin(pin);
  await settle();
  assert.equal(b.ipfs.held.size, 1);
  b.ipfs.onAct = () => {};
  await b.restart();
  assert.equal(b.ipfs.held.size, 0);
});

test('PinTracker never unpins what the cluster did not pin', async (t) => {
  const b = await bench(t);
  b.ipfs.held.set(cidNumber(1).toString(), 'recursive');
  b.ipfs.held.set(cidNumber(2).toString(), 'recursive');
  const elsewhere = { allocations: [other], replicationFactorMin: 1, replicationFactorMax: 1 };
  b.pin(pinOf(cidNumber(1), elsewhere));
  b.unpin(pinOf(cidNumber(1), elsewhere));
  await b.restart();
  await b.clock.advance(13 * minute);
  assert.equal(b.ipfs.held.size, 2);
});

test('PinTracker unpins what has moved to other peers', async (t) => {
  const b = await bench(t);
  const here = { allocations: [self], replicationFactorMin: 1, replicationFactorMax: 1 };
  b.pin(pinOf(cidNumber(1), here));
  await settle();
  assert.equal(b.ipfs.held.size, 1);
  b.pin(pinOf(cidNumber(1), { ...here, allocations: [other] }));
  await settle();
  assert.equal(b.ipfs.held.size, 0);
  assert.equal((await statusOf(b, 1)).status, 'remote');
});

test('PinTracker does not unpin what has moved to other peers before its pin began', async (t) => {
  const b = await bench(t, { isUp: false });
  const here = { allocations: [self], replicationFactorMin: 1, replicationFactorMax: 1 };
  b.ipfs.held.set(cidNumber(1).toString(), 'recursive');
  b.pin(pinOf(cidNumber(1), here));
  await settle();
  b.pin(pinOf(cidNumber(1), { ...here, allocations: [other] }));
  b.ipfs.setUp(true);
  await settle();
  await b.restart();
  assert.deepEqual(b.ipfs.acts, ['list', 'list']);
  assert.equal(b.ipfs.held.size, 1);
});

test('PinTracker: what waits for room goes on when a queued pin has moved to other peers', async (t) => {
  const b = await bench(t, { maxPinQueueSize: 4 });
  const here = { allocations: [self], replicationFactorMin: 1, replicationFactorMax: 1 };
  const { promise: gate, resolve: release } = Promise.withResolvers<void>();
  b.ipfs.onAct = (kind) => (kind === 'pin' ? gate : undefined);
  for (let n = 0; n < 4; n += 1) b.pin(pinOf(cidNumber(n), here));
  await settle();
  const missing = cidNumber(9);
  b.pinset.add(pinOf(missing, here));
  const recovering = b.tracker.recoverAll()[Symbol.asyncIterator]();
  const found = recovering.next();
  await settle();
  b.pin(pinOf(cidNumber(3), { ...here, allocations: [other] }));
  assert.ok((await found).value.cid.equals(missing));
  release();
  await recovering.return?.();
  await settle();
  assert.deepEqual([...b.ipfs.held.keys()].sort(), [0, 1, 2, 9].map((n) => cidNumber(n).toString()).sort());
});

test('PinTracker unpins what has moved to other peers after its pin was begun, wanted again, and was to be removed', async (t) => {
  const b = await bench(t);
  const here = pinOf(cidNumber(1), { allocations: [self], replicationFactorMin: 1, replicationFactorMax: 1 });
  const going = Promise.withResolvers<void>();
  b.ipfs.onAct = () => going.promise;
  b.pin(here);
  await settle();
  b.pin({ ...here, name: 'again' });
  going.resolve();
  await settle();
  b.ipfs.onAct = () => refuse('not now');
  b.unpin(here);
  await settle();
  b.ipfs.onAct = () => {};
  b.pin({ ...here, allocations: [other] });
  await b.clock.advance(minute);
  await settle();
  assert.equal(b.ipfs.held.size, 0);
});

test('PinTracker records what is agreed on together by one write, before it pins', async (t) => {
  const b = await bench(t);
  const batches: number[] = [];
  const { batch } = b.store;
  b.store.batch = (ops, options) => {
    batches.push(ops.length);
    return Reflect.apply(batch, b.store, [ops, options]);
  };
  let recorded = 0;
  b.ipfs.onAct = () => {
    recorded = batches.reduce((sum, count) => sum + count, 0);
  };
  for (let n = 0; n < 20; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  assert.equal(b.ipfs.held.size, 20);
  assert.equal(recorded, 20);
  // The first write takes what is there when it begins.
  assert.ok(batches.length <= 2, `${batches}`);
});

for (const pinsPerRequest of [1, 4]) {
  test(`PinTracker begins no pin that it cannot record as its own, with ${pinsPerRequest} to a request, and shows why`, async (t) => {
    const b = await bench(t, { pinsPerRequest });
    const { batch } = b.store;
    let isFull = true;
    b.store.batch = (ops, options) =>
      isFull ? Promise.reject(new TypeError('no space left')) : Reflect.apply(batch, b.store, [ops, options]);
    for (let n = 1; n <= 4; n += 1) b.pin(pinOf(cidNumber(n)));
    await settle();
    assert.deepEqual([...b.ipfs.held.keys()], []);
    for (let n = 1; n <= 4; n += 1) {
      const { status, error } = await statusOf(b, n);
      assert.equal(status, 'pin_error');
      assert.match(error, /^Cannot record .*: no space left$/);
    }
    isFull = false;
    await b.clock.advance(10_000);
    assert.equal(b.ipfs.held.size, 4);
    // What leaves the pinset while nobody looks is known as the cluster's.
    for (let n = 1; n <= 4; n += 1) b.pinset.remove(cidNumber(n));
    await b.restart();
    await b.clock.advance(1000);
    assert.equal(b.ipfs.held.size, 0);
  });
}

test('PinTracker: a pin that is written anew is pinned all the while, unless the node has lost it', async (t) => {
  const b = await bench(t);
  const pin = (n: number, name: string): Pin => pinOf(cidNumber(n), { name });
  b.pin(pin(1, 'as it was'));
  b.pin(pin(2, 'as it was'));
  await settle();
  const gate = Promise.withResolvers<void>();
  b.ipfs.onAct = () => gate.promise;
  b.ipfs.held.delete(cidNumber(2).toString());
  for (const n of [1, 2]) b.pin(pin(n, 'moved'));
  assert.equal((await statusOf(b, 1)).status, 'pinned', 'before it is begun');
  await settle();
  assert.deepEqual(
    b.tracker.operations().map(({ phase }) => phase),
    ['running', 'running'],
  );
  const { status, name } = await statusOf(b, 1);
  assert.deepEqual([status, name], ['pinned', 'moved']);
  assert.equal((await statusOf(b, 2)).status, 'pinning');
  assert.deepEqual(await b.all(trackerStatusBits.pinned), { [cidNumber(1).toString()]: 'pinned' });
  assert.deepEqual(await b.all(trackerStatusBits.pinning), { [cidNumber(2).toString()]: 'pinning' });
  gate.resolve();
  await settle();
  assert.equal((await statusOf(b, 2)).status, 'pinned');
});

test('PinTracker rests while IPFS is down, says nothing false meanwhile, and resumes by itself (R6)', async (t) => {
  const b = await bench(t, { isUp: false });
  b.pin(pinOf(cidNumber(1)));
  b.pinset.add(pinOf(cidNumber(2)));
  await b.clock.advance(10 * minute);
  assert.deepEqual(b.ipfs.acts, []);
  const info = await statusOf(b, 1);
  assert.deepEqual([info.status, info.attemptCount], ['pin_queued', 0]);
  assert.match(info.error, /IPFS node does not answer/);
  assert.match((await statusOf(b, 2)).error, /connection refused/);
  assert.deepEqual(await b.all(), {
    [cidNumber(1).toString()]: 'pin_queued',
    [cidNumber(2).toString()]: 'cluster_error',
  });
  b.ipfs.setUp(true);
  await b.clock.advance(1);
  assert.deepEqual(Object.values(await b.all()), ['pinned', 'pinned']);
});

test('PinTracker: an attempt cut off by the loss of IPFS does not count as a failure', async (t) => {
  const b = await bench(t);
  b.ipfs.onAct = () => {
    b.ipfs.setUp(false);
    return Promise.reject(new OperatingError('ipfs/unreachable', 'connection lost'));
  };
  b.pin(pinOf(cidNumber(1)));
  await settle();
  const info = await statusOf(b, 1);
  assert.deepEqual([info.status, info.attemptCount], ['pin_queued', 0]);
  b.ipfs.onAct = () => {};
  b.ipfs.setUp(true);
  await b.clock.advance(1);
  assert.equal((await statusOf(b, 1)).status, 'pinned');
});

test('PinTracker: a full queue drops nothing and goes on when there is room (R8)', async (t) => {
  const b = await bench(t, { maxPinQueueSize: 10 });
  let isOpen = false;
  b.ipfs.onAct = () => (isOpen ? undefined : new Promise((resolve) => setImmediate(resolve)));
  const pins = Array.from({ length: 500 }, (_, n) => pinOf(cidNumber(n)));
  for (const pin of pins) b.pin(pin);
  assert.ok(b.tracker.pinQueueSize() > 400, 'what was refused counts as queued');
  assert.equal(new Set(Object.values(await b.all())).has('unexpectedly_unpinned'), false);
  isOpen = true;
  for (let i = 0; i < 40; i += 1) await b.clock.advance(3000);
  assert.equal(b.ipfs.held.size, 500);
  assert.equal(b.ipfs.acts.filter((act) => act.startsWith('pin ')).length, 500, 'each once');
  for (const pin of pins) b.unpin(pin);
  for (let i = 0; i < 40; i += 1) await b.clock.advance(3000);
  assert.equal(b.ipfs.held.size, 0);
});

test('PinTracker: a start-up backlog of pin and unpin of one CID does the last intent, once (R10)', async (t) => {
  const b = await bench(t, { isUp: false });
  const pin = pinOf(cidNumber(1));
  b.pin(pin);
  b.unpin(pin);
  b.pin(pin);
  b.ipfs.setUp(true);
  await b.clock.advance(1);
  assert.deepEqual(
    b.ipfs.acts.filter((act) => act !== 'list'),
    [`pin ${cidNumber(1)}`],
  );
});

test('PinTracker: an unpin aborts the running pin and goes after it: cancelled operations free their slots (R4)', async (t) => {
  const b = await bench(t);
  b.ipfs.onAct = (act, _cid, signal) =>
    act === 'unpin'
      ? undefined
      : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const pin = pinOf(cidNumber(1));
  b.pin(pin);
  await settle();
  assert.equal((await statusOf(b, 1)).status, 'pinning');
  b.unpin(pin);
  await settle();
  assert.deepEqual(b.ipfs.acts.slice(1), [`pin ${cidNumber(1)}`, `unpin ${cidNumber(1)}`]);
  assert.deepEqual(await b.all(), {});
});

test('PinTracker: what was under way when the state was replaced ends as the new state says', async (t) => {
  const b = await bench(t);
  const back = pinOf(cidNumber(1));
  b.pin(back);
  await settle();
  const going = Promise.withResolvers<void>();
  b.ipfs.onAct = () => going.promise;
  b.unpin(back);
  const gone = [2, 3, 4].map((n) => pinOf(cidNumber(n)));
  for (const pin of gone) b.pin(pin);
  // Behind those, and never begun: someone else has pinned the same.
  const queued = pinOf(cidNumber(5));
  b.ipfs.held.set(queued.cid.toString(), 'recursive');
  b.pin(queued);
  await settle();
  for (const pin of [...gone, queued]) b.pinset.remove(pin.cid);
  b.pinset.add(back);
  b.tracker.pinsetReplaced();
  await settle();
  going.resolve();
  await settle();
  assert.deepEqual([...b.ipfs.held.keys()].sort(), [back, queued].map(({ cid }) => cid.toString()).sort());
  assert.deepEqual(await b.all(), { [back.cid.toString()]: 'pinned' });
});

/** With a node that was quick so far, so that pins share requests. */
async function quickBench(t: Ending): Promise<Bench> {
  const b = await bench(t);
  for (let n = 1000; n < 1300; n += 1) b.pin(pinOf(cidNumber(n)));
  while (b.ipfs.held.size < 300) await settle();
  assert.ok(b.ipfs.requests.includes(32), 'requests are shared');
  b.ipfs.requests.length = 0;
  b.ipfs.acts.length = 0;
  return b;
}

test('PinTracker: pins share requests when the node is quick, but not those that say more than what to pin', async (t) => {
  const b = await quickBench(t);
  for (let n = 0; n < 40; n += 1) b.pin(pinOf(cidNumber(n)));
  b.pin(pinOf(cidNumber(40), { maxDepth: 0 }));
  b.pin(pinOf(cidNumber(41), { origins: ['/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWPeer'] }));
  b.pin(pinOf(cidNumber(42), { pinUpdate: cidNumber(1) }));
  b.pin(pinOf(cidNumber(43)));
  await settle();
  assert.equal(b.ipfs.held.size, 344);
  assert.deepEqual(b.ipfs.requests, [32, 8]);
  assert.equal(b.ipfs.pinningCountMax <= 3, true);
});

test('PinTracker: a pin that is refused fails alone, with its own cause and attempts, and the others of its request are made', async (t) => {
  const b = await quickBench(t);
  b.ipfs.onAct = (_, cid) => (cid.equals(cidNumber(3)) ? refuse('no such block') : undefined);
  for (let n = 0; n < 10; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  const statuses = await b.all();
  for (let n = 0; n < 10; n += 1) {
    assert.equal(statuses[cidNumber(n).toString()], n === 3 ? 'pin_error' : 'pinned', `${n}`);
  }
  const { attemptCount, error } = await statusOf(b, 3);
  assert.deepEqual([attemptCount, error], [1, 'no such block']);
  b.ipfs.requests.length = 0;
  await b.clock.advance(6000);
  assert.equal((await statusOf(b, 3)).attemptCount, 2);
  assert.deepEqual(b.ipfs.requests, [], 'what has failed goes alone');
});

test('PinTracker: a pin that makes no progress holds up the others of its request for a second at most', async (t) => {
  const b = await quickBench(t);
  b.ipfs.onAct = (_, cid, signal) =>
    cid.equals(cidNumber(3)) ? new Promise((_resolve, reject) => signal.addEventListener('abort', reject)) : undefined;
  for (let n = 0; n < 10; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  assert.equal((await statusOf(b, 9)).status, 'pinning', 'behind it in the request');
  await b.clock.advance(1000);
  assert.deepEqual([(await statusOf(b, 9)).status, (await statusOf(b, 3)).status], ['pinned', 'pinning']);
  assert.equal((await statusOf(b, 3)).attemptCount, 1);
  for (let n = 20; n < 25; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  assert.equal((await statusOf(b, 24)).status, 'pinned', 'requests are not shared again at once');
});

test('PinTracker: an unpin goes after the request that pins it with others, and leaves these alone', async (t) => {
  const b = await quickBench(t);
  const going = Promise.withResolvers<void>();
  b.ipfs.onAct = (act, cid) => (act === 'pin' && cid.equals(cidNumber(5)) ? going.promise : undefined);
  for (let n = 0; n < 10; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  for (const n of [2, 7]) b.unpin(pinOf(cidNumber(n)));
  await settle();
  assert.equal(
    b.ipfs.acts.some((act) => act.startsWith('unpin')),
    false,
  );
  going.resolve();
  await settle();
  for (let n = 0; n < 10; n += 1) assert.equal(b.ipfs.held.has(cidNumber(n).toString()), n !== 2 && n !== 7, `${n}`);
  assert.deepEqual(await b.all(0).then((all) => Object.values(all).every((status) => status === 'pinned')), true);
});

test('PinTracker: a request of several that the loss of IPFS cuts off counts for none of them, and shows the cause', async (t) => {
  const b = await quickBench(t);
  b.ipfs.onAct = () => {
    b.ipfs.setUp(false);
    return Promise.reject(new OperatingError('ipfs/unreachable', 'connection reset'));
  };
  for (let n = 0; n < 10; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  const [operation] = b.tracker.operations(cidNumber(4));
  assert.deepEqual([operation?.phase, operation?.cause, operation?.attempts], ['queued', 'unreachable', 0]);
  b.ipfs.onAct = () => {};
  b.ipfs.setUp(true);
  await settle();
  assert.equal(b.ipfs.held.size, 310);
});

test('PinTracker: a stop ends a request of several, which counts for none of them, and the next start makes all of them', async (t) => {
  const b = await quickBench(t);
  b.ipfs.onAct = (act, cid, signal) =>
    act === 'pin' && cid.equals(cidNumber(2))
      ? new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      : undefined;
  for (let n = 0; n < 10; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  assert.deepEqual(b.ipfs.requests, [10]);
  await b.restart();
  assert.deepEqual(b.ipfs.requests.slice(1), [], 'the first requests after a start are of one pin each');
  assert.deepEqual([(await statusOf(b, 2)).status, (await statusOf(b, 9)).status], ['pinning', 'pinned']);
  assert.equal((await statusOf(b, 2)).attemptCount, 1);
  b.ipfs.onAct = () => {};
  b.unpin(pinOf(cidNumber(2)));
  await settle();
  assert.equal(b.ipfs.held.size, 309);
});

test('PinTracker: wanted otherwise while its request is under way, each pin ends as it was wanted last', async (t) => {
  const b = await quickBench(t);
  const going = Promise.withResolvers<void>();
  b.ipfs.onAct = (act, cid) => (act === 'pin' && cid.equals(cidNumber(0)) ? going.promise : undefined);
  for (let n = 0; n < 6; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  // Away and wanted again; away; another name; moved to another peer.
  b.unpin(pinOf(cidNumber(1)));
  b.pin(pinOf(cidNumber(1)));
  b.unpin(pinOf(cidNumber(2)));
  b.pin(pinOf(cidNumber(3), { name: 'new' }));
  b.pin(pinOf(cidNumber(4), { allocations: [other], replicationFactorMin: 1, replicationFactorMax: 1 }));
  going.reject(new OperatingError('ipfs/refused', 'none of them'));
  b.ipfs.onAct = () => {};
  await settle();
  const held = [0, 1, 2, 3, 4, 5].map((n) => b.ipfs.held.has(cidNumber(n).toString()));
  assert.deepEqual(held, [true, true, false, true, false, true]);
  assert.deepEqual([(await statusOf(b, 3)).name, (await statusOf(b, 4)).status], ['new', 'remote']);
  assert.deepEqual(b.tracker.operations(), []);
});

test('PinTracker takes direct pins for what they are', async (t) => {
  const b = await bench(t);
  b.pin(pinOf(cidNumber(1), { maxDepth: 0, mode: 'direct' }));
  await settle();
  assert.deepEqual(await b.all(), { [cidNumber(1).toString()]: 'pinned' });
  assert.equal((await statusOf(b, 1)).status, 'pinned');
  await b.clock.advance(13 * minute);
  assert.deepEqual(await b.all(), { [cidNumber(1).toString()]: 'pinned' });
});

test('PinTracker finds pins that were lost behind its back, at the interval or when asked', async (t) => {
  const b = await bench(t);
  b.pin(pinOf(cidNumber(1)));
  await settle();
  b.ipfs.held.clear();
  const info = await statusOf(b, 1);
  assert.deepEqual([info.status, info.error], ['unexpectedly_unpinned', 'the item should be pinned but it is not']);
  assert.deepEqual(
    (await collect(b.tracker.recoverAll())).map((i) => i.status),
    ['pin_queued'],
  );
  await settle();
  assert.equal(b.ipfs.held.size, 1);
  b.ipfs.held.clear();
  await b.clock.advance(13 * minute);
  assert.equal(b.ipfs.held.size, 1);
});

test('PinTracker recovers one', async (t) => {
  const b = await bench(t);
  b.pin(pinOf(cidNumber(1)));
  await settle();
  b.ipfs.held.clear();
  assert.equal((await b.tracker.recover(cidNumber(1))).status, 'pin_queued');
  await settle();
  assert.equal((await b.tracker.recover(cidNumber(1))).status, 'pinned');
  assert.equal((await b.tracker.recover(cidNumber(9))).status, 'unpinned');
});

test('PinTracker recoverAll goes on past failed items (R7)', async (t) => {
  const b = await bench(t);
  b.ipfs.onAct = (_, cid) => (cid.equals(cidNumber(2)) ? refuse('never') : undefined);
  for (let n = 1; n <= 5; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  b.ipfs.held.clear();
  assert.equal((await collect(b.tracker.recoverAll())).length, 5);
  await settle();
  assert.equal(b.ipfs.held.size, 4);
});

test('PinTracker recoverAll ends without an error when IPFS cannot be listed, and all is found when it is up', async (t) => {
  const b = await bench(t);
  b.pin(pinOf(cidNumber(1)));
  await settle();
  b.ipfs.held.clear();
  b.ipfs.setUp(false);
  assert.deepEqual(await collect(b.tracker.recoverAll()), []);
  b.ipfs.setUp(true);
  await settle();
  assert.equal(b.ipfs.held.size, 1);
});

test('PinTracker: what a node has lost is not told as pinned while pins that do not end fill the queue', async (t) => {
  const b = await bench(t, { maxPinQueueSize: 2 });
  b.pin(pinOf(cidNumber(1)));
  await settle();
  b.ipfs.onAct = (kind) => (kind === 'pin' ? new Promise(() => {}) : undefined);
  for (const n of [2, 3]) b.pin(pinOf(cidNumber(n)));
  await settle();
  b.ipfs.setUp(false);
  b.ipfs.held.clear();
  b.ipfs.setUp(true);
  await settle();
  const shown: string[] = [];
  for await (const { cid, status } of b.tracker.statusAll(0)) if (cid.equals(cidNumber(1))) shown.push(status);
  assert.equal(shown.length, 1);
  assert.notEqual(shown[0], 'pinned');
});

test('PinTracker: one pin that never ends does not hold up the others, and stopping ends it', async (t) => {
  const b = await bench(t);
  let aborted = 0;
  b.ipfs.onAct = (_, cid, signal) => {
    if (!cid.equals(cidNumber(0))) return;
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        aborted += 1;
        reject(signal.reason);
      }),
    );
  };
  for (let n = 0; n < 50; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  assert.equal(b.ipfs.held.size, 49);
  const stopped = b.tracker.stop();
  await settle();
  await stopped;
  assert.equal(aborted, 1);
});

test('PinTracker filters', async (t) => {
  const b = await bench(t);
  b.ipfs.onAct = (_, cid) => (cid.equals(cidNumber(2)) ? refuse('never') : undefined);
  b.pin(pinOf(cidNumber(1)));
  b.pin(pinOf(cidNumber(2)));
  b.pin(
    pinOf(cidNumber(3), {
      allocations: [other],
      replicationFactorMin: 1,
      replicationFactorMax: 1,
    }),
  );
  b.pin(pinOf(cidNumber(4), { type: 'meta-pin' }));
  await settle();
  const expected = { pinned: 1, pin_error: 2, remote: 3, sharded: 4 } as const;
  for (const [status, n] of Object.entries(expected)) {
    const bits = trackerStatusBits[status as keyof typeof expected];
    assert.deepEqual(await b.all(bits), { [cidNumber(n).toString()]: status });
  }
  assert.equal(Object.keys(await b.all()).length, 4);
});

test('PinTracker reconciles 20,000 pins without an object each', async (t) => {
  const b = await bench(t, { isUp: false });
  for (let n = 0; n < 20_000; n += 1) {
    b.pinset.add(pinOf(cidNumber(n)));
    if (n % 2 === 0) b.ipfs.held.set(cidNumber(n).toString(), 'recursive');
  }
  b.ipfs.setUp(true);
  while (b.ipfs.held.size < 20_000) await settle();
  assert.equal(b.ipfs.acts.filter((act) => act.startsWith('pin ')).length, 10_000);
});

test('PinTracker does not list again after each operation while listings fail', async (t) => {
  const b = await bench(t, { isUp: false });
  b.ipfs.onList = () => refuse('no listing');
  for (let n = 0; n < 50; n += 1) b.pin(pinOf(cidNumber(n)));
  b.ipfs.setUp(true);
  await settle();
  await settle();
  assert.equal(b.ipfs.held.size, 50);
  assert.equal(b.ipfs.acts.filter((act) => act === 'list').length, 1);
  b.ipfs.onList = async () => {};
  await b.clock.advance(5000);
  await settle();
  assert.equal(b.ipfs.acts.filter((act) => act === 'list').length, 2);
});

test('ready at once, recovery behind: a start waits neither for IPFS to list its pins nor for what it finds then (R45)', async (t) => {
  const b = await bench(t);
  for (let n = 0; n < 50; n += 1) b.pinset.add(pinOf(cidNumber(n)));
  b.ipfs.onList = () => new Promise(() => {});
  await b.restart();
  // Listed, and the newest work done, while nothing is known yet of the rest.
  const listed = await b.all();
  assert.deepEqual([Object.keys(listed).length, new Set(Object.values(listed))], [50, new Set(['pin_queued'])]);
  b.pin(pinOf(cidNumber(50)));
  await settle();
  assert.equal(b.ipfs.held.has(cidNumber(50).toString()), true);
  b.ipfs.onList = async () => {};
  await b.restart();
  assert.equal(b.ipfs.held.size, 51);
});

const hangUntilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

test('PinTracker: cancelled operations free their slots, as many as there are (R4)', async (t) => {
  const b = await bench(t);
  b.ipfs.onAct = (act, cid, signal) =>
    act === 'pin' && !cid.equals(cidNumber(100)) ? hangUntilAborted(signal) : undefined;
  const hanging = Array.from({ length: 10 }, (_, n) => pinOf(cidNumber(n)));
  for (const pin of hanging) b.pin(pin);
  b.pin(pinOf(cidNumber(100)));
  await settle();
  assert.equal(b.ipfs.pinningCount, 3);
  assert.equal((await statusOf(b, 100)).status, 'pin_queued');
  for (const pin of hanging) b.unpin(pin);
  await settle();
  assert.deepEqual(await b.all(), { [cidNumber(100).toString()]: 'pinned' });
  assert.equal(b.ipfs.pinningCount, 0);
  assert.deepEqual(b.tracker.operations(), []);
});

for (const way of ['recover', 'recover all', 'repin', 'reallocate'] as const) {
  test(`PinTracker: a failed pin reaches pinned by ${way}, with a fresh status (R5)`, async (t) => {
    const b = await bench(t);
    const here = { allocations: [self], replicationFactorMin: 1, replicationFactorMax: 1 };
    const pin = pinOf(cidNumber(1), here);
    b.ipfs.onAct = () => refuse('no such block');
    b.pin(pin);
    await settle();
    assert.deepEqual((await statusOf(b, 1)).error, 'no such block');
    if (way === 'reallocate') {
      b.pin({ ...pin, allocations: [other] });
      await settle();
      const { status, error, attemptCount } = await statusOf(b, 1);
      assert.deepEqual([status, error, attemptCount], ['unpin_error', 'no such block', 1]);
    }
    const going = Promise.withResolvers<void>();
    b.ipfs.onAct = () => going.promise;
    if (way === 'recover') await b.tracker.recover(cidNumber(1));
    else if (way === 'recover all') await collect(b.tracker.recoverAll());
    else b.pin({ ...pin, name: 'again' });
    await settle();
    const during = await statusOf(b, 1);
    assert.deepEqual([during.status, during.error], ['pinning', '']);
    assert.deepEqual(
      b.tracker.operations().map(({ cause, phase }) => [cause, phase]),
      [['none', 'running']],
    );
    going.resolve();
    await settle();
    const { status, error, attemptCount } = await statusOf(b, 1);
    assert.deepEqual([status, error, attemptCount], ['pinned', '', 0]);
  });
}

test('PinTracker: a restart without IPFS says of no pin that it is there, and of none that it is lost (R6)', async (t) => {
  const b = await bench(t);
  const pins = [1, 2, 3].map((n) => pinOf(cidNumber(n)));
  for (const pin of pins) b.pin(pin);
  await settle();
  b.ipfs.setUp(false);
  await b.restart();
  const says = async (): Promise<string[]> => [...new Set(Object.values(await b.all()))];
  assert.deepEqual(await says(), ['cluster_error']);
  // The node comes back without one of the pins; until it was listed nobody can tell.
  b.ipfs.held.delete(cidNumber(2).toString());
  const listing = Promise.withResolvers<void>();
  b.ipfs.onList = () => listing.promise;
  b.ipfs.setUp(true);
  await settle();
  assert.deepEqual(await says(), ['pin_queued']);
  listing.resolve();
  await settle();
  assert.deepEqual(await says(), ['pinned']);
  assert.deepEqual(b.ipfs.acts.filter((act) => act.startsWith('pin ')).length, 4, 'only the lost one again');
});

test('PinTracker: a node that dies of one pin is not asked for it without a pause, and its other pins go on (R6)', async (t) => {
  const b = await bench(t);
  b.ipfs.onAct = (_, cid) => {
    if (!cid.equals(cidNumber(1))) return;
    b.ipfs.setUp(false);
    return Promise.reject(new OperatingError('ipfs/unreachable', 'connection lost'));
  };
  b.pin(pinOf(cidNumber(1)));
  await settle();
  for (let round = 0; round < 10; round += 1) {
    b.ipfs.setUp(true);
    await settle();
  }
  assert.equal(b.ipfs.acts.filter((act) => act === `pin ${cidNumber(1)}`).length, 4);
  const [operation] = b.tracker.operations();
  assert.deepEqual([operation?.phase, operation?.cause, operation?.error], ['error', 'unreachable', 'connection lost']);
  b.pin(pinOf(cidNumber(2)));
  await settle();
  assert.equal((await statusOf(b, 2)).status, 'pinned');
});

test('PinTracker recoverAll that nobody reads on, or that is given up, holds up nothing and leaks nothing (R7)', async (t) => {
  const b = await bench(t, { maxPinQueueSize: 4 });
  for (let n = 0; n < 3; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  b.ipfs.held.clear();
  const stalled = b.tracker.recoverAll()[Symbol.asyncIterator]();
  await stalled.next();
  await b.clock.advance(25 * minute);
  assert.equal(b.ipfs.held.size, 3, 'the reconciliation of the interval has found the rest');
  await stalled.return?.();

  // The time limits of requests are no leaks.
  b.ipfs.clock = undefined;
  const timers = b.clock.pendingCount;
  b.ipfs.onAct = (_, cid, signal) => (cid.equals(cidNumber(0)) ? undefined : hangUntilAborted(signal));
  b.ipfs.held.clear();
  const leaving = new AbortController();
  const waiting = collect(b.tracker.recoverAll({ signal: leaving.signal }));
  for (let n = 3; n < 20; n += 1) b.pin(pinOf(cidNumber(n)));
  await settle();
  leaving.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  assert.ok(b.clock.pendingCount <= timers + 1, 'no timer is left over');
});

test('PinTracker: removed pins stay gone, whatever had become of them (R9)', async (t) => {
  const b = await bench(t, { maxPinQueueSize: 4 });
  const [pinned, failing, running, queued] = [1, 2, 3, 4].map((n) => pinOf(cidNumber(n)));
  assert.ok(pinned && failing && running && queued);
  b.pin(pinned);
  await settle();
  b.ipfs.onAct = (act, cid, signal) => {
    if (act === 'unpin') return;
    return cid.equals(failing.cid) ? refuse('no') : hangUntilAborted(signal);
  };
  b.pin(failing);
  await settle();
  for (const pin of [running, ...[5, 6, 7, 8].map((n) => pinOf(cidNumber(n))), queued]) b.pin(pin);
  await settle();
  const gone = [pinned, failing, running, queued];
  for (const pin of gone) b.unpin(pin);
  await settle();
  b.ipfs.onAct = () => {};
  await b.clock.advance(30 * minute);
  await b.restart();
  await collect(b.tracker.recoverAll());
  for (const pin of gone) await b.tracker.recover(pin.cid);
  await b.clock.advance(30 * minute);
  for (const pin of gone) {
    assert.equal(b.ipfs.held.has(pin.cid.toString()), false);
    assert.equal((await b.tracker.status(pin.cid)).status, 'unpinned');
  }
  assert.equal(b.ipfs.held.size, 4, 'the others are there');
});

test('PinTracker honours depths: a direct pin becomes recursive, also when a crash comes in between', async (t) => {
  const b = await bench(t);
  const direct = pinOf(cidNumber(1), { maxDepth: 0, mode: 'direct' });
  b.pin(direct);
  await settle();
  assert.equal(b.ipfs.held.get(cidNumber(1).toString()), 'direct');
  b.ipfs.onAct = (_, _cid, signal) => hangUntilAborted(signal);
  b.pin(pinOf(cidNumber(1)));
  await settle();
  assert.deepEqual(await b.all(), { [cidNumber(1).toString()]: 'pinning' });
  b.ipfs.onAct = () => {};
  await b.restart();
  assert.equal(b.ipfs.held.get(cidNumber(1).toString()), 'recursive');
  assert.deepEqual(await b.all(), { [cidNumber(1).toString()]: 'pinned' });
  b.ipfs.held.set(cidNumber(1).toString(), 'direct');
  assert.equal((await statusOf(b, 1)).status, 'unexpectedly_unpinned', 'direct is less than what is wanted');
});

test('PinTracker shows unfinished work with its place, and why nothing starts while IPFS is down', async (t) => {
  const b = await bench(t, { isUp: false });
  const old = { timestamp: { seconds: 1, nanos: 0 } };
  b.pin(pinOf(cidNumber(1), old));
  b.pin(pinOf(cidNumber(2), { ...old, name: 'two' }));
  const [first, second] = b.tracker.operations();
  assert.deepEqual([first?.queue, first?.position, second?.position, second?.name], ['normal', 1, 2, 'two']);
  assert.deepEqual([first?.cause, first?.phase, first?.nextTry], ['unreachable', 'queued', null]);
  assert.match(first?.error ?? '', /IPFS node does not answer/);
  assert.deepEqual(
    b.tracker.operations(cidNumber(2)).map(({ cid, type }) => [cid?.equals(cidNumber(2)), type]),
    [[true, 'pin']],
  );
  assert.deepEqual(b.tracker.operations(cidNumber(3)), []);
});

for (const pinsPerRequest of [1, 4]) {
  test(`PinTracker: after any history with ${pinsPerRequest} pins to a request IPFS holds what the pinset says and what others have pinned, and nothing is left to do (R4-R10)`, () =>
    checkAnyHistory(pinsPerRequest));
}

async function checkAnyHistory(pinsPerRequest: number): Promise<void> {
  const cids = 6;
  const foreign = [3, 50].map((n) => cidNumber(n));
  const act = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constantFrom('pin', 'direct', 'away', 'unpin'), n: fc.nat(cids - 1) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constantFrom('refuse', 'hang', 'vanish', 'heal', 'lose'), n: fc.nat(cids - 1) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('down', 'up', 'restart', 'replace', 'recover', 'later', 'settle'),
        n: fc.nat(90),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
      const ends: (() => Promise<unknown>)[] = [];
      const b = await bench({ after: (end) => void ends.push(end) }, { maxPinQueueSize: 3, pinsPerRequest });
      for (const cid of foreign) b.ipfs.held.set(cid.toString(), 'recursive');
      const faults = new Map<string, string>();
      b.ipfs.onAct = (_, cid, signal) => {
        const fault = faults.get(cid.toString());
        if (fault === 'refuse') return refuse('no');
        if (fault === 'vanish') {
          b.ipfs.setUp(false);
          return Promise.reject(new OperatingError('ipfs/unreachable', 'connection lost'));
        }
        if (fault !== 'hang') return;
        return new Promise((_, reject) => {
          const stalled = new OperatingError('ipfs/stalled', 'no new block');
          const cancel = b.clock.after(2 * minute, () => reject(stalled));
          signal.addEventListener('abort', () => {
            cancel();
            reject(signal.reason);
          });
        });
      };
      const pinHere = (n: number, maxDepth: number): Pin =>
        pinOf(cidNumber(n), {
          maxDepth,
          mode: maxDepth === 0 ? 'direct' : 'recursive',
          allocations: [self],
          replicationFactorMin: 1,
          replicationFactorMax: 1,
        });
      for (const { kind, n } of acts) {
        const cid = cidNumber(n);
        const present = b.pinset.get(cid);
        // What others have pinned under a CID is theirs as long as the cluster never wants it here.
        const isForeign = foreign.some((theirs) => theirs.equals(cid));
        if (kind === 'pin' && !isForeign) b.pin(pinHere(n, -1));
        else if (kind === 'direct' && !isForeign && present?.mode !== 'recursive') b.pin(pinHere(n, 0));
        else if (kind === 'away') b.pin({ ...pinHere(n, present?.maxDepth ?? -1), allocations: [other] });
        else if (kind === 'unpin' && present !== undefined) b.unpin(present);
        else if (['refuse', 'hang', 'vanish'].includes(kind)) faults.set(cid.toString(), kind);
        else if (kind === 'heal') faults.delete(cid.toString());
        else if (kind === 'lose' && !isForeign) b.ipfs.held.delete(cid.toString());
        else if (kind === 'down' || kind === 'up') b.ipfs.setUp(kind === 'up');
        else if (kind === 'restart') await b.restart();
        else if (kind === 'recover') void collect(b.tracker.recoverAll()).catch(() => {});
        else if (kind === 'later') await b.clock.advance(n * 1000);
        else if (kind === 'settle') await settle();
        else if (kind === 'replace') {
          for (let at = 0; at < cids; at += 1) {
            const isWanted = (n >> at) % 2 === 1;
            if (foreign.some((theirs) => theirs.equals(cidNumber(at)))) continue;
            if (isWanted) b.pinset.add(pinHere(at, -1));
            else b.pinset.remove(cidNumber(at));
          }
          b.tracker.pinsetReplaced();
        }
      }
      faults.clear();
      b.ipfs.setUp(true);
      await b.clock.advance(40 * minute);
      const expected = new Map<string, string>(foreign.map((cid) => [cid.toString(), 'held']));
      for (let n = 0; n < cids; n += 1) {
        const pin = b.pinset.get(cidNumber(n));
        if (pin?.allocations?.includes(self) === true) expected.set(pin.cid.toString(), 'held');
        if (pin?.maxDepth === -1 && pin.allocations?.includes(self) === true) {
          assert.equal(b.ipfs.held.get(pin.cid.toString()), 'recursive');
        }
      }
      assert.deepEqual([...b.ipfs.held.keys()].sort(), [...expected.keys()].sort());
      assert.deepEqual(b.tracker.operations(), []);
      assert.equal(b.tracker.pinQueueSize(), 0);
      for (const status of Object.values(await b.all())) assert.ok(['pinned', 'remote'].includes(status), status);
      for (const end of ends) await end();
    }),
    { numRuns: 50 },
  );
}
