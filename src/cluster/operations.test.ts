import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../test/support/collect.ts';
import { settle } from '../../test/support/fake-clock.ts';
import { MemoryCluster } from '../../test/support/memory-cluster.ts';
import { cidNumber } from '../../test/support/pins.ts';
import { OperatingError } from '../base/index.ts';
import { defaultPinOptions, type OperationInfo } from '../model/index.ts';

const ask = 'PinTracker.Operations';

async function threeWithWork(t: { after: (act: () => Promise<void>) => void }): Promise<MemoryCluster> {
  const cluster = new MemoryCluster();
  await cluster.start(3);
  t.after(() => cluster.stop());
  for (const { ipfs } of cluster.nodes) {
    ipfs.onAct = () => Promise.reject(new OperatingError('ipfs/full', 'no space left on device'));
  }
  for (const n of [1, 2]) await cluster.node(0).peer.pin(cidNumber(n), { ...defaultPinOptions, name: `pin ${n}` });
  await settle();
  return cluster;
}

const brief = ({ peername, cid, cause, attempts }: OperationInfo): string =>
  `${peername} ${cid?.equals(cidNumber(1)) === true ? 1 : cid === null ? '-' : 2} ${cause} ${attempts}`;

test('operations: those of all members, of this peer, of one CID', async (t) => {
  const cluster = await threeWithWork(t);
  const { peer } = cluster.node(0);
  const all = await collect(peer.operations(undefined));
  const expected = [0, 1, 2].flatMap((n) => [1, 2].map((cid) => `peer-${n} ${cid} full 1`));
  assert.deepEqual(all.map(brief).sort(), expected);
  assert.deepEqual((await collect(peer.operationsLocal(cidNumber(2)))).map(brief), ['peer-0 2 full 1']);
  assert.equal((await collect(peer.operations(cidNumber(2)))).length, 3);
  assert.deepEqual(await collect(peer.operations(cidNumber(9))), []);
  const [first] = all;
  assert.ok(first);
  const { name, type, phase, error, since, phaseSince, nextTry, queue, position } = first;
  assert.deepEqual(
    [name, type, phase, error, queue, position],
    ['pin 1', 'pin', 'error', 'no space left on device', 'none', 0],
  );
  assert.ok(since !== null && phaseSince !== null && nextTry !== null);
  const delaySeconds = nextTry.seconds - phaseSince.seconds;
  assert.ok(delaySeconds >= 2 && delaySeconds <= 6, `${delaySeconds}`);
});

test('operations: a peer that is silent, or does not know the question, is a row that says so; a hung one costs its deadline only', async (t) => {
  const cluster = await threeWithWork(t);
  const [, silent, go] = cluster.nodes.map(({ id }) => id);
  cluster.onCall = (to, method, signal) => {
    if (method !== ask) return;
    if (to === go) throw new OperatingError('rpc/authorization', 'client does not have permissions for this method');
    return new Promise((_, reject) =>
      signal?.addEventListener('abort', () => reject(new OperatingError('rpc/cancelled', 'cancelled'))),
    );
  };
  const rows: OperationInfo[] = [];
  const reading = (async () => {
    for await (const row of cluster.node(0).peer.operations(undefined)) rows.push(row);
  })();
  await settle();
  assert.deepEqual(rows.map(brief).sort(), [' - cluster_error 0', 'peer-0 1 full 1', 'peer-0 2 full 1']);
  assert.match(rows.find(({ peer }) => peer === go)?.error ?? '', /^the peer cannot tell: .*a Go peer/);
  await cluster.clock.advance(15_000);
  await reading;
  assert.equal(rows.find(({ peer }) => peer === silent)?.error, 'no answer within 15s');
});

test('operations: a failure of this peer is a row too, and the others are heard', async (t) => {
  const cluster = await threeWithWork(t);
  const { peer, tracker, id } = cluster.node(0);
  tracker.operations = () => {
    throw new OperatingError('store/closed', 'the store is closed');
  };
  const rows = await collect(peer.operations(undefined));
  assert.equal(rows.length, 5);
  assert.equal(rows.find((row) => row.peer === id)?.error, 'the store is closed');
});

test('operations: a reader that leaves ends the questions to the members', async (t) => {
  const cluster = await threeWithWork(t);
  let abortedCount = 0;
  cluster.onCall = (_to, method, signal) => {
    if (method !== ask) return;
    return new Promise((_, reject) =>
      signal?.addEventListener('abort', () => {
        abortedCount += 1;
        reject(new OperatingError('rpc/cancelled', 'cancelled'));
      }),
    );
  };
  for await (const _ of cluster.node(0).peer.operations(undefined)) break;
  assert.equal(abortedCount, 2);
  const gone = new AbortController();
  const reading = collect(cluster.node(0).peer.operations(undefined, { signal: gone.signal }));
  await settle();
  gone.abort();
  await assert.rejects(reading, { name: 'AbortError' });
  assert.equal(abortedCount, 4);
});
